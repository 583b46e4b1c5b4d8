"""Marks kept as parquet, one folder a day, asked with DuckDB, dropped after so many days.

A mark is one small file; when its day is over, the day's files become one. Money is written as
decimals of twelve places, rounded half to even.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path
from typing import Any, Literal

from allocator.models.errors import StaleError
from allocator.service.monitor.bundles import Bundles
from allocator.service.monitor.files import ASIDE, join, put, set_aside, sound, torn
from allocator.service.monitor.marks import Marks
from allocator.service.monitor.profit import OUTSIDE, PARTS, Earned
from allocator.service.tidying import Tidying

Group = Literal["account", "owner", "venue", "book"]
PLACES = Decimal("1e-12")
MOST_DAYS = 3
"""Days beyond the last tidying by which the next may drop: it is done once a day."""

DIGITS = 38
MONEY = "DECIMAL(38,12)"

_WORDS: Mapping[str, tuple[str, ...]] = {
    "accounts": ("account", "owner", "venue", "state", "margin_unknown"),
    "exposures": ("underlying",),
    "limits": ("limit_id", "bound"),
}
_TIMES: Mapping[str, tuple[str, ...]] = {"accounts": ("base",), "exposures": (), "limits": ()}
_FIGURES: Mapping[str, tuple[str, ...]] = {
    "accounts": (
        "equity", "on_its_way", "unrealised_held", "initial", "maintenance", "ratio", "gross",
        "leverage", "distance", *PARTS, "flows",
    ),
    "exposures": ("exposure", "target", "band"),
    "limits": ("used", "cap", "share"),
}  # fmt: skip
MARKS = (
    "WITH told AS ({known} UNION ALL BY NAME "
    "SELECT * FROM read_parquet($files, union_by_name = true)), "
    "once AS (SELECT * FROM told QUALIFY row_number() OVER ({same}) = 1), "
    "marks AS (SELECT *, {name} AS group_name FROM once "
    "WHERE marked_at > $since AND marked_at <= $until) "
)
"""Marks of an interval, each once: while a day is joined its rows are there twice."""

KNOWN = (
    "SELECT NULL::TIMESTAMPTZ AS base, NULL::VARCHAR AS margin_unknown, "
    f"NULL::{MONEY} AS on_its_way WHERE false"
)
"""What marks of earlier releases lack."""

GROUP = (
    "CASE $by WHEN 'account' THEN account WHEN 'owner' THEN owner WHEN 'venue' THEN venue "
    "ELSE 'book' END"
)
SAME_MARK = "PARTITION BY marked_at, account"
SAME_EXPOSURE = "PARTITION BY marked_at, underlying"
SAME_INTERVAL = (
    "PARTITION BY account, base, CASE WHEN base IS NULL THEN marked_at END ORDER BY marked_at DESC"
)
"""Of marks that were reckoned from the same base, the last has what the others have."""

PROFIT = (
    ", flagged AS (SELECT *, state <> 'told' AND "
    "(count(realised) OVER (PARTITION BY account) = 0 OR (base > $since AND NOT EXISTS "
    "(SELECT 1 FROM told WHERE told.account = marks.account AND told.marked_at = marks.base))) "
    "AS lacks FROM marks) "
    "SELECT group_name AS name, sum(realised) AS realised, sum(unrealised) AS unrealised, "
    "sum(funding) AS funding, sum(fees) AS fees, sum(revaluation) AS revaluation, "
    "sum(other) AS other, sum(flows) AS flows, "
    "coalesce(list_sort(list(DISTINCT account) FILTER (lacks)), []) AS lacks "
    "FROM flagged GROUP BY 1 ORDER BY 1"
)
"""What is reckoned from a mark that is not here goes on from one that another instance keeps."""

EQUITY = (
    "SELECT marked_at, group_name AS name, count(equity) = count(*) AS whole, "
    "CASE WHEN whole THEN sum(equity) END AS equity, sum(on_its_way) AS on_its_way, "
    "CASE WHEN whole AND count(maintenance) = count(*) THEN sum(maintenance) END AS maintenance, "
    "CASE WHEN whole AND count(nullif(margin_unknown, '')) = 0 THEN min(ratio) END AS ratio, "
    "count(*) AS accounts "
    "FROM marks WHERE state <> 'told' GROUP BY 1, 2 ORDER BY 1, 2"
)
"""An account that was not read is a row without figures: the sum over its group is not known. What
people told is of no account."""

EXPOSURES = "SELECT marked_at, group_name AS name, exposure, target, band FROM marks ORDER BY 1, 2"
ABSENT: Mapping[str, Any] = {
    "state": "unread",
    **dict.fromkeys((*_TIMES["accounts"], "margin_unknown", *_FIGURES["accounts"])),
}
FROM_OUTSIDE: Mapping[str, Any] = {
    **ABSENT, "state": "told", **dict.fromkeys(("account", "owner", "venue"), OUTSIDE)
}  # fmt: skip
Rows = Sequence[Mapping[str, Any]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tidied:
    """What tidying came to.

    Attributes
    ----------
    joined, dropped
        Days that were put together, and that were dropped.
    aside
        Files that could not be read and were set aside, by their new names.
    """

    joined: int
    dropped: int
    aside: tuple[str, ...] = ()


class MarkStore:
    """Reads and writes the folder of one portfolio's marks.

    What cannot be read is left out of what is followed over time, where it is a gap; a sum that
    lacks something is refused unless it is asked for as such.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._broken = dict[str, tuple[int, int]]()
        self._bundles = Bundles()
        self._tidying = Tidying(folder / "tidied", timedelta(days=MOST_DAYS))

    def write(self, marks: Marks, earned: Mapping[str, Earned]) -> None:
        """Keep the marks of one moment; a second time for the same moment changes nothing.

        Parameters
        ----------
        earned
            By account, since the mark that it is reckoned from; `OUTSIDE`: what people told.
        """
        for table, rows in _rows(marks, earned).items():
            if rows:
                day = self.folder / table / f"day={marks.at:%Y-%m-%d}"
                _write(day / f"{marks.at:%H%M%S%f}.parquet", table, rows)

    def tidy(self, now: datetime, keep_days: int | None) -> Tidied:
        """Make one file of each day that is over, drop days that are too old.

        A file that cannot be read is set aside: it would stand in the way for good. The first
        time nothing is dropped, and later only what is too old a few days after the last time.

        Parameters
        ----------
        keep_days
            None: nothing is dropped.
        """
        oldest, joined, dropped = date.min, 0, 0
        until = None if keep_days is None else self._tidying.until(now)
        if keep_days is not None and until is not None:
            oldest = until.date() - timedelta(days=keep_days)
        aside = list[str]()
        for day in sorted(self.folder.glob("*/day=*")):
            when = date.fromisoformat(day.name.removeprefix("day="))
            if when < oldest:
                shutil.rmtree(day)
                dropped += 1
                continue
            aside += [set_aside(path) for path in sorted(day.glob("*.parquet")) if torn(path)]
            if when < now.date():
                done, unread = join(day)
                joined += done
                aside += unread
        if keep_days is not None:
            self._tidying.keep(until or self._first(now, keep_days))
        return Tidied(joined, dropped, tuple(aside))

    def _first(self, now: datetime, keep_days: int) -> datetime:
        """Tell as of when tidying begins where it is not known when it last was.

        Not beyond what would drop the oldest day: a machine may have started with its clock ahead.
        """
        days = [row.name.removeprefix("day=") for row in self.folder.glob("*/day=*")]
        if not days:
            return now
        oldest = datetime.combine(date.fromisoformat(min(days)), time.min, UTC)
        return min(now, oldest + timedelta(days=keep_days))

    def profit(
        self, by: Group, since: datetime, until: datetime, *, whole: bool = True
    ) -> list[dict[str, Any]]:
        """Add up what was earned in (since, until] by account, owner, venue or book.

        `lacks` names the accounts of which a sum does not have all: nothing is known of them in
        the interval, or it was marked by another instance, in a folder of its own.

        Parameters
        ----------
        whole
            Whether to refuse a sum over marks of which some cannot be read; else `lacking` says
            what is not in it.

        Raises
        ------
        StaleError
            When marks cannot be read.
        """
        rows = self._ask("accounts", _asked(PROFIT, SAME_INTERVAL, GROUP), since, until, by)
        lacks = self.lacking(since, until) if whole else ()
        if lacks:
            raise StaleError(
                f"HISTORY_UNREADABLE: what was earned lacks marks in {', '.join(lacks)}; "
                f"moved out of {self.folder}, they are left out"
            )
        return rows

    def equity(self, by: Group, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """Follow equity, maintenance margin and the worst ratio over (since, until], by group.

        They are None where not all accounts of a group were read.
        """
        return self._ask("accounts", _asked(EQUITY, SAME_MARK, GROUP), since, until, by)

    def exposures(self, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """Follow exposures over (since, until]."""
        return self._ask("exposures", _asked(EXPOSURES, SAME_EXPOSURE, "underlying"), since, until)

    def lacking(self, since: datetime, until: datetime) -> tuple[str, ...]:
        """Name the files of accounts' marks in these days that cannot be read."""
        aside = [path for path in self._days("accounts", since, until) if path.suffix == ASIDE]
        known = [path for path in self._days("accounts", since, until) if self._is_broken(path)]
        return tuple(str(path.relative_to(self.folder)) for path in sorted((*aside, *known)))

    def _ask(
        self, table: str, query: str, since: datetime, until: datetime, by: Group | None = None
    ) -> list[dict[str, Any]]:
        """Ask the marks of an interval.

        The day after it is read as well: a mark of it may tell again, after a restart, what one of
        the interval has told, and then is the one that counts.
        """
        import duckdb

        values: dict[str, Any] = {"since": since, "until": until}
        if by is not None:
            values["by"] = _checked(by)
        for last in (False, True):
            files = self._files(table, since, until + timedelta(days=1))
            if not files:
                return []
            try:
                # A bundle may be dropped as it is read: the second time the files are asked.
                asked = files if last else self._bundles.few(files)
                return _answer(query, {**values, "files": asked})
            except duckdb.Error as error:
                # Files may also have become one of the day between their listing and the answer.
                if last:
                    raise StaleError(
                        f"the marks in {self.folder} cannot be read: {error}"
                    ) from error
                self._probe(files)
        raise AssertionError

    def _probe(self, files: Sequence[str]) -> None:
        """Find out which files cannot be read, and remember them as they are."""
        for path in map(Path, files):
            if path.exists() and not sound(path):
                self._broken[str(path)] = _state(path)
                log.warning("marks cannot be read", extra={"file": str(path)})

    def _is_broken(self, path: Path) -> bool:
        return str(path) in self._broken and self._broken[str(path)] == _state(path)

    def _files(self, table: str, since: datetime, until: datetime) -> list[str]:
        return sorted(
            str(path)
            for path in self._days(table, since, until)
            if path.suffix == ".parquet" and not self._is_broken(path)
        )

    def _days(self, table: str, since: datetime, until: datetime) -> list[Path]:
        days = f"day={since:%Y-%m-%d}", f"day={until:%Y-%m-%d}"
        return [
            path
            for path in (self.folder / table).glob("day=*/*")
            if days[0] <= path.parent.name <= days[1]
        ]


def _state(path: Path) -> tuple[int, int]:
    """Tell what changes where a file is written anew; of one that is gone, nothing."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size


def _answer(query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    import duckdb

    connection = duckdb.connect()
    try:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(query, dict(values))
        names = [row[0] for row in found.description]
        return [_read(dict(zip(names, row, strict=True))) for row in found.fetchall()]
    finally:
        connection.close()


def _asked(query: str, same: str, name: str) -> str:
    return MARKS.format(known=KNOWN, same=same, name=name) + query


def _checked(by: Group) -> str:
    if by not in ("account", "owner", "venue", "book"):
        raise ValueError(f"marks are not grouped by {by}")
    return by


def _read(row: dict[str, Any]) -> dict[str, Any]:
    at = row.pop("marked_at", None)
    return row if at is None else {"at": at.astimezone(UTC), **row}


def _rows(marks: Marks, earned: Mapping[str, Earned]) -> dict[str, Rows]:
    accounts: list[dict[str, Any]] = [
        {
            **row.model_dump(),
            "unrealised_held": row.unrealised,
            **_parts(earned.get(row.account)),
        }
        for row in marks.accounts
    ]
    accounts += [{**ABSENT, **row.model_dump()} for row in marks.absent]
    if OUTSIDE in earned:
        accounts.append({**FROM_OUTSIDE, **_parts(earned[OUTSIDE])})
    limits: list[dict[str, Any]] = [
        {**row.model_dump(), "limit_id": row.limit} for row in marks.limits
    ]
    exposures = [row.model_dump() for row in marks.exposures]
    tables = {"accounts": accounts, "exposures": exposures, "limits": limits}
    return {
        table: [
            {"marked_at": marks.at}
            | {name: row[name] for name in _TIMES[table]}
            | {name: row[name] for name in _WORDS[table]}
            | {name: _money(row[name]) for name in _FIGURES[table]}
            for row in rows
        ]
        for table, rows in tables.items()
    }


def _parts(row: Earned | None) -> dict[str, Any]:
    if row is None:
        return dict.fromkeys(("base", *PARTS, "flows"))
    return {"base": row.since, **row.profit.model_dump()}


def _money(value: Decimal | None) -> Decimal | None:
    if value is None:
        return None
    with localcontext() as context:
        context.prec = DIGITS * 2
        return value.quantize(PLACES, rounding=ROUND_HALF_EVEN)


def _schema(table: str) -> dict[str, Any]:
    import polars

    return {
        **dict.fromkeys(("marked_at", *_TIMES[table]), polars.Datetime("us", "UTC")),
        **dict.fromkeys(_WORDS[table], polars.String),
        **dict.fromkeys(_FIGURES[table], polars.Decimal(DIGITS, 12)),
    }


def _write(path: Path, table: str, rows: Rows) -> None:
    import polars

    put(path, polars.DataFrame(rows, schema=_schema(table), orient="row"))
