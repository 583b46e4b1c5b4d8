"""Where alerts of a service arrive, in tests."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from allocator.execution.office import Office
from allocator.models.service import AlertConfig
from allocator.service.notify import (
    Notifier,
)
from allocator.service.outbox import Outbox
from allocator.service.telemetry import Redactor
from tests.execution.book import START, JumpingClock


class Taken:
    """Takes every alert, and keeps it by title and text."""

    def __init__(self) -> None:
        self.got = list[tuple[str, str]]()

    @property
    def titles(self) -> list[str]:
        return [title for title, _ in self.got]

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.got]

    def send(self, title: str, text: str) -> bool:
        self.got.append((title, text))
        return True


class Box:
    """Where alerts arrive."""

    def __init__(self, engine: Engine, **changes: Any) -> None:
        self.clock = JumpingClock()
        self.office = Office(engine, "desk", self.clock)
        self.outbox = Outbox(engine, self.office)
        self.got = list[tuple[str, str]]()
        self.works = True
        config = AlertConfig.model_validate({"dead_man_s": 100, "repeat_s": 60, **changes})
        redactor = Redactor(["canary-value"])
        self.notifier = Notifier(self.outbox, config, self.send, redactor, "desk")

    def send(self, title: str, text: str) -> bool:
        self.got.append((title, text))
        return self.works

    def alert(self, topic: str, **body: Any) -> None:
        with self.office.write() as entry:
            entry.alert(topic, **body)

    def deliver(self) -> int:
        return asyncio.run(self.notifier.deliver(self.clock.now()))

    def watch(self, age_s: float | None) -> bool:
        now = self.clock.now()
        tick = None if age_s is None else now - timedelta(seconds=age_s)
        return asyncio.run(self.notifier.watch(tick, START, now))
