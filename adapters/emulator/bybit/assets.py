"""Coins: networks, balances by account, transfers, deposits, withdrawals."""

import re
import uuid

from allocator.adapters.emulator import funds
from allocator.adapters.emulator.bybit import margin
from allocator.adapters.emulator.bybit.host import row
from allocator.adapters.emulator.bybit.words import (
    amount,
    between,
    page,
    required,
    uid,
    user_id,
)
from allocator.adapters.emulator.errors import VenueError
from allocator.adapters.emulator.exchange import Chain
from allocator.adapters.emulator.market import EIGHT, on_step
from allocator.adapters.emulator.records import Deposit, Transfer, Withdrawal
from allocator.adapters.emulator.wire import Call, Json, plain

WALLETS = (margin.UNIFIED, margin.FUND)
INTER, UNIVERSAL = "inter-transfer", "universal-transfer"
STATUS = {"done": "SUCCESS", "pending": "PENDING", "failed": "FAILED"}
REQUEST_ID = re.compile(r"[0-9a-z]{1,32}")


def coin_info(call: Call) -> Json:
    """Return coins and the networks they travel on."""
    coins: dict[str, list[Chain]] = {}
    for chain in call.exchange.world.chains:
        if chain.venue == "bybit" and call.text("coin", chain.coin) == chain.coin:
            coins.setdefault(chain.coin, []).append(chain)
    rows: list[Json] = [
        {
            "name": coin,
            "coin": coin,
            "remainAmount": "10000000",
            "chains": [_chain(chain) for chain in chains],
        }
        for coin, chains in coins.items()
    ]
    return {"rows": rows}


def coins_balance(call: Call) -> Json:
    """Return the coins of one account type, of the caller or (main only) of a sub-account."""
    wallet = _wallet(call, "accountType")
    user = _member(call)
    wanted = [coin for coin in call.text("coin").split(",") if coin]
    held = {b.coin for b in call.exchange.ledger.balances.by("wallet", (user, wallet))}
    rows: list[Json] = [_balance(call, user, wallet, coin) for coin in wanted or sorted(held)]
    return {"memberId": uid(user), "accountType": wallet, "balance": rows}


def coin_balance(call: Call) -> Json:
    """Return one coin of one account type."""
    wallet = _wallet(call, "accountType")
    user = _member(call)
    balance = {
        **_balance(call, user, wallet, required(call, "coin")),
        "transferSafeAmount": "",
        "ltvTransferSafeAmount": "",
    }
    return {
        "accountType": wallet,
        "bizType": 1,
        "accountId": uid(user),
        "memberId": uid(user),
        "balance": balance,
    }


def inter_transfer(call: Call) -> Json:
    """Move coins between the caller's own accounts; `transferId` is the idempotency key."""
    source, target = _wallet(call, "fromAccountType"), _wallet(call, "toAccountType")
    if source == target:
        raise VenueError(131211, "fromAccountType can't be the same as toAccountType")
    return _transfer(call, INTER, funds.Purse(call.user, source), funds.Purse(call.user, target))


def universal_transfer(call: Call) -> Json:
    """Move coins between members of one owner; a sub-account's key only to the main account."""
    source = funds.Purse(user_id(required(call, "fromMemberId")), _wallet(call, "fromAccountType"))
    target = funds.Purse(user_id(required(call, "toMemberId")), _wallet(call, "toAccountType"))
    user = call.exchange.ledger.users[call.user]
    if user.parent is not None and (source.user, target.user) != (user.id, user.parent):
        raise VenueError(131208, "forbid transfer")
    if source == target:
        raise VenueError(131211, "fromAccountType can't be the same as toAccountType")
    return _transfer(call, UNIVERSAL, source, target)


def inter_list(call: Call) -> Json:
    """Return the caller's own transfers, newest first."""
    rows = [t for t in _transfers(call, INTER) if t.by == call.user]
    chosen, cursor = page(call, rows, 20, 50)
    done: list[Json] = [_transferred(t) for t in chosen]
    return {"list": done, "nextPageCursor": cursor}


def universal_list(call: Call) -> Json:
    """Return transfers between members that the caller took part in, newest first."""
    root = call.exchange.ledger.users[call.user].root
    rows = [
        t
        for t in _transfers(call, UNIVERSAL)
        if call.user in {root, t.from_user, t.to_user}
        and call.exchange.ledger.users[t.by].root == root
    ]
    chosen, cursor = page(call, rows, 20, 50)
    done: list[Json] = [
        {
            **_transferred(t),
            "fromMemberId": uid(t.from_user),
            "toMemberId": uid(t.to_user),
        }
        for t in chosen
    ]
    return {"list": done, "nextPageCursor": cursor}


