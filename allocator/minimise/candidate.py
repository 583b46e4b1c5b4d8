"""A set of actions with its sizes."""

from __future__ import annotations

from dataclasses import dataclass

from allocator.program.form import Mask, Vector

DUST = 1e-7
"""Size in units below which an action is none."""


@dataclass(frozen=True)
class Candidate:
    """A set of actions with its sizes.

    Attributes
    ----------
    used
        Which actions.
    x
        Columns of the program.
    value
        Total in objective units.
    """

    used: Mask
    x: Vector
    value: float
