"""Which rules cannot all be kept while something missing is mended, and what mends it.

Row prices of the program that misses least of the one thing name the rules that hold it back. They
are cut down to an irreducible set by a deletion filter: each rule in turn is opened, and stays open
where the thing is missing even so. Then each remaining rule is relaxed alone, by the least amount
at which nothing is missing: that is a convex decreasing function of the amount, and secants close
in on its zero from below. The exact law confirms by deciding anew.

Work is bounded: a book of more than `MOST_PAIRS` pairs is told by row prices alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_UP, Decimal

from allocator.margin import Missing
from allocator.minimise.choose import choose
from allocator.minimise.least import NOTHING, Least, least_of, priced_rules
from allocator.minimise.search import Search, search
from allocator.models.base import ONE, ZERO
from allocator.models.errors import SolverError
from allocator.models.reasons import Relaxation
from allocator.plan.judge import judged
from allocator.plan.lots import Sizes
from allocator.plan.outcome import Conflict
from allocator.plan.reasons import effects_of
from allocator.plan.relax import Amounts, Rule, change_of, relaxed, unit_of, worth
from allocator.plan.remedies import remedy_of
from allocator.plan.shut import counting_rules, own_rule, shut_pairs, shut_rules
from allocator.program.crossing import arrays_of
from allocator.state import Book, State, lawful, published
from allocator.verify import shortfall

MOST_PAIRS = 300
"""Pairs of account and instrument up to which programs are built anew for relaxed books."""

MOST_BROKEN = 3
"""Missing things that are explained so, the largest first; the others name their row prices."""

MOST_RULES = 12
"""Rules that the deletion filter looks at."""

MOST_OF_KIND = 4
"""Rules of one kind that a large book's conflict names."""

MOST_RELAXED = 5
"""Rules of one conflict that are relaxed in turn."""

MOST_DECIDED = 6
"""Relaxed books that are decided anew for one plan, to confirm what mends it."""

SECANTS = 6
HOLD = "policy infeasible: hold"
WHOLE = "whole lots, smallest sizes, one side of an instrument for an owner"
"""What stands in the way where no amount does."""

ORDER = (
    "ring_fenced", "policy", "tradable", "status", "state", "no route to", "order_budget",
    "move", "route", "limit", "withdrawable", "margin",
)  # fmt: skip
"""Kinds in the order in which the deletion filter tries to do without them."""


@dataclass(frozen=True)
class _Case:
    """One missing thing of a plan's end.

    Attributes
    ----------
    row
        What is missing of it.
    caps
        What may be missing of the others, by name, numeraire.
    """

    row: Missing
    caps: Mapping[str, Decimal]

    @property
    def what(self) -> str:
        """Its name."""
        return self.row.what

    @property
    def amount(self) -> Decimal:
        """Numeraire."""
        return self.row.amount


@dataclass
class _Tries:
    """Decisions of relaxed books that are still to be made, and the plan's own S.

    Attributes
    ----------
    total
        Numeraire.
    """

    total: Decimal
    left: int = MOST_DECIDED


@lawful
def conflicts_of(book: Book, found: Search, sizes: Sizes) -> dict[str, Conflict]:
    """Explain each missing thing of a plan's end, by its name."""
    final = State.start(book).after(effects_of(book, sizes))
    after = shortfall(book, final)
    caps = {row.what: row.amount for row in after.parts}
    tries = _Tries(after.total)
    rows = sorted(after.parts, key=lambda row: (-row.amount, row.what))
    out = dict[str, Conflict]()
    for number, row in enumerate(rows):
        case = _Case(row, caps)
        small = len(book.quantity) <= MOST_PAIRS and number < MOST_BROKEN
        if small:
            out[row.what] = _Explained(book, sizes, case, tries).conflict()
        else:
            out[row.what] = _by_prices(book, found, case)
    return out


