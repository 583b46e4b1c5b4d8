"""What a shock does to the mandate: the forecast, targets and limits."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Final

from pydantic import ValidationError

from allocator.models.base import ONE, ZERO
from allocator.models.errors import Problem
from allocator.models.mandate import Limit, Mandate, Risk
from allocator.models.snapshot import Snapshot
from allocator.whatif.shock import Shock
from allocator.whatif.shocks.names import named, underlyings

DEFAULT_VOLATILITY: Final = Decimal("0.03")
"""Daily volatility of an underlying that the mandate's risk does not name."""

DEFAULT_CORRELATION: Final = Decimal("0.5")
"""Correlation of any two underlyings where the mandate's risk gives none."""


def wished(snapshot: Snapshot, mandate: Mandate, shock: Shock) -> tuple[Mandate, list[Problem]]:
    """Change forecast, targets and limits; what the shock leaves alone stays the same value.

    Returns
    -------
    mandate, problems
        The mandate after it, and the limits that cannot be so; paths start inside the shock.
    """
    out, found = dict[str, object](), list[Problem]()
    if shock.volatility is not None or shock.correlation is not None:
        risk = Risk(
            daily_volatility=_volatility(snapshot, mandate, shock),
            correlation=_correlation(snapshot, mandate, shock),
        )
        out["policy"] = mandate.policy.model_copy(update={"risk": risk})
    if shock.targets:
        out["targets"] = tuple(
            row.model_copy(update={"delta": shock.targets[row.underlying].of(row.delta)})
            if row.underlying in shock.targets
            else row
            for row in mandate.targets
        )
    if shock.limits:
        rows = [_limit(row, shock, found) for row in mandate.limits]
        out["limits"] = tuple(row for row in rows if row is not None)
    return (mandate.model_copy(update=out) if out else mandate), found


def _names(snapshot: Snapshot, mandate: Mandate) -> list[str]:
    return sorted(underlyings(snapshot) | {row.underlying for row in mandate.targets})


def _volatility(snapshot: Snapshot, mandate: Mandate, shock: Shock) -> dict[str, Decimal]:
    """Change the volatility of every underlying, those at the default included."""
    rows = dict(mandate.policy.risk.daily_volatility)
    change = shock.volatility
    if change is not None:
        for name in _names(snapshot, mandate):
            if named(change.only, name):
                rows[name] = max(change.of(rows.get(name, DEFAULT_VOLATILITY)), ZERO)
    return rows


def _correlation(
    snapshot: Snapshot, mandate: Mandate, shock: Shock
) -> tuple[tuple[str, str, Decimal], ...]:
    """Change the correlation of every pair, those at the default included."""
    change, given = shock.correlation, mandate.policy.risk.correlation
    if change is None:
        return given
    known = {frozenset((u, v)): rho for u, v, rho in given}
    out = list[tuple[str, str, Decimal]]()
    for u, v in itertools.combinations(_names(snapshot, mandate), 2):
        rho = known.get(frozenset((u, v)), DEFAULT_CORRELATION)
        if not change.only or {u, v} <= set(change.only):
            rho = min(max(change.of(rho), -ONE), ONE)
        out.append((u, v, rho))
    return tuple(out)


def _limit(row: Limit, shock: Shock, found: list[Problem]) -> Limit | None:
    change = shock.limits.get(row.id)
    if change is None:
        return row
    if change.lifted:
        return None
    key = "max" if row.max is not None else "min"
    value: Decimal = getattr(row, key)
    try:
        return Limit.model_validate({**dict(row), key: change.adjust.of(value)})
    except ValidationError as error:
        said = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        found.append(Problem(("limits", row.id), said))
        return row
