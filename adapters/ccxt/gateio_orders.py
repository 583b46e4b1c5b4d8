"""Gate v4: how orders are worded, and how one is looked up and read.

Sources: the venue's pages "Place futures order", "Place batch futures orders", "Query single order
details", "Query futures order list by time range" (API v4; model FuturesOrder).
"""

from __future__ import annotations

import base64
import hashlib
import re
from decimal import Decimal

from allocator.adapters.ccxt.dialect import Trace
from allocator.adapters.ccxt.failures import RefusalError
from allocator.adapters.ccxt.fills import fees_of
from allocator.adapters.ccxt.gateio_reads import pages, settle
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.exact import exactly
from allocator.models.base import ZERO, plain
from allocator.models.errors import VenueError
from allocator.models.intents import Found, FoundState, OrderIntent

STYLES = {"ioc": "ioc", "post_only": "poc"}


def text_id(client_id: str) -> str:
    """Fit a client id into `text`: ``t-`` and at most 28 letters, digits, ``_``, ``-`` or ``.``.

    >>> text_id("0123456789abcdef0123456789abcdef")
    't-aerukz4jvpg66ajdivtytk6n54'
    """
    whole = re.fullmatch(r"[0-9a-fA-F]{32}", client_id)
    raw = bytes.fromhex(client_id) if whole else hashlib.sha256(client_id.encode()).digest()[:16]
    return "t-" + base64.b32encode(raw).decode().rstrip("=").lower()


def id_of_text(name: str) -> str:
    """Take a `text` back to the client id that `text_id` wrote; any other is left as it is.

    >>> id_of_text("t-aerukz4jvpg66ajdivtytk6n54"), id_of_text("t-mine"), id_of_text("web")
    ('0123456789abcdef0123456789abcdef', 't-mine', 'web')
    """
    if not re.fullmatch(r"t-[a-z2-7]{26}", name):
        return name
    whole = base64.b32decode(f"{name[2:].upper()}======").hex()
    return whole if text_id(whole) == name else name


def worded(place: Place, intent: OrderIntent) -> JsonObject:
    """Word a limit order; the sign of its size is its side.

    The settle currency is for the path, and the client leaves it in each of several orders.
    """
    whole = intent.quantity == intent.quantity.to_integral_value()
    size = -intent.quantity if intent.side == "sell" else intent.quantity
    return {
        "settle": settle(place),
        "contract": place.market(intent.instrument)["id"],
        "size": int(size) if whole else plain(size),
        "price": plain(intent.limit_price),
        "tif": STYLES[intent.style],
        "text": text_id(intent.client_id),
        "reduce_only": intent.reduce_only,
    }


def batch_entry(row: object, name: str | None) -> JsonObject:
    """Write a row of the answer to several orders as `told_each` reads it; empty: it is neither."""
    if not isinstance(row, dict):
        return {}
    if row.get("succeeded") is True:
        return {"text": row.get("text"), "id": row.get("id")}
    nameless = row.get("text") in (None, "", name) and not row.get("id")
    if row.get("succeeded") is False and nameless:
        return {"code": row.get("label"), "msg": row.get("detail")}
    return {}


async def find_order(place: Place, intent: OrderIntent, trace: Trace) -> Found | None:
    """Look an order up by its `text`: single for 60 s after its end, then open and past."""
    row = await _single(place, intent, trace) or await _among(place, intent, trace)
    if row is None:
        return None
    return _found_order(row, str(place.market(intent.instrument)["settle"]), await _fee(place, row))


async def _single(place: Place, intent: OrderIntent, trace: Trace) -> JsonObject | None:
    name = trace.venue_id or text_id(intent.client_id)
    asked = {"settle": settle(place), "order_id": name}
    try:
        row = await place.login.call("private_futures_get_settle_orders_order_id", asked)
    except RefusalError as error:
        if error.code != "ORDER_NOT_FOUND":
            raise
        return None
    if row.get("text") != text_id(intent.client_id):
        raise VenueError(f"asked for order {name}, told of {row.get('text')}")
    found: JsonObject = row
    return found


async def _among(place: Place, intent: OrderIntent, trace: Trace) -> JsonObject | None:
    common = {"settle": settle(place), "contract": place.market(intent.instrument)["id"]}
    for endpoint, asked in (
        ("private_futures_get_settle_orders", {"status": "open"}),
        ("private_futures_get_settle_orders_timerange", {"from": trace.since_ms // 1000}),
    ):
        for row in await pages(place.login, endpoint, {**common, **asked}):
            if row.get("text") == text_id(intent.client_id):
                return row
    return None


async def _fee(place: Place, row: JsonObject) -> Decimal:
    """Add up the fees of an order's fills: the order itself tells rates only."""
    filled = _filled(row)
    if not filled:
        return ZERO
    asked = {"settle": settle(place), "contract": text(row, "contract"), "order": text(row, "id")}
    fills = await pages(place.login, "private_futures_get_settle_my_trades", asked)
    parts = [(_size(fill, "size"), "", number(text(fill, "fee"))) for fill in fills]
    return fees_of(filled, parts).get("", ZERO)


@exactly
def _filled(row: JsonObject) -> Decimal:
    return _size(row, "size") - _size(row, "left")


def _size(row: JsonObject, key: str) -> Decimal:
    """Read a size, whose sign is its side."""
    return abs(number(text(row, key)) or ZERO)


@exactly
def _found_order(row: JsonObject, coin: str, fee: Decimal) -> Found:
    size, left = _size(row, "size"), _size(row, "left")
    ended = row.get("finish_time")
    seconds = number(ended if ended else text(row, "create_time")) or ZERO
    return Found(
        venue_id=text(row, "id"),
        state=_state(row, size, left),
        filled=size - left,
        average_price=number(row.get("fill_price")) or None,
        fees={coin: fee} if fee else {},
        venue_time=moment(int(seconds * 1000)),
    )


def _state(row: JsonObject, size: Decimal, left: Decimal) -> FoundState:
    status = text(row, "status")
    if status == "open":
        return "open" if left == size else "partial"
    if status == "finished":
        return "filled" if row.get("finish_as") == "filled" else "cancelled"
    raise VenueError(f"order status {status} is not known")
