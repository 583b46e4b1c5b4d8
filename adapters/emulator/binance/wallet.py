"""The spot wallet and the way in and out: coins, networks, withdrawals, deposits, key rights.

Pages: Account Information (spot), All Coins' Information, Withdraw, Withdraw History, Deposit
Address, Deposit History, Trade Fee, Funding Wallet, Get API Key Permission, Account Status,
System Status (wallet).
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from allocator.adapters.emulator import funds, notices
from allocator.adapters.emulator.binance import signing
from allocator.adapters.emulator.binance.margin import locked_coins
from allocator.adapters.emulator.binance.words import (
    DAY_MS,
    FUNDING,
    SPOT,
    VENUE,
    amount,
    eight,
    error,
    instrument_of,
    instruments_of,
    required,
    user_of,
    whole,
)
from allocator.adapters.emulator.exchange import Chain
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.records import ZERO, Deposit, Withdrawal
from allocator.adapters.emulator.wire import Call, Json, plain

PROCESSING, COMPLETED = 4, 6
CREDITED = 1
NAMES = {"BTC": "Bitcoin", "ETH": "Ethereum", "USDT": "TetherUS", "USDC": "USDC"}


def account(call: Call) -> Json:
    """Return the spot account and its balances; zero ones are left out on request."""
    rates = [i for i in instruments_of(call)][:1]
    maker, taker = (rates[0].maker, rates[0].taker) if rates else (ZERO, ZERO)
    basis = Decimal(10_000)
    locked = locked_coins(call.exchange, call.user)
    balances: list[Json] = []
    for coin in _coins(call):
        held = call.exchange.ledger.amount(call.user, SPOT, coin)
        if held or not call.flag("omitZeroBalances"):
            kept = locked.get(coin, ZERO)
            balances.append({"asset": coin, "free": eight(held - kept), "locked": eight(kept)})
    return {
        "makerCommission": int(maker * basis),
        "takerCommission": int(taker * basis),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": _rates(maker, taker),
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": call.now_ms,
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": int(user_of(call).uid),
    }


def commission(call: Call) -> Json:
    """Return the user's spot rates for a symbol."""
    instrument = instrument_of(call)
    return {
        "symbol": instrument.symbol,
        "standardCommission": _rates(instrument.maker, instrument.taker),
        "specialCommission": _rates(ZERO, ZERO),
        "taxCommission": _rates(ZERO, ZERO),
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": eight(ZERO),
        },
    }


def trade_fees(call: Call) -> Json:
    """Return spot rates of one symbol, or of all."""

    def fee(instrument: Instrument) -> Json:
        return {
            "symbol": instrument.symbol,
            "makerCommission": plain(instrument.maker),
            "takerCommission": plain(instrument.taker),
        }

    return [fee(i) for i in instruments_of(call)]


def funding_assets(call: Call) -> Json:
    """Return the balances of the funding wallet that are not zero."""
    return [
        {
            "asset": row.coin,
            "free": plain(row.amount),
            "locked": "0",
            "freeze": "0",
            "withdrawing": "0",
            "btcValuation": "0",
        }
        for row in call.exchange.ledger.balances.by("wallet", (call.user, FUNDING))
        if row.amount and call.text("asset") in {"", row.coin}
    ]


def coins(call: Call) -> Json:
    """Return every coin with the user's spot balance and its networks."""
    locked = locked_coins(call.exchange, call.user)
    rows: list[Json] = []
    for coin in _coins(call):
        kept = locked.get(coin, ZERO)
        held = call.exchange.ledger.amount(call.user, SPOT, coin)
        chains = _chains(call, coin)
        rows.append(
            {
                "coin": coin,
                "depositAllEnable": bool(chains),
                "withdrawAllEnable": bool(chains),
                "name": NAMES.get(coin, coin),
                "free": plain(held - kept),
                "locked": plain(kept),
                "freeze": "0",
                "withdrawing": plain(_withdrawing(call, coin)),
                "ipoing": "0",
                "ipoable": "0",
                "storage": "0",
                "isLegalMoney": False,
                "trading": True,
                "networkList": [_network(chain, chain is chains[0]) for chain in chains],
            }
        )
    return rows


