"""Deciding about the points of a sweep, in whatever thread, process or machine."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

from allocator.decide import Engine
from allocator.models.base import plain
from allocator.models.canonical import mandate_hash, snapshot_hash
from allocator.models.errors import InputError, SolverError
from allocator.models.mandate import Mandate
from allocator.models.plan import COST_PARTS, Plan, Transfer
from allocator.models.snapshot import Snapshot
from allocator.whatif.comparison import worst_ratio
from allocator.whatif.expectations import check_expect, is_feasible
from allocator.whatif.grid import Point, Study, told
from allocator.whatif.recipe import Variants

Row = dict[str, Any]
"""What came of a point: plain JSON data, figures as text."""

T = TypeVar("T")
KEPT: Final = 4
"""Engines and studies that a process keeps."""

CENTS: Final = Decimal("0.0001")
"""Last digit of a relaxed figure, which is a float's."""


class _Kept(Generic[T]):
    """Keeps the last few things made, by name; safe to share between threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rows = OrderedDict[str, T]()

    def get(self, name: str, make: Callable[[], T]) -> T:
        """Give what was made under a name, or make it."""
        with self.lock:
            if name not in self.rows:
                self.rows[name] = make()
                while len(self.rows) > KEPT:
                    self.rows.popitem(last=False)
            self.rows.move_to_end(name)
            return self.rows[name]


ENGINES = _Kept[Engine]()
VARIANTS = _Kept[Variants]()


def solve(study: Study, points: Sequence[Point]) -> list[Row]:
    """Decide about points; equal studies and points give equal rows, wherever it is done."""
    variants = VARIANTS.get(study.hash, lambda: Variants(study.recipe))
    return [_row(study, variants, point) for point in points]


def _row(study: Study, variants: Variants, point: Point) -> Row:
    row: Row = {
        "index": point.index,
        "key": point.key,
        "point": {path: told(value) for path, value in point.values.items()},
    }
    try:
        return {**row, **_decided(study, *variants.book(point.values, check=False))}
    except InputError as error:
        return {**row, "status": "invalid", "error": str(error)}


def _decided(study: Study, snapshot: Snapshot, mandate: Mandate) -> Row:
    engine = ENGINES.get(mandate_hash(mandate), lambda: Engine(mandate))
    if study.depth == "relaxed":
        return _relaxed(engine, snapshot, mandate)
    plan = engine.quick(snapshot) if study.depth == "quick" else engine.decide(snapshot)
    wrong = check_expect(study.expect, plan) if study.expect is not None else []
    return {**_figures(plan), "wrong": wrong}


def _relaxed(engine: Engine, snapshot: Snapshot, mandate: Mandate) -> Row:
    """Solve the relaxed program only: what a plan costs at least, before lots and fixed costs."""
    out: Row = {"snapshot_hash": snapshot_hash(snapshot), "mandate_hash": mandate_hash(mandate)}
    try:
        found = engine.relaxed(snapshot)
    except SolverError as error:
        return {**out, "status": "unsolved", "error": str(error)}
    figures = {"total": found.total, "lower_bound": found.bound, "shortfall": found.missing}
    shown = {key: plain(Decimal(value).quantize(CENTS)) for key, value in figures.items()}
    return {**out, "status": "relaxed", **shown}


def _figures(plan: Plan) -> Row:
    kinds = [action.kind for action in plan.actions]
    proof = plan.certificate
    figures: dict[str, Decimal | None] = {
        **{name: getattr(plan.cost, name) for name in (*COST_PARTS, "total", "do_nothing")},
        "saving": plan.cost.do_nothing - plan.cost.total,
        "worst_margin_before": worst_ratio(plan, "before"),
        "worst_margin": worst_ratio(plan),
        "shortfall": None if proof is None else proof.shortfall,
        "lower_bound": None if proof is None else proof.lower_bound,
        "gap_relative": None if proof is None else proof.gap_relative,
    }
    return {
        "status": plan.status,
        "feasible": is_feasible(plan),
        "count": len(kinds),
        "transfers_count": kinds.count("transfer"),
        "moves_count": kinds.count("move"),
        "orders_count": kinds.count("order"),
        **{key: None if value is None else plain(value) for key, value in figures.items()},
        "routes": sorted({a.route for a in plan.actions if isinstance(a, Transfer)}),
        "binding": sorted({row.limit for row in proof.binding}) if proof is not None else [],
        "infeasible": [row.what for row in plan.infeasible],
        "plan_hash": plan.plan_hash,
        "snapshot_hash": plan.snapshot_hash,
        "mandate_hash": plan.mandate_hash,
    }