def _by_prices(book: Book, found: Search, case: _Case) -> Conflict:
    """Tell a large book by the row prices of its least S and by what can be seen."""
    least = Least(found.below, found.least, float(case.amount))
    near = set(shut_rules(book, case.what))
    rules = [rule for rule in priced_rules(book, least) if _touches(book, rule, case.what)]
    kinds: dict[str, list[Rule]] = {}
    for rule in sorted({*near, *rules} - {own_rule(case.what)}, key=_rank):
        kinds.setdefault(rule.kind, []).append(rule)
    names = [own_rule(case.what).name]
    for kind, found_rules in kinds.items():
        names += [rule.name for rule in found_rules[:MOST_OF_KIND]]
        more = len(found_rules) - MOST_OF_KIND
        names += [f"{more:,} more of {kind}"] if more > 0 else []
    return Conflict(rules=tuple(names))


def _touches(book: Book, rule: Rule, what: str) -> bool:
    """Tell whether a rule is about the account of a missing thing, or money on its way there."""
    own = own_rule(what)
    if own.kind == "limit" or rule.kind == "limit":
        return True
    account = own.about[0]
    senders = {row.source for row in book.routes.values() if row.target == account}
    if rule.kind == "route":
        return book.routes[rule.about[0]].target == account
    return rule.about[0] == account or rule.about[0] in senders


