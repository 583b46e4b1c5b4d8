"""Binance: the brackets of its futures, and what accounts state as maintenance held against them.

The venue tells brackets to a user, and may widen one user's (`notionalCoef`). They are read through
one login for all accounts of a service, since instruments are the same for all: an account that
states more maintenance than they give has others, and its margin would be read too low.

Sources: the venue's pages Notional and Leverage Brackets (USD-M), Notional Bracket for Symbol
(COIN-M), Account Information of both (`maintMargin` of an asset).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from allocator.adapters.ccxt.answers import rows
from allocator.adapters.ccxt.pairs import DRIFT
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError

LISTS = {"usdm": "fapiprivate_get_leveragebracket", "coinm": "dapiprivatev2_get_leveragebracket"}
AGE_S = 600.0
LAST_DIGIT = Decimal("1e-8")
"""To which a margin is told: each of those added up may be off by as much."""

Brackets = Mapping[str, Sequence[JsonObject]]


async def brackets(place: Place, wallet: str) -> Brackets:
    """Read the brackets of every market of a futures service, once for all its accounts."""
    found = rows(await place.login.shared(LISTS[wallet], {}, AGE_S))
    return {text(row, "symbol"): rows(row, "brackets") for row in found}


@exactly
def check_maintenance(
    asset: JsonObject, held: Iterable[tuple[str, Decimal]], known: Brackets
) -> None:
    """Hold what an account states as maintenance of an asset against the brackets.

    Parameters
    ----------
    held
        Symbol and worth, in the asset, of each leg that is settled in it.

    Raises
    ------
    VenueError
        When it states more than they give, were prices to move as far as between two reads.
    """
    told, worth = number(asset.get("maintMargin")), dict[str, Decimal]()
    for symbol, size in held:
        worth[symbol] = worth.get(symbol, ZERO) + size
    if told is None or not worth.keys() <= known.keys():
        return
    needed = sum((_needed(known[name], size) for name, size in worth.items()), ZERO)
    if told > needed + LAST_DIGIT * (1 + len(worth)):
        raise VenueError(f"MARGIN_LEVELS: {asset.get('asset')} stated={told} brackets={needed}")


def _needed(steps: Sequence[JsonObject], size: Decimal) -> Decimal:
    """Tell the maintenance of a size, which of all brackets' the largest is."""
    most = size * (ONE + DRIFT)
    return max(
        (
            most * (number(text(row, "maintMarginRatio")) or ZERO)
            - (number(text(row, "cum")) or ZERO)
            for row in steps
        ),
        default=ZERO,
    )
