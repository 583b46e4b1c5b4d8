"""Filling slots by weights as far as the exact law lets them.

All slots rise together, in proportion to their weights, until a rule stands in the way; who cannot
take another lot then stays where it is, and the others go on. Lots are counted, so each rise ends
by bisection at an exact count, and every look is counted too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal

from allocator.models.base import ZERO
from allocator.presets.remainder import Part, largest_remainder
from allocator.presets.slots import Slot
from allocator.state import Pair, lawful

Counts = dict[Pair, int]
"""Lots by pair; none where nothing is ordered."""

Fits = Callable[[Mapping[Pair, Decimal]], bool]
"""Whether signed orders, in contracts, break no rule."""

FitsAlone = Callable[[Pair, Decimal], bool]
"""Whether one signed order breaks no rule on its account alone; asked first, as it is cheap."""

ROUNDS_A_SLOT = 2
"""Rises after which the filling ends even if a slot could still take a lot."""


TOPPINGS = 3
"""How often every slot is asked what it still takes: an order may free a limit for another one."""


def signed_orders(slots: Sequence[Slot], counts: Mapping[Pair, int]) -> dict[Pair, Decimal]:
    """Turn lots into signed contracts."""
    return {s.pair: counts[s.pair] * s.signed for s in slots if counts.get(s.pair)}


def exposure_of(slots: Sequence[Slot], counts: Mapping[Pair, int]) -> Decimal:
    """Add up the exposure that lots trade, numeraire, unsigned."""
    return sum((counts.get(s.pair, 0) * s.unit for s in slots), ZERO)


@lawful
def shared(slots: Sequence[Slot], total: Decimal) -> Counts:
    """Share out a total by weights, in sizes that the instruments take.

    Where a share is smaller than the smallest order, the slot of the least weight among those gets
    nothing and the rest is shared out again.
    """
    left = list(slots)
    while True:
        parts = [Part(s.pair, s.weight, s.unit, s.most) for s in left]
        counts = largest_remainder(total, parts) if parts else {}
        small = [s for s in left if not s.takes(counts[s.pair])]
        if not small:
            return {pair: lots for pair, lots in counts.items() if lots}
        left.remove(min(small, key=lambda s: (s.weight, s.pair)))


@lawful
def filled(slots: Sequence[Slot], total: Decimal, fits: Fits, alone: FitsAlone) -> Counts:
    """Fill slots up to a total of exposure, numeraire, as far as orders fit.

    Returns
    -------
    Lots by pair that fit; where all of them rose as far as they can, each alone is given what it
    still takes, the heaviest first, so that no slot that could take more is left behind.
    """
    looks, best = _Looks(slots, fits, alone), Counts()
    rising = _capped(looks, slots, total)
    for _ in range(ROUNDS_A_SLOT * len(slots)):
        reached, stays = _risen(looks, rising, total)
        if exposure_of(slots, reached) > exposure_of(slots, best):
            best = reached
        if not stays:
            break
        rising = tuple(s.at_most(stays[s.pair]) if s.pair in stays else s for s in rising)
        rising = tuple(s for s in rising if s.most != 0)
        if not rising:
            break
    whole = best == shared(slots, total)
    return best if whole else _topped(looks, slots, total, best)


class _Looks:
    """The exact law's answers, each asked for once."""

    def __init__(self, slots: Sequence[Slot], fits: Fits, alone: FitsAlone) -> None:
        self.slots, self.fits, self.alone = slots, fits, alone
        self.seen = dict[tuple[tuple[Pair, int], ...], bool]()

    def ok(self, counts: Counts) -> bool:
        """Tell whether lots fit."""
        key = tuple(sorted(counts.items()))
        if key not in self.seen:
            self.seen[key] = self.fits(signed_orders(self.slots, counts))
        return self.seen[key]

    def most_alone(self, slot: Slot, known: int, wanted: int) -> int:
        """Find how many lots of one slot its account takes, by bisection up to a number."""
        return _bisected(slot, known, wanted, lambda n: self.alone(slot.pair, n * slot.signed))

    def most(self, counts: Counts, slot: Slot, wanted: int) -> int:
        """Find how many lots of one slot fit beside the others, by bisection up to a number."""
        known = counts.get(slot.pair, 0)
        wanted = self.most_alone(slot, known, wanted)
        return _bisected(slot, known, wanted, lambda n: self.ok({**counts, slot.pair: n}))


