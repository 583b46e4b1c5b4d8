"""Orders that wait for a trigger at KuCoin Futures: stops, take-profits and stop-losses.

One with ``closeOrder`` closes the position whatever its size: the venue decides size and side once
it fires. Sources: the venue's pages "Get Stop Order List" (6 of the futures pool, in pages), "Add
Take Profit And Stop Loss Order".
"""

from __future__ import annotations

from functools import partial

from allocator.adapters.ccxt.kucoin_reads import (
    check_read,
    instrument_of,
    standing_orders,
    standing_rows,
)
from allocator.adapters.ccxt.place import Place, flag, reduces, sided, text
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.ccxt.waiting import Waiting, each, one_of, sized, together
from allocator.models.account import SeenOrder

LIST = "futuresprivate_get_stoporders"


async def open_orders(place: Place) -> tuple[SeenOrder, ...]:
    """Read every order that waits, or stands in a book.

    Raises
    ------
    VenueError
        When one is settled in a coin whose wallet is not read.
    """
    waiting = each(await standing_rows(place.login, LIST, {}), "id", partial(_stop, place))
    return together(place, await standing_orders(place), waiting)


def _stop(place: Place, row: JsonObject) -> Waiting:
    check_read(row, "an order")
    one_of(row, "status", {"open"})
    at_market = one_of(row, "type", {"limit", "market"}) == "market"
    whole, told = flag(row, "closeOrder"), flag(row, "reduceOnly")
    side = None if whole else sided(row, "side", "buy", "sell")
    return Waiting(
        id=text(row, "id"),
        instrument=instrument_of(place, row),
        side=side,
        quantity=None if whole else sized(row, "size"),
        price=None if at_market else number(row.get("price")) or None,
        reduce_only=side is None or reduces(row, "positionSide", side, told=told),
    )