class _Explained:
    """One missing thing of a small book."""

    def __init__(self, book: Book, sizes: Sizes, case: _Case, tries: _Tries) -> None:
        self.book, self.sizes, self.case, self.tries = book, sizes, case, tries
        self.own = own_rule(case.what)
        self.final = State.start(book).after(effects_of(book, sizes))

    def conflict(self) -> Conflict:
        """Find the irreducible set and relax each of its rules."""
        least = self._least({})
        if least is None:
            return Conflict(rules=(self.own.name,), relaxations=(self._of_own(),))
        if least.missing <= NOTHING:
            return self._of_whole_actions()
        rules = self._candidates(least)
        kept, opened = self._filtered(rules)
        relaxations = [self._of_own()]
        relaxations += [self._relaxation(rule, least) for rule in kept[:MOST_RELAXED]]
        return Conflict(
            rules=tuple(rule.name for rule in (self.own, *kept)),
            beside=tuple(rule.name for rule in opened),
            irreducible=True,
            relaxations=tuple(relaxations),
        )

    def _of_whole_actions(self) -> Conflict:
        """Explain what only whole actions cannot mend: the relaxation could."""
        if self.book.policy.infeasible == "hold":
            return Conflict(rules=(self.own.name, HOLD), relaxations=(self._of_own(),))
        rows = [self._of_own()]
        for rule in counting_rules(self.book, self.case.what):
            for more in (1, 2):
                amount = Decimal(more)
                if self._decided({rule: amount}):
                    change = change_of(self.book, rule, amount)
                    rows.append(self._told(rule, change, amount, confirmed=True))
                    break
        rules = [row.rule for row in rows]
        return Conflict(rules=(*rules, WHOLE), relaxations=tuple(rows))

    def _candidates(self, least: Least) -> list[Rule]:
        priced = priced_rules(self.book, least)
        named = {*shut_rules(self.book, self.case.what), *priced}
        for rule in priced:
            if rule.kind == "margin":
                named |= set(shut_pairs(self.book, {rule.about[0]}))
        named.discard(self.own)
        usable = [rule for rule in named if relaxed(self.book, {rule: None}) is not None]
        return sorted(usable, key=_rank)[-MOST_RULES:]

    def _filtered(self, rules: list[Rule]) -> tuple[list[Rule], list[Rule]]:
        """Open one rule after another; keep those whose opening would mend it.

        Returns
        -------
        The kept rules, and those that stay open.
        """
        opened = dict[Rule, Decimal | None]()
        kept = list[Rule]()
        for rule in rules:
            least = self._least({**opened, rule: None})
            if least is not None and least.missing <= NOTHING:
                kept.append(rule)
            else:
                opened[rule] = None
        return kept, list(opened)

    def _of_own(self) -> Relaxation:
        """Mend it by its own rule: by exactly what is missing."""
        change, amount = remedy_of(self.book, self.final, self.case.row)
        done = False
        if amount is not None:
            other = relaxed(self.book, {self.own: amount})
            done = other is not None and self._mended(judged(other, self.sizes).shortfall)
        return self._told(self.own, change, amount, done)

    def _relaxation(self, rule: Rule, least: Least) -> Relaxation:
        wide = self._least({rule: None})
        if wide is None or wide.missing > NOTHING:
            return self._told(rule, "", None, confirmed=False)
        amount = None if rule.is_switch or self._disabled(rule) else self._amount(rule, least)
        if amount is None:
            done = self._decided({rule: None})
            return self._told(rule, change_of(self.book, rule, None), None, done)
        for try_again in (ONE, MORE):
            wanted = self._rounded(rule, amount * try_again)
            if self._decided({rule: wanted}):
                return self._told(rule, change_of(self.book, rule, wanted), wanted, confirmed=True)
        wanted = self._rounded(rule, amount)
        return self._told(rule, change_of(self.book, rule, wanted), wanted, confirmed=False)

    def _disabled(self, rule: Rule) -> bool:
        return rule.kind == "route" and not self.book.routes[rule.about[0]].enabled

    def _amount(self, rule: Rule, least: Least) -> Decimal | None:
        """Close in on the least amount by secants, from below."""
        unit = 1.0 if self._counts(rule) else float(worth(self.book, rule))
        form = least.program.form if least.program is not None else None
        assert form is not None
        before, missing = 0.0, least.missing
        bare = self._counts(rule) or unit_of(self.book, rule) == "x equity"
        at = 1.0 if bare else missing * form.unit / unit
        for _ in range(SECANTS):
            now = self._least({rule: _exact(at)})
            if now is None:
                return None
            if now.missing <= NOTHING:
                return _exact(at)
            if now.missing >= missing:
                return None
            slope = (missing - now.missing) / (at - before)
            before, missing, at = at, now.missing, at + now.missing / slope
        return _exact(at)

    def _counts(self, rule: Rule) -> bool:
        """Tell whether a rule counts orders, which come whole."""
        return unit_of(self.book, rule) == "orders"

    def _rounded(self, rule: Rule, amount: Decimal) -> Decimal:
        """Round an amount up to what a person would write."""
        if self._counts(rule):
            return amount.to_integral_value(ROUND_CEILING)
        digits = amount.adjusted() - 5
        step = max(Decimal(1).scaleb(digits), Decimal("1e-8")) if amount < 1 else CENT
        return amount.quantize(step, ROUND_UP)

    def _decided(self, amounts: Amounts) -> bool:
        """Decide the relaxed book and ask the exact law whether the thing is mended."""
        other = relaxed(self.book, amounts)
        if other is None or self.tries.left <= 0:
            return False
        self.tries.left -= 1
        try:
            outcome = choose(other, search(arrays_of(other)))
        except SolverError:
            return False
        return self._mended(judged(other, outcome.sizes).shortfall)

    def _mended(self, total: Decimal) -> bool:
        return total <= max(ZERO, self.tries.total - self.case.amount) + ONE

    def _least(self, amounts: Amounts) -> Least | None:
        other = relaxed(self.book, amounts) if amounts else self.book
        if other is None:
            return None
        try:
            return least_of(other, self.case.what, self.case.caps)
        except SolverError:
            return None

    def _told(self, rule: Rule, change: str, amount: Decimal | None, confirmed: bool) -> Relaxation:
        return Relaxation(
            rule=rule.name,
            change=change,
            amount=None if amount is None else published(amount),
            unit=unit_of(self.book, rule) if amount is not None else "",
            declared=rule.place,
            confirmed=confirmed,
        )


CENT = Decimal("0.01")

MORE = Decimal("1.002")
"""How much more is tried where whole lots and the step's own costs need a little."""


def _rank(rule: Rule) -> tuple[int, Rule]:
    return ORDER.index(rule.kind), rule


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))