def withdraw(call: Call) -> Json:
    """Send coins to an address; `requestId` is the idempotency key."""
    if call.exchange.ledger.users[call.user].parent is not None:
        raise VenueError(10005, "Permission denied, please check your API key permissions.")
    request = call.text("requestId")
    if request and not REQUEST_ID.fullmatch(request):
        raise VenueError(131002, "openapi svc error: requestId invalid")
    accounts = {"FUND": margin.FUND, "UTA": margin.UNIFIED}
    wallet = accounts.get(required(call, "accountType"))
    if wallet is None:
        raise VenueError(131002, "openapi svc error: accountType invalid")
    required(call, "timestamp")
    done = funds.withdraw(
        call.exchange,
        funds.NewWithdrawal(
            id=str(call.exchange.ledger.next("bybit.withdrawal", 10_001)),
            client_id=request,
            user=call.user,
            wallet=wallet,
            coin=required(call, "coin"),
            chain=required(call, "chain"),
            amount=amount(call, "amount"),
            address=required(call, "address"),
            tag=call.text("tag"),
            fee_on_top=call.text("feeType", "0") == "0",
        ),
    )
    return {"id": done.id}


def withdraw_records(call: Call) -> Json:
    """Return withdrawals, newest first."""
    rows = [
        w
        for w in reversed(call.exchange.ledger.withdrawals.by("user", call.user))
        if call.text("withdrawID", w.id) == w.id
        and call.text("coin", w.coin) == w.coin
        and call.text("txID", w.txid) == w.txid
        and between(call, w.time_ms)
    ]
    chosen, cursor = page(call, rows, 50, 50)
    done: list[Json] = [_withdrawn(w) for w in chosen]
    return {"rows": done, "nextPageCursor": cursor}


def withdrawable(call: Call) -> Json:
    """Return what may be withdrawn, by wallet."""
    coin = required(call, "coin")
    amounts: dict[str, Json] = {
        name: _withdrawable(call, wallet, coin)
        for name, wallet in (("UTA", margin.UNIFIED), ("FUND", margin.FUND))
    }
    return {"limitAmountUsd": "999999999.99", "withdrawableAmount": amounts}


def deposit_records(call: Call) -> Json:
    """Return deposits that arrived, newest first."""
    rows = [
        d
        for d in reversed(call.exchange.ledger.deposits.by("user", call.user))
        if call.text("coin", d.coin) == d.coin
        and call.text("txID", d.txid) == d.txid
        and between(call, d.time_ms)
    ]
    chosen, cursor = page(call, rows, 50, 50)
    done: list[Json] = [_deposited(d) for d in chosen]
    return {"rows": done, "nextPageCursor": cursor}


def deposit_address(call: Call) -> Json:
    """Return the deposit addresses of a coin, one a network."""
    coin = required(call, "coin")
    rows: list[Json] = []
    for home in call.exchange.ledger.addresses.by("user", call.user):
        if home.coin != coin or call.text("chainType", home.chain) != home.chain:
            continue
        chain = funds.chain_of(call.exchange, "bybit", coin, home.chain)
        rows.append(
            {
                "chainType": chain.network,
                "addressDeposit": home.address,
                "tagDeposit": home.tag,
                "chain": chain.name,
                "batchReleaseLimit": "-1",
                "contractAddress": "",
            }
        )
    return {"coin": coin, "chains": rows}


def _chain(chain: Chain) -> Json:
    return {
        "chainType": chain.network,
        "confirmation": str(chain.confirmations),
        "withdrawFee": plain(chain.withdraw_fee),
        "depositMin": plain(chain.deposit_min),
        "withdrawMin": plain(chain.withdraw_min),
        "chain": chain.name,
        "chainDeposit": "1",
        "chainWithdraw": "1",
        "minAccuracy": str(chain.decimals),
        "withdrawPercentageFee": "0",
        "contractAddress": "",
        "safeConfirmNumber": str(chain.confirmations),
    }


def _wallet(call: Call, name: str) -> str:
    word = required(call, name)
    if word not in WALLETS:
        raise VenueError(131203, f"request parameter err: {name}")
    return word


def _member(call: Call) -> str:
    asked = call.text("memberId")
    if not asked or user_id(asked) == call.user:
        return call.user
    found = call.exchange.ledger.users.get(user_id(asked))
    if found is None or found.parent != call.user:
        raise VenueError(131202, "Invalid memberId")
    return found.id


def _balance(call: Call, user: str, wallet: str, coin: str) -> dict[str, Json]:
    held = call.exchange.ledger.amount(user, wallet, coin)
    free = margin.transferable(call.exchange, user, wallet, coin)
    return {
        "coin": coin,
        "transferBalance": plain(free),
        "walletBalance": plain(held),
        "bonus": "",
    }


def _transfer(call: Call, route: str, source: funds.Purse, target: funds.Purse) -> Json:
    identity = required(call, "transferId")
    try:
        uuid.UUID(identity)
    except ValueError as error:
        raise VenueError(131203, "request parameter err: transferId") from error
    moved = amount(call, "amount")
    if not on_step(moved, EIGHT):
        raise VenueError(131210, "Amount accuracy error")
    done = funds.transfer(
        call.exchange,
        funds.NewTransfer(
            id=identity,
            client_id=identity,
            by=call.user,
            route=route,
            coin=required(call, "coin"),
            amount=moved,
            source=source,
            target=target,
        ),
    )
    return {"transferId": done.id, "status": STATUS[done.status]}


