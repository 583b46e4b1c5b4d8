"""The actions with their bounds, and what they do to positions and wallets.

Actions are numbered: buys of every order pair, sells of every order pair, transfers, moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.program.affine import WIDER, Affine
from allocator.program.arrays import Arrays, Orders
from allocator.program.separable import Index, Mask, Vector
from allocator.program.sparse import Matrix, sp

LARGEST = 1e6
"""Largest size of an action or a position, in units, where no rule bounds it."""

PUMP = 1.0 + 1e-9
"""Value of a circle of spot orders from which it makes money out of nothing."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Numbers of the actions by kind."""

    orders: int
    routes: int
    moves: int

    @property
    def buys(self) -> Index:
        """Buys, one for each order pair."""
        return np.arange(self.orders, dtype=np.int64)

    @property
    def sells(self) -> Index:
        """Sells, one for each order pair."""
        return np.arange(self.orders, 2 * self.orders, dtype=np.int64)

    @property
    def transfers(self) -> Index:
        """Transfers, one for each route."""
        return np.arange(2 * self.orders, 2 * self.orders + self.routes, dtype=np.int64)

    @property
    def moved(self) -> Index:
        """Moves, one for each rule."""
        start = 2 * self.orders + self.routes
        return np.arange(start, start + self.moves, dtype=np.int64)

    @property
    def count(self) -> int:
        """Number of actions."""
        return 2 * self.orders + self.routes + self.moves


@dataclass(frozen=True)
class Core:
    """Actions and the vectors that are affine in them.

    Attributes
    ----------
    top, least, closes
        Of each action, shape ``(n_actions,)``.
    position
        Signed notional of each pair after the plan.
    flow
        Wallet changes by transfers and spot orders without charges, by wallet.
    paid
        Fees, spread and charges by wallet, positive.
    spot_paid
        The part of `paid` that transfers and spot orders cause.
    settled
        Unrealised profit that becomes wallet.
    live
        Pairs that some action can change.
    box
        Least and largest signed notional of each pair.
    """

    arrays: Arrays
    layout: Layout
    top: Vector
    least: Vector
    open_least: Vector
    closes: Vector
    position: Affine
    flow: Affine
    paid: Affine
    spot_paid: Affine
    settled: Affine
    live: Mask
    box: tuple[Vector, Vector]

    def gross(self, x: Vector) -> Vector:
        """Gross notional of each pair after the actions in the first columns of `x`."""
        net = self.position.X @ x[: self.layout.count] + self.position.const
        return np.asarray(np.abs(net), dtype=np.float64)

    @property
    def lot(self) -> Vector:
        """Size of one lot or step of each action, 0 where any size is allowed."""
        orders, arrays = self.arrays.orders.lot, self.arrays
        return np.concatenate([orders, orders, arrays.routes.step, arrays.moves.lot])

    @property
    def equity(self) -> Affine:
        """Equity of each wallet key after the plan, without what is ring-fenced."""
        return (self.flow - self.paid).shifted(self.arrays.wallets.equity)

    @property
    def wallet(self) -> Affine:
        """Wallet of each wallet key after the plan."""
        return (self.flow - self.paid + self.settled).shifted(self.arrays.wallets.wallet)


def core_of(arrays: Arrays, rooms: Vector) -> Core:
    """Bound the actions and collect their effects.

    Parameters
    ----------
    arrays
        The book.
    rooms
        Largest gross notional of each pair that margin and limits can leave.
    """
    layout = Layout(len(arrays.orders.keys), len(arrays.routes.ids), len(arrays.moves.keys))
    box = _box(arrays, rooms)
    top, least, closes, open_least = _sizes(arrays, layout, box)
    flow, paid, spot_paid, settled = _effects(arrays, layout)
    live = np.zeros(len(arrays.pairs.keys), dtype=bool)
    position = _position(arrays, layout)
    touched = position.X != 0
    live[:] = np.asarray(touched @ (top > 0).astype(np.float64)).ravel() > 0
    return Core(
        arrays=arrays,
        layout=layout,
        top=top,
        least=least,
        open_least=open_least,
        closes=closes,
        position=position,
        flow=flow,
        paid=paid,
        spot_paid=spot_paid,
        settled=settled,
        live=live,
        box=box,
    )


