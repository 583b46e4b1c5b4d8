"""A set of actions with its sizes, and the goal of least S."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allocator.program.form import Form
from allocator.program.separable import Mask, Vector

DUST = 1e-7
"""Size in units below which an action is none."""


SPARE = 9e-6
"""Room on an unattainable S, in units: most of the one numeraire that the law leaves.

Rounding to lots needs the rest. The room is worth having: where S is dear, a numeraire of it may
save thirty.
"""


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


def only_shortfall(form: Form) -> Form:
    """Keep the rows and price S alone."""
    zero = np.zeros_like(form.c)
    return replace(
        form,
        c=form.shortfall.copy(),
        p=zero,
        k=zero,
        fixed=np.zeros_like(form.fixed),
        constant=0.0,
        hulls=(),
    )
