"""Rows of margin: collateral covers initial, buffered maintenance and stressed margin.

What is whole at the start stays whole: hard rows. What is broken may not grow, and its shortfall
is a column of S, in which money that was on its way before the plan counts as collateral.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.program.affine import Affine, Draft
from allocator.program.collateral import Collateral, Cover
from allocator.program.core import Core
from allocator.program.covers import Short, cover_rows
from allocator.program.margin_keys import BROKEN, keys_of
from allocator.program.positions import Entries, Positions
from allocator.program.requirements import INITIAL, MAINTENANCE, STRESSED
from allocator.program.separable import Index, Mask, Vector
from allocator.program.sparse import sp


@dataclass(frozen=True)
class View:
    """Collateral as one family of rules sees it.

    Attributes
    ----------
    cover
        Collateral by wallet key, affine part and columns.
    without
        The negative of its affine part at these prices.
    factor
        Price factor of each wallet key.
    held
        Collateral of each key now.
    arrivals
        Whether money on its way counts: then only shortfalls are measured.
    """

    cover: Cover
    without: Affine
    factor: Vector
    held: Vector
    arrivals: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One requirement: its column, the factor on it, the name of its rows."""

    column: int
    factor: float
    family: str


def margin_rows(
    core: Core, draft: Draft, positions: Positions, *, funded_first: bool = False
) -> Index:
    """Add every margin row of every key that is not frozen; returns the transfers in covers.

    Parameters
    ----------
    core, draft, positions
        The program so far.
    funded_first
        Whether every account must also stand with its present positions once all transfers are
        done, so that money may move before any order.
    """
    rows = _Rows(core, draft, positions)
    buffered = 1.0 + float(core.arrays.book.policy.margin_buffer)
    plain = (Part(INITIAL, 1.0, "initial"), Part(MAINTENANCE, buffered, "maintenance"))
    stressed = [
        Part(STRESSED + at, 1.0, f"stress {shock.id}") for at, shock in enumerate(positions.shocks)
    ]
    positions.bend(rows.bending())
    for view in rows.views(None):
        for part in plain:
            rows.required(view, part)
            rows.scenarios(view, part)
        rows.whole(view)
    for at, part in enumerate(stressed):
        for view in rows.views(at):
            rows.required(view, part)
    if funded_first:
        rows.standing(None, plain)
        for at, part in enumerate(stressed):
            rows.standing(at, (part,))
    return cover_rows(core, draft, positions, Short(rows.keys, rows.missing(), rows.slack))


