"""Which rules cannot all be kept while something missing is mended, and what mends it.

Row prices of the program that misses least of the one thing name the rules that hold it back, and
those that hold it back once these are given up. They are cut down to an irreducible set by a
deletion filter: each rule in turn is given up, and stays so where the thing is missing even then.
Each rule that is left is relaxed alone, by the least amount at which nothing is missing; where it
is not enough alone, it is told with the fewest others that it needs beside it. Small books are
judged with whole actions, so what lots, smallest sizes and the one side of an owner keep broken is
told by their names. The exact law confirms by deciding anew.

Work is bounded: a book of more than `MOST_PAIRS` pairs is told by row prices alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_UP, Decimal

from allocator.minimise.amounts import least_amount
from allocator.minimise.choose import CLOSE_TO_LEAST
from allocator.minimise.least import NOTHING, Least, priced_rules
from allocator.minimise.search import Search
from allocator.minimise.trials import FEW_PAIRS, Case, Trials
from allocator.models.base import ONE
from allocator.models.reasons import Relaxation
from allocator.plan.judge import EXACT
from allocator.plan.lots import Sizes
from allocator.plan.outcome import Conflict
from allocator.plan.reasons import effects_of
from allocator.plan.relax import OF_ACTIONS, Rule, unit_of, worth
from allocator.plan.remedies import change_of, remedy_of
from allocator.plan.shut import (
    broken_rule,
    counting_rules,
    own_rule,
    rules_of_actions,
    shut_pairs,
    shut_rules,
)
from allocator.state import Book, State, lawful, published
from allocator.verify import shortfall

MOST_PAIRS = 300
"""Pairs of account and instrument up to which programs are built anew for relaxed books."""

MOST_BROKEN = 3
"""Missing things that are explained so, the largest first; the others name their row prices."""

MOST_RULES = (12, 30)
"""Rules that the deletion filter looks at: of any book, and of one with few pairs."""

MOST_OF_KIND = 4
"""Rules of one kind that a large book's conflict names."""

MOST_RELAXED = 5
"""Rules of one conflict that are relaxed in turn."""

ROUNDS = 4
"""How often rules are named anew once those named before are given up."""

LESS = Decimal("0.999")
"""Part of a plan's own relaxation from which a smaller one is worth looking for."""

HOLD = "policy infeasible: hold"
WHOLE = "whole lots, smallest sizes, one side of an instrument for an owner, a safe order of steps"
"""What stands in the way where no single rule was seen to."""

LEFT = "no rule stands in the way: a repair may leave 1 USD in all where that costs less"

ORDER = (
    "ring_fenced", "policy", "tradable", "status", "state", "no route to", "no route from",
    "order_budget", "move", "route", "limit", "withdrawable", "margin", "smallest", "lot",
    "one side",
)  # fmt: skip
"""Kinds in the order in which the deletion filter tries to do without them."""


@lawful
def conflicts_of(book: Book, found: Search, sizes: Sizes) -> dict[Rule, Conflict]:
    """Explain each missing thing of a plan's end, by the rule that it breaks."""
    final = State.start(book).after(effects_of(book, sizes))
    after = shortfall(book, final)
    caps = {own_rule(row): row.amount for row in after.parts}
    trials = Trials(book, found.exactly)
    rows = sorted(after.parts, key=lambda row: (-row.amount, row.what))
    out = dict[Rule, Conflict]()
    for number, row in enumerate(rows):
        case = Case(row, caps, after.total)
        if len(book.quantity) <= MOST_PAIRS and number < MOST_BROKEN:
            out[case.broken] = _Explained(book, sizes, case, trials).conflict()
        else:
            out[case.broken] = _by_prices(book, found, case)
    return out


def _by_prices(book: Book, found: Search, case: Case) -> Conflict:
    """Tell a large book by the row prices of its least S and by what can be seen."""
    least = Least(found.below, found.least, float(case.amount))
    near = set(shut_rules(book, case.broken))
    rules = [rule for rule in priced_rules(book, least) if _touches(book, rule, case.broken)]
    kinds: dict[str, list[Rule]] = {}
    for rule in sorted({*near, *rules} - {case.broken}, key=_rank):
        kinds.setdefault(rule.kind, []).append(rule)
    names = [case.broken.name]
    for kind, found_rules in kinds.items():
        names += [rule.name for rule in found_rules[:MOST_OF_KIND]]
        more = len(found_rules) - MOST_OF_KIND
        names += [f"{more:,} more of {kind}"] if more > 0 else []
    return Conflict(rules=tuple(names))


