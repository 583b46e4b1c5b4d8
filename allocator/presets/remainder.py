"""Sharing out a total in whole lots by the largest remainder (Hamilton, Hare-Niemeyer).

Each part first gets the whole lots of its exact share; what is left goes, one lot each, to the
parts with the largest fractions of a lot. Among parts of one unit each is less than a lot away from
its share, and they add up to all the whole lots of the total; among parts of different units each
is less than the coarsest lot away. IBKR's EqualQuantity (six accounts of
400 shares: 66 each, then one more each until all are gone) is this rule with equal weights. Some
multi-account managers give all that is left to the largest account instead
(https://www.fxclearing.com/lo/allocation-methods); with the largest remainder nobody is favoured.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Generic, TypeVar

from allocator.models.base import ZERO
from allocator.state import lawful

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Part(Generic[K]):
    """One who takes part.

    Attributes
    ----------
    key
        Its name; decides between equals, the smallest first.
    weight
        Its share against the others'; above zero.
    unit
        Size of one lot in units of the total; above zero.
    most
        Lots it may take; None: any number.
    """

    key: K
    weight: Decimal
    unit: Decimal
    most: int | None = None


@lawful
def largest_remainder(total: Decimal, parts: Sequence[Part[K]]) -> dict[K, int]:
    """Share out a total that is not negative.

    What a part may not take is shared out among the others by the same weights; what is less than
    a coarse part's lot among those of finer lots.

    Returns
    -------
    Lots by key, sorted; together never more than the total, and less by no lot that a part could
    still take.
    """
    rows = sorted(parts, key=_order)
    lots, left = {part.key: 0 for part in rows}, total
    while True:
        takers = [row for part in rows if (row := _rest(part, lots[part.key])).unit <= left]
        takers = [row for row in takers if row.most != 0]
        if not takers:
            return lots
        for part, more in _round(left, takers):
            lots[part.key] += more
            left -= more * part.unit


def _rest(part: Part[K], taken: int) -> Part[K]:
    return part if part.most is None else replace(part, most=part.most - taken)


def _round(total: Decimal, parts: Sequence[Part[K]]) -> list[tuple[Part[K], int]]:
    """Share out once: who may not take its share gets all it may, the others share the rest."""
    out, free, left = list[tuple[Part[K], int]](), list(parts), total
    while True:
        weights = sum((part.weight for part in free), ZERO)
        full = [part for part in free if _exceeds(left, weights, part)]
        if not full:
            return out + _shared(left, weights, free)
        for part in full:
            assert part.most is not None
            out.append((part, part.most))
            left -= part.most * part.unit
        free = [part for part in free if part not in full]


def _order(part: Part[K]) -> str:
    return repr(part.key)


def _exceeds(total: Decimal, weights: Decimal, part: Part[K]) -> bool:
    return part.most is not None and total * part.weight > part.most * part.unit * weights


def _shared(
    total: Decimal, weights: Decimal, parts: Sequence[Part[K]]
) -> list[tuple[Part[K], int]]:
    rows = list[tuple[Decimal, Decimal, Part[K], int]]()
    for part in parts:
        whole, rest = divmod(total * part.weight, weights * part.unit)
        rows.append((-rest / (weights * part.unit), -part.weight, part, int(whole)))
    left = total - sum((count * part.unit for _, _, part, count in rows), ZERO)
    out = list[tuple[Part[K], int]]()
    for _, _, part, count in sorted(rows, key=lambda row: (row[0], row[1], _order(row[2]))):
        more = int(part.unit <= left)
        left -= more * part.unit
        out.append((part, count + more))
    return out
