"""Deribit v2: transfers, withdrawals and moved positions, sent and looked up.

Sources: docs.deribit.com/api-reference, wallet/private-submit_transfer_between_subaccounts,
private-get_transfers, private-withdraw, private-get_withdrawals, private-get_deposits,
trading/private-move_positions, account-management/private-get_transaction_log;
articles/moving-positions-api (free of charge, one currency a call, six a minute, a hundred in 168
hours, equity stays behind; an internal error says nothing of what was moved).

A `nonce` makes transfers and withdrawals idempotent: it is our client id. A moved position has
none and its answer no id; what became of one without an answer is read from the sender's log.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

from allocator.adapters.ccxt.answers import rows
from allocator.adapters.ccxt.deposits import deposit_by
from allocator.adapters.ccxt.deribit_reads import (
    continued,
    contracts,
    counted,
    currency_of,
    result,
    units,
    written,
)
from allocator.adapters.ccxt.dialect import Deposit, Trace, Withdrawal
from allocator.adapters.ccxt.failures import NotSentError, RefusalError, UnansweredError
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.ccxt.withdrawing import only_one
from allocator.models.base import ZERO, plain
from allocator.models.config import AddressConfig
from allocator.models.errors import VenueError
from allocator.models.intents import Found, FoundState, MoveIntent, TransferIntent

SIGNATURE_HOLDS_S, WINDOW_S = 60, 5
TRANSFER_STATES: dict[str, FoundState] = {
    "prepared": "in_transit",
    "waiting_for_admin": "in_transit",
    "confirmed": "settled",
}
"""Every other word is the reason of a refusal."""

FAILED_WITHDRAWALS = frozenset({"cancelled", "interrupted", "rejected"})
MOVED, LOGGED = "moved:", "log:"
"""Names of a move that only its answer tells of, and of one whose entry in the log is known."""

AHEAD_MS = 1000
"""How far beyond now a log is read: clocks differ."""


def refused_after(intent: TransferIntent | MoveIntent) -> Any:
    """Date a request so that the venue refuses it five seconds after its stamp.

    The venue refuses a signature 60 s after the time it names and takes no other limit for these
    actions, so the time named is 55 s before the stamp.
    """
    if intent.stamped_at is None:
        return None
    return intent.stamped_at - timedelta(seconds=SIGNATURE_HOLDS_S - WINDOW_S)


async def send_transfer(source: Place, target: Place, intent: TransferIntent) -> str:
    """Send between two accounts of one main account, signed by it, under our nonce."""
    body: JsonObject = {
        "currency": intent.asset,
        "amount": plain(intent.amount),
        "destination": target.member,
        "nonce": intent.client_id,
    }
    if source.login is not source.master:
        body["source"] = source.member
    reply = await source.master.call(
        "private_get_submit_transfer_between_subaccounts", body, refused_after(intent)
    )
    found = result(reply)
    state = text(found, "state")
    if state not in TRANSFER_STATES:
        raise RefusalError(state, "the transfer was turned down")
    return text(found, "id")


async def find_transfer(source: Place, intent: TransferIntent, trace: Trace) -> Found | None:
    """Look a transfer up among those of its sender, by the nonce that its record keeps."""
    found = await counted(source.login, "private_get_get_transfers", {"currency": intent.asset})
    same = [
        row
        for row in found
        if row.get("nonce") == intent.client_id
        or (trace.venue_id is not None and str(row.get("id")) == trace.venue_id)
    ]
    if not same:
        return None
    row = same[0]
    state = TRANSFER_STATES.get(text(row, "state"), "returned")
    return Found(
        venue_id=text(row, "id"),
        state=state,
        filled=(number(text(row, "amount")) or ZERO) if state == "settled" else ZERO,
        venue_time=moment(text(row, "updated_timestamp")),
    )


async def send_withdrawal(source: Place, address: AddressConfig, intent: TransferIntent) -> str:
    """Withdraw to an address of the address book; a memo is registered there with it."""
    body: JsonObject = {
        "currency": intent.asset,
        "address": address.address,
        "amount": plain(intent.amount),
        "nonce": intent.client_id,
    }
    reply = await source.login.call("private_get_withdraw", body, refused_after(intent))
    return text(result(reply), "id")


async def find_withdrawal(source: Place, intent: TransferIntent, trace: Trace) -> Withdrawal | None:
    """Look a withdrawal up by the nonce that its record keeps."""
    found = await counted(source.login, "private_get_get_withdrawals", {"currency": intent.asset})
    same = [
        row
        for row in found
        if row.get("nonce") == intent.client_id
        or (trace.venue_id is not None and str(row.get("id")) == trace.venue_id)
    ]
    row = only_one(same, "nonce")
    if row is None:
        return None
    return Withdrawal(
        venue_id=text(row, "id"),
        asset=text(row, "currency"),
        amount=number(text(row, "amount")) or ZERO,
        address=str(row.get("address") or ""),
        failed=text(row, "state") in FAILED_WITHDRAWALS,
        txid=str(row.get("transaction_id") or "") or None,
        fee=number(row.get("fee")) or ZERO,
        at=moment(text(row, "updated_timestamp")),
    )


async def deposits(target: Place, asset: str, txid: str) -> list[Deposit]:
    """List what of a transaction was credited."""
    found = await counted(target.login, "private_get_get_deposits", {"currency": asset})
    return [
        deposit_by(row)
        for row in found
        if row.get("transaction_id") == txid and row.get("state") == "completed"
    ]


async def send_move(source: Place, target: Place, intent: MoveIntent) -> str:
    """Move a position at a price, signed by the main account; the answer lists what moved."""
    market = source.market(intent.instrument)
    if market["spot"]:
        raise NotSentError(f"{intent.instrument} is no position")
    amount = units(market, intent.quantity)
    leg = {
        "instrument_name": str(market["id"]),
        "price": plain(intent.price),
        "amount": plain(amount),
    }
    body = {
        "currency": currency_of(market),
        "source_uid": source.member,
        "target_uid": target.member,
        "trades": written([leg]),
    }
    reply = await source.master.call("private_get_move_positions", body, refused_after(intent))
    found = result(reply)
    moved = rows(found, "trades") if isinstance(found, dict) else rows(found)
    same = [
        row
        for row in moved
        if row.get("instrument_name") == market["id"] and number(row.get("amount")) == amount
    ]
    if len(same) != 1:
        raise UnansweredError("the answer does not list what was to be moved")
    return f"{MOVED}{intent.client_id}"


async def find_move(source: Place, intent: MoveIntent, trace: Trace) -> Found | None:
    """Tell that an acknowledged move is done, or look for it in the sender's log.

    The acknowledgement lists what moved; its entry is looked for to be told from an equal one's.

    Raises
    ------
    VenueError
        When two entries look the same, one of an order does, which may be a trade, or what was
        found once is gone.
    """
    known = trace.venue_id or ""
    if not known.startswith(MOVED):
        return await _find_logged(source, intent, trace)
    with contextlib.suppress(VenueError):
        found = None if trace.rivals else await _find_logged(source, intent, trace)
        if found is not None:
            return found
    return _found_move(intent, None)


async def _find_logged(source: Place, intent: MoveIntent, trace: Trace) -> Found | None:
    like = await _logged(source, intent, trace)
    mine = [row for row in like if _name_of(row) == trace.venue_id]
    if not mine and (trace.venue_id or "").startswith(LOGGED):
        raise VenueError(f"{trace.venue_id} was found before and is not there")
    same = mine or [row for row in like if _name_of(row) not in trace.taken]
    if len(same) > 1 or any(row.get("order_id") for row in same):
        raise VenueError("a trade looks the same as the move")
    return _found_move(intent, same[0]) if same else None


async def _logged(source: Place, intent: MoveIntent, trace: Trace) -> list[JsonObject]:
    """List what stands in the sender's log as the move would, its price to the digit."""
    market = source.market(intent.instrument)
    side = "sell" if intent.side == "buy" else "buy"
    found = await continued(
        source.master,
        "private_get_get_transaction_log",
        {
            "currency": currency_of(market),
            "start_timestamp": trace.since_ms,
            "end_timestamp": int(source.master.client.nonce()) + AHEAD_MS,
            "subaccount_id": source.member,
            "count": 250,
        },
        "logs",
    )
    return [
        row
        for row in found
        if row.get("instrument_name") == market["id"]
        and str(row.get("side") or "").endswith(side)
        and contracts(market, number(row.get("amount")) or ZERO) == intent.quantity
        and number(row.get("price")) == intent.price
    ]


def _name_of(row: JsonObject) -> str:
    return f"{LOGGED}{text(row, 'id')}"


def _found_move(intent: MoveIntent, row: JsonObject | None) -> Found:
    return Found(
        venue_id=f"{MOVED}{intent.client_id}" if row is None else _name_of(row),
        state="settled",
        filled=intent.quantity,
        average_price=intent.price,
        venue_time=None if row is None else moment(text(row, "timestamp")),
    )
