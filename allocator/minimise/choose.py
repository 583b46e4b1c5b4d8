"""Choose among candidates by the exact law: whole lots, a safe order, do nothing among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from allocator.minimise.candidate import SPARE
from allocator.minimise.lots import COARSE, settled
from allocator.minimise.search import Search
from allocator.minimise.supports import polished
from allocator.minimise.wishes import wish_of
from allocator.models.plan import Action
from allocator.plan.judge import EXACT, Verdict, judged
from allocator.plan.lots import MoveKey, Sizes, rounded
from allocator.plan.lots_search import mended
from allocator.plan.outcome import Outcome, Proof
from allocator.plan.sequence import Ordered, Tangle, sequenced
from allocator.program.core import Core
from allocator.program.form import Form
from allocator.program.sparse import Matrix, sp
from allocator.state import Book, Pair

CLOSE_TO_LEAST = Decimal(1)
"""By how much S may miss the least attainable one where that is not zero, numeraire."""

HELD = "the policy (infeasible: hold) sends no repair that is not whole"

NOISE = Decimal("1e-6")
ENOUGH = 30
"""Number of actions from which the first safe candidate is taken."""

CUTS = 4
"""Most times that the accounts of a tangle are asked to stand after all transfers."""

FAR = Decimal("0.05")
"""By how much plans miss sizes without an order before moves are left alone, numeraire."""

CANDIDATES = 4
ANY = Decimal("Infinity")
"""The aim of lots that are as good as they are."""

MARGIN_ROOM = 4e-7
"""Least room that polishing leaves in margin rows for steps and lots, units."""

TILT = 1e-5
"""Cost of moves that only breaks ties, objective units a unit: a tenth of a cent for 100,000."""

Wish = tuple[Sizes, Decimal]
"""Whole lots, and the total that they would have without rounding."""


@dataclass(frozen=True)
class Option:
    """Sizes in a safe order with their verdict."""

    sizes: Sizes
    actions: tuple[Action, ...]
    verdict: Verdict


def choose(book: Book, found: Search, *, quick: bool = False) -> Outcome:
    """Round, mend and order the candidates, and take the best that is safe.

    Parameters
    ----------
    quick
        Whether the first safe candidate is enough, its lots mended but not improved.
    """
    options = [Option(Sizes(), (), judged(book, Sizes()))]
    choice = _Choice(book, options, _floor(found), quick)
    unsafe = choice.add(found)
    if unsafe is not None:
        _untangle(choice, found, unsafe)
    floor = choice.floor
    best, barred = _best(options, floor), ""
    if best.verdict.shortfall > EXACT and book.policy.infeasible == "hold":
        best, barred = options[0], HELD
    others = [option for option in options if option.actions and not best.actions]
    other = min(others, key=lambda option: option.verdict.rank, default=None)
    return Outcome(
        best.sizes,
        best.actions,
        _proof(found, best),
        _note(options, best, unsafe),
        rejected=None if other is None else other.sizes,
        barred=barred if other is not None else "",
    )


@dataclass(frozen=True)
class Unsafe:
    """The best verdict of sizes that have no safe order, and why they have none."""

    verdict: Verdict
    tangle: Tangle
    count: int


def _floor(found: Search) -> Decimal:
    """S, numeraire, up to which plans are as good as the least: the search knows what is least."""
    least = Decimal(repr((found.cap - SPARE) * found.program.form.unit))
    return EXACT if least <= EXACT else least + CLOSE_TO_LEAST


@dataclass(frozen=True)
class _Choice:
    """The options so far, and how they are sought."""

    book: Book
    options: list[Option]
    floor: Decimal
    quick: bool

    def add(self, found: Search) -> Unsafe | None:
        """Add what has a safe order to the options; returns the best of what has none."""
        unsafe: Unsafe | None = None
        for wish, aim in wishes(self.book, found, 1 if self.quick else CANDIDATES):
            goal = ANY if self.quick else aim
            sizes, verdict = mended(self.book, wish, goal, self.floor)
            if verdict.broken:
                continue
            steps = sequenced(self.book, sizes)
            if isinstance(steps, Ordered):
                self.options.append(Option(sizes, steps.actions, verdict))
                if self.quick or sizes.count > ENOUGH:
                    break
            elif unsafe is None or verdict.rank < unsafe.verdict.rank:
                unsafe = Unsafe(verdict, steps, sizes.count)
        return unsafe

    def behind(self, unsafe: Unsafe) -> Decimal:
        """By how much the best so far is dearer than what has no order, numeraire."""
        best = _best(self.options, self.floor).verdict
        short = best.rank_above(self.floor)[1] - unsafe.verdict.rank_above(self.floor)[1]
        return ANY if short > 0 else best.total - unsafe.verdict.total


def _untangle(choice: _Choice, found: Search, first: Unsafe) -> None:
    """Search again with cuts that follow from what could not be ordered.

    Money first: accounts whose transfers wait for their own orders must be able to send before
    any order. Small legs: orders that wait for one another become small enough to go one by one.
    Either is asked of the tangle alone, then of more as new tangles show. Where both fail, what
    carries money and positions in the tangle is left alone, then all of it. What then has an order
    may still be far dearer than what has none, as where small legs keep an order from its size
    that only a move tangled: then moves alone are left alone.
    """
    book, cut = choice.book, _Cut(choice, found)
    untangled = [cut.again(first, small=small) for small in (False, True)]
    if not any(untangled):
        every: tuple[str | MoveKey, ...] = (*book.routes, *book.moves)
        some = (first.tangle.carriers, tuple(book.moves)) if first.count <= ENOUGH else ()
        for names in ((), *some, every):
            if choice.add(found.funded_first(barred=names)) is None:
                break
    _without_moves(choice, found, first)


def _without_moves(choice: _Choice, found: Search, first: Unsafe) -> None:
    """Search again without the moves of a tangle, then without any, while that may gain much."""
    moves, named = tuple(choice.book.moves), set(first.tangle.carriers)
    tangled = tuple(key for key in moves if key in named) if first.count <= ENOUGH else ()
    for keys in dict.fromkeys((tangled, moves)):
        if keys and not choice.quick and choice.behind(first) > FAR:
            choice.add(found.funded_first((), keys))


@dataclass(frozen=True)
class _Cut:
    """Searches again that avoid what tangles name, round after round."""

    choice: _Choice
    found: Search

    def again(self, first: Unsafe, *, small: bool) -> bool:
        """Cut until all that is found has an order; tell whether that was reached."""
        unsafe: Unsafe | None = first
        accounts, capped = frozenset[str](), dict[Pair, Decimal]()
        for _ in range(CUTS if first.count <= ENOUGH else 1):
            if unsafe is None or not self._better(unsafe):
                return True
            orders = unsafe.tangle.orders - capped.keys() if small else frozenset[Pair]()
            senders = unsafe.tangle.senders - accounts
            if orders:
                capped |= {key: _leg(self.choice.book, key[1]) for key in sorted(orders)}
            elif senders:
                accounts |= senders
            else:
                return False
            again = self.found.funded_first(accounts, (), capped)
            unsafe = self.choice.add(again)
        return unsafe is None

    def _better(self, unsafe: Unsafe) -> bool:
        """Whether what has no order would be better than the best that has one."""
        floor = self.choice.floor
        best = _best(self.choice.options, floor)
        return unsafe.verdict.rank_above(floor) < best.verdict.rank_above(floor)


def _leg(book: Book, instrument: str) -> Decimal:
    """Most contracts whose exposure the corridor's width takes by themselves."""
    each = abs(book.exposure(instrument)) or book.notional(instrument)
    return max(book.policy.max_slice, book.units[instrument].smallest) / each


