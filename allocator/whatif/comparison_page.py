"""Base against shocked as a page."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from allocator.models.base import ZERO
from allocator.models.explain import money
from allocator.models.plan import COST_PARTS, Plan
from allocator.whatif.charts import bars, sankeys
from allocator.whatif.comparison import WhatIf
from allocator.whatif.page import Chart, Page, Row, Table
from allocator.whatif.report import hashes, headline, largest, ratio, smallest, tables

COUNTS = ("actions", "transfers", "moves", "orders")


def page(done: WhatIf) -> Page:
    """Put a what-if on a page: what was done, what came of it, what changed and why."""
    lead = [done.description] if done.description else []
    if done.notes:
        lead.append(f"Base: {headline(done.base.plan)}")
    lead.append(f"{'Shocked: ' if done.notes else ''}{headline(done.shocked.plan)}")
    if done.expect is not None:
        lead.append(
            "Comes out as expected." if not done.wrong else "Does NOT come out as expected."
        )
    parts: list[Table | Chart] = [*_pictures(done), *side_by_side(done)]
    parts += [_prefixed(table) if done.notes else table for table in tables(done.shocked.plan)]
    foot = [f"base {line}" for line in hashes(done.base.plan)] if done.notes else []
    foot += [f"{'shocked ' if done.notes else ''}{line}" for line in hashes(done.shocked.plan)]
    return Page(f"What if: {done.name}", lead, parts, foot)


def _prefixed(table: Table) -> Table:
    return Table(f"Shocked: {table.heading}", table.columns, table.rows, table.words)


def side_by_side(done: WhatIf) -> list[Table]:
    """Put the comparison into tables; empty ones are left out."""
    rows = [
        Table("Not as expected", ("what",), [(line,) for line in done.wrong]),
        Table(
            "What is done to the book",
            ("#", "what"),
            [(str(i), line) for i, line in enumerate(done.notes, 1)],
        ),
        Table("What the plans do not show", ("what",), [(line,) for line in done.remarks]),
    ]
    if done.notes:
        rows += [
            Table("Side by side (USD)", ("what", "base", "shocked", "change"), _figures(done)),
            Table(
                "What changed and why",
                ("base", "shocked", "why"),
                [(row.base or "-", row.shocked or "-", row.why) for row in done.changes()],
                "Actions that the two plans do not share.",
            ),
            Table("Exposure side by side (USD)", EXPOSURE, _exposure(done)),
            Table("Accounts side by side (USD)", ACCOUNTS, _accounts(done)),
            Table("Binding limits side by side", ("limit", "base", "shocked"), _binding(done)),
        ]
    return [table for table in rows if table.rows]


EXPOSURE = (
    "underlying", "base before", "base after", "shocked before", "shocked after", "target", "band",
)  # fmt: skip
ACCOUNTS = (
    "account", "base equity", "shocked equity", "base ratio", "shocked, no plan", "shocked, plan",
    "base liquidation at", "shocked",
)  # fmt: skip


def _figures(done: WhatIf) -> list[Row]:
    out = list[Row]()
    for what, a, b in done.figures():
        change = b - a if isinstance(a, Decimal) and isinstance(b, Decimal) else None
        if a == b and not a:
            continue
        cells = [_cell(what, value) for value in (a, b)]
        out.append((what, *cells, "" if change is None else _cell(what, change)))
    return out


def _cell(what: str, value: Decimal | str | None) -> str:
    match value:
        case None:
            return "-"
        case str():
            return value or "none"
        case _ if what in COUNTS:
            return str(value)
        case _ if "ratio" in what:
            return f"{value:.2f}"
        case _ if "relative" in what:
            return f"{value:.4%}"
        case _:
            return money(value)


def _exposure(done: WhatIf) -> list[Row]:
    base, shocked = done.base.plan.exposure, done.shocked.plan.exposure
    out = list[Row]()
    for name in sorted({*base, *shocked}):
        a, b = base.get(name), shocked.get(name)
        sides = [(row, key) for row in (a, b) for key in ("before", "after")]
        sides += [(b, "target"), (b, "band")]
        cells = ("-" if row is None else money(getattr(row, key)) for row, key in sides)
        out.append((name, *cells))
    return out


def _accounts(done: WhatIf) -> list[Row]:
    base, shocked = done.base.plan.accounts, done.shocked.plan.accounts
    out = list[Row]()
    for name in sorted({*base, *shocked}):
        a, b = base.get(name), shocked.get(name)
        out.append(
            (
                name,
                "-" if a is None else money(a.equity_after),
                "-" if b is None else money(b.equity_after),
                ratio(None if a is None else a.margin_ratio_after),
                ratio(None if b is None else b.margin_ratio_before),
                ratio(None if b is None else b.margin_ratio_after),
                *(_distance(plan, name) for plan in (done.base.plan, done.shocked.plan)),
            )
        )
    return out


def _distance(plan: Plan, name: str) -> str:
    row = plan.accounts.get(name)
    far = [v for v in row.liquidation_distance_after.values() if v is not None] if row else []
    return f"{min(far, key=abs):.1%}" if far else "-"


def _binding(done: WhatIf) -> list[Row]:
    sides = [_prices(side.plan) for side in (done.base, done.shocked)]
    return [
        (name, *(_price(side.get(name)) for side in sides))
        for name in sorted({*sides[0], *sides[1]})
    ]


def _prices(plan: Plan) -> dict[str, Decimal]:
    rows = plan.certificate.binding if plan.certificate is not None else ()
    return {row.limit: row.price for row in rows}


def _price(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:.6g} USD"


def _pictures(done: WhatIf) -> Iterator[Chart]:
    """Draw the comparison; without one, what the single plan has to show."""
    if not done.notes:
        from allocator.whatif.report import charts

        yield from charts(done.shocked.plan)
        return
    yield from _cost_bars(done)
    yield from _margin_bars(done)
    yield from _exposure_bars(done)
    yield from _binding_bars(done)
    for title, side in (("Base", done.base), ("Shocked", done.shocked)):
        for chart in sankeys(side.plan):
            yield Chart(f"{title}: {chart.heading}", chart.options, chart.told, chart.height)


def _cost_bars(done: WhatIf) -> Iterator[Chart]:
    costs = (done.base.plan.cost, done.shocked.plan.cost)
    names = [n for n in (*COST_PARTS, "total", "do_nothing") if any(getattr(c, n) for c in costs)]
    if names:
        series = {
            word: [getattr(cost, name) for name in names]
            for word, cost in zip(("base", "shocked"), costs, strict=True)
        }
        yield bars("Cost by part", [name.replace("_", " ") for name in names], series)


def _binding_bars(done: WhatIf) -> Iterator[Chart]:
    base, shocked = (_prices(side.plan) for side in (done.base, done.shocked))
    both = sorted({*base, *shocked})
    names = largest({n: max(abs(row.get(n, ZERO)) for row in (base, shocked)) for n in both})
    if names:
        series = {
            "base": [base.get(name) for name in names],
            "shocked": [shocked.get(name) for name in names],
        }
        yield bars("What the binding limits cost", names, series, unit="USD a unit")


def _margin_bars(done: WhatIf) -> Iterator[Chart]:
    base, shocked = done.base.plan.accounts, done.shocked.plan.accounts
    known = {k: r.margin_ratio_before for k, r in shocked.items()}
    names = smallest({k: v for k, v in known.items() if v is not None})
    if names:
        series = {
            "base": [base[n].margin_ratio_after if n in base else None for n in names],
            "shocked, no plan": [shocked[n].margin_ratio_before for n in names],
            "shocked, plan": [shocked[n].margin_ratio_after for n in names],
        }
        yield bars("Margin: collateral over maintenance", names, series, unit="x")


def _exposure_bars(done: WhatIf) -> Iterator[Chart]:
    base, shocked = done.base.plan.exposure, done.shocked.plan.exposure
    both = [name for name in shocked if name in base]
    sizes = {n: max(abs(shocked[n].target), abs(shocked[n].before)) for n in both}
    names = largest({name: size for name, size in sizes.items() if size})
    if names:
        series = {
            "base after": [base[n].after for n in names],
            "shocked before": [shocked[n].before for n in names],
            "shocked after": [shocked[n].after for n in names],
            "target": [shocked[n].target for n in names],
        }
        yield bars("Exposure before and after", names, series)
