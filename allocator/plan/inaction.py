"""Why nothing is done: the best alternative by part of its cost, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from allocator.cost import cost
from allocator.exposure import goals, present
from allocator.models.base import ZERO
from allocator.models.reasons import Idle, Obstacle, Place, Shortage
from allocator.plan.judge import EXACT, Verdict, judged
from allocator.plan.lots import Sizes, order_lots, smallest
from allocator.plan.needs import margin_shortages
from allocator.plan.outcome import Outcome
from allocator.plan.reasons import changes, compared, described, effects_of
from allocator.plan.substitutes import (
    MOST_EACH,
    dearness,
    exposure_of,
    may_order,
    peers,
    underlying_of,
)
from allocator.state import Book, Pair, State, lawful, published

MOST_OBSTACLES = 12
MOST_GAPS = 4
"""Underlyings, the furthest from their targets first, that an alternative is sought for."""

REDUCES = "reduce_only"


@lawful
def inaction(book: Book, outcome: Outcome) -> Idle | None:
    """Explain an outcome without actions; None for one that has some."""
    if outcome.actions:
        return None
    idle, best = judged(book, Sizes()), _best(book, outcome)
    off_target = () if idle.shortfall > EXACT else tuple(dict.fromkeys(_obstacles(book)))
    obstacles = (*_under_way(book), *off_target[:MOST_OBSTACLES])
    if best is None:
        return Idle(obstacles=obstacles)
    sizes, verdict = best
    told = compared(described(sizes), verdict, idle)
    parts = {}
    if told.extra is not None:
        parts = changes(cost(book, ()), cost(book, effects_of(book, sizes)))
    refused = told.refused or outcome.barred
    return Idle(
        doing=told.doing,
        changes=parts,
        extra=None if told.extra is None else published(sum(parts.values(), ZERO)),
        refused=refused,
        obstacles=obstacles,
    )


def _best(book: Book, outcome: Outcome) -> tuple[Sizes, Verdict] | None:
    """Take what the search rejected, or an order that closes the widest gaps; the best of them."""
    tried = [outcome.rejected] if outcome.rejected is not None else list(_closing(book))
    seen = [(judged(book, sizes), sizes) for sizes in tried]
    if not seen:
        return None
    verdict, sizes = min(seen, key=lambda row: row[0].rank)
    return sizes, verdict


def _closing(book: Book) -> Iterator[Sizes]:
    """Propose single orders to the target and to the edge of the band, in the cheapest pairs."""
    for name, gap, band in _gaps(book)[:MOST_GAPS]:
        for pair in peers(book, name)[:MOST_EACH]:
            each = exposure_of(book, pair[1])
            for wished in {gap, gap - band if gap > 0 else gap + band}:
                for lots in _either_side(book, pair, -wished / each if each else ZERO):
                    yield Sizes(orders={pair: lots})


def _either_side(book: Book, pair: Pair, wished: Decimal) -> Iterator[Decimal]:
    """Round a signed order to lots; where no lot is as small, take the smallest order."""
    lots = order_lots(book, pair, wished)
    if not lots and wished:
        row = book.instruments[pair[1]]
        least = smallest(book, row)
        lots = min(least, row.max_quantity or least) * (1 if wished > 0 else -1)
    if lots:
        yield lots


def _gaps(book: Book) -> list[tuple[str, Decimal, Decimal]]:
    """List underlyings off their targets with gap and half-width, the widest gap first."""
    wanted = goals(book)
    rows = [(u, value - wanted[u].target, wanted[u].band) for u, value in present(book).items()]
    off = [row for row in rows if row[1]]
    return sorted(off, key=lambda row: (-abs(row[1]), row[0]))


def _under_way(book: Book) -> Iterator[Obstacle]:
    """Name accounts that money on its way since before the plan makes whole."""
    start = State.start(book)
    for name, account in book.accounts.items():
        if not any(row.direction == "in" for row in account.in_flight):
            continue
        whole = {row.what for row in margin_shortages(book, start, name)}
        for row in margin_shortages(book, start, name, arrivals=False):
            if row.what not in whole:
                yield Obstacle(
                    rule=f"money on its way covers what {lacks_now(row)}", place=row.place
                )
                break


def lacks_now(row: Shortage) -> str:
    """Tell what an account is short of until money arrives."""
    name = row.what.removeprefix("margin ")
    return f"{name} is short of today: {row.missing:,.2f} USD of {row.rule}"


def _obstacles(book: Book) -> Iterator[Obstacle]:
    """Name, for every underlying off its target, what keeps pairs from closing the gap."""
    if not any(present(book)[u] != goal.target for u, goal in goals(book).items()):
        yield Obstacle(rule="every exposure is at its target")
        return
    for name, gap, band in _gaps(book):
        if abs(gap) <= band:
            place: Place = ("mandate", "targets", name)
            yield Obstacle(rule=f"{name} is inside its band already", place=place)
        else:
            yield from _in_the_way(book, name, gap)


def _in_the_way(book: Book, underlying: str, gap: Decimal) -> Iterator[Obstacle]:
    chosen = {*book.pairs, *book.spot_pairs, *book.quantity}
    of_it = [pair for pair in chosen if underlying_of(book, pair[1]) == underlying]
    pairs = sorted(of_it, key=lambda pair: (dearness(book, pair), pair))
    if not pairs:
        yield Obstacle(rule=f"no account lists an instrument of {underlying}")
    for pair in pairs:
        told = _barred(book, pair, gap)
        if told is not None:
            yield told


def _barred(book: Book, pair: Pair, gap: Decimal) -> Obstacle | None:
    account = book.accounts[pair[0]]
    why = may_order(book, pair)
    if why is not None:
        return Obstacle(rule=why, place=_place(book, pair))
    held, each = book.quantity.get(pair, ZERO), exposure_of(book, pair[1])
    grows = held * -gap * each >= 0
    if account.state == REDUCES and grows:
        return Obstacle(rule=f"{pair[0]} is reduce-only", place=("snapshot", "accounts", pair[0]))
    if book.status(pair[1]) == REDUCES and grows:
        return Obstacle(
            rule=f"{pair[1]} is reduce-only", place=("snapshot", "instruments", pair[1])
        )
    return None


def _place(book: Book, pair: Pair) -> Place:
    account = book.accounts[pair[0]]
    if account.state == "frozen":
        return ("snapshot", "accounts", pair[0], "state")
    if account.order_budget == 0:
        return ("snapshot", "accounts", pair[0], "order_budget")
    if book.status(pair[1]) == "halted":
        return ("snapshot", "instruments", pair[1])
    return ("snapshot", "accounts", pair[0], "positions", pair[1])