def wishes(book: Book, found: Search, most: int = CANDIDATES) -> list[Wish]:
    """Round the best candidates, each polished again with a little room in its margin rows.

    Parameters
    ----------
    most
        Candidates that are rounded.
    """
    form = found.program.form
    roomy = _roomier(form, found)
    out = dict[Sizes, Decimal]()
    for candidate in found.candidates[:most]:
        again = [settled(roomy, row) for row in polished(roomy, candidate.used)]
        for row in (*again, candidate):
            sizes = rounded(book, wish_of(found.program, row))
            if sizes.count:
                value = row.value * form.cost_unit
                aim = min(value, found.bound) if found.proof == "exact" else value
                out.setdefault(sizes, Decimal(repr(aim)))
    return list(out.items())


def _roomier(form: Form, found: Search) -> Form:
    """Leave room in margin rows and limits for the steps that are only rounded.

    Of moves that cost the same, the smallest are taken: margin has to carry them on the way. Where
    a wallet that is too low already is traded from, fees of derivatives count, too.
    """
    steps = form.lot[found.program.core.layout.transfers]
    room = max(MARGIN_ROOM, 2 * float(steps[steps < COARSE].max(initial=0.0)))
    high = form.row_high.copy()
    for at, label in enumerate(form.labels):
        if label[0] in ("margin", "missing", "limit"):
            high[at] -= room
    c = form.c.copy()
    c[found.program.core.layout.moved] += TILT
    A, Z = _with_fees(form, found.program.core)
    return replace(form.capped(found.cap), A=A, Z=Z, row_high=high, c=c)