def _touches(book: Book, rule: Rule, own: Rule) -> bool:
    """Tell whether a rule is about the account of a broken one, or money on its way there."""
    if own.kind == "limit" or rule.kind == "limit":
        return True
    account = own.about[0]
    senders = {row.source for row in book.routes.values() if row.target == account}
    if rule.kind == "route":
        return book.routes[rule.about[0]].target == account
    return rule.about[0] == account or rule.about[0] in senders


class _Explained:
    """One missing thing of a small book."""

    def __init__(self, book: Book, sizes: Sizes, case: Case, trials: Trials) -> None:
        self.book, self.sizes, self.case, self.trials = book, sizes, case, trials
        self.final = State.start(book).after(effects_of(book, sizes))
        self.own = broken_rule(book, self.final, case.broken)
        self.most = MOST_RULES[len(book.quantity) <= FEW_PAIRS]

    def conflict(self) -> Conflict:
        """Find the irreducible set and relax each of its rules."""
        least = self.trials.least(self.case, {})
        if least is None:
            return Conflict(rules=(self.own.name,), relaxations=(self._of_own(),))
        if least.missing <= NOTHING and self.trials.whole(least) <= NOTHING:
            return self._of_none()
        rules = self._held_back(least)
        kept, opened = self._filtered(rules)
        relaxations = [self._of_own()]
        relaxations += [self._relaxation(rule, opened) for rule in kept[:MOST_RELAXED]]
        return Conflict(
            rules=tuple(rule.name for rule in (self.own, *kept)),
            beside=tuple(rule.name for rule in opened),
            irreducible=True,
            relaxations=tuple(relaxations),
        )

    def _of_none(self) -> Conflict:
        """Explain what the program mends: the plan may leave it, holds it back, or has no order."""
        if self.case.rest > EXACT and self.case.amount <= CLOSE_TO_LEAST:
            return Conflict(note=LEFT)
        if self.book.policy.infeasible == "hold":
            return Conflict(rules=(self.own.name, HOLD))
        rows = [self._of_own()]
        for rule in counting_rules(self.book, self.case.broken):
            for amount in (Decimal(1), Decimal(2)):
                if self.trials.decided(self.case, {rule: amount}):
                    rows.append(self._told(rule, amount, confirmed=True))
                    break
        rules = [row.rule for row in rows]
        return Conflict(rules=(*rules, WHOLE), relaxations=tuple(rows))

    def _held_back(self, least: Least) -> list[Rule]:
        """Name rules that hold it back, and those that do when these are given up, and so on."""
        opened, now = dict[Rule, Decimal | None](), least
        for _ in range(ROUNDS):
            if now.missing <= NOTHING:
                break
            more = [rule for rule in self._candidates(now) if rule not in opened]
            if not more or len(opened) >= self.most:
                break
            opened |= dict.fromkeys(more[: self.most - len(opened)])
            after = self.trials.least(self.case, opened)
            if after is None:
                return sorted(opened, key=_rank)
            now = after
        if now.missing <= NOTHING < self.trials.whole(now):
            of_actions = [
                *counting_rules(self.book, self.case.broken),
                *rules_of_actions(self.book),
            ]
            opened |= dict.fromkeys(of_actions)
        return sorted(opened, key=_rank)

    def _candidates(self, least: Least) -> list[Rule]:
        """Name what has a price, then what can be seen to be shut."""
        priced = sorted(priced_rules(self.book, least), key=_rank)
        named = dict.fromkeys(priced)
        named |= dict.fromkeys(shut_rules(self.book, self.case.broken))
        for rule in priced:
            if rule.kind == "margin":
                named |= dict.fromkeys(shut_pairs(self.book, {rule.about[0]}))
        own = self.case.broken
        return [
            rule
            for rule in named
            if (rule.kind, rule.about) != (own.kind, own.about)
            and self.trials.without({rule: None}) is not None
        ]

    def _filtered(self, rules: list[Rule]) -> tuple[list[Rule], list[Rule]]:
        """Keep the rules of an irreducible set; those of whole actions by kinds first.

        Returns
        -------
        The kept rules, and those that stay open.
        """
        if not self.trials.mends(self.case, dict.fromkeys(rules)):
            return [], rules
        groups = list[tuple[Rule, ...]]()
        groups += [(rule,) for rule in rules if rule.kind not in OF_ACTIONS]
        for kind in OF_ACTIONS[::-1]:
            groups += [tuple(rule for rule in rules if rule.kind == kind)]
        kept, opened = self._deleted([group for group in groups if group], [])
        if any(len(group) > 1 for group in kept):
            kept, opened = self._deleted([(rule,) for group in kept for rule in group], opened)
        return [group[0] for group in kept], opened

    def _deleted(
        self, groups: Sequence[tuple[Rule, ...]], opened: Iterable[Rule]
    ) -> tuple[list[tuple[Rule, ...]], list[Rule]]:
        """Give up one group after another; keep those whose giving up would mend it."""
        given, kept = list(opened), list[tuple[Rule, ...]]()
        for group in groups:
            if self.trials.mends(self.case, dict.fromkeys([*given, *group])):
                kept.append(group)
            else:
                given += group
        return kept, given

    def _of_own(self) -> Relaxation:
        """Mend it by its own rule: by what the plan leaves missing, or less if that is enough."""
        change, amount = remedy_of(self.book, self.final, self.case.row)
        if amount is None:
            return self._told(self.own, None, confirmed=False, change=change)
        least = self._amount(self.own)
        if least is not None:
            for more in (ONE, MORE):
                wanted = self._rounded(self.own, least * more)
                if wanted < amount * LESS and self.trials.decided(self.case, {self.own: wanted}):
                    return self._told(self.own, wanted, confirmed=True)
        done = self.trials.kept(self.case, {self.own: amount}, self.sizes)
        return self._told(self.own, amount, done)

    def _relaxation(self, rule: Rule, opened: Sequence[Rule]) -> Relaxation:
        if not self.trials.mends(self.case, {rule: None}):
            return self._joint(rule, opened)
        amount = None if rule.is_switch or self._disabled(rule) else self._amount(rule)
        if amount is None:
            return self._told(rule, None, self.trials.decided(self.case, {rule: None}))
        for more in (ONE, MORE, *LOTS):
            wanted = self._rounded(rule, amount * more)
            if self.trials.decided(self.case, {rule: wanted}):
                return self._told(rule, wanted, confirmed=True)
        return self._told(rule, self._rounded(rule, amount), confirmed=False)

    def _joint(self, rule: Rule, opened: Sequence[Rule]) -> Relaxation:
        """Find the fewest others that have to be given up with a rule."""
        beside = list(opened)
        for other in opened:
            fewer = [one for one in beside if one != other]
            if self.trials.mends(self.case, dict.fromkeys([rule, *fewer])):
                beside = fewer
        done = self.trials.decided(self.case, dict.fromkeys([rule, *beside]))
        told = self._told(rule, None, done)
        return told.model_copy(update={"together": tuple(one.name for one in beside)})

    def _disabled(self, rule: Rule) -> bool:
        return rule.kind == "route" and not self.book.routes[rule.about[0]].enabled

    def _amount(self, rule: Rule) -> Decimal | None:
        """Find the least amount: of the relaxed program, then with whole actions."""
        bare = self.trials.least(self.case, {})
        if bare is None or bare.alone is None:
            return None
        form, counted = bare.alone, self._counts(rule)
        bare_unit = counted or unit_of(self.book, rule) == "x equity"
        unit = 1.0 if bare_unit else float(worth(self.book, rule)) / form.unit

        def relaxed_at(amount: float) -> float | None:
            least = self.trials.least(self.case, {rule: _exact(amount)})
            return None if least is None else least.missing

        def whole_at(amount: float) -> float | None:
            wanted = self._rounded(rule, _exact(amount)) if counted else _exact(amount)
            return self.trials.missing(self.case, {rule: wanted})

        at: float | None = 0.0
        if bare.missing > NOTHING:
            first = 1.0 if bare_unit else bare.missing / unit
            at = least_amount(relaxed_at, first, bare.missing)
        short = None if at is None else whole_at(at)
        if at is None or short is None or short <= NOTHING:
            return None if at is None else _exact(at)
        first = at + (1.0 if bare_unit else short / unit)
        found = least_amount(whole_at, first, short, start=at, convex=False)
        return None if found is None else _exact(found)

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

    def _told(
        self, rule: Rule, amount: Decimal | None, confirmed: bool, change: str | None = None
    ) -> Relaxation:
        return Relaxation(
            rule=rule.name,
            change=change_of(self.book, rule, amount) if change is None else change,
            amount=None if amount is None else published(amount),
            unit=unit_of(self.book, rule) if amount is not None else "",
            declared=rule.place,
            confirmed=confirmed,
        )


CENT = Decimal("0.01")

MORE = Decimal("1.002")
"""How much more is tried where whole lots and the step's own costs need a little."""

LOTS = (Decimal("1.02"), Decimal("1.1"))
"""How much more is tried where fine lots need it, which the program does not count."""


def _rank(rule: Rule) -> tuple[int, Rule]:
    return ORDER.index(rule.kind), rule


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))
