"""YAML with places, exact numbers and no surprises.

Scalars without quotes are read by the YAML 1.2 core rules, and what other readers would take for
something else (`010`, `1_000`, `1:30`, `yes`) is refused rather than guessed.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from allocator.whatif.document import (
    MOST_DEPTH,
    MOST_PARTS,
    Document,
    FileError,
    Mark,
    Where,
    child,
    fail,
)

INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
CONSTANTS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
TRAPS: Final = (
    (re.compile(r"[-+]?0[0-9_]+(\.[0-9_]*)?\Z"), "a number with a leading zero is octal to some"),
    (re.compile(r"[-+]?0[xob][0-9a-fA-F_]+\Z"), "numbers are written in decimal"),
    (re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?\Z"), "underscores in numbers are not read by all"),
    (re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?\Z"), "some readers count this in sixties"),
    (re.compile(r"[-+]?\.(inf|nan)\Z", re.IGNORECASE), "not a finite number"),
    (re.compile(r"(yes|no|on|off)\Z", re.IGNORECASE), "a truth value to some readers, text to us"),
)
PLAIN_TAGS: Final = {
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "map", "seq", "value")
}
MOST_INTEGER_DIGITS: Final = 18


def read_yaml(text: str, file: str, most_parts: int = MOST_PARTS) -> Document:
    """Read one YAML document.

    Raises
    ------
    FileError
        When it is not YAML, nested too deep or too large once aliases are written out.
    """
    node = _compose(text, file)
    document = Document(file)
    if node is not None:
        document.data = _Builder(document, most_parts).value(node, ())
    return document


def _compose(text: str, file: str) -> Any:
    try:
        yaml = YAML(typ="rt", pure=True)
        yaml.composer.warn_double_anchors = False
        return yaml.compose(text)
    except MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = Mark(at.line + 1, at.column + 1) if at is not None else None
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise fail(file, f"not YAML: {what}", mark) from error
    except RecursionError as error:
        raise fail(file, "is nested too deep") from error
    except (
        YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError,
        AssertionError, NotImplementedError, Warning,
    ) as error:  # fmt: skip
        # The scanner lets its own slips on broken text through as these.
        raise fail(
            file, f"not YAML: {str(error).splitlines()[0] if str(error) else error!r}"
        ) from error


class _Builder:
    """Turns nodes into data and notes their places."""

    def __init__(self, document: Document, most_parts: int) -> None:
        self.document = document
        self.most_parts = most_parts
        self.parts = 0
        self.above = list[int]()

    def value(self, node: Any, path: Where) -> Any:
        """Build the data of a node at a path."""
        mark = _mark(node)
        self.document.values[path] = mark
        self.parts += 1
        if self.parts > self.most_parts:
            raise fail(self.document.file, "is too large once its aliases are written out", mark)
        if id(node) in self.above:
            raise fail(self.document.file, "an alias stands inside what it repeats", mark)
        if len(self.above) > MOST_DEPTH:
            raise fail(self.document.file, "is nested too deep", mark)
        if str(node.tag) not in PLAIN_TAGS:
            self.document.complain(mark, path, f"the tag {node.tag} is not read")
        self.above.append(id(node))
        try:
            return self._build(node, path)
        finally:
            self.above.pop()

    def _build(self, node: Any, path: Where) -> Any:
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._item(item, child(path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _item(self, node: Any, path: Where) -> Any:
        self.document.keys[path] = _mark(node)
        return self.value(node, path)

    def _mapping(self, node: MappingNode, path: Where) -> dict[str, Any]:
        out, inherited = dict[str, Any](), dict[str, Any]()
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.document.complain(_mark(key), path, "a key must be text")
            elif key.value == "<<" and not key.style:
                inherited.update(self._merge(value, path))
            elif key.value in out:
                at = child(path, key.value)
                first = self.document.keys[at].line
                message = f"the key {key.value!r} stands here twice, first in line {first}"
                self.document.complain(_mark(key), path, message)
            else:
                self.document.keys[child(path, key.value)] = _mark(key)
                out[key.value] = self.value(value, child(path, key.value))
        return {**inherited, **out}

    def _merge(self, node: Any, path: Where) -> dict[str, Any]:
        """Build what a mapping takes over from others; its own keys come on top."""
        if isinstance(node, SequenceNode):
            parts = [self._merge(item, path) for item in reversed(node.value)]
            return {key: value for part in parts for key, value in part.items()}
        if not isinstance(node, MappingNode):
            self.document.complain(_mark(node), path, "<< takes a mapping or a list of mappings")
            return {}
        own = self.document.keys.copy(), self.document.values.copy()
        data = self.value(node, path)
        self.document.keys.update(own[0])
        self.document.values.update(own[1])
        return dict[str, Any](data)

    def _scalar(self, node: Any, path: Where) -> Any:
        text = str(node.value)
        if node.style:
            return text
        if text in CONSTANTS:
            return CONSTANTS[text]
        if NUMBER.match(text):
            return number(text)
        why = next((why for pattern, why in TRAPS if pattern.match(text)), None)
        if why is not None:
            message = f"{text}: {why}; write it another way or in quotes"
            self.document.complain(_mark(node), path, message)
            self.document.refused.add(path)
        return text


def number(text: str) -> int | Decimal | str:
    """Read a number exactly; text that no Decimal can hold stays text, and is refused later."""
    if INTEGER.match(text) and len(text) <= MOST_INTEGER_DIGITS:
        return int(text)
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _mark(node: Any) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


__all__ = ["FileError", "number", "read_yaml"]
