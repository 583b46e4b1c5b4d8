"""Two instances of the service on one PostgreSQL: one leads; killed, the other takes over."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocator.execution.database import connect
from allocator.execution.history import History
from allocator.execution.schema import upgrade
from allocator.service import demo, loopback
from allocator.service.beats import Beat, Beats
from allocator.service.scheduler.slots import Slots
from tests.service.record import ROOT

TAKES_OVER_S = 30
"""Stated time: the next try (`retry_s`), opening the venues, the first tick as leader."""

SLOT_S = 30
"""A cycle asks Binance for some five hundred of the 2,400 units of its minute, and each leader that
is killed asks for some more: slots that came six times a minute would fail by name in the sixth."""

KILLS = int(os.environ.get("ALLOCATOR_FAILOVERS", "3"))
SERVICE = f"""
service:
  schedules: [{{id: often, every_s: "{SLOT_S}", grace_s: "120"}}]
  poll_s: "0"
  retry_s: "1"
  history: {{folder: history}}
"""


def wait_for(what: Callable[[], Any], within_s: float) -> Any:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {within_s} s")


class Pair:
    """Instances on one database."""

    def __init__(self, folder: Path, url: str) -> None:
        state = folder / "demo"
        self.path = demo.prepare(state)
        self.exchanges = loopback.start(state / "exchange")
        demo.configuration(self.path, self.exchanges.url)
        shown = re.sub(r"(?ms)^service:.*?(?=^\S)", "", self.path.read_text())
        shown = re.sub(r"(?m)^database:.*$", f"database: {json.dumps(url)}", shown)
        self.path.write_text(shown.replace('auto_below: "0"', 'auto_below: "1000000"') + SERVICE)
        self.log = (folder / "service.log").open("w")
        self.running = dict[int, subprocess.Popen[bytes]]()
        self.engine: Engine = connect(url)
        with self.engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        upgrade(self.engine)
        self.beats = Beats(self.engine, "demo")
        self.slots = Slots(self.engine, "demo")

    def start(self) -> None:
        made = subprocess.Popen(
            [sys.executable, "-m", "allocator", "run", "-c", str(self.path), "--no-serve"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=self.log,
        )
        self.running[made.pid] = made

    def leader(self, other_than: int | None = None) -> Beat | None:
        """Find who leads; None while nobody (else) does."""
        for row in self.beats.all():
            pid = int(row.holder.split(":")[1])
            if row.leads and pid in self.running and pid != other_than:
                return row
        return None

    def done(self) -> int:
        return sum(row.status == "done" for row in self.slots.recent(1000))

    def close(self) -> None:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            process.wait(60)
        loopback.stop(self.exchanges)
        self.log.close()
        self.engine.dispose()


@pytest.mark.soak
def test_killed_leader_is_followed_in_time_and_no_slot_runs_twice(
    tmp_path: Path, postgres_url: str
) -> None:
    pair = Pair(tmp_path, postgres_url)
    took = list[float]()
    try:
        pair.start()
        wait_for(pair.leader, 60)
        pair.start()
        for number in range(KILLS):
            before = pair.done()
            wait_for(lambda least=before: pair.done() > least, 120)
            wait_for(lambda: len(pair.beats.all()) >= 2, 60)
            leads = pair.leader()
            assert leads is not None
            pid = int(leads.holder.split(":")[1])
            if number % 2 == 0:
                # In the middle of a slot: what it had begun is taken over.
                wait_for(lambda: pair.slots.with_status("running"), 60)
            killed = pair.running.pop(pid)
            killed.kill()
            killed.wait(30)
            began = time.monotonic()
            wait_for(lambda gone=pid: pair.leader(gone), TAKES_OVER_S)
            took.append(time.monotonic() - began)
            pair.beats.leave(leads.holder)
            pair.start()
        last = pair.done()
        wait_for(lambda: pair.done() > last + 1, 120)
        report = told(pair, took)
    finally:
        pair.close()
    out = os.environ.get("ALLOCATOR_FAILOVER_OUT")
    if out:
        Path(out).write_text(json.dumps(report, indent=1))
    assert max(took) < TAKES_OVER_S
    assert report["doubled_slots"] == []
    assert report["doubled_cycles"] == []
    assert report["audit_faults"] == []
    assert report["gaps"] == []
    assert set(report["slots"]) <= {"done", "due", "running", "missed"}


def told(pair: Pair, took: list[float]) -> dict[str, Any]:
    rows = pair.slots.recent(1000)
    history = History(pair.engine)
    names = Counter(row.name for row in rows)
    cycles = Counter(row.slot for row in history.cycles(1000))
    times = sorted(row.due_at for row in rows if row.source == "often")
    return {
        "at": datetime.now(UTC).isoformat(),
        "kills": len(took),
        "took_over_s": [round(row, 2) for row in took],
        "slots": dict(Counter(row.status for row in rows)),
        "notes": dict(Counter(row.note.split(":")[0][:60] for row in rows)),
        "cycles": sum(cycles.values()),
        "doubled_slots": [name for name, count in names.items() if count > 1],
        "doubled_cycles": [name for name, count in cycles.items() if count > 1],
        "gaps": [str(b - a) for a, b in pairwise(times) if (b - a).total_seconds() != SLOT_S],
        "epochs": sorted({row.epoch for row in rows if row.epoch is not None}),
        "audit_faults": [row.what for row in history.verify()],
    }
