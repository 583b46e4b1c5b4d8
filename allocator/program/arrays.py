"""The book as arrays of floats; `allocator.program.crossing` fills them.

Symbols: a account, i instrument, c asset, u underlying, r route, m move. N is signed notional
(positive long). Amounts of money are divided by `unit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from allocator.program.separable import Index, Mask, Vector
from allocator.state import Book, Pair

UNIT = Decimal(100_000)
"""Numeraire per unit of the program: interior points want figures near one."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of account and derivative, sorted: all that are held, listed or have an open order.

    Attributes
    ----------
    keys
        (account, instrument).
    account, instrument
        Positions in the sorted ids.
    start, scale
        Signed notional now; notional of one contract.
    fixed_gross
        Notional of both legs of a hedge-mode pair; NaN for any other.
    buying, selling
        Notional of open orders that may add.
    tradable, isolated
        Whether orders may change it; whether it carries its own margin.
    cap
        Largest notional that its brackets allow.
    """

    keys: tuple[Pair, ...]
    account: Index
    instrument: Index
    start: Vector
    scale: Vector
    fixed_gross: Vector
    buying: Vector
    selling: Vector
    tradable: Mask
    isolated: Mask
    cap: Vector

    @property
    def legged(self) -> Mask:
        """Which pairs are in hedge mode."""
        return ~np.isnan(self.fixed_gross)


@dataclass(frozen=True, slots=True)
class Wallets:
    """Pairs of account and asset, sorted: all that a plan or a position may touch.

    Attributes
    ----------
    wallet, equity, ring, arriving, withdrawable
        Units of numeraire at the asset's price.
    isolated
        Part of equity that isolated pairs keep out of the collateral.
    """

    keys: tuple[Pair, ...]
    account: Index
    asset: Index
    wallet: Vector
    equity: Vector
    ring: Vector
    arriving: Vector
    withdrawable: Vector
    isolated: Vector


@dataclass(frozen=True, slots=True)
class Orders:
    """Pairs that orders may change: derivatives first, then spot.

    Attributes
    ----------
    keys
        (account, instrument).
    pair
        Position in `Pairs`; -1 for spot.
    cash, base
        Position in `Wallets` of what pays; of what spot buys (-1 for derivatives).
    scale
        Notional of one contract.
    toll
        Fee and half-spread, fraction of notional.
    gain
        Spot: value of the base bought per notional paid.
    least, most
        Notional of the smallest order, and of the largest by `max_quantity`.
    lot
        Notional of one lot.
    may_buy, may_sell, only_reduce
        What states allow.
    closes
        Notional that closes the pair whole with whole lots, else 0.
    """

    keys: tuple[Pair, ...]
    pair: Index
    account: Index
    instrument: Index
    cash: Index
    base: Index
    scale: Vector
    toll: Vector
    gain: Vector
    least: Vector
    most: Vector
    lot: Vector
    may_buy: Mask
    may_sell: Mask
    only_reduce: Mask
    closes: Vector


@dataclass(frozen=True, slots=True)
class Routes:
    """Open routes by id.

    Attributes
    ----------
    source, target
        Positions in `Wallets`.
    rate, fee, cost
        Charge as a fraction, charge a transfer; cost a unit without the charge.
    least, most
        Smallest and largest amount.
    """

    ids: tuple[str, ...]
    source: Index
    target: Index
    rate: Vector
    fee: Vector
    cost: Vector
    least: Vector
    most: Vector
    step: Vector


@dataclass(frozen=True, slots=True)
class Moves:
    """Allowed position moves.

    Attributes
    ----------
    source, target
        Positions in `Pairs`.
    sign
        Of the sender's position.
    cash
        The sender's position in `Wallets`.
    settled
        Profit that becomes wallet per notional moved.
    """

    keys: tuple[tuple[str, str, str], ...]
    source: Index
    target: Index
    sign: Vector
    cash: Index
    settled: Vector
    fee: Vector
    most: Vector
    lot: Vector


@dataclass(frozen=True)
class Arrays:
    """Everything the program needs of a book."""

    book: Book
    unit: float
    accounts: tuple[str, ...]
    instruments: tuple[str, ...]
    assets: tuple[str, ...]
    pairs: Pairs
    wallets: Wallets
    orders: Orders
    routes: Routes
    moves: Moves
    frozen: Mask
