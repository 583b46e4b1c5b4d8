"""Transfers between a user's own wallets, and between the accounts of one owner.

Own transfers bear no key of the client's: a repeat is a second transfer. Universal transfers are
the main account's, one side is always a spot wallet, `clientTranId` must never repeat. Pages: User
Universal Transfer, Query User Universal Transfer History (wallet); Query Sub-account List,
Universal Transfer, Query Universal Transfer History (sub-account).
"""

from allocator.adapters.emulator import funds
from allocator.adapters.emulator.binance.margin import COINS
from allocator.adapters.emulator.binance.words import (
    COINM,
    DAY_MS,
    FUNDING,
    SPOT,
    USDM,
    VENUE,
    amount,
    error,
    required,
    user_of,
    whole,
)
from allocator.adapters.emulator.records import Transfer, User
from allocator.adapters.emulator.wire import Call, Json, plain

FIRST_TRANSFER = 43_000_126_248
WALLETS = {"MAIN": SPOT, "UMFUTURE": USDM, "CMFUTURE": COINM, "FUNDING": FUNDING}
KINDS = {
    f"{source}_{target}": (WALLETS[source], WALLETS[target])
    for source in WALLETS
    for target in WALLETS
    if source != target and {source, target} != {"UMFUTURE", "CMFUTURE"}
}
ACCOUNTS = {"SPOT": SPOT, "USDT_FUTURE": USDM, "COIN_FUTURE": COINM}
ACCOUNT_WORDS = {wallet: word for word, wallet in ACCOUNTS.items()}
UNIVERSAL = "universal"
STATUS = {"pending": "PROCESS", "done": "SUCCESS", "failed": "FAILURE"}
OWN_STATUS = {"pending": "PENDING", "done": "CONFIRMED", "failed": "FAILED"}


def own(call: Call) -> Json:
    """Move coins between the user's own wallets."""
    kind = required(call, "type")
    wallets = KINDS.get(kind)
    if wallets is None:
        raise error(-1102, "Mandatory parameter 'type' was not sent, was empty/null, or malformed.")
    source, target = (funds.Purse(call.user, wallet) for wallet in wallets)
    row = _move(call, kind, "", source, target)
    return {"tranId": int(row.id)}


def own_history(call: Call) -> Json:
    """Return own transfers of one type, newest first."""
    kind = required(call, "type")
    start_ms = whole(call, "startTime", call.now_ms - 7 * DAY_MS)
    end_ms = whole(call, "endTime", call.now_ms)
    rows = [
        row
        for row in call.exchange.ledger.transfers.by("venue", VENUE)
        if (row.by, row.route) == (call.user, kind) and start_ms <= row.time_ms <= end_ms
    ][::-1]
    size, page = whole(call, "size", 10, 100), max(1, whole(call, "current", 1))
    return {
        "total": len(rows),
        "rows": [
            {
                "asset": row.coin,
                "amount": plain(row.amount),
                "type": row.route,
                "status": OWN_STATUS[row.status],
                "tranId": int(row.id),
                "timestamp": row.time_ms,
            }
            for row in rows[(page - 1) * size : page * size]
        ],
    }


def sub_accounts(call: Call) -> Json:
    """Return the sub-accounts of the main account that asks."""
    main = _main(call)
    rows = [u for u in call.exchange.ledger.users.by("venue", VENUE) if u.parent == main.id]
    rows = [u for u in rows if call.text("email") in {"", u.email}]
    size, page = whole(call, "limit", 1, 200), max(1, whole(call, "page", 1))
    return {
        "subAccounts": [
            {
                "subUserId": int(row.uid),
                "email": row.email,
                "remark": row.name,
                "isFreeze": False,
                "createTime": 1_544_433_328_000,
                "isManagedSubAccount": False,
                "isAssetManagementSubAccount": False,
            }
            for row in rows[(page - 1) * size : page * size]
        ]
    }


