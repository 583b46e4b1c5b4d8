"""What every value shares: frozen, no unknown keys, exact numbers, UTC times.

Numbers are `decimal.Decimal`. A float is refused, because it cannot say what was meant
(`0.1` is not a tenth); so are NaN, infinities, booleans and sizes no market has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

MOST_DIGITS = 40
"""Largest power of ten, either way, that a number of a market may have."""

NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""How a number is written: no underscores, no other digits, no NaN."""

ZERO = Decimal(0)
ONE = Decimal(1)


class Value(BaseModel):
    """A frozen value without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        revalidate_instances="never",
        allow_inf_nan=False,
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy with changes; what was derived from the old values is forgotten."""
        out = super().model_copy(update=update, deep=deep)
        values = vars(out)
        for name in set(values) - set(type(self).model_fields):
            del values[name]
        return out


def exact(value: object) -> Decimal:
    """Turn text, an integer or a Decimal into a finite Decimal.

    Raises
    ------
    ValueError
        For a float, a boolean, NaN, an infinity, text that is no number, or a size
        beyond 10**40 either way.
    """
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        kind = type(value).__name__
        raise ValueError(f"a number is wanted as text, integer or Decimal, not as {kind}")
    if isinstance(value, str) and not NUMBER.fullmatch(value.strip()):
        raise ValueError(f"not a number: {value!r}")
    try:
        out = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation as error:
        raise ValueError(f"not a number: {value!r}") from error
    if not out.is_finite():
        raise ValueError(f"not a finite number: {value}")
    sizes = (
        (out.adjusted(), int(out.as_tuple().exponent)) if out else (int(out.as_tuple().exponent),)
    )
    if any(abs(size) > MOST_DIGITS for size in sizes):
        raise ValueError(f"no market has a number like {value}")
    return out


def plain(value: Decimal) -> str:
    """Write a Decimal without exponent, sign of zero or trailing zeros.

    >>> plain(Decimal("1.500")), plain(Decimal("1E+3")), plain(Decimal("-0.0"))
    ('1.5', '1000', '0')
    """
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def utc(value: datetime) -> datetime:
    """Read a time as UTC; one without a zone is taken to be UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def stamp(value: datetime) -> str:
    """Write a time as ISO 8601 in UTC with Z, without empty fractions."""
    return utc(value).isoformat().replace("+00:00", "Z")


NOT_TEXT = re.compile("[\0\ud800-\udfff]")
"""What PostgreSQL does not keep as text, and halves of characters, which nothing does."""


def legible(text: str) -> str:
    """Put a question mark for what cannot be kept: words of others must not stop a record.

    >>> legible("a" + chr(0) + "b" + chr(0xD83D)) == "a" + chr(0xFFFD) + "b" + chr(0xFFFD)
    True
    """
    return NOT_TEXT.sub(chr(0xFFFD), text)


def _moment(value: object) -> object:
    if isinstance(value, datetime | str):
        return value
    raise ValueError("a time is wanted, like 2026-11-20T08:00:00Z")


_NUMBER_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"},
        {"type": "number"},
    ]
}

Num = Annotated[
    Decimal,
    BeforeValidator(exact),
    PlainSerializer(plain, return_type=str, when_used="json"),
    WithJsonSchema(_NUMBER_SCHEMA),
]
"""A finite exact number; written as text in JSON."""

Positive = Annotated[Num, Field(gt=0)]
"""A number above zero."""

NonNegative = Annotated[Num, Field(ge=0)]
"""A number of zero or more."""

Utc = Annotated[
    datetime,
    BeforeValidator(_moment),
    AfterValidator(utc),
    PlainSerializer(stamp, return_type=str, when_used="json"),
]
"""A time in UTC."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
"""An identifier."""

Words = Annotated[str, AfterValidator(legible)]
"""What somebody else says, for people to read."""

VenueId = Annotated[str, Field(max_length=200), AfterValidator(legible)]
"""What a venue calls an order or a transfer."""


def json_value(value: BaseModel) -> Any:
    """Turn a value into plain JSON data: numbers and times as text, defaults written out."""
    return value.model_dump(mode="json", by_alias=True)
