"""A service with a gathered book and proposals, without venues: what the API tests ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from starlette.testclient import TestClient

from allocator.decide import decide
from allocator.models.api import SCOPES
from allocator.models.config import Config
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.snapshot import Snapshot
from allocator.models.status import VenueStatus
from allocator.service.http.app import create
from allocator.service.http.site import Site
from allocator.service.monitor.marks import marks_of
from allocator.service.run import Service
from allocator.service.snapshots import GATHERED
from tests.execution.book import START, JumpingClock, account, instrument

MANDATE: dict[str, Any] = {
    "targets": [{"underlying": "BTC", "delta": "1", "unit": "base", "band": "0.001"}],
    "policy": {"risk_aversion": "0.00001", "max_slice": "10000"},
}
CANARY = "canary-Zx81-secret-value"


def pool(name: str, venue: str, quantity: str, wallet: str = "100000") -> dict[str, Any]:
    """An account that trades at its own venue alone."""
    row = account(name, venue, quantity, wallet)
    kept = {key: pair for key, pair in row["positions"].items() if key.startswith(f"{venue}:")}
    return row | {"positions": kept}


def snapshot(quantity: str = "0") -> Snapshot:
    return Snapshot.model_validate(
        {
            "as_of": START,
            "assets": {"USDT": {"price": "1"}, "BTC": {"price": "50000", "underlying": "BTC"}},
            "instruments": [instrument("alpha:BTC/USDT:USDT"), instrument("beta:BTC/USDT:USDT")],
            "accounts": [pool("a", "alpha", quantity), pool("b", "beta", "0")],
        }
    )


@cache
def decided(quantity: str) -> Plan:
    """The plan of that book: the same whenever it is asked for, so it is decided once."""
    return decide(snapshot(quantity), Mandate.model_validate(MANDATE))


def config(folder: Path, **changes: Any) -> Config:
    (folder / "key").write_text(CANARY)
    login = {"key": f"file:{folder}/key", "secret": f"file:{folder}/key"}
    data: dict[str, Any] = {
        "mode": "loopback",
        "loopback_url": "http://127.0.0.1:9",
        "installation": "desk",
        "database": f"sqlite:///{folder / 'journal.db'}",
        "logins": {"x": {"venue": "bybit", **login}, "y": {"venue": "binance", **login}},
        "accounts": [
            {"id": "a", "login": "x", "wallet": "unified", "owner": "fund"},
            {"id": "b", "login": "y", "wallet": "usdm", "owner": "fund"},
        ],
        "mandate": MANDATE,
        "approval": {"auto_below": "100", "second_above": "100000", "max_age_s": "300"},
        "service": {
            "schedules": [{"id": "hourly", "cron": "0 * * * *"}],
            "history": {"folder": str(folder / "history")},
        },
        **changes,
    }
    return Config.model_validate(data)


class Place:
    """A site, its tokens by scope, and a client."""

    def __init__(self, engine: Engine, folder: Path, **changes: Any) -> None:
        self.clock = JumpingClock()
        self.clock.at = START + timedelta(seconds=9)
        self.service = Service(config(folder, **changes), engine, clock=self.clock)
        self.service.wake = lambda: None  # type: ignore[method-assign]
        self.service._take_mandate()
        self.service._beat(self.clock.now())
        self.service.beats.beat("leader", leads=True, at=self.clock.now())
        self.site = Site(self.service)
        self.app = create(self.site)
        now = self.clock.now()
        self.tokens = dict[str, str]()
        for scope in SCOPES:
            self.tokens[scope] = self.site.tokens.make(scope, (scope,), now)
        for name in ("alice", "bob"):
            self.tokens[name] = self.site.tokens.make(name, SCOPES, now)
        self.client = TestClient(self.app, raise_server_exceptions=False)
        self.count = 0

    def gather(
        self, quantity: str = "0", statuses: Mapping[str, VenueStatus] | None = None
    ) -> Plan:
        """Do what a cycle does without its venues: store, mark, decide, propose."""
        self.clock.at += timedelta(seconds=1)
        row, mandate = snapshot(quantity), Mandate.model_validate(MANDATE)
        self.service.snapshots.keep(row, GATHERED)
        self.service.live.marks = marks_of(row, mandate, None, statuses)
        plan = decided(quantity)
        self.service.office.propose(plan, row, mandate, "allocator")
        return plan

    def headers(self, who: str | None, key: str | None = None) -> dict[str, str]:
        self.count += 1
        out = {"Idempotency-Key": key or f"key-{self.count}"}
        return out if who is None else out | {"Authorization": f"Bearer {self.tokens[who]}"}

    def get(self, path: str, who: str | None = "read", **query: Any) -> Any:
        return self.client.get(path, headers=self.headers(who), params=query or None)

    def post(
        self, path: str, body: Any = None, who: str | None = "alice", key: str | None = None
    ) -> Any:
        return self.client.post(path, json=body, headers=self.headers(who, key))


TURNOVER = Decimal(50000)
