"""Gross notional of every pair in the program, and the columns that let it bend.

The gross notional of a pair is ``sigma N + 2 flip``: sigma is the sign of its present position, N
its signed notional and ``flip >= max(0, -sigma N)`` the part beyond zero on the other side. Where
no move touches the pair, one direction per pair lets the row of the flip name the order that
closes alone, and a pair without a position has the sum of its two orders as gross notional. A
kink of a requirement has a column of its own, ``kink >= max(0, gross - start)``. Kinks matter to
few pairs, so they are marked for solves that take them in when they are needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.program.affine import WIDER, Affine, Draft, every
from allocator.program.core import Core
from allocator.program.requirements import (
    NEVER,
    Brackets,
    Requirements,
    Shock,
    requirements_of,
    shocks_of,
)
from allocator.program.separable import ALWAYS, Index, Mask, Vector
from allocator.program.sparse import rows_scaled, sp

Entries = tuple[Index, Index, Vector]
"""Rows, columns and values of a sparse block."""


@dataclass(frozen=True, slots=True)
class Bend:
    """Columns that are zero or known where no action touches their pair.

    Attributes
    ----------
    pair, column, fill
        Pair, column and present value of each.
    """

    pair: Index
    column: Index
    fill: Vector


class Positions:
    """Gross notional and requirements of every pair as rows and columns.

    Attributes
    ----------
    shocks
        Stress cases.
    tables
        What pairs require.
    gross
        Gross notional of each pair without its flip, affine in the actions.
    sign
        Sign that a pair's notional enters `gross` with.
    plain
        Pairs without a position and without moves: gross is the sum of both orders.
    flip
        Column of each pair's flip, -1 for none.
    """

    def __init__(self, core: Core, draft: Draft, brackets: Brackets | None) -> None:
        arrays, pairs = core.arrays, core.arrays.pairs
        self.core, self.draft = core, draft
        self.shocks: tuple[Shock, ...] = shocks_of(arrays)
        tops = np.maximum(np.abs(core.box[0]), np.abs(core.box[1])) * WIDER
        self.tops = tops
        self.tables: Requirements = requirements_of(arrays, self.shocks, tops, brackets)
        self.now = np.where(pairs.legged, np.nan_to_num(pairs.fixed_gross), np.abs(pairs.start))
        self.moved = np.zeros(len(pairs.keys), dtype=bool)
        self.moved[arrays.moves.source] = self.moved[arrays.moves.target] = True
        self.names = ["/".join(key) for key in pairs.keys]
        self.sign = np.where(pairs.start < 0, -1.0, 1.0)
        self.plain = core.live & (pairs.start == 0) & ~self.moved
        self.gross = self._gross()
        self.bends = list[Bend]()
        self.flip = self._flips()
        self.kinks: Mask = np.zeros(self.tables.kink_pair.size, dtype=bool)
        self.kink_at: Index = np.full(self.kinks.size, -1, dtype=np.int64)
        self._box_rows(brackets or {})

    def _gross(self) -> Affine:
        """Notional with its present sign; both orders of plain pairs; a constant where fixed."""
        core, live = self.core, self.core.live
        X = core.position.X
        signed = rows_scaled(X, np.where(live & ~self.plain, self.sign, 0.0))
        both = rows_scaled(abs(X), np.where(self.plain, 1.0, 0.0))
        zero = sp.csr_array(X.shape, dtype=np.float64)
        return Affine((signed + both).tocsr(), zero, self.now)

    def _flips(self) -> Index:
        """Add a column at or above what lies beyond zero, for pairs that can get there."""
        core, pairs, (low, high) = self.core, self.core.arrays.pairs, self.core.box
        beyond = np.where(self.sign > 0, -low, high)
        at = np.flatnonzero(core.live & ~self.plain & (beyond > NEVER))
        columns = self.draft.columns(np.zeros(at.size), beyond[at])
        out = np.full(core.live.size, -1, dtype=np.int64)
        out[at] = columns
        X = self.gross.X[at]
        alone = ~self.moved[at]
        closing = X.minimum(0)
        kept = rows_scaled(closing, alone.astype(float))
        rest = rows_scaled(X, (~alone).astype(float))
        row = Affine((kept + rest).tocsr(), self.gross.Z[at], np.abs(pairs.start[at]))
        own = np.arange(at.size)
        labels = every([self.names[i] for i in at], "flip")
        rows = self.draft.rows(row, 0.0, np.inf, labels, (own, columns, 1.0))
        self.draft.rises.append((rows, columns, np.full(at.size, ALWAYS)))
        self.bends.append(Bend(at, columns, np.zeros(at.size)))
        return out

    def _box_rows(self, brackets: Brackets) -> None:
        """Cap pairs that moves touch by their box, and pairs that are to leave a higher bracket.

        Orders alone are capped by their own bounds where a pair stands inside its box.
        """
        core, (low, high) = self.core, self.core.box
        top = np.full(low.size, np.inf)
        top[list(brackets)] = list(brackets.values())
        at = np.flatnonzero((self.moved | (self.now > top)) & core.live)
        names = every([self.names[i] for i in at], "bracket")
        low, high = np.maximum(low, -top), np.minimum(high, top)
        self.draft.rows(core.position.take(at), low[at], high[at], names)

    def bend(self, needed: Mask) -> None:
        """Add the kinks of pairs and columns, shape ``(n_pairs, n_columns)``, where any."""
        T = self.tables
        alive = self.core.live[T.kink_pair] & needed[T.kink_pair, T.kink_column]
        at = np.flatnonzero(alive & ~self.kinks)
        if not at.size:
            return
        self.kinks[at] = True
        key = np.stack([T.kink_pair[at].astype(np.float64), T.kink_start[at]], axis=1)
        one, inverse = np.unique(key, axis=0, return_inverse=True)
        pair, begin = one[:, 0].astype(np.int64), one[:, 1]
        columns = self.draft.columns(np.zeros(pair.size), self.tops[pair] - begin)
        own = np.arange(pair.size)
        flips = np.flatnonzero(self.flip[pair] >= 0)
        rows = self.draft.rows(
            (-self.gross.take(pair)).shifted(begin),
            0.0,
            np.inf,
            every([self.names[i] for i in pair], "kink"),
            (own, columns, 1.0),
            (flips, self.flip[pair[flips]], -2.0),
        )
        fill = np.maximum(self.now[pair] - begin, 0.0)
        self.draft.rises.append((rows, columns, self.core.arrays.pairs.account[pair]))
        self.bends.append(Bend(pair, columns, fill))
        self.kink_at[at] = columns[np.ravel(inverse)]

    def requirement(self, column: int, of_pair: Index, count: int) -> tuple[Affine, list[Entries]]:
        """Sum a requirement by key.

        Parameters
        ----------
        column
            Which requirement.
        of_pair
            Key of each pair, -1 for none.
        count
            Number of keys.

        Returns
        -------
        Affine rows by key, and entries on flips and kinks; kinks that `bend` did not add are
        left out, which asks for less.
        """
        T, live = self.tables, self.core.live
        inside = np.flatnonzero(of_pair >= 0)
        rate = np.where(live, T.rate[:, column], 0.0)
        base = np.where(live, T.fixed[:, column], T.start[:, column])
        shape = (count, of_pair.size)
        S = sp.csr_array((rate[inside], (of_pair[inside], inside)), shape=shape)
        outer = np.bincount(of_pair[inside], base[inside], count).astype(np.float64)
        flips = inside[(self.flip[inside] >= 0) & (rate[inside] != 0)]
        used = (T.kink_column == column) & (self.kink_at >= 0)
        kinks = np.flatnonzero(used & (of_pair[T.kink_pair] >= 0))
        entries: list[Entries] = [
            (of_pair[flips], self.flip[flips], 2.0 * rate[flips]),
            (of_pair[T.kink_pair[kinks]], self.kink_at[kinks], T.kink_rise[kinks]),
        ]
        return self.gross.mapped(S).shifted(outer), entries

    def slopes_now(self) -> Vector:
        """Slope of each requirement just below present gross notional, kinks included."""
        T = self.tables
        out = T.rate.copy()
        below = np.flatnonzero(T.kink_start < self.now[T.kink_pair])
        np.add.at(out, (T.kink_pair[below], T.kink_column[below]), T.kink_rise[below])
        return out

    def side(self, side: str, at: Index, weight: Vector) -> tuple[Affine, Entries]:
        """Sum long, short or gross notional over live pairs with weights, as one row.

        The long side is half of gross and net notional together, the short side half of their
        difference.
        """
        sign = {"long": 1.0, "short": -1.0, "gross": 0.0}[side]
        share = 1.0 if side == "gross" else 0.5
        pick = sp.csr_array(
            (weight, (np.zeros(at.size, np.int64), at)), shape=(1, self.core.live.size)
        )
        total = self.gross.mapped(share * pick)
        if sign:
            total = total + self.core.position.mapped(sign * share * pick)
        flips = np.flatnonzero(self.flip[at] >= 0)
        row = np.zeros(flips.size, dtype=np.int64)
        return total, (row, self.flip[at[flips]], 2.0 * share * weight[flips])
