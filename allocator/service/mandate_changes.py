"""What one mandate says otherwise than another, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from allocator.models.base import json_value
from allocator.models.canonical import canonical_json
from allocator.models.mandate import Mandate

NAMED_BY = ("id", "underlying", "name")
"""Keys that tell the rows of a list apart, wherever they stand in it."""


class Change(NamedTuple):
    """A field, what it was and what it becomes; empty: it is not there."""

    field: str
    before: str
    after: str


def changes(before: Mandate | None, after: Mandate) -> tuple[Change, ...]:
    """List what differs, in the order of the fields; of nothing, all that is said.

    >>> from allocator.models.mandate import Target
    >>> one = Mandate(targets=(Target(underlying="BTC", delta=1),))
    >>> changes(one, Mandate(targets_default="zero"))[0]
    Change(field='targets[BTC].underlying', before='BTC', after='')
    """
    old = {} if before is None else dict(_fields(json_value(before), ""))
    new = dict(_fields(json_value(after), ""))
    return tuple(
        Change(name, old.get(name, ""), new.get(name, ""))
        for name in dict.fromkeys([*old, *new])
        if old.get(name, "") != new.get(name, "")
    )


def _fields(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Write a value out by field; a list whose rows have no name stays whole."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _fields(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list) and value and all(_name(row) for row in value):
        seen = dict[str, int]()
        for row in value:
            name = _name(row)
            seen[name] = seen.get(name, 0) + 1
            again = f" #{seen[name]}" if seen[name] > 1 else ""
            yield from _fields(row, f"{place}[{name}{again}]")
    elif value not in (None, [], ""):
        yield place, value if isinstance(value, str) else canonical_json(value)


def _name(row: Any) -> str:
    found = (row.get(key) for key in NAMED_BY) if isinstance(row, Mapping) else ()
    return next((name for name in found if isinstance(name, str)), "")
