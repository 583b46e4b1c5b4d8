"""Binance portfolio margin: one account for USD-M, COIN-M and cross margin, as a snapshot has it.

The account is wallet ``unified`` of its login. An asset counts as the venue has it: margin wallet
less what is borrowed and owed as interest, plus both futures wallets and their unrealised profit,
at its index price and collateral rate when it is above zero. What the venue states as equity, with
and without these rates, is held against that, and what it states as maintenance against the
brackets: borrowing, of which no bracket tells, freezes the account by that.

The venue liquidates when equity is 105 % of maintenance (uniMMR 1.05): brackets of the account are
the venue's by as much more. Below 120 % only reducing orders pass; twice the maintenance, which
initial margin by leverage is at least, is beyond that.

Nothing here was run against the venue itself. Sources: the pages Account Information, Account
Balance, Query UM (CM) Position Information, UM (CM) Notional and Leverage Brackets, Get UM (CM)
Current Position Mode, Query All Current UM (CM) Open Orders, Get User Commission Rate for UM (CM)
of Portfolio Margin; Portfolio Margin Collateral Rate, Query Portfolio Margin Asset Index Price;
User Universal Transfer; the article "Portfolio Margin: uniMMR". `binance_waiting` names those of
orders that wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial

from allocator.adapters.ccxt.answers import distinct, rows
from allocator.adapters.ccxt.binance_portfolio_checks import (
    added,
    check_equity,
    check_maintenance,
    check_profit,
    profit_of,
    wallet_of,
)
from allocator.adapters.ccxt.binance_reads import check_side, standing
from allocator.adapters.ccxt.binance_waiting import portfolio_orders
from allocator.adapters.ccxt.pairs import Held, flat_pair, pair_of
from allocator.adapters.ccxt.place import Place, text, who
from allocator.adapters.ccxt.readings import reading_of
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.adapters.figures import rising
from allocator.models.account import (
    Account,
    Balance,
    FeeRates,
    Fees,
    Margin,
    Position,
    SeenOrder,
    State,
)
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import AccountReading
from allocator.models.market import CollateralTier, Tier

SIDES = {"um": "linear", "cm": "inverse"}
LIQUIDATED_AT = Decimal("1.05")
"""The uniMMR at which the venue liquidates."""


STATES: Mapping[str, State] = {
    "NORMAL": "open", "MARGIN_CALL": "open", "SUPPLY_MARGIN": "reduce_only",
    "REDUCE_ONLY": "reduce_only",
}  # fmt: skip
"""What an account's status allows; under any other the venue is liquidating it."""

RATES_AGE_S = 600.0
FEES_AGE_S = 3600.0


def side_of(market: JsonObject) -> str:
    """Name the side of the service that trades a market.

    Raises
    ------
    VenueError
        For a spot market: the account's margin orders are not modelled.
    """
    if market["spot"]:
        raise VenueError(f"{market['symbol']} is not traded from a portfolio-margin account")
    return "um" if market["linear"] else "cm"


async def reading(place: Place) -> AccountReading:
    """Read wallets, positions and open orders; a part that fails is named."""
    return await reading_of(place, _wallets(place), _net(place), open_orders(place))


async def _wallets(place: Place) -> dict[str, Decimal]:
    return {coin: wallet_of(row) for coin, row in (await _balances(place)).items()}


async def _net(place: Place) -> dict[str, Decimal]:
    held = dict[str, Decimal]()
    for name, pair in _held(await _rows(place)).items():
        held[name] = added(pair, "positionAmt")
    return held


async def _balances(place: Place) -> dict[str, JsonObject]:
    """Read the assets that hold or owe anything.

    Raises
    ------
    VenueError
        When a margin order holds some of one: such orders are not read.
    """
    found = distinct(rows(await place.login.call("papi_get_balance", {})), "asset")
    kept = [text(row, "asset") for row in found if number(row.get("crossMarginLocked"))]
    if kept:
        raise VenueError(f"margin orders are not read, and {', '.join(kept)} is locked by one")
    return {text(row, "asset"): row for row in found if wallet_of(row) or profit_of(row)}


