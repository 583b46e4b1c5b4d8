"""Orders at Gate: those that stand in a book, wait for a price, or trail or chase one.

Sources: the venue's pages "List futures orders", "Query auto order list" (API v4; models
FuturesOrder, FuturesPriceTriggeredOrder, FuturesInitialOrder), "Get trail order list" (models
TrailOrderListResponse and TrailOrder of the venue's own clients; an independent client finds the
envelope of CreateTrailOrderResponse around the list, and both are read), "List chase orders"
(GetChaseOrdersResp and ChaseOrder, as copied on 27 May 2026; pages of 100 at most).

A chase keeps a limit order at the front of the book and puts it anew as the price moves, until all
is filled or its limit is met. What is left of it counts as one order with that limit, in place of
the one that stands for it now, which the chase names; one that it does not name counts besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial

from allocator.adapters.ccxt.answers import listed
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.gateio_orders import id_of_text
from allocator.adapters.ccxt.gateio_reads import PAGE, PAGES, instrument_of, settle, standing_rows
from allocator.adapters.ccxt.listing import agreed, by_name
from allocator.adapters.ccxt.place import Place, client_id_of, flag, text
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.ccxt.waiting import Waiting, each, one_of, together
from allocator.adapters.exact import exactly
from allocator.models.account import SeenOrder
from allocator.models.base import ZERO
from allocator.models.errors import VenueError

AUTO_STATES = frozenset({"open", "inactive"})
"""States in which an order waits: for a price, or first for the order whose position it closes.

