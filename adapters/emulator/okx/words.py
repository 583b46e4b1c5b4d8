"""The venue's words for the core's, and the reading of its parameters.

Sources: the venue's pages "Place order", "Order details", and the pagination of each list.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Literal, TypeVar

from allocator.adapters.emulator.errors import Refusal, Refused, VenueError
from allocator.adapters.emulator.exchange import Exchange
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.records import Counter, Leg, Order, Side, TimeInForce, User
from allocator.adapters.emulator.wire import Call, Json, plain

Row = TypeVar("Row")
Setting = Literal["level", "hedge", "may_send"]
MOST = 100
PLACES = Decimal("1e-10")
SIDES: dict[str, Side] = {"buy": "buy", "sell": "sell"}
LEGS: dict[str, Leg] = {"net": "net", "long": "long", "short": "short"}
TIFS: dict[str, TimeInForce] = {
    "limit": "gtc",
    "market": "ioc",
    "post_only": "post_only",
    "fok": "fok",
    "ioc": "ioc",
}
KINDS = ("SPOT", "SWAP", "FUTURES", "OPTION", "MARGIN")
DEFAULTS: dict[Setting, int] = {"level": 3, "hedge": 0, "may_send": 0}


def wrong(name: str) -> VenueError:
    """Return the refusal of a parameter that is none of its values: 51000."""
    return VenueError(51000, f"Parameter {name} error", status=400)


def required(call: Call, name: str) -> str:
    """Return a parameter's text; 50014 when it is missing."""
    word = call.text(name)
    if not word:
        raise VenueError(50014, f"Parameter {name} can not be empty.", status=400)
    return word


def amount(call: Call, name: str) -> Decimal:
    """Return a parameter as a number; 50014 when it is missing, 51000 when it is none."""
    required(call, name)
    try:
        found = call.number(name)
    except ValueError as error:
        raise wrong(name) from error
    if found is None:
        raise wrong(name)
    return found


def actions(call: Call) -> tuple[Mapping[str, Json], ...]:
    """Return the actions of a body that is a list; 50002 when it is none of objects."""
    try:
        rows = json.loads(call.body, parse_float=str)
    except ValueError as error:
        raise VenueError(50002, "JSON syntax error", status=400) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise VenueError(50002, "JSON syntax error", status=400)
    return tuple(rows)


def kind_of(call: Call) -> str:
    """Return the instrument type, which is required; 51000 when it is no such word."""
    word = required(call, "instType")
    if word not in KINDS:
        raise wrong("instType")
    return word


def user_of(user: str) -> str:
    """Return the venue's id of a core user."""
    return user.partition(":")[2]


def member(call: Call, name: str) -> User:
    """Return the sub-account of that name under the caller's master; 58115 when there is none."""
    root = call.exchange.ledger.users[call.user].root
    for user in call.exchange.ledger.users.by("venue", "okx"):
        if user.name == name and user.parent == root:
            return user
    raise VenueError(58115, "Sub-account does not exist.")


def instrument_named(exchange: Exchange, name: str) -> Instrument:
    """Return an instrument by its id; UNKNOWN_INSTRUMENT when there is none."""
    market = "SWAP" if name.endswith("-SWAP") else "SPOT"
    return exchange.instrument("okx", market, name)


def instruments(call: Call, kind: str) -> list[Instrument]:
    """Return the instruments of a type, or the one named by `instId`."""
    rows = [i for i in call.exchange.instruments.values() if (i.venue, i.market) == ("okx", kind)]
    name = call.text("instId")
    if name and not any(i.symbol == name for i in rows):
        raise Refused(Refusal.UNKNOWN_INSTRUMENT, symbol=name)
    return [i for i in rows if name in {"", i.symbol}]


def family(instrument: Instrument) -> str:
    """Return the instrument family, e.g. BTC-USDT."""
    return f"{instrument.base}-{instrument.quote}"


def setting(exchange: Exchange, user: str, name: Setting) -> int:
    """Return a setting of a user: account mode, long/short mode, right to send to a member."""
    found = exchange.ledger.counters.get(f"okx.{name}|{user}")
    return DEFAULTS[name] if found is None else found.value


def change(exchange: Exchange, user: str, name: Setting, value: int) -> None:
    """Change a setting of a user."""
    exchange.ledger.counters.put(Counter(f"okx.{name}|{user}", value))


def new_id(exchange: Exchange, name: str) -> str:
    """Return the next id of a sequence, a long number."""
    return str(2_510_000_000_000_000_000 + exchange.ledger.next(f"okx.{name}"))


def figure(number: Decimal) -> str:
    """Return a figure rounded down to ten places, in plain digits."""
    return plain(number.quantize(PLACES, rounding=ROUND_DOWN))


def state_of(order: Order) -> str:
    """Return the venue's word for an order's state."""
    if order.status == "filled":
        return "filled"
    if order.status == "cancelled":
        return "canceled"
    return "partially_filled" if order.filled else "live"


def page(call: Call, rows: Sequence[Row], mark: Callable[[Row], int]) -> list[Row]:
    """Return one page of rows that stand newest first.

    `after` asks for what is older than a mark (order id, or time), `before` for what is newer;
    `limit` is at most a hundred, which it also is by default.
    """
    try:
        limit = int(call.text("limit", str(MOST)))
        after, before = call.text("after"), call.text("before")
        older = [r for r in rows if not after or mark(r) < int(after)]
        found = [r for r in older if not before or mark(r) > int(before)]
    except ValueError as error:
        raise wrong("limit, after or before") from error
    if not 1 <= limit <= MOST:
        raise wrong("limit")
    return found[-limit:] if before and not after else found[:limit]


def between(call: Call, time_ms: int) -> bool:
    """Tell whether a time lies in [begin, end], open where a bound is absent."""
    begin, end = call.text("begin"), call.text("end")
    return not (begin and time_ms < int(begin)) and not (end and time_ms > int(end))
