"""Urgent triggers whose repair was carried out in part, given up, or could mend nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from allocator.adapters.paper.faults import Fault
from allocator.execution.transitions import Stage
from allocator.models.mandate import Mandate
from allocator.models.service import TriggerRule
from allocator.models.snapshot import Snapshot
from allocator.risk.breaker import Breaker
from allocator.service.monitor import monitor as watching
from allocator.service.monitor.monitor import Monitor
from allocator.service.monitor.outcomes import Outcomes
from allocator.service.repairs import broken
from allocator.service.scheduler.worker import Worker
from tests.execution.book import START
from tests.service.rooms import EVERYBODY, Room
from tests.service.sites import MANDATE, snapshot

LIMIT = {"id": "cap", "measure": "gross_notional", "scope": {"portfolio": True}, "max": "30000"}
RULE = {"id": "used", "on": "utilisation", "threshold": "1", "release": "0.9", "urgent": True}


def mandate(**changes: Any) -> Mandate:
    """Hold what is held, below a cap."""
    return Mandate.model_validate(
        {**MANDATE, "targets": [], "targets_default": "hold", "limits": [LIMIT], **changes}
    )


class Watch:
    """A room whose monitor has one urgent trigger, and a worker."""

    def __init__(self, engine: Engine, folder: Path, **changes: Any) -> None:
        rule = {**RULE, **changes.pop("rule", {})}
        what = {"mandate": mandate(), "start": snapshot("1"), **changes}
        self.room = Room(engine, EVERYBODY, folder=folder, **what)
        monitor = self.room.cycles._monitor
        assert monitor is not None
        self.monitor: Monitor = monitor
        monitor._rules = (TriggerRule.model_validate(rule),)
        history = self.room.office.history
        dry = bool(changes.get("dry"))
        monitor._outcomes = Outcomes(self.room.slots, history, EVERYBODY, dry=dry)
        self.worker = Worker(
            self.room.slots, monitor._lease, self.room.clock, graces={},
            work=self.room.cycles.work, wake=asyncio.Event(),
        )  # fmt: skip

    def at(self, *minutes: float) -> None:
        """Look at each of these minutes, and carry out what fell due."""

        async def go() -> None:
            for minute in minutes:
                self.room.clock.at = max(self.room.clock.at, START + timedelta(minutes=minute))
                await self.room.cycles.look()
                while await self.worker.step():
                    pass

        asyncio.run(go())

    @property
    def fired(self) -> list[int]:
        rows = [row for row in self.room.slots.recent() if row.origin == "trigger"]
        return [round((row.due_at - START).total_seconds() / 60) for row in reversed(rows)]

    def told(self, topic: str = "repair_unavailing") -> list[Any]:
        return [row.body for row in self.room.office.history.alerts() if row.topic == topic]


def test_a_repair_that_was_carried_out_in_part_is_told_and_tried_again(
    lite: Engine, tmp_path: Path
) -> None:
    watch = Watch(lite, tmp_path)
    watch.room.exchange.faults.add(Fault("order", "rejected", times=99))
    watch.at(0, 2, 4, 9)
    assert watch.fired == [0], "the cooldown holds"
    watch.at(11, 13)
    assert watch.fired == [0, 11]
    first, second = watch.told()
    assert first["why"] == "carried out in part: 0 of 1 actions ended as planned"
    assert (first["trigger"], first["of"]) == ("used", "cap")
    assert first["plan"] != second["plan"]
    assert watch.room.office.history.verify() == ()


def test_a_repair_that_was_carried_out_whole_fires_once_however_long_it_takes_to_show(
    lite: Engine, tmp_path: Path
) -> None:
    watch = Watch(lite, tmp_path, rule={"threshold": "0.5", "release": "0.4"})
    watch.at(0, 2, 11, 13, 60, 600)
    assert watch.fired == [0]
    assert watch.told() == []
    (cycle,) = watch.room.office.history.cycles()
    assert cycle.status == "ended"


def test_a_repair_that_was_given_up_is_told_and_tried_again(lite: Engine, tmp_path: Path) -> None:
    watch = Watch(lite, tmp_path)
    watch.at(0)
    with lite.begin() as session:
        session.execute(text("update cycle set status = 'superseded', note = 'ann traded'"))
        session.execute(text("update action set stage = 'superseded'"))
    watch.room.exchange.holdings["a"].holding("alpha:BTC/USDT:USDT").quantity += 1
    watch.at(2, 11)
    assert watch.fired == [0, 11]
    assert [(row["why"], row["note"]) for row in watch.told()] == [("given up", "ann traded")]


@pytest.mark.parametrize("status", ["open", "parked"])
def test_a_repair_that_is_under_way_is_waited_for(
    lite: Engine, tmp_path: Path, status: str
) -> None:
    watch = Watch(lite, tmp_path, rule={"threshold": "0.5", "release": "0.4"})
    watch.at(0)
    with lite.begin() as session:
        session.execute(text(f"update cycle set status = '{status}', ended_at = null"))
        session.execute(text("update action set stage = 'approved'"))
    found = watch.monitor._outcomes
    assert found is not None
    lines, at = watch.monitor._lines.read(), START + timedelta(minutes=30)
    assert not list(found.lost(watch.monitor._rules, lines, at))


def test_money_that_is_still_on_its_way_is_waited_for(lite: Engine, tmp_path: Path) -> None:
    watch = Watch(lite, tmp_path, rule={"threshold": "0.5", "release": "0.4"})
    watch.at(0)
    with lite.begin() as session:
        session.execute(text(f"update action set stage = '{Stage.WORKING}'"))
    watch.at(11, 13)
    assert watch.fired == [0]


def test_a_repair_whose_plan_can_mend_nothing_is_told_and_tried_again(
    lite: Engine, tmp_path: Path
) -> None:
    watch = Watch(lite, tmp_path, start=halted())
    watch.at(0, 0.5, 2, 9, 11, 13)
    assert watch.fired == [0, 11]
    first, second = watch.told()
    assert first["why"] == "the plan does nothing: limit cap"
    assert first["why"] == second["why"], "so that it is told once while it lasts"


def halted() -> Snapshot:
    """Let every market stand still."""
    whole = snapshot("1")
    still = tuple(row.model_copy(update={"status": "halted"}) for row in whole.instruments)
    return whole.model_copy(update={"instruments": still})


def test_a_trigger_that_found_nothing_broken_fires_again_once_something_is(
    lite: Engine, tmp_path: Path
) -> None:
    roomy = mandate(limits=[{**LIMIT, "max": "60000"}])
    watch = Watch(lite, tmp_path, mandate=roomy, rule={"threshold": "0.5", "release": "0.4"})
    watch.at(0, 2, 11, 60)
    assert watch.fired == [0]
    watch.room.exchange.holdings["a"].holding("alpha:BTC/USDT:USDT").quantity += 1
    watch.at(61)
    assert watch.fired == [0, 61]
    assert watch.room.office.history.cycles(), "what has broken since is repaired"
    assert watch.told() == []


def test_whether_something_is_broken_is_reckoned_once_for_the_same_book(
    lite: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy = mandate(limits=[{**LIMIT, "max": "60000"}])
    watch = Watch(lite, tmp_path, mandate=roomy, rule={"threshold": "0.5", "release": "0.4"})
    reckoned = list[Snapshot]()

    def reckon(book: Snapshot, holds: Mandate) -> bool:
        reckoned.append(book)
        return broken(book, holds)

    monkeypatch.setattr(watching, "broken", reckon)
    watch.at(0, 2, 3, 4)
    assert len(reckoned) == 1
    watch.room.exchange.holdings["a"].holding("alpha:BTC/USDT:USDT").quantity -= Decimal("0.1")
    watch.at(5, 6)
    assert len(reckoned) == 2, "another book"
    now = watch.room.clock.now()
    other = watch.room.mandates.draft(mandate(limits=[{**LIMIT, "max": "59000"}]), "ann", "", now)
    watch.room.mandates.publish(other.version, "bob", now)
    watch.at(11)
    assert len(reckoned) == 3, "another mandate"
    assert watch.fired == [0]


def test_what_came_back_by_now_is_not_told(lite: Engine, tmp_path: Path) -> None:
    watch = Watch(lite, tmp_path)
    watch.room.exchange.faults.add(Fault("order", "rejected"))
    watch.at(0)
    watch.room.exchange.holdings["a"].holding("alpha:BTC/USDT:USDT").quantity /= 4
    watch.at(2, 11)
    assert (watch.fired, watch.told()) == ([0], [])


def test_what_is_carried_out_late_may_show_for_a_minute(lite: Engine, tmp_path: Path) -> None:
    watch = Watch(lite, tmp_path)
    watch.room.exchange.faults.add(Fault("order", "rejected", times=99))
    watch.at(0)
    with lite.begin() as session:
        ended = f"{START + timedelta(minutes=12):%Y-%m-%d %H:%M:%S.%f}"
        session.execute(text(f"update cycle set ended_at = '{ended}'"))
    watch.at(12.5)
    assert watch.fired == [0]
    watch.at(13)
    assert watch.fired == [0, 13]


def test_what_ends_while_the_book_is_read_may_show_for_a_minute_too(
    lite: Engine, tmp_path: Path
) -> None:
    watch = Watch(lite, tmp_path)
    watch.room.exchange.faults.add(Fault("order", "rejected", times=99))
    watch.at(0)
    with lite.begin() as session:
        ended = f"{START + timedelta(minutes=12, seconds=5):%Y-%m-%d %H:%M:%S.%f}"
        session.execute(text(f"update cycle set ended_at = '{ended}'"))
    watch.at(12)
    assert (watch.fired, watch.told()) == ([0], [])
    watch.at(13.1)
    assert watch.fired == [0, 13]


def test_a_slot_that_a_later_leader_carried_on_is_told_by_its_cycle(
    lite: Engine, tmp_path: Path
) -> None:
    watch = Watch(lite, tmp_path, rule={"threshold": "0.5", "release": "0.4"})
    watch.at(0)
    with lite.begin() as session:
        session.execute(text("update slot set plan_hash = null, note = 'carried on'"))
    watch.at(2, 11)
    assert (watch.fired, watch.told()) == ([0], [])


def test_nothing_is_told_of_plans_where_nothing_can_be_sent(lite: Engine, tmp_path: Path) -> None:
    watch = Watch(lite, tmp_path, dry=True, start=halted())
    watch.at(0, 2, 11)
    assert (watch.fired, watch.told()) == ([0], [])


def test_repairs_that_keep_failing_are_tried_ever_more_seldom_and_told_once(
    lite: Engine, tmp_path: Path
) -> None:
    watch = Watch(lite, tmp_path, rule={"cooldown_s": "0"})
    watch.room.exchange.faults.add(Fault("order", "rejected", times=999))
    watch.at(*range(62))
    gaps = [after - before for before, after in pairwise(watch.fired)]
    assert gaps[:3] == [1, 2, 4]
    assert set(gaps[3:]) == {5}
    assert len(watch.told("trigger")) == 1
    whys = {(row["trigger"], row["of"], row["why"]) for row in watch.told()}
    assert len(whys) == 1, "so that it is told once while it lasts"


def test_repairs_that_fail_are_tried_soon_again_once_what_they_were_for_was_mended(
    lite: Engine, tmp_path: Path
) -> None:
    watch = Watch(lite, tmp_path, rule={"cooldown_s": "0"})
    watch.room.exchange.faults.add(Fault("order", "rejected", times=999))
    watch.at(*range(10))
    assert watch.fired == [0, 1, 3, 7]
    held = watch.room.exchange.holdings["a"].holding("alpha:BTC/USDT:USDT")
    whole = held.quantity
    held.quantity = whole / 4
    watch.at(10)
    held.quantity = whole
    watch.at(*range(11, 16))
    assert watch.fired == [0, 1, 3, 7, 11, 12, 14]
    assert len(watch.told("trigger")) == 2


def test_a_trigger_that_is_told_to_repeat_does_so_after_each_cooldown(
    lite: Engine, tmp_path: Path
) -> None:
    watch = Watch(lite, tmp_path, rule={"cooldown_s": "120", "repeat": True})
    watch.room.exchange.faults.add(Fault("order", "rejected", times=999))
    watch.at(*range(13))
    assert watch.fired == [0, 2, 4, 6, 8, 10, 12]
    assert len(watch.told("trigger")) == 7


def test_a_failure_that_could_not_be_written_down_counts_once(lite: Engine, tmp_path: Path) -> None:
    watch = Watch(lite, tmp_path, rule={"cooldown_s": "0"})
    watch.room.exchange.faults.add(Fault("order", "rejected", times=999))
    watch.at(0)
    with lite.begin() as session:
        session.execute(text("ALTER TABLE outbox RENAME TO outbox_away"))
    with pytest.raises(OperationalError):
        watch.at(1)
    with lite.begin() as session:
        session.execute(text("ALTER TABLE outbox_away RENAME TO outbox"))
    watch.at(2, 3, 4)
    assert watch.fired == [0, 2, 4]


def worsen(watch: Watch, times: str) -> None:
    """Multiply what is held."""
    watch.room.exchange.holdings["a"].holding("alpha:BTC/USDT:USDT").quantity *= Decimal(times)


def test_what_is_broken_again_after_a_whole_repair_fires_though_it_never_came_back(
    lite: Engine, tmp_path: Path
) -> None:
    watch = Watch(lite, tmp_path, rule={"cooldown_s": "0"})
    watch.at(0, 1, 2, 4)
    assert watch.fired == [0]
    assert watch.room.cycles._ports.live.marks is not None
    worsen(watch, "3")
    watch.at(5)
    assert watch.fired == [0, 5]
    watch.at(6, 7, 12, 20)
    assert watch.fired == [0, 5], "the second repair was carried out whole as well"
    assert len(watch.told("trigger")) == 2
    assert watch.told() == []


def test_a_figure_that_is_clearly_graver_than_when_it_fired_fires_though_nothing_is_broken(
    lite: Engine, tmp_path: Path
) -> None:
    roomy = mandate(limits=[{**LIMIT, "max": "200000"}])
    rule = {"threshold": "0.2", "release": "0.1", "cooldown_s": "0"}
    watch = Watch(lite, tmp_path, mandate=roomy, rule=rule)
    watch.at(0, 2)
    worsen(watch, "1.01")
    watch.at(3)
    assert watch.fired == [0], "hardly graver"
    worsen(watch, "2")
    watch.at(3.5, 4)
    assert watch.fired == [0, 4]
    watch.at(5, 6, 9)
    assert watch.fired == [0, 4]
    assert len(watch.told("trigger")) == 2


def test_a_figure_that_becomes_clearly_graver_fires_at_once_and_is_told(
    lite: Engine, tmp_path: Path
) -> None:
    watch = Watch(lite, tmp_path, rule={"cooldown_s": "0"})
    watch.room.exchange.faults.add(Fault("order", "rejected", times=4))
    watch.at(*range(9))
    assert watch.fired == [0, 1, 3, 7]
    worsen(watch, "3")
    watch.at(9)
    assert watch.fired == [0, 1, 3, 7, 9]
    first, second = watch.told("trigger")
    assert first["what"] != second["what"]


def test_a_figure_that_creeps_is_told_though_no_step_of_it_is_clear(
    lite: Engine, tmp_path: Path
) -> None:
    watch = Watch(lite, tmp_path, rule={"cooldown_s": "0"})
    watch.room.exchange.faults.add(Fault("order", "rejected", times=999))
    for minute in range(16):
        watch.at(minute)
        worsen(watch, "1.01")
    assert 2 <= len(watch.told("trigger")) <= 4
    assert len(watch.fired) <= 12, "it rests meanwhile"


def test_what_fails_in_another_way_is_tried_soon_again(lite: Engine, tmp_path: Path) -> None:
    watch = Watch(lite, tmp_path, rule={"cooldown_s": "0"})
    watch.room.exchange.faults.add(Fault("order", "rejected", times=999))
    watch.at(*range(8))
    assert watch.fired == [0, 1, 3, 7]
    whole = watch.room.exchange.instruments
    watch.room.exchange.instruments = {
        name: row.model_copy(update={"status": "halted"}) for name, row in whole.items()
    }
    watch.at(*range(8, 20))
    assert watch.fired == [0, 1, 3, 7, 12, 13, 15, 19]


def test_repairs_that_failed_are_tried_soon_under_another_mandate(
    lite: Engine, tmp_path: Path
) -> None:
    watch = Watch(lite, tmp_path, rule={"cooldown_s": "0"})
    watch.room.exchange.faults.add(Fault("order", "rejected", times=999))
    watch.at(*range(9))
    assert watch.fired == [0, 1, 3, 7]
    now = watch.room.clock.now()
    other = watch.room.mandates.draft(mandate(limits=[{**LIMIT, "max": "30001"}]), "ann", "", now)
    watch.room.mandates.publish(other.version, "bob", now)
    watch.at(9, 10, 11)
    assert watch.fired == [0, 1, 3, 7, 9, 10]


def test_repairs_that_failed_are_tried_soon_once_a_halt_is_over(
    lite: Engine, tmp_path: Path
) -> None:
    watch = Watch(lite, tmp_path, rule={"cooldown_s": "0"})
    office = watch.room.office
    office.trip("global", Breaker.HALTED, "a fault", "ann")
    watch.at(*range(9))
    assert watch.fired == [0, 1, 3, 7]
    office.reset("global", "mended", "ann")
    watch.at(9)
    assert watch.fired == [0, 1, 3, 7, 9]
    (cycle,) = office.history.cycles(1)
    assert cycle.status == "ended"


def test_what_was_not_broken_meanwhile_is_told_and_tried_soon_again(
    lite: Engine, tmp_path: Path
) -> None:
    rule = {"threshold": "0.5", "release": "0.4", "cooldown_s": "0"}
    watch = Watch(lite, tmp_path, rule=rule)
    watch.room.exchange.faults.add(Fault("order", "rejected", times=999))
    watch.at(*range(8))
    assert watch.fired == [0, 1, 3, 7]
    worsen(watch, "0.55")
    watch.at(*range(8, 40))
    before = watch.fired
    worsen(watch, "1.9")
    watch.at(*range(40, 46))
    assert watch.fired[len(before) :] == [40, 41, 43]
    assert len(watch.told("trigger")) == 2


def test_repairs_that_make_progress_are_no_failures_in_a_row(lite: Engine, tmp_path: Path) -> None:
    watch = Watch(lite, tmp_path, rule={"cooldown_s": "0"})
    share = Decimal("0.1")
    watch.room.exchange.faults.add(Fault("order", "partial", times=999, share=share))
    watch.at(*range(9))
    assert watch.fired == [0, 2, 4, 6, 8], "a minute after each has ended"
    assert len(watch.told("trigger")) == 1, "that it is tried again is told with what became of it"


def test_another_instance_holds_what_an_earlier_one_fired_against_what_it_sees_first(
    lite: Engine, tmp_path: Path
) -> None:
    roomy = mandate(limits=[{**LIMIT, "max": "200000"}])
    rule = {"threshold": "0.2", "release": "0.1", "cooldown_s": "0"}
    watch = Watch(lite, tmp_path, mandate=roomy, rule=rule)
    watch.at(0, 2)
    watch.monitor._tries = {}
    watch.at(3)
    assert watch.fired == [0]
    worsen(watch, "2")
    watch.at(4)
    assert watch.fired == [0, 4]
