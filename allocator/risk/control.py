"""What a control is, and the one place where a figure is held against its limit. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from allocator.models.base import ZERO, plain
from allocator.models.controls import ControlsConfig
from allocator.risk.breaker import Breaker

Group = Literal["order", "exposure", "transfer", "data", "system"]


@dataclass(frozen=True, slots=True)
class Control:
    """A hard block.

    Attributes
    ----------
    id
        Never used again for another control.
    key
        Where its limit stands in the configuration, or whose fact bounds it.
    code
        What a refusal begins with.
    what
        What is measured, and its unit.
    at_least
        Whether the limit is the least, not the most.
    fixed
        The limit where nobody may choose it.
    latches
        What a refusal trips: the account, or everything, until somebody resumes.
    """

    id: str
    group: Group
    key: str
    code: str
    what: str
    at_least: bool = False
    fixed: Decimal | None = None
    latches: tuple[Literal["account", "global"], Breaker] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure that a control measures.

    Attributes
    ----------
    value
        None: not known, which blocks.
    subject
        What it was measured of.
    before
        The figure without the request; what does not make it worse passes a limit that is
        broken already, so that a book can be mended. None: no such exception.
    """

    control: Control
    value: Decimal | None
    subject: str = ""
    before: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A control that says no.

    Attributes
    ----------
    value, limit
        None: not known, not set.
    """

    control: Control
    subject: str
    value: Decimal | None
    limit: Decimal | None

    def __str__(self) -> str:
        bound = "least" if self.control.at_least else "most"
        value = "unknown" if self.value is None else _told(self.value)
        limit = f"unset ({self.control.key})" if self.limit is None else _told(self.limit)
        subject = f" of={self.subject}" if self.subject else ""
        return (
            f"{self.control.code}: control={self.control.id}{subject} value={value} {bound}={limit}"
        )


def _told(value: Decimal) -> str:
    return plain(value) if value.is_finite() else str(value)


def check(reading: Reading, limit: Decimal | None) -> Refusal | None:
    """Hold a figure against its limit; what is unknown, unset or not a number blocks.

    >>> from allocator.risk.table import ORDER_VALUE
    >>> check(Reading(ORDER_VALUE, Decimal(5)), Decimal(5)) is None
    True
    >>> str(check(Reading(ORDER_VALUE, Decimal(6)), Decimal(5)))
    'ORDER_VALUE: control=ORD-02 value=6 most=5'
    >>> str(check(Reading(ORDER_VALUE, Decimal("NaN")), None))
    'ORDER_VALUE: control=ORD-02 value=NaN most=unset (order_value)'
    """
    control, value, before = reading.control, reading.value, reading.before
    if value is None or limit is None or not (value.is_finite() and limit.is_finite()):
        return Refusal(control, reading.subject, value, limit)
    if _within(control, value, limit):
        return None
    if before is not None and before.is_finite() and _within(control, value, before):
        return None
    return Refusal(control, reading.subject, value, limit)


def _within(control: Control, value: Decimal, limit: Decimal) -> bool:
    return value >= limit if control.at_least else value <= limit


def limit_of(config: ControlsConfig, reading: Reading) -> Decimal | None:
    """Look the limit of a figure up; None: nobody set it."""
    control = reading.control
    if control.fixed is not None:
        return control.fixed
    found = getattr(config, control.key)
    if isinstance(found, Decimal) or found is None:
        return found
    limit: Decimal | None = found.get(reading.subject)
    return limit


def judge(readings: Iterable[Reading], config: ControlsConfig) -> tuple[Refusal, ...]:
    """Hold figures against the limits of a configuration; empty: all pass."""
    out = list[Refusal]()
    for row in readings:
        refusal = check(row, limit_of(config, row))
        if refusal is not None:
            out.append(refusal)
    return tuple(out)


def flag(control: Control, wrong: bool, subject: str = "") -> Reading:
    """Measure a condition: one where it is broken, none where it holds."""
    return Reading(control, Decimal(1) if wrong else ZERO, subject)
