"""The command that decides over the grid of a scenario: sweep."""

from __future__ import annotations

import signal
import sys
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from allocator.service.cli.codes import ExitCode
from allocator.service.cli.files import MostPointsOption
from allocator.service.cli.output import Format, OutputOption, write_csv, write_json, write_table
from allocator.service.cli.stores import FOLDER, DatabaseOption, StoreOption, store

if TYPE_CHECKING:
    from allocator.whatif.grid import Study
    from allocator.whatif.page import Table
    from allocator.whatif.sweep import Sweep, Watch

TOP = Path("var/sweeps")
TERMINATED, INTERRUPTED = 128 + signal.SIGTERM, 128 + signal.SIGINT
"""Status of a process that was asked to end, or interrupted, as shells tell it."""


class DepthOption(StrEnum):
    """How far a point is decided."""

    PLAN = "plan"
    QUICK = "quick"
    RELAXED = "relaxed"


def sweep(  # noqa: PLR0913 - each is an option of the command
    file: Annotated[Path, typer.Argument(help="A scenario with a grid.", show_default=False)],
    *,
    backend: Annotated[
        str, typer.Option(help="serial, threads, processes, dask, ray, or one joblib knows.")
    ] = "processes",
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", help="Workers. Default: the cores.", min=1)
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler. Default: a local one.")
    ] = None,
    depth: Annotated[
        DepthOption | None,
        typer.Option(
            help="plan: as one decision is made; quick: verified plans with less effort; relaxed: "
            "bounds only, fastest. Default: as the file says, else plan.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results. Default: var/sweeps/NAME.")
    ] = None,
    most_points: MostPointsOption = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget points done before.")] = False,
    x: Annotated[str | None, typer.Option(help="Axis across of the heat map.")] = None,
    y: Annotated[str | None, typer.Option(help="Axis down of the heat map.")] = None,
    figure: Annotated[str, typer.Option(help="What the heat map shows.")] = "total",
    store_folder: StoreOption = FOLDER,
    database: DatabaseOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Decide about every combination of the values in a scenario's grid.

    Points are kept as they are done: a sweep that was stopped goes on where it was. The results
    are the same on every back end. The folder gets points.jsonl (exact figures), points.parquet,
    report.html. Ends with 8 if a point comes out otherwise than `expect:` says, with 2 if values
    make no sensible book together.

    \b
    Example: allocator sweep scenarios/how-far-may-it-fall.yaml --backend threads --jobs 2
    Example: allocator sweep grid.yaml --depth relaxed --x shock.prices.BTC --out results
    """  # noqa: D301
    from allocator.whatif.folder import file_name
    from allocator.whatif.grid import MOST_POINTS, Study
    from allocator.whatif.reader import load_recipe
    from allocator.whatif.sweep_tables import chosen

    most = MOST_POINTS if most_points is None else most_points
    recipe = load_recipe(file, store=store(store_folder, database), most_points=most)
    study = Study.of(recipe, depth.value if depth is not None else recipe.depth, most)
    picture = chosen(study.axes, x, y, figure)
    folder = out if out is not None else TOP / file_name(recipe.name)
    crew = _Crew(backend, jobs, cluster)
    done = _decided(study, folder, crew, most=most, fresh=fresh)
    _show(done, picture, output)
    _write(done, folder, picture)
    if done.invalid:
        raise typer.Exit(ExitCode.USAGE)
    if done.unexpected:
        raise typer.Exit(ExitCode.UNEXPECTED)


class _Crew(NamedTuple):
    """Who decides the points."""

    backend: str
    jobs: int | None
    cluster: str | None


def _decided(study: Study, folder: Path, crew: _Crew, *, most: int, fresh: bool) -> Sweep:
    """Decide every point that is not done yet, or all of them anew."""
    from allocator.whatif.sweep import POINTS_FILE
    from allocator.whatif.sweep import sweep as swept

    points = folder / POINTS_FILE
    if fresh:
        points.unlink(missing_ok=True)
    with _stopped(points, study), _progress() as watch:
        return swept(
            study.recipe,
            backend=crew.backend,
            jobs=crew.jobs,
            cluster=crew.cluster,
            depth=study.depth,
            out=folder,
            most_points=most,
            watch=watch,
        )


def _show(done: Sweep, picture: tuple[str, str | None, str], output: Format) -> None:
    from allocator.whatif.sweep_tables import heat_table, points_table, summary_table

    match output:
        case Format.JSON:
            write_json(done.to_json())
        case Format.CSV:
            table = points_table(done, most=len(done.rows))
            write_csv(table.columns, table.rows)
        case Format.TABLE:
            _draw(summary_table(done))
            x, y, figure = picture
            if y is not None:
                _draw(heat_table(done, x, y, figure))
            for row in done.invalid[:10]:
                print(f"point {row['index']}: {row['error']}", file=sys.stderr)
            print(f"{len(done.rows):,} points, {done.resumed:,} of them done before")
            print(f"results hash {done.results_hash}")


def _draw(table: Table) -> None:
    words = {"axis", "value", "statuses"}
    columns = [f"{name}>" if name not in words else name for name in table.columns]
    write_table(columns, table.rows, title=table.heading)


def _write(done: Sweep, folder: Path, picture: tuple[str, str | None, str]) -> None:
    """Write report and frame beside the points; tells where on standard error."""
    from importlib.util import find_spec

    x, y, figure = picture
    print(done.report(folder / "report.html", x=x, y=y, figure=figure), file=sys.stderr)
    if find_spec("polars") is None:
        print("no parquet: pip install 'allocator[sweeps]'", file=sys.stderr)
    else:
        print(done.report(folder / "points.parquet"), file=sys.stderr)


@contextmanager
def _stopped(points: Path, study: Study) -> Generator[None]:
    """Say in one line how far a sweep came that is interrupted or asked to end."""
    from allocator.whatif.ledger import Ledger

    try:
        with _ended_by_terminate(), warnings.catch_warnings():
            # joblib's word on what it gave up, for which our own line stands
            warnings.filterwarnings("ignore", r"\d+ tasks (which|have been)", UserWarning)
            yield
    except KeyboardInterrupt as stop:
        with Ledger(points, study) as kept:
            count = len(kept.rows)
        said = f"stopped after {count:,} of {study.count:,} points; the same command goes on"
        print(said, file=sys.stderr)
        status = TERMINATED if isinstance(stop, _Terminated) else INTERRUPTED
        raise typer.Exit(status) from None


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a sweep as an interrupt does."""


@contextmanager
def _ended_by_terminate() -> Generator[None]:
    """Let SIGTERM end a sweep as an exception does, so that its workers end with it."""

    def stop(_signal: int, _frame: object) -> None:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress() -> Generator[Watch]:
    """Show a bar on standard error while points are decided."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("points", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    screen = Console(file=sys.stderr)
    with Progress(*columns, console=screen, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("points", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