class _Rows:
    """The rows of one kind after another; shortfall columns are shared by a key's rows."""

    def __init__(self, core: Core, draft: Draft, positions: Positions) -> None:
        self.core, self.draft, self.positions = core, draft, positions
        self.arrays = core.arrays
        self.keys = keys_of(core.arrays)
        self.collateral = Collateral(core, draft)
        self.equity = core.equity.shifted(-core.arrays.wallets.isolated)
        self.losses = self._losses()
        self.start = self._start()
        worst = self._shortfall_now()
        broken = worst * core.arrays.unit > BROKEN
        self.slack = np.full(worst.size, -1, dtype=np.int64)
        none = np.zeros(int(broken.sum()))
        self.slack[broken] = draft.columns(none, worst[broken], weight=1.0)
        self.asked = self._asked()

    def views(self, shock: int | None) -> list[View]:
        """Show collateral as the rules see it and, where it differs, as S sees it."""
        late = bool(np.any(self.keys.late & (self.slack >= 0)))
        return [self._view(shock, arrivals) for arrivals in ((False, True) if late else (False,))]

    def standing(self, shock: int | None, parts: tuple[Part, ...]) -> None:
        """Add the same rules for present positions after all transfers and nothing else."""
        start = self.start
        equity, factor = self._shocked(shock, arrivals=False)
        view = self._seen(equity.only(self.core.layout.transfers), factor, arrivals=False)
        among = ~self.keys.scenario if shock is not None else np.ones_like(self.keys.scenario)
        chosen = np.flatnonzero(among)
        flat, covered = self._covered(chosen, view)
        for part in parts:
            now = part.factor * start[chosen, part.column]
            excess = now - view.held[chosen]
            allowed = np.where(excess * self.arrays.unit > BROKEN, excess, 0.0)
            labels = [("funding", *self._name(int(at)), part.family) for at in chosen]
            self.draft.rows(flat.shifted(now), -np.inf, allowed, labels, covered)

    def _name(self, key: int) -> tuple[str, ...]:
        return tuple(part for part in self.keys.names[key] if part)

    def _view(self, shock: int | None, arrivals: bool) -> View:
        equity, factor = self._shocked(shock, arrivals)
        return self._seen(equity, factor, arrivals, "collateral" if shock is None else "stressed")

    def _seen(
        self, equity: Affine, factor: Vector, arrivals: bool, label: str = "collateral"
    ) -> View:
        keep = np.flatnonzero(np.asarray(self.keys.of_wallet.sum(axis=0)).ravel() > 0)
        cover = self.collateral.cover(equity, keep, label)
        held = self.keys.of_wallet @ (self.collateral.value(equity.const) * factor)
        return View(cover, -cover.flat.scaled(factor), factor, np.asarray(held), arrivals)

    def _shocked(self, shock: int | None, arrivals: bool) -> tuple[Affine, Vector]:
        """Equity by wallet key, and price factors, under a shock or none."""
        wallets = self.arrays.wallets
        equity = self.equity.shifted(wallets.arriving) if arrivals else self.equity
        if shock is None:
            return equity, np.ones(len(wallets.keys))
        case = self.positions.shocks[shock]
        return equity + self._gain(case.gain), case.asset[wallets.asset]

    def _gain(self, gain: Vector) -> Affine:
        """Profit of a shock by wallet key, affine in the actions."""
        arrays, instruments = self.arrays, self.arrays.book.instruments
        at = {key: number for number, key in enumerate(arrays.wallets.keys)}
        cash = np.array(
            [at.get((a, instruments[i].cash), -1) for a, i in arrays.pairs.keys], dtype=np.int64
        )
        used = np.flatnonzero((cash >= 0) & ~arrays.pairs.isolated)
        shape = (len(arrays.wallets.keys), cash.size)
        return self.core.position.mapped(
            sp.csr_array((gain[used], (cash[used], used)), shape=shape)
        )

    def _shortfall_now(self) -> Vector:
        """Shortfall of each key at the start as S counts it: with arrivals."""
        start = self.start.copy()
        start[:, MAINTENANCE] *= 1.0 + float(self.arrays.book.policy.margin_buffer)
        worst = np.zeros(len(self.keys.names))
        for column in range(start.shape[1]):
            shock = None if column < STRESSED else column - STRESSED
            equity, factor = self._shocked(shock, arrivals=True)
            held = self.keys.of_wallet @ (self.collateral.value(equity.const) * factor)
            gap = np.maximum(worst, start[:, column] - held)
            worst = gap if shock is None else np.where(self.keys.scenario, worst, gap)
        return worst

    def missing(self) -> Vector:
        """Work out initial and buffered maintenance margin less collateral now, by key."""
        equity, factor = self._shocked(None, arrivals=True)
        held = self.keys.of_wallet @ (self.collateral.value(equity.const) * factor)
        needed = self.start[:, :STRESSED].copy()
        needed[:, MAINTENANCE] *= 1.0 + float(self.arrays.book.policy.margin_buffer)
        return np.asarray(needed - held[:, None], dtype=np.float64)

    def _start(self) -> Vector:
        """Tabulate the requirement of each key now, shape ``(n_keys, 2 + n_shocks)``."""
        start = self.keys.of_pair @ self.positions.tables.start
        for at, losses in self.losses:
            start[at, :STRESSED] = max(0.0, float(losses.const.max()))
        return np.asarray(start, dtype=np.float64)

    def _losses(self) -> list[tuple[int, Affine]]:
        """Loss in each scenario of each scenario key, by scenario."""
        arrays, out = self.arrays, list[tuple[int, Affine]]()
        for at in np.flatnonzero(self.keys.scenario):
            account = arrays.book.accounts[self.keys.names[at][0]]
            pairs = np.flatnonzero(self.keys.pair_key == at)
            per = arrays.pairs.scale[pairs] * arrays.unit
            names = [arrays.pairs.keys[pair][1] for pair in pairs]
            rows = [[-float(s.pnl.get(i, 0)) for i in names] for s in account.margin.scenarios]
            S = sp.csr_array(np.array(rows).reshape(len(rows), len(names)) / per)
            out.append((int(at), self.core.position.take(pairs).mapped(S)))
        return out

    def _chosen(self, view: View, among: Mask) -> Index:
        counted = self.keys.late & (self.slack >= 0) if view.arrivals else among
        return np.flatnonzero(among & counted)

    def _covered(self, chosen: Index, view: View) -> tuple[Affine, Entries]:
        """Negative collateral of the chosen keys: affine part and entries."""
        S = self.keys.of_wallet[chosen]
        block = S[:, view.cover.bent].tocoo()
        row, column = block.coords
        values = -block.data * view.factor[view.cover.bent][column]
        return view.without.mapped(S), (row, view.cover.columns[column], values)

    def _asked(self) -> Mask:
        """Tell which requirements have rows of their own, shape ``(n_keys, n_columns)``.

        A key that is whole at the start needs no row that another of its rows implies: for the
        maintenance margin where it is nowhere above the initial one, and for a stress that
        touches neither its pairs nor its wallets.
        """
        P, keys = self.positions, self.keys
        out = np.ones_like(self.start, dtype=bool)
        whole = (self.slack < 0) & ~self._short_of_initial()
        buffered = 1.0 + float(self.arrays.book.policy.margin_buffer)
        fixed = ~self.core.live & (
            P.tables.start[:, INITIAL] >= buffered * P.tables.start[:, MAINTENANCE]
        )
        above = ~np.where(self.core.live, P.tables.below, fixed)
        out[:, MAINTENANCE] = ~whole | (keys.of_pair @ above.astype(np.float64) > 0)
        for at, shock in enumerate(P.shocks):
            pairs = (shock.gain != 0) | (shock.scale != 1)
            wallets = shock.asset[self.arrays.wallets.asset] != 1
            touched = keys.of_pair @ pairs.astype(float) + keys.of_wallet @ wallets.astype(float)
            out[:, STRESSED + at] = ~whole | (touched > 0)
        return out

    def _short_of_initial(self) -> Mask:
        equity, factor = self._shocked(None, arrivals=False)
        held = self.keys.of_wallet @ (self.collateral.value(equity.const) * factor)
        short = self.start[:, INITIAL] - np.asarray(held)
        return np.asarray(short * self.arrays.unit > BROKEN, dtype=bool)

    def bending(self) -> Mask:
        """Tell which requirements of which pairs have rows, shape ``(n_pairs, n_columns)``."""
        asked = self.asked & ~self.keys.scenario[:, None]
        padded = np.vstack([asked, np.zeros((1, asked.shape[1]), dtype=bool)])
        return np.asarray(padded[self.keys.pair_key], dtype=bool)

    def required(self, view: View, part: Part) -> None:
        """Add ``factor x requirement - collateral <= allowed`` for keys with brackets."""
        among = ~self.keys.scenario & self.asked[:, part.column]
        chosen = self._chosen(view, among)
        flat, covered = self._covered(chosen, view)
        row_of = np.full(len(self.keys.names) + 1, -1)
        row_of[chosen] = np.arange(chosen.size)
        of_pair = row_of[self.keys.pair_key]
        needed, bent = self.positions.requirement(part.column, of_pair, chosen.size)
        entries = [(row, column, part.factor * value) for row, column, value in bent]
        now = part.factor * self.start[chosen, part.column]
        rule = flat + needed.scaled(part.factor)
        self._add(view, chosen, part.family, rule, now - view.held[chosen], *entries, covered)

    def scenarios(self, view: View, part: Part) -> None:
        """Add ``factor x loss - collateral <= allowed`` for every scenario."""
        wanted = set(self._chosen(view, self.keys.scenario).tolist())
        for at, losses in self.losses:
            if at in wanted:
                chosen = np.full(losses.const.size, at)
                flat, covered = self._covered(chosen, view)
                lost = part.factor * max(0.0, float(losses.const.max()))
                now = np.full(chosen.size, lost - view.held[at])
                rule = losses.scaled(part.factor) + flat
                self._add(view, chosen, part.family, rule, now, covered)

    def whole(self, view: View) -> None:
        """Add ``-collateral <= allowed`` for scenario keys: a loss is never below nothing."""
        for at, losses in self.losses:
            if at in self._chosen(view, self.keys.scenario):
                chosen = np.array([at])
                flat, covered = self._covered(chosen, view)
                lost = max(0.0, float(losses.const.max()))
                self._add(view, chosen, "initial", flat, lost - view.held[chosen], covered)

    def _add(
        self, view: View, chosen: Index, family: str, rule: Affine, now: Vector, *entries: Entries
    ) -> None:
        """Add hard rows against growing, and rows against the shortfall columns."""
        names = [self._name(int(at)) for at in chosen]
        if not view.arrivals:
            allowed = np.where(now * self.arrays.unit > BROKEN, now, 0.0)
            labels = [("margin", *name, family) for name in names]
            rows = self.draft.rows(rule, -np.inf, allowed, labels, *entries)
            if family != "initial":
                self.draft.late.append(rows)
        counted = (self.slack[chosen] >= 0) & (self.keys.late[chosen] == view.arrivals)
        rows = np.flatnonzero(counted)
        if not rows.size:
            return
        renumber = np.full(chosen.size, -1)
        renumber[rows] = np.arange(rows.size)
        kept = [_kept(renumber, block) for block in entries]
        slack = (np.arange(rows.size), self.slack[chosen[rows]], -np.ones(rows.size))
        labels = [("missing", "margin", *names[at], family) for at in rows]
        self.draft.rows(rule.take(rows), -np.inf, 0.0, labels, *kept, slack)


def _kept(renumber: Index, block: Entries) -> Entries:
    row, column, value = block
    used = renumber[row] >= 0
    return renumber[row][used], column[used], value[used]
