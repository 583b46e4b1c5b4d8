"""Futures wallets: account, balances and positions, in every version the client may ask for.

Pages: Account Information V2 and V3, Futures Account Balance V2 and V3, Position Information V2
and V3 (USD-M); Account Information, Futures Account Balance, Position Information (COIN-M).
"""

from decimal import Decimal

from allocator.adapters.emulator.binance.margin import (
    Holding,
    Pool,
    holdings,
    liquidation_price,
    pools,
)
from allocator.adapters.emulator.binance.words import (
    COINM,
    POSITION_SIDE,
    USDM,
    eight,
    market_of,
    stepped,
    user_of,
)
from allocator.adapters.emulator.market import leverage_cap
from allocator.adapters.emulator.records import ZERO
from allocator.adapters.emulator.wire import Call, Json, plain


def account_v3(call: Call) -> Json:
    """Return the USD-M account: figures of the wallet, its assets, the positions that are open."""
    found = pools(call.exchange, call.user, USDM)
    return {
        **_totals(list(found.values())),
        "assets": [_asset(call, pool) for pool in found.values()],
        "positions": [_position_v3(h) for p in found.values() for h in p.holdings if h.open],
    }


def account_v2(call: Call) -> Json:
    """Return the USD-M account in the older form: every symbol, with leverage and entry."""
    found = pools(call.exchange, call.user, USDM)
    return {
        **_permissions(),
        "feeBurn": False,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
        **_totals(list(found.values())),
        "assets": [{**_asset(call, pool), "marginAvailable": True} for pool in found.values()],
        "positions": [_position_v2(h) for p in found.values() for h in p.holdings],
    }


def coinm_account(call: Call) -> Json:
    """Return the COIN-M account: a pool of its own for each coin, every symbol."""
    found = pools(call.exchange, call.user, COINM)
    return {
        **_permissions(),
        "assets": [_asset(call, pool) for pool in found.values()],
        "positions": [_coinm_position(h) for p in found.values() for h in p.holdings],
    }


def balances(call: Call) -> Json:
    """Return the balance of every coin of the futures wallet."""
    rows: list[Json] = []
    for pool in pools(call.exchange, call.user, market_of(call)).values():
        row: dict[str, Json] = {
            "accountAlias": f"alias{user_of(call).uid}",
            "asset": pool.coin,
            "balance": eight(pool.wallet),
            "crossWalletBalance": eight(pool.wallet),
            "crossUnPnl": eight(pool.unrealised),
            "availableBalance": eight(pool.available),
            "updateTime": _updated(call, pool),
        }
        if market_of(call) == USDM:
            row |= {"maxWithdrawAmount": eight(pool.may_leave), "marginAvailable": True}
        else:
            row["withdrawAvailable"] = eight(pool.may_leave)
        rows.append(row)
    return rows


def positions_v3(call: Call) -> Json:
    """Return the USD-M positions that are open; leverage and margin type are not in it."""
    return [
        _risk_v3(pool, held)
        for pool in pools(call.exchange, call.user, USDM).values()
        for held in pool.holdings
        if held.open and call.text("symbol") in {"", held.instrument.symbol}
    ]


def positions_v2(call: Call) -> Json:
    """Return every USD-M symbol's position in the older form, with leverage."""
    rows: list[Json] = []
    for pool in pools(call.exchange, call.user, USDM).values():
        for held in pool.holdings:
            if call.text("symbol") in {"", held.instrument.symbol}:
                row = _risk(pool, held)
                rows.append(
                    {
                        **row,
                        **_isolation(),
                        "notional": eight(held.notional),
                        "maxNotionalValue": plain(_cap(held)),
                    }
                )
    return rows


def coinm_positions(call: Call) -> Json:
    """Return every COIN-M symbol's position."""
    coin, pair = call.text("marginAsset"), call.text("pair")
    rows: list[Json] = []
    for pool in pools(call.exchange, call.user, COINM).values():
        for held in pool.holdings:
            instrument = held.instrument
            if coin in {"", pool.coin} and pair in {"", f"{instrument.base}{instrument.quote}"}:
                rows.append(
                    {
                        **_risk(pool, held),
                        **_isolation(),
                        "notionalValue": eight(held.notional),
                        "maxQty": plain(_cap(held)),
                    }
                )
    return rows


def symbol_config(call: Call) -> Json:
    """Return margin type and leverage of every USD-M symbol."""
    seen: dict[str, Json] = {}
    for held in holdings(call.exchange, call.user, USDM):
        symbol = held.instrument.symbol
        if call.text("symbol") in {"", symbol}:
            seen[symbol] = {
                "symbol": symbol,
                "marginType": "CROSSED",
                "isAutoAddMargin": "false",
                "leverage": int(held.leverage),
                "maxNotionalValue": plain(_cap(held)),
            }
    return list(seen.values())


def account_config(call: Call) -> Json:
    """Return what the USD-M account may do and how it is set."""
    dual = any(h.leg != "net" for h in holdings(call.exchange, call.user, USDM))
    return {
        **_permissions(),
        "dualSidePosition": dual,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def _permissions() -> dict[str, Json]:
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
    }


def _isolation() -> dict[str, Json]:
    return {
        "marginType": "cross",
        "isolatedMargin": eight(ZERO),
        "isAutoAddMargin": "false",
        "isolatedWallet": "0",
    }


