"""The trading account: its modes, balances, fees, and what may leave it."""

from decimal import Decimal

from allocator.adapters.emulator.errors import VenueError
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.okx import margin, public
from allocator.adapters.emulator.okx.host import KIND, TRADE, USER, row
from allocator.adapters.emulator.okx.words import (
    change,
    figure,
    instruments,
    kind_of,
    required,
    setting,
    user_of,
    wrong,
)
from allocator.adapters.emulator.records import ZERO
from allocator.adapters.emulator.wire import Call, Json, plain

MODES = ("net_mode", "long_short_mode")
LEVELS = {"1": margin.SPOT, "2": margin.FUTURES, "3": margin.MULTI}
IN_USE = "Settings failed. Close any open positions or orders before modifying settings."
MOST_COINS = 20


def config(call: Call) -> Json:
    """Return the account's modes and the key's rights."""
    exchange = call.exchange
    user, key = exchange.ledger.users[call.user], exchange.ledger.keys[call.key]
    settle = ["USD", "USDC", "USDG"]
    return [
        {
            "acctLv": str(setting(exchange, call.user, "level")),
            "acctStpMode": "cancel_maker",
            "autoLoan": False,
            "ctIsoMode": "automatic",
            "enableSpotBorrow": False,
            "feeType": "0",
            "greeksType": "PA",
            "ip": "",
            "kycLv": "3",
            "label": user.name,
            "level": "Lv1",
            "levelTmp": "",
            "liquidationGear": "-1",
            "mainUid": user_of(user.root),
            "mgnIsoMode": "automatic",
            "opAuth": "0",
            "perm": ",".join(key.permissions),
            "posMode": MODES[setting(exchange, call.user, "hedge")],
            "roleType": "0",
            "settleCcy": "USDC",
            "settleCcyList": list[Json](settle),
            "spotBorrowAutoRepay": False,
            "spotOffsetType": "",
            "spotRoleType": "0",
            "spotTraderInsts": [],
            "stgyType": "0",
            "traderInsts": [],
            "type": "0" if user.parent is None else "1",
            "uid": user_of(user.id),
        }
    ]


def set_position_mode(call: Call) -> Json:
    """Keep long and short apart, or net them; only while nothing is held or ordered."""
    mode = required(call, "posMode")
    if mode not in MODES:
        raise wrong("posMode")
    _unused(call)
    change(call.exchange, call.user, "hedge", MODES.index(mode))
    return [{"posMode": mode}]


def set_account_level(call: Call) -> Json:
    """Change the account's mode; only while nothing is held or ordered. 4 is not offered."""
    level = required(call, "acctLv")
    if level not in LEVELS:
        raise wrong("acctLv")
    _unused(call)
    change(call.exchange, call.user, "level", LEVELS[level])
    return [{"acctLv": level}]


def balance(call: Call) -> Json:
    """Return the trading account in USD and its currencies."""
    state = margin.account(call.exchange, call.user)
    wanted = [name for name in call.text("ccy").split(",") if name]
    if len(wanted) > MOST_COINS:
        raise wrong("ccy")
    multi = state.level == margin.MULTI
    held = [c for c in state.coins if c.equity or c.cash]
    total = sum((c.equity * c.usd for c in held), ZERO)
    notional = sum((p.value * _usd(state, p.instrument.settle) for p in state.positions), ZERO)
    required_margin = state.maintenance
    ratio = state.adjusted / required_margin if required_margin else None
    return [
        {
            "adjEq": figure(state.adjusted) if multi else "",
            "availEq": figure(state.available) if multi else "",
            "borrowFroz": "0" if multi else "",
            "delta": "0",
            "deltaLever": "0",
            "deltaNeutralStatus": "0",
            "details": [_coin(c, state, str(call.now_ms)) for c in held
                        if not wanted or c.coin in wanted],
            "imr": figure(state.initial) if multi else "",
            "isoEq": figure(sum((c.isolated_equity * c.usd for c in held), ZERO)),
            "mgnRatio": figure(ratio) if multi and ratio is not None else "",
            "mmr": figure(required_margin) if multi else "",
            "notionalUsd": figure(notional) if multi else "",
            "notionalUsdForBorrow": "0" if multi else "",
            "notionalUsdForFutures": "0" if multi else "",
            "notionalUsdForOption": "0" if multi else "",
            "notionalUsdForSwap": figure(notional) if multi else "",
            "ordFroz": figure(sum((c.order_initial * c.usd for c in held), ZERO)) if multi else "",
            "totalEq": figure(total),
            "uTime": str(call.now_ms),
            "upl": figure(sum((c.cross_profit * c.usd for c in held), ZERO)) if multi else "",
        }
    ]  # fmt: skip


def trade_fee(call: Call) -> Json:
    """Return fee rates by group: negative is paid, positive a rebate."""
    kind = kind_of(call)
    rows = instruments(call, kind)
    if not rows:
        return []
    groups: dict[str, Instrument] = {public.GROUPS[i.market]: i for i in rows}
    first = rows[0]
    contract = kind != "SPOT"
    taker, maker = plain(-first.taker), plain(-first.maker)
    return [
        {
            "category": "1",
            "delivery": "",
            "exercise": "",
            "feeGroup": [
                {
                    "elpMaker": "",
                    "groupId": group,
                    "maker": plain(-i.maker),
                    "taker": plain(-i.taker),
                }
                for group, i in groups.items()
            ],
            "fiat": [],
            "instType": kind,
            "level": "Lv1",
            "maker": maker,
            "makerU": maker if contract else "",
            "makerUSDC": maker,
            "ruleType": "normal",
            "taker": taker,
            "takerU": taker if contract else "",
            "takerUSDC": taker,
            "ts": str(call.now_ms),
        }
    ]


