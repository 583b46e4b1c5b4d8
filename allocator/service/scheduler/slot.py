"""One slot: something that is to be done once, who asks for it and what it is called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from allocator.models.base import stamp

Kind = Literal["plan", "repair", "execute"]
Origin = Literal["schedule", "trigger", "person", "again"]
"""Whose id a source is; ``again``: of what took the place of a plan that was overtaken."""
Status = Literal["due", "running", "done", "failed", "untold", "missed", "skipped"]
"""How a slot stands; ``untold``: it was missed, and nobody was told so far."""

STANDS_FOR = "; it stands for {} before it"
STOOD_FOR = re.compile(r"; it stands for (\d+) before it$")
"""The end of a missed slot's note, where those before it are not written down."""


AGAIN = " again"
TIMED = re.compile(r" \d{4}-\d\d-\d\dT\S+(?: again)*$")
"""The end of a slot's name that tells its time, and that it takes another's place."""

LONGEST_HEAD = 160
"""Characters of a slot's name before its time: a name has 200, and what follows tells it apart."""


def named_at(head: str, at: datetime) -> str:
    """Name a slot by what asks for it and when; a long head is cut, never the time."""
    return f"{head[:LONGEST_HEAD]} {stamp(at)}"


def head_of(name: str) -> str:
    """Tell what asks for a slot by its name, without when and how often.

    >>> head_of("used cap 2026-11-20T08:00:00Z again"), head_of("execute 1234")
    ('used cap', 'execute 1234')
    """
    return TIMED.sub("", name)


def again(name: str) -> str:
    """Name the slot that takes the place of one whose plan was overtaken."""
    return f"{name}{AGAIN}"[:200]


def anew(plan_hash: str) -> str:
    """Name the slot that takes the place of a plan that was given up between slots."""
    return f"again {plan_hash}"


def executing(plan_hash: str) -> str:
    """Name the slot that carries out a plan which people have let go."""
    return f"execute {plan_hash}"


@dataclass(frozen=True, slots=True)
class Slot:
    """Something to be done once; fields as in `SlotRow`."""

    id: int
    name: str
    source: str
    kind: str
    cause: str
    due_at: datetime
    status: str
    note: str = ""
    epoch: int | None = None
    began_at: datetime | None = None
    ended_at: datetime | None = None
    plan_hash: str | None = None
    origin: str = "person"


@dataclass(frozen=True, slots=True)
class Asked:
    """A slot that is to be written down.

    Attributes
    ----------
    before
        How many earlier slots of its schedule it stands for, which are not written down.
    """

    name: str
    source: str
    kind: Kind
    cause: str
    due_at: datetime
    status: Status = "due"
    note: str = ""
    plan_hash: str | None = None
    before: int = 0
    origin: Origin = "person"


def untold(row: Asked) -> Asked:
    """Make of a slot that was missed what is written down of it: nobody was told so far."""
    note = f"{row.note}{STANDS_FOR.format(row.before)}" if row.before else row.note
    return replace(row, status="untold", note=note)


def counted(notes: Iterable[str]) -> int:
    """Count missed slots by their notes, with those that they stand for.

    >>> counted(["late", "late; it stands for 99 before it"])
    101
    """
    found = [STOOD_FOR.search(note) for note in notes]
    return len(found) + sum(int(row[1]) for row in found if row is not None)