def universal(call: Call) -> Json:
    """Move coins between accounts; one side at least names a sub-account's email."""
    main = _main(call)
    if not call.text("fromEmail") and not call.text("toEmail"):
        raise error(-1102, "Param 'fromEmail' or 'toEmail' must be sent, but both were empty/null!")
    source = funds.Purse(_member(call, main, "fromEmail").id, _account(call, "fromAccountType"))
    target = funds.Purse(_member(call, main, "toEmail").id, _account(call, "toAccountType"))
    if SPOT not in {source.wallet, target.wallet}:
        raise error(-5010, "Asset transfer fail.")
    client_id = call.text("clientTranId")
    row = _move(call, UNIVERSAL, client_id, source, target)
    reply: dict[str, Json] = {"tranId": int(row.id)}
    if client_id:
        reply["clientTranId"] = client_id
    return reply


def universal_history(call: Call) -> Json:
    """Return universal transfers, newest first.

    From the main account's email unless one is named; the last thirty days unless timed.
    """
    main = _main(call)
    if call.text("fromEmail") and call.text("toEmail"):
        raise error(-1128, "Combination of optional parameters invalid.")
    start_ms = whole(call, "startTime", call.now_ms - 30 * DAY_MS)
    end_ms = whole(call, "endTime", call.now_ms)
    rows = [
        row
        for row in call.exchange.ledger.transfers.by("venue", VENUE)
        if row.route == UNIVERSAL
        and row.by == main.id
        and _asked(call, row, main)
        and call.text("clientTranId") in {"", row.client_id}
        and start_ms <= row.time_ms <= end_ms
    ][::-1]
    size, page = whole(call, "limit", 500, 500), max(1, whole(call, "page", 1))
    shown: list[Json] = [_shown(call, row) for row in rows[(page - 1) * size : page * size]]
    return {"result": shown, "totalCount": len(rows)}


def _asked(call: Call, row: Transfer, main: User) -> bool:
    if call.text("toEmail"):
        return row.to_user == _member(call, main, "toEmail").id
    return row.from_user == _member(call, main, "fromEmail").id


def _shown(call: Call, row: Transfer) -> Json:
    users = call.exchange.ledger.users
    return {
        "tranId": int(row.id),
        "fromEmail": users[row.from_user].email,
        "toEmail": users[row.to_user].email,
        "asset": row.coin,
        "amount": plain(row.amount),
        "createTimeStamp": row.time_ms,
        "fromAccountType": ACCOUNT_WORDS[row.from_wallet],
        "toAccountType": ACCOUNT_WORDS[row.to_wallet],
        "status": STATUS[row.status],
        "clientTranId": row.client_id,
    }


def _main(call: Call) -> User:
    user = user_of(call)
    if user.parent is not None:
        raise error(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return user


def _member(call: Call, main: User, name: str) -> User:
    email = call.text(name)
    if not email:
        return main
    for user in call.exchange.ledger.users.by("venue", VENUE):
        if user.email == email and user.root == main.id:
            return user
    raise error(-5021, "This parent sub have no relation")


def _account(call: Call, name: str) -> str:
    wallet = ACCOUNTS.get(required(call, name))
    if wallet is None:
        raise error(
            -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        )
    return wallet


def _move(
    call: Call, route: str, client_id: str, source: funds.Purse, target: funds.Purse
) -> Transfer:
    coin = required(call, "asset")
    for purse in (source, target):
        if coin not in COINS.get(purse.wallet, (coin,)):
            raise error(-5009, "Product does not exist.")
    number = call.exchange.ledger.next("binance.transfer", FIRST_TRANSFER)
    return funds.transfer(
        call.exchange,
        funds.NewTransfer(
            id=str(number),
            client_id=client_id,
            by=call.user,
            route=route,
            coin=coin,
            amount=amount(call, "amount"),
            source=source,
            target=target,
        ),
    )
