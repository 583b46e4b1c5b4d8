"""Writes pages: figures as people read them, everything escaped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from allocator.models.base import plain
from allocator.models.explain import describe, money, sentence

UNKNOWN = "–"


class Renderer:
    """The templates of a folder."""

    def __init__(self, folder: Path) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters: dict[str, Callable[..., Any]] = {
            "money": _or_unknown(money),
            "whole": _or_unknown(whole),
            "ratio": _or_unknown(lambda value: f"{value:.2f}"),
            "percent": _or_unknown(lambda value: f"{value:.1%}"),
            "plain": _or_unknown(plain),
            "clock": clock,
            "carried": carried,
            "moment": _or_unknown(lambda at: f"{at:%Y-%m-%d %H:%M:%S}"),
            "age": _or_unknown(age),
            "sign": sign,
            "describe": describe,
            "sentence": sentence,
            "width": width,
        }
        self._environment.filters.update(filters)

    def __call__(self, name: str, **facts: Any) -> str:
        """Write a page."""
        return self._environment.get_template(name).render(**facts)


CARRIED = {
    "open": "being carried out",
    "parked": "parked",
    "done": "carried out",
    "partial": "carried out in part",
    "superseded": "given up",
    "failed": "failed",
}
"""What is said of an execution, by the status of its cycle."""


def carried(status: str) -> str:
    """Say how an execution stands.

    >>> carried("done"), carried("superseded")
    ('carried out', 'given up')
    """
    return CARRIED.get(status, status)


def clock(at: datetime | None, now: datetime) -> str:
    """Write a time of today as such, and of another day with its date.

    >>> clock(datetime(2026, 11, 20, 8), datetime(2026, 11, 20, 9))
    '08:00:00'
    >>> clock(datetime(2026, 11, 19, 8), datetime(2026, 11, 20, 9))
    '2026-11-19 08:00:00'
    """
    if at is None:
        return UNKNOWN
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S}"


def _or_unknown(write: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: UNKNOWN if value is None else write(value)


def age(seconds: Decimal | float) -> str:
    """Write an age in the unit that fits.

    >>> age(4), age(90), age(7300)
    ('4 s', '1 min', '2 h')
    """
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(max(seconds, 0))} s"


def whole(value: Decimal) -> str:
    """Write money without cents.

    >>> whole(Decimal("-0.4")), whole(Decimal("1234.5"))
    ('0', '1,234')
    """
    return f"{round(value) or 0:,}"


def sign(value: Decimal | None, places: int) -> str:
    """Name the class of a gain or a loss; what is written as zero is neither.

    >>> sign(Decimal("-0.4"), 0), sign(Decimal("-0.4"), 2), sign(None, 2)
    ('', 'loss', '')
    """
    shown = None if value is None else round(value, places)
    if not shown:
        return ""
    return "gain" if shown > 0 else "loss"


def width(value: Decimal | None, most: Decimal | float | int = 1) -> str:
    """Write a share of a bar, percent, within 0 and 100."""
    if value is None or not most:
        return "0"
    return f"{max(0.0, min(100.0, float(value) / float(most) * 100)):.1f}"


def since(at: datetime, now: datetime) -> float:
    """Tell seconds between two times."""
    return (now - at).total_seconds()
