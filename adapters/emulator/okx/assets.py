"""The funding account: balances, networks, transfers between accounts and members.

Sources: the venue's pages "Get balance" (funding), "Get currencies", "Funds transfer", "Get funds
transfer state", "Get sub-account list", "Set permission of transfer out".
"""

import re

from allocator.adapters.emulator import funds
from allocator.adapters.emulator.errors import VenueError
from allocator.adapters.emulator.exchange import Chain
from allocator.adapters.emulator.market import EIGHT, on_step
from allocator.adapters.emulator.okx import margin
from allocator.adapters.emulator.okx.account import KEY, RIGHT
from allocator.adapters.emulator.okx.host import CURRENCY, TRADE, USER, row
from allocator.adapters.emulator.okx.words import (
    amount,
    change,
    member,
    new_id,
    page,
    required,
    setting,
    user_of,
    wrong,
)
from allocator.adapters.emulator.records import Transfer, User
from allocator.adapters.emulator.wire import Call, Json, plain

WALLETS = (margin.FUNDING, margin.TRADING)
CLIENT_ID = re.compile(r"[0-9A-Za-z]{1,32}")
STATES = {"done": "success", "pending": "pending", "failed": "failed"}
WITHIN, TO_MEMBER, FROM_MEMBER, TO_MASTER, BETWEEN = "0", "1", "2", "3", "4"
ROUTE = "transfer"


def balances(call: Call) -> Json:
    """Return the funding account's currencies above zero."""
    wanted = [name for name in call.text("ccy").split(",") if name]
    return [
        {
            "availBal": plain(held.amount),
            "bal": plain(held.amount),
            "ccy": held.coin,
            "frozenBal": "0",
        }
        for held in call.exchange.ledger.balances.by("wallet", (call.user, margin.FUNDING))
        if held.amount > 0 and (not wanted or held.coin in wanted)
    ]


def currencies(call: Call) -> Json:
    """Return every network of every currency, with what a withdrawal over it costs."""
    wanted = [name for name in call.text("ccy").split(",") if name]
    return [
        _chain(chain)
        for chain in call.exchange.world.chains
        if chain.venue == "okx" and (not wanted or chain.coin in wanted)
    ]


def transfer(call: Call) -> Json:
    """Move coins between the accounts of the caller, or between members of one master."""
    kind = call.text("type", WITHIN)
    client_id = client_id_of(call)
    source_wallet, target_wallet = _wallet(call, "from"), _wallet(call, "to")
    source, target = _ends(call, kind)
    if source == target and source_wallet == target_wallet:
        raise VenueError(58123, "The From parameter cannot be the same as the To parameter.")
    moved = amount(call, "amt")
    if moved > 0 and not on_step(moved, EIGHT):
        raise wrong("amt")
    _check_pending(call, client_id)
    done = funds.transfer(
        call.exchange,
        funds.NewTransfer(
            id=new_id(call.exchange, "transfer"),
            client_id=client_id and f"{call.user}|{client_id}",
            by=call.user,
            route=ROUTE,
            coin=required(call, "ccy"),
            amount=moved,
            source=funds.Purse(source, source_wallet),
            target=funds.Purse(target, target_wallet),
        ),
    )
    return [
        {
            "transId": done.id,
            "ccy": done.coin,
            "clientId": client_id,
            "from": source_wallet,
            "amt": plain(done.amount),
            "to": target_wallet,
        }
    ]


def transfer_state(call: Call) -> Json:
    """Return a transfer by either id, of the type it was asked for under."""
    trans_id, client_id = call.text("transId"), call.text("clientId")
    if not trans_id and not client_id:
        raise VenueError(50015, "Either parameter transId or clientId is required", status=400)
    kind = call.text("type", WITHIN)
    ledger = call.exchange.ledger
    found = ledger.transfers.get(f"okx|{trans_id}") if trans_id else None
    if not trans_id:
        rows = ledger.transfers.by("client", ("okx", ROUTE, f"{call.user}|{client_id}"))
        found = rows[-1] if rows else None
    if found is None or found.by != call.user or _kind(call, found) != kind:
        name = "transId" if trans_id else "clientId"
        raise VenueError(58129, f"{name} is incorrect or {name} does not match with 'type'")
    return [_state(call, found, kind)]


def members(call: Call) -> Json:
    """Return the sub-accounts of a main account."""
    _master(call)
    rows = [
        user
        for user in call.exchange.ledger.users.by("venue", "okx")
        if user.parent == call.user and call.text("subAcct", user.name) == user.name
    ]
    return [
        {
            "canTransOut": bool(setting(call.exchange, user.id, "may_send")),
            "enable": True,
            "firstLvSubAcct": user.name,
            "frozenFunc": [],
            "gAuth": False,
            "ifDma": False,
            "label": user.name,
            "mobile": "",
            "subAcct": user.name,
            "subAcctLv": "1",
            "ts": "1659334756000",
            "type": "1",
            "uid": user_of(user.id),
        }
        for user in page(call, rows, lambda _: 1_659_334_756_000)
    ]


def set_transfer_out(call: Call) -> Json:
    """Let members send to other members, or not."""
    _master(call)
    may = call.text("canTransOut", "true") == "true"
    names = required(call, "subAcct").split(",")
    for name in names:
        change(call.exchange, member(call, name).id, "may_send", int(may))
    return [{"subAcct": name, "canTransOut": may} for name in names]


def client_id_of(call: Call) -> str:
    """Return the client's id of a transfer or withdrawal; 51000 outside its charset."""
    client_id = call.text("clientId")
    if client_id and not CLIENT_ID.fullmatch(client_id):
        raise wrong("clientId")
    return client_id


