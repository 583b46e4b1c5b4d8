"""The mixed-integer program of a form as arrays, for any solver.

Columns: the form's, the uses of its actions, a side for every direction that both ways are open
to, whole lots where lots are coarse, a choice wherever an order either closes a position or is at
least of a size, and one column above every curved cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from allocator.minimise.candidate import Candidate
from allocator.program.form import Direction, Form
from allocator.program.separable import Index, Mask, Vector
from allocator.program.sparse import Matrix, sp

COARSE = 2.5e-5
"""Lot in units from which sizes are whole lots in the mixed-integer program.

A lot beside a band costs its worth times the penalty: of coarser ones rounding loses cents.
"""

ERRS = 4e-5
"""Objective units, 0.4 cents, by which a mixed-integer solver's bound may be above the truth.

It keeps rows, whole numbers and its own gap to tolerances only; a quarter of a cent has been seen.
The bound that is told is lower by as much.
"""


@dataclass(frozen=True, slots=True)
class Exact:
    """What an exact step found.

    Attributes
    ----------
    used
        Actions of the best answer.
    x
        Its columns.
    bound
        No choice of actions costs less, objective units.
    """

    used: Mask
    x: Vector
    bound: float


class Exactly(Protocol):
    """Solve a form with its uses; limits are counts, never time; None if no answer is found."""

    def __call__(self, form: Form, near: Vector, tried: Sequence[Candidate]) -> Exact | None:
        """Solve.

        Parameters
        ----------
        form
            The program.
        near
            Columns of the relaxation.
        tried
            Sets of actions that are known to be feasible, to start from.
        """
        ...


@dataclass(frozen=True, slots=True)
class Mixed:
    """The arrays; the objective leaves out the curved costs but for the columns above them.

    Attributes
    ----------
    form
        Where they come from.
    curved
        Columns with a curved cost.
    above
        Number of the first column above one; they come last.
    A, row_low, row_high, low, high, cost
        Rows and columns.
    whole
        Which columns are whole.
    """

    form: Form
    curved: Index
    above: int
    A: Matrix
    row_low: Vector
    row_high: Vector
    low: Vector
    high: Vector
    cost: Vector
    whole: Mask

    @property
    def uses(self) -> slice:
        """Columns of the uses."""
        return slice(self.form.low.size, self.form.low.size + self.form.n_actions)

    def curve(self, x: Vector) -> Vector:
        """Evaluate every curved cost at sizes of the curved columns."""
        p, k = self.form.p[self.curved], self.form.k[self.curved]
        base = np.maximum(x, 0.0)
        return np.asarray(0.5 * p * x * x + k * base * np.sqrt(base), dtype=np.float64)

    def true_value(self, x: Vector, used: Mask) -> float:
        """Evaluate the true objective at the form's columns and uses."""
        smooth = float(self.form.c @ x + self.curve(x[self.curved]).sum())
        return self.form.constant + smooth + float(self.form.fixed @ used)


def mixed_of(form: Form) -> Mixed:
    """Write a form with its uses as arrays."""
    curved = np.flatnonzero((form.p > 0) | (form.k > 0))
    sided = [d for d in form.directions if d.buys.size and _both(form, d)]
    coarse = np.flatnonzero((form.lot >= COARSE) & (form.top > 0))
    split = np.flatnonzero(form.split)
    n, nz = form.low.size, form.n_actions
    above = n + nz + len(sided) + coarse.size + split.size
    width = above + curved.size
    plain = _rows(form, sided, coarse, width)
    A, row_low, row_high = _with_splits(form, split, above - split.size, plain)
    lots = np.floor(form.top[coarse] / form.lot[coarse] * (1 + 1e-9))
    out = Mixed(
        form=form,
        curved=curved,
        above=above,
        A=A,
        row_low=row_low,
        row_high=row_high,
        low=np.concatenate([form.low, np.zeros(width - n)]),
        high=np.concatenate(
            [
                form.most,
                np.where(form.top <= 0, 0.0, 1.0),
                np.ones(len(sided)),
                lots,
                np.ones(split.size),
                np.zeros(curved.size),
            ]
        ),
        cost=np.concatenate([form.c, form.fixed, np.zeros(above - n - nz), np.ones(curved.size)]),
        whole=np.repeat([False, True, False], [n, above - n, curved.size]),
    )
    ends = [out.curve(form.low[curved]), out.curve(form.most[curved])]
    out.high[above:] = np.maximum(*ends) + 1.0
    return out


