"""Decisions along a curve, each made once and priced under the mandate itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Protocol

from allocator.models.base import ZERO
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.snapshot import Snapshot
from allocator.state import Book, lawful, published
from allocator.verify import PlanBlocks, plan_blocks

Watch = Callable[[int, int], None]
"""Told after each decision how many are made and how many there may be in all."""

REPAIRED = Decimal("0.01")
"""S up to which nothing counts as missing, numeraire."""


class Decides(Protocol):
    """What decides for one mandate, as `allocator.Engine` does."""

    def decide(self, snapshot: Snapshot) -> Plan:
        """Decide what to do about a book."""
        ...


class Makes(Protocol):
    """What makes one that decides, as the class `allocator.Engine` itself does."""

    def __call__(self, mandate: Mandate) -> Decides:
        """Make one for a mandate."""
        ...


@dataclass(frozen=True)
class Run:
    """A plan and what it comes to under the mandate itself.

    Attributes
    ----------
    plan
        As decided.
    blocks
        Its figures at the mandate's own weights and limits.
    """

    plan: Plan
    blocks: PlanBlocks

    @property
    def count(self) -> int:
        """Number of actions."""
        return len(self.plan.actions)

    @property
    def shortfall(self) -> Decimal:
        """S after the plan, numeraire."""
        return published(self.blocks.after.total)

    @property
    def repair(self) -> Decimal:
        """S as plans are compared by it: whole numeraire, zero where nothing is missing."""
        return whole(self.shortfall)

    @property
    def rank(self) -> tuple[Decimal, Decimal, int]:
        """Order of preference: least S, least total, fewest actions."""
        return self.repair, self.blocks.cost.total, self.count


def whole(shortfall: Decimal) -> Decimal:
    """Round S up to whole numeraire; zero where nothing counts as missing."""
    return shortfall.to_integral_value(ROUND_CEILING) if shortfall > REPAIRED else ZERO


class Runs:
    """Decides about one book under many mandates.

    Parameters
    ----------
    snapshot, mandate
        The book itself.
    engine
        Makes what decides.
    watch
        Told of every decision.
    expected
        How many decisions there may be.
    """

    def __init__(
        self, snapshot: Snapshot, mandate: Mandate, engine: Makes, watch: Watch, expected: int
    ) -> None:
        self.book = Book.of(snapshot, mandate)
        self.engine, self.watch, self.expected = engine, watch, expected
        self.made = 0
        self.notes = list[str]()

    @lawful
    def run(self, mandate: Mandate) -> Run:
        """Decide under a mandate."""
        plan = self.engine(mandate).decide(self.book.snapshot)
        self.made += 1
        self.watch(self.made, max(self.made, self.expected))
        return Run(plan, plan_blocks(self.book, plan.actions))

    def released(self, mandate: Mandate, what: str) -> Run | None:
        """Decide under a mandate; None, and a note, where the plan is refused."""
        found = self.run(mandate)
        if found.plan.status == "refused":
            self.notes.append(f"{what} is left out: {found.plan.note}")
            return None
        return found
