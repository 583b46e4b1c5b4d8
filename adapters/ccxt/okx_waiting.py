"""Orders that wait at OKX: triggers, trailing ones, and those that go into a book bit by bit.

A request tells of one kind, but for the one-way stop and the pair of which one cancels the other.
Of an iceberg or TWAP order, and of a chase, the part that stands in a book is told among the orders
there as well: no figure says how much is left without it, and all of it counts.

The page of one region lists eight kinds, that of another four: a kind that the venue refuses as
none of its words cannot wait there, and a note tells of it.

Sources: the venue's page "Algo order list" (20 requests in 2 s by user), and of "Place algo order"
the values -1 of a price (at market), 1 of ``closeFraction`` (all of the position), the kind limit
of a profit (``tpOrdKind``), and what ``tgtCcy`` is where it is not given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from itertools import chain

from allocator.adapters.ccxt.failures import RefusalError
from allocator.adapters.ccxt.okx_reads import instrument_of, pages, standing_orders
from allocator.adapters.ccxt.place import Place, reduces, sided, text
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.ccxt.waiting import Waiting, each, one_of, sized, together, worst
from allocator.models.account import SeenOrder
from allocator.models.errors import VenueError

LIST = "private_get_trade_orders_algo_pending"
AT_MARKET = frozenset({"move_order_stop", "chase"})
BY_PARTS = frozenset({"iceberg", "smart_iceberg", "twap"})
SOMEWHERE = (*sorted(BY_PARTS), "chase")
"""Kinds that not every region's page lists: those that go into a book bit by bit."""

ASKED = ("conditional,oco", "trigger", "move_order_stop", *SOMEWHERE)
NO_SUCH_WORD = "51000"
UNLISTED = "kinds of orders"
"""Topic of the note about kinds that the venue does not know."""

ENDS = frozenset({"conditional", "oco"})
FIRING = ENDS | {"trigger"}
KINDS = AT_MARKET | BY_PARTS | FIRING
STATES = frozenset({"live", "pause", "partially_effective"})
FLAGS = {"true": True, "false": False}
"""What may be told of reducing; where nothing is, an order may add."""


async def open_orders(place: Place) -> tuple[SeenOrder, ...]:
    """Read every order that waits, or stands in a book."""
    told = dict(
        zip(ASKED, await asyncio.gather(*(_told(place, one) for one in ASKED)), strict=True)
    )
    unlisted = [kind for kind, found in told.items() if found is None]
    place.notes.pop(UNLISTED, None)
    if unlisted:
        names = ", ".join(unlisted)
        place.notes[UNLISTED] = (
            f"kinds of orders that the venue does not know are not read: {names}"
        )
    found = chain.from_iterable(rows for rows in told.values() if rows)
    waiting = each(found, "algoId", partial(_algo_order, place))
    return together(place, await standing_orders(place), waiting)


async def _told(place: Place, kinds: str) -> list[JsonObject] | None:
    """Ask for the orders of a kind; None: the venue has no such kind."""
    try:
        return await pages(place.login, LIST, {"ordType": kinds}, "algoId")
    except RefusalError as error:
        if kinds not in SOMEWHERE or error.code != NO_SUCH_WORD:
            raise
        return None


def _algo_order(place: Place, row: JsonObject) -> Waiting:
    kind = one_of(row, "ordType", KINDS)
    one_of(row, "state", STATES)
    whole = bool(row.get("closeFraction") and one_of(row, "closeFraction", {"1"}))
    side = sided(row, "side", "buy", "sell")
    limits = _limits(kind, row)
    return Waiting(
        id=text(row, "algoId"),
        instrument=instrument_of(place, row),
        side=side,
        quantity=None if whole else _size(row, in_quote=_in_quote(kind, row, limits)),
        price=worst(side, limits),
        reduce_only=whole or reduces(row, "posSide", side, told=_flagged(row)),
        stands=kind in SOMEWHERE or _takes_by_limit(row),
    )


def _flagged(row: JsonObject) -> bool:
    return bool(row.get("reduceOnly")) and FLAGS[one_of(row, "reduceOnly", FLAGS)]


def _in_quote(kind: str, row: JsonObject, limits: Sequence[Decimal | None]) -> bool:
    """Tell whether a size is in the quote currency: a purchase at market of spot is by default."""
    if row.get("tgtCcy"):
        return one_of(row, "tgtCcy", {"base_ccy", "quote_ccy"}) == "quote_ccy"
    bought = row.get("instType") == "SPOT" and row.get("side") == "buy"
    return bought and kind in FIRING and None in limits


def _takes_by_limit(row: JsonObject) -> bool:
    """Tell whether a profit is taken by a limit, which stands from the start and has no trigger."""
    if row.get("ordType") not in ENDS or row.get("tpOrdKind") != "limit":
        return False
    return bool(number(row.get("tpOrdPx"))) and not number(row.get("tpTriggerPx"))


def _size(row: JsonObject, *, in_quote: bool) -> Decimal:
    """Read the size of an order.

    Raises
    ------
    VenueError
        When it is there in the quote currency: how much that buys is told by no price.
    """
    if in_quote:
        raise VenueError(f"its size, {row.get('sz')}, is in the quote currency")
    return sized(row, "sz")


def _limits(kind: str, row: JsonObject) -> list[Decimal | None]:
    """List the prices that an order may fire with: of a stop and a profit the one that is set.

    Raises
    ------
    VenueError
        When a trigger of its kind is not told.
    """
    if kind in AT_MARKET:
        return [None]
    if kind in BY_PARTS:
        return [number(row.get("pxLimit")) or None]
    if kind == "trigger":
        return [_limit(row, "ordPx")]
    ends = [end for end in ("tp", "sl") if number(row.get(f"{end}TriggerPx"))]
    if _takes_by_limit(row):
        ends.append("tp")
    if not ends:
        raise VenueError("no trigger is told")
    return [_limit(row, f"{end}OrdPx") for end in ends]


def _limit(row: JsonObject, key: str) -> Decimal | None:
    price = number(text(row, key))
    return price if price is not None and price > 0 else None
