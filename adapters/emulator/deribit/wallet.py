"""Transfers between sub-accounts, withdrawals, deposits, and moved positions.

Source: docs.deribit.com/api-reference/wallet and trading/private-move_positions, and
articles/moving-positions-api (six a minute, a hundred in 168 hours). A `nonce` makes a transfer or
a withdrawal idempotent: the same again is answered with the first one.
"""

import json
from decimal import Decimal
from typing import Any

from allocator.adapters.emulator import funds, matching
from allocator.adapters.emulator.deribit import margin
from allocator.adapters.emulator.deribit.words import (
    WALLET,
    RpcError,
    amount,
    contracts,
    currency,
    invalid,
    main_only,
    member,
    named,
    number,
    page,
    required,
    row,
    uid,
)
from allocator.adapters.emulator.errors import Refusal, Refused
from allocator.adapters.emulator.exchange import Intent
from allocator.adapters.emulator.market import Instrument, on_step
from allocator.adapters.emulator.records import Deposit, PositionMove, Side, Transfer, Withdrawal
from allocator.adapters.emulator.wire import Call, Json

ROUTE = "subaccount"
STATES = {"done": "confirmed", "pending": "prepared", "failed": "cancelled"}
MINUTE_MS, WEEK_MS = 60_000, 168 * 3_600_000
MOVES_A_MINUTE, MOVES_A_WEEK = 6, 100
NONCE = range(8, 129)

Leg = tuple[Instrument, Side, Decimal, Decimal]


def submit_transfer_between_subaccounts(call: Call) -> Json:
    """Move coins to another account of the main account, from the caller or from `source`."""
    source = call.user
    if call.text("source"):
        source = member(call, "source").id
        if source != call.user:
            main_only(call)
    return _transfer(call, source, member(call, "destination").id)


def submit_transfer_to_subaccount(call: Call) -> Json:
    """Move coins from the main account to a sub-account."""
    main_only(call)
    return _transfer(call, call.user, member(call, "destination").id)


def get_transfers(call: Call) -> Json:
    """Return the transfers of an account in a currency, newest first."""
    coin = currency(call)
    rows = [
        t
        for t in reversed(call.exchange.ledger.transfers.by("venue", "deribit"))
        if t.coin == coin and call.user in {t.from_user, t.to_user}
    ]
    chosen: list[Json] = [_transferred(call, t, call.user) for t in page(call, rows, 10)]
    return {"count": len(rows), "data": chosen}


def withdraw(call: Call) -> Json:
    """Send coins to an address of the address book; the fee comes on top."""
    main_only(call)
    nonce = _nonce(call)
    coin = currency(call)
    known = call.exchange.ledger.withdrawals.by("client", (call.user, nonce)) if nonce else []
    if known:
        return _withdrawn(known[0])
    chain = next(
        (c for c in call.exchange.world.chains if (c.venue, c.coin) == ("deribit", coin)), None
    )
    if chain is None:
        raise invalid("invalid currency", "currency")
    done = funds.withdraw(
        call.exchange,
        funds.NewWithdrawal(
            id=f"deribit-{call.exchange.ledger.next('deribit.withdrawal', 7001)}",
            client_id=nonce,
            user=call.user,
            wallet=WALLET,
            coin=coin,
            chain=chain.name,
            amount=amount(call, "amount"),
            address=required(call, "address"),
            tag="",
            fee_on_top=True,
        ),
    )
    return _withdrawn(done)


def get_withdrawals(call: Call) -> Json:
    """Return withdrawals in a currency, newest first."""
    coin = currency(call)
    rows = [
        w
        for w in reversed(call.exchange.ledger.withdrawals.by("user", call.user))
        if w.coin == coin
    ]
    return {"count": len(rows), "data": [_withdrawn(w) for w in page(call, rows, 10)]}


def get_deposits(call: Call) -> Json:
    """Return deposits in a currency, newest first."""
    coin = currency(call)
    rows = [
        d for d in reversed(call.exchange.ledger.deposits.by("user", call.user)) if d.coin == coin
    ]
    return {"count": len(rows), "data": [_deposited(d) for d in page(call, rows, 10)]}


