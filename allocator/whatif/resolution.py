"""The plain scenario that a file with references, overrides and shocks amounts to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from allocator.models.base import Value, json_value
from allocator.models.scenario import Scenario

FLOW_KEYS = 6
"""Mappings up to this size stand in one line."""

PLAIN_KEY = re.compile(r"(?!(null|true|false|yes|no|on|off|y|n)\Z)[a-z][a-z_]*")
KEEP_NULL = "upto"
"""The open end of collateral tiers is written, because leaving it out says nothing."""


def resolve(scenario: Scenario) -> dict[str, Any]:
    """Write a scenario as plain data: numbers as text, defaults written out, no shock.

    Returns
    -------
    JSON data with version, name, description, snapshot, mandate and expect. Reading it again
    gives the same snapshot and mandate.
    """
    out: dict[str, Any] = {
        "version": scenario.version,
        "name": scenario.name,
        "description": scenario.description,
        "snapshot": plain_data(scenario.snapshot),
        "mandate": plain_data(scenario.mandate),
    }
    if scenario.expect is not None:
        out["expect"] = plain_data(scenario.expect)
    return out


def plain_data(value: Value) -> Any:
    """Turn a value into JSON data without the keys that have no value."""
    return _without_null(json_value(value))


def _without_null(data: Any) -> Any:
    if isinstance(data, dict):
        return {
            key: _without_null(row)
            for key, row in data.items()
            if row is not None or key == KEEP_NULL
        }
    if isinstance(data, list):
        return [_without_null(row) for row in data]
    return data


def yaml_text(data: Any) -> str:
    """Write plain data as YAML in which every text stands in quotes: no reader can mistake it."""
    return "".join(f"{line}\n" for line in _lines(data, ""))


def _lines(data: Any, indent: str) -> Iterator[str]:
    match data:
        case dict() if data:
            for key, value in data.items():
                name = key if PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)
                yield from _entry(f"{indent}{name}:", value, indent)
        case list() if data:
            for value in data:
                yield from _entry(f"{indent}-", value, indent)
        case _:
            yield f"{indent}{_flow(data)}"


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    """Write a value beside its key, or below it if it has parts that have parts."""
    rows = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    nested = any(isinstance(row, dict | list) for row in rows)
    if nested or (isinstance(value, dict) and len(value) > FLOW_KEYS):
        yield head
        yield from _lines(value, f"{indent}  ")
    else:
        yield f"{head} {_flow(value)}"


def _flow(value: Any) -> str:
    """Write a value in one line; JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)
