"""What a monitor says was earned, and what it keeps of it: doubled never, lost never."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from allocator.execution.leader import FencedError, next_epoch
from allocator.models.api import EquityView
from allocator.models.base import ZERO
from allocator.service.dashboard import charts
from allocator.service.monitor.base import FILE, TAKEN, Base, Bases
from allocator.service.monitor.history import MarkStore
from allocator.service.monitor.marks import marks_of
from allocator.service.monitor.profit import PARTS
from tests.execution.book import START
from tests.service.monitor.watched import (
    EVER,
    MANDATE,
    TINY,
    CrashError,
    Watched,
    booked,
    dies,
    snapshot,
)


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


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in EquityView.model_fields}


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


def test_restart_fires_nothing_again_and_goes_on_with_the_profit(watched: Watched) -> None:
    watched.look(0)
    assert watched.look(1, a="1.1", wallet="99000") == ["drift", "loss"]
    watched.monitor = watched.start()
    assert watched.look(2, a="1.1", wallet="97900") == ["fall"]
    store = MarkStore(watched.folder)
    (row,) = store.profit("book", START - timedelta(1), START + timedelta(1))
    assert row["other"] == -2100


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

        def in_doubt(self, _places: object) -> dict[str, Decimal]:
            return {}

        def doubtful(self, _account: str, _places: object) -> dict[str, Decimal]:
            return {}

        def sends(self, _account: str) -> bool:
            return False

        def clear(self) -> bool:
            return True

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
            assert abs(earned - wanted.get(found["name"], ZERO)) <= TINY, (by, found)


def test_what_was_told_again_after_midnight_is_of_one_day_alone(watched: Watched) -> None:
    """A restart does not know that the last mark was kept, and tells it again with the next."""
    day = timedelta(days=1)
    midnight = START.replace(hour=0) + day
    minutes = (midnight - START) / timedelta(minutes=1)
    watched.look(minutes - 2)
    watched.look(minutes - 1, wallet="99000")
    watched.monitor = watched.start()
    watched.look(minutes + 1, wallet="98900")
    store = MarkStore(watched.folder)
    second = timedelta(seconds=1)
    days = (midnight - day, midnight - second), (midnight - second, midnight + day)
    rows = [row for since, until in days for row in store.profit("book", since, until)]
    assert sum(row[part] or 0 for row in rows for part in PARTS) == -1100
    (whole,) = store.profit("book", midnight - day, midnight + day)
    assert sum(whole[part] for part in PARTS) == -1100
