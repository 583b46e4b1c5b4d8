"""Writing data to standard output as a table, JSON or CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Any

import typer

PIPE_WIDTH = 180
"""Columns of a table that goes into a pipe or file, where nobody tells the width."""

MOST_WORD = 16
"""Longest word that a column of text is kept wide enough for; longer ones are folded."""


class Format(StrEnum):
    """How data is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


OutputOption = Annotated[
    Format, typer.Option("--output", "-o", help="How to write the data.", case_sensitive=False)
]


def tell(text: str) -> None:
    """Tell on standard error how something goes on; that nobody hears it ends nothing.

    Whoever read the pipe may have left, and the disk of the file may be full, while requests are
    under way that have to be followed to their end.
    """
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def write_json(data: Any) -> None:
    """Write plain JSON data, indented."""
    print(json.dumps(data, indent=1, ensure_ascii=False))


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows with a heading; None is an empty cell."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows)


def write_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
) -> None:
    """Draw rows; a column whose name ends in ``>`` is set flush right.

    Where the rows do not fit side by side, each is written down line by line: no figure and no
    name is ever cut short.
    """
    from rich.box import SIMPLE
    from rich.table import Table

    cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    table = Table(title=title, box=SIMPLE, title_justify="left", pad_edge=False)
    for place, name in enumerate(columns):
        right = name.endswith(">")
        head = name.rstrip(">")
        widths = [_least(row[place], whole=right) for row in cells]
        table.add_column(
            head,
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=right,
            min_width=max([len(head), *widths]),
        )
    for row in cells:
        table.add_row(*row)
    screen = console()
    unbounded = screen.options.update_width(sys.maxsize)
    if screen.measure(table, options=unbounded).minimum <= screen.width:
        screen.print(table)
    else:
        _write_down([name.rstrip(">") for name in columns], cells, title)


def _least(cell: str, *, whole: bool) -> int:
    """Tell how narrow a cell may get: a figure stays whole, a sentence wraps between words."""
    return len(cell) if whole else min(MOST_WORD, max(map(len, cell.split()), default=0))


def _write_down(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None) -> None:
    if title is not None:
        print(title)
    for row in rows:
        print()
        for name, cell in zip(columns, row, strict=True):
            print(f"  {name}: {cell}")
    print()


def console() -> Any:
    """Open standard output for drawing; colours only on a terminal and without NO_COLOR."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    return Console(width=None if terminal else PIPE_WIDTH, highlight=False, markup=False)
