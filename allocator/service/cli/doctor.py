"""The doctor command."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from allocator.service.cli.codes import ExitCode
from allocator.service.cli.output import Format, OutputOption, write_csv, write_json, write_table


def doctor(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="A configuration file.", show_default=False),
    ] = None,
    *,
    output: OutputOption = Format.TABLE,
) -> None:
    """Check everything a run stands on, and tell what to do about what is wrong.

    Sends nothing but reads. Ends with 5 if something is wrong.

    \b
    Example: allocator doctor -c var/demo/config.yaml
    (after `allocator demo --keep`, which leaves the exchanges up)
    """  # noqa: D301
    from allocator.service.bootstrap import read_config
    from allocator.service.doctor import examine

    loaded = None if config is None else read_config(config)
    findings = list(examine(loaded))
    columns = ("check", "state", "found", "remedy")
    rows = [(row.check, row.state, row.found, row.remedy) for row in findings]
    match output:
        case Format.JSON:
            write_json([asdict(row) for row in findings])
        case Format.CSV:
            write_csv(columns, rows)
        case Format.TABLE:
            write_table(columns, rows)
    if any(row.state == "wrong" for row in findings):
        raise typer.Exit(ExitCode.STALE)
