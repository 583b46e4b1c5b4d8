"""JSON with places and exact numbers."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Final

from allocator.whatif.document import (
    MOST_DEPTH,
    MOST_PARTS,
    Document,
    Mark,
    Where,
    child,
    fail,
)
from allocator.whatif.yaml_text import number

SPACE: Final = re.compile(r"[ \t\n\r]*")
NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
WORD: Final = re.compile(r"[-A-Za-z]+")
WORDS: Final = {"true": True, "false": False, "null": None}


def read_json(text: str, file: str) -> Document:
    """Read one JSON document.

    Raises
    ------
    FileError
        When it is not JSON, or too deep or large.
    """
    return _Reader(text, file).read()


class _Reader:
    """Walks over the text once; positions are offsets into it."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.document = Document(file)
        self.lines = [0, *(m.end() for m in re.finditer("\n", text))]
        self.parts = 0

    def read(self) -> Document:
        """Read the whole text."""
        self.document.data, end = self._value(self._skip(0), (), 0)
        end = self._skip(end)
        if end != len(self.text):
            raise self._wrong(end, "something follows the end of the document")
        return self.document

    def _mark(self, at: int) -> Mark:
        line = bisect_right(self.lines, at)
        return Mark(line, at - self.lines[line - 1] + 1)

    def _wrong(self, at: int, message: str) -> Exception:
        return fail(self.document.file, f"not JSON: {message}", self._mark(at))

    def _skip(self, at: int) -> int:
        found = SPACE.match(self.text, at)
        assert found is not None
        return found.end()

    def _value(self, at: int, path: Where, depth: int) -> tuple[Any, int]:
        self.document.values[path] = self._mark(at)
        self.parts += 1
        if self.parts > MOST_PARTS or depth > MOST_DEPTH:
            raise fail(self.document.file, "is too large or nested too deep", self._mark(at))
        match self.text[at : at + 1]:
            case "{":
                return self._object(at, path, depth)
            case "[":
                return self._array(at, path, depth)
            case '"':
                return self._string(at)
            case _:
                return self._plain(at)

    def _plain(self, at: int) -> tuple[Any, int]:
        found = NUMBER.match(self.text, at)
        if found:
            return number(found.group()), found.end()
        word = WORD.match(self.text, at)
        if word and word.group() in WORDS:
            return WORDS[word.group()], word.end()
        if word:
            raise self._wrong(at, f"{word.group()} is not a value")
        raise self._wrong(at, "a value is wanted here")

    def _string(self, at: int) -> tuple[str, int]:
        try:
            text, end = scanstring(self.text, at + 1, True)
        except json.JSONDecodeError as error:
            raise self._wrong(error.pos, error.msg) from error
        return text, end

    def _object(self, at: int, path: Where, depth: int) -> tuple[dict[str, Any], int]:
        out = dict[str, Any]()
        at = self._skip(at + 1)
        if self.text[at : at + 1] == "}":
            return out, at + 1
        while True:
            if self.text[at : at + 1] != '"':
                raise self._wrong(at, "a key in double quotes is wanted here")
            name, end = self._string(at)
            end = self._skip(end)
            if self.text[end : end + 1] != ":":
                raise self._wrong(end, "a colon is wanted here")
            self._key(name, at, path, out)
            out[name], end = self._value(self._skip(end + 1), child(path, name), depth + 1)
            at, done = self._next(end, "}")
            if done:
                return out, at

    def _key(self, name: str, at: int, path: Where, seen: dict[str, Any]) -> None:
        mark = self._mark(at)
        if name in seen:
            first = self.document.keys[child(path, name)].line
            message = f"the key {name!r} stands here twice, first in line {first}"
            self.document.complain(mark, path, message)
        self.document.keys[child(path, name)] = mark

    def _array(self, at: int, path: Where, depth: int) -> tuple[list[Any], int]:
        out = list[Any]()
        at = self._skip(at + 1)
        if self.text[at : at + 1] == "]":
            return out, at + 1
        while True:
            place = child(path, len(out))
            self.document.keys[place] = self._mark(at)
            item, end = self._value(at, place, depth + 1)
            out.append(item)
            at, done = self._next(end, "]")
            if done:
                return out, at

    def _next(self, at: int, closing: str) -> tuple[int, bool]:
        """Step over a comma or the closing bracket; tells whether it was the bracket."""
        at = self._skip(at)
        sign = self.text[at : at + 1]
        if sign == closing:
            return at + 1, True
        if sign != ",":
            raise self._wrong(at, f"a comma or {closing} is wanted here")
        return self._skip(at + 1), False
