"""Runs many crypto-derivatives accounts as one book.

>>> from allocator import decide, load_scenario          # doctest: +SKIP
>>> scenario = load_scenario("scenarios/position-move.yaml")  # doctest: +SKIP
>>> print(decide(scenario.snapshot, scenario.mandate).explain())  # doctest: +SKIP

Names are loaded when they are first used, so that ``import allocator`` costs nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allocator.decide import Engine, decide
    from allocator.frontier import Frontier, frontier
    from allocator.models.mandate import Mandate
    from allocator.models.plan import Plan
    from allocator.models.snapshot import Snapshot
    from allocator.presets import (
        AvailableEquity,
        Equal,
        Lots,
        NetLiquidation,
        PercentChange,
        Ratio,
        allocate,
    )
    from allocator.verify import verify
    from allocator.whatif.comparison import WhatIf, what_if
    from allocator.whatif.reader import load_scenario
    from allocator.whatif.sweep import Sweep, sweep

__version__ = "0.1.0"

_HOMES = {
    "AvailableEquity": "allocator.presets",
    "Engine": "allocator.decide",
    "Equal": "allocator.presets",
    "Frontier": "allocator.frontier",
    "Lots": "allocator.presets",
    "Mandate": "allocator.models.mandate",
    "NetLiquidation": "allocator.presets",
    "PercentChange": "allocator.presets",
    "Plan": "allocator.models.plan",
    "Ratio": "allocator.presets",
    "Snapshot": "allocator.models.snapshot",
    "Sweep": "allocator.whatif.sweep",
    "WhatIf": "allocator.whatif.comparison",
    "allocate": "allocator.presets",
    "decide": "allocator.decide",
    "frontier": "allocator.frontier",
    "load_scenario": "allocator.whatif.reader",
    "sweep": "allocator.whatif.sweep",
    "verify": "allocator.verify",
    "what_if": "allocator.whatif.comparison",
}

__all__ = [
    "AvailableEquity",
    "Engine",
    "Equal",
    "Frontier",
    "Lots",
    "Mandate",
    "NetLiquidation",
    "PercentChange",
    "Plan",
    "Ratio",
    "Snapshot",
    "Sweep",
    "WhatIf",
    "__version__",
    "allocate",
    "decide",
    "frontier",
    "load_scenario",
    "sweep",
    "verify",
    "what_if",
]


class _Package(ModuleType):
    """Keeps a public name from being hidden by the module of that name.

    Importing ``allocator.decide`` binds the module in this package, and ``allocator.decide(...)``
    would call a module from then on.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _HOMES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Load a public name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
