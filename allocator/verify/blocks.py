"""What a plan says of itself: cost, exposure and accounts blocks, and what stays broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from allocator.cost import cost
from allocator.exposure import exposures, goals, present
from allocator.limits import limit_shortfalls, meters_of
from allocator.margin import (
    Missing,
    Requirement,
    liquidation_distances,
    margin_ratio,
    margin_shortfalls,
    pools,
    requirements,
)
from allocator.models.base import ZERO
from allocator.models.plan import AccountState, Action, Cost, Exposure
from allocator.state import Book, Effect, State, effect_of, equity, lawful, published
from allocator.verify.faces import NOISE


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is missing of margin and limits, numeraire.

    Attributes
    ----------
    total
        S: what is missing outside frozen accounts.
    parts
        What S is made of, each above `NOISE`.
    frozen
        What is missing and only frozen accounts could mend.
    """

    total: Decimal
    parts: tuple[Missing, ...]
    frozen: tuple[Missing, ...]

    @property
    def unrepairable(self) -> tuple[str, ...]:
        """Name what no plan can mend, once each, in order."""
        return tuple(dict.fromkeys(row.what for row in self.frozen))


@dataclass(frozen=True, slots=True)
class PlanBlocks:
    """The computed blocks of a plan, as its JSON carries them."""

    cost: Cost
    exposure: Mapping[str, Exposure]
    accounts: Mapping[str, AccountState]
    before: Shortfall
    after: Shortfall


@lawful
def plan_blocks(book: Book, actions: Sequence[Action]) -> PlanBlocks:
    """Compute cost, exposure, accounts and shortfall of a plan from its actions.

    Raises
    ------
    InputError
        When an action names what the book does not have.
    """
    effects = [effect_of(book, action) for action in actions]
    return blocks_of(book, effects, State.start(book).after(effects))


@lawful
def blocks_of(book: Book, effects: Sequence[Effect], final: State) -> PlanBlocks:
    """Compute the blocks of a plan whose effects and end are at hand."""
    start = State.start(book)
    return PlanBlocks(
        cost=cost(book, effects, final),
        exposure=exposure_block(book, final),
        accounts=accounts_block(book, start, final),
        before=shortfall(book, start),
        after=shortfall(book, final),
    )


@lawful
def shortfall(book: Book, state: State) -> Shortfall:
    """Compute S of a state and its parts (problem.md section 3)."""
    rows = [row for name in book.accounts for row in margin_shortfalls(book, state, name)]
    rows += limit_shortfalls(meters_of(book), state)
    broken = [row for row in rows if row.amount > NOISE]
    parts = tuple(row for row in broken if not row.frozen)
    total = sum((row.amount for row in parts), ZERO)
    return Shortfall(total, parts, tuple(row for row in broken if row.frozen))


@lawful
def exposure_block(book: Book, final: State) -> dict[str, Exposure]:
    """Set every underlying's exposure before and after beside its target, numeraire."""
    before, after, wanted = present(book), exposures(book, final), goals(book)
    return {
        name: Exposure(
            before=published(before[name]),
            after=published(after[name]),
            target=published(wanted[name].target),
            band=published(wanted[name].band),
        )
        for name in book.underlyings
    }


@lawful
def accounts_block(book: Book, start: State, final: State) -> dict[str, AccountState]:
    """Describe every account before and after, numeraire."""
    return {name: _account(book, start, final, name) for name in sorted(book.accounts)}


def _account(book: Book, start: State, final: State, name: str) -> AccountState:
    touched = final.holdings[name] is not start.holdings[name]
    needed_before = total_requirement(book, start, name)
    needed = total_requirement(book, final, name) if touched else needed_before
    ratio_before = margin_ratio(book, start, name)
    ratio = margin_ratio(book, final, name) if touched else ratio_before
    distances = liquidation_distances(book, final, name)
    return AccountState(
        equity_before=published(equity(book, start, name)),
        equity_after=published(equity(book, final, name)),
        initial_margin_before=published(needed_before.initial),
        initial_margin_after=published(needed.initial),
        maintenance_margin_before=published(needed_before.maintenance),
        maintenance_margin_after=published(needed.maintenance),
        margin_ratio_before=None if ratio_before is None else published(ratio_before),
        margin_ratio_after=None if ratio is None else published(ratio),
        liquidation_distance_after={
            u: None if move is None else published(move) for u, move in distances.items()
        },
    )


def total_requirement(book: Book, state: State, account: str) -> Requirement:
    """Add up what all pools of an account need, numeraire."""
    total = Requirement()
    for pool in pools(book, account):
        total = total + requirements(book, state, account, pool)
    return total
