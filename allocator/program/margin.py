"""Rows of margin: collateral covers initial, buffered maintenance and stressed margin.

A key is an account, or an account and a settle asset in single-asset mode. What is whole at the
start stays whole: hard rows. What is broken may not grow, and its shortfall is a column of S.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from allocator.program.affine import Affine, Draft, groups
from allocator.program.arrays import Arrays
from allocator.program.core import Core
from allocator.program.form import Index, Matrix, Vector
from allocator.program.requirements import Positions

BROKEN = 1e-6
"""Numeraire from which an excess counts as broken."""


@dataclass(frozen=True)
class Keys:
    """The separate margin sums.

    Attributes
    ----------
    names
        (account, settle asset or empty).
    account
        Position of the account.
    of_wallet, of_pair
        0/1 matrices from wallets and pairs to keys.
    """

    names: tuple[tuple[str, str], ...]
    account: Index
    of_wallet: Matrix
    of_pair: Matrix


def keys_of(arrays: Arrays) -> Keys:
    """List the margin sums of accounts that are not frozen."""
    book, names = arrays.book, list[tuple[str, str]]()
    for number, name in enumerate(arrays.accounts):
        if arrays.frozen[number]:
            continue
        account = book.accounts[name]
        if not account.single:
            names.append((name, ""))
            continue
        held = {book.instruments[i].cash for i in account.positions}
        traded = {
            row.cash
            for row in book.instruments.values()
            if not row.is_spot and row.venue == account.venue
        }
        names += [(name, asset) for asset in sorted(held | traded)]
    at = {name: number for number, name in enumerate(names)}

    def key(account: str, asset: str) -> int:
        return at.get((account, ""), at.get((account, asset), -1))

    wallets = np.array([key(a, c) for a, c in arrays.wallets.keys], dtype=np.int64)
    pairs = np.array(
        [
            -1 if isolated else key(a, book.instruments[i].cash)
            for (a, i), isolated in zip(arrays.pairs.keys, arrays.pairs.isolated, strict=True)
        ],
        dtype=np.int64,
    )
    listed = {name: number for number, name in enumerate(arrays.accounts)}
    return Keys(
        names=tuple(names),
        account=np.array([listed[name] for name, _ in names], dtype=np.int64),
        of_wallet=_selector(wallets, len(names)),
        of_pair=_selector(pairs, len(names)),
    )


def _selector(key: Index, count: int) -> Matrix:
    used = np.flatnonzero(key >= 0)
    return sp.csr_array((np.ones(used.size), (key[used], used)), shape=(count, key.size))


class Collateral:
    """Collateral of wallet keys: min of rising lines of equity, concave."""

    def __init__(self, core: Core, draft: Draft) -> None:
        self.core, self.draft = core, draft
        arrays = core.arrays
        ratios = [arrays.book.ratios(*key) for key in arrays.wallets.keys]
        price = [float(arrays.book.price(asset)) for _, asset in arrays.wallets.keys]
        self.pieces = [
            _pieces(
                [
                    (None if t.upto is None else float(t.upto) * p / arrays.unit, float(t.ratio))
                    for t in tiers
                ]
            )
            for tiers, p in zip(ratios, price, strict=True)
        ]

    def value(self, equity: Vector) -> Vector:
        """Evaluate at given equities, shape ``(n_wallets,)``."""
        return np.array(
            [min(r * e + b for r, b in rows) for rows, e in zip(self.pieces, equity, strict=True)]
        )

    def columns(self, equity: Affine, keep: Index, label: str) -> tuple[Affine, Vector, Index]:
        """Write collateral as an affine part plus columns.

        Parameters
        ----------
        equity
            By wallet key.
        keep
            Wallet keys that matter.
        label
            Family of the rows.

        Returns
        -------
        (affine part by wallet key, constant 0/1 mask of wallets with a column, their columns)
        """
        core = self.core
        box = (np.zeros(core.layout.count), core.top)
        low, high = equity.range(*box)
        slope = np.zeros(equity.const.size)
        const = np.zeros(equity.const.size)
        bent = list[int]()
        for at in keep:
            active = _active(self.pieces[at], float(low[at]), float(high[at]))
            if len(active) == 1:
                slope[at], const[at] = active[0]
            else:
                bent.append(int(at))
        flat = equity.scaled(slope).shifted(const)
        rows = np.array(bent, dtype=np.int64)
        columns = self._bent(equity, rows, low, high, label)
        return flat, rows, columns

    def _bent(self, equity: Affine, rows: Index, low: Vector, high: Vector, label: str) -> Index:
        """Add a column for each bent collateral, below each of its lines."""
        least = np.array([min(r * low[at] + b for r, b in self.pieces[at]) for at in rows])
        most = np.array([min(r * high[at] + b for r, b in self.pieces[at]) for at in rows])
        columns = self.draft.columns(least.reshape(-1), most.reshape(-1))
        picked, number, slopes, consts = list[int](), list[int](), list[float](), list[float]()
        for order, at in enumerate(rows):
            for slope, const in _active(self.pieces[at], float(low[at]), float(high[at])):
                picked.append(int(at))
                number.append(order)
                slopes.append(slope)
                consts.append(const)
        take = np.array(picked, dtype=np.int64)
        names = [(label, "/".join(self.core.arrays.wallets.keys[at])) for at in picked]
        self.draft.rows(
            equity.take(take).scaled(np.array(slopes)).shifted(np.array(consts)),
            0.0,
            np.inf,
            names,
            (np.arange(take.size), columns[np.array(number, dtype=np.int64)], -1.0),
        )
        return columns


def _pieces(tiers: list[tuple[float | None, float]]) -> list[tuple[float, float]]:
    """Lines (slope, constant) whose minimum is the collateral of an equity."""
    out = [(1.0, 0.0)]
    below, value = 0.0, 0.0
    for upto, ratio in tiers:
        out.append((ratio, value - ratio * below))
        if upto is not None:
            value += ratio * (upto - below)
            below = upto
    return sorted(set(out), reverse=True)


def _active(
    pieces: list[tuple[float, float]], low: float, high: float
) -> list[tuple[float, float]]:
    """Lines that are least somewhere on [low, high]; lines come by falling slope."""
    cuts = sorted(
        {
            low,
            high,
            *(
                x
                for a in pieces
                for b in pieces
                if a[0] > b[0] and low < (x := (b[1] - a[1]) / (a[0] - b[0])) < high
            ),
        }
    )
    spots = [(a + b) / 2 for a, b in zip(cuts[:-1], cuts[1:], strict=True)] or [low]
    best = {min(pieces, key=lambda line, x=x: line[0] * x + line[1]) for x in spots}
    return sorted(best, reverse=True)


def margin_rows(core: Core, draft: Draft, positions: Positions) -> None:
    """Add every margin row of every key."""
    arrays = core.arrays
    keys, collateral = keys_of(arrays), Collateral(core, draft)
    equity = core.equity.shifted(-arrays.wallets.isolated)
    rows = _Rows(core, draft, positions, keys, collateral, equity)
    rows.plain()
    for at in range(len(positions.shocks)):
        rows.stressed(at)


class _Rows:
    """The rows of one kind after another; shortfall columns are shared by a key's rows."""

    def __init__(
        self,
        core: Core,
        draft: Draft,
        positions: Positions,
        keys: Keys,
        collateral: Collateral,
        equity: Affine,
    ) -> None:
        self.core, self.draft, self.positions = core, draft, positions
        self.keys, self.collateral, self.equity = keys, collateral, equity
        arrays = core.arrays
        self.buffer = 1.0 + float(arrays.book.policy.margin_buffer)
        models = [arrays.book.accounts[name].margin.model for name, _ in keys.names]
        self.scenario = np.array([model == "scenario" for model in models], dtype=bool)
        self.worst = self._shortfall_now()
        broken = self.worst * arrays.unit > BROKEN
        self.slack = np.full(len(keys.names), -1, dtype=np.int64)
        self.slack[broken] = draft.columns(
            np.zeros(int(broken.sum())), self.worst[broken], weight=1.0
        )

    def plain(self) -> None:
        """Add initial and buffered maintenance margin."""
        keep = np.flatnonzero(np.asarray(self.keys.of_wallet.sum(axis=0)).ravel() > 0)
        for coming, equity in self._equities():
            cover = self.collateral.columns(equity, keep, "collateral")
            held = self._held(coming)
            for column, family, factor in ((0, "initial", 1.0), (1, "maintenance", self.buffer)):
                chosen = self._chosen(coming, ~self.scenario)
                self._requirement(chosen, column, factor, family, cover, held, coming)
            self._scenarios(cover, held, coming)

    def stressed(self, at: int) -> None:
        """Add maintenance margin under one stress."""
        shock = self.positions.shocks[at]
        arrays = self.core.arrays
        gain = self._gain(shock.gain)
        factor = shock.asset[arrays.wallets.asset]
        keep = np.flatnonzero(
            np.asarray(self.keys.of_wallet[~self.scenario].sum(axis=0)).ravel() > 0
        )
        for coming, equity in self._equities():
            slope, rows, columns = self.collateral.columns(
                equity + gain, keep, "stressed collateral"
            )
            held = self.collateral.value((equity + gain).const)
            cover = (slope.scaled(factor), rows, columns)
            self._requirement(
                self._chosen(coming, ~self.scenario),
                2 + at,
                1.0,
                f"stress {shock.id}",
                cover,
                self.keys.of_wallet @ (held * factor),
                coming,
                factor,
            )

    def _gain(self, gain: Vector) -> Affine:
        """Profit of a shock by wallet key, affine in the actions."""
        arrays = self.core.arrays
        at = {key: number for number, key in enumerate(arrays.wallets.keys)}
        cash = np.array(
            [
                at[a, arrays.book.instruments[i].cash]
                if (a, arrays.book.instruments[i].cash) in at
                else -1
                for a, i in arrays.pairs.keys
            ],
            dtype=np.int64,
        )
        used = np.flatnonzero((cash >= 0) & ~arrays.pairs.isolated)
        S = sp.csr_array(
            (gain[used], (cash[used], used)), shape=(len(arrays.wallets.keys), cash.size)
        )
        return self.core.position.mapped(S)

    def _equities(self) -> list[tuple[bool, Affine]]:
        """Equity as the rules see it and, where it differs, with arrivals as S sees it."""
        arriving = self.core.arrays.wallets.arriving
        late = self.keys.of_wallet @ arriving > 0
        both = [(False, self.equity)]
        if np.any(late & (self.slack >= 0)):
            both.append((True, self.equity.shifted(arriving)))
        return both

    def _chosen(self, coming: bool, model: Vector) -> Index:
        late = self.keys.of_wallet @ self.core.arrays.wallets.arriving > 0
        return np.flatnonzero(model & (late & (self.slack >= 0) if coming else model))

    def _held(self, coming: bool) -> Vector:
        arriving = self.core.arrays.wallets.arriving
        equity = self.equity.const + (arriving if coming else 0.0)
        return self.keys.of_wallet @ self.collateral.value(equity)

    def _shortfall_now(self) -> Vector:
        """Shortfall of each key at the start as S counts it: with arrivals."""
        held = self._held(True)
        start = self.keys.of_pair @ self.positions.start
        lost = self._losses_now()
        worst = np.maximum(np.maximum(start[:, 0], lost) - held, 0.0)
        worst = np.maximum(worst, self.buffer * np.maximum(start[:, 1], lost) - held)
        for at, shock in enumerate(self.positions.shocks):
            arrays = self.core.arrays
            equity = self.equity.const + arrays.wallets.arriving + self._gain(shock.gain).const
            factor = shock.asset[arrays.wallets.asset]
            cover = self.keys.of_wallet @ (self.collateral.value(equity) * factor)
            worst = np.where(self.scenario, worst, np.maximum(worst, start[:, 2 + at] - cover))
        return worst

    def _losses_now(self) -> Vector:
        out = np.zeros(len(self.keys.names))
        for at, losses in self._losses():
            out[at] = max(0.0, float(losses.const.max()))
        return out

    def _losses(self) -> list[tuple[int, Affine]]:
        """Loss in each scenario of each scenario key."""
        arrays, out = self.core.arrays, list[tuple[int, Affine]]()
        for at in np.flatnonzero(self.scenario):
            account = arrays.book.accounts[self.keys.names[at][0]]
            pairs = self.keys.of_pair[[at]].tocoo().coords[1]
            rows = [
                [
                    -float(s.pnl.get(arrays.pairs.keys[p][1], 0))
                    / (arrays.pairs.scale[p] * arrays.unit)
                    for p in pairs
                ]
                for s in account.margin.scenarios
            ]
            S = sp.csr_array(np.array(rows).reshape(len(rows), len(pairs)))
            out.append((int(at), self.core.position.take(pairs).mapped(S)))
        return out

    def _cover_part(
        self, chosen: Index, cover: tuple[Affine, Index, Index], factor: Vector | float
    ) -> tuple[Affine, tuple[Index, Index, Vector]]:
        flat, bent, columns = cover
        S = self.keys.of_wallet[chosen]
        by_column = S[:, bent].tocoo()
        row, column = by_column.coords
        scale = np.broadcast_to(np.asarray(factor), (flat.const.size,))[bent]
        return flat.mapped(S), (row, columns[column], by_column.data * scale[column])

    def _requirement(
        self,
        chosen: Index,
        column: int,
        factor: float,
        family: str,
        cover: tuple[Affine, Index, Index],
        held: Vector,
        coming: bool,
        scale: Vector | float = 1.0,
    ) -> None:
        """Add ``factor x requirement - collateral <= allowed`` (or the key's shortfall)."""
        P, arrays = self.positions, self.core.arrays
        flat, entries = self._cover_part(chosen, cover, scale)
        row_of = np.full(len(self.keys.names), -1)
        row_of[chosen] = np.arange(chosen.size)
        key_of_pair = np.full(len(arrays.pairs.keys), -1)
        key_at, pair_at = self.keys.of_pair.tocoo().coords
        key_of_pair[pair_at] = key_at
        owner = key_of_pair[P.seg_pair]
        used = np.flatnonzero((owner >= 0) & (P.seg_slope[:, column] != 0))
        used = used[row_of[owner[used]] >= 0]
        segments = (row_of[owner[used]], P.seg_column[used], factor * P.seg_slope[used, column])
        base = factor * (self.keys.of_pair @ P.base[:, column])[chosen]
        now = factor * (self.keys.of_pair @ P.start[:, column])[chosen] - held[chosen]
        self._finish(
            chosen,
            (-flat).shifted(base),
            now,
            family,
            coming,
            segments,
            (entries[0], entries[1], -entries[2]),
        )

    def _scenarios(self, cover: tuple[Affine, Index, Index], held: Vector, coming: bool) -> None:
        wanted = set(self._chosen(coming, self.scenario).tolist())
        for at, losses in self._losses():
            if at not in wanted:
                continue
            n = losses.const.size
            chosen = np.full(n, at)
            flat, entries = self._cover_part(chosen, cover, 1.0)
            back = (entries[0], entries[1], -entries[2])
            none = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
            lost = max(0.0, float(losses.const.max()))
            rules = (("initial", 1.0), ("maintenance", self.buffer))
            for family, factor in rules:
                now = np.full(n, factor * lost - held[at])
                self._finish(chosen, losses.scaled(factor) - flat, now, family, coming, none, back)
            one = np.array([at])
            flat, entries = self._cover_part(one, cover, 1.0)
            back = (entries[0], entries[1], -entries[2])
            self._finish(one, -flat, np.array([lost - held[at]]), "initial", coming, none, back)

    def _finish(
        self,
        chosen: Index,
        rule: Affine,
        now: Vector,
        family: str,
        coming: bool,
        *entries: tuple[Index, Index, Vector],
    ) -> None:
        """Add the rows: hard against growing; against the shortfall column where broken."""
        names = [" ".join(part for part in self.keys.names[at] if part) for at in chosen]
        labels = [("margin", name, family) for name in names]
        if not coming:
            allowed = np.where(now * self.core.arrays.unit > BROKEN, now, 0.0)
            self.draft.rows(rule, -np.inf, allowed, labels, *entries)
        arriving = self.keys.of_wallet @ self.core.arrays.wallets.arriving > 0
        counted = (self.slack[chosen] >= 0) & (arriving[chosen] == coming)
        rows = np.flatnonzero(counted)
        if not rows.size:
            return
        renumber = np.full(chosen.size, -1)
        renumber[rows] = np.arange(rows.size)
        kept = [
            (renumber[r][renumber[r] >= 0], c[renumber[r] >= 0], v[renumber[r] >= 0])
            for r, c, v in entries
        ]
        slack = (np.arange(rows.size), self.slack[chosen[rows]], -np.ones(rows.size))
        names = [("missing", *labels[at][1:]) for at in rows]
        self.draft.rows(rule.take(rows), -np.inf, 0.0, names, *kept, slack)