def _box(arrays: Arrays, rooms: Vector) -> tuple[Vector, Vector]:
    """Least and largest signed notional of each pair by brackets, states and room."""
    pairs = arrays.pairs
    wide = np.maximum(np.minimum(pairs.cap, rooms), np.abs(pairs.start))
    low, high = -wide, wide.copy()
    book = arrays.book
    tight = np.array(
        [
            "reduce_only" in (book.accounts[a].state, book.status(i)) or not book.may_trade(a, i)
            for a, i in pairs.keys
        ],
        dtype=bool,
    )
    low = np.where(tight, np.minimum(pairs.start, 0.0), low)
    high = np.where(tight, np.maximum(pairs.start, 0.0), high)
    return low, high


def _sizes(
    arrays: Arrays, layout: Layout, box: tuple[Vector, Vector]
) -> tuple[Vector, Vector, Vector, Vector]:
    orders, routes, moves = arrays.orders, arrays.routes, arrays.moves
    spot = orders.pair < 0
    start = np.append(arrays.pairs.start, 0.0)[orders.pair]
    reach = _spot(arrays)
    opens = ~orders.only_reduce
    added, taken = (np.append(by, 0.0)[orders.pair] * opens for by in _moved(arrays))
    room_up = np.where(spot, reach.buy, np.append(box[1], 0.0)[orders.pair] - start + taken)
    room_down = np.where(spot, reach.sell, start - np.append(box[0], 0.0)[orders.pair] + added)
    buy = np.where(orders.may_buy, np.minimum(room_up, orders.most), 0.0)
    sell = np.where(orders.may_sell, np.minimum(room_down, orders.most), 0.0)
    closing_buy = np.where(~spot & (start < 0), orders.closes, 0.0)
    closing_sell = np.where(~spot & (start > 0), orders.closes, 0.0)
    top = np.concatenate([buy, sell, routes.most, moves.most])
    closes = np.concatenate(
        [closing_buy, closing_sell, np.zeros(layout.routes), np.zeros(layout.moves)]
    )
    open_least = np.concatenate([orders.least, orders.least, routes.least, moves.lot])
    small = (closes > 0) & (closes < open_least)
    top = np.where(small & (top < open_least * (1 - 1e-12)), np.minimum(top, closes), top)
    least = np.where(small, closes, open_least)
    top = np.where((top < least * (1 - 1e-12)) | (top <= 0), 0.0, top)
    return np.maximum(top, 0.0), least, closes, open_least


def _moved(arrays: Arrays) -> tuple[Vector, Vector]:
    """Most that moves can add to and take from the signed notional of each pair.

    An order trades the position that moves leave, so it may be larger by as much than what leads
    from the present position to an end of its box.
    """
    moves, n = arrays.moves, len(arrays.pairs.keys)
    up = moves.sign > 0
    ends = ((moves.target, up), (moves.source, ~up), (moves.target, ~up), (moves.source, up))
    most = np.stack([np.bincount(at[chosen], moves.most[chosen], n) for at, chosen in ends])
    out = most.astype(np.float64)
    return out[0] + out[1], out[2] + out[3]


@dataclass(frozen=True, slots=True)
class Spot:
    """How far spot orders can carry the money of accounts.

    Attributes
    ----------
    buy, sell
        Most that could ever be paid for, and got from, what is bought and sold, by order pair.
    gain
        Most that prices which differ from marks could ever add to equity, by account.
    """

    buy: Vector
    sell: Vector
    gain: Vector


def _spot(arrays: Arrays) -> Spot:
    """Bound spot orders by all that an account holds, may be sent or may settle.

    Money is worth along every path of orders what marks and prices make of it. Where a circle of
    two instruments makes money out of nothing, no bound follows from what is held.
    """
    orders, held = arrays.orders, _spendable(arrays)
    buy, sell = np.zeros(len(orders.keys)), np.zeros(len(orders.keys))
    gain = np.zeros(len(arrays.accounts))
    spot = np.flatnonzero(orders.pair < 0)
    for account in np.unique(orders.account[spot]):
        own = spot[orders.account[spot] == account]
        own = own[orders.gain[own] > 0]
        keys = np.unique(np.concatenate([orders.cash[own], orders.base[own]]))
        cash = np.searchsorted(keys, orders.cash[own])
        base = np.searchsorted(keys, orders.base[own])
        best = _rates(orders, own, (cash, base), keys.size)
        if np.any(np.diag(best) > PUMP):
            buy[own] = sell[own] = LARGEST
            gain[account] = LARGEST
            continue
        most = held[keys] @ best
        buy[own] = most[cash]
        sell[own] = most[base] / orders.gain[own]
        gain[account] = held[keys] @ np.maximum(best.max(axis=1) - 1.0, 0.0)
    return Spot(*(np.minimum(row * WIDER, LARGEST) for row in (buy, sell, gain)))


