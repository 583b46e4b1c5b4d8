"""A plan as tables, as Markdown, and as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from allocator.models.base import plain
from allocator.models.errors import ConfigError
from allocator.models.explain import (
    Where,
    binds,
    describe,
    lacks,
    money,
    path_of,
    sentence,
    why_broken,
    why_idle,
)
from allocator.models.plan import COST_PARTS, Plan
from allocator.whatif import page as pages
from allocator.whatif.charts import bars, sankeys
from allocator.whatif.page import Chart, Page, Row, Table

ACCOUNT_COLUMNS = (
    "account",
    "equity before",
    "after",
    "initial",
    "maintenance",
    "ratio before",
    "ratio",
    "liquidation at",
)
MOST_BARS = 24
"""Bars of one picture; of more names the largest stand in it, all of them in the table."""


def tables(plan: Plan, where: Where = path_of) -> list[Table]:
    """Put a plan into tables, the important one first; empty ones are left out."""
    rows = [
        Table("Actions", ("#", "action", "waits for", "why"), _actions(plan)),
        Table(
            "Exposure (USD)", ("underlying", "before", "after", "target", "band"), _exposure(plan)
        ),
        Table("Accounts (USD)", ACCOUNT_COLUMNS, _accounts(plan)),
        Table("Cost (USD)", ("part", "plan"), _cost(plan)),
        Table("Binding limits", ("limit", "price of one unit", "in words"), _binding(plan, where)),
        Table("Missing", ("what", "missing", "why, and what would mend it"), _missing(plan, where)),
        Table("Why nothing is done", ("reason",), _idle(plan, where)),
    ]
    return [table for table in rows if table.rows]


def headline(plan: Plan) -> str:
    """Say what the plan comes to in one sentence."""
    return plan.explain().splitlines()[0]


def page(plan: Plan, title: str = "Plan", where: Where = path_of) -> Page:
    """Put a plan on a page."""
    return Page(title, [headline(plan)], [*charts(plan), *tables(plan, where)], hashes(plan))


def markdown(plan: Plan, title: str = "Plan") -> str:
    """Write a plan as Markdown."""
    return pages.markdown(page(plan, title))


def html(plan: Plan, title: str = "Plan") -> str:
    """Write a plan as one HTML page with its pictures in it."""
    return pages.html(page(plan, title))


def write_plan(plan: Plan, path: str | Path) -> Path:
    """Write a plan where its name's ending says how: .html, .md or .json.

    Raises
    ------
    ConfigError
        When the ending says nothing.
    """
    return write_page(page(plan, Path(path).stem), plan.to_json(), path)


def write_page(told: Page, data: object, path: str | Path) -> Path:
    """Write a page, or the data it tells of, as the ending of the name says.

    Raises
    ------
    ConfigError
        When it is none of .html, .md and .json.
    """
    out = Path(path)
    match out.suffix.lower():
        case ".html" | ".htm":
            text = pages.html(told)
        case ".md":
            text = pages.markdown(told)
        case ".json":
            text = pages.json_text(data)
        case _:
            raise ConfigError(f"{out}: a report ends in .html, .md or .json")
    out.write_text(text, encoding="utf-8")
    return out


def charts(plan: Plan) -> list[Chart]:
    """Draw transfers, exposure, margin, cost and what binds; what has no figures is left out."""
    return [
        *sankeys(plan),
        *_exposure_bars(plan),
        *_account_bars(plan),
        *_cost_bars(plan),
        *_binding_bars(plan),
    ]


def _exposure_bars(plan: Plan) -> Iterable[Chart]:
    sizes = {k: max(map(abs, (r.before, r.after, r.target))) for k, r in plan.exposure.items()}
    names = largest({name: size for name, size in sizes.items() if size})
    if names:
        rows = [plan.exposure[name] for name in names]
        series = {key: [getattr(row, key) for row in rows] for key in ("before", "after", "target")}
        yield bars("Exposure before and after", names, series)


def _account_bars(plan: Plan) -> Iterable[Chart]:
    rows = {k: r for k, r in plan.accounts.items() if r.margin_ratio_after is not None}
    names = smallest({k: r.margin_ratio_after or Decimal(0) for k, r in rows.items()})
    if names:
        series = {
            "before": [rows[name].margin_ratio_before for name in names],
            "after": [rows[name].margin_ratio_after for name in names],
        }
        yield bars("Margin: collateral over maintenance", names, series, unit="x")


def _cost_bars(plan: Plan) -> Iterable[Chart]:
    names = (*COST_PARTS, "total", "do_nothing")
    shown = [name for name in names if getattr(plan.cost, name)]
    if shown:
        values = [getattr(plan.cost, name) for name in shown]
        yield bars("Cost by part", [n.replace("_", " ") for n in shown], {"plan": values})


def _binding_bars(plan: Plan) -> Iterable[Chart]:
    rows = plan.certificate.binding if plan.certificate is not None else ()
    prices = {row.limit: row.price for row in rows if row.price}
    names = largest(prices)
    if names:
        series = {"price of one unit": [prices[name] for name in names]}
        yield bars("What the binding limits cost", names, series, unit="USD a unit")


def largest(rows: dict[str, Decimal]) -> list[str]:
    """Name the largest, in the order of their names."""
    return sorted(sorted(rows, key=lambda name: (-abs(rows[name]), name))[:MOST_BARS])


def smallest(rows: dict[str, Decimal]) -> list[str]:
    """Name the smallest, in the order of their names."""
    return sorted(sorted(rows, key=lambda name: (rows[name], name))[:MOST_BARS])


def _actions(plan: Plan) -> list[Row]:
    return [
        (
            str(action.seq),
            describe(action),
            ", ".join(map(str, action.after)) or "-",
            sentence(plan.reasons[action.seq]) if action.seq in plan.reasons else "",
        )
        for action in plan.actions
    ]


def _exposure(plan: Plan) -> list[Row]:
    return [
        (name, *(money(value) for value in (row.before, row.after, row.target, row.band)))
        for name, row in sorted(plan.exposure.items())
    ]


def ratio(value: Decimal | None) -> str:
    """Write a margin ratio; a dash where there is no maintenance margin."""
    return "-" if value is None else f"{value:.2f}"


def _accounts(plan: Plan) -> list[Row]:
    out = list[Row]()
    for name, row in sorted(plan.accounts.items()):
        far = [v for v in row.liquidation_distance_after.values() if v is not None]
        out.append(
            (
                name,
                money(row.equity_before),
                money(row.equity_after),
                money(row.initial_margin_after),
                money(row.maintenance_margin_after),
                ratio(row.margin_ratio_before),
                ratio(row.margin_ratio_after),
                "-" if not far else f"{min(far, key=abs):.1%}",
            )
        )
    return out


def _cost(plan: Plan) -> list[Row]:
    parts = [(name, money(getattr(plan.cost, name))) for name in COST_PARTS]
    return [
        *[row for row in parts if row[1] not in ("0.00", "-0.00")],
        ("total", money(plan.cost.total)),
        ("doing nothing", money(plan.cost.do_nothing)),
    ]


def _binding(plan: Plan, where: Where) -> list[Row]:
    rows = plan.certificate.binding if plan.certificate is not None else ()
    return [(row.limit, f"{plain(row.price)} USD", binds(row, where)) for row in rows]


def _missing(plan: Plan, where: Where) -> list[Row]:
    rows: list[Row] = [
        (row.what, money(row.missing), "; ".join(map(str.strip, list(why_broken(row, where))[1:])))
        for row in plan.infeasible
    ]
    rows += [(f"{name} (frozen)", "-", _frozen(plan, name)) for name in plan.unrepairable]
    return rows + [(row.code, "-", row.message) for row in plan.refusals]


def _frozen(plan: Plan, name: str) -> str:
    return "; ".join(lacks(row) for row in plan.frozen if row.what == name)


def _idle(plan: Plan, where: Where) -> list[Row]:
    return [] if plan.idle is None else [(line.strip(),) for line in why_idle(plan.idle, where)]


def hashes(plan: Plan) -> list[str]:
    """Name the hashes of a plan and of what it was made from."""
    names = ("plan_hash", "snapshot_hash", "mandate_hash")
    return [f"{name}: {getattr(plan, name) or '-'}" for name in names]