def _master(call: Call) -> None:
    if call.exchange.ledger.users[call.user].parent is not None:
        raise VenueError(59500, "Only the API key of the main account has permission.")


def _wallet(call: Call, name: str) -> str:
    word = required(call, name)
    if word not in WALLETS:
        raise wrong(name)
    return word


def _ends(call: Call, kind: str) -> tuple[str, str]:
    """Return whose coins go to whom, as the type and the key's account say."""
    me = call.exchange.ledger.users[call.user]
    if kind == WITHIN:
        return me.id, me.id
    if me.parent is None:
        if kind not in {TO_MEMBER, FROM_MEMBER}:
            raise VenueError(
                58127, "Main account API key does not support current transfer 'type' parameter."
            )
        other = member(call, required(call, "subAcct"))
        return (me.id, other.id) if kind == TO_MEMBER else (other.id, me.id)
    if kind not in {TO_MASTER, BETWEEN}:
        raise VenueError(
            58128, "Sub-account API key does not support current transfer 'type' parameter."
        )
    return me.id, me.parent if kind == TO_MASTER else _sibling(call, me)


def _sibling(call: Call, me: User) -> str:
    other = member(call, required(call, "subAcct"))
    if not setting(call.exchange, me.id, "may_send"):
        raise VenueError(
            58119, f"{me.name} Sub-account has no permission to transfer out, please set first."
        )
    return other.id


def _check_pending(call: Call, client_id: str) -> None:
    """Tell of a transfer under the same client id that is still under way: 58124."""
    key = ("okx", ROUTE, f"{call.user}|{client_id}")
    rows = call.exchange.ledger.transfers.by("client", key) if client_id else []
    if rows and rows[-1].status == "pending":
        raise VenueError(58124, f"Your transfer is being processed, transfer id:{rows[-1].id}.")


def _kind(call: Call, done: Transfer) -> str:
    users = call.exchange.ledger.users
    if done.from_user == done.to_user:
        return WITHIN
    if users[done.by].parent is None:
        return TO_MEMBER if done.from_user == done.by else FROM_MEMBER
    return TO_MASTER if users[done.to_user].parent is None else BETWEEN


def _state(call: Call, done: Transfer, kind: str) -> Json:
    users = call.exchange.ledger.users
    other = done.from_user if kind == FROM_MEMBER else done.to_user
    return {
        "amt": plain(done.amount),
        "ccy": done.coin,
        "clientId": done.client_id.partition("|")[2],
        "from": done.from_wallet,
        "instId": "",
        "state": STATES[done.status],
        "subAcct": users[other].name if kind in {TO_MEMBER, FROM_MEMBER, BETWEEN} else "",
        "to": done.to_wallet,
        "toInstId": "",
        "transId": done.id,
        "type": kind,
    }


def _chain(chain: Chain) -> Json:
    fee = plain(chain.withdraw_fee)
    return {
        "burningFeeRate": "",
        "canDep": True,
        "canInternal": True,
        "canWd": True,
        "ccy": chain.coin,
        "chain": chain.name,
        "ctAddr": "",
        "depEstOpenTime": "",
        "depQuotaFixed": "",
        "depQuoteDailyLayer2": "",
        "fee": fee,
        "logoLink": "",
        "mainNet": chain.network == chain.coin,
        "maxFee": fee,
        "maxFeeForCtAddr": "",
        "maxWd": "1000000",
        "minDep": plain(chain.deposit_min),
        "minDepArrivalConfirm": str(chain.confirmations),
        "minFee": fee,
        "minFeeForCtAddr": "",
        "minInternal": plain(chain.deposit_min),
        "minWd": plain(chain.withdraw_min),
        "minWdUnlockConfirm": str(chain.confirmations),
        "name": chain.coin,
        "needTag": False,
        "usedDepQuotaFixed": "",
        "usedWdQuota": "0",
        "wdEstOpenTime": "",
        "wdQuota": "10000000",
        "wdTickSz": str(chain.decimals),
    }


ENDPOINTS = (
    row("GET asset/balances", balances, "funding-account-rest-api-get-balance", *KEY,
        limit="6/1s user"),
    row("GET asset/currencies", currencies, "funding-account-rest-api-get-currencies", *KEY,
        limit="6/1s user"),
    row("POST asset/transfer", transfer, "funding-account-rest-api-funds-transfer",
        "balance short: 58116", "client id used: 50071, under way: 58124", "unknown member: 58115",
        "same account twice: 58123", "member to member without the right: 58119",
        "type of a master's key: 58127, of a member's: 58128", "not positive: 58114",
        "wallet, amount or client id wrong: 51000", RIGHT, *KEY,
        limit=f"2/1s {USER} {CURRENCY}", needs=TRADE),
    row("GET asset/transfer-state", transfer_state,
        "funding-account-rest-api-get-funds-transfer-state", "by transId or clientId",
        "neither: 50015", "unknown, or of another type: 58129", *KEY, limit="10/1s user"),
    row("GET users/subaccount/list", members, "sub-account-rest-api-get-sub-account-list",
        "a member asks: 59500", *KEY, limit="20/2s user"),
    row("POST users/subaccount/set-transfer-out", set_transfer_out,
        "sub-account-rest-api-set-permission-of-transfer-out", "a member asks: 59500",
        "unknown member: 58115", RIGHT, *KEY, limit="1/1s user", needs=TRADE),
)  # fmt: skip
