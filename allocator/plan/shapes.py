"""Plain shapes of a plan: waves, each released when the one before it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from allocator.models.base import ZERO
from allocator.models.plan import Order, PositionMove, Transfer
from allocator.plan.fronts import Needs, Unit
from allocator.state import Book, Effect

Wave = Sequence[Unit]
"""Units that are released side by side."""


def shapes(book: Book, effects: Sequence[Effect], members: Sequence[int]) -> Iterator[list[Wave]]:
    """List the shapes, the one with the fewest constraints first; all orders share a group."""
    return _Shapes(book, effects, members).listed()


def waiting(waves: Sequence[Wave]) -> Needs:
    """Let every wave wait for the whole wave before it."""
    out: dict[Unit, frozenset[Unit]] = {}
    before: frozenset[Unit] = frozenset()
    for wave in waves:
        out |= dict.fromkeys(wave, before)
        before = frozenset(wave) or before
    return out


class _Shapes:
    def __init__(self, book: Book, effects: Sequence[Effect], members: Sequence[int]) -> None:
        self.book = book
        actions = {at: effects[at].action for at in members}
        self.transfers = {at: row for at, row in actions.items() if isinstance(row, Transfer)}
        self.moves = {at: row for at, row in actions.items() if isinstance(row, PositionMove)}
        self.orders = {at: row for at, row in actions.items() if isinstance(row, Order)}

    def listed(self) -> Iterator[list[Wave]]:
        """Money, moves, orders in every order that may be safe, side by side or one by one."""
        waves = self._by_funding()
        routes, moves = [unit for wave in waves for unit in wave], [(at,) for at in self.moves]
        queue, carried = [[unit] for unit in routes], [[unit] for unit in moves]
        orders = self._group(self.orders)
        yield [routes, moves, orders]
        yield [*waves, moves, orders]
        yield [*queue, *carried, orders]
        yield [*carried, *queue, orders]
        for first in self._freeing():
            less, more = self._group(first), self._group(set(self.orders) - set(first))
            yield [less, routes, moves, more]
            yield [less, *queue, *carried, more]
            yield [less, *carried, *queue, more]
        yield [orders, routes, moves]
        yield [orders, *queue, *carried]
        yield [orders, *carried, *queue]

    @staticmethod
    def _group(orders: set[int] | dict[int, Order] | tuple[int, ...]) -> list[Unit]:
        return [tuple(sorted(orders))] if orders else []

    def _by_funding(self) -> list[list[Unit]]:
        """Group transfers into waves: senders that nobody funds go first."""
        left = list(self.transfers)
        waves = list[list[Unit]]()
        while left:
            waiting_for = {self.transfers[at].target for at in left}
            ready = [at for at in left if self.transfers[at].source not in waiting_for]
            ready = ready or left[:1]
            waves.append([(at,) for at in ready])
            left = [at for at in left if at not in ready]
        return waves

    def _freeing(self) -> list[tuple[int, ...]]:
        """List sets of orders that may free margin for transfers, smallest first."""
        senders = {row.source for row in self.transfers.values()}
        senders |= {row.source for row in self.moves.values()}
        less = tuple(at for at, row in self.orders.items() if self._reduces(row))
        own = tuple(at for at in less if self.orders[at].account in senders)
        every = tuple(at for at, row in self.orders.items() if row.account in senders)
        return [part for part in (own, every, less) if part]

    def _reduces(self, order: Order) -> bool:
        held = self.book.quantity.get((order.account, order.instrument), ZERO)
        return held * order.signed < 0 and order.quantity <= abs(held)
