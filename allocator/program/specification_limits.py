"""Limits of the executable specification, in cvxpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import cvxpy as cp
import numpy as np

from allocator.limits import Meter, is_of_plan
from allocator.program.limits import members, selects

if TYPE_CHECKING:
    from allocator.program.specification import Writer

Expression = Any


class Limits:
    """Writes limits and order budgets.

    Attributes
    ----------
    w
        The writer of everything else: actions, positions, equity.
    """

    def __init__(self, writer: Writer) -> None:
        self.w = writer

    def rules(self, missing: list[Expression]) -> Iterator[Any]:
        """Every limit, and every order budget."""
        for limit in self.w.book.mandate.limits:
            if is_of_plan(limit):
                yield self.plan_measure(limit) <= float(limit.max or 0)
                continue
            meter = Meter(self.w.book, limit)
            for bound in meter.bounds:
                now = float(meter.excess(self.w.start, bound))
                excess = self.state_measure(limit, bound) - float(meter.cap(bound)) * self.sign(
                    limit, bound
                )
                yield excess <= max(now, 0.0)
                if not meter.frozen:
                    missing.append(cp.pos(excess) * float(meter.weight) / self.w.unit)
        for number, name in enumerate(self.w.arrays.accounts):
            budget = self.w.book.accounts[name].order_budget
            if budget is not None:
                at = np.flatnonzero(self.w.arrays.orders.account == number)
                layout = self.w.core.layout
                if at.size:
                    yield (
                        cp.sum(self.w.use[layout.buys[at]] + self.w.use[layout.sells[at]]) <= budget
                    )

    @staticmethod
    def sign(limit: Any, bound: str) -> float:
        """Sign of the bound in ``measure - bound``; leverage carries it in the measure."""
        if limit.measure == "leverage":
            return 0.0
        return -1.0 if bound == "min" else 1.0

    def plan_measure(self, limit: Any) -> Expression:
        """Orders, turnover (numeraire) or transfers out (numeraire) of the plan."""
        inside, layout = members(self.w.arrays, limit), self.w.core.layout
        if limit.measure == "transfer_out":
            wallets, routes = self.w.arrays.wallets, self.w.arrays.routes
            at = [
                number
                for number, wallet in enumerate(routes.source)
                if inside[wallets.account[wallet]]
                and limit.of.asset in (None, wallets.keys[wallet][1])
            ]
            return self.w.unit * cp.sum(self.w.x[layout.transfers[at]]) if at else cp.Constant(0.0)
        chosen = [
            number
            for number, (_, i) in enumerate(self.w.arrays.orders.keys)
            if inside[self.w.arrays.orders.account[number]]
            and selects(limit, self.w.book.instruments[i])
        ]
        if not chosen:
            return cp.Constant(0.0)
        of = self.w.use if limit.measure == "orders" else self.w.unit * self.w.x
        return cp.sum(of[layout.buys[chosen]] + of[layout.sells[chosen]])

    def state_measure(self, limit: Any, bound: str) -> Expression:
        """Measure of a limit, numeraire or contracts; minus equity for a minimum."""
        if limit.measure == "equity":
            return self.equity_measure(limit, bound)
        counted = "open_orders" in limit.counts
        inside, pairs = members(self.w.arrays, limit), self.w.arrays.pairs
        at = [
            number
            for number, (_, i) in enumerate(pairs.keys)
            if inside[pairs.account[number]] and selects(limit, self.w.book.instruments[i])
        ]
        if limit.measure == "net_notional":
            buying = sum(float(pairs.buying[n]) for n in at) * counted
            selling = sum(float(pairs.selling[n]) for n in at) * counted
            net = sum((self.w.notional[n] for n in at), cp.Constant(0.0))
            return self.w.unit * cp.maximum(cp.abs(net + buying), cp.abs(net - selling))
        sides = [self.side(limit.measure, n, counted=counted) for n in at]
        total = sum(sides, cp.Constant(0.0))
        if limit.measure == "leverage":
            own = [float(inside[a]) for a in self.w.arrays.wallets.account]
            own = [
                value * (limit.of.asset in (None, c))
                for value, (_, c) in zip(own, self.w.arrays.wallets.keys, strict=True)
            ]
            total = total - float(limit.max or 0) * (np.array(own) @ self.w.equity)
        return total if limit.measure == "quantity" else self.w.unit * total

    def side(self, measure: str, at: int, *, counted: bool) -> Expression:
        """Long, short or gross notional (or contracts) of one pair with its open orders."""
        pairs = self.w.arrays.pairs
        buying, selling = float(pairs.buying[at]) * counted, float(pairs.selling[at]) * counted
        net = self.w.notional[at]
        if pairs.legged[at]:
            gross, start = float(pairs.fixed_gross[at]), float(pairs.start[at])
            long, short = (gross + start) / 2 + buying, (gross - start) / 2 + selling
            worst: Expression = long + short
        else:
            long, short = cp.pos(net + buying), cp.pos(selling - net)
            worst = cp.maximum(cp.abs(net + buying), cp.abs(net - selling))
        table: dict[str, Callable[[], Expression]] = {
            "long_notional": lambda: long,
            "short_notional": lambda: short,
            "quantity": lambda: worst / float(pairs.scale[at]),
        }
        return table.get(measure, lambda: worst)()

    def equity_measure(self, limit: Any, bound: str) -> Expression:
        """Equity of a scope, numeraire; what the plan burns does not help to obey a maximum."""
        wallets, inside = self.w.arrays.wallets, members(self.w.arrays, limit)
        own = [
            float(inside[a]) * (limit.of.asset in (None, c))
            for a, (_, c) in zip(wallets.account, wallets.keys, strict=True)
        ]
        held = self.w.equity + (wallets.arriving if "in_flight" in limit.counts else 0.0)
        if bound == "max":
            return self.w.unit * (np.array(own) @ (held + self.w.of(self.w.core.paid)))
        return -self.w.unit * (np.array(own) @ held)
