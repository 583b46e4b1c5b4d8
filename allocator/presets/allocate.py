"""From a rule to a verified plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from allocator.exposure import goals, present
from allocator.models.base import ZERO
from allocator.models.errors import InputError, SnapshotError
from allocator.models.mandate import Mandate
from allocator.models.plan import Action, Plan
from allocator.models.refusals import book_problems
from allocator.models.snapshot import Snapshot
from allocator.plan.judge import EXACT, broken_account, broken_rules, judged
from allocator.plan.lots import Sizes
from allocator.plan.outcome import Outcome
from allocator.plan.sequence import Ordered, Tangle, sequenced
from allocator.plan.write import released, written
from allocator.presets.fill import exposure_of, filled, signed_orders
from allocator.presets.rules import Rule, label, named_accounts
from allocator.presets.slots import slots_of
from allocator.state import Book, Pair, lawful


@lawful
def allocate(snapshot: Snapshot, mandate: Mandate, rule: Rule) -> Plan:
    """Spread what the book has to trade over its accounts by a preset rule.

    An underlying inside its band is left alone; one outside is traded to its target, the largest
    gap first, in whole lots by the largest remainder and never beyond. Every account is capped by
    what margin, brackets, limits, budgets and states allow by the exact law, and what it cannot
    take is shared out among the others by the same rule; what fits nowhere is told in the note.
    As any plan it is sent only if it costs less than doing nothing or repairs something.

    Pure: equal inputs give equal plans.

    Returns
    -------
    A plan without a certificate that `allocator.verify.verify` has released; or one with status
    ``refused`` and no actions that says why there is none.

    Raises
    ------
    SnapshotError
        When snapshot and mandate make no sensible problem.
    InputError
        When the rule names an account that the book does not have.
    """
    problems = book_problems(snapshot, mandate)
    if problems:
        raise SnapshotError(problems)
    strange = sorted(named_accounts(rule) - set(snapshot.account))
    if strange:
        there = ", ".join(sorted(snapshot.account))
        raise InputError(f"no account {', '.join(strange)}: there are {there}")
    book = Book.of(snapshot, mandate)
    trade = ordered(book, rule, safe=False)
    steps = sequenced(book, trade.sizes)
    if isinstance(steps, Tangle):
        trade = ordered(book, rule, safe=True)
        steps = sequenced(book, trade.sizes)
    actions = steps.actions if isinstance(steps, Ordered) else ()
    return released(book, written(book, _outcome(book, rule, trade, actions)))


@dataclass(frozen=True)
class Trade:
    """What a rule orders.

    Attributes
    ----------
    sizes
        The orders.
    wanted
        What should be traded, numeraire by underlying, signed, in the order of filling.
    untraded
        What of it is not, unsigned.
    """

    sizes: Sizes
    wanted: Mapping[str, Decimal]
    untraded: Mapping[str, Decimal]


def ordered(book: Book, rule: Rule, *, safe: bool) -> Trade:
    """Fill one underlying after another.

    Parameters
    ----------
    safe
        Whether each look also asks for a safe order of steps; it is hardly ever missing.
    """
    orders: dict[Pair, Decimal] = {}

    def fits(more: Mapping[Pair, Decimal]) -> bool:
        sizes = Sizes(dict(sorted({**orders, **more}.items())))
        if broken_rules(book, sizes):
            return False
        return not safe or isinstance(sequenced(book, sizes), Ordered)

    def alone(pair: Pair, size: Decimal) -> bool:
        own = {key: value for key, value in orders.items() if key[0] == pair[0]}
        return not broken_account(book, Sizes({**own, pair: size}))

    gaps = _gaps(book)
    untraded: dict[str, Decimal] = {}
    for name, gap in gaps.items():
        slots = slots_of(book, rule, name, 1 if gap > 0 else -1)
        counts = filled(slots, abs(gap), fits, alone)
        orders |= signed_orders(slots, counts)
        left = abs(gap) - exposure_of(slots, counts)
        if left >= min((slot.unit for slot in slots), default=ZERO):
            untraded[name] = left
    return Trade(Sizes(dict(sorted(orders.items()))), gaps, untraded)


def _gaps(book: Book) -> dict[str, Decimal]:
    """Work out what takes each underlying outside its band to its target, the largest first."""
    now, wanted = present(book), goals(book)
    gaps = {name: goal.target - now[name] for name, goal in wanted.items()}
    outside = [name for name, gap in gaps.items() if abs(gap) > wanted[name].band]
    return {name: gaps[name] for name in sorted(outside, key=lambda u: (-abs(gaps[u]), u))}


def _outcome(book: Book, rule: Rule, trade: Trade, actions: tuple[Action, ...]) -> Outcome:
    """Keep what is worth it, and say what became of the rule."""
    name = label(rule)
    told = [_headline(name, trade, len(actions)), *_left_over(trade)]
    against = _against(book, trade.sizes)
    if against:
        return Outcome(Sizes(), (), None, " ".join([*told, against]), preset=name)
    return Outcome(trade.sizes, actions, None, " ".join(told), preset=name)


def _headline(name: str, trade: Trade, count: int) -> str:
    if not trade.wanted:
        return f"Preset {name}: every underlying is inside its band."
    return f"Preset {name}: {count} order{'' if count == 1 else 's'} to trade " + (
        ", ".join(f"{gap:+,.2f} USD of {name}" for name, gap in trade.wanted.items()) + "."
    )


def _left_over(trade: Trade) -> list[str]:
    return [
        f"{left:,.2f} USD of {name} stay untraded: rule and limits let no account take more."
        for name, left in trade.untraded.items()
    ]


def _against(book: Book, sizes: Sizes) -> str:
    """Tell why orders that keep every rule are not sent; empty where they are."""
    if not sizes.count:
        return ""
    idle, verdict = judged(book, Sizes()), judged(book, sizes)
    if verdict.shortfall > EXACT and book.policy.infeasible == "hold":
        return f"They are held: {verdict.shortfall:,.2f} USD would still be missing."
    if idle.shortfall - verdict.shortfall > EXACT or verdict.total < idle.total:
        return ""
    return f"They would cost {verdict.total:,.2f} in all, doing nothing costs {idle.total:,.2f}."
