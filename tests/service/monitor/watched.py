"""A monitor over one database and a folder, and the books it looks at."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from allocator.execution.leader import next_epoch
from allocator.models.mandate import Mandate
from allocator.models.service import TriggerRule
from allocator.models.snapshot import Snapshot
from allocator.models.status import VenueStatus
from allocator.service.monitor.base import Bases
from allocator.service.monitor.flows import Ledger
from allocator.service.monitor.history import MarkStore
from allocator.service.monitor.lines import Lines
from allocator.service.monitor.monitor import Monitor
from allocator.service.scheduler.slots import Slots
from tests.execution.book import START, instrument
from tests.service.sites import pool

BTC = "alpha:BTC/USDT:USDT"
MANDATE = Mandate.model_validate(
    {
        "targets": [{"underlying": "BTC", "delta": "0", "band": "1000"}],
        "limits": [
            {"id": "gross", "measure": "gross_notional", "scope": {"portfolio": True},
             "max": "400000"},
            {"id": "lever", "measure": "leverage", "scope": {"portfolio": True}, "max": "2"},
            {"id": "floor", "measure": "equity", "scope": {"portfolio": True}, "min": "100000"},
        ],
    }
)  # fmt: skip
RULES = (
    {"id": "drift", "on": "drift", "threshold": "0", "cooldown_s": 0},
    {"id": "margin", "on": "margin_ratio", "threshold": "1.5", "urgent": True},
    {"id": "loss", "on": "pnl", "threshold": "-500"},
    {"id": "fall", "on": "drawdown", "threshold": "0.01"},
    {"id": "used", "on": "utilisation", "threshold": "0.9"},
    {"id": "down", "on": "venue", "threshold": "60"},
    {"id": "funding", "on": "funding", "of": BTC, "threshold": "0.001"},
)

EVER = START - timedelta(1), START + timedelta(1)
TINY = Decimal("1e-9")
"""Marks are written with twelve places."""


def snapshot(
    at: datetime = START,
    *,
    a: str = "1",
    wallet: str = "100000",
    other: str = "100000",
    rate: str = "0.0001",
) -> Snapshot:
    rows = [instrument(BTC), instrument("beta:BTC/USDT:USDT")]
    for row in rows:
        row["funding"] = {"rate": rate, "interval_h": 8}
    return Snapshot.model_validate(
        {
            "as_of": at,
            "assets": {"USDT": {"price": "1"}, "BTC": {"price": "50000", "underlying": "BTC"}},
            "instruments": rows,
            "accounts": [pool("a", "alpha", a, wallet), pool("b", "beta", "-1", other)],
        }
    )


class Watched:
    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.believed = True
        self.slots = Slots(engine, "desk")
        self.names = list[str]()
        self.told = list[tuple[str, str]]()
        self.monitor = self.start()

    def start(self) -> Monitor:
        return Monitor(
            MarkStore(self.folder),
            Ledger(self.engine),
            Lines(self.engine, "desk"),
            next_epoch(self.engine, "desk", "x", START),
            [TriggerRule.model_validate(row) for row in RULES],
            bases=Bases(self.engine, "desk", self.folder),
            venues={"a": "alpha", "b": "beta"},
            keep_days=10,
            fired=lambda rows: self.names.extend(row.rule.id for row in rows),
            tell=lambda topic, facts: self.told.append((topic, facts["why"])),
            believed=lambda: self.believed,
        )

    def look(self, minute: float, missing: tuple[str, ...] = (), **changes: Any) -> list[str]:
        busy, says = changes.pop("busy", False), changes.pop("says", {})
        mandate = changes.pop("mandate", MANDATE)
        row = snapshot(START + timedelta(minutes=minute), **changes)
        found = self.monitor.take(
            row, mandate, dict.fromkeys(missing, "gone"), statuses=says, busy=busy
        )
        return [firing.rule.id for firing in found]


OPEN = {"alpha": VenueStatus(state="open")}
SHUT = {"alpha": VenueStatus(state="maintenance", until=START, note="an upgrade")}


def booked(minute: int, held: dict[str, Decimal], quantity: Decimal, mark: Decimal) -> Snapshot:
    """Two accounts with opposite positions that gain and lose by the mark."""
    data = snapshot(START + timedelta(minutes=minute), a=str(quantity)).model_dump(mode="json")
    for row in data["instruments"]:
        row["mark"] = str(mark)
    for row in data["accounts"]:
        row["balances"]["USDT"]["wallet"] = str(held[row["id"]])
    return Snapshot.model_validate(data)


class CrashError(BaseException):
    """The process dies here."""


def dies(*_: object) -> None:
    raise CrashError
