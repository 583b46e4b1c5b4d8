"""The shock of a scenario file: what happens to a book before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from allocator.models.account import State
from allocator.models.base import Name, NonNegative, Num, Positive, Value, exact, plain


def fraction(value: object) -> Decimal:
    """Read a fraction, or a percentage such as ``-20%``.

    Raises
    ------
    ValueError
        For a bare number above one: whoever writes 20 means a fifth, and would get a rise to 21
        times.
    """
    if isinstance(value, str) and value.strip().endswith("%"):
        return exact(value.strip()[:-1]).scaleb(-2)
    out = exact(value)
    if out > 1:
        told, often, percent = plain(out), plain(out + 1), plain(out * 100)
        said = f"{told} is a rise to {often} times; write {told}% or, if it is meant, {percent}%"
        raise ValueError(said)
    return out


Fraction = Annotated[
    Num,
    BeforeValidator(fraction),
    Field(gt=-1),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": r"^[+-]?[0-9.]+%?$"}, {"type": "number"}]}
    ),
]
"""A relative change above -1; ``-20%`` and ``-0.2`` are the same."""


class Adjust(Value):
    """A change of one figure; exactly one of multiply, add and set.

    Attributes
    ----------
    multiply, add, set
        What is done to the figure, in its own unit.
    """

    multiply: NonNegative | None = None
    add: Num | None = None
    set: Num | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Adjust:
        if sum(value is not None for value in (self.multiply, self.add, self.set)) != 1:
            raise ValueError("a change is exactly one of multiply, add and set")
        return self

    def of(self, value: Decimal) -> Decimal:
        """Apply it to a figure."""
        if self.multiply is not None:
            return value * self.multiply
        if self.add is not None:
            return value + self.add
        assert self.set is not None
        return self.set


class Change(Adjust):
    """A change of many figures alike; exactly one of multiply, add and set.

    Attributes
    ----------
    multiply, add, set
        What is done to each figure, in its own unit.
    only
        Names it is limited to: instruments, underlyings, assets, accounts or venues; empty: all.
    """

    only: tuple[Name, ...] = ()


class FundingChange(Change):
    """A change of funding rates, which have a sign; exactly one of multiply, add and set.

    Attributes
    ----------
    multiply
        The factor; a negative one turns who pays.
    """

    multiply: Num | None = None


class SizeChange(Change):
    """A change of figures of zero or more; exactly one of multiply, add and set.

    Attributes
    ----------
    set
        What each figure is from now on; what `add` would take below zero becomes zero.
    """

    set: NonNegative | None = None


class RatioChange(Change):
    """A change of figures from zero to one; exactly one of multiply, add and set.

    Attributes
    ----------
    set
        What each figure is from now on; what `multiply` and `add` would take beyond stays within.
    """

    set: Annotated[NonNegative, Field(le=1)] | None = None


class CorrelationChange(Change):
    """A change of correlations, from -1 to 1; exactly one of multiply, add and set.

    Attributes
    ----------
    set
        What each figure is from now on; what `multiply` and `add` would take beyond stays within.
    """

    set: Annotated[Num, Field(ge=-1, le=1)] | None = None


class Scale(Value):
    """A factor on several figures at once.

    Attributes
    ----------
    multiply
        The factor.
    only
        Names it is limited to: instruments, underlyings, accounts or venues; empty: all.
    """

    multiply: Positive
    only: tuple[Name, ...] = ()


class SpreadScale(Scale):
    """A factor on the distance of bid and ask from their middle; zero closes them up.

    Attributes
    ----------
    multiply
        The factor.
    only
        Names it is limited to: instruments, underlyings or venues; empty: all.
    """

    multiply: NonNegative


class VenueShock(Value):
    """What happens to a venue.

    Attributes
    ----------
    withdrawals, deposits
        ``halted``: nothing leaves the venue any more, or comes in; transfers inside it go on.
        ``open``: what the book or an earlier shock has closed is open again.
    outage
        Its accounts are frozen.
    """

    withdrawals: Literal["halted", "open"] | None = None
    deposits: Literal["halted", "open"] | None = None
    outage: bool = False


class AccountShock(Value):
    """What happens to an account.

    Attributes
    ----------
    state
        Its new state.
    """

    state: State


class LimitShock(Value):
    """What happens to a limit; exactly one of multiply, add, set and lifted.

    Attributes
    ----------
    multiply, add, set
        What is done to its max, or to its min where it has no max.
    lifted
        It is gone.
    """

    multiply: NonNegative | None = None
    add: Num | None = None
    set: Num | None = None
    lifted: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> LimitShock:
        if sum(v is not None for v in (self.multiply, self.add, self.set, self.lifted)) != 1:
            raise ValueError("a limit changes by exactly one of multiply, add, set and lifted")
        return self

    @property
    def adjust(self) -> Adjust:
        """The change of its figure."""
        return Adjust(multiply=self.multiply, add=self.add, set=self.set)


class Flow(Value):
    """Money that comes from outside the book, or goes there.

    Attributes
    ----------
    amount
        Asset units.
    """

    account: Name
    asset: Name
    amount: Positive


class HandTrade(Value):
    """A trade that somebody made by hand, past the allocator.

    Attributes
    ----------
    quantity
        Contracts (spot: base units) that were added, positive bought.
    price
        What was paid; by default the mark.
    leverage
        Selected with it; without one the account's own stays, and a pair that is new to the
        account may not be traded.
    """

    account: Name
    instrument: Name
    quantity: Num
    price: Positive | None = None
    leverage: Positive | None = None

    @model_validator(mode="after")
    def _is_some(self) -> HandTrade:
        if not self.quantity:
            raise ValueError("quantity: a trade of nothing is none")
        return self


class Shock(Value):
    """What happens to a book before anything is decided.

    The parts of one shock happen in the order of this list; where another order is meant, a
    file has a list of shocks.

    Attributes
    ----------
    note
        What it stands for, in words.
    prices
        Relative change by underlying or asset: ``{BTC: -20%}``.
    volatility
        Of daily volatility, of instruments and (by underlying) of the risk forecast; options are
        revalued with it.
    correlation
        Of the forecast between underlyings; `only` limits it to pairs of these.
    volume
        Of daily volume.
    spreads
        Factor on the distance of bid and ask from their middle.
    funding
        Of funding rates.
    fees
        Of taker and maker fees; a taker's ends at zero, a maker's may become a rebate as large as
        the taker's fee.
    margin
        Factor on the rates and deductions of brackets; largest leverages are divided by it.
    brackets
        Factor on the caps of brackets.
    haircuts
        Of haircuts, assets' and accounts' own; `only` may name assets, accounts and venues.
    venues, accounts
        By id.
    deposits, withdrawals
        Money from outside the book, and out of it.
    positions
        Trades made by hand elsewhere.
    targets
        Of a target's delta in its own unit, by underlying.
    limits
        By id.
    """

    note: str = ""
    prices: Mapping[str, Fraction] = Field(default_factory=dict[str, Fraction])
    volatility: SizeChange | None = None
    correlation: CorrelationChange | None = None
    volume: SizeChange | None = None
    spreads: SpreadScale | None = None
    funding: FundingChange | None = None
    fees: Change | None = None
    margin: Scale | None = None
    brackets: Scale | None = None
    haircuts: RatioChange | None = None
    venues: Mapping[str, VenueShock] = Field(default_factory=dict[str, VenueShock])
    accounts: Mapping[str, AccountShock] = Field(default_factory=dict[str, AccountShock])
    deposits: tuple[Flow, ...] = ()
    withdrawals: tuple[Flow, ...] = ()
    positions: tuple[HandTrade, ...] = ()
    targets: Mapping[str, Adjust] = Field(default_factory=dict[str, Adjust])
    limits: Mapping[str, LimitShock] = Field(default_factory=dict[str, LimitShock])


class ShockSource(Value):
    """A shock that stands in a file of its own, or is the shock of another scenario file.

    Attributes
    ----------
    file
        Relative to this file.
    """

    file: str
