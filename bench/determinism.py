"""Decide one book in many processes: other hash seeds, shuffled input, one plan hash.

python -m bench.determinism [--processes 20] [--seeds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from typing import Any

from tests.books import FLAVOURS, random_book

CODE = """
import json, sys
from allocator.decide import decide
from allocator.models.scenario import Scenario
scenario = Scenario.model_validate(json.load(sys.stdin))
print(decide(scenario.snapshot, scenario.mandate).plan_hash)
"""


def mixed_up(part: Any, rng: random.Random, name: str = "") -> Any:
    """Shuffle the keys of every mapping, and every list whose order means nothing."""
    if isinstance(part, list):
        rows = [mixed_up(row, rng) for row in part]
        if name in ("accounts", "instruments", "routes", "moves", "targets", "limits"):
            rng.shuffle(rows)
        return rows
    if not isinstance(part, dict):
        return part
    items = [(key, mixed_up(value, rng, key)) for key, value in part.items()]
    rng.shuffle(items)
    return dict(items)


def hashes(raw: dict[str, Any], processes: int) -> set[str]:
    """Decide a book in several processes; returns the plan hashes seen."""
    out = set[str]()
    for number in range(processes):
        rows = mixed_up(raw, random.Random(number)) if number else raw
        run = subprocess.run(
            [sys.executable, "-c", CODE],
            input=json.dumps(rows),
            env={**os.environ, "PYTHONHASHSEED": str(number), "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            check=True,
        )
        out.add(run.stdout.strip())
    return out


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Decide in many processes, compare plan hashes.")
    parser.add_argument("--processes", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1, help="books per flavour")
    parser.add_argument("--flavours", nargs="*", default=list(FLAVOURS), choices=list(FLAVOURS))
    asked = parser.parse_args()
    worst = 0
    for flavour in asked.flavours:
        for seed in range(asked.seeds):
            seen = hashes(random_book(seed, flavour), asked.processes)
            worst = max(worst, len(seen))
            print(
                f"{flavour} {seed}: {asked.processes} processes, {len(seen)} plan hash", flush=True
            )
    return int(worst != 1)


if __name__ == "__main__":
    sys.exit(main())
