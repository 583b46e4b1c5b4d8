"""Money in a wallet that is not read: what is worth less than a dollar is named, no more.

A fee or funding leaves fractions of a cent behind that cannot even be taken out. More than that, or
anything that a position or an order binds, nobody would count: the account is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from allocator.adapters.ccxt.place import Place
from allocator.adapters.exact import exactly
from allocator.adapters.sources import AssetPrices
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError

LEAST_USD = ONE
"""From how many dollars on, in all such wallets of a user together, an account is refused."""

TOPIC = "elsewhere"


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a wallet that is not read tells.

    Attributes
    ----------
    asset, units
        The most that any of its figures tells, without a sign, and of what.
    words
        How it is named.
    bound
        Whether something besides free money is told: a position or an order may stand there.
    dollars
        What the venue itself says it is worth; None: it does not.
    """

    asset: str
    units: Decimal
    words: str
    bound: bool
    dollars: Decimal | None = None


async def check_leftovers(
    place: Place, found: Sequence[Leftover], prices: Callable[[Place], Awaitable[AssetPrices]]
) -> None:
    """Refuse an account for what its user has where it is not read, or name dust as a note.

    Raises
    ------
    VenueError
        When it is bound, worth a dollar or more, or of an unknown worth.
    """
    place.notes.pop(TOPIC, None)
    if not found:
        return
    words = ", ".join(row.words for row in found)
    worth = None
    if not any(row.bound for row in found):
        known: AssetPrices = {}
        with contextlib.suppress(VenueError):
            known = await prices(place)
        worth = worth_of(found, known)
    if worth is None or worth >= LEAST_USD:
        raise VenueError(f"UNREAD_WALLET: {words}")
    place.notes[TOPIC] = f"DUST: {words}: less than a dollar, and not counted"


@exactly
def worth_of(found: Sequence[Leftover], prices: AssetPrices) -> Decimal | None:
    """Add up what leftovers are worth in dollars; None: of one nobody knows.

    Of a price and of what the venue says the larger holds.
    """
    total = ZERO
    for row in found:
        price = prices.get(row.asset)
        told = [abs(row.dollars)] if row.dollars else []
        told += [row.units * price] if price else []
        if not told:
            return None
        total += max(told)
    return total
