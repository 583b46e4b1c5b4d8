"""Commands about files: validate, schema."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from allocator.service.cli.codes import ExitCode
from allocator.service.cli.output import write_json

MostPointsOption = Annotated[
    int | None,
    typer.Option(help="Points that a grid may have. Default: 100,000.", show_default=False, min=1),
]


class Kind(StrEnum):
    """Files that have a schema."""

    SNAPSHOT = "snapshot"
    MANDATE = "mandate"
    SCENARIO = "scenario"
    PLAN = "plan"
    CONFIG = "config"


def validate(
    files: Annotated[list[Path], typer.Argument(help="YAML or JSON files.", show_default=False)],
    *,
    kind: Annotated[
        Kind | None, typer.Option("--as", help="What the files are; by default they tell.")
    ] = None,
    most_points: MostPointsOption = None,
) -> None:
    """Check files and tell every mistake, each with its file, line and column.

    Ends with status 2 if there is one. Of a scenario with a grid it tells how many points a sweep
    would decide.

    \b
    Example: allocator validate scenarios/*.yaml
    """  # noqa: D301
    from allocator.whatif.check import validate as check
    from allocator.whatif.document import FileError
    from allocator.whatif.grid import MOST_POINTS

    broken = False
    for path in files:
        try:
            most = MOST_POINTS if most_points is None else most_points
            found = check(path, kind.value if kind is not None else None, most)
        except FileError as error:
            broken = True
            print(error, file=sys.stderr)
        else:
            print(f"{path}: a good {found}")
    if broken:
        raise typer.Exit(ExitCode.USAGE)


def schema(
    name: Annotated[Kind, typer.Argument(help="Of what.", show_default=False)],
) -> None:
    """Print the JSON Schema of a file, for editors and other programs.

    \b
    Example: allocator schema scenario > scenario.schema.json
    """  # noqa: D301
    from allocator.whatif.schemas import schema as build

    write_json(build(name.value))
