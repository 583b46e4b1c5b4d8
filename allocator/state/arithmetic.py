"""The one arithmetic of the law: 50 digits, half even, whatever context a caller has set."""

from __future__ import annotations

from collections.abc import Callable
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    getcontext,
    localcontext,
)
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

LAW = Context(
    prec=50,
    rounding=ROUND_HALF_EVEN,
    Emin=-999_999,
    Emax=999_983,
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
"""Digits enough that sums of money in any order agree to far below a cent.

Its odd Emax tells a function that is called from another one of the law that it is in force.
"""

PUBLISHED = Decimal("1e-12")
"""The last digit of a figure that leaves the law: plans carry no noise of divisions."""


def lawful(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function under `LAW`, so that its result does not depend on the caller's context."""

    @wraps(function)
    def under_law(*args: P.args, **kwargs: P.kwargs) -> R:
        now = getcontext()
        if now.prec == LAW.prec and now.Emax == LAW.Emax:
            return function(*args, **kwargs)
        with localcontext(LAW):
            return function(*args, **kwargs)

    return under_law


@lawful
def published(value: Decimal) -> Decimal:
    """Round a figure half even to 1e-12, as plans carry it."""
    return value.quantize(PUBLISHED) if value.adjusted() < 36 else +value
