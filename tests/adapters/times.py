"""The time by which the tests of adapters stamp, as ccxt's clients and the loopback exchanges do.

All of them ask `time.time_ns`, which stands still in these tests: see `conftest`.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    return EPOCH + timedelta(microseconds=time.time_ns() // 1000)


def ago(seconds: float = 5) -> datetime:
    return now() - timedelta(seconds=seconds)


class HastyClock:
    """That time, without waits: a loopback exchange shows at once what it did."""

    def now(self) -> datetime:
        return now()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
