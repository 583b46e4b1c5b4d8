"""Bybit v5: how orders are worded, one to a request or several of a category.

Sources: the venue's pages v5/order/create-order and v5/order/batch-place: at most ten spot orders
in a request and twenty of contracts, each with a code of its own in ``retExtInfo``, in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from allocator.adapters.ccxt.answers import rows
from allocator.adapters.ccxt.bybit_reads import SIDES, category, result
from allocator.adapters.ccxt.failures import RefusalError, UnansweredError
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject
from allocator.models.base import plain
from allocator.models.intents import OrderIntent

STYLES = {"ioc": "IOC", "post_only": "PostOnly"}
MOST_ORDERS = 10
"""Orders of any category that one request may carry."""


def worded(place: Place, intent: OrderIntent) -> tuple[str, JsonObject]:
    """Word a limit order in one-way mode: its category, and the rest."""
    market = place.market(intent.instrument)
    name = category(market)
    body: JsonObject = {
        "symbol": market["id"],
        "side": SIDES[intent.side],
        "orderType": "Limit",
        "qty": plain(intent.quantity),
        "price": plain(intent.limit_price),
        "timeInForce": STYLES[intent.style],
        "orderLinkId": intent.client_id,
    }
    if name == "spot":
        body["isLeverage"] = 0
    else:
        body |= {"positionIdx": 0, "reduceOnly": intent.reduce_only}
    return name, body


async def together(
    place: Place, name: str, bodies: Mapping[str, JsonObject], stamped_at: datetime | None
) -> dict[str, str | Exception]:
    """Send orders of one category in one request: the venue's id, or its refusal, by client id.

    Raises
    ------
    VenueError
        When the request was refused, or the answer is not about the orders sent.
    """
    asked = {"category": name, "request": list(bodies.values())}
    reply = await place.login.call("private_post_v5_order_create_batch", asked, stamped_at)
    made, codes = rows(result(reply), "list"), rows(reply.get("retExtInfo"), "list")
    if [row.get("orderLinkId") for row in made] != list(bodies) or len(codes) != len(made):
        raise UnansweredError("the answer is not about the orders sent")
    return {
        client_id: _taken_or_refused(row, code)
        for client_id, row, code in zip(bodies, made, codes, strict=True)
    }


def _taken_or_refused(row: JsonObject, code: JsonObject) -> str | Exception:
    told = text(code, "code")
    return text(row, "orderId") if told == "0" else RefusalError(told, str(code.get("msg")))
