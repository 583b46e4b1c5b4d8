"""The best set of actions: relax, choose a support, polish, drop, compare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from allocator.minimise.exact import exact
from allocator.models.errors import SolverError
from allocator.plan.lots import Wish
from allocator.program.arrays import Arrays
from allocator.program.build import Program, build
from allocator.program.form import Form, Mask, Vector
from allocator.program.requirements import ceilings
from allocator.program.solve import Answer, solve
from allocator.state import Book

SMALL = 64
"""Number of usable actions up to which the mixed-integer program is solved."""

NOTHING_MISSING = 1e-8
"""S in units (a tenth of a cent) below which everything is repaired."""

SPARE = 2e-6
"""Room on an unattainable S, in units: within the one numeraire that the law leaves."""

DUST = 1e-7
"""Size in units below which an action is none."""


@dataclass(frozen=True)
class Candidate:
    """A set of actions with its sizes.

    Attributes
    ----------
    used
        Which actions.
    x
        Columns of the program.
    value
        Total in objective units.
    """

    used: Mask
    x: Vector
    value: float


@dataclass(frozen=True)
class Search:
    """What the search found.

    Attributes
    ----------
    program
        The program that plans are made with.
    candidates
        Best first.
    bound
        Proven lower bound of the total, numeraire.
    shortfall_bound
        Proven lower bound of S, numeraire.
    relaxed
        The relaxation's answer, for prices.
    proof
        How the bound was proven.
    """

    program: Program
    candidates: tuple[Candidate, ...]
    bound: float
    shortfall_bound: float
    relaxed: Answer
    proof: str
    below: Program
    least: Answer
    cap: float

    def bound_at(self, shortfall: float) -> float:
        """Prove a lower bound of the total of every state with S up to `shortfall`, numeraire."""
        form = self.below.form.capped(shortfall / self.below.form.unit + SPARE)
        return solve(form.relaxed()).bound * form.cost_unit


def search(arrays: Arrays) -> Search:
    """Search the least-cost set of actions.

    Raises
    ------
    SolverError
        When no answer of the relaxation can be certified.
    """
    below = build(arrays, None)
    least = least_shortfall(below.form)
    cap = max(least.value, 0.0)
    bounding = below.form.capped(0.0 if cap < NOTHING_MISSING else cap + SPARE)
    relaxed = solve(bounding.relaxed())
    planning = _planning(arrays, below, relaxed)
    form = planning.form.capped(bounding.row_high[bounding.shortfall_row])
    found = list[Candidate]()
    bound, proof = relaxed.bound, "convex_hull_dual"
    if int((form.top > 0).sum()) <= SMALL:
        sharp = exact(form, _near(planning, below, relaxed))
        if sharp is not None:
            found += polished(form, sharp.used)
            if planning is below and sharp.bound > bound:
                bound, proof = sharp.bound, "exact"
    found += supports(form, relaxed)
    found.sort(key=lambda row: row.value)
    unit = below.form.cost_unit
    return Search(
        program=Program(planning.core, form),
        candidates=tuple(found),
        bound=bound * unit,
        shortfall_bound=max(0.0, least.bound) * below.form.unit,
        relaxed=relaxed,
        proof=proof,
        below=below,
        least=least,
        cap=float(bounding.row_high[bounding.shortfall_row]),
    )


def _planning(arrays: Arrays, below: Program, relaxed: Answer) -> Program:
    """Build the conservative program where some margin is on the whole position."""
    models = {row.margin.model for row in arrays.book.accounts.values() if row.state != "frozen"}
    if "whole_position" not in models:
        return below
    X = below.core.position
    gross = np.abs(X.X @ relaxed.x[: below.core.layout.count] + X.const)
    return build(arrays, ceilings(arrays, gross))


def _near(planning: Program, below: Program, relaxed: Answer) -> Vector:
    if planning is below:
        return relaxed.x
    form = planning.form
    return np.clip(np.zeros(form.low.size), form.low, form.high)


def least_shortfall(form: Form) -> Answer:
    """Solve for the least S alone."""
    base = form.relaxed()
    if not np.any(form.shortfall):
        x = np.clip(np.zeros(base.low.size), base.low, base.high)
        return Answer(x, np.zeros(base.row_low.size), 0.0, 0.0, 0.0, "")
    zero = np.zeros_like(base.c)
    return solve(replace(base, c=form.shortfall.copy(), p=zero, k=zero, constant=0.0))


def supports(form: Form, relaxed: Answer) -> list[Candidate]:
    """Choose supports by reweighting the relaxation, then drop what does not pay."""
    n = form.n_actions
    x = relaxed.x[:n]
    out = list[Candidate]()
    allowed = _one_way(form, x)
    for _ in range(4):
        slope = form.fixed / np.maximum(x, np.maximum(form.least, DUST) * 0.1)
        try:
            answer = solve(form.weighted(slope, allowed))
        except SolverError:
            break
        x = answer.x[:n]
        allowed = _one_way(form, x) & allowed
        used = allowed & (x > np.maximum(0.5 * form.least, DUST))
        out += polished(form, used)
    if not out:
        out += polished(form, np.zeros(n, dtype=bool))
    return [_dropped(form, min(out, key=lambda row: row.value))] if out else []


def _one_way(form: Form, x: Vector) -> Mask:
    """Allow, for each owner and instrument, only the side that is used more."""
    allowed = form.top > 0
    for group in form.directions:
        buys, sells = float(x[group.buys].sum()), float(x[group.sells].sum())
        allowed[group.sells if buys >= sells else group.buys] = False
    for one, other in form.exclusive:
        allowed[one if x[one] < x[other] else other] = False
    return allowed


def polished(form: Form, used: Mask) -> list[Candidate]:
    """Find the best sizes of a support; leaves out what ends at nothing. Empty if infeasible."""
    try:
        answer = solve(form.supported(used))
    except SolverError:
        return []
    kept = used & (answer.x[: form.n_actions] > DUST)
    if kept.sum() < used.sum():
        return polished(form, kept) or [Candidate(used, answer.x, answer.value)]
    return [Candidate(used, answer.x, answer.value)]


def _dropped(form: Form, start: Candidate) -> Candidate:
    """Drop one action after another while that saves."""
    best = start
    improved = True
    while improved:
        improved = False
        for action in np.flatnonzero(best.used):
            fewer = best.used.copy()
            fewer[action] = False
            for other in polished(form, fewer):
                if other.value < best.value - 1e-9:
                    best, improved = other, True
            if improved:
                break
    return best


def wish_of(program: Program, candidate: Candidate) -> Wish:
    """Turn a candidate's columns into contracts and asset units."""
    core, unit = program.core, program.core.arrays.unit
    arrays, layout = core.arrays, core.layout
    size = np.where(candidate.used, candidate.x[: layout.count], 0.0)
    orders: dict[tuple[str, str], float] = {}
    for at, key in enumerate(arrays.orders.keys):
        net = size[layout.buys[at]] - size[layout.sells[at]]
        if abs(net) > DUST:
            orders[key] = float(net) / float(arrays.orders.scale[at])
    transfers: dict[str, float] = {}
    for at, name in enumerate(arrays.routes.ids):
        amount = float(size[layout.transfers[at]]) * unit
        if amount > DUST * unit:
            transfers[name] = amount / float(_price(arrays.book, name))
    moves: dict[tuple[str, str, str], float] = {}
    for at, rule in enumerate(arrays.moves.keys):
        if size[layout.moved[at]] > DUST:
            moves[rule] = float(
                size[layout.moved[at]] / arrays.pairs.scale[arrays.moves.source[at]]
            )
    return Wish(orders, transfers, moves)


def _price(book: Book, route: str) -> Decimal:
    return book.price(book.routes[route].asset)
