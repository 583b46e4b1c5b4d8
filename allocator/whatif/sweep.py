"""A sweep: every point of a grid decided, in parallel, resumable, the same on every back end."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from allocator.models.canonical import canonical_json
from allocator.models.errors import InputError
from allocator.models.scenario import Depth
from allocator.whatif.backends import deaf_to_interrupts, ready
from allocator.whatif.grid import MOST_POINTS, Point, Study
from allocator.whatif.ledger import Ledger
from allocator.whatif.points import Row, solve
from allocator.whatif.reader import load_recipe
from allocator.whatif.recipe import Recipe
from allocator.whatif.references import Store

Watch = Callable[[int, int], None]
"""Told how many points are done and how many there are."""

MOST_IN_TASK = 16
"""Points that a worker is given at once; what a kill may lose at most of each worker."""

ROUND = 4
"""Tasks of a worker that are waited for together, where single ones cannot be."""

POINTS_FILE = "points.jsonl"


@dataclass(frozen=True)
class Sweep:
    """What came of a sweep.

    Attributes
    ----------
    rows
        One a point, in the order of the grid.
    resumed
        Points that were found done already.
    """

    study: Study
    rows: tuple[Row, ...]
    resumed: int

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.study.recipe.name

    @property
    def results_hash(self) -> str:
        """Hash of all rows: equal whatever back end, order or interruption they came by."""
        return sha256(canonical_json(list(self.rows)).encode()).hexdigest()

    @property
    def unexpected(self) -> list[Row]:
        """The points that came out otherwise than expected."""
        return [row for row in self.rows if row.get("wrong")]

    @property
    def invalid(self) -> list[Row]:
        """The points whose values make no sensible book together, or that no solver certified."""
        return [row for row in self.rows if row["status"] in ("invalid", "unsolved")]

    def to_frame(self) -> Any:
        """Make a polars data frame: a row a point, a column an axis and a figure.

        Raises
        ------
        ConfigError
            When polars is not installed.
        """
        from allocator.whatif.frames import sweep_frame

        return sweep_frame(self)

    def to_json(self) -> dict[str, Any]:
        """Turn it into plain JSON data."""
        from allocator.whatif.sweep_tables import summary

        return {
            "schema": "allocator.sweep/1",
            "name": self.name,
            "study": self.study.hash,
            "depth": self.study.depth,
            "results_hash": self.results_hash,
            "axes": {path: len(values) for path, values in self.study.axes.items()},
            "summary": summary(self),
            "points": list(self.rows),
        }

    def report(self, path: str | Path, **options: Any) -> Path:
        """Write it where the name's ending says how: .html, .md, .json or .parquet."""
        if str(path).lower().endswith(".parquet"):
            self.to_frame().write_parquet(path)
            return Path(path)
        from allocator.whatif.report import write_page
        from allocator.whatif.sweep_tables import page

        return write_page(page(self, **options), self.to_json(), path)


def _unwatched(_done: int, _total: int) -> None:
    pass


def sweep(  # noqa: PLR0913 - each is a choice of the caller
    source: str | Path | Mapping[str, Any] | Recipe,
    *,
    backend: str = "threads",
    jobs: int | None = None,
    cluster: str | None = None,
    depth: Depth | None = None,
    out: str | Path | None = None,
    most_points: int = MOST_POINTS,
    store: Store | None = None,
    watch: Watch = _unwatched,
) -> Sweep:
    """Decide about every point of a scenario's grid.

    Parameters
    ----------
    source
        A scenario with a grid: its file, its data, or as it was read.
    backend
        ``serial``, ``threads``, ``processes``, ``dask``, ``ray``, or a name known to joblib.
    jobs
        Workers; by default as many as there are cores.
    cluster
        Address of a Dask scheduler; None: one is started on the loopback interface.
    depth
        ``plan``: as `allocator.decide` does; ``quick``: verified plans with less effort and a
        looser bound; ``relaxed``: only the relaxed program. None: as the scenario says.
    out
        Folder in which finished points are kept; a sweep that was killed goes on from them.
    most_points
        How many points the grid may have.
    store
        Where ``snapshot: {stored: ...}`` is looked up.
    watch
        Told of the progress.

    Raises
    ------
    InputError
        When the scenario is wrong or has no grid, or the folder holds another sweep.
    """
    recipe = source if isinstance(source, Recipe) else _read(source, store, most_points)
    study = Study.of(recipe, recipe.depth if depth is None else depth, most_points)
    workers = jobs if jobs is not None else os.cpu_count() or 1
    if workers < 1:
        raise InputError(f"jobs: at least one is wanted, not {workers}")
    keep = Ledger(Path(out) / POINTS_FILE, study) if out is not None else nullcontext()
    with keep as ledger:
        done = dict(ledger.rows) if ledger is not None else dict[str, Row]()
        resumed = len(done)
        left = [point for point in study.in_order() if point.key not in done]
        watch(len(done), study.count)
        with closing(_solved(study, left, backend, workers, cluster)) as solved:
            for rows in solved:
                if ledger is not None:
                    ledger.append(rows)
                done.update({row["key"]: row for row in rows})
                watch(len(done), study.count)
    return Sweep(study, tuple(done[point.key] for point in study.points()), resumed)


def _read(source: str | Path | Mapping[str, Any], store: Store | None, most: int) -> Recipe:
    return load_recipe(source, store=store, most_points=most)


def _solved(
    study: Study, points: Sequence[Point], backend: str, jobs: int, cluster: str | None
) -> Generator[list[Row]]:
    """Give points to workers, a few at a time; rows come as they are done."""
    if not points:
        return
    joblib: Any = import_module("joblib")
    tasks = (joblib.delayed(solve)(study, some) for some in _tasks(points, jobs))
    with ready(backend, jobs, cluster, study) as config, joblib.parallel_config(**config):
        try:
            parallel = joblib.Parallel(
                return_as="generator_unordered", batch_size=1, pre_dispatch="2 * n_jobs"
            )
        except ValueError:  # a back end, such as Ray's, that gives nothing before all is done
            while some := list(itertools.islice(tasks, ROUND * jobs)):
                yield from joblib.Parallel(batch_size=1)(some)
        else:
            with deaf_to_interrupts():
                solved = parallel(tasks)
            yield from solved


def _tasks(points: Sequence[Point], jobs: int) -> Iterator[Sequence[Point]]:
    """Cut points so that every worker gets several tasks."""
    size = max(1, min(MOST_IN_TASK, len(points) // (8 * jobs)))
    for start in range(0, len(points), size):
        yield points[start : start + size]
