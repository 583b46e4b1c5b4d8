"""What the monitor remembers beside its lines: venues' last words, rates seen last."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from allocator.adapters.statuses import Statuses
from allocator.execution.leader import FencedError
from allocator.models.service import TriggerRule
from allocator.models.status import Told, VenueStatus
from allocator.service.monitor.memory import Memory
from tests.execution.book import START
from tests.service.monitor.watched import BTC, OPEN, SHUT, Watched


@pytest.mark.parametrize("silent", [{}, {"alpha": VenueStatus(state="unknown", note="HTTP 503")}])
def test_what_venues_said_last_is_remembered_with_its_time(
    engine: Engine, tmp_path: Path, silent: dict[str, VenueStatus]
) -> None:
    watched, memory = Watched(engine, tmp_path / "history"), Memory(engine, "desk")
    assert memory.told() == {}
    watched.look(0, says=SHUT)
    watched.look(1, says=silent)
    assert memory.told() == {"alpha": Told(status=SHUT["alpha"], at=START)}
    assert Memory(engine, "other").told() == {}
    watched.look(2, says=OPEN)
    assert memory.told() == {"alpha": Told(status=OPEN["alpha"], at=START + timedelta(minutes=2))}


def test_a_leader_that_follows_tells_no_step_up_a_second_time(
    engine: Engine, tmp_path: Path
) -> None:
    first = Watched(engine, tmp_path / "one")
    assert first.look(1, says=SHUT) == ["down"]
    second = Watched(engine, tmp_path / "two")
    unread = Statuses(Memory(engine, "desk").told()).take({"alpha": "HTTP 503"}, START)
    assert unread["alpha"].gravity == 3
    assert second.look(2, says=unread) == []
    assert second.look(30, says=unread) == []


def test_what_a_leader_that_was_followed_hears_is_not_kept(engine: Engine, tmp_path: Path) -> None:
    first = Watched(engine, tmp_path / "one")
    second = Watched(engine, tmp_path / "two")
    second.look(1, says=SHUT)
    with pytest.raises(FencedError):
        first.look(2, says=OPEN)
    assert Memory(engine, "desk").told()["alpha"].status == SHUT["alpha"]


def test_a_funding_jump_that_a_cycle_saw_first_outlives_its_leader(
    engine: Engine, tmp_path: Path
) -> None:
    first = Watched(engine, tmp_path / "one")
    assert first.look(0) == []
    assert first.look(1, rate="0.0012", busy=True) == []
    second = Watched(engine, tmp_path / "two")
    assert second.look(2, rate="0.0012") == ["funding"]
    third = Watched(engine, tmp_path / "three")
    assert third.look(3, rate="0.0012") == [], "it has been told"


def test_a_jump_over_a_failover_fires_once_for_each_kind_of_trigger(
    engine: Engine, tmp_path: Path
) -> None:
    rule = {"id": "leap", "on": "funding", "of": BTC, "threshold": "0.001", "cooldown_s": "0"}
    rules = (TriggerRule.model_validate({**rule, "urgent": True}),)
    first = Watched(engine, tmp_path / "one")
    first.monitor._rules = rules
    assert first.look(0) == []
    assert first.look(1, rate="0.0012", busy=True) == ["leap"]
    second = Watched(engine, tmp_path / "two")
    second.monitor._rules = rules
    assert second.look(2, rate="0.0012", busy=True) == []


def test_rates_of_another_release_begin_anew(lite: Engine, tmp_path: Path) -> None:
    watched = Watched(lite, tmp_path / "history")
    watched.look(0)
    with watched.engine.begin() as connection:
        connection.execute(text("UPDATE seen_rates SET rates_json = '[3]'"))
    watched.monitor = watched.start()
    assert watched.look(1, rate="0.0012") == []
    assert watched.look(2, rate="0.0001") == ["funding"]


def test_a_word_of_another_release_hides_none_of_the_others(lite: Engine, tmp_path: Path) -> None:
    watched = Watched(lite, tmp_path / "history")
    watched.look(0, says={**SHUT, "beta": VenueStatus(state="open")})
    with watched.engine.begin() as connection:
        connection.execute(text("UPDATE venue_word SET state = 'asleep' WHERE venue = 'alpha'"))
    assert list(Memory(lite, "desk").told()) == ["beta"]
