"""What limits measure (problem.md section 4).

Per pair, with standing buys B and sells A that may fill: high = q + B, low = q - A. Long counts
max(high, 0), short max(-low, 0), gross and quantity max(|high|, |low|), net the larger of
|sum high| and |sum low|. In hedge mode both legs count. Spot has no q.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Literal

from allocator.models.account import Account
from allocator.models.base import ONE, ZERO
from allocator.models.errors import Problem, SnapshotError
from allocator.models.mandate import PLAN_MEASURES, Limit, Measure, Selector
from allocator.models.market import Instrument
from allocator.models.plan import Order, Transfer
from allocator.state import Book, Effect, Pair, State, departures, equity, lawful

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

    def counted(self, measure: Measure, quantity: Decimal) -> Decimal:
        """Count a pair for a measure: contracts for quantity, else numeraire."""
        if measure == "quantity":
            return self.gross(quantity)
        if measure == "long_notional":
            return self.long(quantity) * self.notional
        if measure == "short_notional":
            return self.short(quantity) * self.notional
        return self.gross(quantity) * self.notional


class Meter:
    """One limit, ready to measure states: scope and counting worked out once.

    Parameters
    ----------
    book
        The book.
    limit
        A limit on states; measures of the plan itself are `plan_excess`.

    Attributes
    ----------
    accounts
        Accounts of the scope, sorted.
    pairs
        How each selected pair counts, by (account, instrument).
    weight
        Numeraire per unit of the measure; quantity at the largest n_i selected.
    """

    def __init__(self, book: Book, limit: Limit) -> None:
        self.book, self.limit = book, limit
        self.accounts = accounts_of(book, limit)
        self.inside = frozenset(self.accounts)
        self.pairs = counted_pairs(book, limit, self.inside)
        self.weight = weight(book, limit)

    @cached_property
    def frozen(self) -> bool:
        """Whether every account of the scope is frozen, so that no plan can mend a breach."""
        return all(self.book.accounts[name].state == "frozen" for name in self.accounts)

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The bounds that the limit has."""
        rows: tuple[tuple[Bound, Decimal | None], ...]
        rows = (("max", self.limit.max), ("min", self.limit.min))
        return tuple(name for name, value in rows if value is not None)

    def cap(self, bound: Bound) -> Decimal:
        """Read the figure of a bound."""
        value = self.limit.max if bound == "max" else self.limit.min
        assert value is not None
        return value

    @lawful
    def excess(self, state: State, bound: Bound = "max") -> Decimal:
        """Compute by how much a state exceeds a bound; negative within it.

        In the measure's own unit; of leverage it is gross - max x equity, numeraire.
        """
        cap = self.cap(bound)
        if self.limit.measure == "equity":
            value = self.equity(state, bound)
            return cap - value if bound == "min" else value - cap
        if self.limit.measure == "leverage":
            return self.total(state) - cap * self.equity(state)
        if self.limit.measure == "net_notional":
            return max(abs(side) for side in self.net(state)) - cap
        return self.total(state) - cap

    @lawful
    def total(self, state: State) -> Decimal:
        """Add up what the measure counts of every pair; of leverage the gross notional."""
        total, measure = self.total_before, self.limit.measure
        for pair, (before, after) in self._changed(state):
            total += pair.counted(measure, after) - pair.counted(measure, before)
        return total

    @cached_property
    def total_before(self) -> Decimal:
        """What the measure counts before any plan."""
        held, measure = self.book.quantity, self.limit.measure
        rows = (pair.counted(measure, held.get(key, ZERO)) for key, pair in self.pairs.items())
        return sum(rows, ZERO)

    def _changed(self, state: State) -> list[tuple[Counting, tuple[Decimal, Decimal]]]:
        """List the pairs that count other contracts than before any plan, with both."""
        contracts = departures(self.book, state).contracts
        if len(self.pairs) < len(contracts):
            keys = [key for key in self.pairs if key in contracts]
        else:
            keys = [key for key in contracts if key in self.pairs]
        return [(self.pairs[key], contracts[key]) for key in keys]

    @lawful
    def net(self, state: State) -> tuple[Decimal, Decimal]:
        """Add up signed notionals with every standing buy filled, and with every sell filled."""
        up, down = self.net_before
        for pair, (before, after) in self._changed(state):
            up += (after - before) * pair.notional
            down += (after - before) * pair.notional
        return up, down

    @cached_property
    def net_before(self) -> tuple[Decimal, Decimal]:
        """Signed notionals before any plan, every standing buy filled, and every sell."""
        up = down = ZERO
        for key, pair in self.pairs.items():
            quantity = self.book.quantity.get(key, ZERO)
            up += (quantity + pair.buys) * pair.notional
            down += (quantity - pair.sells) * pair.notional
        return up, down

    @lawful
    def equity(self, state: State, bound: Bound = "min") -> Decimal:
        """Add up the equity of the scope, numeraire, or what of it is in one asset.

        The plan's money in transit counts when both ends lie in the scope. For the measure
        equity, arrivals from before the plan count too, and what the plan spends is no way to
        obey a max.
        """
        asset, inside = self.limit.of.asset, self.inside
        total = sum((equity(self.book, state, name, asset) for name in self.accounts), ZERO)
        for row in state.transit:
            if row.source in inside and row.target in inside:
                total += self._value([(row.asset, row.amount)])
        if self.limit.measure != "equity":
            return total
        for name in self.accounts:
            if bound == "max":
                total += self._value(state.holdings[name].spent.items())
            if "in_flight" in self.limit.counts:
                total += self._value(self.book.arriving(name).items())
        return total

    def _value(self, units: Iterable[tuple[str, Decimal]]) -> Decimal:
        asset = self.limit.of.asset
        return sum((v * self.book.price(c) for c, v in units if asset in (None, c)), ZERO)


