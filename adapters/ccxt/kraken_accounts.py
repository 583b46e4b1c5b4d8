"""Kraken Futures: the multi-collateral wallet, or the cash wallet, as a snapshot has it.

Every currency of the wallet is collateral at the ratio that the wallet itself states (collateral by
value). Maintenance is the whole position's value at its level's rate; whether the venue means it
so or by marginal levels is on no page read, and this is the larger. The venue takes a position's
value at the price of its entry (the note under its schedule of margins), we at the mark: a position
that was dearer at its entry has brackets of its own, by which its margin comes out as at the entry.
What the wallet states as maintenance is held against that, since retail customers have levels of
their own. A pair for which a leverage is set is margined apart; a position there is refused, since
no page read tells what it has set aside.

Sources: the venue's pages "Get wallets", "Get open positions", "Get the leverage setting for a
market", "Get fee schedules". Since June 2026 the schedules no longer say what is charged; they are
taken at their first, dearest tier.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from allocator.adapters.ccxt.answers import rows as listed
from allocator.adapters.ccxt.kraken_markets import level_of, tickers, tiers_of
from allocator.adapters.ccxt.kraken_reads import (
    asset,
    held,
    instrument_of,
    open_orders,
    position_rows,
    signed,
    wallet_of,
)
from allocator.adapters.ccxt.pairs import DRIFT, check_unrealised, flat_pair
from allocator.adapters.ccxt.place import Place, text, who
from allocator.adapters.ccxt.readings import holding, reading_of
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.adapters.figures import CENT, rising
from allocator.models.account import Account, Balance, FeeRates, Fees, Margin, Position, SeenOrder
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import AccountReading
from allocator.models.market import CollateralTier, Tier

DIGITS = Decimal("1e-12")
"""To which a ratio is told, against us."""


async def reading(place: Place) -> AccountReading:
    """Read wallets, positions and open orders; a part that fails is named."""
    return await reading_of(place, _wallets(place), _net(place), _standing(place))


async def _wallets(place: Place) -> dict[str, Decimal]:
    return held(place, await wallet_of(place))


async def _net(place: Place) -> dict[str, Decimal]:
    if place.config.wallet == "funding":
        return {}
    return {name: signed(row) for name, row in (await position_rows(place)).items()}


async def _standing(place: Place) -> tuple[SeenOrder, ...]:
    return () if place.config.wallet == "funding" else await open_orders(place)


async def account(place: Place) -> Account:
    """Read everything a snapshot says of an account, whole or not at all.

    Raises
    ------
    VenueError
        When any part fails, a position is isolated, or the figures do not add up.
    """
    whole = await wallet_of(place)
    if place.config.wallet == "funding":
        return holding(place, held(place, whole))
    rows, orders, fees, marks, apart = await asyncio.gather(
        position_rows(place), open_orders(place), _fees(place), _marks(place), _isolated(place)
    )
    check_identity(whole)
    check_positions(place, whole, rows, marks)
    isolated = sorted(apart & rows.keys())
    if isolated:
        raise VenueError(f"{isolated[0]} is isolated: its margin is told by no page read")
    units = held(place, whole)
    return Account(
        **who(place),
        fees=fees,
        margin=Margin(model="whole_position", asset_mode="multi"),
        balances={name: _balance(units[name], row) for name, row in _by_asset(place, whole)},
        collateral={name: _ratio(row) for name, row in _by_asset(place, whole)},
        positions=_positions(place, rows, marks, apart),
        open_orders=orders,
    )


def _by_asset(place: Place, whole: JsonObject) -> list[tuple[str, JsonObject]]:
    return [(asset(place, name), row) for name, row in sorted(whole["currencies"].items())]


@exactly
def _balance(units: Decimal, row: JsonObject) -> Balance:
    free = min(units, number(row.get("available")) or ZERO)
    return Balance(wallet=units, withdrawable=max(ZERO, free))


@exactly
def _ratio(row: JsonObject) -> tuple[CollateralTier, ...]:
    """Read what a unit of a currency counts for as collateral; nothing when none is held."""
    value, counted = number(text(row, "value")) or ZERO, number(text(row, "collateral")) or ZERO
    ratio = max(ZERO, min(ONE, counted / value)) if value > 0 else ZERO
    return (CollateralTier(upto=None, ratio=ratio.quantize(DIGITS, ROUND_FLOOR)),)


async def _marks(place: Place) -> dict[str, Decimal]:
    rows = await tickers(place)
    return {name: number(text(row, "markPrice")) or ZERO for name, row in rows.items()
            if row.get("markPrice") is not None}  # fmt: skip


async def _isolated(place: Place) -> set[str]:
    """List the instruments whose leverage is set, which are margined apart."""
    reply = await place.login.call("private_get_leveragepreferences", {})
    names = (instrument_of(place, row) for row in listed(reply, "leveragePreferences"))
    return {name for name in names if name is not None}


async def _fees(place: Place) -> Fees:
    """Take the dearest tier of each contract's fee schedule; rates are in percent."""
    schedules = listed(await place.login.shared("public_get_feeschedules", {}), "feeSchedules")
    tiers = {text(row, "uid"): listed(row, "tiers") for row in schedules}
    rates = dict[str, FeeRates]()
    for symbol in place.config.instruments:
        uid = str(place.login.market(symbol)["info"].get("feeScheduleUid"))
        if not tiers.get(uid):
            raise VenueError(f"no fee schedule of {symbol}")
        rates[f"{place.venue}:{symbol}"] = _dearest(tiers[uid])
    return Fees(taker=max((row.taker or ZERO for row in rates.values()), default=ZERO), by=rates)


