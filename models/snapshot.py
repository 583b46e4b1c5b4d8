"""The snapshot: one dated picture of every account, instrument, price and route."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

from pydantic import Field

from allocator.models.account import Account
from allocator.models.base import ZERO, Name, NonNegative, Positive, Utc, Value
from allocator.models.market import Asset, Instrument

RouteKind = Literal["internal", "onchain", "settlement"]


class Route(Value):
    """A way to send one asset from one account to another.

    Attributes
    ----------
    id
        Names it in plans, and among the addresses.
    source, target
        Accounts; ``from`` and ``to`` in files.
    asset
        What it carries.
    kind
        ``internal``: within a venue; ``onchain``: a withdrawal to an address; ``settlement``: by an
        agreement between venues.
    fee
        Asset units, charged to the sender on top of the amount.
    rate
        Fraction of the amount, charged the same way.
    min, max, step
        Bounds and multiple of the amount, asset units; max None: none; step 0: any.
    latency_s
        Seconds until arrival.
    enabled
        Whether plans may use it.
    """

    id: Name
    source: Name = Field(alias="from")
    target: Name = Field(alias="to")
    asset: Name
    kind: RouteKind = "internal"
    fee: NonNegative = ZERO
    rate: NonNegative = ZERO
    min: NonNegative = ZERO
    max: NonNegative | None = None
    step: NonNegative = ZERO
    latency_s: NonNegative = ZERO
    enabled: bool = True


class MoveRule(Value):
    """A permission to carry a position between two accounts of one owner at one venue.

    Attributes
    ----------
    source, target
        Accounts; ``from`` and ``to`` in files.
    instrument
        Whose position, with the venue's prefix.
    fee
        Numeraire a move, paid by the sender.
    max_notional
        Numeraire a move; None: no bound.
    """

    source: Name = Field(alias="from")
    target: Name = Field(alias="to")
    instrument: Name
    fee: NonNegative = ZERO
    max_notional: Positive | None = None


class Snapshot(Value):
    """One dated, immutable picture of the book.

    References between its parts are checked together with the mandate, by
    `allocator.models.refusals.book_problems`.
    """

    as_of: Utc
    numeraire: Literal["USD"] = "USD"
    assets: Mapping[str, Asset]
    instruments: tuple[Instrument, ...] = ()
    accounts: tuple[Account, ...]
    routes: tuple[Route, ...] = ()
    moves: tuple[MoveRule, ...] = ()

    @cached_property
    def instrument(self) -> Mapping[str, Instrument]:
        """Instruments by id."""
        return {row.id: row for row in self.instruments}

    @cached_property
    def account(self) -> Mapping[str, Account]:
        """Accounts by id."""
        return {row.id: row for row in self.accounts}

    @cached_property
    def route(self) -> Mapping[str, Route]:
        """Routes by id."""
        return {row.id: row for row in self.routes}
