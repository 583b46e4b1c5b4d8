"""What a state misses, requirement by requirement, by the exact law."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from allocator.limits import Bound, Meter, meters_of
from allocator.margin import (
    Missing,
    Shocked,
    binding_stresses,
    collateral,
    contracts_carried,
    pools,
    requirement,
    requirements,
)
from allocator.models.base import ONE, ZERO
from allocator.models.reasons import Place, Shortage
from allocator.state import Book, Pair, State, lawful, published

INITIAL = "initial margin"
BUFFERED = "maintenance margin with its buffer"
STRESSED = "maintenance margin in stress "
BALANCE = "balance"


@lawful
def shortages(book: Book, state: State, accounts: Iterable[str]) -> list[Shortage]:
    """List every requirement that some accounts and the limits on states miss, largest first.

    Money that was on its way before the plan counts as collateral, as it does in S.
    """
    out = [row for name in accounts for row in margin_shortages(book, state, name)]
    out += [row for meter in meters_of(book) for row in limit_shortages(meter, state)]
    return largest_first(out)


def largest_first(rows: Iterable[Shortage]) -> list[Shortage]:
    """Sort by what is missing, then by name."""
    return sorted(rows, key=lambda row: (-row.missing, row.what, row.rule))


@lawful
def margin_shortages(
    book: Book, state: State, account: str, *, arrivals: bool = True
) -> Iterator[Shortage]:
    """List the requirements that the pools of an account miss.

    Parameters
    ----------
    arrivals
        Whether money that was on its way before the plan counts.
    """
    for pool in pools(book, account):
        yield from _pool_shortages(book, state, account, pool, arrivals=arrivals)


def _pool_shortages(
    book: Book, state: State, account: str, pool: str | None, *, arrivals: bool
) -> Iterator[Shortage]:
    for rule, asked, has in _asked(book, state, account, pool, arrivals=arrivals):
        if asked > has:
            leg = leading_leg(book, state, account, pool)
            place: Place = ("snapshot", "accounts", account)
            if leg is not None:
                place = (*place, "positions", leg)
            yield Shortage(
                what=f"margin {account}" if pool is None else f"margin {account} {pool}",
                rule=rule,
                asked=published(asked),
                held=published(has),
                missing=published(asked - has),
                leg=leg,
                place=place,
            )


@lawful
def shortages_of(book: Book, state: State, row: Missing) -> Iterator[Shortage]:
    """List the requirements of one missing thing."""
    if row.kind == "margin":
        account, pool = row.about[0], row.about[1] if len(row.about) > 1 else None
        yield from _pool_shortages(book, state, account, pool, arrivals=True)
        return
    for meter in meters_of(book):
        if meter.limit.id == row.about[0]:
            yield from limit_shortages(meter, state)


def _asked(
    book: Book, state: State, account: str, pool: str | None, *, arrivals: bool
) -> Iterator[tuple[str, Decimal, Decimal]]:
    """Name each requirement of a pool with what it asks and what is held against it."""
    held = collateral(book, state, account, pool, arrivals=arrivals)
    needed = requirements(book, state, account, pool)
    yield INITIAL, needed.initial, held
    yield BUFFERED, (ONE + book.policy.margin_buffer) * needed.maintenance, held
    stresses = binding_stresses(book, account)
    if stresses:
        shocked = Shocked(book, state, account, pool, arrivals=arrivals)
        for stress in stresses:
            asked = shocked.needed(stress.prices)
            yield STRESSED + stress.id, asked, asked - shocked.gap(stress.prices)


@lawful
def leading_leg(book: Book, state: State, account: str, pool: str | None) -> str | None:
    """Name the instrument that requires most of a pool's margin; the largest where none does.

    A scenario's loss is of all legs together, so there notional decides.
    """
    held = contracts_carried(book, state, account, pool)

    def weight(name: str) -> tuple[Decimal, Decimal]:
        notional = abs(held[name]) * book.notional(name)
        if book.accounts[account].margin.model == "scenario":
            return ZERO, notional
        needed = requirement(book, account, name, held[name])
        return max(needed.initial, needed.maintenance), notional

    return max(sorted(held), key=weight, default=None)


@lawful
def limit_shortages(meter: Meter, state: State) -> Iterator[Shortage]:
    """List by how much a limit is exceeded, in its own unit and in numeraire."""
    for bound in meter.bounds:
        excess = meter.excess(state, bound)
        if excess > 0:
            cap, measured = meter.cap(bound), measured_at(meter, state, bound)
            yield Shortage(
                what=f"limit {meter.limit.id}",
                rule=meter.limit.measure.replace("_", " "),
                asked=published(cap if bound == "min" else measured),
                held=published(measured if bound == "min" else cap),
                missing=published(excess * meter.weight),
                place=("mandate", "limits", meter.limit.id),
            )


@lawful
def measured_at(meter: Meter, state: State, bound: Bound) -> Decimal:
    """Measure a state in a limit's own unit; of leverage without equity the gross notional."""
    if meter.limit.measure == "leverage":
        owned = meter.equity(state)
        return meter.total(state) / owned if owned > 0 else meter.total(state)
    excess, cap = meter.excess(state, bound), meter.cap(bound)
    return cap - excess if bound == "min" else cap + excess


@lawful
def overdrawn(book: Book, state: State, keys: Iterable[Pair]) -> Iterator[Shortage]:
    """List wallets below what must stay in them, and below where they were."""
    start = State.start(book)
    for account, asset in keys:
        least = min(
            book.ring_fenced(account, asset), start.holdings[account].wallet.get(asset, ZERO)
        )
        held = state.holdings[account].wallet.get(asset, ZERO)
        if held < least:
            price = book.price(asset)
            yield Shortage(
                what=f"wallet {account}/{asset}",
                rule=BALANCE,
                asked=published(least * price),
                held=published(held * price),
                missing=published((least - held) * price),
                place=("snapshot", "accounts", account, "balances", asset),
            )


def grown(with_it: Iterable[Shortage], without: Iterable[Shortage]) -> tuple[Shortage, ...]:
    """Keep what is missing without an action and more than with it, largest growth first."""
    before = {_own(row): row.missing for row in with_it}
    told = [row.model_copy(update={"left": before.get(_own(row), ZERO)}) for row in without]
    more = [row for row in told if row.missing - row.left > CENT]
    return tuple(sorted(more, key=lambda row: (row.left - row.missing, row.what, row.rule)))


def _own(row: Shortage) -> tuple[str, Place, str]:
    """Tell requirements apart, also those of things whose ids make the same name."""
    return row.what, row.place[:3], row.rule


CENT = Decimal("0.01")
"""Numeraire below which nothing is missing."""
