"""Orders that wait for a trigger at Bitget: triggers, trailing ones, take-profits and stop-losses.

A request tells of one group of kinds, of the last three months as those of orders in a book do. A
take-profit or stop-loss of a position (``pos_profit``, ``pos_loss``) is of all of it.

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
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.ccxt.waiting import Waiting, each, one_of, sized, together
from allocator.models.account import OpenOrder

LIST = "private_mix_get_v2_mix_order_orders_plan_pending"
ASKED = ("normal_plan", "track_plan", "profit_loss")
WHOLE = frozenset({"pos_profit", "pos_loss"})
REDUCING = WHOLE | {"profit_plan", "loss_plan", "moving_plan"}
TRAILING = frozenset({"track_plan", "moving_plan"})
KINDS = REDUCING | {"normal_plan", "track_plan"}
STATES = frozenset({"live", "not_trigger"})


async def open_orders(place: Place) -> tuple[OpenOrder, ...]:
    """Read every order that waits, or stands in a book."""
    told = await asyncio.gather(
        *(pages(place.login, LIST, {**FUTURES, "planType": kinds}) for kinds in ASKED)
    )
    waiting = each(chain.from_iterable(told), "orderId", partial(_plan, place))
    return together(place, await standing_orders(place), waiting)


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
