"""What pydantic found, in the words of our files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from allocator.models.errors import Problem
from allocator.whatif.document import Where, suggest

Row = Mapping[str, Any]
NO_NUMBER: Final = "a number is wanted"
REQUIRED: Final = "is required"


def validation_problems(error: ValidationError, data: Any, at: Where = ()) -> Iterator[Problem]:
    """Yield a problem for each thing a model refused, except unknown keys.

    Parameters
    ----------
    data
        What was validated; it tells which parts of pydantic's locations are places in it.
    at
        Path that the problems' paths start with.
    """
    for row in error.errors(include_url=False):
        if row["type"] != "extra_forbidden":
            missing = row["type"] == "missing"
            yield Problem((*at, *_place(row["loc"], data, missing=missing)), _words(row))


def _place(loc: tuple[int | str, ...], data: Any, *, missing: bool) -> Where:
    """Keep what is a key or position in the data; the rest names pydantic's own choices."""
    out = list[str | int]()
    for i, part in enumerate(loc):
        if isinstance(data, dict) and str(part) in data:
            data = data[str(part)]
            out.append(str(part))
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
            out.append(part)
        elif missing and i == len(loc) - 1:
            out.append(part)
    return tuple(out)


def _literal(row: Row) -> str:
    allowed = str(row["ctx"]["expected"]).replace(" or ", ", ")
    names = [name.strip("'") for name in allowed.split(", ")]
    hint = suggest(row["input"], names) if isinstance(row["input"], str) else ""
    if len(names) == 1:
        return f"{names[0]} is wanted, not {_shown(row['input'])}"
    return f"one of {', '.join(names)} is wanted, not {_shown(row['input'])}{hint}"


def _text(row: Row) -> str:
    quotes = "; write it in quotes" if not isinstance(row["input"], dict | list | None) else ""
    return f"text is wanted, not {_shown(row['input'])}{quotes}"


def _wanted(what: str) -> Callable[[Row], str]:
    return lambda row: f"{what} is wanted, not {_shown(row['input'])}"


def _value_error(row: Row) -> str:
    text, found = str(row["ctx"]["error"]), row["input"]
    if text.startswith(NO_NUMBER) and isinstance(found, dict | list | bool | None):
        return f"a number is wanted, not {_shown(found)}"
    return text


WORDS: Final[Mapping[str, Callable[[Row], str]]] = {
    "missing": lambda _: REQUIRED,
    "value_error": _value_error,
    "literal_error": _literal,
    "string_type": _text,
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda row: f"is longer than {row['ctx']['max_length']} characters",
    "greater_than": lambda row: f"must be above {row['ctx']['gt']}, not {_shown(row['input'])}",
    "greater_than_equal": lambda row: (
        f"must not be below {row['ctx']['ge']}, not {_shown(row['input'])}"
    ),
    "less_than_equal": lambda row: (
        f"must not be above {row['ctx']['le']}, not {_shown(row['input'])}"
    ),
    **dict.fromkeys(
        ("model_type", "dict_type", "mapping_type", "model_attributes_type"),
        _wanted("a mapping"),
    ),
    **dict.fromkeys(("tuple_type", "list_type"), _wanted("a list")),
    **dict.fromkeys(("bool_type", "bool_parsing"), _wanted("true or false")),
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_from_float", "int_parsing_size"),
        _wanted("a whole number"),
    ),
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "datetime_from_date_parsing"),
        _wanted("a time like 2026-11-20T08:00:00Z"),
    ),
    "union_tag_not_found": lambda _: "kind is required",
    "union_tag_invalid": lambda row: (
        f"kind is one of {str(row['ctx']['expected_tags']).replace(chr(39), '')}, "
        f"not {row['ctx']['tag']}"
    ),
}
"""Type of pydantic's error -> what is said of it."""


def _words(row: Row) -> str:
    known = WORDS.get(row["type"])
    return known(row) if known is not None else str(row["msg"])


def _shown(value: Any) -> str:
    """Write what was found, briefly."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= 40 else value[:37] + "...")
        case _:
            return str(value)
