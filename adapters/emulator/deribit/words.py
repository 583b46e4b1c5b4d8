"""Deribit's host, envelope and words, and the reading of its parameters.

Sources: docs.deribit.com, articles/json-rpc-overview and articles/errors. Answers are JSON-RPC
objects whose figures are JSON numbers; they are written digit for digit, never through a float.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar, cast

from allocator.adapters.emulator.errors import VenueError
from allocator.adapters.emulator.exchange import Exchange
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.records import User
from allocator.adapters.emulator.wire import Call, Endpoint, Handler, Json, Reply, plain

Row = TypeVar("Row")
HOST = "www.deribit.com"
VENUE = "deribit"
WALLET = "main"
PUBLIC = "public"
KINDS = ("future", "option", "spot", "future_combo", "option_combo")
INVALID_PARAMS, MISSING_PARAMS = -32602, -32000


class RpcError(VenueError):
    """An error object with the venue's code, its short message and, if told, the reason."""

    def __init__(self, code: int, message: str, **data: object) -> None:
        self.data = data
        super().__init__(code, message, status=400)


@dataclass(frozen=True, slots=True)
class RpcReply(Reply):
    """A reply whose Decimals are written as numbers."""

    def encode(self) -> bytes:
        """Return the body as the venue would print it."""
        return written(self.body).encode()


def written(value: Any) -> str:
    """Write JSON, a Decimal as a number with all its digits.

    >>> written({"a": [Decimal("0.10"), Decimal("12345678901234567890.5"), True, None]})
    '{"a":[0.1,12345678901234567890.5,true,null]}'
    """
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return "{" + ",".join(f"{json.dumps(k)}:{written(v)}" for k, v in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(written(v) for v in cast("Sequence[Any]", value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def row(
    name: str, handler: Handler, page: str, *cases: str, needs: str = PUBLIC, engine: bool = False
) -> Endpoint:
    """Return one row of the endpoint table.

    `needs` is the scope a key must have (PUBLIC asks for no key), `engine` tells that it counts
    against the matching engine's credits.
    """
    public = needs == PUBLIC
    return Endpoint(
        HOST,
        "GET",
        f"/api/v2/{name}",
        "public" if public else "signed",
        handler,
        ("ok", *cases),
        page,
        1 if engine else 0,
        "" if public else needs,
    )


def invalid(reason: str, param: str) -> RpcError:
    """Return the error of a parameter that is wrong."""
    return RpcError(INVALID_PARAMS, "Invalid params", reason=reason, param=param)


def required(call: Call, name: str) -> str:
    """Return a parameter's text; -32602 when it is missing."""
    word = call.text(name)
    if not word:
        raise invalid("value required", name)
    return word


def amount(call: Call, name: str) -> Decimal:
    """Return a parameter as a number; -32602 when it is missing or none."""
    required(call, name)
    try:
        number = call.number(name)
    except ValueError as error:
        raise invalid("wrong format", name) from error
    if number is None:
        raise invalid("value required", name)
    return number


def integer(call: Call, name: str, default: int | None = None) -> int:
    """Return a whole number; -32602 when it is none."""
    text = call.text(name, "" if default is None else str(default))
    if not text.lstrip("-").isdigit():
        raise invalid("wrong format", name)
    return int(text)


def currency(call: Call, *, optional: bool = False) -> str:
    """Return the currency asked for; `any` and, where it may be left out, nothing mean all."""
    word = call.text("currency", "any" if optional else "")
    if word == "any":
        return ""
    if word not in call.exchange.ledger.prices:
        raise invalid("invalid currency", "currency")
    return word


def user_id(uid: object) -> str:
    """Return the core's id of a user id of the venue."""
    return f"{VENUE}:{uid}"


def uid(user: str) -> int:
    """Return the venue's id of a core user."""
    return int(user.partition(":")[2])


def member(call: Call, name: str) -> User:
    """Return a user of the caller's own main account; 12100 for any other.

    Only a main account may name another than itself.
    """
    me = call.exchange.ledger.users[call.user]
    found = call.exchange.ledger.users.get(user_id(integer(call, name)))
    if found is None or found.root != me.root:
        raise RpcError(12100, "transfer_not_allowed")
    return found


def subject(call: Call) -> str:
    """Return whose data is asked for: the caller's, or (main account) a sub-account's."""
    if not call.text("subaccount_id"):
        return call.user
    found = member(call, "subaccount_id")
    if found.id != call.user and call.exchange.ledger.users[call.user].parent is not None:
        raise RpcError(13012, "unavailable_in_subaccount")
    return found.id


def main_only(call: Call) -> None:
    """Refuse a sub-account with 13012."""
    if call.exchange.ledger.users[call.user].parent is not None:
        raise RpcError(13012, "unavailable_in_subaccount")


def instruments(exchange: Exchange) -> list[Instrument]:
    """Return the venue's instruments."""
    return [i for i in exchange.instruments.values() if i.venue == VENUE]


def instrument_of(call: Call, name: str = "instrument_name") -> Instrument:
    """Return the instrument named, or 13020."""
    return named(call.exchange, required(call, name))


def named(exchange: Exchange, symbol: str) -> Instrument:
    """Return an instrument by its name, or 13020."""
    for kind in KINDS:
        found = exchange.instruments.get(f"{VENUE}:{kind}:{symbol}")
        if found is not None:
            return found
    raise RpcError(13020, "not_found", reason="instrument not found")


def currency_of(instrument: Instrument) -> str:
    """Return the currency an instrument is listed under: what it settles in, spot's quote."""
    return instrument.settle


def units(instrument: Instrument, contracts: Decimal) -> Decimal:
    """Return contracts in the venue's amounts: USD for inverse, base units for the rest."""
    return contracts * instrument.contract_size


def contracts(instrument: Instrument, units_: Decimal) -> Decimal:
    """Return an amount of the venue in contracts."""
    return units_ / instrument.contract_size


def page(call: Call, rows: Sequence[Row], default: int, most: int = 1000) -> list[Row]:
    """Return the rows that `count` and `offset` choose."""
    count, offset = integer(call, "count", default), integer(call, "offset", 0)
    if not 1 <= count <= most or offset < 0:
        raise invalid("out of range", "count")
    return list(rows[offset : offset + count])


def continued(call: Call, rows: Sequence[Row], default: int, most: int) -> tuple[list[Row], str]:
    """Return `count` rows from where `continuation` points, and the next continuation or nothing.

    A continuation counts what is left, from the old end: rows added in front shift nothing.
    """
    count = integer(call, "count", default)
    if not 1 <= count <= most:
        raise invalid("out of range", "count")
    token = call.text("continuation")
    start = len(rows) - int(token) if token.isdigit() else 0
    chosen = list(rows[start : start + count])
    left = len(rows) - start - len(chosen)
    return chosen, str(left) if left > 0 else ""


def number(value: Decimal) -> Json:
    """Return a Decimal as what `written` writes as a number."""
    return cast("Json", value)
