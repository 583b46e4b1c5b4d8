"""Limits that nothing meets, so that a test sets the one that it is about."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from allocator.models.controls import ApprovalConfig, ControlsConfig
from allocator.risk.table import CONTROLS

MOST, LEAST = Decimal("1e15"), Decimal(0)


def wide(**over: Any) -> ControlsConfig:
    """Set every limit beyond reach but those that are given."""
    rows: dict[str, Any] = {
        row.key: LEAST if row.at_least else MOST
        for row in CONTROLS
        if row.fixed is None and row.key in ControlsConfig.model_fields
    }
    rows["order_units"] = {"BTC": "1e15", "ETH": "1e15"}
    rows["route_kinds"] = ["internal", "onchain"]
    rows |= {"clock_skew_s": 1, "missing_accounts": 0}
    return ControlsConfig.model_validate(rows | over)


NOBODY = ApprovalConfig.model_validate({"auto_below": "1e15", "second_above": "1e15"})
"""Nobody has to approve anything that leaves nothing broken."""
