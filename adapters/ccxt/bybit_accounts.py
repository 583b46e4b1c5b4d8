"""Bybit v5: an account of the unified kind, or a funding wallet, as a snapshot has it.

Sources: the venue's pages v5/account/wallet-balance, v5/account/account-info, v5/account/fee-rate,
v5/position, v5/account/unified-trans-amnt, v5/spot-margin-uta/tier-collateral-ratio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from decimal import Decimal

from allocator.adapters.ccxt.bybit_reads import (
    CATEGORIES,
    category,
    funding_wallet,
    instrument_of,
    net_positions,
    open_orders,
    pages,
    position_rows,
    result,
    signed,
    unified,
    wallet,
)
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.pairs import (
    DRIFT,
    Held,
    a_cent,
    check_unrealised,
    flat_pair,
    pair_of,
)
from allocator.adapters.ccxt.place import Place, text, who
from allocator.adapters.ccxt.readings import reading_of
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.account import (
    Account,
    Balance,
    FeeRates,
    Fees,
    Isolated,
    Margin,
    Position,
    SeenOrder,
    State,
)
from allocator.models.base import ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import AccountReading
from allocator.models.market import CollateralTier

COINS_A_CALL = 20
PositionRow = tuple[str, JsonObject]


async def reading(place: Place) -> AccountReading:
    """Read wallets, positions and open orders; a part that fails is named."""
    return await reading_of(place, _wallets(place), _net(place), _standing(place))


async def _net(place: Place) -> dict[str, Decimal]:
    if place.config.wallet == "funding":
        return {}
    return net_positions(place, await position_rows(place))


async def _standing(place: Place) -> tuple[SeenOrder, ...]:
    return () if place.config.wallet == "funding" else await open_orders(place)


async def _wallets(place: Place) -> dict[str, Decimal]:
    if place.config.wallet == "funding":
        return {coin: units for coin, (units, _) in (await funding_wallet(place)).items()}
    return {text(row, "coin"): wallet(row) for row in (await unified(place))["coin"]}


async def account(place: Place) -> Account:
    """Read everything a snapshot says of an account, whole or not at all.

    Raises
    ------
    VenueError
        When any part fails, the margin mode is not modelled, or the figures do not add up.
    """
    if place.config.wallet == "funding":
        return await _funding(place)
    info, whole, rows, orders, fees, steps = await asyncio.gather(
        place.login.call("private_get_v5_account_info", {}),
        unified(place),
        position_rows(place),
        open_orders(place),
        _fees(place),
        _collateral_steps(place),
    )
    mode = text(result(info), "marginMode")
    if mode == "PORTFOLIO_MARGIN":
        raise VenueError("portfolio margin is not read by this adapter")
    coins: list[JsonObject] = whole["coin"]
    check_identity(place, coins, rows)
    flat = await _flat(place, rows)
    free = await _withdrawable(place, [text(row, "coin") for row in coins])
    return Account(
        **who(place),
        state=_state(rows),
        fees=fees,
        margin=Margin(asset_mode="multi"),
        balances={
            text(row, "coin"): Balance(wallet=wallet(row), withdrawable=free.get(text(row, "coin")))
            for row in coins
        },
        collateral=_collateral(place, coins, steps),
        positions=_positions(place, rows, flat, isolated=mode == "ISOLATED_MARGIN"),
        spot=_tradable(place, {"spot"}),
        open_orders=orders,
    )


async def _funding(place: Place) -> Account:
    held = await funding_wallet(place)
    balances = {
        coin: Balance(wallet=units, withdrawable=min(units, free))
        for coin, (units, free) in held.items()
    }
    return Account(**who(place), fees=Fees(taker=ZERO), balances=balances)


def _tradable(place: Place, names: Collection[str]) -> tuple[str, ...]:
    """List the configured instruments of some categories."""
    return tuple(
        f"{place.venue}:{symbol}"
        for symbol in place.config.instruments
        if category(place.login.market(symbol)) in names
    )


def _state(rows: list[PositionRow]) -> State:
    """Freeze an account that is being liquidated; let one whose limit was cut only reduce."""
    if any(row.get("positionStatus") in ("Liq", "Adl") for _, row in rows):
        return "frozen"
    return "reduce_only" if any(row.get("isReduceOnly") for _, row in rows) else "open"


async def _fees(place: Place) -> Fees:
    """Read fee rates by instrument; the highest taker fee stands for what is not listed."""
    markets = [place.login.market(symbol) for symbol in place.config.instruments]
    asked = sorted({category(row) for row in markets}) or [CATEGORIES[0]]
    replies = await asyncio.gather(
        *(place.login.call("private_get_v5_account_fee_rate", {"category": name}) for name in asked)
    )
    rates = dict[str, FeeRates]()
    for name, reply in zip(asked, replies, strict=True):
        for row in result(reply).get("list") or ():
            instrument = place.instrument(str(row.get("symbol")), name)
            if instrument is not None:
                rates[instrument] = FeeRates(
                    maker=number(row.get("makerFeeRate")), taker=number(text(row, "takerFeeRate"))
                )
    takers = [row.taker for row in rates.values() if row.taker is not None]
    if not takers:
        raise UnansweredError("no fee rates in the answer")
    mine = _tradable(place, set(CATEGORIES))
    return Fees(taker=max(takers), by={name: rates[name] for name in mine if name in rates})


async def _flat(place: Place, rows: list[PositionRow]) -> dict[str, Position]:
    """Read how configured pairs that are flat are set: leverage, one leg or two, margin apart."""
    held = {(name, str(row.get("symbol"))) for name, row in rows}
    markets = [place.login.market(symbol) for symbol in place.config.instruments]
    flat = [row for row in markets if row["contract"] and (category(row), row["id"]) not in held]
    found = await asyncio.gather(
        *(
            pages(
                place.login,
                "private_get_v5_position_list",
                {"category": category(row), "symbol": row["id"]},
            )
            for row in flat
        )
    )
    return {
        f"{place.venue}:{market['symbol']}": _flat_pair(answer[0])
        for market, answer in zip(flat, found, strict=True)
        if answer
    }


def _flat_pair(row: JsonObject) -> Position:
    return flat_pair(
        number(row.get("leverage")),
        one_way=str(row.get("positionIdx") or "0") == "0",
        isolated=str(row.get("tradeMode")) == "1",
    )


async def _withdrawable(place: Place, coins: list[str]) -> dict[str, Decimal]:
    free = dict[str, Decimal]()
    for start in range(0, len(coins), COINS_A_CALL):
        names = ",".join(coins[start : start + COINS_A_CALL])
        reply = await place.login.call("private_get_v5_account_withdrawal", {"coinName": names})
        units = result(reply).get("availableWithdrawalMap")
        if not isinstance(units, dict):
            raise UnansweredError("no transferable amounts in the answer")
        free |= {coin: max(ZERO, number(value) or ZERO) for coin, value in units.items()}
    return free


async def _collateral_steps(place: Place) -> dict[str, tuple[CollateralTier, ...]]:
    reply = await place.login.shared("public_get_v5_spot_margin_trade_collateral", {})
    return {
        text(row, "currency"): tuple(
            CollateralTier(
                upto=number(step.get("maxQty")) or None,
                ratio=number(text(step, "collateralRatio")) or ZERO,
            )
            for step in row["collateralRatioList"]
        )
        for row in result(reply).get("list") or ()
    }


def _collateral(
    place: Place, coins: list[JsonObject], steps: Mapping[str, tuple[CollateralTier, ...]]
) -> dict[str, tuple[CollateralTier, ...]]:
    """Give each coin its ratios: none where the venue lists none or the owner switched it off."""
    nothing = (CollateralTier(upto=None, ratio=ZERO),)
    off = {
        text(row, "coin")
        for row in coins
        if row.get("collateralSwitch") is False or row.get("marginCollateral") is False
    }
    names = {text(row, "coin") for row in coins}
    for symbol in place.config.instruments:
        market = place.login.market(symbol)
        names |= {market[key] for key in ("base", "quote", "settle") if market[key] in steps}
    return {name: nothing if name in off else steps.get(name, nothing) for name in sorted(names)}


def _positions(
    place: Place, rows: list[PositionRow], flat: Mapping[str, Position], *, isolated: bool
) -> dict[str, Position]:
    tradable = set(_tradable(place, {"linear", "inverse"}))
    apart = Isolated(wallet=ZERO) if isolated else None
    found = {
        name: row.model_copy(update={"isolated": apart}) if isolated else row
        for name, row in flat.items()
    }
    legs = dict[str, list[JsonObject]]()
    for name, row in rows:
        instrument = instrument_of(place, row, name)
        legs.setdefault(instrument, []).append(row)
    for instrument, pair in legs.items():
        found[instrument] = pair_of(
            instrument,
            [_held(row, isolated=isolated) for row in pair],
            one_way=all(str(row.get("positionIdx") or "0") == "0" for row in pair),
            tradable=instrument in tradable,
        )
    return found


def _held(row: JsonObject, *, isolated: bool) -> Held:
    alone = isolated or str(row.get("tradeMode")) == "1"
    return Held(
        quantity=signed(row),
        entry=number(text(row, "avgPrice")),
        unrealised=number(text(row, "unrealisedPnl")) or ZERO,
        apart=(number(text(row, "positionBalance")) or ZERO) if alone else None,
        leverage=number(row.get("leverage")) or None,
    )


@exactly
def check_identity(place: Place, coins: list[JsonObject], rows: list[PositionRow]) -> None:
    """Hold the positions read against the wallet's own figures.

    Raises
    ------
    VenueError
        When a coin carries position margin but no position was read in it, or its unrealised
        profit differs by more than prices may have moved in between.
    """
    profits, values = dict[str, Decimal](), dict[str, Decimal]()
    for name, row in rows:
        market = place.market(instrument_of(place, row, name))
        coin = str(market["settle"])
        profits[coin] = profits.get(coin, ZERO) + (number(text(row, "unrealisedPnl")) or ZERO)
        worth = abs(number(row.get("positionValue")) or ZERO)
        values[coin] = values.get(coin, ZERO) + worth
    for row in coins:
        coin = text(row, "coin")
        if number(row.get("totalPositionIM")) and coin not in values:
            raise VenueError(f"EQUITY_IDENTITY: {coin} has position margin, and no position")
        told = number(row.get("unrealisedPnl")) or ZERO
        cent = a_cent(number(row.get("equity")), number(row.get("usdValue")))
        allowed = DRIFT * values.get(coin, ZERO) + cent
        check_unrealised(coin, told, profits.get(coin, ZERO), allowed)
