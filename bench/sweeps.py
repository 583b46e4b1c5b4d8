"""Sweep one book on every back end: points a second, and whether all come to one results hash.

python -m bench.sweeps 10x40 --points 5000 --depth quick --folder var/bench [--kill processes]

The back ends run one after another, each sweep as the command that a user would type. The one that
is named by `--kill` is killed half way, and the same command does the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.books import SIZES, raw_book

BACKENDS: Final = ("processes", "threads", "dask")
POINTS_FILE: Final = "points.jsonl"
POLL_S: Final = 0.2

GRIDS: Final[Mapping[int, Mapping[str, Sequence[str]]]] = {
    12: {
        "shock.prices.C000": ["-30%", "-10%", "10%"],
        "mandate.policy.margin_buffer": ["0.1", "0.25"],
        "shock.volume.multiply": ["0.5", "1"],
    },
    300: {
        "shock.prices.C000": ["-40%", "-20%", "-10%", "10%", "20%"],
        "shock.prices.C001": ["-30%", "-10%", "0%", "10%", "25%"],
        "mandate.policy.margin_buffer": ["0.1", "0.2", "0.3", "0.4"],
        "shock.volume.multiply": ["0.25", "0.5", "1"],
    },
    5_000: {
        "shock.prices.C000": [f"{percent}%" for percent in range(-45, 46, 10)],
        "shock.prices.C001": [f"{percent}%" for percent in range(-36, 37, 8)],
        "mandate.policy.margin_buffer": ["0.1", "0.2", "0.25", "0.3", "0.4"],
        "shock.volume.multiply": ["0.2", "0.4", "0.6", "0.8", "1"],
        "shock.funding.multiply": ["-1", "1"],
    },
}
"""Grids by their number of points."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one back end came to.

    Attributes
    ----------
    wall_s
        Time of the sweep, seconds; of a killed one both parts together.
    cpu_s
        Processor time of the part that ended, with all its workers, seconds: nobody is told what
        killed workers used.
    killed_at
        Points that were kept when it was killed; None: it was not.
    """

    backend: str
    results_hash: str
    wall_s: float
    cpu_s: float
    killed_at: int | None


def scenario(size: str, points: int, seed: int = 0) -> dict[str, Any]:
    """Make a scenario file's data: a book of this size with a grid of so many points."""
    snapshot, mandate = raw_book(SIZES[size], seed)
    shock = {
        "prices": {"C000": "0%", "C001": "0%"},
        "volume": {"multiply": "1"},
        "funding": {"multiply": "1"},
    }
    body = {"snapshot": snapshot, "mandate": mandate, "shock": shock, "grid": GRIDS[points]}
    return {"name": f"{size}, {points} points", **body}


def swept(command: Sequence[str], backend: str, out: Path, kill_at: int | None) -> Swept:
    """Run a sweep to its end; killed when it has kept so many points, it is run once more.

    Raises
    ------
    RuntimeError
        When it fails.
    """
    line = [*command, "--backend", backend, "--out", str(out), "--output", "json"]
    wall_s = 0.0
    killed_at = None
    while True:
        begun = time.monotonic()
        run = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, start_new_session=True)
        due = kill_at if killed_at is None else None
        killed = due is not None and _kill_when(run, out / POINTS_FILE, due)
        text = run.stdout.read() if run.stdout is not None else ""
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        wall_s += time.monotonic() - begun
        if killed:
            killed_at = _count(out / POINTS_FILE)
            continue
        if run.returncode:
            raise RuntimeError(f"{backend}: the sweep ended with {run.returncode}")
        found = json.loads(text)["results_hash"]
        return Swept(backend, found, wall_s, used.ru_utime + used.ru_stime, killed_at)


def _kill_when(run: subprocess.Popen[str], points: Path, due: int) -> bool:
    """Kill a sweep with its workers once it has kept enough points; False: it ended before."""
    while _count(points) < due:
        if os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return False
        time.sleep(POLL_S)
    os.killpg(run.pid, signal.SIGKILL)
    return True


def _count(points: Path) -> int:
    """Count the points that a sweep has kept; its first line tells of the study."""
    return max(0, points.read_bytes().count(b"\n") - 1) if points.exists() else 0


def main() -> int:
    """Run the command; ends with 1 when two back ends do not come to the same."""
    parser = argparse.ArgumentParser(description="Sweep one book on every back end.")
    parser.add_argument("size", choices=tuple(SIZES))
    parser.add_argument("--points", type=int, choices=tuple(GRIDS), default=300)
    parser.add_argument("--depth", choices=("plan", "quick", "relaxed"), default="plan")
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS))
    parser.add_argument("--kill", choices=BACKENDS)
    parser.add_argument("--jobs", "-j", type=int, default=2)
    parser.add_argument("--folder", type=Path, required=True)
    asked = parser.parse_args()
    name = f"{asked.size}-{asked.points}"
    asked.folder.mkdir(parents=True, exist_ok=True)
    file = asked.folder / f"{name}.json"
    file.write_text(json.dumps(scenario(asked.size, asked.points)))
    command = [sys.executable, "-m", "allocator", "sweep", str(file)]
    command += ["--depth", asked.depth, "--jobs", str(asked.jobs)]
    hashes = set[str]()
    for backend in asked.backends:
        out = asked.folder / f"{name}-{asked.depth}-{backend}"
        kill_at = asked.points // 2 if asked.kill == backend else None
        row = swept(command, backend, out, kill_at)
        hashes.add(row.results_hash)
        ended = asked.points - (row.killed_at or 0)
        print(
            f"{backend}: {row.wall_s:.0f} s, {asked.points / row.wall_s:.1f} points a second, "
            f"{ended / row.cpu_s:.2f} a second of CPU, results hash {row.results_hash}"
            + ("" if row.killed_at is None else f", killed after {row.killed_at}"),
            flush=True,
        )
    return 0 if len(hashes) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
