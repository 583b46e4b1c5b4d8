"""Orders that wait for a trigger at Bitget: triggers, trailing ones, take-profits and stop-losses.

A request tells of one group of kinds, and of three months: the last, unless it says which. Older
ones are asked for back to the first in which nothing waits, and kept for some minutes; each window
begins at midnight, so that they stay the same for a day, and the first laps over what is asked for
anew. A venue that does not tell so far back is noted. A take-profit or stop-loss of a position
(``pos_profit``, ``pos_loss``) is of all of it.

Sources: the venue's pages contract/plan/get-orders-plan-pending (10 requests a second by user),
contract/plan/Place-Tpsl-Order.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial
from itertools import chain

from allocator.adapters.ccxt.bitget_reads import (
    FUTURES,
    closes,
    instrument_of,
    pages,
    standing_orders,
    traded,
)
from allocator.adapters.ccxt.failures import RefusalError
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.ccxt.waiting import Waiting, each, one_of, sized, together
from allocator.models.account import SeenOrder

LIST = "private_mix_get_v2_mix_order_orders_plan_pending"
ASKED = ("normal_plan", "track_plan", "profit_loss")
WHOLE = frozenset({"pos_profit", "pos_loss"})
REDUCING = WHOLE | {"profit_plan", "loss_plan", "moving_plan"}
TRAILING = frozenset({"track_plan", "moving_plan"})
KINDS = REDUCING | {"normal_plan", "track_plan"}
STATES = frozenset({"live", "not_trigger"})


DAY_MS = 24 * 60 * 60 * 1000
SPAN_DAYS, LAP_DAYS = 89, 2
"""Days of a window: the shortest three months have so many; and how many the first laps over."""

WINDOWS = 12
KEPT_S = 300.0
UNTOLD = "old orders"
"""Topic of the note about orders that are too old to be told."""


async def open_orders(place: Place) -> tuple[SeenOrder, ...]:
    """Read every order that waits, or stands in a book."""
    place.notes.pop(UNTOLD, None)
    told = await asyncio.gather(*(_told(place, kinds) for kinds in ASKED))
    waiting = each(chain.from_iterable(told), "orderId", partial(_plan, place))
    return together(place, await standing_orders(place), waiting)


async def _told(place: Place, kinds: str) -> list[JsonObject]:
    """Read what waits of a group of kinds, each once, as it was told last."""
    asked = {**FUTURES, "planType": kinds}
    found = [*await _older(place, asked), *await pages(place.login, LIST, asked)]
    return list({text(row, "orderId"): row for row in found}.values())


async def _older(place: Place, asked: JsonObject) -> list[JsonObject]:
    """Read what has been waiting for longer than a request tells of by itself."""
    today = int(place.login.venue_now().timestamp()) * 1000 // DAY_MS
    end, found = today - SPAN_DAYS + LAP_DAYS, list[JsonObject]()
    for _ in range(WINDOWS):
        start = end - SPAN_DAYS
        window = {**asked, "startTime": start * DAY_MS, "endTime": end * DAY_MS}
        try:
            rows = await pages(place.login, LIST, window, kept_s=KEPT_S)
        except RefusalError as error:
            place.notes[UNTOLD] = f"what waits for longer than three months is not told: {error}"
            return found
        if not rows:
            return found
        found, end = [*found, *rows], start
    place.notes[UNTOLD] = f"what waits for longer than {WINDOWS} times {SPAN_DAYS} days is not read"
    return found


def _plan(place: Place, row: JsonObject) -> Waiting:
    kind = one_of(row, "planType", KINDS)
    one_of(row, "planStatus", STATES)
    return Waiting(
        id=text(row, "orderId"),
        instrument=instrument_of(place, row),
        side=traded(row),
        quantity=None if kind in WHOLE else sized(row, "size"),
        price=_limit(kind, row),
        reduce_only=kind in REDUCING or closes(row),
    )


def _limit(kind: str, row: JsonObject) -> Decimal | None:
    """Read the price that an order fires with; of a take-profit ``price`` may be its trigger."""
    at_market = one_of(row, "orderType", {"limit", "market"}) == "market"
    if at_market or kind in TRAILING:
        return None
    told = row.get("executePrice") or (row.get("price") if kind == "normal_plan" else None)
    return number(told) or None