def _bisected(slot: Slot, known: int, wanted: int, fit: Callable[[int], bool]) -> int:
    """Find the most lots that fit, from a number that is known to; sizes no order has do not."""
    low, high = known, wanted + 1
    first = max(low + 1, min(slot.least, wanted))
    for probe in (first, wanted):
        if low < probe < high and slot.takes(probe):
            low, high = (probe, high) if fit(probe) else (low, probe)
    while high - low > 1 and low >= first:
        middle = (low + high) // 2
        low, high = (middle, high) if fit(middle) else (low, middle)
    return low


def _capped(looks: _Looks, slots: Sequence[Slot], total: Decimal) -> tuple[Slot, ...]:
    """Cap each slot by what its account alone takes, again while the others' shares grow by it."""
    rows = {slot.pair: slot for slot in slots}
    known = Counts()
    while rows:
        counts = shared(tuple(rows.values()), total)
        grown = {pair: n for pair, n in counts.items() if n > known.get(pair, 0)}
        taken = {p: looks.most_alone(rows[p], known.get(p, 0), n) for p, n in grown.items()}
        over = {pair: n for pair, n in taken.items() if n < grown[pair]}
        if not over:
            break
        known |= taken
        rows |= {pair: rows[pair].at_most(n) for pair, n in over.items()}
        rows = {pair: slot for pair, slot in rows.items() if slot.most != 0}
    return tuple(rows.values())


def _risen(looks: _Looks, slots: Sequence[Slot], total: Decimal) -> tuple[Counts, Counts]:
    """Let slots rise together as far as all of them fit.

    Returns
    -------
    The lots reached, and where those slots have to stay that stand in the way of more; none do
    where the whole total is reached.
    """
    reached, over = Counts(), shared(slots, total)
    if looks.ok(over):
        return over, {}
    step = min(slot.unit for slot in slots)
    low, high = 0, int((total / step).to_integral_value(ROUND_FLOOR)) + 1
    while high - low > 1:
        middle = (low + high) // 2
        counts = shared(slots, min(total, middle * step))
        if looks.ok(counts):
            low, reached = middle, counts
        else:
            high, over = middle, counts
    stays = Counts()
    for slot in sorted(slots, key=_heaviest):
        before = reached.get(slot.pair, 0)
        wanted = max(before + 1, slot.least, over.get(slot.pair, 0))
        if slot.most is not None and wanted > slot.most:
            continue
        lots = looks.most(reached, slot, wanted)
        if over.get(slot.pair, 0) > before and lots:
            reached = {**reached, slot.pair: lots}
        if lots < wanted:
            stays[slot.pair] = lots
    return reached, stays


def _topped(looks: _Looks, slots: Sequence[Slot], total: Decimal, counts: Counts) -> Counts:
    """Give every slot alone what it still takes, again while that makes room for others."""
    for _ in range(TOPPINGS):
        before = counts
        for slot in sorted(slots, key=_heaviest):
            room = int((total - exposure_of(slots, counts)) / slot.unit)
            wanted = counts.get(slot.pair, 0) + room
            wanted = wanted if slot.most is None else min(wanted, slot.most)
            lots = looks.most(counts, slot, wanted) if room > 0 else 0
            if lots:
                counts = {**counts, slot.pair: lots}
        if counts == before:
            break
    return counts


def _heaviest(slot: Slot) -> tuple[Decimal, Pair]:
    return -slot.weight, slot.pair
