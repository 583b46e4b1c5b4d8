"""What `what-if --save` has kept: listed and shown again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer

from allocator.models.base import plain, stamp
from allocator.models.errors import ConfigError, InputError
from allocator.service.cli.codes import ExitCode
from allocator.service.cli.output import Format, console, write_csv, write_json, write_table

KIND = "what-if"
SHOWN = 12
"""Characters of a hash in a table; any six of its beginning find it."""

COLUMNS = ("what-if", "kept", "scenario", "base", "shocked", "verdict")
FIGURES = ("what", "base", "shocked")


def list_kept(folder: Path, output: Format) -> None:
    """List what is kept, the latest first; what was changed since is told and ends with 2."""
    from allocator.whatif.folder import Folder

    store, rows, damaged = Folder(folder), list[tuple[str, ...]](), False
    for name, at in store.names(KIND):
        try:
            data = store.load(KIND, name)
        except ConfigError as error:
            damaged = True
            print(error, file=sys.stderr)
            continue
        rows.append(
            (
                name,
                stamp(at),
                data["name"],
                data["base"]["status"],
                data["shocked"]["status"],
                _verdict(data),
            )
        )
    match output:
        case Format.JSON:
            write_json([dict(zip(COLUMNS, row, strict=True)) for row in rows])
        case Format.CSV:
            write_csv(COLUMNS, rows)
        case Format.TABLE:
            write_table(COLUMNS, [(name[:SHOWN], *rest) for name, *rest in rows])
    if damaged:
        raise typer.Exit(ExitCode.USAGE)


def show_kept(folder: Path, name: str, output: Format) -> None:
    """Show one what-if as it was kept.

    Raises
    ------
    InputError
        When none is kept under the name.
    """
    from allocator.whatif.folder import Folder

    data = Folder(folder).load(KIND, name)
    if data is None:
        raise InputError(f"no what-if {name!r} is kept in {folder}")
    figures = [[_cell(row[key]) for key in FIGURES] for row in data["figures"]]
    match output:
        case Format.JSON:
            write_json(data)
        case Format.CSV:
            write_csv(FIGURES, figures)
        case Format.TABLE:
            _draw(data, figures)


def _draw(data: Mapping[str, Any], figures: list[list[str]]) -> None:
    lines = (f"What if: {data['name']}", data["description"], _verdict(data))
    for line in filter(None, lines):
        console().print(line)
    for heading, rows in (
        ("Not as expected", data["wrong"]),
        ("What is done to the book", data["done"]),
        ("What the plans do not show", data.get("remarks", ())),
    ):
        if rows:
            write_table(("what",), [(row,) for row in rows], title=heading)
    write_table(("what", "base>", "shocked>"), figures, title="Side by side (USD)")
    changes = [(row["base"] or "-", row["shocked"] or "-", row["why"]) for row in data["changes"]]
    if changes:
        write_table(("base", "shocked", "why"), changes, title="What changed and why")


def _verdict(data: Mapping[str, Any]) -> str:
    if data["expect"] is None:
        return ""
    return "NOT as expected" if data["wrong"] else "as expected"


def _cell(value: str | None) -> str:
    """Write a figure as it was kept, with fewer digits if it is a number."""
    if value is None:
        return "-"
    try:
        number = Decimal(value)
    except ArithmeticError:
        return value
    return plain(round(number, 4)) if number.is_finite() else value
