"""Data frames of sweeps, for those who have polars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from allocator.models.plan import COST_PARTS
from allocator.whatif.plan_frame import frames

if TYPE_CHECKING:
    from allocator.whatif.sweep import Sweep

FIGURES: Final = (
    *COST_PARTS, "total", "do_nothing", "saving", "worst_margin_before", "worst_margin",
    "shortfall", "lower_bound", "gap_relative",
)  # fmt: skip
COUNTS: Final = ("count", "transfers_count", "moves_count", "orders_count")
TEXTS: Final = ("plan_hash", "snapshot_hash", "mandate_hash", "error")
LISTS: Final = ("routes", "binding", "infeasible", "wrong")


def sweep_frame(sweep: Sweep) -> Any:
    """Make a frame of a sweep: a column an axis, figures as floats for analysis.

    An axis whose values are all numbers or percentages is a column of floats. The exact figures
    stand in the sweep's rows.

    Raises
    ------
    ConfigError
        When polars is not installed.
    """
    pl, rows = frames(), sweep.rows
    schema: dict[str, Any] = {"index": pl.Int64, "key": pl.String}
    data: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in schema}
    for path in sweep.study.axes:
        values = axis(row["point"][path] for row in rows)
        schema[path] = pl.Float64 if values and isinstance(values[0], float) else pl.String
        data[path] = list(values)
    kinds = {"status": pl.String, "feasible": pl.Boolean, **dict.fromkeys(COUNTS, pl.Int64)}
    kinds |= {**dict.fromkeys(TEXTS, pl.String), **dict.fromkeys(LISTS, pl.List(pl.String))}
    for name in FIGURES:
        schema[name] = pl.Float64
        data[name] = [_float(row.get(name)) for row in rows]
    for name, kind in kinds.items():
        schema[name] = kind
        data[name] = [row.get(name) for row in rows]
    return pl.DataFrame(data, schema=schema)


def axis(texts: Iterable[str]) -> Sequence[float] | Sequence[str]:
    """Read the values of an axis as figures if all of them are; a percentage is a fraction."""
    rows = list(texts)
    try:
        return [float(figure(row)) for row in rows]
    except ArithmeticError:
        return rows


def figure(text: str) -> Decimal:
    """Read a number or a percentage.

    Raises
    ------
    ArithmeticError
        When it is neither.
    """
    return Decimal(text[:-1]).scaleb(-2) if text.endswith("%") else Decimal(text)


def _float(text: str | None) -> float | None:
    return None if text is None else float(text)
