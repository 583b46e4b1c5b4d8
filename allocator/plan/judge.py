"""What the exact law says of sizes, before they have an order of steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from allocator.cost import cost
from allocator.models.base import ZERO
from allocator.plan.actions import actions_of
from allocator.plan.lots import Sizes
from allocator.plan.refused import in_words
from allocator.state import Book, Effect, State, effect_of, lawful
from allocator.verify import account_violations, end_violations, shortfall

EXACT = Decimal("0.01")
"""S up to which nothing counts as missing, numeraire."""


@dataclass(frozen=True)
class Verdict:
    """A final state, judged.

    Attributes
    ----------
    broken
        Rules that the final state or a single action breaks, in words.
    shortfall, total
        S and the cost law's total, numeraire.
    """

    broken: tuple[str, ...]
    shortfall: Decimal
    total: Decimal

    @property
    def rank(self) -> tuple[int, Decimal, Decimal]:
        """Order of preference: rules kept, least S, least total."""
        return self.rank_above(EXACT)

    def rank_above(self, floor: Decimal) -> tuple[int, Decimal, Decimal]:
        """Order of preference where S up to `floor`, numeraire, is as good as none."""
        short = self.shortfall if self.shortfall > floor else ZERO
        return len(self.broken), short, self.total


@lawful
def judged(book: Book, sizes: Sizes) -> Verdict:
    """Judge sizes by the exact law."""
    actions = actions_of(book, sizes)
    effects = [effect_of(book, action) for action in actions]
    final = State.start(book).after(effects)
    return Verdict(
        broken=tuple(_broken(book, effects, final)),
        shortfall=shortfall(book, final).total,
        total=cost(book, effects, final).total,
    )


@lawful
def broken_rules(book: Book, sizes: Sizes) -> tuple[str, ...]:
    """Name the rules that sizes break, as `judged` does, without S and total."""
    effects = [effect_of(book, action) for action in actions_of(book, sizes)]
    return tuple(_broken(book, effects, State.start(book).after(effects)))


@lawful
def broken_account(book: Book, sizes: Sizes) -> tuple[str, ...]:
    """Name the rules on accounts alone that sizes break: margin, brackets, wallets."""
    found = account_violations(book, actions_of(book, sizes))
    return tuple(in_words(row.code, row.message) for row in found)


def _broken(book: Book, effects: Sequence[Effect], final: State) -> Iterator[str]:
    for row in end_violations(book, effects, final):
        yield in_words(row.code, row.message)
