"""Cuts that keep a program away from plans that have no safe order of steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np

from allocator.plan.lots import MoveKey
from allocator.program.core import Core
from allocator.program.form import Form
from allocator.program.separable import Index
from allocator.state import Pair


def columns_of(core: Core, names: Sequence[str | MoveKey]) -> list[Index]:
    """Find the columns of routes, by name, and of moves, by ends and instrument.

    One that may not be used at all has none.
    """
    at: dict[str | MoveKey, int] = {}
    at |= dict(zip(core.arrays.routes.ids, core.layout.transfers.tolist(), strict=True))
    at |= dict(zip(core.arrays.moves.keys, core.layout.moved.tolist(), strict=True))
    return [np.array([at[name]], dtype=np.int64) for name in names if name in at]


def smaller(core: Core, form: Form, most: Mapping[Pair, Decimal]) -> Form:
    """Keep orders of some pairs at or below a number of contracts."""
    top, high = form.top.copy(), form.high.copy()
    for at, key in enumerate(core.arrays.orders.keys):
        if key in most:
            size = float(most[key]) * float(core.arrays.orders.scale[at])
            for side in (core.layout.buys[at], core.layout.sells[at]):
                top[side] = min(top[side], size) if size >= form.least[side] else 0.0
                high[side] = min(high[side], top[side])
    return replace(form, top=top, high=high)


def standing(form: Form, accounts: Collection[str]) -> Form:
    """Ask only some accounts to stand with their present positions after all transfers."""
    high = form.row_high.copy()
    for at, label in enumerate(form.labels):
        if label[0] == "funding" and label[1] not in accounts:
            high[at] = np.inf
    return replace(form, row_high=high)
