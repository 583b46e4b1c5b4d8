"""How near an account stands to its margin, as far as that can be reckoned; pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from allocator.margin import Requirement, liquidation_distances, margin_ratio
from allocator.models.errors import SnapshotError
from allocator.service.monitor.apart import Apart, apart
from allocator.state import Book, State
from allocator.verify.blocks import total_requirement


@dataclass(frozen=True, slots=True)
class Standing:
    """The margin of an account: the worst of its pools and of positions with one of their own.

    Attributes
    ----------
    needed
        What its pools need, numeraire; None: not known.
    ratio, distance
        None: nothing needs margin, no move uses it up, or it is not known.
    ratio_at_most, distance_at_most
        Where they are not known: the worst of what is, than which they are no better.
    unknown
        Why they are not known, in words; empty: they are.
    """

    needed: Requirement | None
    ratio: Decimal | None
    distance: Decimal | None
    ratio_at_most: Decimal | None = None
    distance_at_most: Decimal | None = None
    unknown: str = ""


def standing(book: Book, state: State, account: str) -> Standing:
    """Reckon the margin of an account.

    A position of which no brackets are told, or which its margin's scenarios leave out, makes it
    unknown: what nobody can reckon is not safe.
    """
    needed, pooled = _pooled(book, state, account)
    rows = (pooled, *apart(book.snapshot, book.accounts[account]))
    ratio = min((row.ratio for row in rows if row.ratio is not None), default=None)
    distance = min((row.distance for row in rows if row.distance is not None), default=None)
    unknown = "; ".join(dict.fromkeys(row.unknown for row in rows if row.unknown))
    if unknown:
        return Standing(needed, None, None, ratio, distance, unknown)
    return Standing(needed, ratio, distance)


def _pooled(book: Book, state: State, account: str) -> tuple[Requirement | None, Apart]:
    """Reckon what the account's pools carry."""
    try:
        needed = total_requirement(book, state, account)
        ratio = margin_ratio(book, state, account)
        moves = liquidation_distances(book, state, account).values()
    except SnapshotError as error:
        return None, Apart(unknown=str(error))
    distance = min((abs(move) for move in moves if move is not None), default=None)
    return needed, Apart(ratio, distance)
