"""Kraken Futures: how orders are worded, one to a request or several, and what became of each.

Sources: the venue's pages "Send order" and "Batch order management". An order of several bears an
`order_tag` beside its client id, for the answer to be told by; here it is the client id again. The
answer has a row for each with a status of its own, in no order that a page vouches for: a row that
bears neither name is nobody's, and an order without a row is not told of. How many orders one
request may carry is told by no page: the one on rate limits speaks of ten, which are taken.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from allocator.adapters.ccxt.answers import rows
from allocator.adapters.ccxt.batches import of_request, told_by_name
from allocator.adapters.ccxt.failures import NotSentError, RefusalError
from allocator.adapters.ccxt.place import Place
from allocator.adapters.ccxt.values import JsonObject
from allocator.adapters.ccxt.windows import RECEIVE_WINDOW_MS, offset_ms
from allocator.models.base import plain
from allocator.models.intents import OrderIntent

STYLES = {"ioc": "ioc", "post_only": "post"}
TAKEN = frozenset({"placed", "partiallyFilled", "filled", "attempted"})
"""States of an order sent that say the venue took it."""

MOST_ORDERS = 10
OF_REQUEST = frozenset(
    {"accountInactive", "authenticationError", "invalidAccount", "wouldProcessAfterSpecifiedTime"}
)
"""Errors of key, account and deadline: no order of a request was looked at. Whether one about an
argument says so of every order is on no page."""


def uuid_of(client_id: str) -> str:
    """Write a client id as the venue's older pages want it: as a UUID.

    >>> uuid_of("0123456789abcdef0123456789abcdef")
    '01234567-89ab-cdef-0123-456789abcdef'
    """
    return str(uuid.UUID(client_id))


def id_of_uuid(name: str) -> str:
    """Take a name back to the client id that `uuid_of` wrote; any other is left as it is.

    >>> id_of_uuid("01234567-89ab-cdef-0123-456789abcdef"), id_of_uuid("my order")
    ('0123456789abcdef0123456789abcdef', 'my order')
    """
    whole = name.replace("-", "")
    return whole if re.fullmatch(r"[0-9a-f]{32}", whole) and uuid_of(whole) == name else name


def worded(place: Place, intent: OrderIntent) -> JsonObject:
    """Word a limit order of a request of its own, but for its deadline."""
    return {
        "orderType": STYLES[intent.style],
        "symbol": place.market(intent.instrument)["id"],
        "side": intent.side,
        "size": plain(intent.quantity),
        "limitPrice": plain(intent.limit_price),
        "cliOrdId": uuid_of(intent.client_id),
        "reduceOnly": "true" if intent.reduce_only else "false",
    }


def deadline_of(place: Place, stamped_at: datetime | None) -> str | None:
    """Tell until when the venue may process what was stamped; None: it was not."""
    if stamped_at is None:
        return None
    good_for = timedelta(milliseconds=RECEIVE_WINDOW_MS - offset_ms(place.login.client))
    until = (stamped_at + good_for).astimezone(UTC)
    return until.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def together(place: Place, intents: Sequence[OrderIntent]) -> tuple[str | Exception, ...]:
    """Send orders in one request: of each the venue's id, its refusal, or that nothing is told.

    Raises
    ------
    VenueError
        When the request was refused, or nothing came that has statuses.
    """
    asked: JsonObject = {"batchOrder": [_among(place, intent) for intent in intents]}
    until = deadline_of(place, intents[0].stamped_at)
    if until is not None:
        asked["ProcessBefore"] = until
    try:
        reply = await place.login.call("private_post_batchorder", asked, intents[0].stamped_at)
    except RefusalError as error:
        raise of_request(error, OF_REQUEST) from error
    made, refused = list[JsonObject](), list[JsonObject]()
    for row in rows(reply, "batchStatus"):
        for name in (names := _names(row)):
            took = str(row.get("status")) in TAKEN and row.get("order_id")
            whole = len(names) == 1
            (made if took and whole else refused).append(_told(row, name, whole=whole))
    return told_by_name([uuid_of(intent.client_id) for intent in intents], made, refused)


def _among(place: Place, intent: OrderIntent) -> JsonObject:
    """Word a limit order of several: figures are numbers there, and switches true or false."""
    name = uuid_of(intent.client_id)
    return {
        "order": "send",
        "order_tag": name,
        **worded(place, intent),
        "size": _number(intent.quantity),
        "limitPrice": _number(intent.limit_price),
        "reduceOnly": intent.reduce_only,
    }


def _number(value: Decimal) -> int | float:
    """Write a figure as a number of JSON.

    Raises
    ------
    NotSentError
        When another would be read there.
    """
    if value == value.to_integral_value():
        return int(value)
    found = float(value)
    if Decimal(repr(found)) != value:
        raise NotSentError(f"{plain(value)} has more digits than a number holds")
    return found


def _names(row: object) -> set[str]:
    """List what a row calls its order: one name, unless it contradicts itself or bears none."""
    if not isinstance(row, dict):
        return set()
    return {str(row[key]) for key in ("cliOrdId", "order_tag") if row.get(key)}


def _told(row: JsonObject, name: str, *, whole: bool) -> JsonObject:
    """Write a row as `told_by_name` reads it; one that contradicts itself has no error.

    An order that was not taken bears an id of the venue's all the same where the book refused it,
    and then nothing else happened to it.
    """
    status = str(row.get("status") or "")
    refused = whole and status not in TAKEN and not _acted(row)
    return {
        "clientOid": name,
        "orderId": row.get("order_id") if status in TAKEN else None,
        "errorCode": status if refused else "",
        "errorMsg": "the order was not placed",
    }


def _acted(row: JsonObject) -> bool:
    """Tell whether anything happened to an order beside its refusal, or may have."""
    events = row.get("orderEvents") or []
    return not isinstance(events, list) or any(
        not isinstance(event, dict) or event.get("type") != "REJECT" for event in events
    )
