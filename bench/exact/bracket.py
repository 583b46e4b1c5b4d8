"""A proven bracket [bound, value] of a book's optimum: least S first, then the least total."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from allocator.models.plan import Order, Plan, Transfer
from allocator.plan.judge import judged
from allocator.plan.lots import Sizes
from allocator.plan.sequence import Ordered, sequenced
from allocator.state import Book
from bench.exact.actions import Acts, acts_of
from bench.exact.costs import cost_of
from bench.exact.highs import Found, Tangents, largest, relaxed, solve
from bench.exact.limits import limit_rules
from bench.exact.margin import Margins, Missing
from bench.exact.model import UNIT, Line, Model, total

NODES = 4_000
ROUNDS = 4
RELAXED_ROUNDS = 12
TIGHTENED = 2
MISSED = 0.003
"""What tangents may miss of the curves before the rounds end, numeraire."""

NOTHING = 0.01
"""S up to which nothing is missing, numeraire."""

ALLOWANCE = 1.0
"""By how much S may miss the least attainable one where that is not zero, numeraire."""

ROOMS = (1e-6, 1e-4, 1e-2)
"""Room left in rules for what rounding to steps takes, numeraire; the first that works."""

SLACK = 0.2
"""By how much a plan that the exact law releases may miss a rule of floats, numeraire."""

Most = Mapping[tuple[str, ...], float]


@dataclass(frozen=True)
class Built:
    """A model with its actions and S, numeraire."""

    model: Model
    acts: Acts
    missing: Line


@dataclass(frozen=True)
class Bracket:
    """What is known of the optimum.

    Attributes
    ----------
    bound
        No plan with S up to `cap` costs less, numeraire, steps in any order.
    value
        Total of the best plan that was found, exact; None where none was.
    sizes
        What that plan does.
    safe
        Whether our own code finds a safe order of steps for it.
    least_shortfall, least_shortfall_value
        Proven bound of S, and the S of the best answer.
    cap
        S that was allowed for the total.
    shortfall
        S of the best plan that was found, exact.
    """

    bound: float
    value: float | None
    sizes: Sizes
    safe: bool
    least_shortfall: float
    least_shortfall_value: float
    cap: float
    shortfall: float


def built(book: Book, *, fine: bool = False, room: float = 0.0, most: Most | None = None) -> Built:
    """Build the model of a book.

    Parameters
    ----------
    fine
        Whether the finest lots are whole, too.
    room
        What margin and limits are tightened by, numeraire.
    most
        Known largest sizes of actions.
    """
    model = Model()
    acts = acts_of(book, model, fine=fine, most=most or {})
    missing = Missing(model, [])
    for account in sorted(book.accounts):
        Margins(acts, account, missing, room / UNIT).rules()
    limit_rules(acts, missing, room / UNIT)
    model.cost = cost_of(acts)
    return Built(model, acts, total(missing.parts).times(UNIT))


def sizes_of(plan: Plan) -> Sizes:
    """Collect what a plan does."""
    orders, transfers, moves = {}, {}, {}
    for action in plan.actions:
        if isinstance(action, Order):
            orders[action.account, action.instrument] = action.signed
        elif isinstance(action, Transfer):
            transfers[action.route] = action.amount
        else:
            moves[action.source, action.target, action.instrument] = action.quantity
    return Sizes(orders, transfers, moves)


def replayed(book: Book, sizes: Sizes) -> tuple[float, float] | None:
    """Cost the model's way what sizes do: S and total; None where the model refuses them."""
    made = built(book, fine=True, room=-SLACK)
    wanted: dict[tuple[str, ...], Decimal] = {}
    for (account, name), signed in sizes.orders.items():
        lots = abs(signed) / book.instruments[name].lot
        wanted["buy" if signed > 0 else "sell", account, name] = lots
    for name, amount in sizes.transfers.items():
        known = made.acts.sent.get(name)
        wanted["route", name] = amount if known is None else amount / known.per
    for rule, quantity in sizes.moves.items():
        wanted["move", *rule] = quantity / book.instruments[rule[2]].lot
    columns = made.acts.columns()
    if not set(wanted) <= set(columns):
        return None
    for key, column in columns.items():
        size = float(wanted.get(key, 0))
        made.model.low[column] = made.model.high[column] = size
    tangents = Tangents(made.model)
    least = _least(made)
    if least.x is None:
        return None
    tangents.around(least.x, (1.0,))
    missing = made.missing.value(least.x)
    made.model.row(made.missing, high=missing + max(1e-6, 1e-11 * missing))
    found = solve(made.model, tangents, nodes=1000)
    return (
        None if found.x is None else (made.missing.value(found.x), made.model.cost.value(found.x))
    )


