"""The command that draws a frontier: frontier."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allocator.service.cli.output import (
    Format,
    OutputOption,
    write_csv,
    write_json,
    write_table,
)
from allocator.service.cli.plans import ScenarioArgument, loaded

if TYPE_CHECKING:
    from allocator.frontier import ActionPoint, BufferPoint, Frontier, TrackingPoint, Watch

    FrontierPoint = ActionPoint | TrackingPoint | BufferPoint

BAR = 40
"""Columns of the longest bar of a chart."""

ACTIONS = (
    "most", "count", "total", "lower_bound", "proven", "on_hull", "one_more", "shortfall",
)  # fmt: skip
TRACKING = (
    "factor", "count", "tracking_error", "band_excess", "spent", "other", "tracking", "total",
    "gap",
)  # fmt: skip
BUFFER = (
    "margin_buffer", "count", "total", "price", "worst_margin_ratio", "shortfall", "gap",
)  # fmt: skip
COLUMNS = {"actions": ACTIONS, "tracking": TRACKING, "margin_buffer": BUFFER}


class AlongOption(StrEnum):
    """What changes along the curve."""

    ACTIONS = "actions"
    TRACKING = "tracking"
    MARGIN_BUFFER = "margin_buffer"


def frontier(  # noqa: PLR0913 - each is an option of the command
    file: ScenarioArgument = None,
    *,
    snapshot: Annotated[Path | None, typer.Option(help="A snapshot, with --mandate.")] = None,
    mandate: Annotated[Path | None, typer.Option(help="A mandate, with --snapshot.")] = None,
    along: Annotated[
        AlongOption, typer.Option(help="What changes along the curve.", case_sensitive=False)
    ] = AlongOption.ACTIONS,
    points: Annotated[int, typer.Option(help="Most points of the curve.", min=2, max=1000)] = 11,
    report: Annotated[
        Path | None, typer.Option(help="Write picture and table as .html, .md or .json.")
    ] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Compute how cost trades against the number of actions, tracking, or the margin buffer.

    Along actions: the best plan of at most 0, 1, 2, ... actions, and what one more saves. Along
    tracking: the best plans as tracking weighs from a thousandth to a thousand times as much.
    Along margin_buffer: the best plans as the buffer goes from none to twice the mandate's.

    \b
    Example: allocator frontier scenarios/two-venue-delta-move.yaml --along tracking -o csv
    Example: allocator frontier scenarios/two-venue-delta-move.yaml --report frontier.html
    """  # noqa: D301
    from allocator.frontier import frontier as computed

    book = loaded(file, snapshot, mandate)
    with _progress(along) as watch:
        curve = computed(*book, along=along.value, points=points, watch=watch)
    columns = COLUMNS[along.value]
    match output:
        case Format.JSON:
            write_json(curve.to_json())
        case Format.CSV:
            write_csv(columns, [_cells(row, columns) for row in curve.points])
        case Format.TABLE:
            _draw(curve, columns)
    if report is not None:
        from allocator.whatif.frontier_page import page
        from allocator.whatif.report import write_page

        name = file.stem if file is not None else "book"
        print(write_page(page(curve, name), curve.to_json(), report), file=sys.stderr)


def _draw(curve: Frontier, columns: Sequence[str]) -> None:
    rows = [
        [_short(name, cell) for name, cell in zip(columns, _cells(row, columns), strict=True)]
        for row in curve.points
    ]
    write_table([f"{name.replace('_', ' ')}>" for name in columns], rows, title="Frontier (USD)")
    from allocator.whatif.frontier_page import warnings

    totals = [point.cost.total for point in curve.points]
    for line in chart([row[0] for row in rows], totals, curve.left_broken, curve.comparable):
        print(line)
    for note in (*warnings(curve), *curve.notes):
        print(note)


def _cells(row: FrontierPoint, columns: Sequence[str]) -> list[object]:
    from allocator.models.base import plain

    out = list[object]()
    for name in columns:
        value = getattr(row.cost if name in ("total", "tracking") else row, name)
        written = plain(value) if isinstance(value, Decimal) else value
        out.append(str(written).lower() if isinstance(written, bool) else written)
    return out


def _short(name: str, cell: object) -> object:
    """Write money with cents; a factor, counts and words stay as they are."""
    if (
        name in ("factor", "margin_buffer")
        or not isinstance(cell, str)
        or cell in ("true", "false")
    ):
        return cell
    return f"{Decimal(cell):,.2f}"


def chart(
    names: Sequence[object],
    totals: Sequence[Decimal],
    left: Sequence[Decimal],
    alike: Sequence[bool],
) -> list[str]:
    """Draw the height of each total above the least one as a bar.

    Parameters
    ----------
    left, alike
        What each point leaves broken, and whether that is as little as any; a point that leaves
        more has no bar, for its total does not pay for the repair.
    """
    heights = [total for total, same in zip(totals, alike, strict=True) if same]
    least, span = min(heights), max(heights) - min(heights)
    width = max(len(str(name)) for name in names)
    out = ["Total above the least (USD)"]
    for name, total, missing, same in zip(names, totals, left, alike, strict=True):
        length = round((total - least) / span * BAR) if span else 0
        shown = f"|{'#' * length} {total - least:,.2f}"
        if not same:
            shown = f"x leaves {missing:,.2f} broken, costs {total:,.2f}"
        out.append(f"  {name!s:>{width}} {shown}")
    return out


@contextmanager
def _progress(along: AlongOption) -> Generator[Watch]:
    """Show a bar on standard error while the curve is computed."""
    from rich.console import Console
    from rich.progress import Progress

    screen = Console(file=sys.stderr)
    with Progress(console=screen, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(f"along {along.value}", total=None)
        yield lambda done, expected: bar.update(task, completed=done, total=expected)
