"""A file as plain data together with the place where each part of it stands.

Data is dicts, lists, text, integers, Decimals, booleans and None: never a float.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from allocator.models.errors import InputError, Problem, dotted

Where = tuple[str | int, ...]
"""Keys and list positions from the root of a document to a part of it."""

MOST_BYTES = 32 * 2**20
"""Largest file that is read."""

MOST_PARTS = 1_000_000
"""Most values a document may have once its aliases are written out."""

MOST_DEPTH = 64
"""Deepest nesting that is read."""


@dataclass(frozen=True, slots=True)
class Located(Problem):
    """A problem with the file, line and column where it stands; line 0: the file as a whole."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        where = f"{dotted(self.path)}: " if self.path else ""
        return f"{place}: {where}{self.message}"


class FileError(InputError):
    """A file that cannot be used; its problems are `Located`, in the order of the file."""

    code = "FILE"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a text; both figures count from one."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """What was read of a file.

    Attributes
    ----------
    keys
        Where the key (or list item) of a part stands.
    values
        Where its value starts.
    problems
        What the text itself has wrong: double keys, numbers that readers disagree about.
    refused
        Values whose text is among the problems; what they would mean is not worth telling.
    """

    file: str
    data: Any = None
    keys: dict[Where, Mark] = field(default_factory=dict[Where, Mark])
    values: dict[Where, Mark] = field(default_factory=dict[Where, Mark])
    problems: list[Located] = field(default_factory=list[Located])
    refused: set[Where] = field(default_factory=set[Where])

    def complain(self, mark: Mark, path: Where, message: str) -> None:
        """Note a problem of the text."""
        self.problems.append(Located(path, message, self.file, mark.line, mark.column))

    def mark(self, path: Where, *, key: bool = False) -> Mark:
        """Find a part, or what is left of the way to it.

        Parameters
        ----------
        path
            A part; it need not exist.
        key
            Whether the key is meant rather than the value.
        """
        for end in range(len(path), -1, -1):
            part = path[:end]
            whole = end == len(path)
            found = self.values.get(part) if whole and not key else self.keys.get(part)
            found = found or self.values.get(part)
            if found is not None:
                return found
        return Mark(1, 1)


def fail(file: str, message: str, mark: Mark | None = None) -> FileError:
    """Make the error of a file that cannot be read at all."""
    at = mark or Mark(0, 0)
    return FileError([Located((), message, file, at.line, at.column)])


def in_order(problems: Iterable[Located]) -> list[Located]:
    """Sort by file and place, each problem once."""
    first = dict.fromkeys(problems)
    return sorted(first, key=lambda p: (p.file, p.line, p.column, p.path, p.message))


def closest(name: str, known: Iterable[str]) -> str | None:
    """Find the known name that was probably meant."""
    close = get_close_matches(name, sorted(known), n=1)
    return close[0] if close else None


def suggest(name: str, known: Iterable[str]) -> str:
    """Say ``- did you mean 'x'?`` if something known is close, else nothing."""
    meant = closest(name, known)
    return f" - did you mean {meant!r}?" if meant is not None else ""


def parse(text: str, file: str, most_parts: int = MOST_PARTS) -> Document:
    """Read YAML or JSON text; a name that ends in ``.json`` is JSON.

    Parameters
    ----------
    most_parts
        Most values that YAML may have once its aliases are written out: a few of them make many.

    Raises
    ------
    FileError
        When the text is neither.
    """
    if file.endswith(".json"):
        from allocator.whatif.json_text import read_json

        return read_json(text, file)
    from allocator.whatif.yaml_text import read_yaml

    return read_yaml(text, file, most_parts)


def read(path: str | Path) -> Document:
    """Read a file.

    Raises
    ------
    FileError
        When it is not there, too large, not UTF-8, or neither YAML nor JSON.
    """
    name = str(path)
    try:
        with open(path, "rb") as handle:
            raw = handle.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise fail(name, f"cannot be read: {reason}") from error
    if len(raw) > MOST_BYTES:
        raise fail(name, f"is larger than {MOST_BYTES // 2**20} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise fail(name, f"is not UTF-8 at byte {error.start}") from error
    return parse(text, name)


def child(path: Sequence[str | int], part: str | int) -> Where:
    """Name a part below another."""
    return (*path, part)