async def _rows(place: Place) -> dict[str, list[JsonObject]]:
    """Read every leg that the venue lists, flat ones too, by instrument."""
    found = dict[str, list[JsonObject]]()
    for side in SIDES:
        for row in rows(await place.login.call(f"papi_get_{side}_positionrisk", {})):
            check_side(row)
            found.setdefault(_named(place, side, row), []).append(row)
    return found


def _held(pairs: Mapping[str, list[JsonObject]]) -> dict[str, list[JsonObject]]:
    """Keep what is not flat."""
    found = {
        name: [row for row in pair if number(text(row, "positionAmt"))]
        for name, pair in pairs.items()
    }
    return {name: pair for name, pair in found.items() if pair}


def _named(place: Place, side: str, row: JsonObject) -> str:
    return place.named(text(row, "symbol"), SIDES[side])


async def open_orders(place: Place) -> tuple[SeenOrder, ...]:
    """Read every order that stands in a futures book, or waits there for a trigger."""
    waiting = await portfolio_orders(place, *(partial(_named, place, side) for side in SIDES))
    found = list[tuple[JsonObject, str]]()
    for side in SIDES:
        for row in rows(await place.login.call(f"papi_get_{side}_openorders", {})):
            found.append((row, _named(place, side, row)))
    return standing(place, found, waiting)


async def account(place: Place) -> Account:
    """Read everything a snapshot says of an account, whole or not at all.

    Raises
    ------
    VenueError
        When any part fails, the venue is liquidating, or the figures do not add up.
    """
    markets = [place.login.market(symbol) for symbol in place.config.instruments]
    whole, balances, listed, orders, fees, rates, prices, two_legs, brackets = await asyncio.gather(
        place.login.call("papi_get_account", {}), _balances(place), _rows(place),
        open_orders(place), _fees(place, markets), _ratios(place), _prices(place),
        _two_legs(place), _brackets(place),
    )  # fmt: skip
    if not isinstance(whole, dict):
        raise VenueError("no account in the answer")
    status = text(whole, "accountStatus")
    if status not in STATES:
        raise VenueError(f"account status {status}: the venue may be liquidating it")
    pairs = _held(listed)
    check_equity(whole, balances, rates, prices)
    check_profit(place, balances, pairs)
    check_maintenance(place, whole, pairs, brackets, prices)
    names = {f"{place.venue}:{market['symbol']}" for market in markets} | pairs.keys()
    raised = {name: _raised(place, name, brackets, prices) for name in names}
    return Account(
        **who(place),
        state=STATES[status],
        fees=fees,
        margin=Margin(model="tiered", asset_mode="multi"),
        balances={
            coin: Balance(wallet=wallet_of(row), withdrawable=_free(whole, row, prices.get(coin)))
            for coin, row in balances.items()
        },
        collateral={
            coin: (CollateralTier(upto=None, ratio=ratio),) for coin, ratio in rates.items()
        },
        positions=_positions(place, markets, listed, two_legs, raised),
        open_orders=orders,
    )


@exactly
def _free(whole: JsonObject, row: JsonObject, price: Decimal | None) -> Decimal:
    """Tell what may leave: free margin units, and no more than the account as a whole lets go."""
    units = added([row], "crossMarginFree") - added([row], "crossMarginBorrowed",
                                                  "crossMarginInterest")  # fmt: skip
    worth = number(whole.get("virtualMaxWithdrawAmount")) or ZERO
    most = worth / price if price else ZERO
    return max(ZERO, min(units, most)).quantize(Decimal("1e-8"), "ROUND_FLOOR")


async def _fees(place: Place, markets: list[JsonObject]) -> Fees:
    replies = await asyncio.gather(
        *(
            place.login.kept(
                f"papi_get_{side_of(row)}_commissionrate", {"symbol": row["id"]}, FEES_AGE_S
            )
            for row in markets
        )
    )
    by = {
        f"{place.venue}:{row['symbol']}": FeeRates(
            maker=number(reply.get("makerCommissionRate")),
            taker=number(text(reply, "takerCommissionRate")),
        )
        for row, reply in zip(markets, replies, strict=True)
    }
    takers = [row.taker for row in by.values() if row.taker is not None]
    return Fees(taker=max(takers, default=ZERO), by=by)