def counted_pairs(book: Book, limit: Limit, inside: Container[str]) -> dict[Pair, Counting]:
    """Say how each pair that a limit selects counts, of the accounts in its scope."""
    working = "open_orders" in limit.counts
    known = book.once(("countings", working), lambda: _countings(book, open_orders=working))
    return {
        (account, name): counting
        for name, row in sorted(book.instruments.items())
        if name in known and selects(limit.of, row)
        for account, counting in known[name].items()
        if account in inside
    }


def _countings(book: Book, *, open_orders: bool) -> dict[str, dict[str, Counting]]:
    """Say how every pair counts that is listed or has an order, by instrument and account."""
    out: dict[str, dict[str, Counting]] = {}
    plain = {name: Counting(row.notional) for name, row in book.units.items()}
    for account in sorted(book.accounts):
        positions = book.accounts[account].positions
        working = _working(book.accounts[account]) if open_orders else {}
        for name in (*positions, *(name for name in working if name not in positions)):
            row = book.instruments.get(name)
            if row is None or row.is_spot:
                continue
            found, legs = plain[name], positions[name].legs if name in positions else None
            if name in working or legs is not None:
                both = None if legs is None else (legs.long, legs.short)
                found = Counting(found.notional, *working.get(name, (ZERO, ZERO)), both)
            out.setdefault(name, {})[account] = found
    return out


def _working(account: Account) -> dict[str, tuple[Decimal, Decimal]]:
    """Add up what standing orders may still buy and sell, contracts by instrument."""
    out: dict[str, tuple[Decimal, Decimal]] = {}
    for order in account.open_orders:
        if not order.reduce_only:
            buys, sells = out.get(order.instrument, (ZERO, ZERO))
            bought = order.side == "buy"
            more = (order.quantity, ZERO) if bought else (ZERO, order.quantity)
            out[order.instrument] = (buys + more[0], sells + more[1])
    return out


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


def is_of_plan(limit: Limit) -> bool:
    """Tell whether a limit measures the plan itself instead of a state."""
    return limit.measure in PLAN_MEASURES


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
