"""Measure our plan of one size of book against other ways to one; prints one line of JSON.

python -m bench.rivals 30x100 [--times 1 10]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from time import perf_counter
from typing import Any

from allocator.decide import decide
from allocator.minimise.search import search
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.plan.judge import judged
from allocator.plan.lots import Sizes
from allocator.program.build import Program
from allocator.program.crossing import arrays_of
from allocator.state import Book
from bench.books import SIZES, book_of
from bench.exact.bracket import sizes_of
from bench.monolith import by_highs, by_scip, without_lots
from bench.netting import netted
from bench.reweighted import plain, reweighted

MOST_PAIRS = 3_000
"""Pairs up to which presets are measured: each asks the exact law hundreds of times."""


def measured(name: str, times: list[float]) -> dict[str, Any]:
    """Measure one size."""
    snapshot, mandate = book_of(SIZES[name])
    start = perf_counter()
    plan = decide(snapshot, mandate)
    seconds = perf_counter() - start
    assert plan.certificate is not None
    book = Book.of(snapshot, mandate)
    found = search(arrays_of(book))
    unit = found.program.form.cost_unit
    ours = {
        "decide_s": seconds,
        "total": float(plan.cost.total),
        "idle": float(plan.cost.do_nothing),
        "worked": float(plan.cost.worked),
        "bound": float(plan.certificate.lower_bound),
        "shortfall": float(plan.certificate.shortfall),
        "actions": len(plan.actions),
        "without_lots": found.candidates[0].value * unit,
        "used": int(found.candidates[0].used.sum()),
    }
    small = len(book.pairs) <= MOST_PAIRS
    presets = by_presets(snapshot, mandate) if small else {}
    out: dict[str, Any] = {"size": name, "ours": ours, "presets": presets}
    out["netting"] = _timed(lambda: _judged(book, netted(book)))
    out["l1"] = _supports(found.program)
    mixed = without_lots(found.program.form)
    near = found.candidates[0].x
    for factor in times:
        for solver, ask in (("scip", by_scip), ("highs", lambda m, t: by_highs(m, near, t))):
            try:
                got = ask(mixed, factor * seconds)
            except ImportError:
                continue
            row = {"value": got.value * unit, "bound": got.bound * unit, "seconds": got.seconds}
            out[f"{solver} x{factor:g}"] = row
    return out


def _timed(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    start = perf_counter()
    return work() | {"seconds": perf_counter() - start}


def _judged(book: Book, sizes: Sizes) -> dict[str, Any]:
    verdict = judged(book, sizes)
    return {
        "total": float(verdict.total),
        "shortfall": float(verdict.shortfall),
        "actions": sizes.count,
        "broken": len(verdict.broken),
    }


def _supports(program: Program) -> dict[str, Any]:
    """Measure supports before lots: every action of the plain program, and reweighted l1."""
    out: dict[str, Any] = {}
    for name, choose in (("plain", plain), ("reweighted", reweighted)):
        start = perf_counter()
        row = choose(program.form)
        seconds = perf_counter() - start
        if row is not None:
            value = row.value * program.form.cost_unit
            out[name] = {"value": value, "actions": int(row.used.sum()), "seconds": seconds}
    return out


def by_presets(snapshot: Snapshot, mandate: Mandate) -> dict[str, Any]:
    """Measure the presets; their plans carry the cost law's total, too."""
    try:
        from allocator.presets import AvailableEquity, Equal, NetLiquidation, allocate
    except ImportError:
        return {}
    out: dict[str, Any] = {}
    for name, rule in (
        ("equal", Equal()),
        ("net liquidation", NetLiquidation()),
        ("available equity", AvailableEquity()),
    ):
        start = perf_counter()
        plan = allocate(snapshot, mandate, rule)
        seconds = perf_counter() - start
        book = Book.of(snapshot, mandate)
        out[name] = {**_judged(book, sizes_of(plan)), "seconds": seconds, "status": plan.status}
    return out


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Measure our plan against other ways to one.")
    parser.add_argument("size", choices=list(SIZES))
    parser.add_argument("--times", type=float, nargs="*", default=[1.0, 10.0])
    asked = parser.parse_args()
    print(json.dumps(measured(asked.size, asked.times)))


if __name__ == "__main__":
    main()
