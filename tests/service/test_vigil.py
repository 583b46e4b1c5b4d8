"""The leader's own work: looks that fail, a slot that hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.execution.leader import FencedError
from allocator.execution.report import Progress
from allocator.service import run
from allocator.service.live import Live
from allocator.service.vigil import MOST_FAILED, Vigil
from tests.execution.book import START
from tests.service.sites import Place, snapshot

HANGS_S = 10 + 3600 + 120
STEP = Progress(at=START, seq=1, kind="order", state="acked")


@pytest.fixture
def place(lite: Engine, tmp_path: Path) -> Iterator[Place]:
    made = Place(lite, tmp_path)
    made.service.live.leads = True
    with made.client:
        yield made
    made.site.jobs.close()


def topics(place: Place) -> list[str]:
    return [row.topic for row in place.service.office.history.alerts()]


def pass_by(place: Place, seconds: float) -> None:
    """Let time go by, in which the leader's timer ticks."""
    place.clock.at += timedelta(seconds=seconds)
    place.service._beat(place.clock.now())
    place.service.vigil.watch(place.clock.now())


def test_a_slot_that_makes_no_step_hangs_and_is_told_once(place: Place) -> None:
    service = place.service
    service.live.busy = "hourly"
    pass_by(place, 0)
    pass_by(place, HANGS_S)
    assert topics(place) == []
    assert place.get("/readyz", None).status_code == 200
    for _ in range(3):
        pass_by(place, 1)
    (alert,) = service.office.history.alerts()
    assert (alert.topic, alert.body["slot"]) == ("slot_hangs", "hourly")
    answer = place.get("/readyz", None)
    assert answer.status_code == 503
    assert answer.json()["faults"][0].startswith("the running slot has made no step since")
    told = f'allocator_slot_silent_seconds{{book="desk"}} {HANGS_S + 3}.0'
    assert told in place.get("/metrics").text
    service.live.busy = ""
    pass_by(place, 5)
    assert place.get("/readyz", None).status_code == 200
    service.live.busy = "hourly later"
    pass_by(place, 5)
    pass_by(place, HANGS_S + 1)
    assert topics(place) == ["slot_hangs", "slot_hangs"]


def test_a_slot_that_goes_on_step_by_step_does_not_hang(place: Place) -> None:
    place.service.live.busy = "hourly"
    for _ in range(5):
        place.service.live.step(STEP)
        pass_by(place, HANGS_S / 2)
    assert topics(place) == []
    assert place.service.vigil.age_s() == HANGS_S * 2


class Hours:
    """A running slot beside a clock that can be set and one that cannot."""

    def __init__(self) -> None:
        self.live, self.told, self.steady_s = Live("x"), list[str](), 0.0
        self.vigil = Vigil(
            self.live, Decimal(HANGS_S), lambda topic, _facts: self.told.append(topic),
            steady=lambda: self.steady_s,
        )  # fmt: skip
        self.at = START

    def pass_by(self, seconds: float, set_by: timedelta = timedelta()) -> None:
        self.steady_s += seconds
        self.at += timedelta(seconds=seconds) + set_by
        self.vigil.watch(self.at)


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=365)])
def test_a_clock_that_is_set_makes_no_slot_hang_and_hides_none_that_does(ahead: timedelta) -> None:
    hours = Hours()
    hours.live.busy = "s"
    hours.pass_by(0)
    hours.pass_by(5, ahead)
    assert (hours.vigil.hangs(), hours.told) == ("", [])
    assert hours.vigil.age_s() == 5
    hours.live.step(STEP)
    hours.pass_by(5)
    hours.pass_by(5, -ahead)
    hours.pass_by(HANGS_S)
    assert hours.told == ["slot_hangs"]


def test_looks_that_fail_one_after_another_are_told_once_until_one_succeeds(place: Place) -> None:
    service = place.service
    ends = "xxx.xxxxxx.xxx.xx."

    class Looks:
        """Fails where it is told to, and asks to stop after the last."""

        def __init__(self) -> None:
            self.left = list(ends)

        async def look(self) -> None:
            end = self.left.pop(0)
            if not self.left:
                service.stopping.set()
            if end == "x":
                raise ZeroDivisionError("a bug")

    config: Any = service.config.service.model_copy(update={"poll_s": 0.0001})
    service.config = service.config.model_copy(update={"service": config})

    async def go() -> None:
        looking = asyncio.create_task(service._look(Looks()))  # type: ignore[arg-type]
        await service.stopping.wait()
        looking.cancel()

    asyncio.run(go())
    alerts = service.office.history.alerts()
    assert [row.topic for row in alerts] == ["look_failed"] * 3
    assert alerts[0].body == {"looks": str(MOST_FAILED), "why": "ZeroDivisionError: a bug"}


def test_an_instance_that_leads_no_longer_tells_its_marks_no_longer(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A monitor would take the margins of hours ago for those of now."""

    @asynccontextmanager
    async def fenced(*_: Any, **__: Any) -> AsyncGenerator[None]:
        place.service.stopping.set()
        raise FencedError("FENCED: epoch=1 latest=2")
        yield

    place.gather()
    live = place.service.live
    live.snapshot, live.missing = snapshot(), {"b": "timeout"}
    assert "allocator_account_ratio" in place.get("/metrics").text
    monkeypatch.setattr(run, "open_desk", fenced)
    asyncio.run(place.service._lead_when_possible())
    assert (live.leads, live.marks, live.snapshot, live.missing) == (False, None, None, {})
    told = place.get("/metrics").text
    assert "allocator_account_ratio" not in told
    assert "allocator_marks_age_seconds" not in told
