"""A running emulator inside the test's own process.

The server runs in a thread of its own with its own event loop, because the client changes the
decimal context of its thread.
"""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from allocator.adapters.emulator.clock import Clock
from allocator.adapters.emulator.exchange import Exchange, World
from allocator.adapters.emulator.server import Server
from allocator.adapters.emulator.wire import Json
from allocator.adapters.emulator.world import demo_exchange

PATIENCE_S = 120
"""Seconds until a server that does not answer, start or end is given up."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator: its address, and its admin surface."""

    port: int

    @property
    def base_url(self) -> str:
        """Return what `LoopbackSession` is given."""
        return f"http://127.0.0.1:{self.port}"

    def admin(self, method: str, path: str, **body: object) -> Json:
        """Ask the admin surface, e.g. `admin("POST", "price", coin="BTC", usd="61000")`.

        Raises
        ------
        ValueError
            When it answers anything but 200.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, f"/__emulator__/{path}", json.dumps(body) if body else None)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(f"{method} {path}: {response.status} {text}")
        answer: Json = json.loads(text)
        return answer

    def fault(self, *rules: Mapping[str, object]) -> None:
        """Replace the fault rules (see `faults.Rule`); none clears them."""
        self.admin("POST", "faults", rules=[dict(rule) for rule in rules])


@contextmanager
def running_emulator(
    directory: Path | None = None,
    *,
    seed: int = 7,
    world: World | None = None,
    clock: Clock | None = None,
    limit_scale: int = 1000,
) -> Generator[Emulator, None, None]:
    """Run the emulator on a free loopback port; state in memory unless a directory is given."""
    with running(
        lambda: demo_exchange(
            directory, seed=seed, clock=clock, limit_scale=limit_scale, world=world
        )
    ) as emulator:
        yield emulator


@contextmanager
def running(make: Callable[[], Exchange]) -> Generator[Emulator, None, None]:
    """Run any exchange on a free loopback port; it is made in the server's own thread."""

    def application() -> web.Application:
        exchange = make()

        async def close(_: web.Application) -> None:
            exchange.close()

        made = Server(exchange).application()
        made.on_cleanup.append(close)
        return made

    with serving(application) as port:
        yield Emulator(port)


@contextmanager
def serving(make: Callable[[], web.Application]) -> Generator[int, None, None]:
    """Serve an application, made in the server's own thread; yield its free loopback port."""
    ready: list[int] = []
    failed: list[BaseException] = []
    started = threading.Event()
    stops: list[Callable[[], object]] = []

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        runner = web.AppRunner(make(), access_log=None, shutdown_timeout=0.1)
        listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        try:
            await runner.setup()
            await web.SockSite(runner, listening).start()
            ready.append(listening.getsockname()[1])
            started.set()
            await stop.wait()
        finally:
            await _ended(runner, listening)

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - handed to the test's thread
            failed.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=work, name="emulator")
    thread.start()
    started.wait(timeout=PATIENCE_S)
    if failed:
        raise failed[0]
    try:
        yield ready[0]
    finally:
        stops[0]()
        thread.join(timeout=PATIENCE_S)
        if thread.is_alive():
            raise RuntimeError("the server did not end")


async def _ended(runner: web.AppRunner, listening: socket.socket) -> None:
    """End what serves, so that no task and no socket outlives its loop.

    A connection that asyncio accepts once its server has closed is never closed: nothing is
    accepted any more before the server closes, and what was accepted has begun by then.
    """
    asyncio.get_running_loop().remove_reader(listening)
    for _ in range(3):
        await asyncio.sleep(0)
    served, own = runner.server, asyncio.current_task()
    await runner.cleanup()
    listening.close()
    while True:
        await asyncio.sleep(0)
        late = list(served.connections) if served is not None else []
        for connection in late:
            transport = connection.transport
            connection.force_close()
            if transport is not None:
                transport.abort()
        rest = [task for task in asyncio.all_tasks() if task is not own]
        if not rest and not late:
            return
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest)
