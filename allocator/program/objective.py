"""The cost law as columns and rows: one function per term (problem.md section 3)."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np

from allocator.exposure import exposures, goals
from allocator.program.affine import Affine, Draft, groups
from allocator.program.core import Core
from allocator.program.form import Hull
from allocator.program.positions import Positions
from allocator.program.separable import Index, Vector
from allocator.program.sparse import sp
from allocator.state import Book, State

HOURS_A_YEAR = 8760.0
COST_UNIT = 100.0
"""Numeraire per unit of the objective."""


class Costs:
    """Adds the terms to a draft.

    Attributes
    ----------
    linear, fixed
        Cost per unit and per use of each action, in objective units.
    constant
        What no action changes.
    """

    def __init__(self, core: Core, draft: Draft) -> None:
        self.core, self.draft = core, draft
        self.policy = core.arrays.book.policy
        self.rate = core.arrays.unit / COST_UNIT
        self.linear = np.zeros(core.layout.count)
        self.fixed = np.zeros(core.layout.count)
        self.constant = 0.0
        self.hours = float(self.policy.horizon_h)

    def tolls(self) -> None:
        """Charge fees and spread of orders."""
        orders, layout = self.core.arrays.orders, self.core.layout
        self.linear[layout.buys] += self.rate * orders.toll
        self.linear[layout.sells] += self.rate * orders.toll

    def transfers(self) -> None:
        """Charge routes' fees, rates and the capital under way, and fees of moves."""
        arrays, layout = self.core.arrays, self.core.layout
        self.linear[layout.transfers] += self.rate * (arrays.routes.rate + arrays.routes.cost)
        self.fixed[layout.transfers] += self.rate * arrays.routes.fee
        self.fixed[layout.moved] += self.rate * arrays.moves.fee

    def actions(self) -> None:
        """Charge each action's fixed cost."""
        layout, policy = self.core.layout, self.policy
        for at, cost in (
            (layout.buys, policy.order_cost),
            (layout.sells, policy.order_cost),
            (layout.transfers, policy.transfer_cost),
            (layout.moved, policy.move_cost),
        ):
            self.fixed[at] += float(cost) / COST_UNIT

    def impact(self) -> tuple[Hull, ...]:
        """Charge the 3/2-power law on the turnover of all accounts in each instrument."""
        arrays, layout = self.core.arrays, self.core.layout
        used = np.unique(arrays.orders.instrument)
        number = np.searchsorted(used, arrays.orders.instrument)
        top = self.core.top
        tops = np.maximum(top[layout.buys], top[layout.sells])
        most = np.bincount(number, tops, used.size).astype(np.float64)
        k = np.array([self._power(arrays.instruments[at]) for at in used])
        zero = np.zeros(used.size)
        first = self.draft.columns(zero, zero)
        rest = self.draft.curved(zero, most, k=k)
        at = np.concatenate([number, number])
        X = sp.csr_array(
            (
                np.ones(at.size),
                (at, np.concatenate([layout.buys, layout.sells])),
            ),
            shape=(used.size, layout.count),
        )
        turnover = Affine(X, sp.csr_array(X.shape, dtype=np.float64), zero)
        own = np.arange(used.size)
        self.draft.rows(
            turnover,
            0.0,
            0.0,
            [("turnover", arrays.instruments[i]) for i in used],
            (own, first, -1.0),
            (own, rest, -1.0),
        )
        return tuple(
            Hull(
                first=int(first[i]),
                rest=int(rest[i]),
                k=float(k[i]),
                fixed=float(self.policy.order_cost) / COST_UNIT,
                top=float(most[i]),
                orders=np.concatenate([layout.buys[number == i], layout.sells[number == i]]),
            )
            for i in own
        )

    def repeats(self, hulls: tuple[Hull, ...], positions: Positions) -> tuple[Hull, ...]:
        """Count closing orders beyond the first of each instrument, in a column of its hull.

        The hull of an instrument pays for one order. An order that closes up to ``q`` of a
        position by ``s`` and goes beyond by the flip ``e`` has ``use >= (s - e) / q``, and

            repeats >= sum over its orders of (s - e) / q - 1

        orders are paid for on top: where many accounts close what a limit leaves no room for,
        each pays. Pairs that moves touch are left out, as a move may make room to close more.
        """
        layout, closes = self.core.layout, self.core.closes[: 2 * self.core.layout.orders]
        pair = np.concatenate([self.core.arrays.orders.pair] * 2)
        held = np.append(positions.moved, True)[pair]
        usable = (closes > 0) & (self.core.top[: pair.size] > 0) & ~held
        flip = np.append(positions.flip, -1)[pair]
        at = [hull.orders[usable[hull.orders]] for hull in hulls]
        none = np.zeros(len(hulls))
        column = self.draft.columns(none, np.array([float(rows.size) for rows in at]))
        number = np.repeat(np.arange(len(hulls)), [rows.size for rows in at])
        action = np.concatenate([np.zeros(0, dtype=np.int64), *at])
        shape = (len(hulls), layout.count)
        X = sp.csr_array((-1.0 / closes[action], (number, action)), shape=shape)
        bent = np.flatnonzero(flip[action] >= 0)
        rows = self.draft.rows(
            Affine(X, sp.csr_array(shape, dtype=np.float64), none),
            -1.0,
            np.inf,
            [("repeats", str(i)) for i in range(len(hulls))],
            (np.arange(len(hulls)), column, 1.0),
            (number[bent], flip[action[bent]], 1.0 / closes[action[bent]]),
        )
        self.draft.rises.append((rows, column, -2 - np.arange(len(hulls))))
        return tuple(
            replace(hull, repeats=int(own)) for hull, own in zip(hulls, column, strict=True)
        )

    def _power(self, instrument: str) -> float:
        row = self.core.arrays.book.instruments[instrument]
        volume, volatility = row.daily_volume, row.daily_volatility
        assert volume is not None
        rate = 2 / 3 * float(self.policy.impact) * float(volatility or 0) / sqrt(float(volume))
        unit = self.core.arrays.unit
        return rate * unit * sqrt(unit) / COST_UNIT

    def carry(self) -> None:
        """Charge funding less expected return, and interest on negative wallets."""
        arrays, book = self.core.arrays, self.core.arrays.book
        per = np.array(
            [float(book.units[i].carry / book.notional(i)) for _, i in arrays.pairs.keys]
        )
        total = self.core.position.scaled(per)
        self.linear += self.rate * np.asarray(total.X.sum(axis=0)).ravel()
        self.constant += self.rate * float(total.const.sum())
        rates = np.array([float(book.asset(c).borrow_rate) for _, c in arrays.wallets.keys])
        self._positive_part(
            -self.core.wallet, rates * self.hours / HOURS_A_YEAR, np.zeros(rates.size), "borrowed"
        )

    def concentration(self) -> None:
        """Charge the expected loss on the equity at each venue."""
        arrays, risk = self.core.arrays, self.policy.venue_risk
        venues = sorted(risk)
        number = {name: at for at, name in enumerate(venues)}
        book = arrays.book
        at = np.array([number.get(book.accounts[a].venue, -1) for a, _ in arrays.wallets.keys])
        used = np.flatnonzero(at >= 0)
        held = self.core.equity.take(used).mapped(groups(at[used], len(venues)))
        rates = np.array([float(risk[name]) for name in venues]) * self.hours / HOURS_A_YEAR
        self._positive_part(held, rates, np.zeros(len(venues)), "venue")

    def _positive_part(self, of: Affine, rate: Vector, beyond: Vector, family: str) -> None:
        """Charge ``rate x max(0, of - beyond)``; linear or constant where the sign is known."""
        low, high = of.range(np.zeros(self.core.layout.count), self.core.top)
        paid = (rate > 0) & (high > beyond)
        sure = paid & (low >= beyond)
        S = of.shifted(-beyond)
        weight = np.where(sure, rate, 0.0) * self.rate
        self.linear += np.asarray(weight @ S.X).ravel()
        self.fixed_use(np.asarray(weight @ S.Z).ravel())
        self.constant += float(weight @ S.const)
        at = np.flatnonzero(paid & ~sure)
        column = self.draft.columns(
            np.zeros(at.size), (high - beyond)[at], cost=self.rate * rate[at]
        )
        self.draft.rows(
            -S.take(at),
            0.0,
            np.inf,
            [(family, str(i)) for i in at],
            (np.arange(at.size), column, 1.0),
        )

    def fixed_use(self, per_use: Vector) -> None:
        """Add a cost (or saving) of each use."""
        self.fixed += per_use

    def tracking(self) -> None:
        """Charge quadratic risk of the gaps and the penalty outside the bands."""
        book = self.core.arrays.book
        names = book.underlyings
        goal = goals(book)
        exposed = self._exposure(names)
        unit = self.core.arrays.unit
        gap = exposed.shifted(-np.array([float(goal[u].target) / unit for u in names]))
        band = np.array([float(goal[u].band) / unit for u in names])
        low, high = gap.range(np.zeros(self.core.layout.count), self.core.top)
        penalty = float(self.policy.band_penalty)
        own = np.arange(len(names))
        d = self.draft.columns(low, high)
        self.draft.rows(gap, 0.0, 0.0, [("gap", u) for u in names], (own, d, -1.0))
        most = np.maximum(np.maximum(high - band, -low - band), 0.0)
        e = self.draft.columns(np.zeros(len(names)), most, cost=self.rate * penalty)
        none = self._none(len(names))
        for sign in (1.0, -1.0):
            self.draft.rows(
                none, -band, np.inf, [("band", u) for u in names], (own, e, 1.0), (own, d, -sign)
            )
        self._risk(d, low, high)

    def _none(self, rows: int) -> Affine:
        empty = sp.csr_array((rows, self.core.layout.count), dtype=np.float64)
        return Affine(empty, empty, np.zeros(rows))

    def _risk(self, d: Index, low: Vector, high: Vector) -> None:
        """Charge ``aversion/2 h d' Sigma d`` by factors, so that the objective is separable."""
        book, unit = self.core.arrays.book, self.core.arrays.unit
        weight = float(self.policy.risk_aversion) * self.hours / 24 * unit**2 / COST_UNIT
        if weight <= 0 or not d.size:
            return
        F = factors(book)
        up, down = np.maximum(F, 0.0), np.minimum(F, 0.0)
        y = self.draft.curved(up @ low + down @ high, up @ high + down @ low, p=weight)
        row, column = np.nonzero(F)
        own = np.arange(y.size)
        self.draft.rows(
            self._none(y.size),
            0.0,
            0.0,
            [("factor", str(at)) for at in own],
            (row, d[column], F[row, column]),
            (own, y, -1.0),
        )

    def _exposure(self, names: tuple[str, ...]) -> Affine:
        """Exposure to each underlying after the plan."""
        arrays, book = self.core.arrays, self.core.arrays.book
        at = {name: number for number, name in enumerate(names)}
        rows = [book.instruments[i] for _, i in arrays.pairs.keys]
        pair = np.array([at.get(row.underlying or "", -1) for row in rows], dtype=np.int64)
        per = np.array([float(book.exposure(r.id) / book.notional(r.id)) for r in rows])
        wallet = np.array(
            [at.get(book.asset(c).underlying or "", -1) for _, c in arrays.wallets.keys],
            dtype=np.int64,
        )
        some, held = np.flatnonzero(pair >= 0), np.flatnonzero(wallet >= 0)
        of_pairs = self.core.position.take(some).mapped(groups(pair[some], len(names), per[some]))
        of_coins = self.core.equity.take(held).mapped(groups(wallet[held], len(names)))
        total = of_pairs + of_coins
        now = exposures(book, State.start(book))
        start = np.array([float(now[u]) / arrays.unit for u in names])
        return Affine(total.X, total.Z, start)


def factors(book: Book) -> Vector:
    """Factor the daily covariance: Sigma = F'F, shape ``(n_factors, n_underlyings)``.

    Without given correlations all are one half: one common factor and one of each underlying's
    own, which leaves the program sparse.
    """
    names = book.underlyings
    if names and not book.policy.risk.correlation:
        own = np.sqrt(np.array([float(book.covariance[u, u]) for u in names]) / 2)
        return np.vstack([own[None, :], np.diag(own)])
    sigma = np.array([[float(book.covariance[u, v]) for v in names] for u in names])
    if not names:
        return np.zeros((0, 0))
    values, vectors = np.linalg.eigh(sigma)
    kept = values > max(float(values.max()), 0.0) * 1e-14
    F = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    return np.asarray(F, dtype=np.float64)
