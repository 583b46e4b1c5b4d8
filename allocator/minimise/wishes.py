"""What a candidate sends, moves and trades, in contracts and asset units."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from allocator.minimise.candidate import DUST, Candidate
from allocator.plan.lots import Wish
from allocator.program.arrays import Arrays
from allocator.program.build import Program
from allocator.program.separable import Vector
from allocator.state import Book


def wish_of(program: Program, candidate: Candidate) -> Wish:
    """Turn a candidate's columns into contracts and asset units."""
    core, unit = program.core, program.core.arrays.unit
    arrays, layout = core.arrays, core.layout
    size = np.where(candidate.used, candidate.x[: layout.count], 0.0)
    orders: dict[tuple[str, str], float] = {}
    nets = size[layout.buys] - size[layout.sells]
    for at in np.flatnonzero(np.abs(nets) > DUST).tolist():
        orders[arrays.orders.keys[at]] = float(nets[at]) / float(arrays.orders.scale[at])
    transfers: dict[str, float] = {}
    sent = netted(arrays, size[layout.transfers])
    for at in np.flatnonzero(sent > DUST).tolist():
        name = arrays.routes.ids[at]
        transfers[name] = float(sent[at]) * unit / float(_price(arrays.book, name))
    moves: dict[tuple[str, str, str], float] = {}
    for at, rule in enumerate(arrays.moves.keys):
        if size[layout.moved[at]] > DUST:
            moves[rule] = float(
                size[layout.moved[at]] / arrays.pairs.scale[arrays.moves.source[at]]
            )
    return Wish(orders, transfers, moves)


def netted(arrays: Arrays, sent: Vector) -> Vector:
    """Take back what goes there and comes back: it only costs."""
    routes, out = arrays.routes, sent.copy()
    ways: dict[tuple[int, int], int] = {}
    for at in map(int, np.flatnonzero(sent > 0)):
        ends = (int(routes.source[at]), int(routes.target[at]))
        back = ways.get((ends[1], ends[0]))
        ways[ends] = at
        if back is not None:
            pair = np.array([at, back])
            left = out[pair] - out[pair].min()
            if np.all((left <= DUST) | (left >= routes.least[pair])):
                out[pair] = left
    return out


def _price(book: Book, route: str) -> Decimal:
    return book.price(book.routes[route].asset)
