"""The mandate: what the owner wants, as problem.md section 2 has it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from allocator.models.base import ONE, ZERO, Name, NonNegative, Num, Positive, Value

Measure = Literal[
    "long_notional",
    "short_notional",
    "gross_notional",
    "net_notional",
    "quantity",
    "leverage",
    "equity",
    "orders",
    "turnover",
    "transfer_out",
]
Counted = Literal["positions", "open_orders", "in_flight"]
PLAN_MEASURES = frozenset({"orders", "turnover", "transfer_out"})
"""Measures of the plan itself, not of a state."""


class Target(Value):
    """The aggregate exposure wanted to one underlying.

    Attributes
    ----------
    underlying
        To what.
    delta
        Signed; in base units or numeraire by `unit`.
    unit
        Of `delta` and `band`.
    band
        Half-width around it that is not worth correcting, same unit.
    """

    underlying: Name
    delta: Num
    unit: Literal["base", "numeraire"] = "numeraire"
    band: NonNegative = ZERO


class Scope(Value):
    """Whose positions a limit adds up: one key, or owner and venue together.

    Attributes
    ----------
    account
        One account; needs the limit's `source`.
    owner
        With `venue`: what one owner has there.
    venue
        Alone: everything there.
    control_group
        The accounts of a group.
    portfolio
        The whole book.
    """

    account: Name | None = None
    owner: Name | None = None
    venue: Name | None = None
    control_group: Name | None = None
    portfolio: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one_form(self) -> Scope:
        given = frozenset(self.given)
        forms = [{"account"}, {"owner", "venue"}, {"venue"}, {"control_group"}, {"portfolio"}]
        if given not in [frozenset(f) for f in forms]:
            raise ValueError(
                "a scope is one of {account}, {owner, venue}, {venue}, {control_group}, "
                "{portfolio: true}"
            )
        return self

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the keys that are set."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)


class Selector(Value):
    """Which instruments a limit measures; every key that is set must match.

    Attributes
    ----------
    any
        All of them.
    underlying
        Those of an underlying.
    instrument
        One, with its venue's prefix.
    asset
        Of equity and transfers: one asset.
    """

    any: Literal[True] | None = None
    underlying: Name | None = None
    instrument: Name | None = None
    asset: Name | None = None


class Limit(Value):
    """A bound on a measure over a scope.

    Attributes
    ----------
    id
        Names it in plans and alerts.
    measure
        Notionals are by mark; `orders`, `turnover` and `transfer_out` are of the plan
        alone.
    of
        What is measured.
    scope
        Whose is added up.
    max, min
        Numeraire for notionals, turnover, transfers and equity; contracts for quantity;
        a ratio for leverage; a count for orders. `min` is for equity alone.
    counts
        What the measure adds to positions.
    source
        Where the limit is declared; required for the narrow scope of one account.
    """

    id: Name
    measure: Measure
    of: Selector = Selector()
    scope: Scope
    max: Num | None = None
    min: Num | None = None
    counts: tuple[Counted, ...] = ("positions", "open_orders", "in_flight")
    source: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Limit:
        if self.max is None and self.min is None:
            raise ValueError("a limit needs max or min")
        if self.min is not None and self.measure != "equity":
            raise ValueError("min is for the measure equity only")
        if self.max is not None and self.max < 0 and self.measure != "equity":
            raise ValueError("max must not be negative")
        if self.scope.account is not None and not (self.source or "").strip():
            raise ValueError("a limit of the narrow scope of one account needs a source")
        return self


class Risk(Value):
    """Forecast risk.

    Attributes
    ----------
    daily_volatility
        By underlying; 0.03 where absent.
    correlation
        (U, V, rho) for all pairs or for none; 0.5 where none.
    """

    daily_volatility: Mapping[str, NonNegative] = Field(default_factory=dict[str, NonNegative])
    correlation: tuple[tuple[Name, Name, Num], ...] = ()


class Stress(Value):
    """A price shock that every account must survive.

    Attributes
    ----------
    id
        Names it in plans.
    prices
        Fraction by underlying, above -1.
    """

    id: Name
    prices: Mapping[str, Num]

    @model_validator(mode="after")
    def _leaves_a_price(self) -> Stress:
        for name, change in self.prices.items():
            if change <= -1:
                raise ValueError(
                    f"{name}: a shock of {change} leaves no price; it must be above -1"
                )
        return self


class Policy(Value):
    """Costs, buffers and switches.

    Attributes
    ----------
    risk_aversion
        Weight of the variance of what is off its target, 1/numeraire; 0: the band alone counts.
    horizon_h
        Hours over which costs are counted.
    band_penalty
        Numeraire per numeraire outside a band.
    impact
        Factor of the square-root law.
    order_cost, transfer_cost, move_cost
        Numeraire an action.
    capital_rate
        Cost a year of money under way.
    margin_buffer
        Fraction of maintenance margin to keep on top of it.
    max_slice
        Numeraire a slice; 0: orders are sent whole.
    collar_bps
        Basis points around mark that a limit price may reach.
    transfers, moves
        Whether plans may send money, and move positions.
    risk
        Volatility and correlation of the underlyings.
    alpha
        Expected return over the horizon, by instrument.
    venue_risk
        Expected loss rate a year, by venue.
    stress
        Shocks that every account has to survive.
    infeasible
        What to do when something stays broken: the best repair, or nothing.
    """

    risk_aversion: NonNegative = ZERO
    horizon_h: Positive = Decimal("8")
    band_penalty: NonNegative = Decimal("0.01")
    impact: NonNegative = ONE
    order_cost: NonNegative = ZERO
    transfer_cost: NonNegative = ZERO
    move_cost: NonNegative = ZERO
    capital_rate: NonNegative = Decimal("0.05")
    margin_buffer: NonNegative = ZERO
    max_slice: NonNegative = ZERO
    collar_bps: NonNegative = Decimal("50")
    transfers: bool = True
    moves: bool = True
    risk: Risk = Risk()
    alpha: Mapping[str, Num] = Field(default_factory=dict[str, Num])
    venue_risk: Mapping[str, NonNegative] = Field(default_factory=dict[str, NonNegative])
    stress: tuple[Stress, ...] = ()
    infeasible: Literal["repair_only", "hold"] = "repair_only"


class Mandate(Value):
    """Targets, limits and policy of one book.

    Attributes
    ----------
    targets
        Exposure that is wanted, by underlying.
    targets_default
        Of an underlying without a target: what is held stays, or goes to zero.
    limits
        What must not be exceeded.
    policy
        Costs, buffers and switches.
    """

    targets: tuple[Target, ...] = ()
    targets_default: Literal["hold", "zero"] = "hold"
    limits: tuple[Limit, ...] = ()
    policy: Policy = Policy()
