"""The cost law as an expression, numeraire (law, section 3)."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np

from allocator.exposure import exposures, goals
from allocator.models.base import ZERO
from allocator.state import State, equity
from bench.exact.actions import Acts
from bench.exact.model import UNIT, Line

HOURS_A_YEAR = 8760.0
SECONDS_A_YEAR = 365 * 86400.0


def cost_of(acts: Acts) -> Line:
    """Build the total cost after the plan."""
    out = Line()
    for part in (_orders, _transfers, _carry, _borrowing, _concentration, _impact, _tracking):
        out.plus(part(acts))
    return out


def _orders(acts: Acts) -> Line:
    """Fees, spread and the fixed cost of orders."""
    out, policy = Line(), acts.book.policy
    for sides in (acts.buys, acts.sells):
        for key, side in sides.items():
            lot = acts.book.instruments[key[1]].lot
            notional = acts.book.notional(key[1])
            per = acts.book.taker(*key) * notional + acts.book.half_spread(key[1])
            out.add(side.lots, float(per * lot)).add(side.used, float(policy.order_cost))
    return out


def _transfers(acts: Acts) -> Line:
    out, policy = Line(), acts.book.policy
    for name, act in acts.sent.items():
        route = acts.book.routes[name]
        price = acts.book.price(route.asset)
        delay = float(policy.capital_rate * route.latency_s) / SECONDS_A_YEAR
        out.add(act.size, float(act.per * price) * (float(route.rate) + delay))
        out.add(act.used, float(route.fee * price + policy.transfer_cost))
    for key, act in acts.moved.items():
        out.add(act.used, float(acts.book.moves[key].fee + policy.move_cost))
    return out


def _carry(acts: Acts) -> Line:
    out = Line()
    for key, line in acts.position.items():
        rate = float(acts.book.units[key[1]].carry / acts.book.notional(key[1]))
        out.plus(line, rate * UNIT)
    return out


def _borrowing(acts: Acts) -> Line:
    out, book = Line(), acts.book
    hours = float(book.policy.horizon_h) / HOURS_A_YEAR
    for key in sorted({*book.wallet, *acts.change}):
        rate = float(book.asset(key[1]).borrow_rate)
        held = float(book.wallet.get(key, ZERO) * book.price(key[1])) / UNIT
        after = Line(constant=held).plus(acts.change.get(key, Line()))
        after.plus(acts.settled.get(key, Line()))
        if rate > 0:
            out.plus(acts.model.above([after.times(-1.0)]), rate * hours * UNIT)
    return out


def _concentration(acts: Acts) -> Line:
    out, book = Line(), acts.book
    hours, start = float(book.policy.horizon_h) / HOURS_A_YEAR, State.start(book)
    for venue, rate in sorted(book.policy.venue_risk.items()):
        inside = [row.id for row in book.accounts.values() if row.venue == venue]
        now = sum((equity(book, start, name) for name in inside), ZERO)
        after = Line(constant=float(now) / UNIT)
        for (account, _), line in acts.change.items():
            if account in inside:
                after.plus(line)
        if rate > 0:
            out.plus(acts.model.above([after]), float(rate) * hours * UNIT)
    return out


def _impact(acts: Acts) -> Line:
    out, book = Line(), acts.book
    sizes: dict[str, Line] = {}
    for key in sorted({*acts.buys, *acts.sells}):
        sizes.setdefault(key[1], Line()).plus(acts.size(key))
    for name, size in sizes.items():
        row = book.instruments[name]
        rate = 2 / 3 * float(book.policy.impact * (row.daily_volatility or ZERO))
        k = rate * UNIT * sqrt(UNIT / float(row.daily_volume or 1))
        if k > 0:
            at = acts.model.held(size, low=0.0)
            out.plus(acts.model.curve(at, _power(k), _power_slope(k)))
    return out


def _power(k: float) -> Callable[[float], float]:
    return lambda v: k * max(v, 0.0) ** 1.5


def _power_slope(k: float) -> Callable[[float], float]:
    return lambda v: 1.5 * k * sqrt(max(v, 0.0))


def _gaps(acts: Acts) -> dict[str, Line]:
    book = acts.book
    now, goal = exposures(book, State.start(book)), goals(book)
    gaps = {u: Line(constant=float(now[u] - goal[u].target) / UNIT) for u in book.underlyings}
    for key, line in acts.position.items():
        name = book.instruments[key[1]].underlying
        if name is not None:
            per = float(book.exposure(key[1]) / book.notional(key[1]))
            gaps[name].plus(Line(dict(line.of)), per)
    for (_, asset), line in acts.change.items():
        name = book.asset(asset).underlying
        if name is not None:
            gaps[name].plus(line)
    return gaps


def _tracking(acts: Acts) -> Line:
    book, model, gaps = acts.book, acts.model, _gaps(acts)
    goal, policy, out = goals(book), book.policy, Line()
    for name, gap in gaps.items():
        band = float(goal[name].band) / UNIT
        outside = model.above([gap.times(1.0, -band), gap.times(-1.0, -band)])
        out.plus(outside, float(policy.band_penalty) * UNIT)
    weight = float(policy.risk_aversion * policy.horizon_h) / 48 * UNIT**2
    names = list(gaps)
    sigma = np.array([[float(book.covariance[u, v]) for v in names] for u in names])
    if weight <= 0 or not names:
        return out
    values, vectors = np.linalg.eigh(sigma)
    for value, vector in zip(values, vectors.T, strict=True):
        if value > 1e-16:
            factor = Line()
            for name, part in zip(names, vector, strict=True):
                factor.plus(gaps[name], float(part))
            at, k = model.held(factor), weight * float(value)
            out.plus(model.curve(at, _square(k), _square_slope(k)))
    return out


def _square(k: float) -> Callable[[float], float]:
    return lambda v: k * v * v


def _square_slope(k: float) -> Callable[[float], float]:
    return lambda v: 2 * k * v
