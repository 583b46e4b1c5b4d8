"""Accounts at shocked prices: the mandate's stress cases and the distance to liquidation.

Balances, unrealised profit and notionals are revalued. With s = 1 + shock of an underlying:
linear and quanto contracts gain q x contract_size x mark x (s - 1) of the settle asset, inverse
ones q x contract_size x (1/mark - 1/(s mark)) of the coin with an unchanged notional, options
their delta times the move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from allocator.margin.brackets import requirement
from allocator.margin.collateral import collateral_units, marginal_value, pool_assets
from allocator.margin.pools import contracts_carried, pools, requirements
from allocator.models.base import ONE, ZERO
from allocator.models.mandate import Stress
from allocator.models.market import Instrument
from allocator.state import Book, State, lawful

LOWEST = Decimal("-0.999999")
HIGHEST = ONE
CLOSE_ENOUGH = Decimal("1e-9")
MOST_STEPS = 60


@dataclass(frozen=True, slots=True)
class Response:
    """What a price move does to one contract of an instrument.

    Attributes
    ----------
    gain
        Settle units gained per contract.
    scale
        Factor on its notional.
    """

    gain: Decimal
    scale: Decimal


@lawful
def response(book: Book, row: Instrument, moves: Mapping[str, Decimal]) -> Response:
    """Work out how a contract answers to relative price moves by underlying."""
    own = ONE + moves.get(row.underlying or "", ZERO)
    if row.kind == "option":
        return Response(book.exposure(row.id) * (own - 1) / book.price(row.cash), own)
    if row.payoff == "inverse":
        return Response(book.notional(row.id) / row.mark * (1 - 1 / own), ONE)
    cash = ONE + moves.get(book.asset(row.cash).underlying or "", ZERO)
    return Response(row.size * row.mark * (own - 1), own * cash)


@dataclass(frozen=True, slots=True)
class _Split:
    """What moves with some underlyings, and the sums of what does not, numeraire."""

    moved: tuple[str, ...]
    assets: tuple[str, ...]
    needed: Decimal
    collateral: Decimal


class Shocked:
    """One margin pool whose prices can be moved; what a move leaves alone is computed once.

    Parameters
    ----------
    arrivals
        Whether money that was on its way before the plan counts as collateral.
    """

    def __init__(
        self,
        book: Book,
        state: State,
        account: str,
        pool: str | None = None,
        arrivals: bool = False,
    ) -> None:
        self.book, self.account = book, account
        self.held = contracts_carried(book, state, account, pool)
        names = pool_assets(book, state, account, pool, arrivals)
        self.units = {c: collateral_units(book, state, account, c, arrivals) for c in names}
        self.fixed: Decimal | None = None
        if book.accounts[account].margin.model == "scenario":
            self.fixed = requirements(book, state, account, pool).maintenance
        self.splits: dict[frozenset[str], _Split] = {}

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Underlyings whose price this pool depends on, sorted."""
        names = {self.book.instruments[name].underlying for name in self.held}
        assets = set(self.units) | {self.book.instruments[name].cash for name in self.held}
        names |= {self.book.asset(name).underlying for name in assets}
        return tuple(sorted(name for name in names if name is not None))

    @lawful
    def gap(self, moves: Mapping[str, Decimal]) -> Decimal:
        """Compute maintenance margin less collateral at moved prices, numeraire."""
        split = self._split(frozenset(moves))
        needed, units = split.needed, dict.fromkeys(split.assets, ZERO)
        for asset in split.assets:
            units[asset] = self.units.get(asset, ZERO)
        for name in split.moved:
            answer = response(self.book, self.book.instruments[name], moves)
            units[self.book.instruments[name].cash] += self.held[name] * answer.gain
            needed += self._needed(name, answer.scale)
        return needed - split.collateral - self._value(units, moves)

    @lawful
    def needed(self, moves: Mapping[str, Decimal]) -> Decimal:
        """Compute maintenance margin at moved prices, numeraire."""
        split, total = self._split(frozenset(moves)), ZERO
        for name in split.moved:
            total += self._needed(
                name, response(self.book, self.book.instruments[name], moves).scale
            )
        return split.needed + total

    @cached_property
    def at_rest(self) -> Mapping[str, Decimal]:
        """Maintenance margin at the snapshot's prices, by instrument, numeraire."""
        return {name: self._needed(name, ONE) for name in self.held}

    def _split(self, underlyings: frozenset[str]) -> _Split:
        """Separate what moves with some underlyings from what stays; once for each set."""
        if underlyings not in self.splits:
            book = self.book
            rows = {name: book.instruments[name] for name in self.held}
            moved = tuple(
                name
                for name, row in rows.items()
                if row.underlying in underlyings or book.asset(row.cash).underlying in underlyings
            )
            cash = {rows[name].cash for name in moved}
            assets = tuple(
                asset
                for asset in {**dict.fromkeys(self.units), **dict.fromkeys(sorted(cash))}
                if asset in cash or book.asset(asset).underlying in underlyings
            )
            needed = sum((v for name, v in self.at_rest.items() if name not in moved), ZERO)
            if self.fixed is not None:
                needed = self.fixed
            kept = {c: units for c, units in self.units.items() if c not in assets}
            self.splits[underlyings] = _Split(moved, assets, needed, self._value(kept, {}))
        return self.splits[underlyings]

    def _needed(self, name: str, scale: Decimal) -> Decimal:
        if self.fixed is not None:
            return ZERO
        return requirement(self.book, self.account, name, self.held[name], scale).maintenance

    def _value(self, units: Mapping[str, Decimal], moves: Mapping[str, Decimal]) -> Decimal:
        total = ZERO
        for asset, amount in units.items():
            row = self.book.asset(asset)
            price = row.price * (ONE + moves.get(row.underlying or "", ZERO))
            total += marginal_value(self.book.ratios(self.account, asset), amount) * price
        return total


