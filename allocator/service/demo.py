"""The demo: a fund's seven margin pools over two loopback exchanges, run as one book.

Everything lives in one folder: the exchanges' state, the keys, the configuration, the journal.
A run that was killed half way is taken up by the next one.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from allocator.execution.report import Progress
from allocator.models.config import Config
from allocator.service import loopback
from allocator.service.bootstrap import anchored, open_desk
from allocator.service.cycle import Outcome, Step, run_cycle

OPERATOR = "demo operator"
PORTFOLIO = "demo"


def prepare(state: Path) -> Path:
    """Lay the demo's folder out; what is there stays. Returns the configuration's path."""
    from allocator.adapters.emulator.world import demo_world

    keys = state / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    keys.chmod(0o700)
    for row in demo_world().keys:
        name = row.key.removesuffix("-key")
        for suffix, text in (("key", row.key), ("secret", row.secret)):
            path = keys / f"{name}.{suffix}"
            if not path.exists():
                path.touch(mode=0o600)
                path.write_text(text + "\n")
    path = state / "config.yaml"
    if not path.exists():
        source = files("allocator.service").joinpath("demo.yaml")
        path.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def forget(state: Path) -> None:
    """Stop the exchanges and remove their state, the journal and the configuration."""
    running = loopback.running(state / "exchange")
    if running is not None:
        loopback.stop(running)
    for name in ("exchange", "keys"):
        shutil.rmtree(state / name, ignore_errors=True)
    for path in (*state.glob("journal.db*"), state / "config.yaml"):
        path.unlink(missing_ok=True)


def configuration(path: Path, url: str) -> Config:
    """Read the demo's configuration, pointed at the running exchanges."""
    from allocator.whatif.reader import load_config

    config = anchored(load_config(path), path.parent)
    database = f"sqlite:///{(path.parent / 'journal.db').resolve()}"
    return config.model_copy(update={"loopback_url": url, "database": database})


async def play(config: Config, *, watch: Callable[[Progress], None], tell: Step) -> Outcome:
    """Run one cycle; SIGTERM and SIGINT park it where it can be taken up again."""
    async with open_desk(config, PORTFOLIO, watch=watch) as desk:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, desk.executor.stop)
        return await run_cycle(
            desk.market, desk.executor, desk.history, config.mandate, approver=OPERATOR, tell=tell
        )


def run(
    state: Path, *, watch: Callable[[Progress], None], tell: Step
) -> tuple[Outcome, loopback.Exchanges]:
    """Start or find the exchanges and run one cycle on them; they stay up."""
    path = prepare(state)
    exchanges = loopback.start(state / "exchange")
    tell("exchanges", exchanges)
    outcome = asyncio.run(play(configuration(path, exchanges.url), watch=watch, tell=tell))
    return outcome, exchanges
