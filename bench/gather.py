"""Gathers many accounts over four loopback venues and says what it took.

Run by ``python -m bench.gather [ACCOUNTS]``. The exchange is a process of its own, holds the
venues' own rate limits, and counts for itself what was asked and what went over. While it runs it
says on stderr how many accounts of each venue are read, and what else of the venue.

Most of the time is waiting that a limit forces. An account of Binance's USD-M takes a weight of
120 at first: 40 for its open orders in every market, 40 for those that wait for a trigger, 20 for a
fee that is then kept an hour, 5 for each of four more. Fifty take 6,000, and an address may spend
2,400 a minute, nine tenths of which are used: a first gather of 200 accounts takes two minutes, a
second at once after it three.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import multiprocessing as mp
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from allocator.adapters import gather
from allocator.adapters.emulator.crowd import KINDS, crowd, member, secrets
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.registry import open_venues
from allocator.models.config import Config

DEADLINE_S = 360
"""Seconds for a gather: its first three fifths, for accounts, are to last for what is left to read
at Binance in the second, which finds the weight of the minute before spent."""

SAID_EVERY_S = 5.0
TOO_MANY = frozenset({"429", "418", "403", "10006", "10018", "-1003", "-1015", "50011", "50061",
                      "10028"})  # fmt: skip
"""Codes by which the venues say that a limit was exceeded."""

WALLETS = {"binance": "usdm", "bybit": "unified", "okx": "unified", "deribit": "unified"}
INSTRUMENTS = {
    "binance": "BTC/USDT:USDT",
    "bybit": "BTC/USDT:USDT",
    "okx": "BTC/USDT:USDT",
    "deribit": "BTC/USDC:USDC",
}


class RealClock:
    """Dates a snapshot."""

    def now(self) -> datetime:
        """Tell the time, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one gather took.

    Attributes
    ----------
    refused
        Requests that the exchange refused because a limit was exceeded, by venue's host.
    missing
        Accounts that were not read, and why.
    """

    accounts: int
    seconds: float
    requests: Counter[str]
    refused: Counter[str]
    missing: dict[str, str]


class Progress(logging.Handler):
    """Counts what a gather says that it has read, and says it while it runs.

    Attributes
    ----------
    read
        How often, by venue and phase.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.DEBUG)
        self._say = say
        self.read = Counter[tuple[str, str]]()
        self._began = time.perf_counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line of the gather's."""
        if record.levelno == logging.DEBUG and isinstance(record.args, tuple):
            venue, phase = map(str, record.args)
            self.read[venue, phase] += 1

    @property
    def words(self) -> str:
        """What is read so far, a venue after the other."""
        venues = dict[str, list[str]]()
        for (venue, phase), times in sorted(self.read.items()):
            venues.setdefault(venue, []).append(f"{times} {phase}" if times > 1 else phase)
        told = "; ".join(f"{venue}: {', '.join(rows)}" for venue, rows in venues.items())
        return f"{time.perf_counter() - self._began:.0f} s: {told or 'nothing read yet'}"

    async def _keep_saying(self) -> None:
        while True:
            await asyncio.sleep(SAID_EVERY_S)
            self._say(self.words)

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Count one gather, say every few seconds how far it is, and at its end."""
        self.read.clear()
        self._began = time.perf_counter()
        log = logging.getLogger(gather.__name__)
        before = log.level
        log.addHandler(self)
        log.setLevel(logging.DEBUG)
        saying = asyncio.ensure_future(self._keep_saying())
        try:
            yield
        finally:
            saying.cancel()
            log.setLevel(before)
            log.removeHandler(self)
            self._say(self.words)


def name(venue: str, index: int) -> str:
    """Name an account."""
    return f"{venue}-{index:03d}"


def configuration(size: int, base_url: str, deadline_s: float) -> dict[str, Any]:
    """Write the configuration of `size` members at each venue; their secrets go to `os.environ`."""
    logins, accounts = dict[str, Any](), list[dict[str, Any]]()
    for venue in KINDS:
        for index in range(size):
            told = secrets(venue, index)
            references = dict[str, str]()
            for word, value in told.items():
                variable = f"CROWD_{venue}_{index}_{word}".upper()
                os.environ[variable] = value
                references[word] = f"env:{variable}"
            logins[name(venue, index)] = {
                "venue": venue, "member": member(venue, index), **references,
            }  # fmt: skip
            accounts.append(
                {"id": name(venue, index), "login": name(venue, index), "wallet": WALLETS[venue],
                 "owner": "fund-one", "instruments": [INSTRUMENTS[venue]]}
            )  # fmt: skip
    return {
        "mode": "loopback",
        "loopback_url": base_url,
        "logins": logins,
        "accounts": accounts,
        "gather": {"deadline_s": deadline_s},
        "assets": {"USDT": {"price": 1, "haircut": 0}, "USDC": {"price": 1, "haircut": 0}},
    }


def kill(emulator: Emulator, venue: str, index: int) -> None:
    """Leave one member's requests without an answer, whatever they ask."""
    key = secrets(venue, index)["key"]
    emulator.fault({"kind": "delay", "key": key, "delay_s": 3600, "times": 1_000_000})


