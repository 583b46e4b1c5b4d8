"""The venue's words for the core's, and the reading of its parameters."""

import uuid
from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import TypeVar

from allocator.adapters.emulator.errors import VenueError
from allocator.adapters.emulator.exchange import Exchange
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.records import Order, OrderType, Side, TimeInForce
from allocator.adapters.emulator.wire import Call, Json, plain

Row = TypeVar("Row")
NAMESPACE = uuid.UUID("5f1d2c3b-0000-4000-8000-00000000b1b1")
CATEGORIES = ("spot", "linear", "inverse", "option")
SIDES: dict[str, Side] = {"Buy": "buy", "Sell": "sell"}
TYPES: dict[str, OrderType] = {"Limit": "limit", "Market": "market"}
TIFS: dict[str, TimeInForce] = {
    "GTC": "gtc",
    "IOC": "ioc",
    "FOK": "fok",
    "PostOnly": "post_only",
}
TIF_WORDS = {word: name for name, word in TIFS.items()}
PLACES = Decimal("1e-8")


def category(call: Call) -> str:
    """Return the category; 10001 when it is missing or not one of four."""
    word = call.text("category")
    if word not in CATEGORIES:
        raise VenueError(10001, "params error: Illegal category")
    return word


def choice(call: Call, name: str, words: dict[str, Row], default: str = "") -> Row:
    """Return what a parameter's word stands for; 10001 when it is no such word."""
    word = call.text(name, default)
    if word not in words:
        raise VenueError(10001, f"params error: {name} invalid")
    return words[word]


def required(call: Call, name: str) -> str:
    """Return a parameter's text; 10001 when it is missing."""
    word = call.text(name)
    if not word:
        raise VenueError(10001, f"params error: {name} is required")
    return word


def amount(call: Call, name: str) -> Decimal:
    """Return a parameter as a number; 10001 when it is missing or none."""
    required(call, name)
    number = call.number(name)
    if number is None:
        raise VenueError(10001, f"params error: {name} invalid")
    return number


def user_id(uid: str) -> str:
    """Return the core's id of a member."""
    return f"bybit:{uid}"


def uid(user: str) -> str:
    """Return the member id of a core user."""
    return user.partition(":")[2]


def instrument_of(call: Call) -> Instrument:
    """Return the instrument of `category` and `symbol`."""
    return call.exchange.instrument("bybit", category(call), required(call, "symbol"))


def instruments(call: Call) -> list[Instrument]:
    """Return the category's instruments, or the one named by `symbol`."""
    if call.text("symbol"):
        return [instrument_of(call)]
    word = category(call)
    return [i for i in call.exchange.instruments.values() if (i.venue, i.market) == ("bybit", word)]


def new_id(exchange: Exchange, name: str, numeric: bool = False) -> str:
    """Return the next id of a sequence, as a UUID or as a long number (spot orders)."""
    number = exchange.ledger.next(f"bybit.{name}")
    return str(1_900_000_000_000_000_000 + number) if numeric else uuid_of(f"{name}|{number}")


def uuid_of(text: str) -> str:
    """Return a UUID that depends on nothing but the text."""
    return str(uuid.uuid5(NAMESPACE, text))


def usd(number: Decimal) -> str:
    """Return a figure rounded down to eight places, in plain digits."""
    return plain(number.quantize(PLACES, rounding=ROUND_DOWN))


def page(call: Call, rows: Sequence[Row], default: int, maximum: int) -> tuple[list[Row], str]:
    """Return one page of rows and the cursor of the next, empty at the end.

    The cursor names the offset and the first row's distance from the end, so that rows added in
    front while paging do not shift what follows.
    """
    limit = int(call.text("limit", str(default)))
    if not 1 <= limit <= maximum:
        raise VenueError(10001, "params error: limit invalid")
    cursor = call.text("cursor")
    start = len(rows) - int(cursor.removeprefix("left:")) if cursor else 0
    chosen = list(rows[start : start + limit])
    left = len(rows) - start - len(chosen)
    return chosen, f"left:{left}" if left > 0 else ""


def between(call: Call, time_ms: int) -> bool:
    """Tell whether a time lies in [startTime, endTime], open where a bound is absent."""
    start, end = call.text("startTime"), call.text("endTime")
    return not (start and time_ms < int(start)) and not (end and time_ms > int(end))


def status_of(order: Order, instrument: Instrument) -> str:
    """Return the venue's status word."""
    if order.status == "filled":
        return "Filled"
    if order.status == "open":
        return "PartiallyFilled" if order.filled else "New"
    if instrument.payoff == "spot" and order.filled:
        return "PartiallyFilledCanceled"
    return "Cancelled"


def listed(call: Call, rows: Sequence[dict[str, Json]], next_cursor: str) -> Json:
    """Return the result of a paged list of one category."""
    return {"nextPageCursor": next_cursor, "category": category(call), "list": list(rows)}
