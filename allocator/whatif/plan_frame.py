"""The actions of a plan as a data frame, for those who have polars."""

from __future__ import annotations

from typing import Any, Final

from allocator.models.errors import ConfigError
from allocator.models.plan import Plan

ACTIONS: Final = (
    "seq", "kind", "account", "instrument", "side", "quantity", "limit_price", "reduce_only",
    "group", "route", "from", "to", "asset", "amount", "after",
)  # fmt: skip


def frames() -> Any:
    """Import polars.

    Raises
    ------
    ConfigError
        When it is not installed.
    """
    try:
        import polars
    except ModuleNotFoundError as error:
        remedy = "pip install 'allocator[sweeps]'"
        raise ConfigError(f"polars is not installed: {remedy}") from error
    return polars


def plan_frame(plan: Plan) -> Any:
    """Make a frame of a plan's actions: exact figures as text, a list of what each waits for.

    Raises
    ------
    ConfigError
        When polars is not installed.
    """
    pl = frames()
    kinds: dict[str, Any] = dict.fromkeys(ACTIONS, pl.String)
    kinds |= {"seq": pl.Int64, "reduce_only": pl.Boolean, "after": pl.List(pl.Int64)}
    rows = plan.to_json()["actions"]
    columns = {name: [row.get(name) for row in rows] for name in ACTIONS}
    return pl.DataFrame(columns, schema=kinds)
