"""A reading of an account put together from its parts, each of which may fail by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from allocator.adapters.ccxt.place import Place
from allocator.models.account import OpenOrder
from allocator.models.intents import AccountReading


async def reading_of(
    place: Place,
    wallets: Awaitable[Mapping[str, Decimal]],
    positions: Awaitable[Mapping[str, Decimal]],
    orders: Awaitable[tuple[OpenOrder, ...]],
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
