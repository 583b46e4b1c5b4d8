"""Cron lines: what of crontab(5) a schedule understands, and what it refuses; pure.

The timer behind reads on past what it does not understand, and takes two day fields together where
crontab takes either. A line that means something else here than it says is a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

FIELDS = ("minute", "hour", "day", "month", "day of week")
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
NAMES: tuple[tuple[str, ...], ...] = (
    (), (), (),
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
)  # fmt: skip
LAST = "last"
"""Of the day field: the month's last."""

PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]+))?", re.ASCII)
LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Most days of each month."""


def cron_problem(cron: str) -> str | None:
    """Tell what is wrong with a cron line; None: nothing is.

    >>> cron_problem("0 8 * * 1-5"), cron_problem("*/15 * last jan,jul *")
    (None, None)
    >>> cron_problem("0 8 * * mon#1")
    "day of week: 'mon#1' is not understood"
    >>> cron_problem("0 0 30 2 *")
    'it never comes: no month of it has such a day'
    """
    fields = cron.split()
    if len(fields) != len(FIELDS):
        return f"cron has five fields: {', '.join(FIELDS)}"
    for number, field in enumerate(fields):
        for part in field.split(","):
            why = _wrong(number, part.lower())
            if why:
                return f"{FIELDS[number]}: {part!r} {why}"
    day, month, weekday = fields[2:]
    if not day.startswith("*") and not weekday.startswith("*"):
        return (
            "day and day of week are both given: crontab takes a day that is either, this timer "
            "one that is both; give one of them, in a schedule each"
        )
    days, months = list(_values(2, day)), list(_values(3, month))
    if days and all(min(days) > LENGTHS[row - 1] for row in months):
        return "it never comes: no month of it has such a day"
    return None


def _wrong(number: int, part: str) -> str:
    """Say what is wrong with one part of a field; empty: nothing."""
    if number == FIELDS.index("day") and part == LAST:
        return ""
    found = PART.fullmatch(part)
    if found is None:
        return "is not understood"
    words = [end for end in (found["first"], found["last"]) if end is not None]
    ends = _ends(number, words)
    named = {word.isdecimal() for word in words}
    if len(ends) < len(words) or len(named) > 1 or (found["step"] and False in named):
        return "is not understood"
    low, high = RANGES[number]
    if any(not low <= end <= high for end in ends):
        return f"is beyond {low} to {high}"
    if ends != sorted(ends):
        return "ends before it begins"
    return _bad_step(found["step"], (ends or [low])[0], ends[1] if len(ends) > 1 else high)


def _bad_step(told: str | None, first: int, last: int) -> str:
    if told is None or 0 < int(told) <= last - first:
        return ""
    if not int(told):
        return "has a step of 0, which leads nowhere"
    return f"has a step of {told}, which is never taken: it means {first}, write that"


def _ends(number: int, words: Sequence[str]) -> list[int]:
    """Tell the numbers of a range's ends that are understood; a week may end with its Sunday."""
    found = [_number(number, word) for word in words]
    ends = [end for end in found if end is not None]
    if number == FIELDS.index("day of week") and words[1:] == ["sun"] and ends[0]:
        ends[1:] = [7]
    return ends


def _number(number: int, word: str) -> int | None:
    if word.isdecimal() and len(word) <= len(str(RANGES[number][1])):
        return int(word)
    names = NAMES[number]
    return names.index(word) + RANGES[number][0] if word in names else None


def _values(number: int, field: str) -> Iterator[int]:
    """Yield the numbers of a field that was found good; of the month's last day none."""
    low, high = RANGES[number]
    for part in field.lower().split(","):
        found = PART.fullmatch(part)
        if part == LAST or found is None:
            continue
        first = low if found["first"] is None else _number(number, found["first"])
        last = first if found["step"] is None and found["first"] is not None else high
        if found["last"] is not None:
            last = _number(number, found["last"])
        assert first is not None
        assert last is not None
        yield from range(first, last + 1, int(found["step"] or 1))
