"""The demo as a process of its own, and the exchange's record against the journal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from allocator.execution.database import connect
from allocator.execution.history import History
from allocator.execution.transitions import State
from allocator.models.intents import OrderIntent, TransferIntent
from allocator.service import loopback

ROOT = Path(__file__).resolve().parent.parent.parent
TIMEOUT_S = 240


@dataclass(frozen=True, slots=True)
class Played:
    """A finished or killed run: its status, output, and lines of progress."""

    status: int
    output: str
    progress: tuple[str, ...]


def command(state: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "allocator", "demo", "--state", str(state)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def play(state: Path, *, kill_after: int | None = None) -> Played:
    """Run the demo; kill -9 it when it has told so many steps of its execution."""
    process = command(state)
    assert process.stderr is not None
    assert process.stdout is not None
    lines = []
    for line in process.stderr:
        if not line.startswith("  "):
            continue
        lines.append(line.strip())
        if kill_after is not None and len(lines) >= kill_after:
            process.send_signal(signal.SIGKILL)
            break
    rest = process.stderr.read()
    lines += [line.strip() for line in rest.splitlines() if line.startswith("  ")]
    output = process.stdout.read()
    process.stdout.close()
    process.stderr.close()
    return Played(process.wait(TIMEOUT_S), output, tuple(lines))


def exchange_state(state: Path) -> dict[str, Any]:
    """Read the exchange's own record, starting it on its state if it does not run."""
    running = loopback.running(state / "exchange")
    exchanges = running or loopback.start(state / "exchange")
    try:
        found: Any = exchanges.ask("state")
    finally:
        if running is None:
            loopback.stop(exchanges)
    return dict(found)


def differences(state: Path) -> list[str]:
    """Hold what the exchange did against what the journal says was asked; empty: they agree."""
    record = exchange_state(state)
    engine = connect(f"sqlite:///{state / 'journal.db'}")
    history = History(engine)
    asked = [
        row
        for cycle in history.cycles(1000)
        if cycle.plan_hash is not None
        for row in history.attempts(cycle.plan_hash)
    ]
    out = [f"open: {row.client_id} {row.state}" for row in history.open_attempts()]
    out += [f"rewritten: {row}" for row in history.verify()]
    engine.dispose()
    reached = [row for row in asked if row.state not in (State.NOT_EXECUTED, State.REJECTED)]
    orders = {row.client_id: row for row in reached if isinstance(row.intent, OrderIntent)}
    done = Counter(row["client_id"] for row in record["order"])
    out += [f"doubled: order {name} x{count}" for name, count in done.items() if count > 1]
    out += [f"lost: order {name}" for name in orders.keys() - done.keys()]
    out += [f"not ours: order {name}" for name in done.keys() - orders.keys()]
    out += [
        f"filled {row['filled']}, journal says {orders[row['client_id']].filled}"
        for row in record["order"]
        if row["client_id"] in orders and Decimal(row["filled"]) != orders[row["client_id"]].filled
    ]
    return out + _transfer_differences(record, reached)


def _transfer_differences(record: dict[str, Any], reached: list[Any]) -> list[str]:
    """Compare by coin and amount: some of the venues keep no client id of a transfer."""
    ours = Counter(
        (row.intent.asset, row.intent.amount)
        for row in reached
        if isinstance(row.intent, TransferIntent)
    )
    theirs = Counter(
        (row["coin"], Decimal(row["amount"]))
        for row in (*record["transfer"], *record["withdrawal"])
    )
    return [
        f"transfer {key}: asked {ours[key]}, made {theirs[key]}"
        for key in ours.keys() | theirs.keys()
        if ours[key] != theirs[key]
    ]
