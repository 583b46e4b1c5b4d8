"""Instruments, the law of their value and profit, and a seeded book around the mark.

For quantity q in contracts, contract size m, price P and entry P0: a linear contract is worth
q m P with profit q m (P - P0), in the quote coin; an inverse one q m / P with profit
q m (1/P0 - 1/P), in the base coin (m in quote units).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Literal

from allocator.adapters.emulator.options import Option
from allocator.adapters.emulator.records import ZERO, Quote

EIGHT = Decimal("1e-8")
Payoff = Literal["spot", "linear", "inverse"]


@dataclass(frozen=True, slots=True)
class Tier:
    """A risk tier: up to `cap`, rate `maintenance`, at most `max_leverage`, minus `deduction`.

    The unit of `cap` and `deduction` is the venue's own for the instrument: settle coin for linear,
    base coin for inverse.
    """

    cap: Decimal
    maintenance: Decimal
    max_leverage: Decimal
    deduction: Decimal


@dataclass(frozen=True, slots=True)
class Depth:
    """The shape of the book: half spread and step in ticks, size of a level in base units."""

    half_spread_ticks: int
    step_ticks: int
    level_size: Decimal
    levels: int = 50


@dataclass(frozen=True, slots=True)
class Instrument:
    """What is traded. `market` is the venue's own word (spot, linear, inverse, usdm, coinm).

    `lot`, `min_quantity`, `max_quantity` and `max_market_quantity` are contracts (base units for
    spot), `min_notional` the quote coin, `basis` the mark over the index less one, fees rates of
    the value traded. `funding_interval_h` is zero where nothing is paid, `expires_ms` where
    nothing expires. An option is linear in its premium, which is quoted in what it settles in.
    """

    venue: str
    market: str
    symbol: str
    payoff: Payoff
    base: str
    quote: str
    settle: str
    contract_size: Decimal
    lot: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    max_market_quantity: Decimal
    tick: Decimal
    min_notional: Decimal
    maker: Decimal
    taker: Decimal
    depth: Depth
    daily_volume: Decimal
    basis: Decimal = ZERO
    funding_rate: Decimal = ZERO
    funding_interval_h: int = 8
    tiers: tuple[Tier, ...] = ()
    listed_ms: int = 1_585_526_400_000
    expires_ms: int = 0
    option: Option | None = None

    @property
    def id(self) -> str:
        """Return `venue:market:symbol`."""
        return f"{self.venue}:{self.market}:{self.symbol}"


def value(instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    """Return the value of `quantity` contracts, signed as it, in the settle (spot: quote) coin."""
    if instrument.payoff == "inverse":
        return quantity * instrument.contract_size / price
    return quantity * instrument.contract_size * price


def profit(instrument: Instrument, quantity: Decimal, entry: Decimal, price: Decimal) -> Decimal:
    """Return the profit of signed contracts from `entry` to `price`, in the settle coin."""
    if quantity == 0:
        return ZERO
    if instrument.payoff == "inverse":
        return quantity * instrument.contract_size * (1 / entry - 1 / price)
    return quantity * instrument.contract_size * (price - entry)


def average_entry(
    instrument: Instrument, held: Decimal, entry: Decimal, added: Decimal, price: Decimal
) -> Decimal:
    """Return the entry price of `held` contracts at `entry` plus `added` at `price`."""
    total = held + added
    if instrument.payoff == "inverse":
        return total / (held / entry + added / price) if held else price
    return (held * entry + added * price) / total


def tier_of(tiers: tuple[Tier, ...], notional: Decimal) -> Tier:
    """Return the tier that holds `notional` (the last one above every cap)."""
    return next((tier for tier in tiers if notional <= tier.cap), tiers[-1])


def maintenance(tiers: tuple[Tier, ...], notional: Decimal) -> Decimal:
    """Return notional times the tier's rate less its deduction, never negative."""
    tier = tier_of(tiers, notional)
    return max(ZERO, notional * tier.maintenance - tier.deduction)


def leverage_cap(tiers: tuple[Tier, ...], leverage: Decimal) -> Decimal:
    """Return the largest notional that `leverage` may carry; zero above every tier's leverage."""
    return max((t.cap for t in tiers if t.max_leverage >= leverage), default=ZERO)


def to_step(amount: Decimal, step: Decimal) -> Decimal:
    """Return `amount` rounded toward zero to a multiple of `step`."""
    return (amount / step).to_integral_value(rounding=ROUND_DOWN) * step


def on_step(amount: Decimal, step: Decimal) -> bool:
    """Tell whether `amount` is a multiple of `step`."""
    return amount % step == 0


@dataclass(frozen=True, slots=True)
class Book:
    """Levels of price and quantity (contracts), best first."""

    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


def book(instrument: Instrument, quote: Quote, seed: int) -> Book:
    """Return the book around the mark.

    Sizes come from a hash of seed, instrument, side and level: the same seed and mark give the same
    book, and what a taker consumed is back at once.
    """
    depth = instrument.depth
    mid = (quote.mark / instrument.tick).to_integral_value(rounding=ROUND_FLOOR)
    bids: list[tuple[Decimal, Decimal]] = []
    asks: list[tuple[Decimal, Decimal]] = []
    for level in range(depth.levels):
        away = depth.half_spread_ticks + level * depth.step_ticks
        bid = (mid - away) * instrument.tick
        ask = (mid + away) * instrument.tick
        if bid > 0:
            bids.append((bid, _size(instrument, seed, "bid", level, bid)))
        asks.append((ask, _size(instrument, seed, "ask", level, ask)))
    return Book(tuple(bids), tuple(asks))


def _size(instrument: Instrument, seed: int, side: str, level: int, price: Decimal) -> Decimal:
    text = f"{seed}|{instrument.id}|{side}|{level}".encode()
    draw = Decimal(int.from_bytes(hashlib.sha256(text).digest()[:4], "big")) / Decimal(2**32)
    base = instrument.depth.level_size * (Decimal("0.5") + draw)
    if instrument.payoff == "inverse":
        contracts = base * price / instrument.contract_size
    else:
        contracts = base / instrument.contract_size
    return max(instrument.lot, to_step(contracts, instrument.lot))


def counted(steps: Sequence[tuple[Decimal, Decimal]], amount: Decimal) -> Decimal:
    """Return how much of an amount counts: by the ratio of each step, a debt in full.

    >>> counted([(Decimal(500), Decimal("0.95")), (Decimal("Infinity"), Decimal("0.5"))],
    ...     Decimal(600))
    Decimal('525.00')
    """
    if amount <= 0:
        return amount
    whole, floor = ZERO, ZERO
    for cap, ratio in steps:
        whole += max(ZERO, min(amount, cap) - floor) * ratio
        floor = cap
        if amount <= cap:
            break
    return whole
