"""The page of benchmarks from what was measured."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import numpy as np

Found = Mapping[str, Any]

PACKAGES = (
    "numpy",
    "scipy",
    "piqp",
    "clarabel",
    "highspy",
    "cvxpy",
    "pyscipopt",
    "cvxportfolio",
    "riskfolio-lib",
    "skfolio",
)
STAGES = (
    "check",
    "cross",
    "build",
    "solve",
    "exact",
    "minimise",
    "lots",
    "sequence",
    "write",
    "verify",
)


def page(found: Found) -> str:
    """Write the page."""
    parts = [
        "# Benchmarks",
        "`make bench` writes this page. Figures of one row come from one process on one machine; "
        "another machine, or a busy one, gives other seconds but about the same ratios. "
        "Books are made by `bench/books.py`; amounts are in dollars.",
        machine(),
        *([found["note"]] if found.get("note") else []),
    ]
    parts += sizes(found.get("sizes", {}))
    parts += rivals(found.get("rivals", {}))
    parts += peers(found.get("peers", {}))
    if "oracle" in found:
        parts += [
            "## Small books against an exact model",
            "Random books of every flavour (up to 5 accounts and 8 instruments) against a "
            "mixed-integer model written from the law apart from the program, nodes limited "
            "(`python -m bench.oracle`). *Distance*: our total less the best total found. "
            "*Open*: the width of the exact model's own bracket.",
            found["oracle"]["text"],
        ]
    return "\n\n".join(parts) + "\n"


def machine() -> str:
    """Say where and with what was measured."""
    versions = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} not installed")
    today = datetime.now(tz=UTC).date().isoformat()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{today}; {cores} cores ({platform.machine()}), one thread; {', '.join(versions)}."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "-|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def seconds(value: float | None) -> str:
    """Write a time to two digits."""
    if value is None:
        return "-"
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def sizes(found: Found) -> list[str]:
    """Write the tables of sizes."""
    if not found:
        return []
    good = {name: row for name, row in found.items() if "failed" not in row}
    rows = [_size(name, row) for name, row in found.items()]
    head = ("book", "pairs", "decide cold", "tick", "gap", "actions", "proof", "peak memory")
    out = [
        "## Decide, by size of the book",
        "*Cold*: the first decision of a process. *Tick*: `Engine.decide` on the same book with "
        "prices and balances moved, history-free. *Gap*: certified, of the whole mixed-integer "
        "problem, relative to the controllable costs.",
        table(head, rows),
    ]
    if len(good) > 1:
        power = np.polyfit(
            [math.log(row["pairs"]) for row in good.values()],
            [math.log(row["cold_s"]) for row in good.values()],
            1,
        )[0]
        out.append(f"Cold time grows with pairs to the power {power:.2f}.")
    stage_rows = [
        [name, *(seconds(row["stages"].get(stage)) for stage in STAGES)]
        for name, row in good.items()
    ]
    out += ["Where the time goes:", table(("book", *STAGES), stage_rows)]
    out += _solves(good)
    return out


def _size(name: str, row: Found) -> list[str]:
    if "failed" in row:
        return [name, "-", str(row["failed"]), *["-"] * 5]
    return [
        name,
        f"{row['pairs']:,}",
        seconds(row["cold_s"]),
        seconds(row["tick_s"]),
        f"{row['gap']:.3%}",
        f"{row['actions']:,}",
        row["proof"],
        f"{row['peak_mb']:.0f} MB",
    ]


def _solves(good: Found) -> list[str]:
    rows = [
        [
            name,
            f"{row['solve']['columns']:,}",
            seconds(row["solve"]["raw_s"]),
            seconds(row["solve"]["ours_s"]),
            f"{row['solve']['ours_s'] / max(1e-9, row['solve']['raw_s']):.2f}",
            seconds(row.get("relaxed_s")),
            seconds(row.get("preview_s")),
        ]
        for name, row in good.items()
    ]
    head = ("book", "columns", "raw solver", "ours", "ratio", "tick, history-free", "tick, preview")
    return ["One solve of the relaxed program, all passes over the 3/2 powers:", table(head, rows)]


def rivals(found: Found) -> list[str]:
    """Write the tables of rivals."""
    good = {name: row for name, row in found.items() if "failed" not in row}
    if not good:
        return []
    out = [
        "## Other ways to a plan",
        "Presets are measured on books of up to 3,000 pairs.",
        _ways(good),
    ]
    solved = [_monoliths(name, row) for name, row in good.items()]
    head = ("book", "ours: cost, bound", "solver", "time", "best cost", "bound", "gap")
    rows = [line for lines in solved for line in lines]
    if rows:
        out += [
            "The monolithic mixed-integer model at equal time and at ten times it. Sizes are free "
            "of lots here, which is in the solvers' favour; gaps are relative to our controllable "
            "costs.",
            table(head, rows),
        ]
    return out


def _ways(good: Found) -> str:
    rows = list[list[str]]()
    for name, row in good.items():
        ours = row["ours"]
        gain = ours["idle"] - ours["total"]
        rows.append([name, "nothing", f"{ours['idle']:,.0f}", "-", "-", "0 %", "0", "-"])
        rows.append(
            [
                name,
                "**decide**",
                f"{ours['total']:,.0f}",
                f"{ours['shortfall']:,.0f}",
                f"{ours['actions']}",
                "100 %",
                "0",
                seconds(ours["decide_s"]),
            ]
        )
        for label, other in {**row["presets"], "greedy netting": row["netting"]}.items():
            share = (ours["idle"] - other["total"]) / gain if gain else float("nan")
            rows.append(
                [
                    name,
                    label,
                    f"{other['total']:,.0f}",
                    f"{other['shortfall']:,.0f}",
                    f"{other['actions']}",
                    f"{share:.0%}".replace("%", " %"),
                    f"{other['broken']}",
                    seconds(other["seconds"]),
                ]
            )
        for kind, other in row["l1"].items():
            label = {"plain": "program without fixed costs", "reweighted": "reweighted l1"}[kind]
            rows.append(
                [
                    name,
                    f"{label} (before lots; ours {ours['without_lots']:,.2f} with {ours['used']})",
                    f"{other['value']:,.2f}",
                    "-",
                    f"{other['actions']}",
                    "-",
                    "-",
                    seconds(other["seconds"]),
                ]
            )
    head = ("book", "way", "total", "S left", "actions", "of our saving", "rules broken", "time")
    return table(head, rows)


def _monoliths(name: str, row: Found) -> list[list[str]]:
    ours, worked = row["ours"], max(1.0, row["ours"]["worked"])
    out = list[list[str]]()
    for solver in ("scip", "highs"):
        for key in (k for k in row if k.startswith(f"{solver} x")):
            got = row[key]
            gap = (got["value"] - got["bound"]) / worked
            out.append(
                [
                    name,
                    f"{ours['without_lots']:,.2f}, {ours['bound']:,.2f}",
                    key.replace("scip", "SCIP").replace("highs", "HiGHS"),
                    seconds(got["seconds"]),
                    f"{got['value']:,.2f}" if math.isfinite(got["value"]) else "none",
                    f"{got['bound']:,.2f}" if math.isfinite(got["bound"]) else "none",
                    f"{gap:.3%}" if math.isfinite(gap) else "-",
                ]
            )
    return out


def peers(found: Found) -> list[str]:
    """Write the table of peer libraries."""
    good = {name: row for name, row in found.items() if "failed" not in row}
    if not good:
        return []
    rows = list[list[str]]()
    for count, row in good.items():
        best = max(
            one["utility"] for one in row.values() if isinstance(one, dict) and "utility" in one
        )
        for name, one in row.items():
            if not isinstance(one, dict):
                continue
            if "missing" in one:
                rows.append([count, name, one["missing"], "-", "-"])
                continue
            miss = (best - one["utility"]) / abs(best)
            rows.append(
                [count, name, f"{one['utility']:.9f}", f"{miss:.1e}", seconds(one["seconds"])]
            )
            if name == "allocator":
                relaxed = seconds(one["build_s"] + one["solve_s"])
                rows.append([count, "allocator, relaxed program alone", "-", "-", relaxed])
    return [
        "## One mean-variance step in one account",
        "The same returns, covariance and linear costs for everybody, long only, from cash; "
        "maximise return less cost less risk. One evaluator judges all. `decide` also rounds to "
        "whole dollars, orders the steps, verifies and explains.",
        table(("assets", "library", "utility", "short of the best", "time"), rows),
    ]
