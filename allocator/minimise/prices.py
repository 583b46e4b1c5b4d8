"""Which rules bind, and at what price, from the certified row prices."""

from __future__ import annotations

from collections.abc import Container
from decimal import Decimal

from allocator.minimise.search import Search
from allocator.models.plan import Binding
from allocator.program.form import Vector

NAMED = ("limit", "margin", "missing", "withdrawable", "order_budget")
LEAST_PRICE = 1e-7
MOST = 20


def binding_of(found: Search, tight: Container[str]) -> tuple[Binding, ...]:
    """List the rules that bind, dearest first.

    Parameters
    ----------
    tight
        Names of the rules that the plan's end is up against, by the exact law.

    The price is numeraire per unit of the limit: per numeraire of room for money, per order for
    counts.
    """
    prices = _priced(found, found.relaxed.y)
    scale = found.program.form.cost_unit
    rows = sorted(prices.items(), key=lambda row: (-row[1], row[0]))
    out = [
        Binding(limit=name, price=Decimal(f"{price * scale:.10f}").normalize() + 0)
        for name, price in rows
        if price * scale > LEAST_PRICE and name in tight
    ]
    return tuple(out[:MOST])


def against_of(found: Search) -> tuple[str, ...]:
    """List the rules that stand against less shortfall."""
    prices = _priced(found, found.least.y)
    return tuple(name for name, price in sorted(prices.items()) if price > 1e-12)


def _priced(found: Search, y: Vector) -> dict[str, float]:
    form = found.below.form
    out: dict[str, float] = {}
    for label, price in zip(form.labels, y, strict=False):
        if label[0] not in NAMED or abs(price) * form.cost_unit / form.unit < LEAST_PRICE:
            continue
        kind = "margin" if label[0] == "missing" else label[0]
        name = label[1] if kind == "limit" else f"{kind} {label[1]}"
        counted = label[0] == "order_budget" or label[-1] == "orders"
        worth = abs(float(price)) / (1.0 if counted else form.unit)
        out[name] = max(out.get(name, 0.0), worth)
    return out
