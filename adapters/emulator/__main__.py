"""`python -m allocator.adapters.emulator --state DIR --port 0 [--seed N]`."""

import argparse
import asyncio
from pathlib import Path

from allocator.adapters.emulator.server import serve
from allocator.adapters.emulator.world import demo_exchange


def main() -> None:
    """Start the demo world; the first line on stdout gives port and process id as JSON."""
    parser = argparse.ArgumentParser(prog="allocator.adapters.emulator", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="directory that keeps the state")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free port")
    parser.add_argument("--seed", type=int, default=7, help="seed of the books")
    options = parser.parse_args()
    asyncio.run(serve(demo_exchange(options.state, seed=options.seed), options.port))


if __name__ == "__main__":
    main()
