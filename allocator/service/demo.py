"""The demo: a fund's eight accounts over two loopback exchanges, run as one book.

Everything lives in one folder: the exchanges' state, the keys, the configuration, the journal.
A run that was killed half way is taken up by the next one.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import re
import shutil
import signal
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TextIO

from allocator.execution.report import Progress
from allocator.models.config import Config
from allocator.models.errors import RefusedError
from allocator.service import loopback
from allocator.service.bootstrap import need_exchanges, need_service, open_desk, read_config
from allocator.service.cycle import Outcome, Step, run_cycle

OPERATOR = "demo operator"
PORTFOLIO = "demo"


def prepare(state: Path) -> Path:
    """Lay the demo's folder out; what is there stays. Returns the configuration's path."""
    (state / "keys").mkdir(parents=True, exist_ok=True)
    (state / "keys").chmod(0o700)
    for path, text in _secrets(state).items():
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(text + "\n")
    path = state / "config.yaml"
    if not path.exists():
        source = files("allocator.service").joinpath("demo.yaml")
        path.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def _secrets(state: Path) -> dict[Path, str]:
    """Tell the files of the exchanges' keys, with what stands in them."""
    from allocator.adapters.emulator.world import demo_world

    out = dict[Path, str]()
    for row in demo_world().keys:
        name = row.key.removesuffix("-key")
        out[state / "keys" / f"{name}.key"] = row.key
        out[state / "keys" / f"{name}.secret"] = row.secret
        if row.passphrase:
            out[state / "keys" / f"{name}.passphrase"] = row.passphrase
    return out


def forget(state: Path) -> None:
    """Stop the exchanges and remove what a run has laid into the folder, and nothing else."""
    running = loopback.running(state / "exchange")
    if running is not None:
        loopback.stop(running)
    if (state / "exchange" / "server.log").exists():
        shutil.rmtree(state / "exchange")
    if any((state / "history").glob("*/day=*")):
        shutil.rmtree(state / "history")
    rest = (state / "config.yaml", state / "service.log")
    for path in (*_secrets(state), *state.glob("journal.db*"), *rest):
        path.unlink(missing_ok=True)


@contextmanager
def _claimed(state: Path) -> Generator[None]:
    """Hold the folder for one run; the lock dies with its holder."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RefusedError(f"another run of the demo is under way in {state}") from error
        yield


def configuration(path: Path, url: str) -> Config:
    """Point the demo's configuration at the running exchanges, in the file too, and read it."""
    written = {
        "loopback_url": url,
        "database": f"sqlite:///{(path.parent / 'journal.db').resolve()}",
    }
    text = path.read_text(encoding="utf-8")
    for key, value in written.items():
        line = f"{key}: {json.dumps(value)}".replace("\\", "\\\\")
        text = re.sub(rf"(?m)^{key}:.*?(?=\s*(#.*)?$)", line, text)
    path.write_text(text, encoding="utf-8")
    return read_config(path).model_copy(update=written)


async def play(config: Config, *, watch: Callable[[Progress], None], tell: Step) -> Outcome:
    """Run one cycle; SIGTERM and SIGINT park it where it can be taken up again."""
    async with open_desk(config, PORTFOLIO, watch=watch) as desk:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, desk.executor.stop)
        return await run_cycle(
            desk.market, desk.executor, desk.history, config.mandate, approver=OPERATOR, tell=tell
        )


@contextmanager
def run(
    state: Path,
    *,
    watch: Callable[[Progress], None],
    tell: Step,
    reset: bool = False,
    keep: bool = False,
) -> Generator[tuple[Outcome, loopback.Exchanges]]:
    """Start or find the exchanges and run one cycle on them; they stay up for the block.

    Parameters
    ----------
    reset
        Whether to forget all that is there first.
    keep
        Whether the exchanges stay up after the block.

    Raises
    ------
    RefusedError
        When another run is under way in this folder: nothing is touched.
    FileError
        When the configuration has mistakes: nothing is started.
    """
    with _started(state, reset=reset, keep=keep) as (path, exchanges):
        tell("exchanges", exchanges)
        config = configuration(path, exchanges.url)
        yield asyncio.run(play(config, watch=watch, tell=tell)), exchanges


def serve(state: Path, *, port: int, tell: Callable[[str, str], None], reset: bool = False) -> None:
    """Run the service with its dashboard on the demo's exchanges until it is asked to stop.

    Parameters
    ----------
    port
        Where the dashboard listens on the loopback address; 0 picks a free one.
    tell
        Is told the address of the dashboard, and one that logs a browser in, once.

    Raises
    ------
    ConfigError
        When what the service stands on is not installed: nothing is touched.
    RefusedError
        When another run is under way in this folder: nothing is touched.
    FileError
        When the configuration has mistakes: nothing is started.
    """
    need_service()
    with _started(state, reset=reset) as (path, exchanges):
        config = configuration(path, exchanges.url)
        http = config.service.http.model_copy(update={"host": "127.0.0.1", "port": port})
        update = {"service": config.service.model_copy(update={"http": http})}
        with (state / "service.log").open("a") as log:
            asyncio.run(_serve(config.model_copy(update=update), log, tell))


@contextmanager
def _started(
    state: Path, *, reset: bool, keep: bool = False
) -> Generator[tuple[Path, loopback.Exchanges]]:
    """Claim the folder, lay it out and start the exchanges; what can be refused is refused first.

    Returns
    -------
    The configuration's path and the exchanges.
    """
    from allocator.whatif.reader import load_config

    need_exchanges()
    with _claimed(state):
        if reset:
            forget(state)
        path = prepare(state)
        load_config(path)
        exchanges = loopback.start(state / "exchange")
        try:
            yield path, exchanges
        finally:
            if not keep:
                loopback.stop(exchanges)


async def _serve(config: Config, log: TextIO, tell: Callable[[str, str], None]) -> None:
    from allocator.models.api import SCOPES
    from allocator.service.bootstrap import open_database
    from allocator.service.cycles import request
    from allocator.service.http.server import serving
    from allocator.service.http.tokens import Tokens
    from allocator.service.run import Service
    from allocator.service.signals import stop_on_signals
    from allocator.service.telemetry import Redactor, configure

    configure(Redactor(), stream=log)
    engine = open_database(config)
    service = Service(config, engine)
    tokens, now = Tokens(engine, config.installation), service.clock.now()
    if tokens.named(OPERATOR, now) is None:
        tokens.make(OPERATOR, SCOPES, now)

    async def shown(running: Service) -> AsyncGenerator[None]:
        async for _ in serving(running):
            tell(running.address, running.address + running.enter(OPERATOR))
            yield

    try:
        stop_on_signals(service)
        service.slots.add(request(OPERATOR, "plan", now))
        await service.run([shown])
    finally:
        engine.dispose()
