"""How long a venue's answer is waited for, and what no answer means."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from allocator.execution.attempts import Attempt, sender
from allocator.execution.run import Shell
from allocator.models.errors import VenueError
from allocator.models.intents import AbsentNow, AccountReading, Found, Quote, Unknown, Unsure
from allocator.ports import Venue

Answer = TypeVar("Answer")

MOST_WINDOW_S = Decimal(5)

LOOK_BACK = timedelta(minutes=1)
"""How long before the intent a look-up begins: a venue's clock may be behind ours."""

NOT_OPENED = "its account is not opened here"

QUESTION_S = 30.0
"""Seconds that an answer to a question is waited for; adapters have shorter deadlines of their own.

It holds an adapter that hangs: nothing else would end the wait, and the plan would stand for ever.
"""


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


async def look(shell: Shell, attempt: Attempt) -> Found | AbsentNow | Unsure:
    """Look an attempt up by its client id; unsure when nobody is here to ask, or he hangs."""
    venue = shell.venues.get(sender(attempt.intent))
    if venue is None:
        return Unsure(why=NOT_OPENED)
    try:
        async with asyncio.timeout(float(shell.config.order_timeout_s)):
            since = attempt.intent_at - LOOK_BACK
            return await venue.find(attempt.intent, since, attempt.venue_id)
    except TimeoutError:
        return Unsure(why="no answer in time")
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing was learnt
        return Unsure(why=f"the adapter failed: {type(error).__name__}")


async def read_account(shell: Shell, account: str) -> AccountReading:
    """Read an account; incomplete when it is not opened here, or its adapter hangs or fails."""
    venue = shell.venues.get(account)
    try:
        async with asyncio.timeout(QUESTION_S):
            if venue is not None:
                return await venue.read()
            why = NOT_OPENED
    except TimeoutError:
        why = "no answer in time"
    except Exception as error:  # noqa: BLE001 - what was not read is not flat, whatever the cause
        why = f"the adapter failed: {type(error).__name__}"
    return AccountReading(account=account, at=shell.clock.now(), complete=False, missing=(why,))


async def read_quote(shell: Shell, account: str, instrument: str) -> Quote:
    """Read best prices.

    Raises
    ------
    VenueError
        When they cannot be read, or not in time.
    """
    venue = shell.venue(account)
    try:
        async with asyncio.timeout(QUESTION_S):
            return await venue.quote(instrument)
    except TimeoutError as error:
        raise VenueError("no answer in time") from error
    except VenueError:
        raise
    except Exception as error:  # whatever it was, there are no prices
        raise VenueError(f"the adapter failed: {type(error).__name__}") from error
