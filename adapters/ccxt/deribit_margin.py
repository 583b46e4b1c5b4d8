"""Deribit: the venue's margin, which is quadratic in size, as brackets that bound it from above.

A future of q base units needs ``(a + b q) q`` in base units: a is one over the instrument's largest
leverage for initial margin, less for maintenance, b the scaling of the underlying. Between two
sizes x < y the chord ``(a + b (x + y)) q - b x y`` lies above the parabola by ``b (q - x)(y - q)``,
so brackets whose corners lie on the parabola never understate it.

Sources: support.deribit.com 25944738177565 (BTC: 2 % and 1 %, 0.005 % a BTC; SOL: 4 % and 2 %,
0.0005 % a SOL), 25944826427293 (ETH: 2 % and 1 %, 0.0004 % an ETH), 25944811317149 (positions are
margined one by one and summed). The venue tells neither b nor the maintenance rate through its
API: an underlying that is not listed here gets more than any that is, and whatever a position is
charged is held against these brackets at every gather (`check`).

Options, a unit and as fractions of the underlying: a short one needs ``max(0.15 - OTM, 0.1) +
mark``, maintenance 0.075 + mark (a put max(0.075, 0.075 mark) + mark, and no less initially). Its
value, negative, is in the equity already and in the requirement again, as at the venue, whose
margin balance leaves it out; a long one's value is in the equity, at the venue in no margin
balance: the same bracket takes it out again. Numbers from third-party copies of the venue's page
(BTC, ETH); other underlyings are margined in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from allocator.adapters.ccxt.place import text
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.adapters.figures import rising
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.market import Tier

SCALING = {"BTC": Decimal("0.00005"), "ETH": Decimal("0.000004"), "SOL": Decimal("0.000005")}
HALVED = frozenset(SCALING)
"""Underlyings whose maintenance rate at size zero is documented as half of the initial one."""

UNKNOWN_SCALING_USD = Decimal("1e-7")
"""Scaling a dollar of notional where none is documented; the largest documented is 2.5e-8."""

TIGHT = Decimal("0.02")
"""Most by which a bracket overstates maintenance margin, as a fraction of it."""

LARGEST_RATE = Decimal("0.5")
"""Initial rate up to which brackets reach; larger positions are none of ours."""

OPTION_CAP = Decimal("1e12")
RATE_PLACES, CUT_PLACES = Decimal("1e-12"), Decimal("1e-8")
SHORT = {"BTC", "ETH"}
SHORT_INITIAL, SHORT_FLOOR, SHORT_MAINTENANCE = Decimal("0.15"), Decimal("0.1"), Decimal("0.075")
ALLOWED, ALLOWED_LINEAR_OPTION = Decimal("1.001"), Decimal("1.25")
"""What a position may be charged over its bracket: figures of one answer are rounded, and a
position does not tell the forward price that a linear option is margined by."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What margin depends on.

    Attributes
    ----------
    mark, index
        Of the instrument; of an option the premium and the index.
    forward
        Price of the underlying that an option is margined by.
    """

    mark: Decimal
    index: Decimal
    forward: Decimal


@exactly
def tiers_of(market: JsonObject, prices: Prices) -> tuple[Tier, ...]:
    """Build the brackets of a derivative, caps and deductions in the quote currency.

    Those of an option that settles in its base coin are in the coin.
    """
    if market["option"]:
        return _option_tiers(market, prices, relief=True)
    base = str(market["base"])
    leverage = number(text(market["info"], "max_leverage"))
    if not leverage:
        raise VenueError(f"{market['id']}: no largest leverage")
    initial = ONE / leverage
    rate = initial / 2 if base in HALVED else initial
    scaling = SCALING.get(base, UNKNOWN_SCALING_USD * prices.index)
    # The venue margins at the index what is counted here at the mark.
    above = max(ONE, prices.index / prices.mark)
    tiers = list[Tier]()
    for low, high in _steps(rate, scaling, (LARGEST_RATE - initial) / scaling):
        slope = scaling * (low + high)
        cut = (above * scaling * low * high * prices.mark).quantize(CUT_PLACES, ROUND_FLOOR)
        tiers.append(
            Tier(
                cap=(high * prices.mark).quantize(CUT_PLACES, ROUND_FLOOR),
                maintenance=_up(above * (rate + slope)),
                deduction=cut,
                initial=_up(above * (initial + slope)),
                initial_deduction=cut,
            )
        )
    return rising(tiers)


@exactly
def long_tiers(market: JsonObject, prices: Prices) -> tuple[Tier, ...]:
    """Build the bracket of a long option that is held and not traded: its value alone.

    The value counts in our equity and at the venue in no margin balance; a bracket for a pair that
    is traded has to hold for a short one.
    """
    in_coin = market["settle"] == market["base"]
    worth = _up(prices.mark if in_coin else prices.mark / prices.index)
    return (Tier(cap=OPTION_CAP, maintenance=worth, initial=worth),)


def _up(rate: Decimal) -> Decimal:
    """Round a rate up, against us."""
    return rate.quantize(RATE_PLACES, ROUND_CEILING)


def _steps(rate: Decimal, scaling: Decimal, most: Decimal) -> Iterator[tuple[Decimal, Decimal]]:
    """Split sizes so that in each part the chord is at most `TIGHT` above the parabola.

    At the worst point m the chord is too high by the fraction ``b (m - x)(y - m) / ((a + b m) m)``,
    which is largest at the geometric mean of x and y for large sizes and at x = 0 towards zero:
    there it is ``b y / a``. A step of ``2 sqrt(t (a/b + x) x)`` beyond x keeps within t.
    """
    low = ZERO
    while low < most:
        step = TIGHT * rate / scaling
        if low:
            step = max(step, (TIGHT * (rate / scaling + low) * low).sqrt() * 2)
        high = min(most, (low + step).quantize(Decimal("1e-6"), ROUND_FLOOR))
        yield low, high
        low = high


def _option_tiers(market: JsonObject, prices: Prices, *, relief: bool) -> tuple[Tier, ...]:
    """Build the one bracket of an option; it holds whatever its side is.

    Parameters
    ----------
    relief
        Whether being out of the money counts.
    """
    in_coin = market["settle"] == market["base"]
    # Fractions of the underlying at its index price, by which our notional is counted.
    unit = ONE if in_coin else prices.forward / prices.index
    mark = prices.mark if in_coin else prices.mark / prices.index
    if str(market["base"]) not in SHORT:
        whole = _up(max(ONE, mark) + mark)
        return (Tier(cap=OPTION_CAP, maintenance=whole, initial=whole),)
    strike = number(market["strike"]) or ZERO
    call = market["optionType"] == "call"
    away = (strike - prices.forward if call else prices.forward - strike) / prices.forward
    away = max(ZERO, away) if relief else ZERO
    initial = max(SHORT_INITIAL - away, SHORT_FLOOR) * unit + mark
    floor = SHORT_MAINTENANCE * unit
    maintenance = (floor if call else max(floor, SHORT_MAINTENANCE * mark)) + mark
    initial = max(initial, maintenance)
    return (Tier(cap=OPTION_CAP, maintenance=_up(maintenance), initial=_up(initial)),)


@exactly
def required(tiers: tuple[Tier, ...], notional: Decimal) -> tuple[Decimal, Decimal]:
    """Return initial and maintenance margin of a notional by its brackets."""
    return (
        max((row.initial or ZERO) * notional - row.initial_deduction for row in tiers),
        max(row.maintenance * notional - row.deduction for row in tiers),
    )


@exactly
def check(market: JsonObject, row: JsonObject, prices: Prices) -> None:
    """Hold what the venue charges a position against its brackets.

    Raises
    ------
    VenueError
        When it charges more: then its rules are not those documented.
    """
    in_coin, allowed = market["settle"] == market["base"], ALLOWED
    if market["option"]:
        tiers = _option_tiers(market, prices, relief=False)
        units = abs(number(text(row, "size")) or ZERO)
        notional, per = units if in_coin else units * prices.index, ONE
        allowed = ALLOWED if in_coin else ALLOWED_LINEAR_OPTION
    else:
        tiers = tiers_of(market, prices)
        notional = abs(number(text(row, "size_currency")) or ZERO) * prices.mark
        per = prices.index if in_coin else ONE
    bounds = zip(("initial_margin", "maintenance_margin"), required(tiers, notional), strict=True)
    for key, bound in bounds:
        told = (number(row.get(key)) or ZERO) * per
        if told > bound * allowed + Decimal("1e-6"):
            raise VenueError(
                f"MARGIN_IDENTITY: {row.get('instrument_name')} {key}={told} brackets={bound}"
            )
