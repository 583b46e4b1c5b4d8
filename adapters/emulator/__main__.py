"""`python -m allocator.adapters.emulator --state DIR --port 0 [--seed N]`."""

import argparse
import asyncio
import contextlib
import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from allocator.adapters.emulator import table
from allocator.adapters.emulator.server import serve
from allocator.adapters.emulator.world import demo_exchange


def main() -> None:
    """Start the demo world; the first line on stdout gives port and process id as JSON."""
    parser = argparse.ArgumentParser(prog="allocator.adapters.emulator", description=__doc__)
    parser.add_argument("--state", type=Path, help="directory that keeps the state")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free port")
    parser.add_argument("--seed", type=int, default=7, help="seed of the books")
    parser.add_argument("--table", action="store_true", help="print what it answers, and stop")
    options = parser.parse_args()
    if options.table:
        with contextlib.closing(demo_exchange(None)) as exchange:
            rows = [e for venue in exchange.venues.values() for e in venue.endpoints]
        os.write(1, table.markdown(rows).encode())
        return
    if options.state is None:
        parser.error("--state DIR is required")
    options.state.mkdir(parents=True, exist_ok=True)
    with alone(options.state):
        exchange = demo_exchange(options.state, seed=options.seed)
        asyncio.run(serve(exchange, options.port, options.state / "server.json"))


@contextmanager
def alone(state: Path) -> Generator[None]:
    """Hold the state folder: two servers on one state would contradict each other."""
    with (state / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SystemExit(f"another loopback exchange holds {state}") from error
        yield


if __name__ == "__main__":
    main()