def wallet_rows(core: Core, draft: Draft) -> None:
    """Keep wallets that transfers and spot orders touch, and what may leave.

    A wallet that starts below what is ring-fenced takes no net outflow; derivative fees may.
    """
    arrays, wallets = core.arrays, core.arrays.wallets
    net = core.flow - core.spot_paid
    touched = np.flatnonzero(np.asarray(abs(net.X).sum(axis=1)).ravel() > 0)
    room = np.maximum(wallets.wallet - wallets.ring, 0.0)
    names = ["/".join(key) for key in wallets.keys]
    draft.rows(
        net.take(touched), -room[touched], np.inf, [("balance", names[at]) for at in touched]
    )
    routes, at = arrays.routes, core.layout.transfers
    count = len(wallets.keys)
    X = sp.csr_array((1.0 + routes.rate, (routes.source, at)), shape=(count, core.layout.count))
    Z = sp.csr_array((routes.fee, (routes.source, at)), shape=(count, core.layout.count))
    out = Affine(X, Z, np.zeros(count))
    senders = np.unique(routes.source)
    draft.rows(
        out.take(senders),
        -np.inf,
        wallets.withdrawable[senders],
        [("withdrawable", names[w]) for w in senders],
    )


__all__ = ["Collateral", "Keys", "groups", "keys_of", "margin_rows", "wallet_rows"]
