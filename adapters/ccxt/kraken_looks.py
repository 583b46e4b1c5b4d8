"""Kraken Futures: how orders are looked up, by one reading for all of a login's that are in flight.

Sources: the venue's pages "Get open orders", "Get Specific Orders' Status", "Get order events",
"Get execution events", "Get account log", "Derivatives Rate Limits". History is a hundred units in
ten minutes of an address, so it comes last:

* An order that stands untouched in the book needs no more than that.
* The status of named orders tells of those that are open, or ended within the last five seconds,
  and costs one of the five hundred units of ten seconds. An order that was cancelled before
  anything of it was filled needs no more either. That one ended is kept: afterwards it is never
  taken for absent, however late history is. A rejection is not such an end: another copy of the
  request may have been taken.
* History tells what fills cost, and is asked for all that is not known otherwise. It takes no
  client id, so one reading serves every order, told apart by theirs. Its readings are the further
  apart the more of the budget is used, so that however long is looked it never runs dry.

Whether the status lists client ids by a repeated parameter is not shown by any page: ccxt's client
writes the venue's own ids so. Where none is told, history tells instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from allocator.adapters.ccxt.answers import rows as listed
from allocator.adapters.ccxt.dialect import Trace
from allocator.adapters.ccxt.fills import fees_of, quantity_of
from allocator.adapters.ccxt.joined import Joined
from allocator.adapters.ccxt.kraken_orders import uuid_of
from allocator.adapters.ccxt.place import text
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.exact import exactly
from allocator.models.base import ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import Found, FoundState, OrderIntent

PAGES = 20
DIGITS = Decimal("1e-12")
"""To which an average price is told."""

ENDS = frozenset({"OrderCancelled", "OrderRejected"})
"""Events after which nothing more of an order is filled."""

STATUS_ENDS = {"FULLY_EXECUTED": "OrderFilled", "CANCELLED": "OrderCancelled"}
"""Statuses of an order that ended, and the events that they stand for."""

FILLS = frozenset({"PARTIAL_FILL", "FULL_FILL"})
"""Reasons of a status by which something was filled, whatever else it says."""

BOOK_S = 0.5
"""Seconds between readings of the book, and of statuses: at most six units a second."""

GATHER_S = 0.05
"""Seconds that the first reading of a look waits for the looks of other orders."""

HISTORY_S, USED_UP_S = 2.0, 36.0
"""Seconds between readings of history while nothing of its budget is used, and how many more once
all of it is. By its square in between, the ninety units that are used of a hundred outlast the ten
minutes of their window: on the average of the way there forty-five readings are 14 s apart."""

WAIT_S = 8.0
"""Seconds that a look may wait for a reading to begin: an executor waits ten for all of it."""

MOST_ENDED = 1000

TRANSFERS = ("transfer", "subaccount transfer")
"""What the account log calls transfers between wallets of a user, and between users."""

LOG_ROWS = 25
"""Entries of the account log that one answer holds: up to here it costs one unit."""


class Wanted(NamedTuple):
    """What a look needs of history: since when, and whether orders beside executions."""

    since_ms: int
    orders: bool


class Told(NamedTuple):
    """What a reading of history says: events and fills of every order."""

    events: list[JsonObject]
    fills: list[JsonObject]


class Looks:
    """Readings of one login for all its orders that are looked up."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self.book = Joined[None, list[JsonObject]](
            self._book, _always(BOOK_S), "open orders", GATHER_S
        )
        self.status = Joined[str, list[JsonObject]](self._status, _always(BOOK_S), "orders' status")
        self.history = Joined[Wanted, Told](self._history, self._spacing_s, "history")
        self.log = {
            kind: Joined[int, list[JsonObject]](
                partial(self._log, kind), self._spacing_s, "the account log"
            ) for kind in TRANSFERS
        }  # fmt: skip
        self.ended = dict[str, JsonObject]()

    def end(self, name: str, event: JsonObject) -> None:
        """Keep that an order ended, and forget the oldest of many."""
        self.ended[name] = event
        if len(self.ended) > MOST_ENDED:
            del self.ended[next(iter(self.ended))]

    def milliseconds(self, told: object) -> int:
        """Read a time that a status tells, milliseconds since 1970.

        Raises
        ------
        VenueError
            When it is none.
        """
        found = self._login.client.parse8601(told)
        if found is None:
            raise VenueError(f"not a time: {told!r}")
        return int(found)

    def _spacing_s(self) -> float:
        return HISTORY_S + USED_UP_S * self._login.used("history") ** 2

    async def _book(self, wishes: Sequence[None]) -> list[JsonObject]:
        del wishes
        return listed(await self._login.call("private_get_openorders", {}), "openOrders")

    async def _status(self, names: Sequence[str]) -> list[JsonObject]:
        # An empty list of the other ids has the client repeat the parameter for each name.
        asked: JsonObject = {"orderIds": [], "cliOrdIds": sorted(set(names))}
        return listed(await self._login.call("private_post_orders_status", asked), "orders")

    async def _log(self, kind: str, wishes: Sequence[int]) -> list[JsonObject]:
        """Read entries of the account log since the earliest time that is asked for.

        Raises
        ------
        VenueError
            When one answer does not hold it.
        """
        asked = {"since": min(wishes), "info": kind, "sort": "asc", "count": LOG_ROWS}
        reply = await self._login.call("history_get_account_log", asked)
        found = listed(reply, "logs")
        if len(found) >= LOG_ROWS:
            raise VenueError(f"the account log: {LOG_ROWS} entries or more")
        return found

    async def _history(self, wishes: Sequence[Wanted]) -> Told:
        since_ms = min(wish.since_ms for wish in wishes)
        whole = any(wish.orders for wish in wishes)
        # Executions last: what an order ended with is told by then.
        events = await self._events("history_get_orders", since_ms) if whole else []
        return Told(events, await self._events("history_get_executions", since_ms))

    async def _events(self, endpoint: str, since_ms: int) -> list[JsonObject]:
        """Read the events of every order since a time, oldest first.

        Raises
        ------
        VenueError
            When there is no end to the history.
        """
        rows = list[JsonObject]()
        asked: JsonObject = {"version": "v3", "since": since_ms, "sort": "asc"}
        for _ in range(PAGES):
            reply = await self._login.call(endpoint, asked)
            rows.extend(_event(row) for row in listed(reply, "elements"))
            token = reply.get("continuationToken")
            if not token:
                return rows
            asked = {**asked, "continuation_token": token}
        raise VenueError(f"{endpoint}: more than {PAGES} pages")