def withdraw(call: Call) -> Json:
    """Send coins from the spot (walletType 0) or funding (1) wallet; the fee comes out of them."""
    coin = required(call, "coin")
    address = required(call, "address")
    chains = _chains(call, coin)
    if not chains:
        raise error(-4018, "We don't have this asset.")
    network = call.text("network", chains[0].name)
    if network not in {chain.name for chain in chains}:
        raise error(-4019, "Current asset is not open for withdrawal.")
    number = call.exchange.ledger.next("binance.withdrawal")
    row = funds.withdraw(
        call.exchange,
        funds.NewWithdrawal(
            id=hashlib.md5(f"binance|{number}".encode(), usedforsecurity=False).hexdigest(),
            client_id=call.text("withdrawOrderId"),
            user=call.user,
            wallet=FUNDING if call.text("walletType", "0") == "1" else SPOT,
            coin=coin,
            chain=network,
            amount=amount(call, "amount"),
            address=address,
            tag=call.text("addressTag"),
            fee_on_top=False,
        ),
    )
    return {"id": row.id}


def withdrawals(call: Call) -> Json:
    """Return withdrawals, newest first."""
    status = call.text("status")
    start_ms, end_ms = _span(call)
    rows = [
        row
        for row in call.exchange.ledger.withdrawals.by("user", call.user)
        if call.text("coin") in {"", row.coin}
        and call.text("withdrawOrderId") in {"", row.client_id}
        and (not call.text("idList") or row.id in call.text("idList").split(","))
        and status in {"", str(_status(row))}
        and start_ms <= row.time_ms <= end_ms
    ]
    return [_withdrawal(row) for row in _page(call, rows[::-1])]


def deposit_address(call: Call) -> Json:
    """Return the user's address for a coin on a network (the first when not named)."""
    coin = required(call, "coin")
    network = call.text("network")
    for row in call.exchange.ledger.addresses.by("user", call.user):
        if row.coin == coin and network in {"", row.chain}:
            return {"address": row.address, "coin": coin, "tag": row.tag, "url": ""}
    raise error(-4018, "We don't have this asset.")


def deposits(call: Call) -> Json:
    """Return deposits, newest first."""
    start_ms, end_ms = _span(call)
    rows = [
        row
        for row in call.exchange.ledger.deposits.by("user", call.user)
        if call.text("coin") in {"", row.coin}
        and call.text("txId") in {"", row.txid}
        and call.text("status") in {"", str(CREDITED)}
        and start_ms <= row.time_ms <= end_ms
    ]
    return [_deposit(row) for row in _page(call, rows[::-1])]


def key_rights(call: Call) -> Json:
    """Return what the key that signed may do."""
    held = call.exchange.ledger.keys[call.key].permissions
    return {
        "ipRestrict": False,
        "createTime": 1_698_645_219_000,
        "enableReading": signing.READ in held,
        "enableWithdrawals": signing.WITHDRAW in held,
        "enableInternalTransfer": signing.INTERNAL in held,
        "enableMargin": False,
        "enableFutures": signing.TRADE_FUTURES in held,
        "permitsUniversalTransfer": signing.TRANSFER in held,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": signing.TRADE_SPOT in held,
        "enablePortfolioMarginTrading": False,
    }


def account_status(call: Call) -> Json:
    """Return that the account is in order."""
    del call
    return {"data": "Normal"}


SYSTEM: Mapping[notices.State, str] = {
    "open": "normal", "scheduled": "normal", "maintenance": "system_maintenance",
}  # fmt: skip


def system_status(call: Call) -> Json:
    """Return whether the venue is in maintenance; nothing is told of what is planned."""
    told = notices.word(notices.notice_of(call, "binance"), SYSTEM)
    return {"status": int(told != "normal"), "msg": told}


def margin_pairs(call: Call) -> Json:
    """Return no pair: nothing here is traded on spot margin."""
    del call
    return []


