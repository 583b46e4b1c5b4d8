"""OKX v5: a trading account, or a funding account, as a snapshot has it.

Futures mode margins each currency's contracts by that currency alone; in multi-currency mode every
currency counts at its discount steps. Tiers hold for the whole position in both.

Sources: the venue's pages "Get account configuration", "Get balance", "Get positions", "Get
withdrawal history".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from allocator.adapters.ccxt.okx_reads import (
    details,
    funding_account,
    instrument_of,
    net_positions,
    only,
    position_rows,
    rows,
    signed,
    size_of,
    trading_account,
    wallet,
)
from allocator.adapters.ccxt.okx_terms import Steps, named, note_rights, terms
from allocator.adapters.ccxt.okx_waiting import open_orders
from allocator.adapters.ccxt.pairs import DRIFT, a_cent, check_legs
from allocator.adapters.ccxt.place import Place, text, who
from allocator.adapters.ccxt.readings import reading_of
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.account import (
    Account,
    Balance,
    Fees,
    InFlight,
    Isolated,
    Legs,
    Margin,
    Position,
    SeenOrder,
    State,
)
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import AccountReading
from allocator.models.market import CollateralTier

SPOT, FUTURES, MULTI, PORTFOLIO = "1", "2", "3", "4"
LEVEL = "acctLv"
ENDED_WITHDRAWALS = frozenset({"2", "-1", "-2"})
IN_FULL = (CollateralTier(upto=None, ratio=ONE),)
NOT_AT_ALL = (CollateralTier(upto=None, ratio=ZERO),)


async def reading(place: Place) -> AccountReading:
    """Read wallets, positions and open orders; a part that fails is named."""
    return await reading_of(place, _wallets(place), _net(place), _standing(place))


async def _wallets(place: Place) -> dict[str, Decimal]:
    if place.config.wallet == "funding":
        return {coin: units for coin, (units, _) in (await funding_account(place)).items()}
    return {text(row, "ccy"): wallet(row) for row in details(await trading_account(place))}


async def _net(place: Place) -> dict[str, Decimal]:
    if place.config.wallet != "unified":
        return {}
    return net_positions(place, await position_rows(place))


async def _standing(place: Place) -> tuple[SeenOrder, ...]:
    return await open_orders(place) if place.config.wallet == "unified" else ()


async def account_mode(place: Place) -> JsonObject:
    """Read the account's configuration, and note its mode for the orders to come."""
    config = only(await place.login.call("private_get_account_config", {}))
    place.login.noted[LEVEL] = text(config, "acctLv")
    return config


async def account(place: Place) -> Account:
    """Read everything a snapshot says of an account, whole or not at all.

    Raises
    ------
    VenueError
        When any part fails, the account's mode is not modelled, or the figures do not add up.
    """
    if place.config.wallet == "funding":
        return await _funding(place)
    config, whole, held, orders, under, _ = await asyncio.gather(
        account_mode(place),
        trading_account(place),
        position_rows(place),
        open_orders(place),
        terms(place),
        note_rights(place),
    )
    level, coins = _level(place, config), details(whole)
    check_identity(place, whole, held)
    hedge = text(config, "posMode") == "long_short_mode"
    return Account(
        **who(place),
        state=_state(whole),
        fees=under.fees,
        margin=Margin(model="whole_position", asset_mode="multi" if level == MULTI else "single"),
        balances={
            text(row, "ccy"): Balance(
                wallet=wallet(row), withdrawable=under.free.get(text(row, "ccy"))
            )
            for row in coins
        },
        collateral=_collateral(place, coins, under.steps if level == MULTI else None),
        positions=_positions(place, held, under.leverage, hedge=hedge),
        spot=named(place, contracts=False),
        open_orders=orders,
    )


def _level(place: Place, config: JsonObject) -> str:
    """Read the account's mode.

    Raises
    ------
    VenueError
        For portfolio margin, which is not modelled, and spot mode where contracts are configured.
    """
    level = text(config, "acctLv")
    if level == PORTFOLIO:
        raise VenueError("portfolio margin (acctLv 4) is not read by this adapter")
    if level == SPOT and named(place, contracts=True):
        raise VenueError("spot mode (acctLv 1) has no contracts: switch the account's mode")
    return level


async def _funding(place: Place) -> Account:
    """Read the funding account; what waits to be credited is told by our own record alone."""
    own = place.login is place.master
    held, leaving = await asyncio.gather(funding_account(place), _leaving(place) if own else _no())
    balances = {
        coin: Balance(wallet=units, withdrawable=min(units, free))
        for coin, (units, free) in held.items()
    }
    await note_rights(place)
    return Account(**who(place), fees=Fees(taker=ZERO), balances=balances, in_flight=leaving)


async def _no() -> tuple[InFlight, ...]:
    return ()


async def _leaving(place: Place) -> tuple[InFlight, ...]:
    """List withdrawals that have left the account and not yet ended."""
    reply = await place.login.call("private_get_asset_withdrawal_history", {})
    return tuple(
        InFlight(asset=text(row, "ccy"), amount=number(text(row, "amt")) or ZERO, direction="out")
        for row in rows(reply)
        if text(row, "state") not in ENDED_WITHDRAWALS
    )


