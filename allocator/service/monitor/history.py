"""Marks kept as parquet, one folder a day, asked with DuckDB, dropped after so many days.

A mark is one small file; when its day is over, the day's files become one. Money is written as
decimals of twelve places, rounded half to even.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path
from typing import Any, Literal, cast

from allocator.models.errors import StaleError
from allocator.service.monitor.bundles import Bundles
from allocator.service.monitor.marks import Marks
from allocator.service.monitor.profit import PARTS, Profit

Group = Literal["account", "owner", "venue", "book"]
PLACES = Decimal("1e-12")
DIGITS = 38
MONEY = "DECIMAL(38,12)"

_WORDS: Mapping[str, tuple[str, ...]] = {
    "accounts": ("account", "owner", "venue", "state"),
    "exposures": ("underlying",),
    "limits": ("limit_id", "bound"),
}
_FIGURES: Mapping[str, tuple[str, ...]] = {
    "accounts": (
        "equity", "unrealised_held", "initial", "maintenance", "ratio", "gross", "leverage",
        "distance", *PARTS, "flows",
    ),
    "exposures": ("exposure", "target", "band"),
    "limits": ("used", "cap", "share"),
}  # fmt: skip
MARKS = (
    "WITH marks AS (SELECT * FROM read_parquet($files) "
    "WHERE marked_at > $since AND marked_at <= $until) "
)
GROUPED = (
    "WITH marks AS (SELECT *, CASE $by WHEN 'account' THEN account WHEN 'owner' THEN owner "
    "WHEN 'venue' THEN venue ELSE 'book' END AS group_name FROM read_parquet($files) "
    "WHERE marked_at > $since AND marked_at <= $until) "
)
PROFIT = (
    "SELECT group_name AS name, sum(realised) AS realised, sum(unrealised) AS unrealised, "
    "sum(funding) AS funding, sum(fees) AS fees, sum(revaluation) AS revaluation, "
    "sum(other) AS other, sum(flows) AS flows FROM marks GROUP BY 1 ORDER BY 1"
)
EQUITY = (
    "SELECT marked_at, group_name AS name, sum(equity) AS equity, "
    "sum(maintenance) AS maintenance, min(ratio) AS ratio, count(*) AS accounts "
    "FROM marks GROUP BY 1, 2 ORDER BY 1, 2"
)
EXPOSURES = "SELECT marked_at, underlying AS name, exposure, target, band FROM marks ORDER BY 1, 2"
Rows = Sequence[Mapping[str, Any]]


class MarkStore:
    """Reads and writes the folder of one portfolio's marks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bundles = Bundles()

    def write(self, marks: Marks, earned: Mapping[str, Profit]) -> None:
        """Keep the marks of one moment; a second time for the same moment changes nothing."""
        for table, rows in _rows(marks, earned).items():
            if rows:
                day = self.folder / table / f"day={marks.at:%Y-%m-%d}"
                _write(day / f"{marks.at:%H%M%S%f}.parquet", table, rows)

    def tidy(self, now: datetime, keep_days: int) -> tuple[int, int]:
        """Make one file of each day that is over, drop days that are too old.

        Returns
        -------
        How many days were put together, and how many were dropped.
        """
        oldest, joined, dropped = now.date() - timedelta(days=keep_days), 0, 0
        for day in sorted(self.folder.glob("*/day=*")):
            when = date.fromisoformat(day.name.removeprefix("day="))
            if when < oldest:
                shutil.rmtree(day)
                dropped += 1
            elif when < now.date():
                joined += _join(day)
        return joined, dropped

    def profit(self, by: Group, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """Add up what was earned in (since, until] by account, owner, venue or book."""
        return self._ask("accounts", PROFIT, since, until, by)

    def equity(self, by: Group, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """Follow equity, maintenance margin and the worst ratio over (since, until], by group."""
        return self._ask("accounts", EQUITY, since, until, by)

    def exposures(self, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """Follow exposures over (since, until]."""
        return self._ask("exposures", EXPOSURES, since, until)

    def _ask(
        self, table: str, query: str, since: datetime, until: datetime, by: Group | None = None
    ) -> list[dict[str, Any]]:
        import duckdb

        files = self._files(table, since, until)
        if not files:
            return []
        values: dict[str, Any] = {"files": self._bundles.few(files), "since": since, "until": until}
        if by is not None:
            values["by"] = _checked(by)
        connection = duckdb.connect()
        try:
            connection.execute("SET TimeZone = 'UTC'")
            found = connection.execute((MARKS if by is None else GROUPED) + query, values)
            names = [row[0] for row in found.description]
            return [_read(dict(zip(names, row, strict=True))) for row in found.fetchall()]
        except duckdb.Error as error:
            raise StaleError(f"the marks in {self.folder} cannot be read: {error}") from error
        finally:
            connection.close()

    def _files(self, table: str, since: datetime, until: datetime) -> list[str]:
        days = f"day={since:%Y-%m-%d}", f"day={until:%Y-%m-%d}"
        return sorted(
            str(path)
            for path in (self.folder / table).glob("day=*/*.parquet")
            if days[0] <= path.parent.name <= days[1]
        )


def _checked(by: Group) -> str:
    if by not in ("account", "owner", "venue", "book"):
        raise ValueError(f"marks are not grouped by {by}")
    return by


def _read(row: dict[str, Any]) -> dict[str, Any]:
    at = row.pop("marked_at", None)
    return row if at is None else {"at": at.astimezone(UTC), **row}


def _rows(marks: Marks, earned: Mapping[str, Profit]) -> dict[str, Rows]:
    accounts: list[dict[str, Any]] = [
        {
            **row.model_dump(),
            "unrealised_held": row.unrealised,
            **{
                name: getattr(earned[row.account], name) if row.account in earned else None
                for name in (*PARTS, "flows")
            },
        }
        for row in marks.accounts
    ]
    limits: list[dict[str, Any]] = [
        {**row.model_dump(), "limit_id": row.limit} for row in marks.limits
    ]
    exposures = [row.model_dump() for row in marks.exposures]
    tables = {"accounts": accounts, "exposures": exposures, "limits": limits}
    return {
        table: [
            {"marked_at": marks.at}
            | {name: row[name] for name in _WORDS[table]}
            | {name: _money(row[name]) for name in _FIGURES[table]}
            for row in rows
        ]
        for table, rows in tables.items()
    }


def _money(value: Decimal | None) -> Decimal | None:
    if value is None:
        return None
    with localcontext() as context:
        context.prec = DIGITS * 2
        return value.quantize(PLACES, rounding=ROUND_HALF_EVEN)


def _schema(table: str) -> dict[str, Any]:
    import polars

    return {
        "marked_at": polars.Datetime("us", "UTC"),
        **dict.fromkeys(_WORDS[table], polars.String),
        **dict.fromkeys(_FIGURES[table], polars.Decimal(DIGITS, 12)),
    }


def _write(path: Path, table: str, rows: Rows) -> None:
    import polars

    frame = polars.DataFrame(rows, schema=_schema(table), orient="row")
    _put(path, frame)


def _put(path: Path, frame: Any) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    frame.write_parquet(draft)
    os.replace(draft, path)


def _join(day: Path) -> bool:
    """Make one file of a day's; a crash between the steps leaves the rows twice to be joined."""
    import polars

    files = sorted(day.glob("*.parquet"))
    if len(files) < 2:
        return False
    frame = cast("Any", polars.concat([polars.read_parquet(path) for path in files]))
    _put(
        day / "day.parquet",
        frame.unique(maintain_order=True).sort("marked_at", maintain_order=True),
    )
    for path in files:
        if path.name != "day.parquet":
            path.unlink()
    return True
