"""One book with rules given up, again and again: what is missing then, and what is decided then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from allocator.margin import Missing
from allocator.minimise.candidate import Candidate
from allocator.minimise.choose import CLOSE_TO_LEAST, choose
from allocator.minimise.least import NOTHING, Least, least_of
from allocator.minimise.mixed import Exactly
from allocator.minimise.search import BLURRED, search
from allocator.models.base import ZERO
from allocator.models.errors import SolverError
from allocator.plan.judge import EXACT, judged
from allocator.plan.lots import Sizes
from allocator.plan.relax import Amounts, Rule, relaxed
from allocator.plan.shut import own_rule
from allocator.program.crossing import arrays_of
from allocator.program.form import Form
from allocator.program.separable import Vector
from allocator.state import Book

FEW_PAIRS = 60
"""Pairs of account and instrument of a book that is quick to decide."""

DECIDED = (6, 16)
"""Relaxed books that are decided anew for one plan: of any book, and of one with few pairs."""


@dataclass(frozen=True)
class Case:
    """One missing thing of a plan's end.

    Attributes
    ----------
    row
        What is missing of it.
    caps
        What may be missing of the others, by the rules that they break, numeraire.
    total
        The plan's S, numeraire.
    """

    row: Missing
    caps: Mapping[Rule, Decimal]
    total: Decimal

    @property
    def broken(self) -> Rule:
        """The rule that it breaks."""
        return own_rule(self.row)

    @property
    def amount(self) -> Decimal:
        """Numeraire."""
        return self.row.amount

    @property
    def rest(self) -> Decimal:
        """What is missing of the others, numeraire."""
        return max(ZERO, self.total - self.row.amount)

    def mended_at(self, total: Decimal) -> bool:
        """Tell whether so much S is what would be left without this thing."""
        return total <= (EXACT if self.rest <= EXACT else self.rest + CLOSE_TO_LEAST)


class Trials:
    """Relaxed books of one plan; those of a mandate that holds repairs back are repaired, too.

    Parameters
    ----------
    book
        The plan's book.
    exactly
        Who solves mixed-integer programs of books with few pairs; those of others may take long,
        and are searched without.
    """

    def __init__(self, book: Book, exactly: Exactly) -> None:
        few = len(book.quantity) <= FEW_PAIRS
        self.book, self.exactly = _repaired(book), exactly if few else _unsolved
        self.left = DECIDED[few]
        self._least: dict[tuple[Rule, frozenset[tuple[Rule, Decimal | None]]], Least | None] = {}
        self._whole: dict[int, float] = {}

    def without(self, amounts: Amounts) -> Book | None:
        """Make the book with some rules relaxed; None where that makes no sensible problem."""
        return relaxed(self.book, amounts) if amounts else self.book

    def least(self, case: Case, amounts: Amounts) -> Least | None:
        """Solve the relaxed program of a relaxed book; None where that fails."""
        key = (case.broken, frozenset(amounts.items()))
        if key not in self._least:
            self._least[key] = self._solved(case, amounts)
        return self._least[key]

    def _solved(self, case: Case, amounts: Amounts) -> Least | None:
        other = self.without(amounts)
        if other is None:
            return None
        free = [(rule.about[0], rule.about[1]) for rule in amounts if rule.kind == "one side"]
        try:
            return least_of(other, case.broken, case.caps, free)
        except SolverError:
            return None

    def missing(self, case: Case, amounts: Amounts) -> float | None:
        """Tell the least that is missing, units: by whole actions where the book is small."""
        least = self.least(case, amounts)
        if least is None or least.missing > NOTHING:
            return None if least is None else least.missing
        return self.whole(least)

    def whole(self, least: Least) -> float:
        """Tell what whole actions must miss, units; nothing where that is not known."""
        if id(least) not in self._whole:
            found = least.whole(self.exactly)
            self._whole[id(least)] = found if found is not None and found > BLURRED else 0.0
        return self._whole[id(least)]

    def mends(self, case: Case, amounts: Amounts) -> bool:
        """Tell whether nothing is missing in a relaxed book, by its program."""
        missing = self.missing(case, amounts)
        return missing is not None and missing <= NOTHING

    def decided(self, case: Case, amounts: Amounts) -> bool:
        """Decide a relaxed book and ask the exact law whether the thing is mended."""
        other = self.without(amounts)
        if other is None or self.left <= 0 or any(rule.kind == "one side" for rule in amounts):
            return False
        self.left -= 1
        try:
            # what cases prove is how cheap a plan is, which is not asked here
            outcome = choose(other, search(arrays_of(other), self.exactly, cases=False))
        except SolverError:
            return False
        return case.mended_at(judged(other, outcome.sizes).shortfall)

    def kept(self, case: Case, amounts: Amounts, sizes: Sizes) -> bool:
        """Tell whether sizes mend the thing in a relaxed book, by the exact law."""
        other = self.without(amounts)
        return other is not None and case.mended_at(judged(other, sizes).shortfall)


def _unsolved(form: Form, near: Vector, tried: Sequence[Candidate]) -> None:
    """Leave a mixed-integer program unsolved."""


def _repaired(book: Book) -> Book:
    if book.policy.infeasible != "hold":
        return book
    policy = book.policy.model_copy(update={"infeasible": "repair_only"})
    return Book.of(book.snapshot, book.mandate.model_copy(update={"policy": policy}))
