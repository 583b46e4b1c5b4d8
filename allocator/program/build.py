"""Build the program of a book: one pass, sparse, every rule and every term."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.margin import collateral, pools, requirements
from allocator.program.affine import WIDER, Affine, Draft
from allocator.program.arrays import Arrays
from allocator.program.core import LARGEST, Core, collateral_reach, core_of
from allocator.program.form import Bends, Direction, Form, Hull
from allocator.program.limits import limit_rows, members, selected
from allocator.program.margin import margin_rows
from allocator.program.objective import COST_UNIT, Costs
from allocator.program.positions import Positions
from allocator.program.requirements import Brackets, initial_rates
from allocator.program.separable import Index, Mask, Vector
from allocator.program.sparse import sp
from allocator.program.wallets import wallet_rows
from allocator.state import State


@dataclass(frozen=True)
class Program:
    """A form with the actions it is about.

    Attributes
    ----------
    core
        The actions and their effects.
    form
        Columns and rows.
    """

    core: Core
    form: Form


def build(arrays: Arrays, brackets: Brackets | None, *, funded_first: bool = False) -> Program:
    """Build the program.

    Parameters
    ----------
    arrays
        The book.
    brackets
        Ceilings of whole-position pairs, for a plan; None for a lower bound.
    funded_first
        Whether all transfers must be able to come before any order.
    """
    core = core_of(arrays, _with_ceilings(rooms(arrays), brackets))
    draft = Draft(core.layout.count)
    draft.columns(np.zeros(core.layout.count), core.top)
    positions = Positions(core, draft, brackets)
    loose = margin_rows(core, draft, positions, funded_first=funded_first)
    wallet_rows(core, draft, funded_first=funded_first)
    limit_rows(core, draft, positions)
    costs = Costs(core, draft)
    costs.tolls()
    hulls = costs.repeats(costs.impact(), positions)
    costs.transfers()
    costs.actions()
    costs.carry()
    costs.concentration()
    costs.tracking()
    return Program(core, _form(core, draft, costs, _Parts(hulls, positions, loose)))


@dataclass(frozen=True)
class _Parts:
    """What the form keeps of the terms it was made of."""

    hulls: tuple[Hull, ...]
    positions: Positions
    loose: Index

    def bends(self, core: Core) -> Bends:
        """Collect the columns that stay as they are where nothing is done to their pair."""
        made = self.positions.bends
        return Bends(
            pair=np.concatenate([row.pair for row in made]),
            column=np.concatenate([row.column for row in made]),
            fill=np.concatenate([row.fill for row in made]),
            reach=abs(core.position.X).tocsr(),
        )


def _form(core: Core, draft: Draft, costs: Costs, parts: _Parts) -> Form:
    weight = np.concatenate(draft.weight)
    at = np.flatnonzero(weight)
    empty = sp.csr_array((1, core.layout.count), dtype=np.float64)
    row = draft.rows(
        Affine(empty, empty, np.zeros(1)),
        -np.inf,
        np.inf,
        [("shortfall", "")],
        (np.zeros(at.size, dtype=np.int64), at, weight[at]),
    )
    A, Z = draft.matrix()
    c = np.concatenate(draft.cost)
    c[: core.layout.count] += costs.linear
    return Form(
        A=A,
        Z=Z,
        row_low=np.concatenate(draft.row_low),
        row_high=np.concatenate(draft.row_high),
        low=np.concatenate(draft.low),
        high=np.concatenate(draft.high),
        c=c,
        p=np.concatenate(draft.p),
        k=np.concatenate(draft.k),
        fixed=costs.fixed,
        least=core.least,
        open_least=core.open_least,
        top=core.top,
        lot=core.lot,
        closes=core.closes,
        shortfall=weight,
        shortfall_row=int(row[0]),
        bends=parts.bends(core),
        lazy=draft.lazy(),
        loose=parts.loose,
        hulls=parts.hulls,
        directions=_directions(core),
        exclusive=_exclusive(core),
        labels=tuple(draft.labels),
        unit=core.arrays.unit,
        cost_unit=COST_UNIT,
        constant=costs.constant,
    )


def _directions(core: Core) -> tuple[Direction, ...]:
    """Group order pairs by owner and instrument."""
    arrays, layout = core.arrays, core.layout
    owners = [arrays.book.accounts[a].owner for a, _ in arrays.orders.keys]
    rows: dict[tuple[str, str], list[int]] = {}
    for number, (owner, key) in enumerate(zip(owners, arrays.orders.keys, strict=True)):
        rows.setdefault((owner, key[1]), []).append(number)
    out = list[Direction]()
    for key, numbers in sorted(rows.items()):
        at = np.array(numbers, dtype=np.int64)
        out.append(Direction(layout.buys[at], layout.sells[at], key))
    return tuple(out)


def _exclusive(core: Core) -> tuple[tuple[int, int], ...]:
    """Pair each move with the sender's orders in the same instrument."""
    arrays, layout = core.arrays, core.layout
    order_of = {int(pair): at for at, pair in enumerate(arrays.orders.pair) if pair >= 0}
    out = list[tuple[int, int]]()
    for number, source in enumerate(arrays.moves.source):
        at = order_of.get(int(source))
        if at is not None:
            move = int(layout.moved[number])
            out += [(int(layout.buys[at]), move), (int(layout.sells[at]), move)]
    return tuple(out)


