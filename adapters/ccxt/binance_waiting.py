"""Orders that wait for a trigger at Binance: its algo service, and COIN-M's under portfolio margin.

An answer holds all of them, in no pages. Sources: the venue's pages Current All Algo Open Orders
(USD-M), Important Notice - COIN-M / USD-M Architecture Integration (COIN-M's algo service, since
2026-06-30), Query All Current UM Open Algo Orders and Query All Current CM Open Conditional Orders
(Portfolio Margin; UM's conditional orders, which the algo service replaces, are deprecated since
2026-04-28), Event: Algo Order Update (the states). Each weighs 40 where no symbol is named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
STATES = frozenset({"NEW", "TRIGGERING", "TRIGGERED"})
"""States that are not an end. One that has been triggered may stand in a book as well by now, and
counts twice for a moment."""


async def algo_orders(place: Place, wallet: str, named: Named) -> list[Waiting]:
    """Read what waits in a wallet's algo service, its markets named by a function of their rows."""
    found = listed(await place.login.call(ALGO[wallet], {}), ALGO[wallet])
    return each(found, "algoId", partial(_algo_order, named))


async def portfolio_orders(place: Place, um: Named, cm: Named) -> list[Waiting]:
    """Read what waits at both futures services of portfolio margin."""
    algo, told = await asyncio.gather(
        algo_orders(place, "um", um), place.login.call(STRATEGIES, {})
    )
    return [*algo, *each(listed(told, STRATEGIES), "strategyId", partial(_strategy, cm))]


def _algo_order(named: Named, row: JsonObject) -> Waiting:
    one_of(row, "algoType", {"CONDITIONAL"})
    one_of(row, "algoStatus", STATES)
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
    )


def _strategy(named: Named, row: JsonObject) -> Waiting:
    one_of(row, "strategyStatus", STATES)
    kind = one_of(row, "strategyType", KINDS)
    side = sided(row, "side", "BUY", "SELL")
    return Waiting(
        id=text(row, "strategyId"),
        instrument=named(row),
        side=side,
        quantity=sized(row, "origQty"),
        price=None if kind in AT_MARKET else number(row.get("price")) or None,
        reduce_only=reduces(row, "positionSide", side, told=flag(row, "reduceOnly")),
    )
