"""Cuts that tell a relaxation that a shortfall takes a whole transfer, or its own cure.

A margin sum that misses D is made whole by transfers into it or by its own orders and moves.
Where no transfer is used the latter must bring all of D, so for uses z and the most relief
that each unit of an action can bring::

    sum over transfers in z + (sum over the rest of relief x + what stays missing) / D >= 1

holds in every plan, while a relaxation that pays for ``x / top`` of a transfer's fixed cost would
pay next to nothing. These are flow covers of a single node with its demand as capacity (Padberg,
Van Roy, Wolsey, Oper. Res. 33, 1985).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.program.affine import WIDER, Affine, Draft
from allocator.program.core import Core
from allocator.program.margin_keys import Keys
from allocator.program.positions import Positions
from allocator.program.requirements import INITIAL, MAINTENANCE
from allocator.program.separable import Index, Vector
from allocator.program.sparse import Matrix, sp

LEAST = 1e-5
"""Missing collateral, in units, from which a cut is worth a row."""


@dataclass(frozen=True, slots=True)
class Short:
    """What margin sums miss.

    Attributes
    ----------
    keys
        The margin sums.
    missing
        Initial and buffered maintenance margin less collateral with arrivals, shape
        ``(n_keys, 2)``.
    slack
        Column of what stays missing by key, -1 for none.
    """

    keys: Keys
    missing: Vector
    slack: Index


def cover_rows(core: Core, draft: Draft, positions: Positions, short: Short) -> Index:
    """Add a cut for every broken margin sum with brackets; returns the transfers in them."""
    layout, routes = core.layout, core.arrays.routes
    keys, missing, slack = short.keys, short.missing, short.slack
    into = keys.of_wallet[:, routes.target]
    usable = core.top[layout.transfers] > 0
    worst = missing.max(axis=1)
    counts = np.asarray(into @ usable.astype(np.float64)).ravel()
    at = np.flatnonzero((slack >= 0) & ~keys.scenario & (worst > LEAST) & (counts > 0))
    part = missing[at].argmax(axis=1)
    buffered = 1.0 + float(core.arrays.book.policy.margin_buffer)
    steep = positions.slopes_now()
    per = np.where(part[:, None] == INITIAL, steep[:, INITIAL], buffered * steep[:, MAINTENANCE])
    relief = (keys.of_pair[at].multiply(per)).tocsr() @ (-positions.gross.X).maximum(0)
    relief = (relief + _spot(core, keys, at)).tocsr()
    scaled = sp.diags_array(1.0 / worst[at]) @ relief
    uses = sp.csr_array((at.size, layout.count), dtype=np.float64).tolil()
    chosen = into[at] @ sp.diags_array(usable.astype(np.float64))
    uses[:, layout.transfers] = chosen
    own = np.arange(at.size)
    draft.rows(
        Affine(scaled.tocsr(), uses.tocsr(), np.zeros(at.size)),
        1.0,
        np.inf,
        [("cover", *keys.names[key]) for key in at],
        (own, slack[at], 1.0 / worst[at]),
    )
    return np.asarray(layout.transfers[np.unique(chosen.tocoo().coords[1])], dtype=np.int64)


def _spot(core: Core, keys: Keys, at: Index) -> Matrix:
    """Bound what a unit of a spot order can add to collateral: no more than what it brings."""
    orders, layout = core.arrays.orders, core.layout
    spot = np.flatnonzero(orders.pair < 0)
    touched = keys.of_wallet[at][:, orders.cash[spot]] + keys.of_wallet[at][:, orders.base[spot]]
    row, column = (touched > 0).tocoo().coords
    both = np.concatenate([layout.buys[spot[column]], layout.sells[spot[column]]])
    values = np.concatenate([orders.gain[spot[column]], np.ones(column.size)]) * WIDER
    return sp.csr_array((values, (np.tile(row, 2), both)), shape=(at.size, layout.count))
