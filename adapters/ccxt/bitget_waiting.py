"""Orders that wait for a trigger at Bitget: triggers, trailing ones, take-profits and stop-losses.

A request tells of one group of kinds, of the last three months as those of orders in a book do. A
take-profit or stop-loss of a position (``pos_profit``, ``pos_loss``) is of all of it. With two legs
an order names the leg as its side, and whether it opens or closes it.

Sources: the venue's pages contract/plan/get-orders-plan-pending (10 requests a second by user),
contract/plan/Place-Tpsl-Order, contract/trade/Place-Order (side and tradeSide).
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial
from itertools import chain

from allocator.adapters.ccxt.bitget_reads import FUTURES, instrument_of, pages, standing_orders
from allocator.adapters.ccxt.place import Place, sided, text
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.ccxt.waiting import Waiting, each, one_of, sized, together
from allocator.models.account import OpenOrder, Side

LIST = "private_mix_get_v2_mix_order_orders_plan_pending"
ASKED = ("normal_plan", "track_plan", "profit_loss")
WHOLE = frozenset({"pos_profit", "pos_loss"})
REDUCING = WHOLE | {"profit_plan", "loss_plan", "moving_plan"}
TRAILING = frozenset({"track_plan", "moving_plan"})
KINDS = REDUCING | {"normal_plan", "track_plan"}
STATES = frozenset({"live", "not_trigger"})
LEGS: dict[tuple[str, str], Side] = {
    ("open", "long"): "buy",
    ("open", "short"): "sell",
    ("close", "long"): "sell",
    ("close", "short"): "buy",
}
"""What opening and closing a leg trades."""


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
    legs = one_of(row, "posMode", {"one_way_mode", "hedge_mode"}) == "hedge_mode"
    return Waiting(
        id=text(row, "orderId"),
        instrument=instrument_of(place, row),
        side=_of_leg(row) if legs else sided(row, "side", "buy", "sell"),
        quantity=None if kind in WHOLE else sized(row, "size"),
        price=_limit(kind, row),
        reduce_only=kind in REDUCING or (legs and row.get("tradeSide") == "close"),
    )


def _of_leg(row: JsonObject) -> Side:
    does = one_of(row, "tradeSide", {"open", "close"})
    return LEGS[does, one_of(row, "posSide", {"long", "short"})]


def _limit(kind: str, row: JsonObject) -> Decimal | None:
    """Read the price that an order fires with; of a take-profit ``price`` may be its trigger."""
    at_market = one_of(row, "orderType", {"limit", "market"}) == "market"
    if at_market or kind in TRAILING:
        return None
    told = row.get("executePrice") or (row.get("price") if kind == "normal_plan" else None)
    return number(told) or None