async def _ratios(place: Place) -> dict[str, Decimal]:
    reply = await place.login.shared("sapi_get_portfolio_collateralrate", {}, RATES_AGE_S)
    return {
        text(row, "asset"): number(text(row, "collateralRate")) or ZERO for row in rows(reply)
    }  # fmt: skip


async def _prices(place: Place) -> dict[str, Decimal]:
    reply = await place.login.shared("sapi_get_portfolio_asset_index_price", {})
    return {
        text(row, "asset"): number(text(row, "assetIndexPrice")) or ZERO for row in rows(reply)
    }  # fmt: skip


async def _two_legs(place: Place) -> dict[str, bool]:
    """Tell for each side whether long and short legs are kept apart."""
    replies = await asyncio.gather(
        *(place.login.call(f"papi_get_{side}_positionside_dual", {}) for side in SIDES)
    )
    found = dict[str, bool]()
    for side, reply in zip(SIDES, replies, strict=True):
        told = reply.get("dualSidePosition") if isinstance(reply, dict) else None
        if not isinstance(told, bool):
            raise VenueError("the answer does not tell the account's mode")
        found[side] = told
    return found


async def _brackets(place: Place) -> dict[str, tuple[Tier, ...]]:
    """Read each instrument's brackets, in dollars or (COIN-M) in coins."""
    found = dict[str, tuple[Tier, ...]]()
    for side, kind in SIDES.items():
        reply = await place.login.kept(f"papi_get_{side}_leveragebracket", {}, RATES_AGE_S)
        for row in rows(reply):
            name = place.instrument(text(row, "symbol"), kind)
            if name is not None:
                found[name] = tuple(_tier(step) for step in rows(row, "brackets"))
    return found


@exactly
def _tier(row: JsonObject) -> Tier:
    return Tier(
        cap=number(row.get("notionalCap", row.get("qtyCap"))) or ZERO,
        maintenance=number(text(row, "maintMarginRatio")) or ZERO,
        deduction=number(text(row, "cum")) or ZERO,
        max_leverage=number(text(row, "initialLeverage")),
    )


def _positions(
    place: Place, markets: list[JsonObject], listed: Mapping[str, list[JsonObject]],
    two_legs: Mapping[str, bool], raised: Mapping[str, tuple[Tier, ...]],
) -> dict[str, Position]:  # fmt: skip
    sides = {f"{place.venue}:{market['symbol']}": side_of(market) for market in markets}
    found = {
        name: flat_pair(_leverage(listed.get(name, ())), one_way=not two_legs[side], isolated=False)
        for name, side in sides.items()
    }
    for name, pair in _held(listed).items():
        side = side_of(place.market(name))
        found[name] = pair_of(
            name, [_leg(row) for row in pair], one_way=not two_legs[side], tradable=name in sides
        )
    return {name: row.model_copy(update={"tiers": raised[name]}) for name, row in found.items()}


def _leverage(pair: Sequence[JsonObject]) -> Decimal | None:
    """Tell what is selected for a pair; None: the venue does not list it."""
    return min((found for row in pair if (found := number(row.get("leverage")))), default=None)


def _leg(row: JsonObject) -> Held:
    return Held(
        quantity=number(text(row, "positionAmt")) or ZERO,
        entry=number(row.get("entryPrice")),
        unrealised=number(text(row, "unRealizedProfit")) or ZERO,
        apart=None,
        leverage=number(row.get("leverage")),
    )


@exactly
def _raised(
    place: Place, name: str, brackets: Mapping[str, tuple[Tier, ...]], prices: Mapping[str, Decimal]
) -> tuple[Tier, ...]:
    """Raise brackets to the ratio of liquidation; those of COIN-M are turned at the coin's price.

    Raises
    ------
    VenueError
        When there are none.
    """
    if name not in brackets:
        raise VenueError(f"no brackets of {name}")
    market = place.market(name)
    price = prices.get(str(market["settle"]), ZERO) if market["inverse"] else ONE
    return rising(
        tier.model_copy(
            update={
                "cap": tier.cap * price,
                "maintenance": tier.maintenance * LIQUIDATED_AT,
                "deduction": tier.deduction * LIQUIDATED_AT * price,
            }
        )
        for tier in brackets[name]
    )