def binding_stresses(book: Book, account: str) -> tuple[Stress, ...]:
    """List the stress cases that bind an account: a scenario model has cases of its own."""
    if book.accounts[account].margin.model == "scenario":
        return ()
    return book.policy.stress


@lawful
def liquidation_distances(book: Book, state: State, account: str) -> dict[str, Decimal | None]:
    """Find, by underlying, the nearest price move at which collateral equals maintenance margin.

    The move is signed (-0.2: a fall by 20 %) and searched in (-1, 1]; zero where collateral is
    already short, None where no move does it. In single-asset mode the nearest of all pools.
    Scenario margin is held at its present level.
    """
    out: dict[str, Decimal | None] = {}
    for pool in pools(book, account):
        shocked = Shocked(book, state, account, pool)
        if not shocked.held:
            continue
        for name in shocked.underlyings:
            found, known = _nearest(shocked, name), out.get(name)
            if known is None or (found is not None and abs(found) < abs(known)):
                out[name] = found
    return out


def _nearest(shocked: Shocked, underlying: str) -> Decimal | None:
    def gap(move: Decimal) -> Decimal:
        return shocked.gap({underlying: move})

    at_rest = gap(ZERO)
    if at_rest >= 0:
        return ZERO
    roots = [_root(gap, at_rest, end) for end in (LOWEST, HIGHEST)]
    return min((r for r in roots if r is not None), key=abs, default=None)


def _root(gap: Callable[[Decimal], Decimal], at_rest: Decimal, end: Decimal) -> Decimal | None:
    """Close in on the zero between rest (gap below 0) and an end, by false position (Illinois)."""
    safe, below = ZERO, at_rest
    far, above = end, gap(end)
    if above < 0:
        return None
    last = 0
    for _ in range(MOST_STEPS):
        move = safe - below * (far - safe) / (above - below)
        value = gap(move)
        if not value or min(abs(move - safe), abs(far - move)) < CLOSE_ENOUGH:
            return move
        side = -1 if value < 0 else 1
        if side < 0:
            safe, below = move, value
            above = above / 2 if side == last else above
        else:
            far, above = move, value
            below = below / 2 if side == last else below
        last = side
    return safe
