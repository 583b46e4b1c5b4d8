"""Days of the service in minutes: a slot a minute stands for two hours."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from allocator.execution.database import connect
from allocator.execution.history import History
from allocator.models.mandate import Mandate
from allocator.service import demo, loopback
from allocator.service.mandates import Mandates
from allocator.service.scheduler.slots import Slots
from tests.service.record import ROOT

SECONDS = int(os.environ.get("ALLOCATOR_SOAK_S", "1800"))
SLOT_S = 60
HOURS = 2
LATE_S = 30.0
"""A slot may begin this late: a cycle that is under way is ended first."""

GROWTH = 0.10
"""Share by which the second half's memory may exceed the first half's, after warming up."""

SERVICE = f"""
service:
  schedules: [{{id: hourly, every_s: "{SLOT_S}", grace_s: "{SLOT_S * 2}"}}]
  poll_s: "10"
  triggers:
    - {{id: margin, on: margin_ratio, of: bybit-a, threshold: "1.2", release: "2", urgent: true}}
    - {{id: drift, on: drift, of: BTC, threshold: "0", release: "0", persist_s: "4"}}
    - {{id: funding, on: funding, of: "binance:BTC/USDT:USDT", threshold: "0.0005"}}
    - {{id: closed, on: venue, of: binance, threshold: "600"}}
    - {{id: loss, on: pnl, threshold: "-2500", release: "0", cooldown_s: "86400"}}
  history: {{folder: "FOLDER/history"}}
  http: {{port: 0}}
"""


def ask(exchanges: loopback.Exchanges, path: str, body: dict[str, str]) -> None:
    request = urllib.request.Request(
        f"{exchanges.url}/__emulator__/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.status == 200


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the service is gone")


def publish(url: str, config: Any, delta: str) -> None:
    engine = connect(url)
    book, now = Mandates(engine, "demo"), datetime.now(UTC)
    data = config.mandate.model_dump(mode="json")
    data["targets"][0]["delta"] = delta
    version = book.draft(Mandate.model_validate(data), "soak", "moves the target", now).version
    book.publish(version, "somebody else", now)
    engine.dispose()


@pytest.mark.soak
def test_service_runs_for_days_on_time_with_flat_memory(tmp_path: Path) -> None:
    state = tmp_path / "demo"
    path = demo.prepare(state)
    text = re.sub(r"(?ms)^service:.*?(?=^\S)", "", path.read_text())
    text = text.replace('auto_below: "0"', 'auto_below: "100000000"')
    text = text.replace('second_above: "1000000"', 'second_above: "100000000"')
    path.write_text(text + SERVICE.replace("FOLDER", str(tmp_path)))
    exchanges = loopback.start(state / "exchange")
    config = demo.configuration(path, exchanges.url)
    log = (tmp_path / "service.log").open("w")
    service = subprocess.Popen(
        [sys.executable, "-m", "allocator", "run", "-c", str(path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=log,
    )
    events = {
        0.25: lambda: publish(config.database, config, "0.8"),
        0.45: lambda: ask(
            exchanges, "funding", {"instrument": "binance:usdm:BTCUSDT", "rate": "0.0007"}
        ),
        0.65: lambda: ask(exchanges, "price", {"coin": "BTC", "usd": "58000"}),
        0.85: lambda: ask(
            exchanges, "notice", {"venue": "binance", "state": "maintenance", "title": "upgrade"}
        ),
        0.92: lambda: ask(exchanges, "notice", {"venue": "binance", "state": "open"}),
    }
    try:
        memory = watch(service, events)
    finally:
        service.send_signal(signal.SIGTERM)
        status = service.wait(60)
        loopback.stop(exchanges)
        log.close()
    report = told(config.database, memory)
    report["exit"] = status
    (tmp_path / "soak.json").write_text(json.dumps(report, indent=1))
    out = os.environ.get("ALLOCATOR_SOAK_OUT")
    if out:
        Path(out).write_text(json.dumps(report, indent=1))
        Path(out + ".log").write_text((tmp_path / "service.log").read_text())
    check(report)


def watch(service: subprocess.Popen[bytes], events: dict[float, Any]) -> list[float]:
    """Let the time go by, bring about what is to happen, write the memory down."""
    began, memory, waiting = time.monotonic(), list[float](), sorted(events)
    while (gone := time.monotonic() - began) < SECONDS or not amid_slots():
        assert service.poll() is None, "the service ended"
        if waiting and gone > waiting[0] * SECONDS:
            events[waiting.pop(0)]()
        memory.append(resident_mb(service.pid))
        time.sleep(5)
    return memory


def amid_slots() -> bool:
    """Whether no slot begins or runs now: one that falls due in the stop is left for the next."""
    return SLOT_S / 4 < datetime.now(UTC).timestamp() % SLOT_S < SLOT_S * 3 / 4


def told(url: str, memory: list[float]) -> dict[str, Any]:
    engine = connect(url)
    slots = Slots(engine, "demo").recent(100_000)
    history = History(engine)
    scheduled = [row for row in slots if row.source == "hourly"]
    late = sorted(
        (row.began_at - row.due_at).total_seconds() for row in scheduled if row.began_at is not None
    )
    steady = memory[len(memory) // 10 :]
    half = len(steady) // 2
    out = {
        "seconds": SECONDS,
        "virtual_hours": HOURS * len(scheduled),
        "slots": dict(Counter(row.status for row in scheduled)),
        "not_done": [(row.name, row.status, row.note) for row in slots if row.status != "done"],
        "late_s": {"median": late[len(late) // 2], "worst": late[-1]},
        "triggers": dict(Counter(r.source for r in slots if r.cause.startswith("trigger"))),
        "causes": [row.cause for row in slots if row.cause.startswith("trigger")],
        "again": sum(row.source == "again" for row in slots),
        "gaps": gaps(scheduled),
        "cycles": len(history.cycles(100_000)),
        "audit_faults": [row.what for row in history.verify()],
        "open": len(history.open_attempts()),
        "memory_mb": {
            "start": memory[0],
            "first_half": sum(steady[:half]) / half,
            "second_half": sum(steady[half:]) / (len(steady) - half),
            "most": max(memory),
        },
    }
    engine.dispose()
    return out


def gaps(scheduled: list[Any]) -> list[str]:
    """Name the slots that should have been there and are not."""
    times = sorted(row.due_at for row in scheduled)
    return [
        f"{a.isoformat()} to {b.isoformat()}"
        for a, b in pairwise(times)
        if (b - a).total_seconds() != SLOT_S
    ]


def check(report: dict[str, Any]) -> None:
    assert report["exit"] == 0
    assert report["gaps"] == []
    assert set(report["slots"]) == {"done"}, report["not_done"]
    assert Decimal(report["late_s"]["worst"]) < LATE_S
    assert report["triggers"] == dict.fromkeys(("margin", "drift", "funding", "loss", "closed"), 1)
    assert report["audit_faults"] == []
    memory = report["memory_mb"]
    assert memory["second_half"] < memory["first_half"] * (1 + GROWTH)
