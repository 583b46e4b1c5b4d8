"""What limits measure (problem.md section 4).

Per pair, with standing buys B and sells A that may fill: high = q + B, low = q - A. Long counts
max(high, 0), short max(-low, 0), gross and quantity max(|high|, |low|), net the larger of
|sum high| and |sum low|. In hedge mode both legs count. Spot has no q.
Excess is in the measure's own unit; of leverage it is gross - max x equity, numeraire.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from allocator.models.base import ONE, ZERO
from allocator.models.errors import Problem, SnapshotError
from allocator.models.mandate import PLAN_MEASURES, Limit, Selector
from allocator.models.market import Instrument
from allocator.models.plan import Order, Transfer
from allocator.state import Book, Effect, State, equity, lawful

Bound = Literal["max", "min"]


def accounts_of(book: Book, limit: Limit) -> tuple[str, ...]:
    """Name the accounts whose positions a limit adds up, sorted.

    Raises
    ------
    SnapshotError
        When the scope names no account.
    """
    scope = limit.scope
    out = tuple(
        sorted(
            row.id
            for row in book.accounts.values()
            if scope.account in (None, row.id)
            and scope.owner in (None, row.owner)
            and scope.venue in (None, row.venue)
            and scope.control_group in (None, row.group)
        )
    )
    if not out:
        path = ("mandate", "limits", limit.id, "scope")
        raise SnapshotError([Problem(path, "the scope names no account")])
    return out


def selects(of: Selector, row: Instrument) -> bool:
    """Tell whether a limit measures an instrument; an asset selects what settles in it."""
    return (
        of.underlying in (None, row.underlying)
        and of.instrument in (None, row.id)
        and of.asset in (None, row.cash)
    )


@dataclass(frozen=True, slots=True)
class Counting:
    """How one pair counts: its unit, its standing orders, its legs in hedge mode.

    Attributes
    ----------
    notional
        Numeraire per contract.
    buys, sells
        Contracts that standing orders may still fill.
    legs
        Long and short contracts of a hedged pair.
    """

    notional: Decimal
    buys: Decimal = ZERO
    sells: Decimal = ZERO
    legs: tuple[Decimal, Decimal] | None = None

    def long(self, quantity: Decimal) -> Decimal:
        """Count long contracts."""
        return max(quantity + self.buys, ZERO) if self.legs is None else self.legs[0] + self.buys

    def short(self, quantity: Decimal) -> Decimal:
        """Count short contracts, unsigned."""
        return max(self.sells - quantity, ZERO) if self.legs is None else self.legs[1] + self.sells

    def gross(self, quantity: Decimal) -> Decimal:
        """Count contracts on the worst side."""
        if self.legs is not None:
            return sum(self.legs, ZERO) + self.buys + self.sells
        return max(abs(quantity + self.buys), abs(quantity - self.sells))


def band_of(book: Book, limit: Limit, account: str) -> dict[str, Counting]:
    """Say how each selected pair of an account counts, by instrument."""
    working: dict[str, list[Decimal]] = {}
    if "open_orders" in limit.counts:
        for order in book.accounts[account].open_orders:
            if not order.reduce_only:
                sides = working.setdefault(order.instrument, [ZERO, ZERO])
                sides[0 if order.side == "buy" else 1] += order.quantity
    positions = book.accounts[account].positions
    out: dict[str, Counting] = {}
    for name in sorted(set(positions) | set(working)):
        row = book.instruments.get(name)
        if row is None or row.is_spot or not selects(limit.of, row):
            continue
        buys, sells = working.get(name, (ZERO, ZERO))
        place = positions.get(name)
        legs = None if place is None or place.legs is None else place.legs
        pair = None if legs is None else (legs.long, legs.short)
        out[name] = Counting(book.notional(name), buys, sells, pair)
    return out


@dataclass(frozen=True, slots=True)
class Sums:
    """Measures of a scope: numeraire; quantity in contracts; up and down signed."""

    long: Decimal
    short: Decimal
    gross: Decimal
    up: Decimal
    down: Decimal
    quantity: Decimal


@lawful
def sums(book: Book, limit: Limit, state: State) -> Sums:
    """Add up a limit's scope."""
    long = short = gross = up = down = quantity = ZERO
    for account in accounts_of(book, limit):
        held = state.holdings[account].quantity
        for name, pair in band_of(book, limit, account).items():
            q, n = held.get(name, ZERO), pair.notional
            long += pair.long(q) * n
            short += pair.short(q) * n
            gross += pair.gross(q) * n
            quantity += pair.gross(q)
            up += (q + pair.buys) * n
            down += (q - pair.sells) * n
    return Sums(long, short, gross, up, down, quantity)


