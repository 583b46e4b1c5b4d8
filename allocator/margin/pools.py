"""Margin that an account needs, by pool: one pool, or one per settle asset."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from allocator.margin.brackets import Requirement
from allocator.margin.collateral import collateral
from allocator.margin.terms import terms_of
from allocator.models.account import MarginScenario
from allocator.models.base import ZERO
from allocator.models.errors import Problem, SnapshotError
from allocator.state import Book, State, lawful


def pools(book: Book, account: str) -> tuple[str | None, ...]:
    """Name the margin pools: (None,), or every settle asset in single-asset mode."""
    if not book.accounts[account].single:
        return (None,)
    return book.once(("pools", account), lambda: _pools(book, account))


def _pools(book: Book, account: str) -> tuple[str | None, ...]:
    row = book.accounts[account]
    names = {book.instruments[name].cash for name in row.positions}
    names |= {
        other.cash
        for other in book.instruments.values()
        if not other.is_spot and other.venue == row.venue
    }
    return tuple(sorted(names))


def contracts_carried(
    book: Book, state: State, account: str, pool: str | None = None
) -> dict[str, Decimal]:
    """List the signed contracts that the account's margin carries, by instrument.

    An isolated pair is carried by its own wallet; a hedged pair counts with both legs even if
    their difference is zero.
    """
    terms, out = terms_of(book, account), dict[str, Decimal]()
    for name, quantity in state.holdings[account].quantity.items():
        pair = terms[name]
        carried = not pair.isolated and (bool(quantity) or pair.contracts is not None)
        if carried and pool in (None, pair.cash):
            out[name] = quantity
    return out


@lawful
def requirements(book: Book, state: State, account: str, pool: str | None = None) -> Requirement:
    """Add up initial and maintenance margin of an account or of one of its pools."""
    key = ("requirements", account, pool, state.holdings[account])
    return book.once(key, lambda: _requirements(book, state, account, pool))


def _requirements(book: Book, state: State, account: str, pool: str | None) -> Requirement:
    held = contracts_carried(book, state, account, pool)
    margin = book.accounts[account].margin
    if margin.model == "scenario":
        worst = max((scenario_loss(row, held) for row in margin.scenarios), default=ZERO)
        return Requirement(max(ZERO, worst), max(ZERO, worst))
    terms, initial, maintenance = terms_of(book, account), ZERO, ZERO
    for name, quantity in held.items():
        pair = terms[name]
        notional = pair.notional(quantity)
        initial += pair.initial(notional)
        maintenance += pair.maintenance(notional)
    return Requirement(initial, maintenance)


@lawful
def scenario_loss(scenario: MarginScenario, held: Mapping[str, Decimal]) -> Decimal:
    """Add up what positions lose in one scenario, numeraire; a gain is negative.

    Raises
    ------
    SnapshotError
        When the scenario says nothing about an instrument that is held.
    """
    total = ZERO
    for name, quantity in held.items():
        if name not in scenario.pnl:
            path = ("snapshot", "accounts", "margin", "scenarios")
            raise SnapshotError([Problem(path, f"a scenario has no entry for {name}")])
        total -= quantity * scenario.pnl[name]
    return total


@lawful
def margin_ratio(book: Book, state: State, account: str) -> Decimal | None:
    """Divide collateral by maintenance margin; the worst pool; None without maintenance margin."""
    ratios = list[Decimal]()
    for pool in pools(book, account):
        needed = requirements(book, state, account, pool).maintenance
        if needed > 0:
            ratios.append(collateral(book, state, account, pool) / needed)
    return min(ratios, default=None)