@exactly
def _state(whole: JsonObject) -> State:
    """Freeze an account that is at its maintenance margin: the venue liquidates it."""
    ratios = [whole.get("mgnRatio"), *(row.get("mgnRatio") for row in details(whole))]
    known = [ratio for ratio in map(number, ratios) if ratio is not None]
    if any(ratio <= 1 for ratio in known):
        return "frozen"
    return "reduce_only" if str(whole.get("deltaNeutralStatus")) == "2" else "open"


def _collateral(
    place: Place, coins: list[JsonObject], steps: Steps | None
) -> dict[str, tuple[CollateralTier, ...]]:
    """Give each currency its ratios: in full where it margins itself alone.

    In multi-currency mode none where the venue lists none or the owner switched it off.
    """
    names = {text(row, "ccy") for row in coins}
    for symbol in place.config.instruments:
        market = place.login.market(symbol)
        known = market["settle"], market["base"], market["quote"]
        names |= {name for name in known if name and (steps is None or name in steps)}
    if steps is None:
        return dict.fromkeys(sorted(names), IN_FULL)
    off = {text(row, "ccy") for row in coins if row.get("collateralEnabled") is False}
    return {
        name: NOT_AT_ALL if name in off else steps.get(name, NOT_AT_ALL) for name in sorted(names)
    }


def _positions(
    place: Place, held: list[JsonObject], levers: Mapping[str, Decimal], *, hedge: bool
) -> dict[str, Position]:
    mine = named(place, contracts=True)
    found = {
        name: Position(
            quantity=ZERO,
            leverage=levers.get(name),
            tradable=not hedge,
            legs=Legs() if hedge else None,
        )
        for name in mine
    }
    pairs = dict[str, list[JsonObject]]()
    for row in held:
        pairs.setdefault(instrument_of(place, row), []).append(row)
    for name, pair in pairs.items():
        found[name] = _position(name, pair, tradable=name in mine)
    return found


@exactly
def _position(name: str, pair: list[JsonObject], *, tradable: bool) -> Position:
    """Describe a pair.

    Raises
    ------
    VenueError
        When it is held cross and isolated at once (one place cannot stand for both), or its legs
        are not one whole, or a long and a short one.
    """
    if len({text(row, "mgnMode") for row in pair}) > 1:
        raise VenueError(f"{name} is held cross and isolated at once")
    check_legs([text(leg, "posSide") for leg in pair], "net", ("long", "short"))
    row = pair[0]
    alone = text(row, "mgnMode") == "isolated"
    told = [number(text(leg, "margin")) or ZERO for leg in pair] if alone else []
    apart = sum((max(ZERO, units) for units in told), ZERO)
    common = {
        "leverage": min((lever for lever in (number(leg.get("lever")) for leg in pair) if lever),
                        default=None),
        "isolated": Isolated(wallet=apart) if alone else None,
    }  # fmt: skip
    if text(row, "posSide") == "net":
        return Position.model_validate(
            {
                **common,
                "quantity": signed(row),
                "entry_price": number(text(row, "avgPx")),
                "tradable": tradable,
            }
        )
    sizes = {text(leg, "posSide"): abs(signed(leg)) for leg in pair}
    return Position.model_validate(
        {
            **common,
            "legs": Legs(long=sizes.get("long", ZERO), short=sizes.get("short", ZERO)),
            "unrealised": sum((number(text(leg, "upl")) or ZERO for leg in pair), ZERO),
            "tradable": False,
        }
    )


@exactly
def check_identity(place: Place, whole: JsonObject, held: list[JsonObject]) -> None:
    """Hold the positions read against the account's own figures.

    Raises
    ------
    VenueError
        When the account carries margin but no position was read, or a currency's unrealised
        profit differs by more than prices may have moved in between.
    """
    carried = [row.get("imr") for row in details(whole)] + [whole.get("notionalUsdForSwap")]
    if not held and any(number(figure) for figure in carried):
        raise VenueError("EQUITY_IDENTITY: the account has position margin, and no position")
    profits, cross, values = dict[str, Decimal](), dict[str, Decimal](), dict[str, Decimal]()
    for row in held:
        market = place.market(instrument_of(place, row))
        coin, told = str(market["settle"]), number(row.get("upl")) or ZERO
        profits[coin] = profits.get(coin, ZERO) + told
        if row.get("mgnMode") == "cross":
            cross[coin] = cross.get(coin, ZERO) + told
        values[coin] = values.get(coin, ZERO) + _worth(market, row)
    for row in details(whole):
        coin, told = text(row, "ccy"), number(row.get("upl")) or ZERO
        cent = a_cent(number(row.get("eq")), number(row.get("eqUsd")))
        allowed = DRIFT * values.get(coin, ZERO) + cent
        sums = profits.get(coin, ZERO), cross.get(coin, ZERO)
        if all(abs(told - total) > allowed for total in sums):
            raise VenueError(f"EQUITY_IDENTITY: {coin} unrealised={told} positions={sums[0]}")


def _worth(market: JsonObject, row: JsonObject) -> Decimal:
    """Tell what a position is worth in its settle asset."""
    price = number(row.get("markPx")) or number(row.get("avgPx")) or ONE
    contracts = abs(signed(row)) * size_of(market)
    return contracts / price if market["inverse"] else contracts * price
