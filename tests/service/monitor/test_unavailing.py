"""Urgent triggers whose repair was carried out in part, given up, or could mend nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from allocator.adapters.paper.faults import Fault
from allocator.execution.transitions import Stage
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.service.monitor import monitor as watching
from allocator.service.repairs import broken
from tests.execution.book import START
from tests.service.monitor.watch import LIMIT, Watch, mandate
from tests.service.sites import snapshot


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