def _totals(found: list[Pool]) -> dict[str, Json]:
    def total(*amounts: Decimal) -> str:
        return eight(sum(amounts, ZERO))

    return {
        "totalInitialMargin": total(*(p.initial for p in found)),
        "totalMaintMargin": total(*(p.maintenance for p in found)),
        "totalWalletBalance": total(*(p.wallet for p in found)),
        "totalUnrealizedProfit": total(*(p.unrealised for p in found)),
        "totalMarginBalance": total(*(p.equity for p in found)),
        "totalPositionInitialMargin": total(*(p.position_initial for p in found)),
        "totalOpenOrderInitialMargin": total(*(p.open_initial for p in found)),
        "totalCrossWalletBalance": total(*(p.wallet for p in found)),
        "totalCrossUnPnl": total(*(p.unrealised for p in found)),
        "availableBalance": total(*(p.available for p in found)),
        "maxWithdrawAmount": total(*(p.may_leave for p in found)),
    }


def _updated(call: Call, pool: Pool) -> int:
    """Return when the pool last changed: zero for a coin never held, which clients skip."""
    if not pool.wallet and not any(h.open for h in pool.holdings):
        return 0
    return max((h.updated_ms for h in pool.holdings), default=0) or call.now_ms


def _asset(call: Call, pool: Pool) -> dict[str, Json]:
    return {
        "asset": pool.coin,
        "walletBalance": eight(pool.wallet),
        "unrealizedProfit": eight(pool.unrealised),
        "marginBalance": eight(pool.equity),
        "maintMargin": eight(pool.maintenance),
        "initialMargin": eight(pool.initial),
        "positionInitialMargin": eight(pool.position_initial),
        "openOrderInitialMargin": eight(pool.open_initial),
        "maxWithdrawAmount": eight(pool.may_leave),
        "crossWalletBalance": eight(pool.wallet),
        "crossUnPnl": eight(pool.unrealised),
        "availableBalance": eight(pool.available),
        "updateTime": _updated(call, pool),
    }


def _cap(held: Holding) -> Decimal:
    return leverage_cap(held.instrument.tiers, held.leverage)


def _size(held: Holding) -> str:
    return stepped(held.quantity, held.instrument.lot)


def _position_v3(held: Holding) -> dict[str, Json]:
    return {
        "symbol": held.instrument.symbol,
        "positionSide": POSITION_SIDE[held.leg],
        "positionAmt": _size(held),
        "unrealizedProfit": eight(held.unrealised),
        "isolatedMargin": "0",
        "notional": eight(held.notional),
        "isolatedWallet": "0",
        "initialMargin": eight(held.initial),
        "maintMargin": eight(held.maintenance),
        "updateTime": held.updated_ms,
    }


def _position_v2(held: Holding) -> dict[str, Json]:
    return {
        **_margins(held),
        "symbol": held.instrument.symbol,
        "positionSide": POSITION_SIDE[held.leg],
        "positionAmt": _size(held),
        "unrealizedProfit": eight(held.unrealised),
        "leverage": plain(held.leverage),
        "isolated": False,
        "entryPrice": plain(held.entry),
        "maxNotional": plain(_cap(held)),
        "bidNotional": plain(held.bids),
        "askNotional": plain(held.asks),
        "updateTime": held.updated_ms,
    }


def _coinm_position(held: Holding) -> dict[str, Json]:
    return {
        **_margins(held),
        "symbol": held.instrument.symbol,
        "positionAmt": _size(held),
        "unrealizedProfit": eight(held.unrealised),
        "leverage": plain(held.leverage),
        "isolated": False,
        "positionSide": POSITION_SIDE[held.leg],
        "entryPrice": eight(held.entry),
        "breakEvenPrice": eight(held.entry),
        "maxQty": plain(_cap(held)),
        "notionalValue": eight(held.notional),
        "updateTime": held.updated_ms,
    }


def _margins(held: Holding) -> dict[str, Json]:
    return {
        "initialMargin": eight(held.initial),
        "maintMargin": eight(held.maintenance),
        "positionInitialMargin": eight(held.position_initial),
        "openOrderInitialMargin": eight(held.open_initial),
    }


def _risk(pool: Pool, held: Holding) -> dict[str, Json]:
    """Return what V2 and COIN-M share."""
    return {
        "symbol": held.instrument.symbol,
        "positionAmt": _size(held),
        "entryPrice": eight(held.entry),
        "breakEvenPrice": eight(held.entry),
        "markPrice": eight(held.mark),
        "unRealizedProfit": eight(held.unrealised),
        "liquidationPrice": eight(liquidation_price(pool, held)),
        "leverage": plain(held.leverage),
        "positionSide": POSITION_SIDE[held.leg],
        "updateTime": held.updated_ms,
    }


def _risk_v3(pool: Pool, held: Holding) -> dict[str, Json]:
    return {
        **_margins(held),
        "symbol": held.instrument.symbol,
        "positionSide": POSITION_SIDE[held.leg],
        "positionAmt": _size(held),
        "entryPrice": plain(held.entry),
        "breakEvenPrice": plain(held.entry),
        "markPrice": eight(held.mark),
        "unRealizedProfit": eight(held.unrealised),
        "liquidationPrice": plain(liquidation_price(pool, held).quantize(Decimal("1e-8"))),
        "isolatedMargin": "0",
        "notional": eight(held.notional),
        "marginAsset": pool.coin,
        "isolatedWallet": "0",
        "adl": 2 if held.quantity else 0,
        "bidNotional": plain(held.bids),
        "askNotional": plain(held.asks),
        "updateTime": held.updated_ms,
    }
