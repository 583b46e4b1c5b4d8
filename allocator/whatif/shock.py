"""The shock of a scenario file: what happens to a book before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from allocator.models.account import State
from allocator.models.base import Name, NonNegative, Num, Value, exact


def fraction(value: object) -> Decimal:
    """Read a fraction, or a percentage such as ``-20%``."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return exact(value.strip()[:-1]).scaleb(-2)
    return exact(value)


Fraction = Annotated[
    Num,
    BeforeValidator(fraction),
    Field(gt=-1),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": r"^[+-]?[0-9.]+%?$"}, {"type": "number"}]}
    ),
]
"""A relative change above -1; ``-20%`` and ``-0.2`` are the same."""


class Change(Value):
    """A change of a figure; exactly one of multiply, add and set.

    Attributes
    ----------
    multiply, add, set
        What is done to the figure, in its own unit.
    only
        Names it is limited to: instruments, underlyings, accounts or venues; empty: all.
    """

    multiply: NonNegative | None = None
    add: Num | None = None
    set: Num | None = None
    only: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _is_one(self) -> Change:
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


class Scale(Value):
    """A factor on several figures at once.

    Attributes
    ----------
    multiply
        The factor.
    only
        Names it is limited to: instruments, underlyings, accounts or venues; empty: all.
    """

    multiply: NonNegative
    only: tuple[Name, ...] = ()


class VenueShock(Value):
    """What happens to a venue.

    Attributes
    ----------
    withdrawals
        ``halted``: nothing leaves the venue any more; transfers inside it go on.
    outage
        Its accounts are frozen.
    """

    withdrawals: Literal["halted", "open"] = "open"
    outage: bool = False


class AccountShock(Value):
    """What happens to an account.

    Attributes
    ----------
    state
        Its new state.
    """

    state: State


class Shock(Value):
    """What happens to a book before anything is decided.

    Attributes
    ----------
    prices
        Relative change by underlying or asset: ``{BTC: -20%}``.
    volatility
        Of daily volatility, of instruments and (by underlying) of the risk forecast.
    volume
        Of daily volume.
    spreads
        Factor on the distance of bid and ask from their middle.
    funding
        Of funding rates.
    fees
        Of taker and maker fees.
    margin
        Factor on the rates and deductions of brackets; largest leverages are divided by it.
    venues, accounts
        By id.
    """

    prices: Mapping[str, Fraction] = Field(default_factory=dict[str, Fraction])
    volatility: Change | None = None
    volume: Change | None = None
    spreads: Scale | None = None
    funding: Change | None = None
    fees: Change | None = None
    margin: Scale | None = None
    venues: Mapping[str, VenueShock] = Field(default_factory=dict[str, VenueShock])
    accounts: Mapping[str, AccountShock] = Field(default_factory=dict[str, AccountShock])
