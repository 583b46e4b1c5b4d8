"""The convex program as one reads it: the executable specification, in cvxpy.

What `allocator.program.build` assembles row by row stands here as formulas over the same actions:
margin as a maximum of lines instead of segments, collateral as a minimum instead of columns, the
3/2 power itself. Allowed excesses come from the exact law. A test holds the two equal; the sparse
assembly is what runs, because it is built once and re-solved a hundred times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import cvxpy as cp
import numpy as np

from allocator.exposure import exposures, goals
from allocator.margin import Shocked, collateral, pools, requirements
from allocator.program.affine import Affine
from allocator.program.core import Core
from allocator.program.objective import COST_UNIT, HOURS_A_YEAR, factors
from allocator.program.requirements import shocks_of
from allocator.program.specification_limits import Limits
from allocator.program.wallets import gains, room_of, settling
from allocator.state import State

Expression = Any
"""A cvxpy expression (cvxpy's own types are not strict)."""


@dataclass(frozen=True)
class Specification:
    """The program over its actions.

    Attributes
    ----------
    actions
        Sizes in units, shape ``(n_actions,)``.
    cost
        Objective in cost units; a use is the fraction of its largest size.
    shortfall
        S in units.
    rules
        Constraints.
    """

    actions: Any
    cost: Expression
    shortfall: Expression
    rules: list[Any]

    def least_cost(self, shortfall: float) -> Any:
        """Pose the program: least cost with S at or below a cap."""
        return cp.Problem(cp.Minimize(self.cost), [*self.rules, self.shortfall <= shortfall])


def specify(core: Core) -> Specification:
    """Write the program of a book; for books without whole-position margin."""
    return Writer(core).specification()


class Writer:
    """Writes one term or rule after another."""

    def __init__(self, core: Core) -> None:
        self.core, self.arrays, self.book = core, core.arrays, core.arrays.book
        self.x: Any = cp.Variable(core.layout.count)
        share = np.divide(1.0, core.top, out=np.zeros_like(core.top), where=core.top > 0)
        self.use = cp.multiply(share, self.x)
        self.start = State.start(self.book)
        self.notional = self.of(core.position)
        self.equity = self.of(core.equity)
        self.unit = core.arrays.unit

    def specification(self) -> Specification:
        """Put everything together."""
        missing, rules = list[Expression](), [self.x >= 0, self.x <= self.core.top]
        rules += list(self.boxes())
        rules += list(self.margins(missing))
        rules += list(self.wallets())
        rules += list(Limits(self).rules(missing))
        cost = self.tracking() + self.tolls() + self.impact() + self.transfers()
        cost = cost + self.carry() + self.concentration() + self.fixed()
        total = sum(missing, cp.Constant(0.0))
        return Specification(self.x, cost * (self.unit / COST_UNIT), total, rules)

    def of(self, row: Affine) -> Expression:
        """Write an affine vector of the actions and their uses."""
        return row.X @ self.x + row.Z @ self.use + row.const

    # ---- costs, in units

    def tracking(self) -> Expression:
        """Quadratic risk of the gaps, and the penalty outside the bands."""
        book, policy = self.book, self.book.policy
        wanted, now = goals(book), exposures(book, self.start)
        gaps = list[Expression]()
        outside = cp.Constant(0.0)
        for u in book.underlyings:
            gap = self.exposure(u, float(now[u])) - float(wanted[u].target) / self.unit
            gaps.append(gap)
            outside = outside + cp.pos(cp.abs(gap) - float(wanted[u].band) / self.unit)
        weight = float(policy.risk_aversion) / 2 * float(policy.horizon_h) / 24 * self.unit
        risk = cp.sum_squares(factors(book) @ cp.hstack(gaps)) if gaps else cp.Constant(0.0)
        return weight * risk + float(policy.band_penalty) * outside

    def exposure(self, underlying: str, now: float) -> Expression:
        """Exposure to one underlying after the plan."""
        book = self.book
        per = [
            float(book.exposure(i) / book.notional(i))
            if book.instruments[i].underlying == underlying
            else 0.0
            for _, i in self.arrays.pairs.keys
        ]
        coins = [float(book.asset(c).underlying == underlying) for _, c in self.arrays.wallets.keys]
        change = np.array(per) @ (self.notional - self.core.position.const)
        held = np.array(coins) @ (self.equity - self.core.equity.const)
        return now / self.unit + change + held

    def tolls(self) -> Expression:
        """Fees and spread of orders."""
        layout, toll = self.core.layout, self.arrays.orders.toll
        return toll @ (self.x[layout.buys] + self.x[layout.sells])

    def impact(self) -> Expression:
        """Write the 3/2-power law on the turnover of all accounts in each instrument."""
        layout, orders = self.core.layout, self.arrays.orders
        total = cp.Constant(0.0)
        for number in np.unique(orders.instrument):
            at = orders.instrument == number
            row = self.book.instruments[self.arrays.instruments[number]]
            turnover = cp.sum(self.x[layout.buys[at]] + self.x[layout.sells[at]])
            rate = 2 / 3 * float(self.book.policy.impact) * float(row.daily_volatility or 0)
            scale = (self.unit / float(row.daily_volume or 1)) ** 0.5
            # A solver's rounding may leave turnover below zero, where the power has no value.
            total = total + rate * scale * cp.power(cp.pos(turnover), 1.5)
        return total

    def transfers(self) -> Expression:
        """Charges, the capital under way, and fees of moves."""
        routes, moves, layout = self.arrays.routes, self.arrays.moves, self.core.layout
        size, use = self.x[layout.transfers], self.use[layout.transfers]
        charges = (routes.rate + routes.cost) @ size + routes.fee @ use
        return charges + moves.fee @ self.use[layout.moved]

    def carry(self) -> Expression:
        """Funding less expected return, and interest on negative wallets."""
        book, hours = self.book, float(self.book.policy.horizon_h)
        per = [float(book.units[i].carry / book.notional(i)) for _, i in self.arrays.pairs.keys]
        rates = [float(book.asset(c).borrow_rate) for _, c in self.arrays.wallets.keys]
        interest = np.array(rates) * hours / HOURS_A_YEAR
        return np.array(per) @ self.notional + interest @ cp.pos(-self.of(self.core.wallet))

    def concentration(self) -> Expression:
        """Write the expected loss on the equity at each venue."""
        hours, total = float(self.book.policy.horizon_h), cp.Constant(0.0)
        for venue, rate in self.book.policy.venue_risk.items():
            own = [self.book.accounts[a].venue == venue for a, _ in self.arrays.wallets.keys]
            held = np.array(own, dtype=float) @ self.equity
            total = total + float(rate) * hours / HOURS_A_YEAR * cp.pos(held)
        return total

    def fixed(self) -> Expression:
        """Cost of each action, as a share of its largest size."""
        policy, layout = self.book.policy, self.core.layout
        orders = cp.sum(self.use[layout.buys] + self.use[layout.sells])
        total = float(policy.order_cost) * orders
        total = total + float(policy.transfer_cost) * cp.sum(self.use[layout.transfers])
        return (total + float(policy.move_cost) * cp.sum(self.use[layout.moved])) / self.unit

    # ---- rules

    def boxes(self) -> Iterator[Any]:
        """Brackets and states of pairs that some action can change."""
        live = np.flatnonzero(self.core.live)
        low, high = self.core.box
        if live.size:
            yield self.notional[live] >= low[live]
            yield self.notional[live] <= high[live]

    def margins(self, missing: list[Expression]) -> Iterator[Any]:
        """Collateral covers every requirement; what is broken may not grow and counts in S."""
        for name in self.arrays.accounts:
            if self.book.accounts[name].state != "frozen":
                for pool in pools(self.book, name):
                    yield from self.pool(name, pool, missing)

    def pool(self, account: str, pool: str | None, missing: list[Expression]) -> Iterator[Any]:
        """One margin sum: its rules, and its part of S."""
        gaps = list(self.gaps(account, pool, arrivals=False))
        late = list(self.gaps(account, pool, arrivals=True))
        counted = list[Expression]()
        for (rule, now), (seen, _) in zip(gaps, late, strict=True):
            yield rule <= max(now, 0.0) / self.unit
            counted.append(seen)
        missing.append(cp.pos(cp.max(cp.hstack(counted))))

    def gaps(
        self, account: str, pool: str | None, *, arrivals: bool
    ) -> Iterator[tuple[Expression, float]]:
        """Every requirement less collateral, in units, with its value now in numeraire."""
        book, buffer = self.book, 1 + float(self.book.policy.margin_buffer)
        held = float(collateral(book, self.start, account, pool, arrivals))
        now = requirements(book, self.start, account, pool)
        cover = self.cover(account, pool, None, arrivals=arrivals)
        if book.accounts[account].margin.model == "scenario":
            worst = self.worst_loss(account, pool)
            yield worst - cover, float(now.initial) - held
            yield buffer * worst - cover, buffer * float(now.maintenance) - held
            return
        yield self.required(account, pool, "initial", 1.0) - cover, float(now.initial) - held
        need = self.required(account, pool, "maintenance", 1.0)
        yield buffer * need - cover, buffer * float(now.maintenance) - held
        shocked = Shocked(book, self.start, account, pool, arrivals=arrivals)
        for at, stress in enumerate(book.policy.stress):
            need = self.required(account, pool, "maintenance", at)
            cover = self.cover(account, pool, at, arrivals=arrivals)
            yield need - cover, float(shocked.gap(stress.prices))

    def pairs_of(self, account: str, pool: str | None) -> list[int]:
        """Pairs that a margin sum carries."""
        return [
            at
            for at, (a, i) in enumerate(self.arrays.pairs.keys)
            if a == account
            and not self.arrays.pairs.isolated[at]
            and pool in (None, self.book.instruments[i].cash)
            and self.book.position(a, i) is not None
        ]

    def required(self, account: str, pool: str | None, kind: str, scale: float | int) -> Expression:
        """Write initial or maintenance margin; an integer scale names a stress."""
        shock = shocks_of(self.arrays)[scale] if isinstance(scale, int) else None
        total = cp.Constant(0.0)
        for at in self.pairs_of(account, pool):
            factor = 1.0 if shock is None else float(shock.scale[at])
            total = total + self.pair_margin(at, kind, factor)
        return total

    def pair_margin(self, at: int, kind: str, factor: float) -> Expression:
        """Margin of one pair: the largest line of its brackets, or notional over leverage."""
        key, pairs = self.arrays.pairs.keys[at], self.arrays.pairs
        gross = pairs.fixed_gross[at] if pairs.legged[at] else cp.abs(self.notional[at])
        tiers, place = self.book.tiers[key], self.book.position(*key)
        if not tiers:
            return cp.Constant(0.0)
        if kind == "initial" and tiers[0].initial is None:
            picked = None if place is None else place.leverage
            most = next((t for t in tiers if float(t.cap) >= self.size(at)), tiers[-1]).max_leverage
            return gross / float(picked or most or 1)
        lines = [
            (float(t.initial or 0), float(t.initial_deduction))
            if kind == "initial"
            else (float(t.maintenance), float(t.deduction))
            for t in tiers
        ]
        values = [rate * factor * gross - cut / self.unit for rate, cut in lines]
        return cp.pos(cp.max(cp.hstack(values)))

    def size(self, at: int) -> float:
        """Gross notional of a pair now, numeraire."""
        pairs = self.arrays.pairs
        legs = float(pairs.fixed_gross[at])
        return self.unit * (legs if pairs.legged[at] else abs(float(pairs.start[at])))

    def worst_loss(self, account: str, pool: str | None) -> Expression:
        """Loss in the worst scenario, not below nothing."""
        at = np.array(self.pairs_of(account, pool), dtype=int)
        names = [self.arrays.pairs.keys[pair][1] for pair in at]
        per = self.arrays.pairs.scale[at] * self.unit
        losses = [
            -(np.array([float(row.pnl.get(i, Decimal(0))) for i in names]) / per)
            @ self.notional[at]
            for row in self.book.accounts[account].margin.scenarios
        ]
        return cp.pos(cp.max(cp.hstack(losses)))

    def cover(
        self, account: str, pool: str | None, stress: int | None, *, arrivals: bool
    ) -> Expression:
        """Collateral, under a stress or none: the least line of each asset's ratios."""
        wallets, total = self.arrays.wallets, cp.Constant(0.0)
        shock = None if stress is None else shocks_of(self.arrays)[stress]
        for at, (name, asset) in enumerate(wallets.keys):
            if name != account or pool not in (None, asset):
                continue
            units = self.equity[at] - wallets.isolated[at]
            units = units + (wallets.arriving[at] if arrivals else 0.0)
            if shock is not None:
                units = units + self.gain(account, asset, shock.gain)
            factor = 1.0 if shock is None else float(shock.asset[wallets.asset[at]])
            total = total + factor * self.worth(account, asset, units)
        return total

    def gain(self, account: str, asset: str, gain: Any) -> Expression:
        """Profit of a stress that settles in an asset."""
        total = cp.Constant(0.0)
        for at in self.pairs_of(account, asset):
            total = total + float(gain[at]) * self.notional[at]
        return total

    def worth(self, account: str, asset: str, units: Expression) -> Expression:
        """Collateral value of an equity by marginal ratios."""
        scale = float(self.book.price(asset)) / self.unit
        lines, below, value = [units], 0.0, 0.0
        for tier in self.book.ratios(account, asset):
            lines.append(float(tier.ratio) * (units - below) + value)
            if tier.upto is not None:
                value += float(tier.ratio) * (float(tier.upto) * scale - below)
                below = float(tier.upto) * scale
        return cp.min(cp.hstack(lines))

    def wallets(self) -> Iterator[Any]:
        """Nothing is overdrawn by transfers or spot orders, nothing leaves that may not."""
        wallets, core, routes = self.arrays.wallets, self.core, self.arrays.routes
        net, room = self.of(core.flow - core.spot_paid), room_of(core)
        yield net + self.of(gains(core)) >= -room
        after, settles = net + self.of(core.settled), settling(core)
        for wallet, action, loss in zip(settles.wallet, settles.action, settles.loss, strict=True):
            yield after[wallet] >= -room[wallet] - loss * (1 - self.use[action])
        size, use = self.x[core.layout.transfers], self.use[core.layout.transfers]
        for wallet in np.unique(routes.source):
            at = np.flatnonzero(routes.source == wallet)
            leaving = (1 + routes.rate[at]) @ size[at] + routes.fee[at] @ use[at]
            yield leaving <= float(wallets.withdrawable[wallet])