@lawful
def scope_equity(book: Book, limit: Limit, state: State, bound: Bound = "min") -> Decimal:
    """Add up the equity of a scope, numeraire, or what of it is in one asset.

    The plan's money in transit counts when both ends lie in the scope. For the measure equity
    arrivals from before the plan count too, and what the plan spends is no way to obey a max.
    """
    inside, asset = set(accounts_of(book, limit)), limit.of.asset
    total = sum((equity(book, state, name, asset) for name in sorted(inside)), ZERO)
    for row in state.transit:
        if row.source in inside and row.target in inside and asset in (None, row.asset):
            total += row.amount * book.price(row.asset)
    if limit.measure != "equity":
        return total
    for name in sorted(inside):
        if bound == "max":
            total += _value(book, state.holdings[name].spent.items(), asset)
        if "in_flight" in limit.counts:
            total += _value(book, book.arriving(name).items(), asset)
    return total


def _value(book: Book, units: Iterable[tuple[str, Decimal]], asset: str | None) -> Decimal:
    return sum((v * book.price(c) for c, v in units if asset in (None, c)), ZERO)


@lawful
def state_excess(book: Book, limit: Limit, state: State, bound: Bound) -> Decimal:
    """Compute by how much a state exceeds a bound; negative below it.

    For measures of states; a measure of the plan is `plan_excess`.
    """
    cap = limit.max if bound == "max" else limit.min
    assert cap is not None
    if limit.measure == "equity":
        value = scope_equity(book, limit, state, bound)
        return cap - value if bound == "min" else value - cap
    found = sums(book, limit, state)
    if limit.measure == "leverage":
        return found.gross - cap * scope_equity(book, limit, state)
    values = {
        "long_notional": found.long,
        "short_notional": found.short,
        "gross_notional": found.gross,
        "net_notional": max(abs(found.up), abs(found.down)),
        "quantity": found.quantity,
    }
    return values[limit.measure] - cap


@lawful
def plan_excess(book: Book, limit: Limit, effects: Iterable[Effect]) -> Decimal:
    """Compute by how much a plan exceeds the max of orders, turnover or transfer_out."""
    assert limit.max is not None
    inside, total = set(accounts_of(book, limit)), ZERO
    for effect in effects:
        if effect.accounts[0] not in inside:
            continue
        match effect.action:
            case Order() as order if limit.measure != "transfer_out":
                if selects(limit.of, book.instruments[order.instrument]):
                    total += ONE if limit.measure == "orders" else effect.notional
            case Transfer() as sent if limit.measure == "transfer_out":
                total += effect.notional if limit.of.asset in (None, sent.asset) else ZERO
            case _:
                pass
    return total - limit.max


def bounds(limit: Limit) -> tuple[Bound, ...]:
    """Name the bounds that a limit has."""
    given: tuple[tuple[Bound, Decimal | None], ...] = (("max", limit.max), ("min", limit.min))
    return tuple(name for name, value in given if value is not None)


@lawful
def excesses(
    book: Book, limit: Limit, state: State, effects: Iterable[Effect]
) -> dict[Bound, Decimal]:
    """Compute the excess over each bound of a limit, in its own unit."""
    if limit.measure in PLAN_MEASURES:
        return {"max": plan_excess(book, limit, effects)}
    return {bound: state_excess(book, limit, state, bound) for bound in bounds(limit)}


def weight(book: Book, limit: Limit) -> Decimal:
    """Value one unit of a limit's measure in numeraire; quantity at the largest n_i selected."""
    if limit.measure != "quantity":
        return ONE
    values = [
        book.notional(row.id)
        for row in book.instruments.values()
        if not row.is_spot and selects(limit.of, row)
    ]
    return max(values, default=ZERO)