def _transfers(call: Call, route: str) -> list[Transfer]:
    return [
        t
        for t in reversed(call.exchange.ledger.transfers.by("venue", "bybit"))
        if t.route == route
        and call.text("transferId", t.id) == t.id
        and call.text("coin", t.coin) == t.coin
        and call.text("status", STATUS[t.status]) == STATUS[t.status]
        and between(call, t.time_ms)
    ]


def _transferred(done: Transfer) -> dict[str, Json]:
    return {
        "transferId": done.id,
        "coin": done.coin,
        "amount": plain(done.amount),
        "fromAccountType": done.from_wallet,
        "toAccountType": done.to_wallet,
        "timestamp": str(done.time_ms),
        "status": STATUS[done.status],
    }


def _withdrawn(done: Withdrawal) -> Json:
    over = done.left
    return {
        "coin": done.coin,
        "chain": done.chain,
        "amount": plain(done.amount),
        "txID": done.txid if over else "",
        "status": "success" if over else "Pending",
        "toAddress": done.address,
        "tag": done.tag,
        "withdrawFee": plain(done.fee),
        "createTime": str(done.time_ms),
        "updateTime": str(done.due_ms if over else done.time_ms),
        "withdrawId": done.id,
        "withdrawType": 0,
        "fee": "",
        "tax": "",
        "taxRate": "",
        "taxType": "",
    }


def _deposited(done: Deposit) -> Json:
    return {
        "coin": done.coin,
        "chain": done.chain,
        "amount": plain(done.amount),
        "txID": done.txid,
        "status": 3,
        "toAddress": done.address,
        "tag": done.tag,
        "depositFee": plain(done.fee) if done.fee else "",
        "successAt": str(done.time_ms),
        "confirmations": "100",
        "txIndex": "0",
        "blockHash": "",
        "batchReleaseLimit": "-1",
        "depositType": "0",
        "fromAddress": "",
        "taxDepositRecordsId": "0",
        "taxStatus": 0,
        "id": str(done.seq),
    }


def _withdrawable(call: Call, wallet: str, coin: str) -> Json:
    free = plain(margin.transferable(call.exchange, call.user, wallet, coin))
    return {
        "coin": coin,
        "withdrawableAmount": free,
        "availableBalance": free,
    }


_KEY = "bad key 10003, signature 10004, window 10002, limit 10006"
_MOVE = (
    "transferId seen before: 131214", "balance short: 131212", "transferId not a UUID: 131203",
    "finer than eight places: 131210", "not positive: 131215",
)  # fmt: skip
ENDPOINTS = (
    row("GET /v5/asset/coin/query-info", coin_info, "v5/asset/coin-info", _KEY, per_second=5),
    row("GET /v5/asset/transfer/query-account-coins-balance", coins_balance,
        "v5/asset/balance/all-balance", "a stranger's memberId: 131202", _KEY, per_second=5),
    row("GET /v5/asset/transfer/query-account-coin-balance", coin_balance,
        "v5/asset/balance/account-coin-balance", "a stranger's memberId: 131202", _KEY,
        per_second=5),
    row("POST /v5/asset/transfer/inter-transfer", inter_transfer,
        "v5/asset/transfer/create-inter-transfer", *_MOVE, "same account twice: 131211", _KEY,
        per_second=20, needs="transfer"),
    row("POST /v5/asset/transfer/universal-transfer", universal_transfer,
        "v5/asset/transfer/unitransfer", *_MOVE, "sub-account's key, not to main: 131208",
        "unknown member: 131202", _KEY, per_second=5, needs="transfer"),
    row("GET /v5/asset/transfer/query-inter-transfer-list", inter_list,
        "v5/asset/transfer/inter-transfer-list", "by transferId", "next page", _KEY,
        per_second=60),
    row("GET /v5/asset/transfer/query-universal-transfer-list", universal_list,
        "v5/asset/transfer/unitransfer-list", "by transferId", "next page", _KEY, per_second=5),
    row("POST /v5/asset/withdraw/create", withdraw, "v5/asset/withdraw",
        "requestId seen before: 10014", "unknown address: 131093", "below minimum: 131096",
        "balance short: 131001", "a sub-account asks: 10005", _KEY, per_second=5,
        needs="withdraw"),
    row("GET /v5/asset/withdraw/query-record", withdraw_records, "v5/asset/withdraw/record",
        "by withdrawID", "next page", _KEY, per_second=5),
    row("GET /v5/asset/withdraw/withdrawable-amount", withdrawable,
        "v5/asset/balance/delay-amount", _KEY, per_second=5),
    row("GET /v5/asset/deposit/query-record", deposit_records, "v5/asset/deposit/record",
        "by txID", "next page", _KEY, per_second=5),
    row("GET /v5/asset/deposit/query-address", deposit_address,
        "v5/asset/deposit/master-deposit-addr", "no such network: empty", _KEY, per_second=10),
)  # fmt: skip
