"""Familiar ways to spread a trade over accounts, under the same limits as `decide`.

To compare with, and to fall back on by choice. A preset trades what the book lacks to its targets;
it sends no money, moves no position and proves nothing.
"""

from allocator.presets.allocate import allocate
from allocator.presets.rules import (
    AvailableEquity,
    Equal,
    Lots,
    NetLiquidation,
    PercentChange,
    Ratio,
    Rule,
    label,
    parsed,
)

__all__ = [
    "AvailableEquity",
    "Equal",
    "Lots",
    "NetLiquidation",
    "PercentChange",
    "Ratio",
    "Rule",
    "allocate",
    "label",
    "parsed",
]
