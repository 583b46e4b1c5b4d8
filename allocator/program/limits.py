"""Rows of limits: one measure over a scope each.

What a limit exceeds at the start may not grow; while some account in its scope is not frozen, the
excess is a column of S, weighted with numeraire per unit of the measure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.models.mandate import Limit
from allocator.models.market import Instrument
from allocator.program.affine import Affine, Draft
from allocator.program.arrays import UNIT, Arrays
from allocator.program.core import Core
from allocator.program.margin_keys import BROKEN
from allocator.program.positions import Entries, Positions
from allocator.program.separable import Index, Mask, Vector
from allocator.program.sparse import sp

NONE: Entries = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))


@dataclass(frozen=True)
class Measure:
    """A convex measure of one row: an affine part, entries on columns, and its value now."""

    actions: Affine
    entries: Entries
    now: float
    weight: float = 1.0


def selects(limit: Limit, row: Instrument) -> bool:
    """Whether `of` selects an instrument; an asset selects what settles (or is quoted) in it."""
    of = limit.of
    wanted = ((of.underlying, row.underlying), (of.instrument, row.id), (of.asset, row.cash))
    return all(name is None or name == own for name, own in wanted)


def members(arrays: Arrays, limit: Limit) -> Mask:
    """Accounts in the scope of a limit."""
    scope, book = limit.scope, arrays.book
    out = list[bool]()
    for name in arrays.accounts:
        account = book.accounts[name]
        wanted = (
            (scope.account, name),
            (scope.owner, account.owner),
            (scope.venue, account.venue),
            (scope.control_group, account.group),
        )
        out.append(all(value is None or value == own for value, own in wanted))
    return np.array(out, dtype=bool)


def selected(arrays: Arrays, limit: Limit) -> Mask:
    """Which instruments a limit measures."""
    rows = (arrays.book.instruments[name] for name in arrays.instruments)
    return np.array([selects(limit, row) for row in rows], dtype=bool)


def limit_rows(core: Core, draft: Draft, positions: Positions) -> None:
    """Add every row of every limit, and order budgets."""
    worst = WorstSides(core, draft, positions)
    for limit in sorted(core.arrays.book.mandate.limits, key=lambda row: row.id):
        inside = members(core.arrays, limit)
        if not inside.any():
            continue
        frozen = bool(core.arrays.frozen[inside].all())
        slack = dict[str, Index]()
        for measure, cap, family in _measures(core, worst, limit, inside):
            _add(draft, measure, (limit.id, family), cap, slack if not frozen else None)
    _budgets(core, draft)


def _add(
    draft: Draft,
    measure: Measure,
    name: tuple[str, str],
    cap: float,
    slack: dict[str, Index] | None,
) -> None:
    """Add the hard row and, if it is counted, a row of S where it is broken now.

    Parameters
    ----------
    draft, measure, name, cap
        The program so far, and what is kept at or below the cap.
    slack
        Columns of S of this limit by bound: rows of one bound are one excess, the larger of theirs.
        None where the limit is outside S.
    """
    excess = measure.now - cap
    broken = excess > BROKEN / float(UNIT)
    actions = measure.actions.shifted(-cap)
    label = ("limit", *name)
    draft.rows(actions, -np.inf, excess if broken else 0.0, [label], measure.entries)
    if broken and slack is not None:
        bound = name[1]
        if bound not in slack:
            slack[bound] = draft.columns(np.zeros(1), np.array([excess]), weight=1.0)
        back = (np.zeros(1, dtype=np.int64), slack[bound], -np.ones(1))
        draft.rows(actions, -np.inf, 0.0, [("missing", *label)], measure.entries, back)


class WorstSides:
    """Long, short and gross notional of pairs with their open orders, as columns on demand."""

    def __init__(self, core: Core, draft: Draft, positions: Positions) -> None:
        self.core, self.draft, self.positions = core, draft, positions
        pairs = core.arrays.pairs
        self.made: dict[tuple[str, int], int] = {}
        self.working = (pairs.buying != 0) | (pairs.selling != 0)

    def now(self, side: str, counted: bool, at: Index) -> Vector:
        """Value now."""
        pairs = self.core.arrays.pairs
        buying = pairs.buying[at] * counted
        selling = pairs.selling[at] * counted
        high, low = pairs.start[at] + buying, pairs.start[at] - selling
        legs = np.nan_to_num(pairs.fixed_gross[at])
        net = pairs.start[at]
        held = pairs.legged[at]
        if side == "long":
            return np.where(held, (legs + net) / 2 + buying, np.maximum(high, 0.0))
        if side == "short":
            return np.where(held, (legs - net) / 2 + selling, np.maximum(-low, 0.0))
        return np.where(held, legs + buying + selling, np.maximum(np.abs(high), np.abs(low)))

    def measure(self, side: str, counted: bool, at: Index, weight: Vector) -> Measure:
        """Sum one side over pairs with weights."""
        live = self.core.live[at]
        now = self.now(side, counted, at)
        const = float((weight * now)[~live].sum())
        worked = live & self.working[at] & counted
        plain = live & ~worked
        total, flips = self.positions.side(side, at[plain], weight[plain])
        columns = np.array([self._column(side, int(pair)) for pair in at[worked]], dtype=np.int64)
        entries = (
            np.zeros(flips[0].size + columns.size, dtype=np.int64),
            np.concatenate([flips[1], columns]),
            np.concatenate([flips[2], weight[worked]]),
        )
        return Measure(total.shifted(const), entries, float((weight * now).sum()))

    def _column(self, side: str, pair: int) -> int:
        if (side, pair) not in self.made:
            self.made[side, pair] = self._new(side, pair)
        return self.made[side, pair]

    def _new(self, side: str, pair: int) -> int:
        """Add a column at or above the side's value with the open orders counted."""
        pairs, (low, high) = self.core.arrays.pairs, self.core.box
        buying, selling = float(pairs.buying[pair]), float(pairs.selling[pair])
        lines = {
            "long": [(1.0, buying)],
            "short": [(-1.0, selling)],
            "gross": [(1.0, buying), (-1.0, -buying), (-1.0, selling), (1.0, -selling)],
        }[side]
        ends = (float(low[pair]), float(high[pair]))
        most = max(0.0, *(s * x + b for s, b in lines for x in ends))
        column = self.draft.columns(np.zeros(1), np.array([most]))
        take = np.full(len(lines), pair)
        rule = self.core.position.take(take).scaled(np.array([-s for s, _ in lines]))
        owner = np.repeat(column, len(lines))
        self.draft.rows(
            rule.shifted(np.array([-b for _, b in lines])),
            0.0,
            np.inf,
            [(side, self.positions.names[pair])] * len(lines),
            (np.arange(len(lines)), owner, 1.0),
        )
        return int(column[0])


