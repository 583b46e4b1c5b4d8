"""Options revalued: at the strike that their symbol tells, and at the volatility they imply.

Black's formula of 1976 on the underlying's price as the forward, without interest: the premium
before the shock implies a volatility; the premium and the delta after it follow from the moved
forward and the moved volatility. A told delta is rarely the formula's own (venues smooth their
volatilities): read as N(d1) it tells a d1, and the move shifts that by as much as the formula's
own. So the delta begins at what is told and ends, as every option's, at none or the whole. Where
no strike is told, the premium implies no volatility (it lies outside what any volatility gives, or
the option has expired), or the told delta is none that the option can have, the premium moves
along the delta and the delta stays.

Source: F. Black, The pricing of commodity contracts, J. Financial Economics 3 (1976), eq. (16).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from statistics import NormalDist

from allocator.models.base import ONE
from allocator.models.market import Instrument

SMALLEST_PREMIUM = Decimal("1e-8")
"""What an option is worth at least: by its delta alone it would fall below nothing."""

SYMBOL = re.compile(r"-\d{6}-(?P<strike>\d+(?:\.\d+)?)-(?P<right>[CP])\Z")
"""How a unified symbol ends: ``BTC/USD:BTC-261225-70000-C``."""

YEAR_S = 365 * 86400
DIGITS = Context(prec=12)
"""Digits of a revalued figure: as many as a float's formula is good for."""

NORMAL = NormalDist()
EDGE, ROUNDED = 1e-9, 0.005
"""How near to none and to the whole a delta is read, and how far beyond rounding may take it."""

LOW, HIGH, STEPS = 1e-4, 20.0, 200
"""Volatilities a year between which the implied one is sought, and halvings of the interval."""


@dataclass(frozen=True, slots=True)
class Move:
    """What happens to the market that an option stands in.

    Attributes
    ----------
    forward, forward_after
        Price of the underlying, numeraire.
    settle, settle_after
        Price of the asset that the premium is in, numeraire.
    volatility, volatility_after
        A day's, before and after: the implied one moves as this one does.
    """

    forward: Decimal
    forward_after: Decimal
    settle: Decimal
    settle_after: Decimal
    volatility: Decimal
    volatility_after: Decimal


@dataclass(frozen=True, slots=True)
class _Terms:
    """An option's strike, right and time to expiry in years."""

    strike: float
    call: bool
    years: float

    def price(self, forward: float, volatility: float) -> float:
        """Price it in numeraire per unit."""
        root, d1 = volatility * math.sqrt(self.years), self.d1(forward, volatility)
        call = forward * _normal(d1) - self.strike * _normal(d1 - root)
        return call if self.call else call - forward + self.strike

    def d1(self, forward: float, volatility: float) -> float:
        """Give what its delta is the normal distribution of, less one for a put."""
        root = volatility * math.sqrt(self.years)
        return math.log(forward / self.strike) / root + root / 2

    def told_d1(self, delta: float) -> float | None:
        """Find the d1 that gives a delta, underlying units per unit; None: none does."""
        share = delta if self.call else delta + 1
        if not -ROUNDED <= share <= 1 + ROUNDED:
            return None
        return NORMAL.inv_cdf(min(max(share, EDGE), 1 - EDGE))

    def implied(self, forward: float, price: float) -> float | None:
        """Find the volatility a year that gives a price; None: none does."""
        low, high = LOW, HIGH
        if not self.price(forward, low) < price < self.price(forward, high):
            return None
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.price(forward, middle) < price else (low, middle)
        return (low + high) / 2


def _normal(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


def revalued(inst: Instrument, move: Move, as_of: datetime) -> tuple[Decimal, Decimal]:
    """Price an option after a move.

    Returns
    -------
    premium, delta
        Premium in its settle asset; delta net of what equity counts, as the instrument has it.
    """
    assert inst.delta is not None
    if move.forward_after == move.forward and move.volatility_after == move.volatility:
        return inst.mark * move.settle / move.settle_after, inst.delta
    terms = _terms(inst, as_of)
    return _by_formula(inst, move, terms) or _by_delta(inst, move)


def _terms(inst: Instrument, as_of: datetime) -> _Terms | None:
    told = SYMBOL.search(inst.id)
    if told is None or inst.expiry is None or inst.expiry <= as_of:
        return None
    years = (inst.expiry - as_of).total_seconds() / YEAR_S
    return _Terms(float(told["strike"]), told["right"] == "C", years)


def _by_formula(
    inst: Instrument, move: Move, terms: _Terms | None
) -> tuple[Decimal, Decimal] | None:
    before, after = float(move.forward), float(move.forward_after)
    worth = float(inst.mark * move.settle)
    implied = terms.implied(before, worth) if terms is not None else None
    if terms is None or implied is None:
        return None
    assert inst.delta is not None
    net = inst.settle == inst.underlying  # equity counts the premium in coin: delta is net of it
    told = terms.told_d1(float(inst.delta + inst.mark if net else inst.delta))
    if told is None:
        return None
    moved = implied
    if move.volatility:
        moved *= float(move.volatility_after / move.volatility)
    moved = min(max(moved, LOW), HIGH)
    price = _exact(terms.price(after, moved) - terms.price(before, implied))
    premium = max((inst.mark * move.settle + price) / move.settle_after, SMALLEST_PREMIUM)
    d1 = told + terms.d1(after, moved) - terms.d1(before, implied)
    delta = _exact(_normal(d1) - (0 if terms.call else 1))
    return premium, delta - premium if net else delta


def _by_delta(inst: Instrument, move: Move) -> tuple[Decimal, Decimal]:
    """Move the premium along the line of the delta; gamma and vega are left out."""
    assert inst.delta is not None
    slope = inst.delta
    if inst.settle == inst.underlying:
        slope += inst.mark
    worth = inst.mark * move.settle + slope * (move.forward_after - move.forward)
    return max(worth / move.settle_after, SMALLEST_PREMIUM), inst.delta * ONE


def _exact(value: float) -> Decimal:
    return DIGITS.create_decimal_from_float(value)
