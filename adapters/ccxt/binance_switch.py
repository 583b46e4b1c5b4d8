"""Binance's countdown that cancels what stands: a switch of each market of USD-M and COIN-M.

Sources: the venue's page Auto-Cancel All Open Orders (USD-M, COIN-M), and A.3 of its notice on the
integration of the two, which share the weight of an address.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

from allocator.adapters.ccxt.binance_reads import HOSTS
from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject
from allocator.models.errors import VenueError

LEAST_SILENCE_S = Decimal(10)
"""The page of the switch tells no least time, and warns of a small one."""

MOST_SWITCHED = 6
"""Markets, of all accounts of USD-M and COIN-M at this address, up to which the switch is used.

Each is a request of weight 10, sent anew when a third of the time is over. At the least silence
that is 60 / (10 / 3) = 18 times a minute, a weight of 180: six markets weigh 1,080, which is less
than half of the 2,400 that an address has for both. Without room the renewals would wait for each
other, and the switch would fire while we are there.
"""


def has_switch(place: Place) -> bool:
    """Tell whether an account has a switch that can be renewed in time."""
    futures = place.config.wallet in ("usdm", "coinm")
    return futures and len(place.config.instruments) + place.beside <= MOST_SWITCHED


async def cancel_after(place: Place, seconds: int) -> str:
    """Have what stands in the configured markets cancelled after so many seconds; 0: never.

    Orders leave for configured markets only, so no order of ours is in any other; what somebody
    else has there stays. A market that the venue has no longer takes no order.

    Raises
    ------
    NotSentError
        When the venue has none of the markets.
    VenueError
        When a market does not answer as it should; every request has ended by then.
    """
    endpoint = f"{HOSTS[place.config.wallet]}_post_countdowncancelall"
    wanted = str(seconds * 1000)
    known = place.login.client.markets
    asked: list[JsonObject] = [
        {"symbol": str(known[symbol]["id"]), "countdownTime": wanted}
        for symbol in place.config.instruments if symbol in known
    ]  # fmt: skip
    if not asked:
        raise NotSentError(f"{place.account}: none of its markets is listed")
    told = await asyncio.gather(
        *(place.login.call(endpoint, one) for one in asked), return_exceptions=True
    )
    for row in told:
        if isinstance(row, BaseException):
            raise row
        if text(row, "countdownTime") != wanted:
            raise VenueError(f"asked for {wanted} ms of silence, told of {row}")
    return place.login.venue_now().isoformat()
