"""The account: key and sub-accounts, mode, balances, fees, collateral."""

from collections.abc import Collection
from decimal import Decimal

from allocator.adapters.emulator.bybit import margin
from allocator.adapters.emulator.bybit.host import PUBLIC, row
from allocator.adapters.emulator.bybit.words import category, instruments, uid, usd
from allocator.adapters.emulator.errors import VenueError
from allocator.adapters.emulator.market import EIGHT
from allocator.adapters.emulator.records import ZERO
from allocator.adapters.emulator.wire import Call, Json, plain

NEVER_MS = 0


def query_api(call: Call) -> Json:
    """Return the key and its permissions; `uta` 1 is what clients detect the account by."""
    key = call.exchange.ledger.keys[call.key]
    user = call.exchange.ledger.users[call.user]
    may = set(key.permissions)
    return {
        "id": uid(call.user),
        "note": user.name,
        "apiKey": key.key,
        "readOnly": 0 if may else 1,
        "secret": "",
        "permissions": _permissions(may),
        "ips": ["*"],
        "type": 1,
        "deadlineDay": 90,
        "expiredAt": "2030-01-01T00:00:00Z",
        "createdAt": "2026-01-01T00:00:00Z",
        "unified": 0,
        "uta": 1,
        "userID": int(uid(call.user)),
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": "",
        "isMaster": user.parent is None,
        "parentUid": "0" if user.parent is None else uid(user.parent),
        "kycLevel": "LEVEL_DEFAULT",
        "kycRegion": "",
    }


def _permissions(may: Collection[str]) -> Json:
    """Return a key's rights in the venue's words."""
    wallet = ["AccountTransfer"] if "transfer" in may else []
    wallet += ["SubMemberTransfer"] if "sub" in may else []
    wallet += ["Withdraw"] if "withdraw" in may else []
    trade = "trade" in may
    return {
        "ContractTrade": ["Order", "Position"] if trade else [],
        "Spot": ["SpotTrade"] if trade else [],
        "Wallet": list[Json](wallet),
        "Options": [],
        "Derivatives": ["DerivativesTrade"] if trade else [],
        "CopyTrading": [],
        "BlockTrade": [],
        "Exchange": [],
        "NFT": [],
        "Affiliate": [],
        "Earn": [],
    }


def sub_members(call: Call) -> Json:
    """Return the sub-accounts of a main account."""
    user = call.exchange.ledger.users[call.user]
    if user.parent is not None:
        raise VenueError(10005, "Permission denied, please check your API key permissions.")
    rows: list[Json] = [
        {
            "uid": sub.uid,
            "username": sub.name,
            "memberType": 1,
            "status": 1,
            "accountMode": 5,
            "remark": "",
        }
        for sub in call.exchange.ledger.users.by("venue", "bybit")
        if sub.parent == call.user
    ]
    return {"subMembers": rows}


def account_info(call: Call) -> Json:
    """Return the margin mode: regular (cross), unified 2.0."""
    del call
    return {
        "marginMode": "REGULAR_MARGIN",
        "updatedTime": str(NEVER_MS),
        "unifiedMarginStatus": 5,
        "dcpStatus": "OFF",
        "timeWindow": 10,
        "smpGroup": 0,
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
    }


def wallet_balance(call: Call) -> Json:
    """Return the unified account in USD and its coins."""
    if call.text("accountType") != margin.UNIFIED:
        raise VenueError(10001, "params error: accountType only support UNIFIED.")
    state = margin.account(call.exchange, call.user)
    wanted = {name for name in call.text("coin").split(",") if name}
    rate = state.rate(state.initial)
    mm_rate = state.rate(state.maintenance)
    body: Json = {
        "accountType": margin.UNIFIED,
        "accountLTV": "0",
        "accountIMRate": usd(rate),
        "accountMMRate": usd(mm_rate),
        "accountIMRateByMp": usd(rate),
        "accountMMRateByMp": usd(mm_rate),
        "totalInitialMarginByMp": usd(state.initial),
        "totalMaintenanceMarginByMp": usd(state.maintenance),
        "totalEquity": usd(state.equity),
        "totalWalletBalance": usd(state.wallet),
        "totalMarginBalance": usd(state.margin_balance),
        "totalAvailableBalance": usd(max(state.available, ZERO)),
        "totalPerpUPL": usd(state.profit),
        "totalInitialMargin": usd(state.initial),
        "totalMaintenanceMargin": usd(state.maintenance),
        "coin": [_coin(c) for c in state.coins if not wanted or c.coin in wanted],
    }
    return {"list": [body]}


