"""A monitor's looks: what they tell, and which triggers they fire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.execution.history import History
from allocator.execution.leader import FencedError
from allocator.models.mandate import Mandate
from allocator.models.service import TriggerRule
from allocator.service.monitor.marks import marks_of
from allocator.service.monitor.observed import observation
from tests.execution.book import START
from tests.service.monitor.watched import (
    BTC,
    MANDATE,
    OPEN,
    SHUT,
    CrashError,
    Watched,
    dies,
    snapshot,
)


def test_marks_tell_equity_margin_leverage_distance_and_use_of_limits() -> None:
    marks = marks_of(snapshot(), MANDATE)
    first = marks.accounts[0]
    assert (first.account, first.venue, first.equity, first.gross) == ("a", "alpha", 100000, 50000)
    assert first.maintenance == 250
    assert first.leverage == Decimal("0.5")
    assert first.ratio == 400
    shares = {row.limit: row.share for row in marks.limits}
    assert shares == {"gross": Decimal("0.25"), "lever": Decimal("0.25"), "floor": Decimal("0.5")}
    (exposure,) = marks.exposures
    assert (exposure.exposure, exposure.beyond) == (0, -1000)
    assert exposure.by_account == {"a": 50000, "b": -50000}
    assert marks.equity == 200000


def test_account_that_was_not_read_has_no_figures() -> None:
    marks = marks_of(snapshot(), MANDATE, {"b": "timeout"})
    assert [row.account for row in marks.accounts] == ["a"]
    assert marks.equity is None
    assert marks.exposures == ()
    assert {row.share for row in marks.limits} == {None}
    seen = observation(marks, rates={}, day_start=None, fallen=None, venue_ages_s={})
    assert seen.figures["pnl"] == {"book": None}


def test_a_look_at_a_clock_that_is_ahead_silences_no_trigger_once_it_is_right(
    watched: Watched,
) -> None:
    day = 1440
    assert watched.look(10 * day, wallet="300", busy=True) == ["margin"]
    assert watched.look(0, busy=True) == [], "it has come back to its release"
    assert watched.look(1, wallet="300", busy=True) == ["margin"]
    watched.monitor = watched.start()
    assert watched.look(2, busy=True) == []
    assert watched.look(12, wallet="300", busy=True) == ["margin"]


def test_history_is_dropped_neither_at_the_first_look_nor_by_a_clock_that_is_not_believed(
    watched: Watched,
) -> None:
    def days() -> int:
        return len(list(watched.folder.glob("accounts/day=*")))

    for day in range(11):
        watched.look(1440 * day)
    assert days() == 11
    watched.monitor = watched.start()
    watched.look(1440 * 12)
    assert days() == 12, "a first look"
    watched.believed = False
    watched.look(1440 * 13)
    assert days() == 13
    watched.believed = True
    watched.look(1440 * 13 + 1)
    assert days() == 10


def test_a_venue_that_was_read_at_a_clock_ahead_is_told_as_silent_in_time(
    watched: Watched,
) -> None:
    assert watched.look(1440) == []
    assert [watched.look(m, missing=("b",)) for m in (0, 0.9, 1.1)] == [[], [], ["down"]]


def test_drift_names_itself_in_the_slot_it_asks_for(watched: Watched) -> None:
    assert watched.look(0) == []
    assert watched.look(1, a="1.1") == ["drift"]
    assert watched.look(2, a="1.1") == []
    (slot,) = watched.slots.with_status("due")
    assert slot.cause == "trigger drift: drift BTC 4000 above 0"
    assert (slot.kind, slot.source) == ("plan", "drift")
    assert watched.look(3) == []
    assert watched.look(4, a="1.1") == ["drift"]
    assert watched.names == ["drift", "drift"]


def test_each_kind_fires_once(watched: Watched) -> None:
    watched.look(0)
    assert watched.look(1, wallet="99000") == ["loss"]
    assert watched.look(2, wallet="97000") == ["fall"]
    assert watched.look(3, wallet="97000", rate="0.0012") == ["funding"]
    assert watched.look(4, wallet="97000", rate="0.0012") == []
    assert watched.look(5, wallet="300") == ["margin", "used"]
    assert watched.look(6, wallet="300", missing=("b",)) == []
    assert watched.look(6.9, wallet="300", missing=("b",)) == ["down"]
    kinds = {row.source: row.kind for row in watched.slots.recent()}
    assert {name for name, kind in kinds.items() if kind == "repair"} == {"margin"}


def unfit(**changes: Any) -> Mandate:
    return Mandate.model_validate({**MANDATE.model_dump(mode="json"), **changes})


UNFITTING = [
    (unfit(targets=[{"underlying": "DOGE", "delta": "1", "unit": "base", "band": "1"}]),
     "exposures: ", "DOGE"),
    (unfit(limits=[{"id": "x", "measure": "leverage", "scope": {"account": "z"}, "max": "2",
                    "source": "a test"}]),
     "limits: ", "the scope names no account"),
    (None, "", "there is no mandate"),
]  # fmt: skip


@pytest.mark.parametrize(("mandate", "where", "why"), UNFITTING)
def test_margins_are_watched_although_the_mandate_does_not_fit(
    watched: Watched, mandate: Mandate | None, where: str, why: str
) -> None:
    assert "margin" in watched.look(0, wallet="300", mandate=mandate)
    marks = watched.monitor.latest
    assert marks is not None
    assert marks.accounts == marks_of(snapshot(wallet="300"), MANDATE).accounts
    assert marks.unfit.startswith(where)
    assert why in marks.unfit
    watched.look(1, mandate=mandate)
    assert watched.told == [("mandate_unfit", marks.unfit)]
    watched.look(2)
    watched.look(3, mandate=mandate)
    assert len(watched.told) == 2


@pytest.mark.parametrize("restarts", [False, True])
def test_triggers_fire_although_marks_of_yesterday_are_torn(
    watched: Watched, restarts: bool
) -> None:
    day = watched.folder / "accounts" / f"day={(START - timedelta(1)).date()}"
    day.mkdir(parents=True)
    (day / "1.parquet").write_bytes(b"torn")
    (day / "2.parquet").write_bytes(b"")
    assert watched.look(0, wallet="300") == ["margin", "used"]
    if restarts:
        watched.monitor = watched.start()
    assert watched.look(1, a="1.1", wallet="300") == ["drift"]
    assert watched.monitor.latest is not None
    ((topic, why),) = watched.told
    assert topic == "history_set_aside"
    assert "2 files" in why


def test_triggers_fire_although_no_marks_can_be_kept_and_that_is_told_once(
    watched: Watched,
) -> None:
    watched.folder.mkdir()
    place = watched.folder / "accounts"
    place.write_text("in the way")
    assert watched.look(0, wallet="300") == ["margin", "used"]
    watched.look(1)
    assert "margin" in watched.look(11, wallet="300")
    ((topic, why),) = watched.told
    assert (topic, "accounts" in why) == ("history_failed", True)
    place.unlink()
    watched.look(12)
    place.rename(watched.folder.parent / "kept")
    place.write_text("in the way again")
    watched.look(13)
    assert [topic for topic, _ in watched.told] == ["history_failed"] * 2


def test_a_leader_begins_although_the_folder_of_marks_is_a_file(
    lite: Engine, tmp_path: Path
) -> None:
    (tmp_path / "history").write_text("in the way")
    watched = Watched(lite, tmp_path / "history")
    assert watched.look(0, wallet="300") == ["margin", "used"]


def test_a_venue_that_says_it_is_shut_names_itself_and_its_words_once(watched: Watched) -> None:
    assert watched.look(0, says=OPEN) == []
    assert watched.look(1, says=SHUT) == ["down"]
    assert watched.look(2, says=SHUT) == []
    (slot,) = watched.slots.with_status("due")
    assert slot.cause == (
        "trigger down: venue alpha says maintenance until 2026-11-20T08:00:00Z: an upgrade"
    )
    watched.monitor = watched.start()
    assert watched.look(3, says=SHUT) == [], "a restart has not forgotten"
    assert watched.look(4, says=OPEN) == []
    assert watched.look(20, says=SHUT) == ["down"]


def test_a_venue_that_falls_silent_as_it_says_so_comes_to_one_cycle(watched: Watched) -> None:
    assert watched.look(0, missing=("a",)) == []
    assert watched.look(2, missing=("a",), says=SHUT) == ["down"]
    assert watched.look(3, missing=("a",), says=SHUT) == []
    (slot,) = watched.slots.with_status("due")
    assert "an upgrade" in slot.cause


def test_a_funding_jump_that_a_cycle_saw_first_fires_after_it(watched: Watched) -> None:
    assert watched.look(0) == []
    assert watched.look(1, rate="0.0012", busy=True) == []
    assert watched.look(2, rate="0.0012", busy=True) == []
    assert watched.look(3, rate="0.0012") == ["funding"]
    assert watched.look(4, rate="0.0012") == [], "it is known by now"


def test_an_urgent_funding_jump_fires_once_although_a_cycle_goes_on(watched: Watched) -> None:
    rule = {"id": "leap", "on": "funding", "of": BTC, "threshold": "0.001", "urgent": True}
    watched.monitor._rules = (TriggerRule.model_validate({**rule, "cooldown_s": 0}),)
    assert watched.look(0) == []
    assert watched.look(1, rate="0.0012", busy=True) == ["leap"]
    assert watched.look(2, rate="0.0012", busy=True) == []
    assert watched.look(3, rate="0.0024", busy=True) == ["leap"]
    assert watched.look(4, rate="0.0024") == []


def test_busy_monitor_looks_at_urgent_triggers_alone(watched: Watched) -> None:
    assert watched.look(0, a="1.1", wallet="300", busy=True) == ["margin"]
    assert watched.look(1, a="1.1", wallet="300") == ["drift", "used"]


def test_an_alert_of_a_trigger_is_written_with_its_slot(watched: Watched) -> None:
    watched.monitor._fired = dies
    with pytest.raises(CrashError):
        watched.look(0, wallet="300")
    watched.monitor = watched.start()
    assert watched.look(1, wallet="300") == []
    history = History(watched.engine)
    (first, second) = history.alerts()
    assert (first.topic, second.topic) == ("trigger", "trigger")
    causes = {row.cause for row in watched.slots.with_status("due")}
    assert {first.body["what"], second.body["what"]} == causes
    assert history.verify() == ()


def test_leader_that_was_followed_fires_nothing(watched: Watched) -> None:
    watched.look(0)
    old = watched.monitor
    watched.monitor = watched.start()
    with pytest.raises(FencedError):
        old.take(snapshot(START + timedelta(minutes=1), a="1.1"), MANDATE, {})
    assert watched.slots.recent() == ()


def test_marks_are_of_the_time_of_the_snapshot() -> None:
    assert marks_of(snapshot(), MANDATE).at == datetime(2026, 11, 20, 8, tzinfo=UTC)
