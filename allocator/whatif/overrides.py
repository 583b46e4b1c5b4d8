"""Override paths: one value of a book in place of another.

A path names keys separated by dots. An element of a list is named by its id (targets: by their
underlying) or by its position: ``snapshot.accounts.bybit-a.state``, ``mandate.targets[0].delta``.
Keys and ids may contain dots themselves: the longest one that fits is meant.
"""

from __future__ import annotations

import re
from typing import Any

from allocator.whatif.document import Where, suggest
from allocator.whatif.schemas import fields_at

POSITION = re.compile(r"\[(\d+)\](?:\.|\Z)|\[(\d+)\](?=\[)")
IDS = ("id", "underlying")


def override(tree: Any, path: str, value: Any) -> tuple[Any, Where, str | None]:
    """Replace one value.

    Parameters
    ----------
    tree
        Plain data with the keys ``snapshot`` and ``mandate``, and where shocks may be reached
        ``shock``, a list of them; it is not changed.
    path
        Where.
    value
        What takes its place.

    Returns
    -------
    tree, where, message
        The changed tree and the path as keys and positions; or what is wrong with the path.
    """
    where, message = resolve_path(tree, path)
    if message is not None:
        return tree, where, message
    return _replaced(tree, where, value), where, None


def resolve_path(tree: Any, path: str) -> tuple[Where, str | None]:
    """Turn a path into keys and positions; the last key need not exist if the schema has it."""
    where, rest, node = list[str | int](), path, tree
    while rest:
        part, rest, message = _step(node, rest, tuple(where))
        if message is not None:
            return tuple(where), message
        where.append(part)
        node = _child(node, part)
    if len(where) < 2:
        return tuple(where), f"a value inside {' or '.join(tree)} is wanted"
    return tuple(where), None


def _step(node: Any, rest: str, where: Where) -> tuple[str | int, str, str | None]:
    """Take the first part of a path off; a message if it fits nothing."""
    if isinstance(node, list):
        return _list_step(node, rest)
    names = list(node) if isinstance(node, dict) else []
    known, free = _known(where) if where else (names, False)
    if node is not None and not isinstance(node, dict):
        return "", "", f"there is nothing below {where[-1] if where else ''}: {rest!r}"
    fitting = [name for name in {*names, *known} if _fits(name, rest)]
    if fitting:
        name = max(fitting, key=len)
        return name, rest[len(name) :].removeprefix("."), None
    if free:
        return rest, "", None
    first = rest.split(".", maxsplit=1)[0]
    return "", "", f"nothing is called {first!r} there{suggest(first, known or names)}"


def _known(where: Where) -> tuple[list[str], bool]:
    """Tell which keys the schema has at a path, and whether any other may stand there."""
    if where[0] == "shock":
        return fields_at("shock", where[2:])
    return fields_at(str(where[0]), where[1:])


def _fits(name: str, rest: str) -> bool:
    return rest == name or rest.startswith((f"{name}.", f"{name}["))


def _list_step(node: list[Any], rest: str) -> tuple[str | int, str, str | None]:
    at = POSITION.match(rest)
    if at is not None:
        position = int(at.group(1) or at.group(2))
        if position < len(node):
            return position, rest[at.end() :], None
        return "", "", f"there is no position {position}: the list has {len(node)} elements"
    ids = {name: i for i, row in reversed(list(enumerate(node))) for name in _ids(row)}
    fitting = [name for name in ids if _fits(name, rest)]
    if not fitting:
        return "", "", f"no element is called {rest!r}{suggest(rest, ids)}"
    name = max(fitting, key=len)
    return ids[name], rest[len(name) :].removeprefix("."), None


def _ids(row: Any) -> list[str]:
    """Names by which an element of a list may be called."""
    if not isinstance(row, dict):
        return []
    return [row[key] for key in IDS if isinstance(row.get(key), str)][:1]


def _child(node: Any, part: str | int) -> Any:
    if isinstance(node, dict):
        return node.get(str(part))
    return node[part] if isinstance(node, list) and isinstance(part, int) else None


def _replaced(node: Any, where: Where, value: Any) -> Any:
    """Copy along the path only."""
    if not where:
        return value
    part = where[0]
    inner = _replaced(_child(node, part), where[1:], value)
    if isinstance(node, list):
        return [inner if i == part else row for i, row in enumerate(node)]
    return {**(node or {}), part: inner}