def rooms(arrays: Arrays) -> Vector:
    """Largest gross notional of each pair that margin and limits can leave, in units.

    Initial margin alone must fit the most collateral that could ever be there, plus what is
    missing already: the two add up, for what is missing may stay missing.
    """
    pairs = arrays.pairs
    rates = initial_rates(arrays)
    reach = collateral_reach(arrays) + _missing(arrays)
    out = np.full(len(pairs.keys), LARGEST)
    known = rates > 0
    out[known] = np.minimum(LARGEST, reach[pairs.account][known] / rates[known] * WIDER)
    return np.asarray(np.minimum(out, _limit_rooms(arrays)), dtype=np.float64)


def _missing(arrays: Arrays) -> Vector:
    """Work out the initial margin that each account misses now, in units."""
    book = arrays.book
    start, out = State.start(book), np.zeros(len(arrays.accounts))
    for at, name in enumerate(arrays.accounts):
        for pool in pools(book, name) if not arrays.frozen[at] else ():
            needed = requirements(book, start, name, pool).initial
            gap = needed - collateral(book, start, name, pool)
            out[at] += max(0.0, float(gap) / arrays.unit)
    return out * WIDER


def _limit_rooms(arrays: Arrays) -> Vector:
    """Bound pairs by the limits on gross notional and quantity that cover them."""
    pairs, out = arrays.pairs, np.full(len(arrays.pairs.keys), np.inf)
    book = arrays.book
    for limit in book.mandate.limits:
        if limit.measure not in ("gross_notional", "quantity") or limit.max is None:
            continue
        inside = members(arrays, limit)
        chosen = inside[pairs.account] & selected(arrays, limit)[pairs.instrument]
        out = np.where(
            chosen, np.minimum(out, _room(arrays, limit.measure, float(limit.max), chosen)), out
        )
    return out


def _room(arrays: Arrays, measure: str, cap: float, chosen: Mask) -> Vector:
    """Cap, or what is held already, as notional of each pair."""
    pairs = arrays.pairs
    legs = np.nan_to_num(pairs.fixed_gross)
    held = np.where(pairs.legged, legs, np.abs(pairs.start)) + pairs.buying + pairs.selling
    if measure == "gross_notional":
        return np.full(held.size, max(cap / arrays.unit, float(held[chosen].sum())) * WIDER)
    contracts = held / pairs.scale
    most = max(cap, float(contracts[chosen].sum())) * WIDER
    return np.asarray(most * pairs.scale, dtype=np.float64)


def _with_ceilings(room: Vector, brackets: Brackets | None) -> Vector:
    out = room.copy()
    for at, ceiling in (brackets or {}).items():
        out[at] = min(out[at], ceiling)
    return out
