"""Accounts: one margin pool each, as problem.md section 1 has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator, model_validator

from allocator.models.base import ZERO, Name, NonNegative, Num, Positive, Value, VenueId
from allocator.models.market import CollateralTier, Tier, check_collateral, check_tiers

State = Literal["open", "reduce_only", "frozen"]
Side = Literal["buy", "sell"]


class FeeRates(Value):
    """Fees of one instrument or kind; None: the account's own rate holds.

    Attributes
    ----------
    maker, taker
        Fraction of notional; a maker rate may be a rebate (negative).
    """

    maker: Num | None = None
    taker: NonNegative | None = None


class Fees(Value):
    """Fees of an account.

    Attributes
    ----------
    maker, taker
        Fraction of notional.
    by
        Exceptions by instrument id or kind; the most specific wins.
    """

    maker: Num | None = None
    taker: NonNegative
    by: Mapping[str, FeeRates] = Field(default_factory=dict[str, FeeRates])


class MarginScenario(Value):
    """One scenario of a portfolio-margin account.

    Attributes
    ----------
    pnl
        Profit in numeraire per contract, by instrument.
    """

    pnl: Mapping[str, Num]


class Margin(Value):
    """How an account's margin is computed.

    Attributes
    ----------
    model
        Marginal brackets, the bracket's rate on the whole position, or worst scenario.
    asset_mode
        One pool for all assets, or one per settle asset.
    scenarios
        The scenarios of model ``scenario``.
    """

    model: Literal["tiered", "whole_position", "scenario"] = "tiered"
    asset_mode: Literal["multi", "single"] = "multi"
    scenarios: tuple[MarginScenario, ...] = ()

    @model_validator(mode="after")
    def _scenarios_belong(self) -> Margin:
        if (self.model == "scenario") != bool(self.scenarios):
            raise ValueError("scenarios are given for model scenario, and only for it")
        return self


class Balance(Value):
    """What an account holds of one asset.

    Attributes
    ----------
    wallet
        Units, without unrealised profit; what an isolated position has set aside is in it.
    withdrawable
        Units that may leave; None: nothing may.
    """

    wallet: Num
    withdrawable: NonNegative | None = None


class Legs(Value):
    """Both legs of a hedge-mode pair, in unsigned contracts."""

    long: NonNegative = ZERO
    short: NonNegative = ZERO


class Isolated(Value):
    """The separate margin of an isolated pair.

    Attributes
    ----------
    wallet
        Settle units set aside; part of the account's balance.
    """

    wallet: NonNegative


class Position(Value):
    """A pair: an account's place in a derivative.

    Attributes
    ----------
    quantity
        Contracts, positive long; with `legs` their difference if absent.
    entry_price, unrealised
        One of them is required of a non-zero position; unrealised in settle units.
    leverage
        The leverage selected for the pair.
    tiers
        Brackets of this account in place of the instrument's.
    tradable
        Whether the allocator may trade it.
    legs, isolated
        Hedge mode, isolated margin: not tradable.
    """

    quantity: Num | None = None
    entry_price: Positive | None = None
    unrealised: Num | None = None
    leverage: Positive | None = None
    tiers: tuple[Tier, ...] = ()
    tradable: bool = True
    legs: Legs | None = None
    isolated: Isolated | None = None

    _check = field_validator("tiers")(check_tiers)

    @model_validator(mode="after")
    def _is_whole(self) -> Position:
        if self.quantity is None and self.legs is None:
            raise ValueError("quantity is required (0 for a pair that may be traded)")
        if self.legs is not None and self.quantity not in (None, self.legs.long - self.legs.short):
            raise ValueError("quantity differs from legs.long - legs.short")
        held = bool(self.net) or (self.legs is not None and bool(self.legs.long or self.legs.short))
        if held and self.entry_price is None and self.unrealised is None:
            raise ValueError("a position that is not zero needs entry_price or unrealised")
        if (
            self.legs is not None
            and held
            and self.unrealised is None
            and self.legs.long
            and self.legs.short
        ):
            raise ValueError(
                "a pair with both legs needs unrealised: one entry price is not enough"
            )
        return self

    @property
    def net(self) -> Num:
        """Signed contracts, positive long."""
        if self.quantity is not None:
            return self.quantity
        assert self.legs is not None
        return self.legs.long - self.legs.short

    @property
    def may_trade(self) -> bool:
        """Whether orders and moves may change it."""
        return self.tradable and self.legs is None and self.isolated is None


class OpenOrder(Value):
    """An order that stands in a book, or waits for a trigger.

    Attributes
    ----------
    quantity
        Contracts not yet filled, unsigned.
    price
        Limit price; None: it trades at market, now or once it fires.
    waits
        Whether it waits for a trigger and stands in no book yet. What it may do counts all the
        same; only an order that does not rest cannot meet it. Not written out where it does not.
    """

    instrument: Name
    side: Side
    quantity: Positive
    price: Positive | None = None
    reduce_only: bool = False
    waits: bool = Field(default=False, exclude_if=lambda told: not told)


class SeenOrder(OpenOrder):
    """An open order as a reading shows it, with the name that it bears.

    An account of a snapshot leaves the name out: what is to be decided does not hang on it.

    Attributes
    ----------
    client_id
        Of an order of ours as its intent has it, of another as the venue tells it. Empty: it bears
        none; None: the venue does not tell.
    """

    client_id: VenueId | None = Field(default=None, exclude_if=lambda told: told is None)

    def nameless(self) -> OpenOrder:
        """Leave the name out."""
        return OpenOrder.model_validate({key: getattr(self, key) for key in OpenOrder.model_fields})


class InFlight(Value):
    """Money between two places.

    Attributes
    ----------
    amount
        Asset units.
    direction
        ``in`` comes to this account; ``out`` has left it already.
    eta_s
        Seconds until arrival, if known.
    """

    asset: Name
    amount: Positive
    direction: Literal["in", "out"]
    route: Name | None = None
    eta_s: NonNegative | None = None


class Account(Value):
    """One margin pool.

    Attributes
    ----------
    owner
        The legal entity that a venue aggregates.
    control_group
        Accounts under common control; the owner if absent.
    login
        Whose keys and rate budgets it uses.
    spot
        Spot instruments it may trade.
    order_budget
        Orders it may send this cycle; None: no such bound.
    ring_fenced
        Asset units that the allocator leaves alone.
    unread
        Whether its figures are not of the snapshot's time, or not whole: it could not be read,
        or something in it could not be priced. What it is worth is then not known.
    """

    id: Name
    venue: Name
    owner: Name
    control_group: Name | None = None
    login: Name | None = None
    state: State = "open"
    fees: Fees
    margin: Margin = Margin()
    balances: Mapping[str, Balance] = Field(default_factory=dict[str, Balance])
    collateral: Mapping[str, tuple[CollateralTier, ...]] = Field(
        default_factory=dict[str, tuple[CollateralTier, ...]]
    )
    positions: Mapping[str, Position] = Field(default_factory=dict[str, Position])
    spot: tuple[Name, ...] = ()
    open_orders: tuple[OpenOrder, ...] = ()
    in_flight: tuple[InFlight, ...] = ()
    order_budget: int | None = Field(default=None, ge=0)
    ring_fenced: Mapping[str, NonNegative] = Field(default_factory=dict[str, NonNegative])
    unread: bool = Field(default=False, exclude_if=lambda told: not told)

    @field_validator("open_orders")
    @classmethod
    def _orders_are_nameless(cls, rows: tuple[OpenOrder, ...]) -> tuple[OpenOrder, ...]:
        return tuple(row.nameless() if isinstance(row, SeenOrder) else row for row in rows)

    @field_validator("collateral")
    @classmethod
    def _collateral_falls(
        cls, rows: Mapping[str, tuple[CollateralTier, ...]]
    ) -> Mapping[str, tuple[CollateralTier, ...]]:
        for asset, tiers in rows.items():
            try:
                check_collateral(tiers)
            except ValueError as error:
                raise ValueError(f"{asset}: {error}") from error
        return rows

    @property
    def group(self) -> str:
        """The control group, by default the owner."""
        return self.owner if self.control_group is None else self.control_group

    @property
    def single(self) -> bool:
        """Whether each settle asset is a margin pool of its own."""
        return self.margin.asset_mode == "single"