def _measures(
    core: Core, worst: WorstSides, limit: Limit, inside: Mask
) -> list[tuple[Measure, float, str]]:
    """Rows of one limit as (measure, cap in units, name of the bound)."""
    unit = core.arrays.unit
    kind = limit.measure
    if kind == "equity":
        return _equity(core, limit, inside)
    cap = float(limit.max) if limit.max is not None else np.inf
    if kind in ("orders", "turnover", "transfer_out"):
        money = 1.0 if kind == "orders" else unit
        return [(_of_plan(core, limit, inside), cap / money, kind)]
    at, counted = _pairs(core, limit, inside), "open_orders" in limit.counts
    ones = np.ones(at.size)
    if kind == "leverage":
        gross = worst.measure("gross", counted, at, ones)
        equity = _summed(core.equity, _wallets(core, limit, inside)).scaled(-cap)
        now = gross.now + float(equity.const[0])
        return [(Measure(gross.actions + equity, gross.entries, now), 0.0, kind)]
    if kind == "net_notional":
        return _net(core, at, counted, cap / unit)
    if kind == "quantity":
        per = 1.0 / core.arrays.pairs.scale[at]
        rows = [row for row in core.arrays.book.instruments.values() if not row.is_spot]
        sizes = [float(core.arrays.book.notional(r.id)) for r in rows if selects(limit, r)]
        big = max(sizes, default=0.0) or 1.0
        one = worst.measure("gross", counted, at, per * big / unit)
        return [(one, cap * big / unit, kind)]
    side = kind.removesuffix("_notional")
    return [(worst.measure(side, counted, at, ones), cap / unit, kind)]


def _pairs(core: Core, limit: Limit, inside: Mask) -> Index:
    pairs = core.arrays.pairs
    chosen = inside[pairs.account] & selected(core.arrays, limit)[pairs.instrument]
    return np.flatnonzero(chosen).astype(np.int64)


