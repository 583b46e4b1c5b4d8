"""Charts as the options that the chart library takes: plain JSON data, floats for drawing only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from allocator.models.plan import Plan, Transfer
from allocator.whatif.page import Chart

Figure = Decimal | float | int | None
Series = Mapping[str, Sequence[Figure]]
"""Names of series and their figures, one a category; None: none."""

COLOURS = ("#4a86d8", "#e08a3c", "#4fae7b", "#c05c92", "#8f7fdc", "#b9a13a")
"""Of series; each stands out from a light ground and from a dark one."""

WARMING = ("#2f6fb3", "#8fb8d8", "#f2e6c0", "#e59a5c", "#b3352f")
"""Colours of a heat map, from low to high."""

MOST_TOLD, MOST_ACROSS = 120, 14
"""Cells, and columns, of a heat map up to which each cell tells its figure."""

ROW = 26
"""Pixels of a bar with its distance."""


def number(value: Figure) -> float | None:
    """Turn a figure into what a picture shows: six significant digits."""
    return None if value is None else float(f"{float(value):.6g}")


def bars(heading: str, names: Sequence[str], series: Series, *, unit: str = "USD") -> Chart:
    """Draw horizontal bars side by side, the first category on top."""
    rows = [
        {"type": "bar", "name": name, "data": [number(value) for value in values]}
        for name, values in series.items()
    ]
    return Chart(
        f"{heading} ({unit})",
        {
            "color": COLOURS,
            "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}},
            "legend": {"top": 0, "show": len(rows) > 1},
            "grid": {"left": 8, "right": 40, "top": 34, "bottom": 8, "outerBoundsMode": "same"},
            "xAxis": {"type": "value", "splitNumber": 4, "axisLabel": {"hideOverlap": True}},
            "yAxis": {"type": "category", "data": list(names), "inverse": True, **_labels()},
            "series": rows,
        },
        _told(heading, names, series, unit),
        height=90 + len(names) * max(ROW, 14 * len(rows)),
    )


def _labels() -> dict[str, Any]:
    return {"axisLabel": {"width": 170, "overflow": "truncate", "interval": 0}}


def _told(heading: str, names: Sequence[str], series: Series, unit: str) -> str:
    rows = []
    for i, name in enumerate(names):
        shown = ", ".join(
            f"{key} {'none' if values[i] is None else number(values[i])}"
            for key, values in series.items()
        )
        rows.append(f"{name}: {shown}")
    return f"{heading} ({unit}). " + "; ".join(rows)


def lines(
    heading: str, at: tuple[str, Sequence[Figure]], series: Series, *, unit: str = "USD"
) -> Chart:
    """Draw curves over one axis of figures.

    Parameters
    ----------
    at
        Name and values of the horizontal axis.
    """
    axis, xs = at
    rows = [
        {
            "type": "line",
            "name": name,
            "data": [[number(x), number(y)] for x, y in zip(xs, values, strict=True)],
            "connectNulls": False,
        }
        for name, values in series.items()
    ]
    return Chart(
        f"{heading} ({unit})",
        {
            "color": COLOURS,
            "tooltip": {"trigger": "axis"},
            "legend": {"top": 0, "show": len(rows) > 1},
            "grid": {"left": 12, "right": 24, "top": 40, "bottom": 12, "outerBoundsMode": "same"},
            "xAxis": {
                "type": "value",
                "name": axis,
                "nameLocation": "middle",
                "nameGap": 26,
                "scale": True,
                "minInterval": 1 if all(isinstance(x, int) for x in xs) else 0,
            },
            "yAxis": {"type": "value", "scale": True},
            "series": rows,
        },
        _told(heading, [f"{axis} {number(x)}" for x in xs], series, unit),
    )


def heat(
    heading: str,
    columns: tuple[str, Sequence[str]],
    rows: tuple[str, Sequence[str]],
    cells: Mapping[tuple[int, int], Figure],
    *,
    scarce: bool = False,
) -> Chart:
    """Draw a heat map.

    Parameters
    ----------
    columns, rows
        Names of the axes and of their values.
    cells
        Figures by column and row.
    scarce
        Whether small figures are the alarming ones, and drawn red.
    """
    shown = {at: number(value) for at, value in cells.items()}
    known = [value for value in shown.values() if value is not None]
    told = "; ".join(
        f"{columns[0]} {columns[1][i]}, {rows[0]} {rows[1][j]}: {value}"
        for (i, j), value in sorted(shown.items())
    )
    return Chart(
        heading,
        {
            "tooltip": {"position": "top"},
            "grid": {"left": 12, "right": 12, "top": 12, "bottom": 76, "outerBoundsMode": "same"},
            "xAxis": {
                "type": "category",
                "data": list(columns[1]),
                "name": columns[0],
                "nameLocation": "middle",
                "nameGap": 28,
            },
            "yAxis": {"type": "category", "data": list(rows[1]), "name": rows[0]},
            "visualMap": _warming(known, scarce=scarce),
            "series": [
                {
                    "type": "heatmap",
                    "data": [
                        {"value": [i, j, "-" if v is None else v], "label": {"formatter": brief(v)}}
                        for (i, j), v in shown.items()
                    ],
                    "label": {"show": len(shown) <= MOST_TOLD and len(columns[1]) <= MOST_ACROSS},
                }
            ],
        },
        f"{heading}. {told}",
        height=160 + 34 * max(4, len(rows[1])),
    )


def _warming(known: Sequence[float], *, scarce: bool) -> dict[str, Any]:
    """Colour figures from the least to the greatest."""
    low, high = min(known, default=0.0), max(known, default=0.0)
    return {
        "show": high > low,
        "precision": 0 if high - low >= 20 else 2,
        "min": low,
        "max": high if high > low else low + 1,
        "calculable": True,
        "orient": "horizontal",
        "left": "center",
        "bottom": 0,
        "inRange": {"color": WARMING[::-1] if scarce else WARMING},
    }


def brief(value: float | None) -> str:
    """Write a figure in the few characters that a cell has room for."""
    if value is None:
        return "-"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.4g}"


def sankeys(plan: Plan) -> list[Chart]:
    """Draw what a plan transfers, one picture an asset: units of assets do not add up."""
    sent = [action for action in plan.actions if isinstance(action, Transfer)]
    return [
        _sankey(asset, [row for row in sent if row.asset == asset])
        for asset in sorted({row.asset for row in sent})
    ]


def _sankey(asset: str, sent: Sequence[Transfer]) -> Chart:
    """Senders stand left and receivers right, so that an account may be both."""
    total = dict[tuple[str, str], Decimal]()
    for row in sent:
        key = (row.source, row.target)
        total[key] = total.get(key, Decimal(0)) + row.amount
    names = {f"{one} sends": one for one, _ in total} | {f"{two} gets": two for _, two in total}
    told = "; ".join(f"{one} to {two}: {number(v)}" for (one, two), v in total.items())
    return Chart(
        f"Transfers of {asset}",
        {
            "color": COLOURS,
            "tooltip": {"trigger": "item"},
            "series": [
                {
                    "type": "sankey",
                    "left": 8,
                    "right": 150,
                    "top": 12,
                    "bottom": 12,
                    "nodeGap": 14,
                    "label": {"textBorderWidth": 0},
                    "emphasis": {"focus": "adjacency"},
                    "lineStyle": {"color": "gradient", "opacity": 0.45},
                    "data": [
                        {"name": name, "itemStyle": {"color": COLOURS[i % len(COLOURS)]}}
                        for i, name in enumerate(names)
                    ],
                    "links": [
                        {"source": f"{one} sends", "target": f"{two} gets", "value": number(v)}
                        for (one, two), v in total.items()
                    ],
                }
            ],
        },
        f"Transfers of {asset}. {told}",
        height=120 + 44 * max(len({k[0] for k in total}), len({k[1] for k in total})),
    )