@exactly
def _dearest(tiers: list[JsonObject]) -> FeeRates:
    maker, taker = (
        max(number(text(row, key)) or ZERO for row in tiers) / 100
        for key in ("makerFee", "takerFee")
    )
    return FeeRates(maker=maker, taker=taker)


def _positions(
    place: Place, rows: Mapping[str, JsonObject], marks: Mapping[str, Decimal], apart: set[str]
) -> dict[str, Position]:
    mine = {f"{place.venue}:{symbol}" for symbol in place.config.instruments}
    found = {
        name: flat_pair(None, one_way=True, isolated=name in apart)
        for name in sorted(mine)
    }  # fmt: skip
    for name, row in rows.items():
        mark = marks[_id(place, name)]
        found[name] = Position(
            quantity=signed(row),
            entry_price=number(text(row, "price")),
            unrealised=profit(row, mark),
            tiers=_dearer(tiers_of(place.market(name)["info"]), row, mark),
            tradable=name in mine,
        )
    return found


@exactly
def _dearer(tiers: tuple[Tier, ...], row: JsonObject, mark: Decimal) -> tuple[Tier, ...]:
    """Give brackets by value at the mark that ask what the venue asks at the entry, if more.

    Where the entry lies ``r`` times above the mark, rates are ``r`` times the level's and a bracket
    ends at an ``r``-th of its cap; none where the instrument's own ask no less.
    """
    entry = number(text(row, "price")) or ZERO
    if entry <= mark or not mark:
        return ()
    ratio = entry / mark
    return rising(
        Tier(
            cap=(tier.cap / ratio).quantize(CENT, ROUND_FLOOR),
            maintenance=(tier.maintenance * ratio).quantize(DIGITS, ROUND_CEILING),
            initial=((tier.initial or ONE) * ratio).quantize(DIGITS, ROUND_CEILING),
        )
        for tier in tiers
    )


def _id(place: Place, name: str) -> str:
    return str(place.market(name)["id"])


@exactly
def profit(row: JsonObject, mark: Decimal) -> Decimal:
    """Tell a position's unrealised profit with the funding that it has not settled, USD."""
    entry = number(text(row, "price")) or ZERO
    funding = number(row.get("unrealizedFunding")) or ZERO
    return signed(row) * (mark - entry) + funding


@exactly
def check_identity(whole: JsonObject) -> None:
    """Hold the wallet's own figures against each other: they come in one answer.

    Portfolio value is the balances' and all that is unrealised; margin equity the collateral's and
    what counts of it as margin; the balances' value is that of its currencies.

    Raises
    ------
    VenueError
        When one does not add up to a cent and a millionth.
    """
    figures = {
        key: number(text(whole, key)) or ZERO
        for key in ("balanceValue", "portfolioValue", "collateralValue", "marginEquity",
                    "totalUnrealized", "totalUnrealizedAsMargin")
    }  # fmt: skip
    values = [number(text(row, "value")) or ZERO for row in whole["currencies"].values()]
    for told, found in (
        ("portfolioValue", figures["balanceValue"] + figures["totalUnrealized"]),
        ("marginEquity", figures["collateralValue"] + figures["totalUnrealizedAsMargin"]),
        ("balanceValue", sum(values, ZERO)),
    ):
        allowed = Decimal("0.01") * (len(values) + 1) + abs(found) / 1_000_000
        if abs(figures[told] - found) > allowed:
            raise VenueError(f"EQUITY_IDENTITY: {told}={figures[told]} sum={found}")


@exactly
def check_positions(
    place: Place,
    whole: JsonObject,
    rows: Mapping[str, JsonObject],
    marks: Mapping[str, Decimal],
) -> None:
    """Hold the wallet's profit and maintenance margin against its positions'.

    Raises
    ------
    VenueError
        When profit differs by more than prices may have moved, or the wallet states more margin
        than the levels of its contracts give at the entry or the mark: others hold for this
        customer.
    """
    profits, worth, needed = ZERO, ZERO, ZERO
    for name, row in rows.items():
        market = place.market(name)
        mark = marks.get(str(market["id"]))
        if mark is None:
            raise VenueError(f"no ticker of {name}")
        dearest = abs(signed(row)) * max(mark, number(text(row, "price")) or ZERO)
        profits += profit(row, mark)
        worth += abs(signed(row)) * mark
        needed += dearest * level_of(market["info"], dearest)
    told = number(text(whole, "totalUnrealized")) or ZERO
    check_unrealised("USD", told, profits, DRIFT * worth)
    stated = number(text(whole, "maintenanceMargin")) or ZERO
    if stated > needed * (ONE + DRIFT) + ONE:
        raise VenueError(f"MARGIN_LEVELS: stated={stated} by levels={needed}")
