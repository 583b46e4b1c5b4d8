"""In which books an account's futures orders at Binance are read: in all, or in a few.

Reading what stands and what waits weighs 40 each where no symbol is named, of the 2,400 that an
address may spend in a minute on both futures services, and one each of one symbol (Current All Open
Orders, Current All Algo Open Orders). So all books are read once a minute, and between two of those
readings the books of the account's configured instruments alone, beside what stood in others: an
order that somebody places there is seen a minute later at most, and one that ends there counts as
long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from allocator.adapters.ccxt import binance_waiting
from allocator.adapters.ccxt.answers import rows
from allocator.adapters.ccxt.place import Place
from allocator.adapters.ccxt.values import JsonObject
from allocator.adapters.ccxt.waiting import Waiting

EVERY_S = 60.0
"""Seconds after which all books of an account are read again."""

ALL_WEIGH = 40
"""What a reading of all books weighs, where one of one book weighs one."""

KEPT = "books"

Row = tuple[JsonObject, str]
"""An order that stands, and its instrument."""


@dataclass(frozen=True, slots=True)
class Books:
    """Orders of an account's wallet, as they were read of all books.

    Attributes
    ----------
    at
        When, by a clock that never goes back, seconds.
    """

    at: float
    waiting: Sequence[Waiting]
    standing: Sequence[Row]


async def in_books(
    place: Place, stands: str, named: Callable[[JsonObject], str]
) -> tuple[list[Waiting], list[Row]]:
    """Read what waits and then what stands, in the books that it is time for.

    Parameters
    ----------
    stands
        ccxt's name of what lists the orders that stand.
    named
        Names the instrument of a row.
    """
    last: Books | None = place.kept.get(KEPT)
    now, few = time.monotonic(), place.config.instruments
    if last is None or now >= last.at + EVERY_S or not few or len(few) >= ALL_WEIGH:
        waiting, standing = await _read(place, stands, named, {})
        place.kept[KEPT] = Books(now, waiting, standing)
        return waiting, standing
    markets = [place.login.market(symbol) for symbol in few]
    ask = partial(_read, place, stands, named)
    found = await asyncio.gather(*(ask({"symbol": market["id"]}) for market in markets))
    mine = {f"{place.venue}:{market['symbol']}" for market in markets}
    return (
        [
            *(row for row in last.waiting if row.instrument not in mine),
            *chain.from_iterable(waiting for waiting, _ in found),
        ],
        [
            *(row for row in last.standing if row[1] not in mine),
            *chain.from_iterable(standing for _, standing in found),
        ],
    )


async def _read(
    place: Place, stands: str, named: Callable[[JsonObject], str], asked: JsonObject
) -> tuple[list[Waiting], list[Row]]:
    waiting = await binance_waiting.algo_orders(place, place.config.wallet, named, asked)
    found = rows(await place.login.call(stands, asked))
    return waiting, [(row, named(row)) for row in found]