def _always(seconds: float) -> Callable[[], float]:
    return lambda: seconds


def looks_of(login: Login) -> Looks:
    """Take the readings that looks of a login share."""
    found = login.readings.get("looks")
    if not isinstance(found, Looks):
        found = login.readings["looks"] = Looks(login)
    return found


async def look_up(login: Login, intent: OrderIntent, trace: Trace) -> Found | None:
    """Look an order up by its client id: among open ones, by its status, then in history."""
    looks, name = looks_of(login), uuid_of(intent.client_id)
    book = await looks.book.read(None, WAIT_S)
    row = next((row for row in book if row.get("cliOrdId") == name), None)
    events = list[JsonObject]()
    if row is None:
        row, events = await _by_status(looks, name)
    if (row is not None and _is_untouched(row)) or any(map(_ended_unfilled, events)):
        return found_order(intent, row, events, [])
    unknown = row is None and not events
    told = await looks.history.read(Wanted(trace.since_ms, unknown), WAIT_S)
    if unknown:
        events = [event for event in told.events if event["name"] == name]
    fills = [fill for fill in told.fills if fill["name"] == name]
    if row is None and not events and not fills:
        return None
    return found_order(intent, row, events, fills)


async def _by_status(looks: Looks, name: str) -> tuple[JsonObject | None, list[JsonObject]]:
    """Read an order's row in the book, or the event that ended it; neither: no status tells."""
    if name in looks.ended:
        return None, [looks.ended[name]]
    row = await _status_of(looks, name)
    if row is None:
        return None, []
    status, order = row.get("status"), row["order"]
    if status == "ENTERED_BOOK":
        return {"order_id": order.get("orderId"), "filledSize": order["filled"]}, []
    if status not in STATUS_ENDS:
        return None, []
    event: JsonObject = {
        "kind": STATUS_ENDS[status],
        "order": {"uid": text(order, "orderId"), "filled": order["filled"]},
        "at": looks.milliseconds(order.get("lastUpdateTimestamp")),
        "reason": row.get("updateReason"),
    }
    looks.end(name, event)
    return None, [event]


