"""Commands that read the venues: gather, accounts."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allocator.models.base import json_value, plain
from allocator.models.explain import money
from allocator.service.cli.codes import ExitCode
from allocator.service.cli.output import Format, OutputOption, write_csv, write_json, write_table

if TYPE_CHECKING:
    from collections.abc import Collection

    from allocator.models.snapshot import Snapshot
    from allocator.ports import Gathered

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="A configuration file.", show_default=False)
]
ACCOUNT_COLUMNS = (
    "account", "venue", "owner", "state", "model", "equity", "initial_margin",
    "maintenance_margin", "margin_ratio",
)  # fmt: skip


def gather(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="A configuration file.", show_default=False)
    ],
    *,
    out: Annotated[Path | None, typer.Option(help="Write the snapshot here, as JSON.")] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Read every account into one snapshot; nothing that can trade is opened.

    Ends with 5 if anything could not be read; those accounts stand frozen in the snapshot.

    \b
    Example: allocator gather -c var/demo/config.yaml --out snapshot.json
    (after `allocator demo --keep`, which leaves the exchanges up)
    """  # noqa: D301
    gathered = _gather(config)
    if out is not None:
        out.write_text(json.dumps(json_value(gathered.snapshot), indent=1), encoding="utf-8")
    _tell(gathered, output, whole=output is Format.JSON)


def accounts(
    file: Annotated[
        Path | None, typer.Argument(help="A scenario or a snapshot.", show_default=False)
    ] = None,
    *,
    config: ConfigOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """List accounts with equity and margin, from a file or from the venues.

    Ends with 5 if anything could not be read; what was not read has no figure.

    \b
    Example: allocator accounts scenarios/margin-rescue-by-transfer.yaml
    """  # noqa: D301
    if (file is None) == (config is None):
        raise typer.BadParameter("name a file, or a configuration with --config")
    if file is not None:
        _write(_rows(_read(file), output), output)
        return
    assert config is not None
    _tell(_gather(config), output)


def _tell(gathered: Gathered, output: Format, *, whole: bool = False) -> None:
    """Write what was read, or the whole snapshot, and name what is missing."""
    if whole:
        write_json(json_value(gathered.snapshot))
    else:
        frozen = {row.id for row in gathered.snapshot.accounts if row.state == "frozen"}
        unread = frozen & {row.account for row in gathered.missing}
        _write(_rows(gathered.snapshot, output, unread), output)
    for row in gathered.notes:
        print(f"note: {row.account}: {row.what}", file=sys.stderr)
    for row in gathered.missing:
        print(f"missing: {row.account}: {row.what}", file=sys.stderr)
    if gathered.missing:
        raise typer.Exit(ExitCode.STALE)


def _gather(path: Path) -> Gathered:
    from allocator.service.bootstrap import open_market, read_config

    config = read_config(path)

    async def read() -> Gathered:
        async with open_market(config) as market:
            return await market.gather()

    return asyncio.run(read())


def _read(path: Path) -> Snapshot:
    from allocator.whatif.check import kind_of
    from allocator.whatif.document import read
    from allocator.whatif.reader import load_scenario, load_snapshot

    alone = kind_of(read(path).data) == "snapshot"
    return load_snapshot(path) if alone else load_scenario(path).snapshot


def _rows(
    snapshot: Snapshot, output: Format, unread: Collection[str] = ()
) -> list[tuple[object, ...]]:
    """Tell each account's figures: for people in a table, plain for programs.

    Parameters
    ----------
    unread
        Accounts that could not be read: what they hold is not known, and not zero.
    """
    from allocator.models.mandate import Mandate
    from allocator.state import Book
    from allocator.verify import plan_blocks

    blocks = plan_blocks(Book.of(snapshot, Mandate()), ())
    out = list[tuple[object, ...]]()
    for account in snapshot.accounts:
        row = blocks.accounts[account.id]
        known = account.id not in unread
        figures = (
            row.equity_before,
            row.initial_margin_before,
            row.maintenance_margin_before,
            row.margin_ratio_before,
        )
        write = (money, money, money, "{:.2f}".format) if output is Format.TABLE else [plain] * 4
        out.append(
            (
                account.id,
                account.venue,
                account.owner,
                account.state,
                account.margin.model,
                *(
                    told(figure) if known and figure is not None else None
                    for told, figure in zip(write, figures, strict=True)
                ),
            )
        )
    return out


def _write(rows: list[tuple[object, ...]], output: Format) -> None:
    match output:
        case Format.JSON:
            write_json([dict(zip(ACCOUNT_COLUMNS, row, strict=True)) for row in rows])
        case Format.CSV:
            write_csv(ACCOUNT_COLUMNS, rows)
        case Format.TABLE:
            words = 5
            heads = [
                name if place < words else f"{name}>" for place, name in enumerate(ACCOUNT_COLUMNS)
            ]
            write_table(heads, rows)
