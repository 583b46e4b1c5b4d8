"""What margin depends on of a pair, whatever is held in it: worked out once for a book."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from allocator.margin.lines import Lines, largest, marginal
from allocator.models.account import Position
from allocator.models.base import ZERO
from allocator.models.errors import Problem, SnapshotError
from allocator.models.market import Instrument, Tier
from allocator.state import Book


@dataclass(frozen=True, slots=True)
class Schedule:
    """The brackets of a pair, ready to be asked for margin.

    Attributes
    ----------
    tiers, caps
        The brackets, and their upper ends.
    maintenance
        Maintenance margin by notional; None: the bracket's rate on the whole position.
    initial
        Initial margin by notional; None: by leverage.
    """

    tiers: tuple[Tier, ...]
    caps: tuple[Decimal, ...]
    maintenance: Lines | None
    initial: Lines | None

    @classmethod
    def of(cls, tiers: tuple[Tier, ...], model: str) -> Schedule:
        """Prepare brackets for a margin model."""
        rows = [(t.maintenance, -t.deduction) for t in tiers]
        first = [(t.initial or ZERO, -t.initial_deduction) for t in tiers]
        return cls(
            tiers,
            tuple(tier.cap for tier in tiers),
            None if model == "whole_position" else largest(rows),
            None if tiers[0].initial is None else largest(first),
        )

    def bracket(self, notional: Decimal) -> Tier:
        """Find the bracket that holds a notional; the last one above all caps."""
        return self.tiers[min(bisect_left(self.caps, notional), len(self.tiers) - 1)]


@dataclass(frozen=True, slots=True)
class Reaction:
    """How a contract answers to a price move.

    Attributes
    ----------
    own, coin
        Its underlying, and the underlying of the asset that it settles in.
    form
        How profit grows with the own underlying's relative move m: as m, or for inverse
        contracts as m / (1 + m).
    gain
        Settle units gained per contract and that.
    own_scales, coin_scales
        Whether its notional moves with them.
    """

    own: str | None
    coin: str | None
    form: Literal["straight", "inverse"]
    gain: Decimal
    own_scales: bool
    coin_scales: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What margin depends on of one pair.

    Attributes
    ----------
    cash
        The asset that it settles in.
    unit
        Notional per contract, numeraire.
    contracts
        Both legs of a hedged pair, which need margin whatever their difference; else None.
    isolated
        Whether a wallet of its own carries it.
    leverage
        The leverage selected; None: the bracket's.
    schedule
        Its brackets; None: it has none.
    """

    name: str
    cash: str
    unit: Decimal
    contracts: Decimal | None
    isolated: bool
    leverage: Decimal | None
    schedule: Schedule | None
    reaction: Reaction

    def notional(self, quantity: Decimal) -> Decimal:
        """Value what needs margin where signed contracts are held, numeraire."""
        return (abs(quantity) if self.contracts is None else self.contracts) * self.unit

    def maintenance(self, notional: Decimal) -> Decimal:
        """Compute maintenance margin, numeraire."""
        if not notional:
            return ZERO
        schedule = self.brackets()
        if schedule.maintenance is None:
            return notional * schedule.bracket(notional).maintenance
        return schedule.maintenance(notional)

    def initial(self, notional: Decimal) -> Decimal:
        """Compute initial margin, numeraire."""
        if not notional:
            return ZERO
        schedule = self.brackets()
        if schedule.initial is not None:
            return schedule.initial(notional)
        leverage = self.leverage
        if leverage is None:
            leverage = schedule.bracket(notional).max_leverage
        assert leverage is not None
        return notional / leverage

    def brackets(self) -> Schedule:
        """Look up the brackets.

        Raises
        ------
        SnapshotError
            When the pair is held under a bracket model without brackets.
        """
        if self.schedule is None:
            path = ("snapshot", "instruments", self.name, "tiers")
            raise SnapshotError([Problem(path, "the margin model needs brackets")])
        return self.schedule


class AccountTerms(dict[str, Terms]):
    """The terms of one account's pairs by instrument, each worked out when it is asked for.

    Accounts share the terms of pairs that do not differ.
    """

    def __init__(self, book: Book, account: str) -> None:
        super().__init__()
        self.book, self.places = book, book.accounts[account].positions
        self.account, self.model = account, book.accounts[account].margin.model
        self.shared: dict[Hashable, Terms] = book.once("shared terms", dict[Hashable, Terms])

    def __missing__(self, name: str) -> Terms:
        tiers, place = self.book.tiers.get((self.account, name), ()), self.places.get(name)
        if place is not None and (place.legs is not None or place.isolated is not None):
            found = self._made(name, tiers, place)
        else:
            kind = (name, id(tiers), self.model, None if place is None else place.leverage)
            if kind not in self.shared:
                self.shared[kind] = self._made(name, tiers, place)
            found = self.shared[kind]
        self[name] = found
        return found

    def _made(self, name: str, tiers: tuple[Tier, ...], place: Position | None) -> Terms:
        book, row = self.book, self.book.instruments[name]
        legs = None if place is None else place.legs
        return Terms(
            name=name,
            cash=row.cash,
            unit=book.units[name].notional,
            contracts=None if legs is None else legs.long + legs.short,
            isolated=place is not None and place.isolated is not None,
            leverage=None if place is None else place.leverage,
            schedule=_schedule(book, tiers, self.model),
            reaction=reaction_of(book, row),
        )


def terms_of(book: Book, account: str) -> AccountTerms:
    """Look up the terms of an account's pairs."""
    return book.once(("terms", account), lambda: AccountTerms(book, account))


def _schedule(book: Book, tiers: tuple[Tier, ...], model: str) -> Schedule | None:
    """Prepare brackets once for all pairs that share them; the book keeps them alive."""
    if not tiers:
        return None
    return book.once(("schedule", id(tiers), model), lambda: Schedule.of(tiers, model))


def reaction_of(book: Book, row: Instrument) -> Reaction:
    """Work out how an instrument's contracts answer to price moves; once for each instrument."""
    return book.once(("reaction", row.id), lambda: _reaction(book, row))


def _reaction(book: Book, row: Instrument) -> Reaction:
    own, coin = row.underlying, book.asset(row.cash).underlying
    if row.kind == "option":
        gain = book.exposure(row.id) / book.price(row.cash)
        return Reaction(own, coin, "straight", gain, own_scales=True, coin_scales=False)
    if row.payoff == "inverse":
        gain = book.notional(row.id) / row.mark
        return Reaction(own, coin, "inverse", gain, own_scales=False, coin_scales=False)
    return Reaction(own, coin, "straight", row.size * row.mark, own_scales=True, coin_scales=True)


def ratios_of(book: Book, account: str, asset: str) -> Lines:
    """Prepare the collateral ratios of an asset in an account."""
    own = book.accounts[account].collateral
    whose = account if own.get(asset) else None
    return book.once(("ratios", whose, asset), lambda: marginal(book.ratios(account, asset)))
