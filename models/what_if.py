"""What the HTTP API answers to a what-if and to a sweep; the dashboard reads the same values."""

from __future__ import annotations

from typing import Any

from allocator.models.base import Num, Utc, Value
from allocator.models.plan import Plan


class SweepResult(Value):
    """What came of each point, in the order of the grid, on the book as it was read at a time."""

    as_of: Utc
    results_hash: str
    rows: tuple[Any, ...]


class Decided(Value):
    """What a case came to.

    Attributes
    ----------
    error
        Why it makes no sensible problem; empty: it does.
    done
        What is done to the book, in words, in the order it is done.
    remarks
        What the book then has that no plan shows, such as a position above its cap.
    wrong
        What did not come out as the case expects.
    """

    name: str
    error: str = ""
    done: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    status: str = ""
    actions: int = 0
    total: Num | None = None
    do_nothing: Num | None = None
    shortfall: Num | None = None
    worst_ratio: Num | None = None
    plan: Plan | None = None


class WhatIfResult(Value):
    """The book as it is, then each case.

    Attributes
    ----------
    as_of
        When the book was read that is decided.
    age_s
        How long ago that was when the deciding began.
    """

    as_of: Utc
    age_s: Num
    decided: tuple[Decided, ...]
