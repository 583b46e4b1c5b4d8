"""Assets and instruments, as problem.md section 1 has them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Literal

from pydantic import Field, field_validator, model_validator

from allocator.models.base import ONE, ZERO, Name, NonNegative, Num, Positive, Utc, Value

Kind = Literal["spot", "perpetual", "future", "option"]
Payoff = Literal["linear", "inverse", "quanto"]
Status = Literal["open", "reduce_only", "halted"]
Ratio = NonNegative


class CollateralTier(Value):
    """A step of a tiered collateral ratio.

    Attributes
    ----------
    upto
        Upper end in asset units; None is the open last step.
    ratio
        Collateral value per value, marginal within the step.
    """

    upto: Positive | None
    ratio: Ratio


def check_collateral(tiers: tuple[CollateralTier, ...]) -> tuple[CollateralTier, ...]:
    """Refuse collateral steps that are out of order, rise with size or have no open end."""
    if not tiers:
        return tiers
    if tiers[-1].upto is not None or any(t.upto is None for t in tiers[:-1]):
        raise ValueError("the last collateral tier, and only it, has upto: null")
    ends = [t.upto for t in tiers[:-1] if t.upto is not None]
    if any(high <= low for low, high in itertools.pairwise(ends)):
        raise ValueError("collateral tiers must ascend by upto")
    if any(b.ratio > a.ratio for a, b in itertools.pairwise(tiers)):
        raise ValueError("collateral ratios must not rise with size")
    return tiers


class Asset(Value):
    """Something that can be held.

    Attributes
    ----------
    price
        Numeraire per unit.
    underlying
        What holding it is exposure to; None: nothing.
    haircut
        Fraction of a positive balance that is no collateral; used when `collateral` is empty.
    collateral
        Marginal collateral ratios by size, in place of `haircut`.
    borrow_rate
        Interest a year on a negative wallet.
    """

    price: Positive
    underlying: Name | None = None
    haircut: NonNegative = Field(default=ZERO, le=1)
    collateral: tuple[CollateralTier, ...] = ()
    borrow_rate: NonNegative = ZERO

    _check = field_validator("collateral")(check_collateral)

    @cached_property
    def ratios(self) -> tuple[CollateralTier, ...]:
        """Collateral tiers, the haircut written as one open tier."""
        return self.collateral or (CollateralTier(upto=None, ratio=ONE - self.haircut),)


class Funding(Value):
    """Funding of a perpetual; a long pays when the rate is positive.

    Attributes
    ----------
    rate
        Fraction of notional per settlement.
    interval_h
        Hours between settlements.
    next_at
        The next settlement; None: unknown, settlements are taken pro rata.
    """

    rate: Num = ZERO
    interval_h: Positive
    next_at: Utc | None = None


class Tier(Value):
    """A margin bracket.

    Attributes
    ----------
    cap
        Upper end in numeraire notional.
    maintenance, deduction
        Maintenance margin is ``maintenance x N - deduction`` (numeraire).
    max_leverage
        Largest leverage allowed in the bracket; None if `initial` is given.
    initial, initial_deduction
        Initial margin computed like maintenance, in place of a leverage.
    """

    cap: Positive
    maintenance: NonNegative
    deduction: Num = ZERO
    max_leverage: Positive | None = None
    initial: NonNegative | None = None
    initial_deduction: Num = ZERO

    @model_validator(mode="after")
    def _has_initial_rule(self) -> Tier:
        if self.max_leverage is None and self.initial is None:
            raise ValueError("a tier needs max_leverage or initial")
        return self


def check_tiers(tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    """Refuse brackets whose caps do not ascend or that mix the two rules for initial margin."""
    if any(high.cap <= low.cap for low, high in itertools.pairwise(tiers)):
        raise ValueError("tiers must ascend by cap")
    if len({t.initial is None for t in tiers}) > 1:
        raise ValueError("either every tier has initial or none has")
    return tiers


def convexity_problems(tiers: Iterable[Tier]) -> list[str]:
    """Say why marginal brackets are not a continuous, rising rate.

    A deduction may be off by max(1, 0.1 %) of the continuous value, as venues round it.
    """
    rows, out = tuple(tiers), list[str]()
    for low, high in itertools.pairwise(rows):
        edge = low.cap * low.maintenance - low.deduction
        jump = abs(low.cap * high.maintenance - high.deduction - edge)
        if high.maintenance < low.maintenance:
            out.append(f"maintenance rates fall at the cap {low.cap}")
        elif jump > max(ONE, abs(edge) / 1000):
            out.append(f"deductions jump by {jump} at the cap {low.cap}")
        if low.initial is not None and high.initial is not None:
            edge = low.cap * low.initial - low.initial_deduction
            jump = abs(low.cap * high.initial - high.initial_deduction - edge)
            if high.initial < low.initial:
                out.append(f"initial rates fall at the cap {low.cap}")
            elif jump > max(ONE, abs(edge) / 1000):
                out.append(f"initial deductions jump by {jump} at the cap {low.cap}")
    return out


class Instrument(Value):
    """A market of a venue.

    Attributes
    ----------
    id
        ``venue:symbol``.
    base, quote
        Spot: what is bought and what pays. Inverse: `quote` is the currency of contract_size.
    settle
        Asset in which a derivative pays.
    contract_size
        Base units a contract; inverse: quote units a contract. None for spot.
    lot, min_quantity, max_quantity
        Contracts; the maximum is per order.
    tick
        Price step.
    min_notional
        Numeraire per order.
    bid, ask, mark
        Prices; of options the premium.
    daily_volume
        Numeraire a day.
    daily_volatility
        Standard deviation of a day's return.
    delta
        Options: underlying units per unit, net of what equity already counts.
    expiry
        Time of expiry; None: none.
    """

    id: Name
    kind: Kind
    payoff: Payoff = "linear"
    base: Name | None = None
    quote: Name | None = None
    underlying: Name | None = None
    settle: Name | None = None
    contract_size: Positive | None = None
    lot: Positive
    tick: Positive
    min_quantity: NonNegative = ZERO
    min_notional: NonNegative = ZERO
    max_quantity: Positive | None = None
    bid: NonNegative | None = None
    ask: NonNegative | None = None
    mark: Positive
    daily_volume: NonNegative | None = None
    daily_volatility: NonNegative | None = None
    funding: Funding | None = None
    delta: Num | None = None
    expiry: Utc | None = None
    status: Status = "open"
    tiers: tuple[Tier, ...] = ()

    _check = field_validator("tiers")(check_tiers)

    @model_validator(mode="after")
    def _is_whole(self) -> Instrument:
        missing = [name for name in self._needed() if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a {self.kind} needs {', '.join(missing)}")
        if self.bid is not None and self.ask is not None and self.ask < self.bid:
            raise ValueError(f"ask {self.ask} is below bid {self.bid}")
        if self.kind in ("spot", "option") and self.payoff != "linear":
            raise ValueError(f"a {self.kind} is linear here: its payoff is in delta and settle")
        return self

    def _needed(self) -> tuple[str, ...]:
        if self.kind == "spot":
            return ("base", "quote")
        common = ("contract_size", "settle", "underlying")
        return common + {"perpetual": ("funding",), "option": ("delta",)}.get(self.kind, ())

    @property
    def venue(self) -> str:
        """The venue of the id."""
        return self.id.split(":", 1)[0]

    @property
    def cash(self) -> str:
        """The asset that pays: the quote of spot, the settle asset of a derivative."""
        asset = self.quote if self.kind == "spot" else self.settle
        assert asset is not None
        return asset

    @property
    def size(self) -> Decimal:
        """Contract size; one for spot."""
        return ONE if self.contract_size is None else self.contract_size

    @property
    def is_spot(self) -> bool:
        """Whether balances, not positions, carry it."""
        return self.kind == "spot"


Assets = Mapping[str, Asset]