def move_positions(call: Call) -> Json:
    """Move positions of one currency between two accounts of the caller, free of charge."""
    main_only(call)
    source, target = member(call, "source_uid").id, member(call, "target_uid").id
    if source == target:
        raise RpcError(12100, "transfer_not_allowed")
    legs = [_leg(call, source, wanted) for wanted in _wanted(call)]
    if len({instrument.settle for instrument, *_ in legs}) > 1:
        raise invalid("positions of more than one currency", "trades")
    _check_pace(call)
    for instrument, side, quantity, price in legs:
        other: Side = "sell" if side == "buy" else "buy"
        margin.admit(call.exchange, Intent(target, instrument, side, quantity, price, False))
        turns: tuple[tuple[str, Side], ...] = ((source, other), (target, side))
        for user, turn in turns:
            block = matching.Block(user, instrument, turn, quantity, price, "")
            matching.move_position(call.exchange, block)
    seq = call.exchange.ledger.next("move")
    call.exchange.ledger.moves.put(
        PositionMove(
            id=f"deribit-{seq}",
            client_id="",
            from_user=source,
            to_user=target,
            legs=tuple((i.id, side, quantity, price) for i, side, quantity, price in legs),
            seq=seq,
            time_ms=call.now_ms,
        )
    )
    return [
        {
            "source_uid": uid(source),
            "target_uid": uid(target),
            "instrument_name": instrument.symbol,
            "direction": "sell" if side == "buy" else "buy",
            "price": number(price),
            "amount": number(quantity * instrument.contract_size),
        }
        for instrument, side, quantity, price in legs
    ]


def _wanted(call: Call) -> list[dict[str, Any]]:
    try:
        rows = json.loads(required(call, "trades"), parse_float=str)
    except ValueError as error:
        raise invalid("wrong format", "trades") from error
    if not isinstance(rows, list) or not rows or not all(isinstance(r, dict) for r in rows):
        raise invalid("wrong format", "trades")
    return rows


def _leg(call: Call, source: str, wanted: dict[str, Any]) -> Leg:
    """Read one trade; the side is what the target does."""
    instrument = named(call.exchange, str(wanted.get("instrument_name", "")))
    held = call.exchange.ledger.position(source, instrument.id)
    try:
        quantity = contracts(instrument, Decimal(str(wanted.get("amount"))))
        asked = wanted.get("price")
        price = None if asked is None else Decimal(str(asked))
    except ArithmeticError as error:
        raise invalid("wrong format", "trades") from error
    if held is None or not 0 < quantity <= abs(held.quantity):
        raise invalid("amount exceeds position", "trades")
    if not on_step(quantity, instrument.lot):
        raise Refused(Refusal.LOT, quantity=quantity, lot=instrument.lot)
    side: Side = "buy" if held.quantity > 0 else "sell"
    return instrument, side, quantity, held.entry if price is None else price


def _check_pace(call: Call) -> None:
    """Refuse with 13780 and the seconds to wait above six a minute or a hundred a week."""
    root = call.user
    times = sorted(
        m.time_ms
        for m in call.exchange.ledger.moves
        if m.from_user.startswith("deribit:")
        and call.exchange.ledger.users[m.from_user].root == root
    )
    for most, window_ms in ((MOVES_A_MINUTE, MINUTE_MS), (MOVES_A_WEEK, WEEK_MS)):
        inside = [t for t in times if t > call.now_ms - window_ms]
        if len(inside) >= most:
            wait_s = (inside[-most] + window_ms - call.now_ms) // 1000 + 1
            raise RpcError(13780, "move_positions_over_limit", wait=wait_s)


def _nonce(call: Call) -> str:
    nonce = call.text("nonce")
    if nonce and len(nonce) not in NONCE:
        raise invalid("8 to 128 characters", "nonce")
    return nonce


