"""An order of steps in which every prefix is safe.

Money first: transfers, then moves, then all orders in one group, sliced at equal fractions, so
that exposure and margin go straight from where they are to where they end. Where that is not safe
other shapes are tried, each judged by the exact check of every prefix; the first safe one is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from allocator.models.base import ZERO
from allocator.models.plan import Action
from allocator.plan.actions import Step, numbered
from allocator.plan.lots import Sizes
from allocator.state import Book, Pair, lawful
from allocator.verify import first_broken_prefix

Wave = Sequence[Step]
"""Steps that are released side by side."""


@lawful
def sequenced(book: Book, sizes: Sizes) -> tuple[Action, ...] | None:
    """Order the steps; None if no shape that is tried is safe."""
    if sizes.count == 0:
        return ()
    seen = set[tuple[Step, ...]]()
    for waves in _shapes(book, sizes):
        steps = _released(waves)
        if steps in seen:
            continue
        seen.add(steps)
        actions = numbered(book, sizes, steps)
        if first_broken_prefix(book, actions) is None:
            return actions
    return None


def _shapes(book: Book, sizes: Sizes) -> Iterator[list[Wave]]:
    """List the shapes, the one with the fewest constraints first."""
    routes = [Step(route=name) for name in _by_funding(book, sizes)]
    moves = [Step(move=key) for key in sizes.moves]
    orders = _group(tuple(sizes.orders))
    queue = [[step] for step in routes]
    carried = [[step] for step in moves]
    yield [routes, moves, orders]
    yield [*_funding_waves(book, sizes), moves, orders]
    yield [*queue, *carried, orders]
    yield [*carried, *queue, orders]
    for first in _freeing(book, sizes):
        less = _group(first)
        more = _group(tuple(key for key in sizes.orders if key not in first))
        yield [less, routes, moves, more]
        yield [less, *queue, *carried, more]
        yield [less, *carried, *queue, more]
    yield [orders, routes, moves]
    yield [orders, *queue, *carried]
    yield [orders, *carried, *queue]


def _group(keys: tuple[Pair, ...]) -> list[Step]:
    return [Step(orders=keys)] if keys else []


def _released(waves: Sequence[Wave]) -> tuple[Step, ...]:
    """Let every wave wait for the whole wave before it."""
    out = list[Step]()
    before: tuple[int, ...] = ()
    for wave in waves:
        if wave:
            start = len(out)
            out += [Step(s.orders, s.route, s.move, before) for s in wave]
            before = tuple(range(start, len(out)))
    return tuple(out)


def _by_funding(book: Book, sizes: Sizes) -> list[str]:
    """Sort routes so that an account is funded before it sends."""
    left = sorted(sizes.transfers)
    out = list[str]()
    while left:
        waiting = {book.routes[name].target for name in left}
        ready = [name for name in left if book.routes[name].source not in waiting]
        out.append(ready[0] if ready else left[0])
        left.remove(out[-1])
    return out


def _funding_waves(book: Book, sizes: Sizes) -> list[list[Step]]:
    """Group routes into waves: senders that nobody funds go first."""
    left = sorted(sizes.transfers)
    waves = list[list[Step]]()
    while left:
        waiting = {book.routes[name].target for name in left}
        ready = [name for name in left if book.routes[name].source not in waiting] or left[:1]
        waves.append([Step(route=name) for name in ready])
        left = [name for name in left if name not in ready]
    return waves


def _freeing(book: Book, sizes: Sizes) -> list[tuple[Pair, ...]]:
    """List sets of orders that may free margin for transfers, smallest first."""
    senders = {book.routes[name].source for name in sizes.transfers}
    senders |= {move[1] for move in sizes.moves}
    less = tuple(key for key in sizes.orders if _reduces(book, key, sizes))
    own = tuple(key for key in less if key[0] in senders)
    every = tuple(key for key in sizes.orders if key[0] in senders)
    return [part for part in (own, every, less) if part]


def _reduces(book: Book, key: Pair, sizes: Sizes) -> bool:
    held, size = book.quantity.get(key, ZERO), sizes.orders[key]
    return held * size < 0 and abs(size) <= abs(held)
