"""Urgent triggers whose repairs come to nothing again and again, or whose figures grow."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from allocator.adapters.paper.faults import Fault
from allocator.models.service import TriggerRule
from allocator.risk.breaker import Breaker
from allocator.risk.triggers import Firing
from allocator.service.monitor.resting import Try, fired
from tests.service.monitor.watch import LIMIT, RULE, Watch, mandate, refusing, worsen


def test_repairs_that_keep_failing_are_tried_ever_more_seldom_and_told_once(
    lite: Engine, tmp_path: Path
) -> None:
    watch = refusing(lite, tmp_path, 999)
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
    watch = refusing(lite, tmp_path, 999)
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
    watch = refusing(lite, tmp_path, 999)
    watch.at(0)
    with lite.begin() as session:
        session.execute(text("ALTER TABLE outbox RENAME TO outbox_away"))
    with pytest.raises(OperationalError):
        watch.at(1)
    with lite.begin() as session:
        session.execute(text("ALTER TABLE outbox_away RENAME TO outbox"))
    watch.at(2, 3, 4)
    assert watch.fired == [0, 2, 4]


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
    watch = refusing(lite, tmp_path, 4)
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
    watch = refusing(lite, tmp_path, 999)
    for minute in range(16):
        watch.at(minute)
        worsen(watch, "1.01")
    assert 2 <= len(watch.told("trigger")) <= 4
    assert len(watch.fired) <= 12, "it rests meanwhile"


def test_what_fails_in_another_way_is_tried_soon_again(lite: Engine, tmp_path: Path) -> None:
    watch = refusing(lite, tmp_path, 999)
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
    watch = refusing(lite, tmp_path, 999)
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


@pytest.mark.parametrize("every", [2, 3, 4])
def test_a_figure_that_wavers_is_neither_tried_more_often_nor_told_again(
    lite: Engine, tmp_path: Path, every: int
) -> None:
    watch = refusing(lite, tmp_path, 999)
    held = watch.room.exchange.holdings["a"].holding("alpha:BTC/USDT:USDT")
    whole = held.quantity
    for minute in range(31):
        held.quantity = whole if minute % every else whole * Decimal("1.05")
        watch.at(minute)
    assert len(watch.told("trigger")) == 1
    assert len(watch.fired) <= 10
    gaps = [after - before for before, after in pairwise(watch.fired)]
    assert gaps[-2:] == [5, 5]


def test_a_figure_that_wavers_upwards_is_told_once_more_and_rests_again(
    lite: Engine, tmp_path: Path
) -> None:
    watch = refusing(lite, tmp_path, 999)
    held = watch.room.exchange.holdings["a"].holding("alpha:BTC/USDT:USDT")
    whole = held.quantity
    for minute in range(31):
        held.quantity = whole * Decimal("1.05") if minute % 3 == 2 else whole
        watch.at(minute)
    assert len(watch.told("trigger")) == 2
    assert len(watch.fired) <= 12


def test_a_figure_that_dipped_is_held_against_the_gravest_and_rests_ever_longer(
    lite: Engine, tmp_path: Path
) -> None:
    watch = refusing(lite, tmp_path, 999)
    watch.at(*range(8))
    worsen(watch, "0.8")
    watch.at(*range(8, 21))
    assert watch.fired == [0, 1, 3, 7, 8, 9, 11, 15, 20], "what became better counts once"
    worsen(watch, "1.25")
    watch.at(21, 22, 23)
    assert watch.fired[-1] == 20
    assert len(watch.told("trigger")) == 1


@pytest.mark.parametrize(
    ("falls", "before", "value", "figure"),
    [(False, "3", "2", "3"), (False, "2", "3", "3"), (True, "3", "2", "2"), (True, "2", "3", "2")],
)
def test_the_gravest_figure_that_was_told_is_remembered(
    falls: bool, before: str, value: str, figure: str
) -> None:
    on, threshold = ("margin_ratio", "9") if falls else ("utilisation", "1")
    rule = TriggerRule.model_validate({**RULE, "on": on, "threshold": threshold, "release": None})
    assert rule.falls == falls
    tries = {("used", "cap"): Try(times=3, by="it", told=True, figure=Decimal(before))}
    (row,) = fired(tries, [Firing(rule, "cap", Decimal(value))]).values()
    assert (row.figure, row.times, row.told) == (Decimal(figure), 0, False)


def another(engine: Engine, folder: Path) -> Watch:
    """Let another instance take over what was fired on, and mended whole, beyond its line."""
    roomy = mandate(limits=[{**LIMIT, "max": "200000"}])
    rule = {"threshold": "0.2", "release": "0.1", "cooldown_s": "0"}
    watch = Watch(engine, folder, mandate=roomy, rule=rule)
    watch.at(0, 2)
    watch.monitor._tries = {}
    return watch


def test_another_instance_fires_once_more_on_what_is_clearly_over_its_line(
    lite: Engine, tmp_path: Path
) -> None:
    watch = another(lite, tmp_path)
    watch.at(3, 4, 5, 9)
    assert watch.fired == [0, 3]
    worsen(watch, "2")
    watch.at(10, 11, 12)
    assert watch.fired == [0, 3, 10]
    assert len(watch.told("trigger")) == 3


def test_what_grew_before_another_instance_saw_it_is_told(lite: Engine, tmp_path: Path) -> None:
    watch = another(lite, tmp_path)
    worsen(watch, "2")
    watch.at(3, 4, 5)
    assert watch.fired == [0, 3]
    assert len(watch.told("trigger")) == 2


def test_another_instance_waits_for_the_release_of_what_it_finds_below_its_line(
    lite: Engine, tmp_path: Path
) -> None:
    watch = another(lite, tmp_path)
    worsen(watch, "0.6")
    watch.at(3)
    worsen(watch, "1.3")
    watch.at(4)
    worsen(watch, "1.06")
    watch.at(5, 6)
    assert watch.fired == [0], "hardly over its line"
    worsen(watch, "1.2")
    watch.at(7)
    assert watch.fired == [0, 7]
