"""Column types that keep what they are given: exact numbers and times in UTC."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import DateTime, Dialect, Numeric, String
from sqlalchemy.types import TypeDecorator, TypeEngine

from allocator.models.base import exact, plain, utc


class ExactDecimal(TypeDecorator[Decimal]):
    """A Decimal that comes back as it went in: text on SQLite, NUMERIC on PostgreSQL.

    A float is refused, and so are NaN and infinities. SQL neither orders nor adds such a column
    on SQLite; whoever needs that reads the rows.
    """

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Pick the column type of the database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric(asdecimal=True))
        return dialect.type_descriptor(String())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Write a number.

        Raises
        ------
        ValueError
            For a float, NaN, an infinity, or a size that no market has.
        """
        if value is None:
            return None
        number = exact(value)
        return number if dialect.name == "postgresql" else plain(number)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Read a number."""
        return None if value is None else exact(value)


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC: ISO text of fixed width on SQLite, so that text order is time order."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Pick the column type of the database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(String(32))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Write a time.

        Raises
        ------
        ValueError
            For a time without a zone: nobody can say when it was.
        """
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise ValueError(f"a time with its zone is wanted, not {value!r}")
        at = utc(value)
        return at if dialect.name == "postgresql" else at.isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read a time."""
        if value is None:
            return None
        return utc(datetime.fromisoformat(value) if isinstance(value, str) else value)
