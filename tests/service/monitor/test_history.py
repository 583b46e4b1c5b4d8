from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from allocator.service.monitor.history import MarkStore
from allocator.service.monitor.marks import AccountMark, ExposureMark, LimitMark, Marks
from allocator.service.monitor.profit import Profit

START = datetime(2026, 11, 20, 8, tzinfo=UTC)


def mark(account: str, venue: str, equity: str) -> AccountMark:
    return AccountMark(
        account=account,
        owner="fund",
        venue=venue,
        state="open",
        equity=Decimal(equity),
        unrealised=Decimal(0),
        initial=Decimal(1),
        maintenance=Decimal("0.5"),
        ratio=None if account == "c" else Decimal(2),
        gross=Decimal(10),
        leverage=None,
        distance=None,
    )


def marks(at: datetime) -> Marks:
    return Marks(
        at=at,
        accounts=(mark("a", "x", "100.25"), mark("b", "x", "50"), mark("c", "y", "1")),
        exposures=(
            ExposureMark(underlying="BTC", exposure=Decimal(5), target=Decimal(4), band=Decimal(2)),
        ),
        limits=(LimitMark(limit="l", bound="max", used=Decimal(1), cap=Decimal(4), share=None),),
    )


@pytest.fixture
def store(tmp_path: Path) -> MarkStore:
    out = MarkStore(tmp_path)
    for i in range(4):
        earned = {"a": Profit(realised=Decimal("0.1")), "b": Profit(fees=Decimal("-0.3"))}
        out.write(marks(START + timedelta(hours=6 * i)), earned if i else {})
    return out


def ask(store: MarkStore, by: str) -> dict[str, tuple[Decimal | None, Decimal | None]]:
    rows = store.profit(by, START - timedelta(1), START + timedelta(2))  # type: ignore[arg-type]
    return {row["name"]: (row["realised"], row["fees"]) for row in rows}


def test_profit_is_added_up_exactly_by_account_venue_and_book(store: MarkStore) -> None:
    assert ask(store, "account") == {
        "a": (Decimal("0.3"), Decimal(0)),
        "b": (Decimal(0), Decimal("-0.9")),
        "c": (None, None),
    }
    assert ask(store, "venue")["x"] == (Decimal("0.3"), Decimal("-0.9"))
    assert ask(store, "book") == {"book": (Decimal("0.3"), Decimal("-0.9"))}


def test_interval_is_open_at_its_beginning(store: MarkStore) -> None:
    rows = store.equity("book", START, START + timedelta(hours=12))
    assert [row["at"] for row in rows] == [START + timedelta(hours=h) for h in (6, 12)]
    assert {row["equity"] for row in rows} == {Decimal("151.25")}
    assert rows[0]["ratio"] == 2


def test_groups_are_chosen_from_a_list(store: MarkStore) -> None:
    with pytest.raises(ValueError, match="not grouped"):
        store.profit("1; DROP TABLE marks", START, START)  # type: ignore[arg-type]


def test_day_that_is_over_becomes_one_file_and_answers_the_same(store: MarkStore) -> None:
    before = ask(store, "account")
    assert store.tidy(START + timedelta(days=1), 400) == (3, 0)
    files = list(store.folder.glob("accounts/day=2026-11-20/*"))
    assert [path.name for path in files] == ["day.parquet"]
    assert ask(store, "account") == before
    assert store.tidy(START + timedelta(days=1), 400) == (0, 0)


def test_joining_that_was_cut_off_doubles_nothing(store: MarkStore) -> None:
    before = ask(store, "account")
    store.tidy(START + timedelta(days=1), 400)
    store.write(marks(START), {})
    store.tidy(START + timedelta(days=1), 400)
    assert ask(store, "account") == before


def test_days_beyond_retention_are_dropped(store: MarkStore) -> None:
    joined, dropped = store.tidy(START + timedelta(days=10), 9)
    assert (joined, dropped) == (0, 3)
    rows = store.equity("book", START - timedelta(1), START + timedelta(3))
    assert {row["at"].date() for row in rows} == {(START + timedelta(1)).date()}


def test_no_marks_are_no_rows(tmp_path: Path) -> None:
    assert MarkStore(tmp_path / "none").exposures(START, START) == []