def fee_rate(call: Call) -> Json:
    """Return maker and taker rates."""
    category(call)
    rows: list[Json] = [
        {
            "symbol": i.symbol,
            "takerFeeRate": plain(i.taker),
            "makerFeeRate": plain(i.maker),
        }
        for i in instruments(call)
    ]
    return {"list": rows}


def collateral_info(call: Call) -> Json:
    """Return which coins count as margin and at what ratio (their first step)."""
    coin = call.text("currency")
    rows: list[Json] = [
        {
            "currency": name,
            "hourlyBorrowRate": "0.00000147",
            "maxBorrowingAmount": "0",
            "freeBorrowingLimit": "0",
            "freeBorrowingAmount": "",
            "freeBorrowAmount": "0",
            "borrowAmount": "0",
            "otherBorrowAmount": "0",
            "availableToBorrow": "0",
            "borrowable": False,
            "borrowUsageRate": "0",
            "marginCollateral": True,
            "collateralSwitch": True,
            "collateralRatio": plain(steps[0][1]),
        }
        for name, steps in margin.RATIO_STEPS.items()
        if coin in {"", name}
    ]
    return {"list": rows}


def collateral_steps(call: Call) -> Json:
    """Return the tiered collateral ratios."""
    coin = call.text("currency")
    rows: list[Json] = [
        {
            "currency": name,
            "collateralRatioList": list[Json](_steps(steps)),
        }
        for name, steps in margin.RATIO_STEPS.items()
        if coin in {"", name}
    ]
    return {"list": rows}


def withdrawal(call: Call) -> Json:
    """Return what may leave the unified wallet, for up to twenty coins."""
    names = [name for name in call.text("coinName").split(",") if name]
    if not names or len(names) > 20:
        raise VenueError(10001, "params error: coinName invalid")
    free: dict[str, Json] = {
        name: plain(margin.transferable(call.exchange, call.user, margin.UNIFIED, name))
        for name in names
    }
    return {"availableWithdrawal": free[names[0]], "availableWithdrawalMap": free}


def _steps(steps: tuple[tuple[Decimal, Decimal], ...]) -> list[Json]:
    floor, rows = ZERO, list[Json]()
    for cap, ratio in steps:
        rows.append(
            {
                "minQty": plain(floor),
                "maxQty": plain(cap) if cap.is_finite() else "",
                "collateralRatio": plain(ratio),
            }
        )
        floor = cap
    return rows


def _coin(coin: margin.Coin) -> Json:
    borrowed = plain(max(ZERO, -coin.wallet))
    return {
        "coin": coin.coin,
        "equity": plain(coin.equity.quantize(EIGHT)),
        "usdValue": usd(coin.equity * coin.usd),
        "walletBalance": plain(coin.wallet),
        "locked": plain(coin.locked),
        "spotHedgingQty": "0",
        "borrowAmount": borrowed,
        "spotBorrow": borrowed,
        "accruedInterest": "0",
        "totalOrderIM": usd(coin.order_initial),
        "totalPositionIM": usd(coin.position_initial),
        "totalPositionMM": usd(coin.maintenance),
        "unrealisedPnl": usd(coin.profit),
        "cumRealisedPnl": usd(coin.realised),
        "bonus": "0",
        "marginCollateral": True,
        "collateralSwitch": True,
        "availableToBorrow": "",
        "availableToWithdraw": "",
    }


_KEY = "bad key 10003, signature 10004, window 10002, limit 10006"
ENDPOINTS = (
    row("GET /v5/user/query-api", query_api, "v5/user/apikey-info", _KEY),
    row("GET /v5/user/query-sub-members", sub_members, "v5/user/subuid-list",
        "a sub-account asks: 10005", _KEY),
    row("GET /v5/account/info", account_info, "v5/account/account-info", _KEY, per_second=50),
    row("GET /v5/account/wallet-balance", wallet_balance, "v5/account/wallet-balance",
        "accountType other than UNIFIED: 10001", _KEY, per_second=50),
    row("GET /v5/account/fee-rate", fee_rate, "v5/account/fee-rate",
        "category missing or unknown: 10001", _KEY, per_second=10),
    row("GET /v5/account/collateral-info", collateral_info, "v5/account/collateral-info", _KEY,
        per_second=50),
    row("GET /v5/spot-margin-trade/collateral", collateral_steps,
        "v5/spot-margin-uta/tier-collateral-ratio", needs=PUBLIC),
    row("GET /v5/account/withdrawal", withdrawal, "v5/account/unified-trans-amnt",
        "no coin or more than twenty: 10001", _KEY, per_second=10),
)  # fmt: skip
