"""A frontier as a page: the curve, its table, and how the plans at its ends differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from allocator.frontier import ActionPoint, BufferPoint, Frontier, TrackingPoint
from allocator.models.explain import money
from allocator.whatif.charts import Series, bars, lines
from allocator.whatif.difference import differences
from allocator.whatif.page import Chart, Page, Table

Columns = Mapping[str, str]
ACTIONS: Final[Columns] = {
    "most": "actions allowed",
    "count": "actions",
    "lower_bound": "proven bound",
    "one_more": "one more saves",
    "shortfall": "shortfall",
}
TRACKING: Final[Columns] = {
    "factor": "weight of tracking",
    "count": "actions",
    "tracking_error": "tracking error",
    "band_excess": "outside bands",
    "spent": "spent",
    "other": "all other cost",
    "gap": "gap",
}
BUFFER: Final[Columns] = {
    "margin_buffer": "margin buffer",
    "count": "actions",
    "price": "a point more costs",
    "worst_margin_ratio": "least margin ratio",
    "shortfall": "shortfall",
    "gap": "gap",
}
FIGURES: Final = ("factor", "margin_buffer")
"""Columns that are written as they are, not as money."""

Point = ActionPoint | TrackingPoint | BufferPoint


def page(curve: Frontier, name: str) -> Page:
    """Put a frontier on a page."""
    columns = {"actions": ACTIONS, "tracking": TRACKING, "margin_buffer": BUFFER}[curve.along]
    rows = [[*(_cell(row, key) for key in columns), money(row.cost.total)] for row in curve.points]
    table = Table("Frontier (USD)", (*columns.values(), "total"), rows)
    first, last = (row.plan.model_copy(update={"cost": row.cost}) for row in _ends(curve))
    changed = [(what, _written(a), _written(b)) for what, a, b in differences(first, last)]
    ends = Table("From one end to the other", ("what", "first", "last"), changed)
    foot = [f"snapshot_hash: {curve.snapshot_hash}", f"mandate_hash: {curve.mandate_hash}"]
    along = curve.along.replace("_", " ")
    lead = [f"Cost along {along}, {len(curve.points)} points.", *warnings(curve), *curve.notes]
    return Page(f"Frontier: {name}", lead, [*pictures(curve), table, ends], foot)


def _ends(curve: Frontier) -> tuple[Point, Point]:
    return curve.points[0], curve.points[-1]


def warnings(curve: Frontier) -> list[str]:
    """Say what stays broken along the curve, where anything does."""
    left, alike = curve.left_broken, curve.comparable
    least = min(left)
    out = list[str]()
    if least > 0:
        out.append(f"No point repairs all: {money(least)} USD at least stays missing (shortfall).")
    if not all(alike):
        out.append(
            f"{alike.count(False)} of {len(alike)} points leave more broken than the best can: "
            "their cost does not compare with the others', for it does not pay for the repair."
        )
    return out


def _written(text: str) -> str:
    """Write a figure as money, other text as it is, and nothing as a dash."""
    try:
        return money(Decimal(text))
    except ArithmeticError:
        return text or "-"


def _cell(row: Point, key: str) -> str:
    value = getattr(row, key)
    if value is None:
        return "-"
    if isinstance(value, Decimal):
        return f"{value:f}" if key in FIGURES else money(value)
    return str(value)


def pictures(curve: Frontier) -> list[Chart]:
    """Draw the curve as its kind wants it, and what stays broken where anything does."""
    points: Sequence[Point] = curve.points
    actions = [row for row in points if isinstance(row, ActionPoint)]
    tracking = [row for row in points if isinstance(row, TrackingPoint)]
    buffer = [row for row in points if isinstance(row, BufferPoint)]
    if actions:
        return _by_actions(actions, curve.comparable)
    return _by_tracking(tracking) if tracking else _by_buffer(buffer, curve.comparable)


def _totals(points: Sequence[ActionPoint | BufferPoint], alike: Sequence[bool]) -> Series:
    """Draw apart what does not compare by cost."""
    rows = list(zip(points, alike, strict=True))
    totals = {"total": [row.cost.total if same else None for row, same in rows]}
    if not all(alike):
        totals["total, more left broken"] = [None if same else row.cost.total for row, same in rows]
    return totals


def _by_actions(points: Sequence[ActionPoint], alike: Sequence[bool]) -> list[Chart]:
    at = ("actions allowed", [row.most for row in points])
    bounds = [row.lower_bound if same else None for row, same in zip(points, alike, strict=True)]
    series: Series = {**_totals(points, alike), "proven bound": bounds}
    saved = [row for row in points if row.one_more is not None]
    out = [lines("Cost against actions", at, series)]
    if saved:
        names = [str(row.most) for row in saved]
        more: Series = {"one more saves": [row.one_more for row in saved]}
        out.append(bars("What one action more saves", names, more))
    if any(row.shortfall for row in points):
        left: Series = {"shortfall": [row.shortfall for row in points]}
        out.append(lines("What stays broken", at, left))
    return out


def _by_tracking(points: Sequence[TrackingPoint]) -> list[Chart]:
    at = ("all cost but tracking, USD", [row.other for row in points])
    error = {"tracking error": [row.tracking_error for row in points]}
    outside = {"outside bands": [row.band_excess for row in points]}
    return [
        lines("Tracking error against all other cost", at, error),
        lines("Outside the bands against all other cost", at, outside),
    ]


def _by_buffer(points: Sequence[BufferPoint], alike: Sequence[bool]) -> list[Chart]:
    at = ("margin buffer", [row.margin_buffer for row in points])
    costs = _totals(points, alike)
    missing = {"shortfall": [row.shortfall for row in points]}
    ratios = {"least margin ratio": [row.worst_margin_ratio for row in points]}
    out = [
        lines("Cost against the margin buffer", at, costs),
        lines("Least margin ratio against the buffer", at, ratios, unit="x"),
    ]
    if any(row.shortfall for row in points):
        out.append(lines("What no plan can give", at, missing))
    return out
