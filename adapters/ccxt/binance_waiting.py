"""Orders that wait for a trigger at Binance: its algo service, and COIN-M's under portfolio margin.

An answer holds all of them, in no pages. Sources: the venue's pages Current All Algo Open Orders
(USD-M), Important Notice - COIN-M / USD-M Architecture Integration (COIN-M's algo service, since
2026-06-30), Query All Current UM Open Algo Orders and Query All Current CM Open Conditional Orders
(Portfolio Margin; UM's conditional orders, which the algo service replaces, are deprecated since
2026-04-28), Event: Algo Order Update (the states). Each weighs 40 where no symbol is named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from functools import partial

from allocator.adapters.ccxt.answers import listed
from allocator.adapters.ccxt.place import Place, flag, reduces, sided, text
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.ccxt.waiting import Waiting, each, one_of, sized

Named = Callable[[JsonObject], str]
ALGO = {
    "usdm": "fapiprivate_get_openalgoorders",
    "coinm": "dapiprivate_get_openalgoorders",
    "um": "papi_get_um_algo_openalgoorders",
}
"""What lists the algo service's orders, by wallet, or by side of portfolio margin."""

STRATEGIES = "papi_get_cm_conditional_openorders"
AT_MARKET = frozenset({"STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
KINDS = AT_MARKET | {"STOP", "TAKE_PROFIT"}
PLACED, ENDED = "TRIGGERED", "FINISHED"
STATES = frozenset({"NEW", "TRIGGERING", PLACED})
"""States that are not an end; one that was triggered rests, under the id of an order of its own."""

NO_ORDER = frozenset({"", "0", "None"})


async def algo_orders(
    place: Place, wallet: str, named: Named, asked: JsonObject | None = None
) -> list[Waiting]:
    """Read what waits in a wallet's algo service, its markets named by a function of their rows."""
    found = listed(await place.login.call(ALGO[wallet], asked or {}), ALGO[wallet])
    return each(_open(found, "algoStatus"), "algoId", partial(_algo_order, named))


async def portfolio_orders(place: Place, um: Named, cm: Named) -> list[Waiting]:
    """Read what waits at both futures services of portfolio margin."""
    algo, told = await asyncio.gather(
        algo_orders(place, "um", um), place.login.call(STRATEGIES, {})
    )
    found = _open(listed(told, STRATEGIES), "strategyStatus")
    return [*algo, *each(found, "strategyId", partial(_strategy, cm))]


def still_waiting(
    waiting: Iterable[Waiting], standing: Collection[tuple[str, str]]
) -> list[Waiting]:
    """Leave out what has become an order that stands, or that ended before those were read.

    Parameters
    ----------
    standing
        Instrument and id of every order that stands, read after what waits: the venue counts the
        ids of each symbol anew.
    """
    return [
        row
        for row in waiting
        if row.order is None or not (row.fired or (row.instrument, row.order) in standing)
    ]


def _open(found: Iterable[JsonObject], state: str) -> list[JsonObject]:
    return [row for row in found if row.get(state) != ENDED]


def _order_id(row: JsonObject, key: str) -> str | None:
    told = str(row.get(key))
    return None if told in NO_ORDER else told


def _algo_order(named: Named, row: JsonObject) -> Waiting:
    one_of(row, "algoType", {"CONDITIONAL"})
    state = one_of(row, "algoStatus", STATES)
    kind = one_of(row, "orderType", KINDS)
    whole = flag(row, "closePosition")
    side = sided(row, "side", "BUY", "SELL")
    return Waiting(
        id=text(row, "algoId"),
        instrument=named(row),
        side=side,
        quantity=None if whole else sized(row, "quantity"),
        price=None if kind in AT_MARKET else number(row.get("price")) or None,
        reduce_only=whole or reduces(row, "positionSide", side, told=flag(row, "reduceOnly")),
        order=_order_id(row, "actualOrderId"),
        fired=state == PLACED,
    )


def _strategy(named: Named, row: JsonObject) -> Waiting:
    state = one_of(row, "strategyStatus", STATES)
    kind = one_of(row, "strategyType", KINDS)
    side = sided(row, "side", "BUY", "SELL")
    return Waiting(
        id=text(row, "strategyId"),
        instrument=named(row),
        side=side,
        quantity=sized(row, "origQty"),
        price=None if kind in AT_MARKET else number(row.get("price")) or None,
        reduce_only=reduces(row, "positionSide", side, told=flag(row, "reduceOnly")),
        order=_order_id(row, "orderId"),
        fired=state == PLACED,
    )