def _rows(
    form: Form, sided: list[Direction], coarse: Index, width: int
) -> tuple[Matrix, Vector, Vector]:
    n, nz = form.low.size, form.n_actions
    own = np.arange(nz)
    parts = [sp.hstack([form.A, form.Z, sp.csr_array((form.A.shape[0], width - n - nz))])]
    low, high = [form.row_low], [form.row_most]
    for size, ends in ((form.top, (-np.inf, 0.0)), (form.least, (0.0, np.inf))):
        values = np.concatenate([np.ones(nz), -size])
        at = (np.concatenate([own, own]), np.concatenate([own, n + own]))
        parts.append(sp.coo_array((values, at), shape=(nz, width)))
        low.append(np.full(nz, ends[0]))
        high.append(np.full(nz, ends[1]))
    own = np.arange(coarse.size)
    values = np.concatenate([np.ones(own.size), -form.lot[coarse]])
    at = (np.concatenate([own, own]), np.concatenate([coarse, n + nz + len(sided) + own]))
    parts.append(sp.coo_array((values, at), shape=(own.size, width)))
    low.append(np.zeros(own.size))
    high.append(np.zeros(own.size))
    row, column, value, cap = _choices(form, sided)
    parts.append(sp.coo_array((value, (row, column)), shape=(cap.size, width)))
    low.append(np.full(cap.size, -np.inf))
    high.append(cap)
    return sp.vstack(parts, format="csr"), np.concatenate(low), np.concatenate(high)


def _with_splits(
    form: Form, split: Index, first: int, rows: tuple[Matrix, Vector, Vector]
) -> tuple[Matrix, Vector, Vector]:
    """Add rows that keep an order at what closes its position, or at `open_least` and more.

    Parameters
    ----------
    first
        Column of the first choice; a choice of one is the larger size.
    """
    A, low, high = rows
    own, small, large = np.arange(split.size), form.closes[split], form.open_least[split]
    uses, choices, shape = form.low.size + split, first + own, (split.size, A.shape[1])
    ones = np.ones(split.size)
    rise = sp.coo_array(
        (np.concatenate([ones, -large]), (np.tile(own, 2), np.concatenate([split, choices]))),
        shape=shape,
    )
    values = np.concatenate([ones, -small, small - form.top[split]])
    columns = np.concatenate([split, uses, choices])
    stop = sp.coo_array((values, (np.tile(own, 3), columns)), shape=shape)
    return (
        sp.vstack([A, rise, stop], format="csr"),
        np.concatenate([low, 0.0 * ones, np.full(split.size, -np.inf)]),
        np.concatenate([high, np.full(split.size, np.inf), 0.0 * ones]),
    )


def _choices(form: Form, sided: list[Direction]) -> tuple[Index, Index, Vector, Vector]:
    """One direction per owner and instrument; a move or the sender's order."""
    n, nz = form.low.size, form.n_actions
    row, column, value, cap = list[int](), list[int](), list[float](), list[float]()
    for number, group in enumerate(sided):
        for actions, sign, most in ((group.buys, -1.0, 0.0), (group.sells, 1.0, 1.0)):
            for action in actions:
                row += [len(cap)] * 2
                column += [n + int(action), n + nz + number]
                value += [1.0, sign]
                cap.append(most)
    for one, other in form.exclusive:
        row += [len(cap)] * 2
        column += [n + one, n + other]
        value += [1.0, 1.0]
        cap.append(1.0)
    return (
        np.array(row, dtype=np.int64),
        np.array(column, dtype=np.int64),
        np.array(value, dtype=np.float64),
        np.array(cap, dtype=np.float64),
    )


def _both(form: Form, group: Direction) -> bool:
    return bool((form.top[group.buys] > 0).any() and (form.top[group.sells] > 0).any())
