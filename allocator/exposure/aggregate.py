"""Exposure D_u = sum q e + sum over assets of u of (equity + in flight) x price, numeraire.

A derivative's exposure per contract is in its instrument; coins, and profit settled in coins, are
exposure through the equity that holds them. Money of the plan in transit counts as held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from allocator.models.base import ONE, ZERO
from allocator.state import Book, Effect, State, departures, equity_units, held_assets, lawful


@dataclass(frozen=True, slots=True)
class Goal:
    """Target T_u and half-width B_u of one underlying, numeraire."""

    target: Decimal
    band: Decimal


@lawful
def exposures(book: Book, state: State) -> dict[str, Decimal]:
    """Add up the exposure to every underlying, numeraire, positive long."""
    out, start, changed = dict(present(book)), State.start(book), departures(book, state)
    for (_, name), (before, after) in changed.contracts.items():
        _add_contracts(book, out, name, after - before)
    for account in changed.accounts:
        for asset in held_assets(book, state, account):
            before = equity_units(book, start, account, asset)
            _add_asset(book, out, asset, equity_units(book, state, account, asset) - before)
    for row in state.transit:
        _add_asset(book, out, row.asset, row.amount)
    return out


@lawful
def present(book: Book) -> Mapping[str, Decimal]:
    """Tell the exposures before any plan, numeraire."""
    return book.once("present exposures", lambda: _present(book))


def _present(book: Book) -> dict[str, Decimal]:
    out, start = dict.fromkeys(book.underlyings, ZERO), State.start(book)
    for (_, name), contracts in book.quantity.items():
        _add_contracts(book, out, name, contracts)
    for account in start.holdings:
        for asset in held_assets(book, start, account):
            _add_asset(book, out, asset, equity_units(book, start, account, asset))
        for asset, units in book.arriving(account).items():
            _add_asset(book, out, asset, units)
    return out


def _add_contracts(book: Book, out: dict[str, Decimal], name: str, contracts: Decimal) -> None:
    underlying = book.instruments[name].underlying
    if contracts and underlying is not None:
        out[underlying] += contracts * book.units[name].exposure


def _add_asset(book: Book, out: dict[str, Decimal], asset: str, units: Decimal) -> None:
    row = book.asset(asset)
    if row.underlying is not None:
        out[row.underlying] = out.get(row.underlying, ZERO) + units * row.price


def goals(book: Book) -> Mapping[str, Goal]:
    """Work out target and band of every underlying.

    One without a target keeps its present exposure, or goes to zero under
    ``targets_default: zero``; both with a band of zero.

    Raises
    ------
    SnapshotError
        When a target in base units has no single price.
    """
    return book.once("goals", lambda: _goals(book))


@lawful
def _goals(book: Book) -> dict[str, Goal]:
    keep = book.mandate.targets_default == "hold"
    out = {u: Goal(value if keep else ZERO, ZERO) for u, value in present(book).items()}
    for row in book.mandate.targets:
        scale = book.underlying_price(row.underlying) if row.unit == "base" else ONE
        out[row.underlying] = Goal(row.delta * scale, row.band * scale)
    return out


@lawful
def exposure_change(book: Book, effect: Effect) -> Mapping[str, Decimal]:
    """Work out by how much a whole action changes exposures, numeraire by underlying.

    A transfer changes it by its charge alone, from the moment it leaves.
    """
    out: dict[str, Decimal] = {}
    for (_, name), contracts in effect.contracts.items():
        underlying = book.instruments[name].underlying
        if underlying is not None:
            out[underlying] = out.get(underlying, ZERO) + contracts * book.units[name].exposure
    for changes in (effect.at_once, effect.on_arrival):
        for (_, asset), units in changes.items():
            _add_asset(book, out, asset, units)
    return {u: value for u, value in out.items() if value}
