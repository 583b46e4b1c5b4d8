"""A sweep told: summaries by axis, heat maps, and the page of both."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from allocator.models.errors import InputError
from allocator.whatif.charts import heat, lines
from allocator.whatif.document import suggest
from allocator.whatif.frames import COUNTS, FIGURES, axis
from allocator.whatif.grid import told
from allocator.whatif.page import Chart, Page, Table
from allocator.whatif.points import Row
from allocator.whatif.sweep import Sweep

SUMMED = ("count", "total", "saving", "worst_margin", "shortfall")
"""Figures of the summary: their means, of margin the least and of the shortfall the largest."""

MOST_ROWS = 200
"""Points that a page lists one by one; of more, those that came out worst."""

LEAST = ("worst_margin", "worst_margin_before")
LARGEST = ("shortfall", "gap_relative")


def merged(figure: str, rows: Sequence[Row]) -> Decimal | None:
    """Merge a figure over points: the least margin, the largest shortfall, else the mean."""
    known = [Decimal(row[figure]) for row in rows if row.get(figure) is not None]
    if not known:
        return None
    if figure in LEAST:
        return min(known)
    if figure in LARGEST:
        return max(known)
    return sum(known, Decimal(0)) / len(known)


def summary(sweep: Sweep) -> list[dict[str, Any]]:
    """Sum the points up, all of them and by every value of every axis.

    Returns
    -------
    Plain JSON data; figures rounded to six digits after the point.
    """
    out = [{"axis": "", "value": "all", **_summed(sweep.rows)}]
    for path, values in sweep.study.axes.items():
        for value in dict.fromkeys(map(told, values)):
            rows = [row for row in sweep.rows if row["point"][path] == value]
            out.append({"axis": path, "value": value, **_summed(rows)})
    return out


def _summed(rows: Sequence[Row]) -> dict[str, Any]:
    states = Counter(row["status"] for row in rows)
    figures = {name: merged(name, rows) for name in SUMMED}
    return {
        "points": len(rows),
        **{key: None if value is None else f"{value:.6f}" for key, value in figures.items()},
        "statuses": dict(sorted(states.items())),
        "unexpected": sum(bool(row.get("wrong")) for row in rows),
    }


SUMMARY = (
    "axis", "value", "points", "actions, mean", "total, mean", "saving, mean", "least margin",
    "largest shortfall", "statuses", "unexpected",
)  # fmt: skip


def summary_table(sweep: Sweep) -> Table:
    """Put the summary into a table."""
    rows = [
        (
            row["axis"] or "all",
            row["value"],
            str(row["points"]),
            *(_short(row[name]) for name in SUMMED),
            ", ".join(f"{count} {name}" for name, count in row["statuses"].items()),
            str(row["unexpected"]),
        )
        for row in summary(sweep)
    ]
    return Table("Summary (USD)", SUMMARY, rows)


def _short(value: str | None) -> str:
    return "-" if value is None else f"{Decimal(value):,.2f}"


def chosen(
    values: Mapping[str, Sequence[Any]], x: str | None, y: str | None, figure: str
) -> tuple[str, str | None, str]:
    """Choose the axes of a picture: those asked for, else the first ones with several values.

    Raises
    ------
    InputError
        When the sweep has no such axis or figure, or both axes are one.
    """
    axes, figures = list(values), (*FIGURES, *COUNTS)
    for name in (x, y):
        if name is not None and name not in axes:
            raise InputError(f"the sweep has no axis {name!r}{suggest(name, axes)}")
    if x is not None and x == y:
        raise InputError(f"x and y: two axes are wanted, not {x!r} twice")
    if figure not in figures:
        raise InputError(f"a point has no figure {figure!r}{suggest(figure, figures)}")
    wide = [path for path, row in values.items() if len(row) > 1] or axes
    first = x or next((path for path in wide if path != y), axes[0])
    second = y or next((path for path in wide if path != first), None)
    return first, second, figure


def heat_table(sweep: Sweep, x: str, y: str, figure: str) -> Table:
    """Lay a figure out by two axes; other axes are merged."""
    columns, rows = _values(sweep, x), _values(sweep, y)
    cells = _cells(sweep, x, y, figure)
    body = [(row, *(_cell(cells[column, row]) for column in columns)) for row in rows]
    return Table(f"{figure} by {y} (down) and {x} (across)", (y, *columns), body)


def _cell(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def _values(sweep: Sweep, path: str) -> list[str]:
    return list(dict.fromkeys(map(told, sweep.study.axes[path])))


def _cells(sweep: Sweep, x: str, y: str, figure: str) -> dict[tuple[str, str], Decimal | None]:
    found = dict[tuple[str, str], list[Row]]()
    for row in sweep.rows:
        found.setdefault((row["point"][x], row["point"][y]), []).append(row)
    return {
        at: merged(figure, found.get(at, []))
        for at in itertools.product(_values(sweep, x), _values(sweep, y))
    }


def pictures(sweep: Sweep, x: str | None, y: str | None, figure: str) -> Iterator[Chart]:
    """Draw a heat map of two axes, or curves over the only one."""
    first, second, figure = chosen(sweep.study.axes, x, y, figure)
    names = [figure, *(name for name in ("total", "worst_margin", "count") if name != figure)]
    for name in names:
        if not any(row.get(name) is not None for row in sweep.rows):
            continue
        if second is not None:
            yield _heat(sweep, first, second, name)
        else:
            yield _curve(sweep, first, name)


def _heat(sweep: Sweep, x: str, y: str, figure: str) -> Chart:
    columns, rows = _values(sweep, x), _values(sweep, y)
    cells = _cells(sweep, x, y, figure)
    placed = {
        (i, j): cells[column, row]
        for (i, column), (j, row) in itertools.product(enumerate(columns), enumerate(rows))
    }
    return heat(f"{figure} by {x} and {y}", (x, columns), (y, rows), placed, scarce=figure in LEAST)


def _curve(sweep: Sweep, x: str, figure: str) -> Chart:
    names = _values(sweep, x)
    values = [merged(figure, [r for r in sweep.rows if r["point"][x] == name]) for name in names]
    at = axis(names)
    xs = [value if isinstance(value, float) else float(i) for i, value in enumerate(at)]
    return lines(f"{figure} by {x}", (x, xs), {figure: values}, unit=figure)


def page(
    sweep: Sweep, *, x: str | None = None, y: str | None = None, figure: str = "total"
) -> Page:
    """Put a sweep on a page: pictures, summary, heat map in figures, points."""
    first, second, figure = chosen(sweep.study.axes, x, y, figure)
    lead = [f"{len(sweep.rows):,} points over {', '.join(sweep.study.axes)}."]
    if sweep.study.depth == "relaxed":
        lead.append("Relaxed programs only: bounds of the cost, no plans.")
    if sweep.study.depth == "quick":
        lead.append("Decided quickly: verified plans, a little dearer than with all effort.")
    bad = len(sweep.unexpected)
    if sweep.study.expect is not None and sweep.study.depth != "relaxed":
        lead.append(f"{bad:,} points come out otherwise than expected." if bad else "As expected.")
    heated = [heat_table(sweep, first, second, figure)] if second is not None else []
    return Page(
        f"Sweep: {sweep.name}",
        lead,
        [*pictures(sweep, x, y, figure), summary_table(sweep), *heated, points_table(sweep)],
        [f"study: {sweep.study.hash}", f"results_hash: {sweep.results_hash}"],
    )


def points_table(sweep: Sweep, most: int = MOST_ROWS) -> Table:
    """List the points; of many, those that came out worst: invalid, unexpected, short, dear."""
    rows = sorted(sweep.rows, key=_badness)[:most]
    rows = sorted(rows, key=lambda row: row["index"])
    names = ("count", "total", "saving", "worst_margin", "shortfall")
    body = [
        (
            *(row["point"][path] for path in sweep.study.axes),
            row["status"],
            *(
                _short(row.get(name)) if name != "count" else str(row.get(name, "-"))
                for name in names
            ),
            row.get("error") or "; ".join(row.get("wrong", ())),
        )
        for row in rows
    ]
    few = len(rows) < len(sweep.rows)
    words = f"The {len(rows)} that came out worst of {len(sweep.rows):,}." if few else ""
    columns = (*sweep.study.axes, "status", "actions", "total", "saving", "margin", "shortfall")
    return Table("Points (USD)", (*columns, "what is wrong"), body, words)


def _badness(row: Row) -> tuple[bool, bool, Decimal, Decimal]:
    return (
        row["status"] not in ("invalid", "unsolved"),
        not row.get("wrong"),
        -Decimal(row.get("shortfall") or 0),
        -Decimal(row.get("total") or 0),
    )