def _wallets(core: Core, limit: Limit, inside: Mask) -> Index:
    wallets = core.arrays.wallets
    chosen = inside[wallets.account]
    if limit.of.asset is not None:
        chosen = chosen & np.array([c == limit.of.asset for _, c in wallets.keys], dtype=bool)
    return np.flatnonzero(chosen).astype(np.int64)


def _summed(of: Affine, at: Index) -> Affine:
    S = sp.csr_array(
        (np.ones(at.size), (np.zeros(at.size, dtype=np.int64), at)), shape=(1, of.const.size)
    )
    return of.mapped(S)


def _net(core: Core, at: Index, counted: bool, cap: float) -> list[tuple[Measure, float, str]]:
    pairs = core.arrays.pairs
    total = _summed(core.position, at)
    up = total.shifted(float(pairs.buying[at].sum()) * counted)
    down = -total.shifted(-float(pairs.selling[at].sum()) * counted)
    now = max(abs(float(up.const[0])), abs(float(down.const[0])))
    return [(Measure(side, NONE, now), cap, "net_notional") for side in (up, down)]


def _equity(core: Core, limit: Limit, inside: Mask) -> list[tuple[Measure, float, str]]:
    """Equity of a scope: what the plan burns is no way to obey a maximum."""
    unit, at = core.arrays.unit, _wallets(core, limit, inside)
    coming = core.arrays.wallets.arriving[at].sum() if "in_flight" in limit.counts else 0.0
    out = list[tuple[Measure, float, str]]()
    if limit.max is not None:
        rule = _summed(core.equity + core.paid, at).shifted(float(coming))
        out.append((Measure(rule, NONE, float(rule.const[0])), float(limit.max) / unit, "max"))
    if limit.min is not None:
        rule = -_summed(core.equity, at).shifted(float(coming))
        out.append((Measure(rule, NONE, float(rule.const[0])), -float(limit.min) / unit, "min"))
    return out


def _of_plan(core: Core, limit: Limit, inside: Mask) -> Measure:
    """Orders, turnover and transfers out: measures of the plan alone."""
    arrays, layout = core.arrays, core.layout
    X, Z = np.zeros(layout.count), np.zeros(layout.count)
    if limit.measure == "transfer_out":
        keys = arrays.wallets.keys
        for number, wallet in enumerate(arrays.routes.source):
            wanted = limit.of.asset in (None, keys[wallet][1])
            if inside[arrays.wallets.account[wallet]] and wanted:
                X[layout.transfers[number]] = 1.0
    else:
        chosen = inside[arrays.orders.account] & selected(arrays, limit)[arrays.orders.instrument]
        into = Z if limit.measure == "orders" else X
        into[layout.buys[chosen]] = into[layout.sells[chosen]] = 1.0
    row = Affine(sp.csr_array(X[None, :]), sp.csr_array(Z[None, :]), np.zeros(1))
    return Measure(row, NONE, 0.0)


def _budgets(core: Core, draft: Draft) -> None:
    """Keep the number of orders of each account within its budget."""
    arrays, layout = core.arrays, core.layout
    budgets = [arrays.book.accounts[name].order_budget for name in arrays.accounts]
    rows = [at for at, budget in enumerate(budgets) if budget is not None]
    counts = np.bincount(arrays.orders.account, minlength=len(budgets))
    rows = [at for at in rows if counts[at] > (budgets[at] or 0)]
    if not rows:
        return
    number = {at: order for order, at in enumerate(rows)}
    kept = np.flatnonzero(np.isin(arrays.orders.account, rows))
    row = np.array([number[int(arrays.orders.account[at])] for at in kept], dtype=np.int64)
    shape = (len(rows), layout.count)
    both = np.concatenate([layout.buys[kept], layout.sells[kept]])
    Z = sp.csr_array((np.ones(both.size), (np.concatenate([row, row]), both)), shape=shape)
    caps = np.array([float(budgets[at] or 0) for at in rows])
    empty = sp.csr_array(shape, dtype=np.float64)
    labels = [("order_budget", arrays.accounts[at]) for at in rows]
    draft.rows(Affine(empty, Z, np.zeros(len(rows))), -np.inf, caps, labels)
