"""A reading of an account put together from its parts, each of which may fail by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from allocator.adapters.ccxt.place import Place, who
from allocator.models.account import Account, Balance, Fees, SeenOrder
from allocator.models.base import ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import AccountReading


async def reading_of(
    place: Place,
    wallets: Awaitable[Mapping[str, Decimal]],
    positions: Awaitable[Mapping[str, Decimal]],
    orders: Awaitable[tuple[SeenOrder, ...]],
) -> AccountReading:
    """Wait for every part; one that fails is named, and the reading is not complete."""
    at = datetime.now(UTC)
    held, net, standing = await asyncio.gather(wallets, positions, orders, return_exceptions=True)
    parts = {"wallets": held, "positions": net, "open orders": standing}
    missing = [f"{name}: {part}" for name, part in parts.items() if isinstance(part, BaseException)]
    return AccountReading(
        account=place.account,
        at=at,
        complete=not missing,
        missing=tuple(missing),
        wallets={} if isinstance(held, BaseException) else held,
        positions={} if isinstance(net, BaseException) else net,
        open_orders=() if isinstance(standing, BaseException) else standing,
    )


def holding(place: Place, held: Mapping[str, Decimal]) -> Account:
    """Describe a wallet that holds assets and trades nothing.

    Raises
    ------
    VenueError
        When instruments are configured for it.
    """
    if place.config.instruments:
        kind = place.config.wallet
        raise VenueError(f"{kind} markets of {place.venue} are not traded: the wallet only holds")
    balances = {
        coin: Balance(wallet=units, withdrawable=max(ZERO, units))
        for coin, units in held.items() if units
    }  # fmt: skip
    return Account(**who(place), fees=Fees(taker=ZERO), balances=balances)
