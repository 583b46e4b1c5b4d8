"""Arithmetic that does not depend on the caller's decimal context.

ccxt changes the rounding and the traps of the thread's context, so every calculation of the
adapters runs in a context of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

EXACT = Context(
    prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow]
)


def exactly(function: Callable[P, T]) -> Callable[P, T]:
    """Run a synchronous function with 60 digits, whatever the caller's context is."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with localcontext(EXACT):
            return function(*args, **kwargs)

    return run


@exactly
def down(value: Decimal, step: Decimal) -> Decimal:
    """Round down to a multiple of a step; a step of zero changes nothing."""
    return (value / step).to_integral_value(ROUND_FLOOR) * step if step else value


@exactly
def up(value: Decimal, step: Decimal) -> Decimal:
    """Round up to a multiple of a step; a step of zero changes nothing."""
    return (value / step).to_integral_value(ROUND_CEILING) * step if step else value


@exactly
def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Tell whether a value is a multiple of a step; of a step of zero everything is."""
    return not step or value % step == 0
