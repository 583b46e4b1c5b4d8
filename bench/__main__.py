"""Measure everything and write docs/benchmarks.md.

    python -m bench [--sizes 10x40 30x100] [--assets 50] [--only sizes rivals peers oracle]

Every figure comes from a process of its own, one after another, so that peaks of memory and
caches are its own; what is compared is measured in one run. What is measured is kept at once
(``var/benchmarks.json``), and a run of some parts or sizes keeps what was measured of the others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.books import SIZES
from bench.report import page

ROOT = Path(__file__).resolve().parent.parent
RIVALS = {"10x40": ("1", "10"), "30x100": ("1", "10"), "100x200": ("1", "10"), "300x300": ()}
"""Sizes that are measured against rivals, and the multiples of our time that solvers get."""

ASSETS = (50, 200, 500)
BOOKS = 10
MOST_S = 3_600


def asked(module: str, *arguments: str) -> dict[str, Any]:
    """Run one measurement in its own process; a failure is part of the result."""
    print(f"{module} {' '.join(arguments)}", file=sys.stderr, flush=True)
    try:
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", module, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=MOST_S,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"took longer than {MOST_S} s"}
    lines = run.stdout.strip().splitlines()
    if run.returncode or not lines:
        return {"failed": (run.stderr.strip().splitlines() or ["no output"])[-1]}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def oracle(books: int) -> dict[str, Any]:
    """Run the exact model over random books; its table is the result."""
    print(f"bench.oracle --books {books}", file=sys.stderr, flush=True)
    run = subprocess.run(
        [sys.executable, "-m", "bench.oracle", "--books", str(books)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {"text": run.stdout.strip() or run.stderr.strip()}


Measurement = tuple[str, str | None, Callable[[], dict[str, Any]]]


def measurements(wanted: argparse.Namespace) -> Iterator[Measurement]:
    """List what is to be measured: part, row of it (None: it is one table), and how."""
    for name in wanted.sizes:
        if "sizes" in wanted.only:
            yield "sizes", name, partial(asked, "bench.sizes", name)
        if "rivals" in wanted.only and name in RIVALS:
            yield "rivals", name, partial(asked, "bench.rivals", name, "--times", *RIVALS[name])
    for count in map(str, wanted.assets):
        if "peers" in wanted.only:
            yield "peers", count, partial(asked, "bench.peers", count)
    if "oracle" in wanted.only:
        yield "oracle", None, partial(oracle, BOOKS)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Measure everything, write docs/benchmarks.md.")
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(SIZES))
    parts = ["sizes", "rivals", "peers", "oracle"]
    parser.add_argument("--assets", nargs="*", type=int, default=list(ASSETS))
    parser.add_argument("--only", nargs="*", default=parts, choices=parts)
    parser.add_argument("--raw", type=Path, default=ROOT / "var" / "benchmarks.json")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--note", default="", help="what else the page should say of this run")
    wanted = parser.parse_args()
    found: dict[str, Any] = {}
    if wanted.raw.exists() and (set(wanted.only) != set(parts) or wanted.sizes != list(SIZES)):
        found = json.loads(wanted.raw.read_text(encoding="utf-8"))
    found["note"] = wanted.note or found.get("note", "")
    wanted.raw.parent.mkdir(parents=True, exist_ok=True)
    for part, name, measure in measurements(wanted):
        if name is None:
            found[part] = measure()
        else:
            found.setdefault(part, {})[name] = measure()
        wanted.raw.write_text(json.dumps(found, indent=1), encoding="utf-8")
    text = page(found)
    wanted.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