def _transfer(call: Call, source: str, target: str) -> Json:
    nonce = _nonce(call)
    key = f"{call.exchange.ledger.users[source].root}|{nonce}" if nonce else ""
    known = call.exchange.ledger.transfers.by("client", ("deribit", ROUTE, key)) if key else []
    if known:
        return _transferred(call, known[0], source)
    if source == target:
        raise RpcError(12100, "transfer_not_allowed")
    moved = amount(call, "amount")
    if moved <= 0:
        raise invalid("must be positive", "amount")
    done = funds.transfer(
        call.exchange,
        funds.NewTransfer(
            id=str(call.exchange.ledger.next("deribit.transfer", 9001)),
            client_id=key,
            by=call.user,
            route=ROUTE,
            coin=currency(call),
            amount=moved,
            source=funds.Purse(source, WALLET),
            target=funds.Purse(target, WALLET),
        ),
    )
    return _transferred(call, done, source)


def _transferred(call: Call, done: Transfer, viewer: str) -> Json:
    paying = viewer == done.from_user
    other = call.exchange.ledger.users[done.to_user if paying else done.from_user]
    shown: dict[str, Json] = {
        "id": int(done.id),
        "type": "subaccount",
        "state": STATES[done.status],
        "direction": "payment" if paying else "income",
        "currency": done.coin,
        "amount": number(done.amount),
        "other_side": other.name,
        "created_timestamp": done.time_ms,
        "updated_timestamp": done.time_ms if done.status == "pending" else done.due_ms,
    }
    if done.client_id:
        shown["nonce"] = done.client_id.partition("|")[2]
    return shown


def _withdrawn(done: Withdrawal) -> Json:
    over = done.left
    shown: dict[str, Json] = {
        "id": int(done.id.partition("-")[2]),
        "currency": done.coin,
        "amount": number(done.amount),
        "fee": number(done.fee),
        "address": done.address,
        "priority": number(Decimal(1)),
        "state": "completed" if over else "confirmed",
        "transaction_id": done.txid if over else None,
        "created_timestamp": done.time_ms,
        "confirmed_timestamp": done.time_ms,
        "updated_timestamp": done.due_ms if over else done.time_ms,
    }
    if done.client_id:
        shown["nonce"] = done.client_id
    return shown


def _deposited(done: Deposit) -> Json:
    return {
        "currency": done.coin,
        "amount": number(done.amount),
        "address": done.address,
        "state": "completed",
        "transaction_id": done.txid,
        "received_timestamp": done.time_ms,
        "updated_timestamp": done.time_ms,
    }


_AUTH = "bad key or signature 13009, scope missing 13021, too many requests 10028"
_MOVE = (
    "the same nonce again: the first one", "nonce too short: -32602", "balance short: 10009",
    "not positive: -32602", "a stranger, or to itself: 12100", _AUTH,
)  # fmt: skip
ENDPOINTS = (
    row("private/submit_transfer_between_subaccounts", submit_transfer_between_subaccounts,
        "wallet/private-submit_transfer_between_subaccounts",
        "a sub-account names another source: 13012", *_MOVE, needs="wallet:read_write"),
    row("private/submit_transfer_to_subaccount", submit_transfer_to_subaccount,
        "wallet/private-submit_transfer_to_subaccount", "a sub-account asks: 13012", *_MOVE,
        needs="wallet:read_write"),
    row("private/get_transfers", get_transfers, "wallet/private-get_transfers",
        "count and offset", _AUTH, needs="wallet:read_write"),
    row("private/withdraw", withdraw, "wallet/private-withdraw",
        "the same nonce again: the first one", "unknown address: 11090", "balance short: 10009",
        "a sub-account asks: 13012", _AUTH, needs="wallet:read_write"),
    row("private/get_withdrawals", get_withdrawals, "wallet/private-get_withdrawals",
        "count and offset", _AUTH, needs="wallet:read_write"),
    row("private/get_deposits", get_deposits, "wallet/private-get_deposits",
        "count and offset", _AUTH, needs="wallet:read_write"),
    row("private/move_positions", move_positions, "trading/private-move_positions",
        "a sub-account asks: 13012", "more than is held, two currencies: -32602",
        "a stranger, or to itself: 12100", "margin short: 10009", "off its step: 10021",
        "more than six a minute or a hundred a week: 13780", _AUTH,
        needs="trade:read_write", engine=True),
)  # fmt: skip
