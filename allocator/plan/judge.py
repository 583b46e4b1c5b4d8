"""What the exact law says of sizes, before they have an order of steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from allocator.cost import cost
from allocator.models.base import ZERO
from allocator.models.plan import Action
from allocator.plan.actions import Step, numbered
from allocator.plan.lots import Sizes
from allocator.state import Book, State, effect_of, lawful
from allocator.verify import account_violations, final_violations, shortfall

EXACT = Decimal("0.01")
"""S up to which nothing counts as missing, numeraire."""


@dataclass(frozen=True)
class Verdict:
    """A final state, judged.

    Attributes
    ----------
    broken
        Codes and messages of rules that the final state or a single action breaks.
    shortfall, total
        S and the cost law's total, numeraire.
    """

    broken: tuple[str, ...]
    shortfall: Decimal
    total: Decimal

    @property
    def rank(self) -> tuple[int, Decimal, Decimal]:
        """Order of preference: rules kept, least S, least total."""
        short = self.shortfall if self.shortfall > EXACT else ZERO
        return len(self.broken), short, self.total


def unordered(sizes: Sizes) -> list[Step]:
    """List the steps without any order between them."""
    steps = [Step(route=name) for name in sizes.transfers]
    steps += [Step(move=key) for key in sizes.moves]
    return steps + [Step(orders=(key,)) for key in sizes.orders]


@lawful
def judged(book: Book, sizes: Sizes) -> Verdict:
    """Judge sizes by the exact law."""
    actions = numbered(book, sizes, unordered(sizes))
    effects = [effect_of(book, action) for action in actions]
    final = State.start(book).after(effects)
    return Verdict(
        broken=tuple(_broken(book, actions)),
        shortfall=shortfall(book, final).total,
        total=cost(book, effects, final).total,
    )


@lawful
def broken_rules(book: Book, sizes: Sizes) -> tuple[str, ...]:
    """Name the rules that sizes break, as `judged` does, without S and total."""
    return tuple(_broken(book, numbered(book, sizes, unordered(sizes))))


@lawful
def broken_account(book: Book, sizes: Sizes) -> tuple[str, ...]:
    """Name the rules on accounts alone that sizes break: margin, brackets, wallets."""
    found = account_violations(book, numbered(book, sizes, unordered(sizes)))
    return tuple(f"{row.code}: {row.message}" for row in found)


def _broken(book: Book, actions: tuple[Action, ...]) -> Iterator[str]:
    for row in final_violations(book, actions):
        yield f"{row.code}: {row.message}"
