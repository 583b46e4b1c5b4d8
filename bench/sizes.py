"""Measure decisions of one size of book in a process of its own; prints one line of JSON.

python -m bench.sizes 30x100
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
from time import perf_counter
from typing import Any

import piqp

from allocator.decide import Engine, decide
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.program.build import build
from allocator.program.crossing import arrays_of
from allocator.program.solve import CHAIN, solve
from allocator.state import Book
from bench.books import SIZES
from bench.stages import Stages
from bench.ticks import ticking

TICKS = 3
LARGE = 5_000
"""Pairs from which every figure is measured once."""


class Raw:
    """Times PIQP inside whatever uses it."""

    def __init__(self) -> None:
        self.seconds, self.original = 0.0, piqp.SparseSolver

    def __enter__(self) -> Raw:
        raw = self

        class Timed:
            """A solver that times its set-up and its iterations."""

            def __init__(self) -> None:
                self.inner = raw.original()

            def __getattr__(self, name: str) -> Any:
                found = getattr(self.inner, name)
                return raw.timed(found) if name in ("setup", "update", "solve") else found

        piqp.SparseSolver = Timed
        return self

    def __exit__(self, *_: object) -> None:
        piqp.SparseSolver = self.original

    def timed(self, function: Any) -> Any:
        """Wrap a method."""

        def run(*args: Any, **kwargs: Any) -> Any:
            start = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += perf_counter() - start

        return run


def measured(name: str) -> dict[str, Any]:
    """Measure one size."""
    size = SIZES[name]
    rows, wanted = ticking(size, TICKS if size.pairs < LARGE else 1)
    mandate = Mandate.model_validate(wanted)
    books = [Snapshot.model_validate(row) for row in rows]
    start = perf_counter()
    plan = decide(books[0], mandate)
    cold = perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert plan.certificate is not None
    proof = plan.certificate
    engine = Engine(mandate)
    engine.decide(books[0])
    out: dict[str, Any] = {
        "size": name,
        "pairs": size.pairs,
        "cold_s": cold,
        "tick_s": _each(engine.decide, books[1:]),
        "peak_mb": peak,
        "status": plan.status,
        "total": float(plan.cost.total),
        "worked": float(plan.cost.worked),
        "bound": float(proof.lower_bound),
        "gap": float(proof.gap_relative),
        "shortfall": float(proof.shortfall),
        "proof": proof.proof,
        "actions": len(plan.actions),
    }
    for part in ("relaxed", "preview"):
        if hasattr(engine, part):
            getattr(engine, part)(books[0])
            out[f"{part}_s"] = _each(getattr(engine, part), books[1:])
    out["solve"] = _raw(books[0], mandate)
    with Stages() as stages:
        sys.modules["allocator.decide"].decide(books[0], mandate)
    return out | {"stages": stages.seconds}


def _each(function: Any, books: list[Snapshot]) -> float:
    seconds = list[float]()
    for book in books:
        start = perf_counter()
        function(book)
        seconds.append(perf_counter() - start)
    return statistics.median(seconds)


def _raw(snapshot: Snapshot, mandate: Mandate) -> dict[str, float]:
    """Time our solve of the relaxation against PIQP alone, over its passes at the powers."""
    form = build(arrays_of(Book.of(snapshot, mandate)), None).form
    problem = form.relaxed()
    start = perf_counter()
    solve(problem)
    ours = perf_counter() - start
    with Raw() as raw:
        solve(problem, CHAIN[1:2])
    return {"ours_s": ours, "raw_s": raw.seconds, "columns": problem.low.size}


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1])))
