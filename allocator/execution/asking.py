"""How long a venue's answer to a write is waited for, and what no answer means."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from decimal import Decimal
from typing import TypeVar

from allocator.execution.run import Shell
from allocator.models.intents import Unknown
from allocator.ports import Venue

Answer = TypeVar("Answer")

MOST_WINDOW_S = Decimal(5)


def window_s(venue: Venue) -> Decimal:
    """Tell after how many seconds a venue refuses a request."""
    return min(venue.capabilities.receive_window_s, MOST_WINDOW_S)


def patience_s(shell: Shell, venue: Venue) -> float:
    """Tell for how many seconds an answer is waited for: beyond the window, and a while."""
    return float(window_s(venue) + shell.config.order_timeout_s)


async def answer(shell: Shell, venue: Venue, asked: Awaitable[Answer]) -> Answer | Unknown:
    """Wait for a venue's answer; whatever goes wrong, it may have done what it was asked."""
    try:
        async with asyncio.timeout(patience_s(shell, venue)):
            return await asked
    except TimeoutError:
        return Unknown(why="no answer in time")
    except Exception as error:  # noqa: BLE001 - whatever it is, it may have been sent
        return Unknown(why=f"the adapter failed: {type(error).__name__}")
