"""KuCoin Futures: a user's wallets as a snapshot has them.

Cross margin: all that the wallet holds backs every position settled in the same coin; maintenance
is the position's value at a rate that rises with it, and the closing fee comes on top (support
pages "Cross Margin" and "Risk Rate of Cross Margin Mode"). Sources besides: the venue's pages "Get
Margin Mode", "Get Position Mode", "Get Cross Margin Leverage", "Get Actual Fee - Futures".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from allocator.adapters.ccxt import kucoin_markets
from allocator.adapters.ccxt.dust import check_leftovers
from allocator.adapters.ccxt.kucoin_reads import (
    COIN,
    HOLDS,
    data_of,
    elsewhere,
    futures_account,
    held,
    instrument_of,
    net_positions,
    position_rows,
    signed,
    wallet,
)
from allocator.adapters.ccxt.kucoin_waiting import open_orders
from allocator.adapters.ccxt.pairs import DRIFT, Held, check_unrealised, flat_pair, pair_of
from allocator.adapters.ccxt.place import Place, text, who
from allocator.adapters.ccxt.readings import holding, reading_of
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.adapters.figures import CENT
from allocator.models.account import Account, Balance, FeeRates, Fees, Margin, Position, SeenOrder
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import AccountReading
from allocator.models.market import CollateralTier

ONE_WAY = "0"


@dataclass(frozen=True, slots=True)
class Setting:
    """How a pair is set."""

    one_way: bool
    isolated: bool
    leverage: Decimal | None


async def reading(place: Place) -> AccountReading:
    """Read wallets, positions and open orders; a part that fails is named."""
    return await reading_of(place, _wallets(place), _net(place), _standing(place))


async def _wallets(place: Place) -> dict[str, Decimal]:
    if place.config.wallet in HOLDS:
        return await held(place)
    return {COIN: wallet(await futures_account(place))}


async def _net(place: Place) -> dict[str, Decimal]:
    if place.config.wallet in HOLDS:
        return {}
    return net_positions(place, await position_rows(place))


async def _standing(place: Place) -> tuple[SeenOrder, ...]:
    return () if place.config.wallet in HOLDS else await open_orders(place)


async def setting(place: Place, market: JsonObject) -> Setting:
    """Read how a pair is set: position and margin mode, leverage; kept for a short while."""
    asked, ask = {"symbol": market["id"]}, place.login.kept
    position, margin, leverage = await asyncio.gather(
        ask("futuresprivate_get_position_getpositionmode", {}),
        ask("futuresprivate_get_position_getmarginmode", asked),
        ask("futuresprivate_get_getcrossuserleverage", asked),
    )
    return Setting(
        one_way=text(data_of(position, "position mode"), "positionMode") == ONE_WAY,
        isolated=is_isolated(data_of(margin, "margin mode")),
        leverage=number(text(data_of(leverage, "leverage"), "leverage")),
    )


async def account(place: Place) -> Account:
    """Read everything a snapshot says of an account, whole or not at all.

    Raises
    ------
    VenueError
        When any part fails, or the figures do not add up.
    """
    if place.config.wallet in HOLDS:
        return holding(place, await held(place))
    whole, rows, orders, fees, settings, left = await asyncio.gather(
        futures_account(place),
        position_rows(place),
        open_orders(place),
        _fees(place),
        place.each(setting),
        elsewhere(place),
    )
    check_identity(whole, rows)
    await check_leftovers(place, left, kucoin_markets.prices)
    own = wallet(whole)
    free = number(whole.get("maxWithdrawAmount"))
    free = (number(text(whole, "availableBalance")) or ZERO) if free is None else free
    return Account(
        **who(place),
        fees=fees,
        margin=Margin(model="whole_position", asset_mode="single"),
        balances={COIN: Balance(wallet=own, withdrawable=max(ZERO, min(own, free)))},
        collateral={COIN: (CollateralTier(upto=None, ratio=ONE),)},
        positions=_positions(place, rows, settings),
        open_orders=orders,
    )


async def _fees(place: Place) -> Fees:
    """Read fee rates by pair; the highest taker fee stands for what is not configured.

    Raises
    ------
    VenueError
        When a taker is told to be paid.
    """
    rates = dict[str, FeeRates]()
    for symbol in place.config.instruments:
        market = place.login.market(symbol)
        asked = {"symbol": market["id"]}
        row = data_of(await place.login.kept("futuresprivate_get_trade_fees", asked), "fees")
        maker, taker = number(text(row, "makerFeeRate")), number(text(row, "takerFeeRate"))
        if taker is not None and taker < 0:
            raise VenueError(f"a takerFeeRate {taker} of {symbol} is below zero")
        rates[f"{place.venue}:{symbol}"] = FeeRates(maker=maker, taker=taker)
    return Fees(taker=max((row.taker or ZERO for row in rates.values()), default=ZERO), by=rates)


def _positions(
    place: Place, rows: list[JsonObject], settings: Mapping[str, Setting]
) -> dict[str, Position]:
    found = {
        name: flat_pair(row.leverage, one_way=row.one_way, isolated=row.isolated)
        for name, row in settings.items()
    }
    pairs = dict[str, list[JsonObject]]()
    for row in rows:
        pairs.setdefault(instrument_of(place, row), []).append(row)
    for name, pair in pairs.items():
        one_way = len(pair) == 1 and text(pair[0], "positionSide") == "BOTH"
        legs = [_held(row) for row in pair]
        found[name] = pair_of(name, legs, one_way=one_way, tradable=name in settings)
    return found


def _held(row: JsonObject) -> Held:
    apart = (number(text(row, "posMargin")) or ZERO) if is_isolated(row) else None
    return Held(
        quantity=signed(row),
        entry=number(row.get("avgEntryPrice")),
        unrealised=number(text(row, "unrealisedPnl")) or ZERO,
        apart=apart,
        leverage=number(row.get("leverage")),
    )


def is_isolated(row: JsonObject) -> bool:
    """Tell whether a pair's margin stands apart."""
    mode = text(row, "marginMode")
    if mode not in {"ISOLATED", "CROSS"}:
        raise VenueError(f"margin mode {mode} is not known")
    return mode == "ISOLATED"


@exactly
def check_identity(whole: JsonObject, rows: list[JsonObject]) -> None:
    """Hold the account's own figures against each other and against its positions.

    The venue defines equity as margin balance and unrealised profit, of one answer.

    Raises
    ------
    VenueError
        When these differ by more than a cent, or unrealised profit from that of the positions by
        more than prices may have moved in between.
    """
    worth = sum((abs(number(text(row, "markValue")) or ZERO) for row in rows), ZERO)
    equity, margin, told = (
        number(text(whole, key)) or ZERO
        for key in ("accountEquity", "marginBalance", "unrealisedPNL")
    )
    if abs(equity - margin - told) > CENT:
        raise VenueError(f"EQUITY_IDENTITY: {COIN} equity={equity} balance={margin} profit={told}")
    found = sum((number(text(row, "unrealisedPnl")) or ZERO for row in rows), ZERO)
    check_unrealised(COIN, told, found, DRIFT * worth)
