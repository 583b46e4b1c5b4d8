"""The program as arrays: a separable objective over linear rows, and the uses of its actions.

::

    minimise    constant + f'z + sum_j  c_j x_j + p_j x_j^2 / 2 + k_j ((o_j + x_j)^1.5 - o_j^1.5)
    subject to  row_low <= A x + Z z <= row_high,   low <= x <= high
                least_j z_j <= x_j <= top_j z_j,    z_j in {0, 1}       for every action j

The first columns of x are the actions: buys, sells, transfers, moves, all unsigned. Everything
that couples columns stands in the rows, so the Lagrangian falls apart into single columns: a lower
bound from any row prices is a sum of one-dimensional minima (`allocator.program.certify`).
Amounts are in `Form.unit` numeraire, the objective in `Form.cost_unit` numeraire.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allocator.program.separable import Index, Lazy, Mask, Separable, Vector
from allocator.program.sparse import Matrix, columns_scaled, sp


@dataclass(frozen=True, slots=True)
class Hull:
    """Cheapest way to pay at least one order cost on an instrument's turnover column.

    The convex hull of ``f 1[y > 0] + k y^1.5``: a slope up to `tau`, the power beyond it.

    Attributes
    ----------
    first, rest
        Columns of the turnover up to and beyond `tau`.
    orders
        Actions that feed the turnover.
    repeats
        Column of orders beyond the first, paid for in the relaxation.
    """

    first: int
    rest: int
    k: float
    fixed: float
    top: float
    orders: Index
    repeats: int = -1

    @property
    def tau(self) -> float:
        """Turnover from which the power law itself is the hull."""
        if self.fixed <= 0 or self.top <= 0:
            return 0.0
        if self.k <= 0:
            return self.top
        return float(min((2 * self.fixed / self.k) ** (2 / 3), self.top))

    @property
    def slope(self) -> float:
        """Cost per unit of turnover up to `tau`."""
        tau = self.tau
        return 0.0 if tau <= 0 else self.fixed / tau + self.k * tau**0.5


@dataclass(frozen=True, slots=True)
class Direction:
    """Buys and sells of one owner in one instrument, of which only one side may be used."""

    buys: Index
    sells: Index
    key: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Bends:
    """Columns that bend what a pair requires; known where no action touches the pair.

    Attributes
    ----------
    pair, column, fill
        Pair, column and present value of each, shape ``(n_bends,)``.
    reach
        Which actions change which pair, shape ``(n_pairs, n_actions)``.
    """

    pair: Index
    column: Index
    fill: Vector
    reach: Matrix

    def settled(self, used: Mask) -> Index:
        """Pick the bends whose pair none of the used actions changes."""
        touched = np.asarray(self.reach @ used.astype(np.float64)).ravel() > 0
        return np.flatnonzero(~touched[self.pair])


@dataclass(frozen=True)
class Form:
    """The whole decision; see the module for the symbols.

    Attributes
    ----------
    fixed, least, top, lot
        Cost, smallest and largest size of a used action, and the step of its sizes (0: none),
        shape ``(n_actions,)``.
    open_least
        Smallest size of a used action that closes no position, shape ``(n_actions,)``.
    shortfall
        Weight of each column in S, shape ``(n,)``.
    shortfall_row
        The row that keeps S at or below a cap.
    bends
        Columns that bend what a pair requires; they stay as they are where no action touches it.
    exclusive
        Pairs of actions of which at most one is used.
    closes
        Size at which an action closes a position whole and is free of its minimum; else 0.
    lazy
        What a solve may leave out.
    loose
        Actions whose use is a column of its own in the relaxation, after all others.
    labels
        Family and names of each row, to tell which limit binds, each name by itself: ids are free
        text. Of limits and margin the last is the measure or requirement, and rows of S are called
        ``missing`` and then as the rule that is broken.
    cap
        Largest S, units.
    """

    A: Matrix
    Z: Matrix
    row_low: Vector
    row_high: Vector
    low: Vector
    high: Vector
    c: Vector
    p: Vector
    k: Vector
    fixed: Vector
    least: Vector
    open_least: Vector
    top: Vector
    lot: Vector
    closes: Vector
    shortfall: Vector
    shortfall_row: int
    bends: Bends
    lazy: Lazy
    loose: Index
    hulls: tuple[Hull, ...]
    directions: tuple[Direction, ...]
    exclusive: tuple[tuple[int, int], ...]
    labels: tuple[tuple[str, ...], ...]
    unit: float
    cost_unit: float
    constant: float
    cap: float = np.inf

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return int(self.fixed.size)

    @property
    def split(self) -> Mask:
        """Actions that are as small as what closes a position, or `open_least`; nothing between."""
        small = (self.closes > 0) & (self.closes < self.open_least)
        return np.asarray(small & (self.open_least <= self.top) & (self.closes < self.top))

    def capped(self, shortfall: float) -> Form:
        """Keep S (in units) at or below a cap; at zero, shortfall by shortfall.

        A row that caps a sum at zero has no room inside, and its price is any; the columns
        themselves held at zero leave the rules with prices of their own.
        """
        return replace(self, cap=shortfall)

    def without(self, actions: list[Index]) -> Form:
        """Bar some actions."""
        top, high = self.top.copy(), self.high.copy()
        for at in actions:
            top[at] = high[at] = 0.0
        return replace(self, top=top, high=high)

    @property
    def most(self) -> Vector:
        """Upper bounds of the columns under the cap."""
        return np.where((self.shortfall > 0) & (self.cap <= 0), 0.0, self.high)

    @property
    def row_most(self) -> Vector:
        """Upper bounds of the rows under the cap."""
        out = self.row_high.copy()
        out[self.shortfall_row] = self.cap if self.cap > 0 else np.inf
        return out

    def relaxed(self, used: Mask | None = None) -> Separable:
        """Build the relaxation: a use is the fraction of its largest size, orders pay the hull.

        Parameters
        ----------
        used
            Actions that are used for sure: they pay their whole cost, and the hull of their
            instrument is the power itself, beside which other orders pay their fraction.
        """
        share = np.divide(1.0, self.top, out=np.zeros_like(self.top), where=self.top > 0)
        slope = self.fixed * share
        c, o = self.c.copy(), np.zeros_like(self.c)
        low, high = self.low.copy(), self.most
        sure = np.zeros(self.n_actions, dtype=bool) if used is None else used.copy()
        for hull in self.hulls:
            if hull.tau > 0 and not sure[hull.orders].any():
                slope[hull.orders] = 0.0
                c[hull.repeats] += hull.fixed
                c[hull.first] += hull.slope
                o[hull.rest] = hull.tau
                high[hull.first] = hull.tau
        low[: self.n_actions][sure] = np.minimum(self.least, self.top)[sure]
        sure[self.loose] = False  # their uses are columns
        slope[self.loose] = share[self.loose] = slope[sure] = share[sure] = 0.0
        c[: self.n_actions] += slope
        A = self.A + self._spread(self.Z, share)
        shift = self.Z @ sure.astype(np.float64)
        base = Separable(
            A,
            self.row_low - shift,
            self.row_most - shift,
            low,
            high,
            c,
            self.p,
            self.k,
            o,
            self.constant + float(self.fixed @ sure),
            self.lazy,
        )
        return self._with_uses(base, used) if self.loose.size else base

    def _with_uses(self, base: Separable, used: Mask | None) -> Separable:
        """Add a column of use for each loose action, and the row that keeps its size within."""
        at, count = self.loose, self.loose.size
        own, zero = np.arange(count), np.zeros(count)
        sizes = sp.csr_array((np.full(count, -1.0), (own, at)), shape=(count, base.low.size))
        tops = sp.diags_array(self.top[at]).tocsr()
        A = sp.block_array([[base.A, self.Z[:, at]], [sizes, tops]], format="csr")
        return Separable(
            A,
            np.concatenate([base.row_low, zero]),
            np.concatenate([base.row_high, np.full(count, np.inf)]),
            np.concatenate([base.low, zero if used is None else used[at].astype(np.float64)]),
            np.concatenate([base.high, np.where(self.top[at] > 0, 1.0, 0.0)]),
            np.concatenate([base.c, self.fixed[at]]),
            np.concatenate([base.p, zero]),
            np.concatenate([base.k, zero]),
            np.concatenate([base.o, zero]),
            base.constant,
            base.lazy,
        )

    def weighted(self, slope: Vector, allowed: Mask) -> Separable:
        """Build the program with a cost per unit in place of fixed costs, on allowed actions."""
        share = np.divide(1.0, self.top, out=np.zeros_like(self.top), where=self.top > 0)
        c, low, high = self.c.copy(), self.low.copy(), self.most
        c[: self.n_actions] += slope
        high[: self.n_actions] = np.where(allowed, high[: self.n_actions], 0.0)
        self._settle(low, high, allowed)
        A = self.A + self._spread(self.Z, share)
        o = np.zeros_like(c)
        covers = np.array([label[0] == "cover" for label in self.labels], dtype=bool)
        return Separable(
            A,
            np.where(covers, -np.inf, self.row_low),
            self.row_most,
            low,
            high,
            c,
            self.p,
            self.k,
            o,
            self.constant,
            self.lazy,
        )

    def _settle(self, low: Vector, high: Vector, used: Mask) -> None:
        """Hold the bends of pairs that none of the used actions changes where they are."""
        still = self.bends.settled(used)
        column = self.bends.column[still]
        low[column] = high[column] = self.bends.fill[still]

    def supported(self, used: Mask, held: Vector | None = None) -> Separable:
        """Build the program in which exactly the used actions are paid for.

        Parameters
        ----------
        used
            Which actions.
        held
            Sizes that are settled already, NaN for the rest, shape ``(n_actions,)``.
        """
        z = used.astype(np.float64)
        low, high = self.low.copy(), self.most
        n = self.n_actions
        high[:n] = np.where(used, self.top, 0.0)
        low[:n] = np.where(used, np.minimum(self.least, self.top), 0.0)
        self._settle(low, high, used)
        if held is not None:
            settled = used & ~np.isnan(held)
            low[:n] = np.where(settled, held, low[:n])
            high[:n] = np.where(settled, held, high[:n])
        shift = self.Z @ z
        return Separable(
            self.A,
            self.row_low - shift,
            self.row_most - shift,
            low,
            high,
            self.c,
            self.p,
            self.k,
            np.zeros_like(self.c),
            self.constant + float(self.fixed @ z),
            self.lazy,
        )

    def _spread(self, Z: Matrix, share: Vector) -> Matrix:
        wide = sp.csr_array((Z.data, Z.indices, Z.indptr), shape=(Z.shape[0], self.low.size))
        return columns_scaled(wide, np.pad(share, (0, self.low.size - share.size)))