async def _status_of(looks: Looks, name: str) -> JsonObject | None:
    """Read the only status of an order that says how much was filled; None: there is none."""
    try:
        told = await looks.status.read(name, WAIT_S)
    except VenueError:
        # It spares history, and nothing rests on it alone.
        return None
    found = [row for row in told if _order(row, name) is not None]
    if len(found) != 1 or number(found[0]["order"].get("filled")) is None:
        return None
    return found[0]


def _order(row: JsonObject, name: str) -> JsonObject | None:
    """Take the order out of a status; None: it is of another name."""
    order = row.get("order")
    return order if isinstance(order, dict) and order.get("cliOrdId") == name else None


def _is_untouched(row: JsonObject) -> bool:
    """Tell whether nothing of a standing order was filled."""
    return number(row.get("filledSize")) == ZERO and row.get("status") != "partiallyFilled"


def _ended_unfilled(event: JsonObject) -> bool:
    """Tell whether an order was cancelled before anything of it was filled."""
    unfilled = number(event["order"].get("filled")) == ZERO
    return unfilled and event["kind"] in ENDS and event.get("reason") not in FILLS


def _event(row: JsonObject) -> JsonObject:
    """Read an event: its kind, its order and that one's client id, and what is said of it.

    Raises
    ------
    VenueError
        When it is of no kind.
    """
    event = row.get("event")
    if not isinstance(event, dict) or len(event) != 1:
        raise VenueError("an event of no kind")
    ((kind, told),) = event.items()
    about = told.get("execution") or told
    order = about.get("order") or about.get("newOrder") or {}
    name = order.get("clientId")
    return {"kind": kind, "order": order, "name": name, "at": row.get("timestamp"), "about": about}


@exactly
def found_order(
    intent: OrderIntent, row: JsonObject | None, events: list[JsonObject], fills: list[JsonObject]
) -> Found:
    """Put together what the book and the history say of an order.

    Raises
    ------
    VenueError
        When they do not fit each other yet: the history comes later.
    """
    parts = [(number(text(fill["about"], "quantity")), "USD", _fee(fill)) for fill in fills]
    filled = max(quantity_of(parts), _filled(row, events, fills))
    fees = fees_of(filled, parts)
    if filled == intent.quantity:
        state: FoundState = "filled"
    elif row is not None:
        state = "partial" if filled else "open"
    elif any(event["kind"] in ENDS for event in events):
        state = "cancelled"
    else:
        raise VenueError("an order that neither stands, nor is filled, nor was cancelled")
    last = (events + fills)[-1] if events or fills else None
    return Found(
        venue_id=text((events + fills)[0]["order"], "uid")
        if row is None
        else text(row, "order_id"),
        state=state,
        filled=filled,
        average_price=_average(fills, filled),
        fees={coin: fee for coin, fee in fees.items() if fee},
        venue_time=moment(last["at"]) if last is not None else None,
    )


def _filled(row: JsonObject | None, events: list[JsonObject], fills: list[JsonObject]) -> Decimal:
    """Tell how much the order itself says was filled: in the book, or when something befell it.

    Raises
    ------
    VenueError
        When it ended, and does not say.
    """
    said = [number(row.get("filledSize"))] if row is not None else []
    said += [number(text(event["order"], "filled")) for event in events if event["kind"] in ENDS]
    said += [number(event["order"].get("filled")) for event in (*events, *fills)]
    return max((size for size in said if size is not None), default=ZERO)


def _average(fills: list[JsonObject], filled: Decimal) -> Decimal | None:
    """Average the prices of all fills; None: there are none."""
    worth = sum(
        ((number(text(fill["about"], "quantity")) or ZERO)
         * (number(text(fill["about"], "price")) or ZERO) for fill in fills), ZERO
    )  # fmt: skip
    return (worth / filled).quantize(DIGITS) if filled else None


def _fee(fill: JsonObject) -> Decimal:
    """Read what a fill cost; one that does not say is not free.

    Raises
    ------
    VenueError
        When it does not.
    """
    data = fill["about"].get("orderData")
    return number(text(data if isinstance(data, dict) else {}, "fee")) or ZERO