def _least(made: Built, nodes: int = NODES) -> Found:
    """Solve for the least S alone, which has no curves."""
    cost, made.model.cost = made.model.cost, made.missing
    try:
        return solve(made.model, Tangents(made.model), nodes=nodes)
    finally:
        made.model.cost = cost


def bracket(book: Book, total: float, shortfall: float, *, nodes: int = NODES) -> Bracket:
    """Prove a bracket of the optimum, given the total and S of a plan that keeps every rule."""
    least, attained = 0.0, 0.0
    if shortfall > NOTHING:
        made = built(book)
        found = _least(made, nodes)
        least = max(0.0, found.bound)
        attained = shortfall if found.x is None else max(0.0, made.missing.value(found.x))
        if shortfall > attained + ALLOWANCE:  # then what fine lots leave missing counts, too
            made = built(book, fine=True)
            found = _least(made, nodes)
            least = max(least, found.bound)
            attained = shortfall if found.x is None else max(0.0, made.missing.value(found.x))
    cap = shortfall if shortfall <= attained + ALLOWANCE else attained + ALLOWANCE
    ceiling = total if shortfall <= cap else float("inf")
    made, tangents = _tightened(book, cap, ceiling)
    bound, best = _searched(made, tangents, nodes)
    bound = min(bound, ceiling)
    sizes, value = Sizes(), None
    if best is not None:
        sizes, value = _whole(book, made, best, cap, tangents)
    safe = isinstance(sequenced(book, sizes), Ordered)
    missing = float(judged(book, sizes).shortfall)
    return Bracket(bound, value, sizes, safe, least, attained, cap, missing)


def _capped(made: Built, cap: float) -> Built:
    made.model.row(made.missing, high=cap)
    return made


def _tightened(book: Book, cap: float, ceiling: float) -> tuple[Built, Tangents]:
    """Bound every action's size over all points that cost no more than what is known."""
    most: dict[tuple[str, ...], float] = {}
    made = _capped(built(book, most=most), cap)
    tangents = _relaxed(made)
    for _ in range(TIGHTENED if ceiling < float("inf") else 0):
        columns = made.acts.columns()
        tops = largest(made.model, tangents, list(columns.values()), ceiling + 1e-3)
        for key, top in zip(columns, tops, strict=True):
            most[key] = min(most.get(key, float("inf")), max(0.0, top) * (1 + 1e-6) + 1e-6)
        made = _capped(built(book, most=most), cap)
        tangents = _relaxed(made)
    return made, tangents


def _relaxed(made: Built) -> Tangents:
    """Add tangents until the linear relaxation follows the curves."""
    tangents = Tangents(made.model)
    for curve in made.model.curves:
        for at in (0.0, 1.0, 10.0, 100.0):
            tangents.add(curve, at)
    for at in range(RELAXED_ROUNDS):
        found = relaxed(made.model, tangents)
        if found.x is None or tangents.missed(found.x) < MISSED:
            break
        tangents.around(found.x, (0.0, 0.3, 0.7, 1.0, 1.5, 3.0) if not at else (0.9, 1.0, 1.1))
    return tangents


def _searched(made: Built, tangents: Tangents, nodes: int) -> tuple[float, list[float] | None]:
    """Search the tree, again with tangents where the answer lies."""
    bound, best = -float("inf"), None
    for _ in range(ROUNDS):
        found = solve(made.model, tangents, nodes=nodes, start=best)
        bound = max(bound, found.bound)
        if found.x is None:
            break
        best = found.x
        if tangents.missed(best) < MISSED:
            break
        tangents.around(best, (0.97, 1.0, 1.03))
    return bound, best


def _whole(
    book: Book, made: Built, x: list[float], cap: float, tangents: Tangents
) -> tuple[Sizes, float | None]:
    """Settle every lot and step with the uses found, and let the exact law judge."""
    for room in ROOMS:
        fine = _capped(built(book, fine=True, room=room, most=made.acts.most), cap + NOTHING / 2)
        for column, whole in enumerate(made.model.whole):
            if whole:
                near = round(x[column])
                wide = 0 if made.model.high[column] <= 1.0 else 2
                fine.model.low[column] = max(fine.model.low[column], near - wide)
                fine.model.high[column] = min(fine.model.high[column], near + wide)
        tangents.model = fine.model
        found = solve(fine.model, tangents, nodes=400)
        if found.x is None:
            continue
        sizes = fine.acts.sizes(found.x)
        verdict = judged(book, sizes)
        if not verdict.broken and float(verdict.shortfall) <= cap + NOTHING:
            return sizes, float(verdict.total)
    return Sizes(), None
