"""What the charts show, as plain data: figures become floats here, for drawing alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from allocator.models import api
from allocator.models.plan import COST_PARTS, Order, Plan, PositionMove, Transfer
from allocator.models.snapshot import Snapshot
from allocator.models.what_if import Decided
from allocator.state.units import notional_per_contract


def equity(rows: Sequence[api.EquityView]) -> dict[str, Any]:
    """Follow equity and what is on its way over time, with a gap where equity is not known."""
    points = [
        [
            row.at.isoformat(),
            None if row.equity is None else float(row.equity + (row.on_its_way or 0)),
        ]
        for row in rows
    ]
    return {"kind": "line", "name": "equity", "unit": "USD", "points": points}


def heat(book: api.BookView) -> dict[str, Any]:
    """Show what each account carries of each underlying."""
    accounts = [row.account for row in book.accounts]
    names = [row.underlying for row in book.exposures]
    cells = [
        [x, y, float(value)]
        for y, row in enumerate(book.exposures)
        for x, account in enumerate(accounts)
        if (value := row.by_account.get(account)) is not None
    ]
    return {"kind": "heat", "columns": accounts, "rows": names, "cells": cells}


def exposure(plan: Plan) -> dict[str, Any]:
    """Set exposures before and after beside target and band."""
    rows = [
        [name, *(float(v) for v in (row.before, row.after, row.target, row.band))]
        for name, row in sorted(plan.exposure.items())
    ]
    return {"kind": "exposure", "rows": rows}


def sankey(plan: Plan, snapshot: Snapshot) -> dict[str, Any]:
    """Show money and positions that move between accounts, numeraire.

    What flows both ways between two accounts is drawn between a left and a right node of each.
    """
    links = list[dict[str, Any]]()
    prices = {name: row.price for name, row in snapshot.assets.items()}
    for action in plan.actions:
        match action:
            case Transfer():
                worth = action.amount * prices[action.asset]
                links.append(_link(action.source, action.target, worth, action.asset))
            case PositionMove():
                row = snapshot.instrument[action.instrument]
                worth = action.quantity * notional_per_contract(snapshot.assets, row)
                links.append(_link(action.source, action.target, worth, action.instrument))
            case Order():
                pass
    names = list(dict.fromkeys(name for row in links for name in (row["source"], row["target"])))
    nodes = [{"name": name, "label": name.split(" ", 1)[1]} for name in names]
    return {"kind": "sankey", "nodes": nodes, "links": links}


def _link(source: str, target: str, worth: Any, what: str) -> dict[str, Any]:
    return {"source": f"from {source}", "target": f"to {target}", "value": float(worth),
            "what": what}  # fmt: skip


def cost(plan: Plan) -> dict[str, Any]:
    """Show what a plan costs by part, and what doing nothing costs."""
    parts = [[name, float(getattr(plan.cost, name))] for name in COST_PARTS]
    rows = [row for row in parts if row[1]]
    rows += [["total", float(plan.cost.total)], ["doing nothing", float(plan.cost.do_nothing)]]
    return {"kind": "bars", "rows": rows, "unit": "USD"}


FRONTIER: Final = {
    "actions": ("count", "actions"),
    "tracking": ("tracking_error", "tracking error, USD"),
    "margin_buffer": ("margin_buffer", "margin buffer"),
}
"""Across: the figure of a point, and its name."""


def frontier(curve: Any) -> dict[str, Any]:
    """Draw cost against actions or the margin buffer; against tracking, all cost but tracking."""
    tracking = curve["along"] == "tracking"
    key, across = FRONTIER[curve["along"]]
    down = "all cost but tracking, USD" if tracking else "total cost, USD"
    points = list[list[float]]()
    for row in curve["points"]:
        cost = row["cost"]
        off = float(cost["tracking"]) if tracking else 0.0
        points.append([float(row[key]), float(cost["total"]) - off])
    return {"kind": "frontier", "x": across, "y": down, "points": points}


def timeline(rows: Sequence[api.AttemptView]) -> dict[str, Any]:
    """Put requests on a line of time, one row an action."""
    points = [
        [row.at.isoformat(), row.seq, row.state, f"{row.kind} {row.seq}.{row.part}"] for row in rows
    ]
    return {"kind": "timeline", "points": points}


def cases(rows: Sequence[Decided]) -> dict[str, Any]:
    """Set what-if cases side by side by total cost."""
    found = [[row.name, float(row.total)] for row in rows if row.total is not None]
    return {"kind": "bars", "rows": found, "unit": "USD"}