def _rates(orders: Orders, own: Index, ends: tuple[Index, Index], count: int) -> Vector:
    """Find what one unit of each wallet can become of each other, along the best path."""
    cash, base = ends
    best = np.eye(count)
    gain, toll = orders.gain[own], orders.toll[own]
    np.maximum.at(best, (cash, base), np.where(orders.may_buy[own], gain / (1.0 + toll), 0.0))
    back = np.maximum(1.0 - toll, 0.0) / gain
    np.maximum.at(best, (base, cash), np.where(orders.may_sell[own], back, 0.0))
    for by in range(count):
        best = np.maximum(best, np.outer(best[:, by], best[by]))
    return best


def _spendable(arrays: Arrays) -> Vector:
    """Add up what each wallet holds, may be sent and may settle."""
    wallets, routes, moves = arrays.wallets, arrays.routes, arrays.moves
    n, profit = len(wallets.keys), np.maximum(moves.settled, 0.0) * moves.most
    held = np.maximum(wallets.wallet - wallets.ring, 0.0)
    held += np.bincount(routes.target, routes.most, n)
    return np.asarray(held + np.bincount(moves.cash, profit, n), dtype=np.float64)


def collateral_reach(arrays: Arrays) -> Vector:
    """Most collateral that an account could ever have, by account."""
    wallets, routes = arrays.wallets, arrays.routes
    n = len(arrays.accounts)
    equity = np.maximum(wallets.equity, wallets.equity - wallets.isolated)
    total = np.bincount(wallets.account, np.maximum(equity, 0.0), n)
    total += np.bincount(wallets.account[routes.target], routes.most, n)
    return np.asarray(total + _spot(arrays).gain, dtype=np.float64) * WIDER


Part = tuple[Index, Index, Vector]
"""Rows, columns and values of a sparse block."""


def _affine(rows: int, layout: Layout, x: list[Part], z: list[Part]) -> Affine:
    shape = (rows, layout.count)
    return Affine(_coo(x, shape), _coo(z, shape), np.zeros(rows))


def _coo(parts: list[Part], shape: tuple[int, int]) -> Matrix:
    if not parts:
        return sp.csr_array(shape, dtype=np.float64)
    row, column, value = (np.concatenate([part[at] for part in parts]) for at in range(3))
    return sp.coo_array((value, (row, column)), shape=shape).tocsr()


def _position(arrays: Arrays, layout: Layout) -> Affine:
    orders, moves = arrays.orders, arrays.moves
    at = np.flatnonzero(orders.pair >= 0)
    one = np.ones(at.size)
    parts = [
        (orders.pair[at], layout.buys[at], one),
        (orders.pair[at], layout.sells[at], -one),
        (moves.source, layout.moved, -moves.sign),
        (moves.target, layout.moved, moves.sign),
    ]
    return _affine(len(arrays.pairs.keys), layout, parts, []).shifted(arrays.pairs.start)


def _effects(arrays: Arrays, layout: Layout) -> tuple[Affine, Affine, Affine, Affine]:
    """Flow, paid, the flows' part of paid, settled; each by wallet key."""
    orders, routes, moves = arrays.orders, arrays.routes, arrays.moves
    rows = len(arrays.wallets.keys)
    spot = np.flatnonzero(orders.pair < 0)
    deal = np.flatnonzero(orders.pair >= 0)
    one = np.ones(spot.size)
    flow = _affine(
        rows,
        layout,
        [
            (orders.base[spot], layout.buys[spot], orders.gain[spot]),
            (orders.base[spot], layout.sells[spot], -orders.gain[spot]),
            (orders.cash[spot], layout.buys[spot], -one),
            (orders.cash[spot], layout.sells[spot], one),
            (routes.source, layout.transfers, -np.ones(layout.routes)),
            (routes.target, layout.transfers, np.ones(layout.routes)),
        ],
        [],
    )
    spot_paid = _affine(
        rows,
        layout,
        [
            (orders.cash[spot], layout.buys[spot], orders.toll[spot]),
            (orders.cash[spot], layout.sells[spot], orders.toll[spot]),
            (routes.source, layout.transfers, routes.rate),
        ],
        [(routes.source, layout.transfers, routes.fee)],
    )
    own = _affine(
        rows,
        layout,
        [
            (orders.cash[deal], layout.buys[deal], orders.toll[deal]),
            (orders.cash[deal], layout.sells[deal], orders.toll[deal]),
        ],
        [(moves.cash, layout.moved, moves.fee)],
    )
    settled = _affine(rows, layout, [(moves.cash, layout.moved, moves.settled)], [])
    return flow, spot_paid + own, spot_paid, settled