def _rates(maker: Decimal, taker: Decimal) -> dict[str, Json]:
    return {
        "maker": eight(maker),
        "taker": eight(taker),
        "buyer": eight(ZERO),
        "seller": eight(ZERO),
    }


def _coins(call: Call) -> list[str]:
    return [row.coin for row in call.exchange.ledger.prices]


def _chains(call: Call, coin: str) -> list[Chain]:
    return [c for c in call.exchange.world.chains if (c.venue, c.coin) == (VENUE, coin)]


def _withdrawing(call: Call, coin: str) -> Decimal:
    rows = call.exchange.ledger.withdrawals.by("user", call.user)
    pending = (r.amount + r.fee for r in rows if not r.left and r.coin == coin)
    return sum(pending, ZERO)


def _network(chain: Chain, default: bool) -> Json:
    return {
        "network": chain.name,
        "coin": chain.coin,
        "withdrawIntegerMultiple": plain(Decimal(1).scaleb(-chain.decimals)),
        "isDefault": default,
        "depositEnable": True,
        "withdrawEnable": True,
        "depositDesc": "",
        "withdrawDesc": "",
        "specialTips": "",
        "specialWithdrawTips": "",
        "name": chain.network,
        "resetAddressStatus": False,
        "addressRegex": "^[0-9A-Za-z]{20,64}$",
        "memoRegex": "",
        "withdrawFee": plain(chain.withdraw_fee),
        "withdrawMin": plain(chain.withdraw_min),
        "withdrawMax": "10000000000",
        "withdrawInternalMin": plain(Decimal(1).scaleb(-chain.decimals)),
        "depositDust": plain(chain.deposit_min),
        "minConfirm": chain.confirmations,
        "unLockConfirm": 0,
        "sameAddress": False,
        "withdrawTag": False,
        "estimatedArrivalTime": 1,
        "busy": False,
        "contractAddressUrl": "",
        "contractAddress": "",
    }


def _span(call: Call) -> tuple[int, int]:
    """Return start and end: the last ninety days unless named."""
    end_ms = whole(call, "endTime", call.now_ms)
    return whole(call, "startTime", end_ms - 90 * DAY_MS), end_ms


def _page(call: Call, rows: list[Withdrawal] | list[Deposit]) -> list[Withdrawal | Deposit]:
    offset = whole(call, "offset", 0)
    return list(rows[offset : offset + whole(call, "limit", 1000, 1000)])


def _status(row: Withdrawal) -> int:
    return COMPLETED if row.left else PROCESSING


def _instant(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _withdrawal(row: Withdrawal | Deposit) -> Json:
    if not isinstance(row, Withdrawal):
        raise TypeError(f"not a withdrawal: {row}")
    done = row.left
    shown: dict[str, Json] = {
        "id": row.id,
        "amount": plain(row.amount),
        "transactionFee": plain(row.fee),
        "coin": row.coin,
        "status": _status(row),
        "address": row.address,
        "txId": row.txid if done else "",
        "applyTime": _instant(row.time_ms),
        "network": row.chain,
        "transferType": 0,
        "info": "",
        "confirmNo": 1 if done else 0,
        "walletType": 1 if row.wallet == FUNDING else 0,
        "txKey": "",
    }
    if row.client_id:
        shown["withdrawOrderId"] = row.client_id
    if row.tag:
        shown["addressTag"] = row.tag
    if done:
        shown["completeTime"] = _instant(row.due_ms)
    return shown


def _deposit(row: Withdrawal | Deposit) -> Json:
    if not isinstance(row, Deposit):
        raise TypeError(f"not a deposit: {row}")
    return {
        "id": str(row.seq),
        "amount": plain(row.amount),
        "coin": row.coin,
        "network": row.chain,
        "status": CREDITED,
        "address": row.address,
        "addressTag": row.tag,
        "txId": row.txid,
        "insertTime": row.time_ms,
        "completeTime": row.time_ms,
        "transferType": 0,
        "confirmTimes": "1/1",
        "unlockConfirm": 0,
        "walletType": 1 if row.wallet == FUNDING else 0,
    }
