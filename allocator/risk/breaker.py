"""The kill switch: who is halted, who may only reduce. Pure; the journal keeps it.

A breaker has a scope: everything, one venue, or one account. The strictest one that covers an
account holds. Only a person with a reason makes it laxer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from allocator.models.errors import RefusedError
from allocator.models.intents import Intent, OrderIntent, TransferIntent
from allocator.models.plan import Action, Order, Transfer
from allocator.state import Book


class Breaker(StrEnum):
    """What may be sent.

    ACTIVE: everything; REDUCING: orders that reduce, and money inside a venue; HALTED: nothing.
    """

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


STRICTNESS = {Breaker.ACTIVE: 0, Breaker.REDUCING: 1, Breaker.HALTED: 2}

GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Tripped:
    """A breaker that was set once.

    Attributes
    ----------
    scope
        ``global``, ``venue:NAME`` or ``account:NAME``.
    who
        A person, or the id of the control that tripped it.
    """

    scope: str
    state: Breaker
    reason: str
    who: str
    at: datetime


def check_scope(scope: str) -> str:
    """Refuse a scope that names nothing.

    Raises
    ------
    RefusedError
        When it is not one of the three forms.
    """
    kind, colon, name = scope.partition(":")
    if scope == GLOBAL or (kind in ("venue", "account") and colon and name.strip()):
        return scope
    raise RefusedError(f"BREAKER_SCOPE: scope={scope} wanted=global|venue:NAME|account:NAME")


def stricter(first: Breaker, second: Breaker) -> Breaker:
    """Choose the stricter of two states."""
    return max(first, second, key=STRICTNESS.__getitem__)


def covering(rows: Iterable[Tripped], account: str, venue: str) -> Tripped | None:
    """Find the strictest breaker that covers an account; None: none was ever tripped.

    >>> covering([], "main", "okx") is None
    True
    """
    scopes = {GLOBAL, f"venue:{venue}", f"account:{account}"}
    found = [row for row in rows if row.scope in scopes]
    return max(found, key=lambda row: (STRICTNESS[row.state], row.at), default=None)


def reduces(book: Book, request: Intent | Action) -> bool:
    """Whether a request may go while only reductions may: it reduces, or stays inside a venue."""
    if isinstance(request, (Order, OrderIntent)):
        return request.reduce_only
    if isinstance(request, (Transfer, TransferIntent)):
        return book.routes[request.route].kind == "internal"
    return False


def stops(state: Breaker, *, reduces: bool) -> bool:
    """Whether a breaker stands in the way of a request, by whether that reduces."""
    return state is Breaker.HALTED or (state is Breaker.REDUCING and not reduces)


def told(scope: str, state: str, why: str) -> str:
    """Say what stands in the way, and what lets it act again."""
    return (
        f"BREAKER: scope={scope} state={state} why={why}; "
        f"`allocator resume {scope}` lets it act again"
    )


def latch(before: Breaker, to: Breaker) -> Breaker:
    """Trip a breaker: it never becomes laxer this way."""
    return stricter(before, to)