def measure(  # noqa: PLR0913 - what a test varies
    config: Config,
    emulator: Emulator,
    gathers: int = 1,
    *,
    dead: tuple[str, int] | None = None,
    loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    say: Callable[[str], None] = lambda _: None,
) -> list[Measured]:
    """Gather with one set of clients, several times over; a member may be dead in the last one."""
    progress = Progress(say)

    async def whole() -> list[Measured]:
        opened, out = open_venues(config, RealClock()), list[Measured]()
        rows: Any = emulator.admin("GET", "requests")
        after = max((row["id"] for row in rows), default=0)
        try:
            for left in reversed(range(gathers)):
                if dead is not None and left == 0:
                    kill(emulator, *dead)
                began = time.perf_counter()
                async with progress.shown():
                    book = await opened.market.gather()
                took = time.perf_counter() - began
                rows = await asyncio.to_thread(emulator.admin, "GET", f"requests?after={after}")
                after = max((row["id"] for row in rows), default=after)
                out.append(
                    Measured(
                        len(config.accounts),
                        took,
                        Counter(row["host"] for row in rows),
                        Counter(
                            f"{row['host']}{row['path']}" for row in rows if row["code"] in TOO_MANY
                        ),
                        {row.account: row.what for row in book.missing},
                    )
                )
        finally:
            await opened.close()
        return out

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(whole())


def _serve(size: int, pipe: Connection) -> None:
    with running_emulator(world=crowd(size), limit_scale=1) as emulator:
        pipe.send(emulator.port)
        pipe.recv()


@contextlib.contextmanager
def exchange(size: int) -> Iterator[Emulator]:
    """Run the exchange in a process of its own, with the venues' own limits."""
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(size, theirs))
    process.start()
    try:
        yield Emulator(ours.recv())
    finally:
        ours.send(None)
        process.join()


def report(title: str, row: Measured) -> str:
    """Tell one gather in lines."""
    return "\n".join(
        [
            f"{title}: {row.accounts} accounts, {row.accounts - len(row.missing)} read in full, "
            f"{row.seconds:.2f} s, {row.requests.total()} requests, "
            f"{row.refused.total()} over a limit",
            *(f"  {host}: {n}" for host, n in sorted(row.requests.items())),
            *(f"  over: {place}: {n}" for place, n in row.refused.items()),
            *(f"  missing: {account}: {why}" for account, why in list(row.missing.items())[:8]),
        ]
    )


def main(accounts: int) -> None:
    """Gather, and once more with a dead account, and print what it took."""
    size = accounts // len(KINDS)
    with exchange(size) as emulator:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        config = Config.model_validate(configuration(size, emulator.base_url, DEADLINE_S))
        say = functools.partial(print, file=sys.stderr, flush=True)
        measured = measure(config, emulator, 2, dead=("binance", 0), say=say)
        for title, row in zip(("all well", "one dead"), measured, strict=True):
            print(report(title, row), flush=True)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"memory: {after / 1024:.0f} MiB at most, {before / 1024:.0f} MiB before")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
