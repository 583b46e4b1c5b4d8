from __future__ import annotations

import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from allocator.execution.history import History
from allocator.execution.leader import FencedError, next_epoch
from allocator.models.api import EquityView
from allocator.models.base import ZERO
from allocator.models.mandate import Mandate
from allocator.models.service import TriggerRule
from allocator.models.snapshot import Snapshot
from allocator.models.status import VenueStatus
from allocator.service.dashboard import charts
from allocator.service.monitor.base import FILE, TAKEN, Base, Bases
from allocator.service.monitor.flows import Ledger
from allocator.service.monitor.history import MarkStore
from allocator.service.monitor.lines import Lines
from allocator.service.monitor.marks import marks_of, observation
from allocator.service.monitor.monitor import Monitor
from allocator.service.monitor.profit import PARTS
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
    at: datetime = START, *, a: str = "1", wallet: str = "100000", rate: str = "0.0001"
) -> Snapshot:
    rows = [instrument(BTC), instrument("beta:BTC/USDT:USDT")]
    for row in rows:
        row["funding"] = {"rate": rate, "interval_h": 8}
    return Snapshot.model_validate(
        {
            "as_of": at,
            "assets": {"USDT": {"price": "1"}, "BTC": {"price": "50000", "underlying": "BTC"}},
            "instruments": rows,
            "accounts": [pool("a", "alpha", a, wallet), pool("b", "beta", "-1")],
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


@pytest.fixture
def watched(lite: Engine, tmp_path: Path) -> Watched:
    return Watched(lite, tmp_path / "history")


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
    assert marks.limits == ()
    seen = observation(marks, rates={}, day_start=None, highest=None, venue_ages_s={})
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


def test_no_day_of_losses_ends_by_a_clock_that_is_not_believed(watched: Watched) -> None:
    watched.look(0)
    assert watched.look(1, wallet="99600") == []
    watched.believed = False
    assert watched.look(1440, wallet="99600") == []
    watched.believed = True
    assert watched.look(2, wallet="99400") == ["loss"]


def test_what_is_lost_while_the_clock_is_put_back_counts(watched: Watched) -> None:
    watched.look(10)
    assert watched.look(1, wallet="99400") == ["loss"]
    (row,) = watched.monitor._store.profit("book", *EVER)
    assert sum(row[name] for name in PARTS) == -600
    assert row["funding"] == 0


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


OPEN = {"alpha": VenueStatus(state="open")}
SHUT = {"alpha": VenueStatus(state="maintenance", until=START, note="an upgrade")}


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


class CrashError(BaseException):
    """The process dies here."""


def dies(*_: object) -> None:
    raise CrashError


def earned(watched: Watched) -> dict[str, Decimal]:
    rows = MarkStore(watched.folder).profit("account", *EVER)
    return {row["name"]: sum((row[part] or ZERO for part in PARTS), ZERO) for row in rows}


@pytest.mark.parametrize("before", [True, False])
def test_a_crash_beside_the_writing_of_marks_neither_doubles_nor_loses_what_was_earned(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    watched.look(0)
    with monkeypatch.context() as patch:
        if before:
            patch.setattr(MarkStore, "write", dies)
        else:
            patch.setattr(Base, "paid", dies)
        with pytest.raises(CrashError):
            watched.look(1, wallet="99000")
    watched.monitor = watched.start()
    watched.look(2, wallet="98900")
    assert earned(watched)["a"] == -1100
    assert watched.monitor._base.earned == -1100
    watched.look(3, wallet="98900")
    assert earned(watched)["a"] == -1100


def test_a_leader_that_was_followed_adds_nothing_to_the_history(watched: Watched) -> None:
    watched.look(0)
    old = watched.monitor
    watched.monitor = watched.start()
    watched.look(1, wallet="99000")
    with pytest.raises(FencedError):
        old.take(snapshot(START + timedelta(minutes=1.5), wallet="99000"), MANDATE, {})
    assert earned(watched)["a"] == -1000
    assert len(MarkStore(watched.folder).equity("book", *EVER)) == 2


def test_what_was_earned_while_nothing_could_be_written_is_written_later(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    watched.look(0)
    with monkeypatch.context() as patch:
        patch.setattr(MarkStore, "write", full)
        watched.look(1, wallet="99000")
        watched.monitor = watched.start()
        watched.look(2, wallet="98900")
    watched.look(3, wallet="98850", missing=("a",))
    watched.look(4, wallet="98800")
    assert earned(watched)["a"] == -1200


def test_equity_of_a_group_is_not_known_unless_all_its_accounts_were_read(
    watched: Watched,
) -> None:
    watched.look(0)
    watched.look(1, missing=("b",))
    watched.look(2)
    store = MarkStore(watched.folder)
    told = {
        by: [(row["name"], row["equity"], row["ratio"] is None) for row in store.equity(by, *EVER)]  # type: ignore[arg-type]
        for by in ("book", "owner", "venue", "account")
    }
    assert told["book"] == [
        ("book", 200000, False), ("book", None, True), ("book", 200000, False),
    ]  # fmt: skip
    assert [row[1] for row in told["owner"]] == [200000, None, 200000]
    for by in ("venue", "account"):
        assert [row[1] for row in told[by]] == [100000, 100000, 100000, None, 100000, 100000]
    points = charts.equity([EquityView.model_validate(_shown(row)) for row in
                            store.equity("book", *EVER)])["points"]  # fmt: skip
    assert [value for _, value in points] == [200000.0, None, 200000.0]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in EquityView.model_fields}


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


def test_restart_fires_nothing_again_and_goes_on_with_the_profit(watched: Watched) -> None:
    watched.look(0)
    assert watched.look(1, a="1.1", wallet="99000") == ["drift", "loss"]
    watched.monitor = watched.start()
    assert watched.look(2, a="1.1", wallet="97900") == ["fall"]
    store = MarkStore(watched.folder)
    (row,) = store.profit("book", START - timedelta(1), START + timedelta(1))
    assert row["other"] == -2100


def test_leader_that_was_followed_fires_nothing(watched: Watched) -> None:
    watched.look(0)
    old = watched.monitor
    watched.monitor = watched.start()
    with pytest.raises(FencedError):
        old.take(snapshot(START + timedelta(minutes=1), a="1.1"), MANDATE, {})
    assert watched.slots.recent() == ()


def test_base_of_another_release_begins_anew(watched: Watched) -> None:
    watched.look(0)
    with watched.engine.begin() as connection:
        connection.execute(text("UPDATE mark_base SET base_json = '{\"moments\": 3}'"))
    watched.monitor = watched.start()
    assert watched.look(1) == []


def test_a_leader_on_another_machine_remembers_the_peak(engine: Engine, tmp_path: Path) -> None:
    first = Watched(engine, tmp_path / "one")
    first.look(0)
    second = Watched(engine, tmp_path / "two")
    assert second.monitor._base == first.monitor._base
    assert second.monitor._base.highest == 200000
    assert "fall" in second.look(1, wallet="97000"), "3,000 of 200,000 below the peak"


def test_the_base_of_a_leader_that_was_followed_is_not_kept(engine: Engine, tmp_path: Path) -> None:
    first = Watched(engine, tmp_path / "one")
    first.look(0)
    second = Watched(engine, tmp_path / "two")
    second.look(1, wallet="110000")
    with pytest.raises(FencedError):
        first.look(2)
    assert Bases(engine, "desk", tmp_path).read().highest == 220000 - 10000


@pytest.mark.parametrize("known", [False, True])
def test_what_an_earlier_release_left_in_the_folder_is_taken_over_once(
    engine: Engine, tmp_path: Path, known: bool
) -> None:
    old = Base(highest=Decimal(250000), day="2026-11-20", earned=Decimal(7))
    if known:
        Bases(engine, "desk", tmp_path).keep(
            next_epoch(engine, "desk", "x", START), Base(highest=Decimal(210000)), START
        )
    folder = tmp_path / "history"
    folder.mkdir()
    (folder / FILE).write_text(old.model_dump_json())
    watched = Watched(engine, folder)
    assert watched.monitor._base.highest == (210000 if known else 250000)
    watched.look(0)
    assert not (folder / FILE).exists()
    assert Base.model_validate_json((folder / TAKEN).read_text()) == old
    assert watched.start()._base == watched.monitor._base


def test_portfolios_of_one_database_have_a_base_each(engine: Engine, tmp_path: Path) -> None:
    for name in ("desk", "other"):
        lease = next_epoch(engine, name, "x", START)
        Bases(engine, name, tmp_path).keep(lease, Base(day=name), START)
    assert [Bases(engine, n, tmp_path).read().day for n in ("desk", "other")] == ["desk", "other"]


def test_marks_are_of_the_time_of_the_snapshot() -> None:
    assert marks_of(snapshot(), MANDATE).at == datetime(2026, 11, 20, 8, tzinfo=UTC)


def test_account_through_which_something_goes_waits_for_the_next_mark(watched: Watched) -> None:
    from allocator.service.monitor.profit import Flows

    class Told:
        """A ledger that says what a test wants it to say."""

        def __init__(self) -> None:
            self.flows = dict[str, Flows]()
            self.moving = set[str]()

        def read(self) -> dict[str, Flows]:
            return dict(self.flows)

        def unsettled(self) -> set[str]:
            return set(self.moving)

    told = Told()
    watched.monitor._ledger = told  # type: ignore[assignment]
    watched.look(0)
    watched.monitor.before_reading()
    told.flows = {
        "a": Flows(moved={"USDT": Decimal(-500)}),
        "b": Flows(moved={"USDT": Decimal(500)}),
    }
    watched.look(1)
    watched.monitor.before_reading()
    told.moving = {"a"}
    watched.look(2, wallet="99500")
    told.moving = set()
    watched.monitor.before_reading()
    watched.look(3, wallet="99500")
    rows = MarkStore(watched.folder).profit("account", START - timedelta(1), START + timedelta(1))
    sums = {row["name"]: (row["other"], row["flows"]) for row in rows}
    assert sums["a"] == (0, -500)
    assert sums["b"] == (-500, 500)


wallets = st.decimals(50_000, 150_000, places=2)
looks = st.lists(
    st.tuples(
        st.fixed_dictionaries({"a": wallets, "b": wallets}),
        st.decimals("0.5", "1.5", places=1),
        st.decimals(40_000, 60_000, places=1),
        st.sets(st.sampled_from("ab"), max_size=1),
    ),
    min_size=2,
    max_size=6,
)


@given(looks)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_was_earned_and_paid_in_is_the_change_of_equity_of_every_group(
    lite: Engine, tmp_path: Path, seen: list[Any]
) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    with lite.begin() as connection:
        connection.execute(text("DELETE FROM mark_base"))
    watched = Watched(lite, folder)
    worth = defaultdict[str, list[Decimal]](list)
    for minute, (held, quantity, mark, missing) in enumerate(seen):
        row = booked(minute, held, quantity, mark)
        watched.monitor.take(row, MANDATE, dict.fromkeys(missing, "gone"))
        for account in marks_of(row, MANDATE, dict.fromkeys(missing, "gone")).accounts:
            worth[account.account].append(account.equity)
    changes = {name: rows[-1] - rows[0] for name, rows in worth.items()}
    groups = {
        "account": changes,
        "venue": {"alpha": changes.get("a", ZERO), "beta": changes.get("b", ZERO)},
        "owner": {"desk": sum(changes.values(), ZERO)},
        "book": {"book": sum(changes.values(), ZERO)},
    }
    for by, wanted in groups.items():
        for found in watched.monitor._store.profit(by, *EVER):  # type: ignore[arg-type]
            earned = sum((found[part] or ZERO for part in (*PARTS, "flows")), ZERO)
            assert abs(earned - wanted[found["name"]]) <= TINY, (by, found)


def booked(minute: int, held: dict[str, Decimal], quantity: Decimal, mark: Decimal) -> Snapshot:
    """Two accounts with opposite positions that gain and lose by the mark."""
    data = snapshot(START + timedelta(minutes=minute), a=str(quantity)).model_dump(mode="json")
    for row in data["instruments"]:
        row["mark"] = str(mark)
    for row in data["accounts"]:
        row["balances"]["USDT"]["wallet"] = str(held[row["id"]])
    return Snapshot.model_validate(data)
