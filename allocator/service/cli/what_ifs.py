"""The command that compares a book with what a scenario makes of it: what-if."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allocator.service.cli.codes import ExitCode
from allocator.service.cli.output import Format, OutputOption, write_csv, write_json, write_table
from allocator.service.cli.stores import FOLDER, DatabaseOption, StoreOption, store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allocator.whatif.comparison import WhatIf
    from allocator.whatif.references import Store

WORDS = {"what", "why", "base", "shocked", "#", "account", "underlying", "limit"}
COLUMNS = ("scenario", "what", "base", "shocked")


def what_if(  # noqa: PLR0913 - each is an option of the command
    files: Annotated[
        list[Path] | None, typer.Argument(help="Scenarios.", show_default=False)
    ] = None,
    *,
    shock: Annotated[
        list[Path] | None,
        typer.Option(help="A file of shocks to add, such as one of scenarios/stress."),
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="Keep it in the store.")] = False,
    kept: Annotated[bool, typer.Option("--list", help="List what is kept in the store.")] = False,
    show: Annotated[
        str | None,
        typer.Option(help="Show what is kept under a hash, six characters of it, or latest."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write it as .html, .md or .json; of several files: a folder."),
    ] = None,
    store_folder: StoreOption = FOLDER,
    database: DatabaseOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Decide about a book as it is and as a scenario has it, and set both side by side.

    Shows what overrides and shocks do to plan, cost, exposure, margin and binding limits, what
    changed and why. Ends with 8 if something comes out otherwise than `expect:` says.

    \b
    Example: allocator what-if scenarios/crash-with-withdrawals-halted.yaml
    Example: allocator what-if book.yaml --shock scenarios/stress/2020-03-12.yaml --report a.html
    Example: allocator what-if book.yaml --save
    Example: allocator what-if --list
    Example: allocator what-if --show latest
    """  # noqa: D301
    if kept or show is not None:
        _look_up(files, store_folder, show, output, listed=kept)
        return
    if not files:
        raise typer.BadParameter("name a scenario, or ask for --list or --show HASH")
    done = _compared(files, shock or (), store(store_folder, database))
    unreadable = len(done) < len(files)
    _show(done, output)
    pages = _pages(report, [row.name for row in done], several=len(files) > 1)
    for row, page in zip(done, pages, strict=True):
        _keep(row, store_folder if save else None, page)
    if unreadable:
        raise typer.Exit(ExitCode.USAGE)
    if any(row.wrong for row in done):
        raise typer.Exit(ExitCode.UNEXPECTED)


def _look_up(
    files: list[Path] | None, folder: Path, show: str | None, output: Format, *, listed: bool
) -> None:
    from allocator.service.cli.kept import list_kept, show_kept

    if files or (listed and show is not None):
        raise typer.BadParameter("--list and --show go alone, without scenarios")
    if show is None:
        list_kept(folder, output)
    else:
        show_kept(folder, show, output)


def _compared(files: Sequence[Path], shocks: Sequence[Path], find: Store) -> list[WhatIf]:
    """Decide the scenarios that can be read; what is wrong with the others is told."""
    from allocator.models.errors import InputError
    from allocator.whatif.comparison import compared
    from allocator.whatif.reader import load_recipe

    done: list[WhatIf] = []
    for path in files:
        try:
            done.append(compared(load_recipe(path, shocks=shocks, store=find)))
        except InputError as error:
            print(error, file=sys.stderr)
    return done


def _pages(report: Path | None, names: Sequence[str], *, several: bool) -> list[Path | None]:
    """Say where pages go: several into a folder, each its own, those of one name as well."""
    from allocator.whatif.folder import file_name

    if report is None or not (several or report.is_dir()):
        return [report] * len(names)
    report.mkdir(parents=True, exist_ok=True)
    taken = list[str]()
    for name in map(file_name, names):
        free = (f"{name}-{i}" if i > 1 else name for i in itertools.count(1))
        taken.append(next(text for text in free if text not in taken))
    return [report / f"{text}.html" for text in taken]


def _keep(done: WhatIf, folder: Path | None, report: Path | None) -> None:
    """Store it and write its report, as asked; tells where on standard error."""
    if folder is not None:
        from allocator.models.canonical import snapshot_data
        from allocator.whatif.folder import Folder

        kept = Folder(folder)
        for side in (done.base, done.shocked):
            kept.save("snapshots", snapshot_data(side.snapshot), latest=False)
        name = kept.save("what-if", {**done.to_json(), "books": done.books()})
        print(f"{done.name}: kept as what-if {name}", file=sys.stderr)
    if report is not None:
        print(done.report(report), file=sys.stderr)


def _show(done: Sequence[WhatIf], output: Format) -> None:
    match output:
        case Format.JSON:
            rows = [row.to_json() for row in done]
            write_json(rows[0] if len(rows) == 1 else rows)
        case Format.CSV:
            cells = [_texts(row.name, *figure) for row in done for figure in row.figures()]
            write_csv(COLUMNS, cells)
        case Format.TABLE:
            for row in done:
                _draw(row)


def _texts(*cells: Any) -> list[object]:
    from allocator.models.base import plain

    return [plain(cell) if not isinstance(cell, str | None) else cell for cell in cells]


def _draw(done: WhatIf) -> None:
    from allocator.service.cli.output import console
    from allocator.service.cli.plans import show
    from allocator.whatif.comparison_page import page, side_by_side

    told = page(done)
    for line in (told.title, *told.lead):
        console().print(line)
    tables = side_by_side(done)
    for table in tables:
        figures = table.heading.startswith(("Side by side", "Binding"))
        words = {"what", "limit", "#"} if figures else WORDS
        columns = [name if name in words else f"{name}>" for name in table.columns]
        write_table(columns, table.rows, title=table.heading)
    if not done.notes:
        show(done.shocked.plan, Format.TABLE)
