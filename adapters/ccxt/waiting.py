"""Orders that wait for a trigger, in the allocator's terms.

One counts among open orders as one that stands in a book does: by the side that it takes once it
has fired, and by all that it may trade then.

* Its price is the limit that it fires with. One that fires at market has none and so meets any
  price (`OpenOrder.price`), which counts against us more than its trigger or the mark would.
* One that closes all of a position, however much that is by then, has no size: it can only reduce,
  and a note tells of it.
* What is not understood is not left out: whoever reads it fails, and the account is frozen.

Orders that wait are read before those that stand: one that fires in between is told twice, and
never not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.models.account import SeenOrder, Side
from allocator.models.errors import VenueError

CLOSING = "closing orders"
"""Topic of the note about orders that close all of a position."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order that waits.

    Attributes
    ----------
    id
        The venue's own.
    side, quantity
        What it trades once it fires, in contracts; no quantity, or no side: it closes all of a
        position.
    price
        The limit that it fires with; None: it fires at market.
    stands
        Whether a part of it may stand in a book: it goes there bit by bit, without a trigger.
    order
        The venue's id of the order that it has become, where it has fired and the venue tells.
    fired
        Whether that order is in the book, or has ended: it waits no more.
    """

    id: str
    instrument: str
    side: Side | None
    quantity: Decimal | None
    price: Decimal | None
    reduce_only: bool
    stands: bool = False
    order: str | None = None
    fired: bool = False


def each(
    found: Iterable[JsonObject], key: str, read: Callable[[JsonObject], Waiting]
) -> list[Waiting]:
    """Read every row; one that is not understood is named by its id, which stands under a key.

    Raises
    ------
    VenueError
        When one is not understood.
    """
    out = list[Waiting]()
    for row in found:
        try:
            out.append(read(row))
        except VenueError as error:
            raise VenueError(f"an order that waits ({key} {row.get(key)}): {error}") from error
    return out


def together(
    place: Place,
    standing: Iterable[SeenOrder],
    waiting: Iterable[Waiting],
    closing: Collection[str] = (),
) -> tuple[SeenOrder, ...]:
    """List what stands and what waits; what has no size is noted.

    Parameters
    ----------
    closing
        Names of orders that stand and close all of a position.
    """
    told = [(f"{row.id} of {row.instrument}", _open_order(row)) for row in waiting]
    unsized = [*closing, *(name for name, order in told if order is None)]
    place.notes.pop(CLOSING, None)
    if unsized:
        names = ", ".join(sorted(unsized))
        place.notes[CLOSING] = f"orders that close all of a position are not read: {names}"
    return (*standing, *(order for _, order in told if order is not None))


def _open_order(row: Waiting) -> SeenOrder | None:
    """Describe an order; None: it closes all of a position."""
    if row.quantity is None or row.side is None:
        return None
    return SeenOrder(
        instrument=row.instrument,
        side=row.side,
        quantity=row.quantity,
        price=row.price,
        reduce_only=row.reduce_only,
        waits=not row.stands,
    )


def sized(row: JsonObject, key: str) -> Decimal:
    """Read a size that must be there and above zero.

    Raises
    ------
    VenueError
        When it is not.
    """
    size = number(text(row, key))
    if size is None or size <= 0:
        raise VenueError(f"{key} {row[key]} is not a size")
    return size


def one_of(row: JsonObject, key: str, known: Collection[str]) -> str:
    """Read a word that must be one of those that are known.

    Raises
    ------
    VenueError
        When it is absent, or another.
    """
    word = text(row, key)
    if word not in known:
        raise VenueError(f"{key} {word} is not known")
    return word


def worst(side: Side, prices: Sequence[Decimal | None]) -> Decimal | None:
    """Choose of several limits the one that meets most prices; None: one of them is at market.

    >>> worst("sell", [Decimal(3), Decimal(2)]), worst("buy", [Decimal(3), None])
    (Decimal('2'), None)
    """
    limits = [price for price in prices if price is not None]
    if len(limits) < len(prices):
        return None
    return min(limits, default=None) if side == "sell" else max(limits, default=None)
