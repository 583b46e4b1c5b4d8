"""Scoped limits as rows."""

from __future__ import annotations

from allocator.limits import Bound, Meter, accounts_of, is_of_plan, selects
from allocator.models.mandate import Limit
from allocator.state import Book, Pair, State
from bench.exact.actions import Acts
from bench.exact.margin import Missing, allowed
from bench.exact.model import UNIT, Line, total


def limit_rules(acts: Acts, missing: Missing, room: float) -> None:
    """Add every limit of the mandate."""
    for limit in acts.book.mandate.limits:
        if is_of_plan(limit):
            _of_plan(acts, limit, room)
        else:
            meter = Meter(acts.book, limit)
            for bound in meter.bounds:
                _of_state(acts, meter, bound, missing, room)


def _of_plan(acts: Acts, limit: Limit, room: float) -> None:
    assert limit.max is not None
    if limit.measure == "orders":
        acts.model.row(_orders(acts, limit), high=float(limit.max))
        return
    out = _sent(acts, limit) if limit.measure == "transfer_out" else _turnover(acts, limit)
    if out.of:
        acts.model.row(out, high=float(limit.max) / UNIT - room)


def _sent(acts: Acts, limit: Limit) -> Line:
    inside, out = accounts_of(acts.book, limit), Line()
    for name in acts.sent:
        route = acts.book.routes[name]
        if route.source in inside and limit.of.asset in (None, route.asset):
            out.plus(acts.amount(name))
    return out


def _selected(acts: Acts, limit: Limit) -> list[Pair]:
    inside = accounts_of(acts.book, limit)
    keys = sorted({*acts.buys, *acts.sells})
    rows = acts.book.instruments
    return [key for key in keys if key[0] in inside and selects(limit.of, rows[key[1]])]


def _turnover(acts: Acts, limit: Limit) -> Line:
    return total(acts.size(key) for key in _selected(acts, limit))


def _orders(acts: Acts, limit: Limit) -> Line:
    keys = _selected(acts, limit)
    sides = (acts.buys, acts.sells)
    return Line({side[key].used: 1.0 for side in sides for key in keys if key in side})


def _of_state(acts: Acts, meter: Meter, bound: Bound, missing: Missing, room: float) -> None:
    """Keep a breach from growing, and count it; everything in the measure's unit over `UNIT`."""
    before = float(meter.excess(State.start(acts.book), bound)) / UNIT
    cap = float(meter.cap(bound))
    measure = meter.limit.measure
    if measure == "equity":
        held = _equity(acts, meter, spent_back=bound == "max")
        rows = [held.times(-1.0, cap / UNIT) if bound == "min" else held.times(1.0, -cap / UNIT)]
    elif measure == "net_notional":
        rows = [line.times(1.0, -cap / UNIT) for line in _net(acts, meter)]
    else:
        rows = [_counted(acts, meter)]
        if measure == "leverage":
            rows[0].plus(_equity(acts, meter, spent_back=False), -cap)
        else:
            rows[0].constant -= cap / UNIT
    weight = float(meter.weight)
    for line in rows:
        if line.of:
            acts.model.row(line, high=allowed(before, room / max(1.0, weight)))
    if not meter.frozen:
        missing.above(rows, weight)


def _counted(acts: Acts, meter: Meter) -> Line:
    """Add up what a measure counts of every pair."""
    out, measure, model = Line(), meter.limit.measure, acts.model
    for key, pair in meter.pairs.items():
        notional = float(pair.notional)
        line = acts.position.get(key, Line())
        buys, sells = (float(v) * notional / UNIT for v in (pair.buys, pair.sells))
        if pair.legs is not None:
            long, short = (float(v) * notional / UNIT for v in pair.legs)
            both = {"long_notional": long + buys, "short_notional": short + sells}
            worth = Line(constant=both.get(measure, long + short + buys + sells))
        elif measure == "long_notional":
            worth = model.above([line.times(1.0, buys)])
        elif measure == "short_notional":
            worth = model.above([line.times(-1.0, sells)])
        else:
            high, low = line.times(1.0, buys), line.times(1.0, -sells)
            worth = model.above([high, high.times(-1.0), low, low.times(-1.0)])
        out.plus(worth, 1 / notional if measure == "quantity" else 1.0)
    return out


def _net(acts: Acts, meter: Meter) -> list[Line]:
    up, down = Line(), Line()
    for key, pair in meter.pairs.items():
        line, notional = acts.position.get(key, Line()), float(pair.notional)
        up.plus(line.times(1.0, float(pair.buys) * notional / UNIT))
        down.plus(line.times(1.0, -float(pair.sells) * notional / UNIT))
    return [up, up.times(-1.0), down, down.times(-1.0)]


def _equity(acts: Acts, meter: Meter, *, spent_back: bool) -> Line:
    """Equity of the scope after the plan; what the plan spends is no way to obey a maximum."""
    book: Book = acts.book
    start = meter.equity(State.start(book), "max" if spent_back else "min")
    out, asset, inside = Line(constant=float(start) / UNIT), meter.limit.of.asset, meter.accounts
    for lines in (acts.change, acts.spent) if spent_back else (acts.change,):
        for (account, held), line in lines.items():
            if account in inside and asset in (None, held):
                out.plus(line)
    return out
