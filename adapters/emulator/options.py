"""Options of the loopback exchanges: Black's formula, delta and the fee.

With forward F, strike K and v the deviation of the logarithm until expiry: d1 = ln(F/K)/v + v/2,
d2 = d1 - v; a call is worth F N(d1) - K N(d2), a put K N(-d2) - F N(-d1), in the quote currency;
one that settles in its base coin is quoted in it. The deviation stands still, so that a price
moves only with its underlying.
"""

import math
from dataclasses import dataclass
from decimal import Decimal

PLACES = Decimal("1e-8")
MOST_OF_PREMIUM = Decimal("0.125")


@dataclass(frozen=True, slots=True)
class Option:
    """What makes an instrument an option: strike, direction, deviation until expiry."""

    strike: Decimal
    call: bool
    deviation: Decimal


def premium(option: Option, forward: Decimal, in_coin: bool) -> Decimal:
    """Return the worth of one unit, in the quote currency or (`in_coin`) in the base coin."""
    f, k, v = float(forward), float(option.strike), float(option.deviation)
    d1 = math.log(f / k) / v + v / 2
    sign = 1 if option.call else -1
    worth = sign * (f * _normal(sign * d1) - k * _normal(sign * (d1 - v)))
    return Decimal(repr(worth / f if in_coin else worth)).quantize(PLACES)


def delta(option: Option, forward: Decimal) -> Decimal:
    """Return the change of the worth in the quote currency per unit of the forward."""
    f, k, v = float(forward), float(option.strike), float(option.deviation)
    d1 = math.log(f / k) / v + v / 2
    return Decimal(repr(_normal(d1) - (0 if option.call else 1))).quantize(Decimal("0.00001"))


def fee(rate: Decimal, units: Decimal, unit_worth: Decimal, paid: Decimal) -> Decimal:
    """Return the fee: a rate of the underlying, at most an eighth of the premium.

    Parameters
    ----------
    units
        Underlying units of the fill.
    unit_worth
        One of them in what the option settles in.
    paid
        The premium.
    """
    return min(rate * units * unit_worth, MOST_OF_PREMIUM * paid)


def _normal(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2
