"""A plan as Markdown, or as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape

from allocator.models.base import plain
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

Row = Sequence[str]
Table = tuple[str, Row, list[Row]]
"""Heading, columns and rows."""


def tables(plan: Plan, where: Where = path_of) -> list[Table]:
    """Put a plan into tables, the important one first; empty ones are left out."""
    rows: list[Table] = [
        ("Actions", ("#", "action", "waits for", "why"), _actions(plan)),
        ("Exposure (USD)", ("underlying", "before", "after", "target", "band"), _exposure(plan)),
        ("Accounts (USD)", ACCOUNT_COLUMNS, _accounts(plan)),
        ("Cost (USD)", ("part", "plan"), _cost(plan)),
        ("Binding limits", ("limit", "price of one unit", "in words"), _binding(plan, where)),
        ("Missing", ("what", "missing", "why, and what would mend it"), _missing(plan, where)),
        ("Why nothing is done", ("reason",), _idle(plan, where)),
    ]
    return [table for table in rows if table[2]]


ACCOUNT_COLUMNS = (
    "account",
    "equity before",
    "after",
    "initial",
    "maintenance",
    "ratio",
    "liquidation at",
)


def headline(plan: Plan) -> str:
    """Say what the plan comes to in one sentence."""
    return plan.explain().splitlines()[0]


def markdown(plan: Plan, title: str = "Plan") -> str:
    """Write a plan as Markdown."""
    out = [f"# {title}", "", headline(plan), ""]
    for heading, columns, rows in tables(plan):
        out += [f"## {heading}", "", _line(columns), _line("-" for _ in columns)]
        out += [_line(row) for row in rows]
        out.append("")
    return "\n".join([*out, *_hashes(plan)]) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


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


def _accounts(plan: Plan) -> list[Row]:
    out = list[Row]()
    for name, row in sorted(plan.accounts.items()):
        ratio = row.margin_ratio_after
        far = [v for v in row.liquidation_distance_after.values() if v is not None]
        out.append(
            (
                name,
                money(row.equity_before),
                money(row.equity_after),
                money(row.initial_margin_after),
                money(row.maintenance_margin_after),
                "-" if ratio is None else f"{ratio:.2f}",
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


def _hashes(plan: Plan) -> list[str]:
    names = ("plan_hash", "snapshot_hash", "mandate_hash")
    return [f"{name}: `{getattr(plan, name) or '-'}`  " for name in names]


STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 2rem; width: 100%; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #8884; text-align: left; }
td + td { font-variant-numeric: tabular-nums; }
code { font-size: .8rem; overflow-wrap: anywhere; }
svg text { fill: currentColor; font-size: 12px; }
.bar { fill: #4a7fb5; } .cost { fill: #b5654a; } .mark { stroke: currentColor; }
"""


def html(plan: Plan, title: str = "Plan") -> str:
    """Write a plan as one HTML page with its pictures in it."""
    body = [f"<h1>{escape(title)}</h1>", f"<p>{escape(headline(plan))}</p>"]
    body += [_picture("Cost by part (USD)", _cost_bars(plan), "cost")]
    body += [_picture("Margin ratio after the plan", _ratio_bars(plan), "bar")]
    for heading, columns, rows in tables(plan):
        head = "".join(f"<th>{escape(name)}</th>" for name in columns)
        cells = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in rows
        )
        body.append(
            f"<h2>{escape(heading)}</h2>\n<table><thead><tr>{head}</tr></thead>\n"
            f"<tbody>{cells}</tbody></table>"
        )
    body += [f"<p><code>{escape(line.replace('`', ''))}</code></p>" for line in _hashes(plan)]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>{chr(10).join(part for part in body if part)}</body></html>\n"
    )


def _cost_bars(plan: Plan) -> list[tuple[str, Decimal, str]]:
    parts = [(name, getattr(plan.cost, name)) for name in (*COST_PARTS, "total", "do_nothing")]
    return [(name.replace("_", " "), value, money(value)) for name, value in parts if value]


def _ratio_bars(plan: Plan) -> list[tuple[str, Decimal, str]]:
    rows = [(name, row.margin_ratio_after) for name, row in sorted(plan.accounts.items())]
    return [(name, value, f"{value:.2f}") for name, value in rows if value is not None]


def _picture(heading: str, bars: list[tuple[str, Decimal, str]], kind: str) -> str:
    """Draw horizontal bars; negative ones go to the left of the axis."""
    if not bars:
        return ""
    most = max(abs(value) for _, value, _ in bars) or Decimal(1)
    low = min([Decimal(0), *(value for _, value, _ in bars)])
    span = max([Decimal(0), *(value for _, value, _ in bars)]) - low or most
    axis = 180 + float(-low / span) * 420
    out = [
        f'<svg viewBox="0 0 720 {len(bars) * 22 + 8}" role="img" aria-label="{escape(heading)}">'
    ]
    for i, (name, value, label) in enumerate(bars):
        width = float(abs(value) / span) * 420
        left = axis if value >= 0 else axis - width
        y = i * 22
        out.append(
            f'<text x="172" y="{y + 16}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="{kind}" x="{left:.1f}" y="{y + 4}" width="{width:.1f}" height="16"/>'
            f'<text x="610" y="{y + 16}">{escape(label)}</text>'
        )
    out.append(f'<line class="mark" x1="{axis:.1f}" x2="{axis:.1f}" y1="0" y2="{len(bars) * 22}"/>')
    return f"<h2>{escape(heading)}</h2>\n{''.join(out)}</svg>"