def max_withdrawal(call: Call) -> Json:
    """Return what may leave the trading account, by currency."""
    wanted = [name for name in call.text("ccy").split(",") if name]
    if len(wanted) > MOST_COINS:
        raise wrong("ccy")
    state = margin.account(call.exchange, call.user)
    rows: list[Json] = []
    for name in wanted or [c.coin for c in state.coins]:
        free = plain(margin.transferable(call.exchange, call.user, margin.TRADING, name))
        rows.append(
            {
                "ccy": name,
                "maxWd": free,
                "maxWdEx": free,
                "spotOffsetMaxWd": "",
                "spotOffsetMaxWdEx": "",
            }
        )
    return rows


def _unused(call: Call) -> None:
    orders = call.exchange.ledger.orders.by("open", (call.user, True))
    if orders or call.exchange.positions(call.user):
        raise VenueError(59000, IN_USE)


def _usd(state: margin.Account, coin: str) -> Decimal:
    row = state.coin(coin)
    return ZERO if row is None else row.usd


def _coin(coin: margin.Coin, state: margin.Account, now: str) -> Json:
    owed = plain(max(ZERO, -coin.cash))
    multi, single = state.level == margin.MULTI, state.level == margin.FUTURES
    frozen = coin.order_initial + coin.locked
    used = bool(coin.initial)
    ratio = coin.cross_equity / coin.maintenance if coin.maintenance else None
    return {
        "accAvgPx": "",
        "autoLendMtAmt": "0",
        "autoLendStatus": "off",
        "availBal": plain(max(ZERO, coin.cash - frozen)),
        "availEq": figure(max(ZERO, coin.free)) if multi or single else "",
        "borrowFroz": "0" if multi else "",
        "cashBal": plain(coin.cash),
        "ccy": coin.coin,
        "clSpotInUseAmt": "",
        "colBorrAutoConversion": "0",
        "colRes": "0",
        "collateralEnabled": True,
        "collateralRestrict": False,
        "crossLiab": owed if multi else "",
        "disEq": figure(coin.discounted) if multi else "",
        "eq": figure(coin.equity),
        "eqUsd": figure(coin.equity * coin.usd),
        "fixedBal": "0",
        "frozenBal": figure(coin.initial + frozen),
        "frpType": "0",
        "imr": figure(coin.initial) if single and used else "",
        "interest": "0" if multi else "",
        "isoEq": figure(coin.isolated_equity) if multi or single else "",
        "isoLiab": "0" if multi else "",
        "isoUpl": figure(coin.isolated_profit) if multi or single else "",
        "liab": owed if multi else "",
        "maxLoan": "0" if multi else "",
        "maxSpotInUse": "",
        "mgnRatio": figure(ratio) if single and ratio is not None else "",
        "mmr": figure(coin.maintenance) if single and used else "",
        "notionalLever": "0" if single else "",
        "openAvgPx": "",
        "ordFrozen": figure(frozen),
        "rewardBal": "0",
        "smtSyncEq": "0",
        "spotBal": "",
        "spotCopyTradingEq": "0",
        "spotInUseAmt": "",
        "spotIsoBal": "0",
        "spotUpl": "",
        "spotUplRatio": "",
        "stgyEq": "0",
        "totalPnl": "",
        "totalPnlRatio": "",
        "twap": "0",
        "uTime": now,
        "upl": figure(coin.cross_profit + coin.isolated_profit) if multi or single else "",
        "uplLiab": "0" if multi else "",
    }


KEY = (
    "no header: 50103, 50104, 50106, 50107", "stamp not ISO: 50112, older than 30 s: 50102",
    "unknown key: 50111", "passphrase: 50105", "signature: 50113", "over the limit: 50011",
)  # fmt: skip
RIGHT = "key without the right: 50120"
ENDPOINTS = (
    row("GET account/config", config, "trading-account-rest-api-get-account-configuration", *KEY,
        limit="5/2s user"),
    row("POST account/set-position-mode", set_position_mode,
        "trading-account-rest-api-set-position-mode", "posMode wrong: 51000",
        "positions or orders: 59000", RIGHT, *KEY, limit="5/2s user", needs=TRADE),
    row("POST account/set-account-level", set_account_level,
        "trading-account-rest-api-set-account-mode", "acctLv wrong: 51000",
        "positions or orders: 59000", RIGHT, *KEY, limit="5/2s user", needs=TRADE),
    row("GET account/instruments", public.account_instruments,
        "trading-account-rest-api-get-instruments", *KEY, limit=f"20/2s {USER} {KIND}"),
    row("GET account/balance", balance, "trading-account-rest-api-get-balance",
        "more than twenty currencies: 51000", *KEY, limit="10/2s user"),
    row("GET account/trade-fee", trade_fee, "trading-account-rest-api-get-fee-rates",
        "instType missing: 50014", *KEY, limit="5/2s user"),
    row("GET account/max-withdrawal", max_withdrawal,
        "trading-account-rest-api-get-maximum-withdrawals",
        "more than twenty currencies: 51000", *KEY, limit="20/2s user"),
)  # fmt: skip
