"""Slices of legs: what may be sent, what was not filled, and how either is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from allocator.execution.attempts import Attempt
from allocator.execution.slices import Leg
from allocator.execution.transitions import State
from allocator.models.intents import Capabilities, OrderIntent, Quote

ENDED_BADLY = frozenset({State.REJECTED, State.NOT_EXECUTED, State.MANUAL})


@dataclass(frozen=True, slots=True)
class Short:
    """A slice that was not filled.

    Attributes
    ----------
    over
        Whether trying again is out of the question.
    """

    why: str
    over: bool = True


@dataclass(frozen=True, slots=True)
class Ready:
    """A slice of a leg that may be sent at these prices, to take or to rest."""

    leg: Leg
    part: int
    quantity: Decimal
    quote: Quote
    rests: bool = False


def ended_badly(attempt: Attempt) -> bool:
    """Whether a request ended so that no other may follow it."""
    return attempt.state in ENDED_BADLY


def short_of(attempt: Attempt) -> Short:
    """Tell of a slice that ended so."""
    return Short(f"{attempt.state}: {attempt.reason}")


def style_of(attempt: Attempt) -> str:
    """Tell how an order was sent; empty for what is no order."""
    return attempt.intent.style if isinstance(attempt.intent, OrderIntent) else ""


def carries(can: Capabilities, legs: Sequence[Leg]) -> bool:
    """Tell whether one request takes an order of each leg.

    Purchases for cash go one by one: each is priced by what the one before has left.
    """
    if sum(leg.instrument.is_spot and leg.order.side == "buy" for leg in legs) > 1:
        return False
    return can.batch_orders >= len(legs)


def first_of(leg: Leg) -> tuple[bool, int]:
    """Put what reduces risk before its hedge."""
    return (not leg.order.reduce_only, leg.order.seq)