The list can be asked for by the first word alone; an order in the other state adds nothing.
"""

AUTO_KINDS = frozenset(
    f"{plan}close-{leg}-{what}"
    for leg in ("long", "short")
    for plan, what in (("", "order"), ("", "position"), ("plan-", "position"))
)
TRAILS = "private_futures_get_settle_autoorder_v1_trail_list"
CHASES = "private_futures_get_settle_autoorder_v1_chase_list"
BY_AGE = 1
"""How the list of chases is to be sorted: by when each was made."""

LEGS = frozenset({"close_long", "close_short"})
CLOSES = ("close", "is_close")
REDUCES = ("reduce_only", "is_reduce_only")
"""Flags of an order that waits, as it was asked for and as it is."""


async def trails(login: Login, settled: str) -> list[JsonObject]:
    """Read every page of the orders that trail a price.

    Raises
    ------
    VenueError
        When a page fails, there is no end to them, or they do not hold still.
    """
    return await _unfinished(login, TRAILS, {"settle": settled})


async def chases(login: Login, settled: str) -> list[JsonObject]:
    """Read every page of the orders that chase a price.

    Raises
    ------
    VenueError
        When a page fails, there is no end to them, or they do not hold still.
    """
    return await _unfinished(login, CHASES, {"settle": settled, "sort_by": BY_AGE})


async def _unfinished(
    login: Login, endpoint: str, params: Mapping[str, object]
) -> list[JsonObject]:
    """Read a list until it holds still.

    No page says how many one of what trails may hold: the last is the one that tells nothing new,
    and any may have been full.
    """
    return await agreed(endpoint, partial(_every_page, login, endpoint, params), "id")


async def _every_page(
    login: Login, endpoint: str, params: Mapping[str, object]
) -> tuple[list[JsonObject], bool]:
    """Read every page of what is not finished, and tell whether there is nothing."""
    rows = dict[str, JsonObject]()
    for page in range(1, PAGES + 1):
        asked = {**params, "is_finished": "false", "page_num": page, "page_size": PAGE}
        told = by_name(_orders(await login.call(endpoint, asked), endpoint), "id")
        if told.keys() <= rows.keys():
            return list(rows.values()), not rows
        rows |= told
    raise VenueError(f"{endpoint}: more than {PAGES} pages")


def _orders(reply: object, endpoint: str) -> list[JsonObject]:
    """Take a page out of its envelope, or of none; without any order the list may be left out.

    Raises
    ------
    UnansweredError
        When the answer is an error, or something else.
    """
    told = reply
    if isinstance(reply, dict) and "code" in reply:
        if str(reply["code"]) != "0":
            raise UnansweredError(f"{endpoint}: {reply['code']} {reply.get('message')}")
        told = reply.get("data") or {}
    if isinstance(told, dict) and "label" not in told and told.get("orders") is None:
        return []
    return listed(told, endpoint, "orders")


async def open_orders(place: Place) -> tuple[SeenOrder, ...]:
    """Read every order that stands in a book, waits for a price, or trails or chases one."""
    asked = {"settle": settle(place), "status": "open"}
    told = await standing_rows(place.login, "private_futures_get_settle_price_orders", asked)
    trailing = await trails(place.login, settle(place))
    chasing = await chases(place.login, settle(place))
    rows = await standing_rows(place.login, "private_futures_get_settle_orders", asked)
    waiting = [
        *each(told, "id", partial(_waiting, place)),
        *each(trailing, "id", partial(_trailing, place)),
        *each([row for row in chasing if not _is_filled(row)], "id", partial(_chasing, place)),
    ]
    rows = [row for row in rows if not _is_of(row, chasing)]
    whole = [row for row in rows if _closes_all(row)]
    closing = [f"{text(row, 'id')} of {instrument_of(place, row)}" for row in whole]
    standing = [_open_order(place, row) for row in rows if not _closes_all(row)]
    return together(place, standing, waiting, closing)


def _waiting(place: Place, row: JsonObject) -> Waiting:
    """Read an order that waits; the sign of its size is its side, and one that closes all has none.

    Raises
    ------
    VenueError
        When it is not understood.
    """
    initial = row.get("initial")
    if not isinstance(initial, dict):
        raise VenueError("the answer has no initial")
    one_of(row, "status", AUTO_STATES)
    size, closes = number(text(initial, "size")) or ZERO, _closes(row, initial)
    if not size and not closes:
        raise VenueError("an order without a size, which closes nothing")
    return Waiting(
        id=text(row, "id"),
        instrument=instrument_of(place, initial),
        side=None if not size else "buy" if size > 0 else "sell",
        quantity=abs(size) or None,
        price=number(initial.get("price")) or None,
        reduce_only=not size or any([flag(initial, key) for key in REDUCES]),
    )


def _trailing(place: Place, row: JsonObject) -> Waiting:
    """Read an order that trails a price; it fires at market, and its sign is its side.

    Raises
    ------
    VenueError
        When it is not understood.
    """
    return _moving(place, row, whole=flag(row, "position_related"))


def _chasing(place: Place, row: JsonObject) -> Waiting:
    """Read an order that chases a price, up to a limit if it has one; its sign is its side.

    Raises
    ------
    VenueError
        When it is not understood.
    """
    limit = number(row.get("price_limit")) or None
    return replace(
        _moving(place, row, whole=False), quantity=_unfilled(row), price=limit, stands=True
    )


def _moving(place: Place, row: JsonObject, *, whole: bool) -> Waiting:
    """Read an order that follows a price, all of its size; its sign is its side.

    Parameters
    ----------
    whole
        Whether one without a size closes all of a position.

    Raises
    ------
    VenueError
        When it is not understood.
    """
    one_of(row, "status", {"open"})
    size = number(text(row, "amount")) or ZERO
    if not size and not whole:
        raise VenueError("an order without a size, which closes nothing")
    return Waiting(
        id=text(row, "id"),
        instrument=instrument_of(place, row),
        side=None if not size else "buy" if size > 0 else "sell",
        quantity=abs(size) or None,
        price=None,
        reduce_only=not size or flag(row, "reduce_only"),
    )


@exactly
def _unfilled(row: JsonObject) -> Decimal:
    """Tell what is left of a chase: what is not told as filled is."""
    size, filled = (number(row.get(key)) or ZERO for key in ("amount", "fill_amount"))
    return abs(size) - abs(filled)


def _is_filled(row: JsonObject) -> bool:
    """Tell whether nothing is left of a chase; one without a size is for whoever reads it."""
    return bool(number(row.get("amount"))) and _unfilled(row) <= 0


def _is_of(row: JsonObject, chasing: Iterable[JsonObject]) -> bool:
    """Tell whether an order stands for a chase that counts for at least as much, on its side."""
    left = number(text(row, "left")) or ZERO
    return any(
        str(chase.get("suborder_id") or "") == text(row, "id")
        and chase.get("contract") == row.get("contract")
        and ((number(chase.get("amount")) or ZERO) > 0) == (left > 0)
        and abs(left) <= _unfilled(chase)
        for chase in chasing
    )


def _closes(row: JsonObject, initial: JsonObject) -> bool:
    """Tell whether an order says that it closes: without a size, whatever there is then.

    Raises
    ------
    VenueError
        When it says so, or anything else, in words that are not known.
    """
    kind = row.get("order_type") and one_of(row, "order_type", AUTO_KINDS)
    leg = initial.get("auto_size") and one_of(initial, "auto_size", LEGS)
    return bool(kind or leg) or any([flag(initial, key) for key in CLOSES])


def _closes_all(row: JsonObject) -> bool:
    """Tell whether an order that stands closes all of a position: it has no size of its own."""
    return not number(text(row, "left")) and any([flag(row, key) for key in CLOSES])


def _open_order(place: Place, row: JsonObject) -> SeenOrder:
    left = number(text(row, "left")) or ZERO
    if not left:
        raise VenueError(f"an open order without a size: {row.get('id')}")
    return SeenOrder(
        instrument=instrument_of(place, row),
        side="buy" if left > 0 else "sell",
        quantity=abs(left),
        price=number(row.get("price")) or None,
        reduce_only=flag(row, "is_reduce_only"),
        client_id=client_id_of(row, "text", id_of_text),
    )