def _with_fees(form: Form, core: Core) -> tuple[Matrix, Matrix]:
    """Take fees of derivatives off the rows of wallets that start below what they must hold."""
    wallets = core.arrays.wallets
    number = {key: at for at, key in enumerate(wallets.keys)}
    rows = [
        (row, number[label[1], label[2]])
        for row, label in enumerate(form.labels)
        if label[0] == "balance"
        and wallets.wallet[number[label[1], label[2]]] < wallets.ring[number[label[1], label[2]]]
    ]
    if not rows:
        return form.A, form.Z
    at = np.array(rows, dtype=np.int64)
    fees = (core.paid - core.spot_paid).take(at[:, 1])
    spread = sp.csr_array(
        (np.ones(len(rows)), (at[:, 0], np.arange(len(rows)))), shape=(form.A.shape[0], len(rows))
    )
    X, Z = (spread @ fees.X).tocsr(), (spread @ fees.Z).tocsr()
    X.resize(form.A.shape)
    Z.resize(form.Z.shape)
    return (form.A - X).tocsr(), (form.Z - Z).tocsr()


def _best(options: list[Option], floor: Decimal) -> Option:
    least = min(option.verdict.shortfall for option in options)
    allowed = max(least, floor) if least > EXACT else least + NOISE
    fit = [option for option in options if option.verdict.shortfall <= allowed]
    return min(fit, key=lambda option: (option.verdict.total, len(option.actions)))


def _proof(found: Search, best: Option) -> Proof:
    bound, method = found.bound, found.proof
    if float(best.verdict.shortfall) > found.cap * found.program.form.unit + 1e-6:
        bound, method = found.bound_at(float(best.verdict.shortfall))
    return Proof(
        lower_bound=Decimal(repr(bound)),
        shortfall_lower_bound=Decimal(repr(found.shortfall_bound)),
        method=method,
        solver=found.relaxed.solver,
    )


def _note(options: list[Option], best: Option, unsafe: Unsafe | None) -> str:
    if best.actions:
        return ""
    others = [option for option in options if option.actions]
    idle = options[0].verdict.total
    if others:
        other = min(others, key=lambda option: option.verdict.rank)
        return (
            f"The best plan with actions would take {len(other.actions)} and cost "
            f"{other.verdict.total:,.2f}, doing nothing costs {idle:,.2f}."
        )
    if unsafe is not None:
        return (
            f"A plan at {unsafe.verdict.total:,.2f} was found, but no safe order for its steps: "
            f"{unsafe.tangle}."
        )
    if options[0].verdict.shortfall > EXACT:
        return f"No permitted action lessens what is missing; doing nothing costs {idle:,.2f}."
    return f"No action pays for itself; doing nothing costs {idle:,.2f}."
