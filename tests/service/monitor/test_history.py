from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars
import pytest

from allocator.models.errors import StaleError
from allocator.service.monitor.history import MarkStore, Tidied
from allocator.service.monitor.marks import AccountMark, ExposureMark, LimitMark, Marks
from allocator.service.monitor.profit import OUTSIDE, Earned, Profit

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
        since = START + timedelta(hours=6 * (i - 1))
        earned = {
            "a": Earned(since=since, profit=Profit(realised=Decimal("0.1"))),
            "b": Earned(since=since, profit=Profit(fees=Decimal("-0.3"))),
        }
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


def lacks(
    store: MarkStore, by: str, since: datetime = START - timedelta(1)
) -> dict[str, list[str]]:
    rows = store.profit(by, since, START + timedelta(2))  # type: ignore[arg-type]
    return {row["name"]: row["lacks"] for row in rows}


def test_a_sum_says_of_which_accounts_it_knows_nothing(store: MarkStore) -> None:
    assert lacks(store, "account") == {"a": [], "b": [], "c": ["c"]}
    assert lacks(store, "venue") == {"x": [], "y": ["c"]}
    assert lacks(store, "book") == {"book": ["c"]}


def test_a_sum_says_what_was_marked_elsewhere_within_the_interval(store: MarkStore) -> None:
    """As by another instance, which led meanwhile and has a folder of its own."""
    for path in store.folder.glob("accounts/*/140000000000.parquet"):
        path.unlink()
    assert lacks(store, "book") == {"book": ["a", "b", "c"]}
    assert ask(store, "account")["a"][0] == Decimal("0.2")
    since = START + timedelta(hours=6)
    assert lacks(store, "account", since)["a"] == [], "it was before"
    store.tidy(START + timedelta(days=1), 400)
    assert lacks(store, "account")["b"] == ["b"]


def test_what_people_told_is_marked_where_it_is_told(store: MarkStore) -> None:
    at = START + timedelta(hours=12)
    told = Earned(since=at - timedelta(hours=1), profit=Profit(other=Decimal(-5)))
    store.write(marks(at), {OUTSIDE: told})
    assert lacks(store, "account")[OUTSIDE] == []


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
    assert store.tidy(START + timedelta(days=1), 400) == Tidied(3, 0)
    files = list(store.folder.glob("accounts/day=2026-11-20/*"))
    assert [path.name for path in files] == ["day.parquet"]
    assert ask(store, "account") == before
    assert store.tidy(START + timedelta(days=1), 400) == Tidied(0, 0)


def test_joining_that_was_cut_off_doubles_nothing(store: MarkStore) -> None:
    before = ask(store, "account")
    store.tidy(START + timedelta(days=1), 400)
    store.write(marks(START), {})
    store.tidy(START + timedelta(days=1), 400)
    assert ask(store, "account") == before


def test_days_beyond_retention_are_dropped(store: MarkStore) -> None:
    assert store.tidy(START + timedelta(days=9), 9) == Tidied(3, 0)
    assert store.tidy(START + timedelta(days=10), 9) == Tidied(0, 3)
    rows = store.equity("book", START - timedelta(1), START + timedelta(3))
    assert {row["at"].date() for row in rows} == {(START + timedelta(1)).date()}


def test_a_clock_that_is_years_ahead_drops_a_few_days_at_most(store: MarkStore) -> None:
    for number in range(10):
        store.write(marks(START + timedelta(days=number)), {})
    years = timedelta(days=1000)
    assert store.tidy(START + years, 9).dropped == 0, "it is not known when it last was"
    assert store.tidy(START + timedelta(days=9), 9).dropped == 0
    assert store.tidy(START + years, 9).dropped == 3 * 3
    assert store.tidy(START + timedelta(days=9), 9).dropped == 0
    assert len(list(store.folder.glob("accounts/day=*"))) == 7


def test_a_clock_that_is_years_ahead_from_the_first_tidying_on_drops_a_few_days(
    store: MarkStore,
) -> None:
    for number in range(10):
        store.write(marks(START + timedelta(days=number)), {})
    years = timedelta(days=1000)
    assert store.tidy(START + years, 9).dropped == 0
    assert store.tidy(START + years + timedelta(days=1), 9).dropped == 3 * 3
    assert store.tidy(START + timedelta(days=9), 9).dropped == 0
    assert len(list(store.folder.glob("accounts/day=*"))) == 7


def test_a_record_of_tidying_that_cannot_be_read_drops_nothing(store: MarkStore) -> None:
    for text in ("", "yesterday", "2026-11-20T08:00:00"):
        (store.folder / "tidied").write_text(text)
        assert store.tidy(START + timedelta(days=100), 9).dropped == 0
        assert store.tidy(START + timedelta(days=9), 9).dropped == 0


def test_no_marks_are_no_rows(tmp_path: Path) -> None:
    assert MarkStore(tmp_path / "none").exposures(START, START) == []


def torn(store: MarkStore, name: str = "090000000000.parquet") -> Path:
    """Leave a file as a power cut may leave it."""
    path = store.folder / "accounts" / "day=2026-11-20" / name
    whole = sorted(path.parent.glob("0*.parquet"))[0].read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


DAYS = START - timedelta(1), START + timedelta(2)


def test_what_can_be_read_is_followed_and_a_sum_that_lacks_something_is_refused(
    store: MarkStore,
) -> None:
    path = torn(store)
    name = "accounts/day=2026-11-20/090000000000.parquet"
    assert len(store.equity("book", *DAYS)) == 4
    for _ in range(2):
        with pytest.raises(StaleError, match=f"HISTORY_UNREADABLE: .*{name}"):
            store.profit("book", *DAYS)
    assert store.profit("book", *DAYS, whole=False)[0]["realised"] == Decimal("0.3")
    assert store.lacking(*DAYS) == (name,)
    assert store.lacking(START + timedelta(1), START + timedelta(2)) == ()
    path.unlink()
    assert store.profit("book", *DAYS)[0]["realised"] == Decimal("0.3")


def test_a_file_that_is_written_anew_is_read_again(store: MarkStore) -> None:
    path = torn(store, "140000000000.parquet")
    assert store.lacking(*DAYS) == ()
    assert len(store.equity("book", *DAYS)) == 3
    store.write(marks(START + timedelta(hours=6)), {})
    assert path.exists()
    assert len(store.equity("book", *DAYS)) == 4
    assert store.lacking(*DAYS) == ()


def test_what_cannot_be_read_is_set_aside_and_named(store: MarkStore) -> None:
    torn(store)
    whole = sorted((store.folder / "accounts" / "day=2026-11-20").glob("*.parquet"))[0]
    middle = whole.with_name("090100000000.parquet")
    text = whole.read_bytes()
    middle.write_bytes(text[:20] + b"\0" * 40 + text[60:])
    done = store.tidy(START + timedelta(days=1), 400)
    assert done.joined == 3
    assert [row.rpartition("/")[2] for row in done.aside] == [
        "090000000000.parquet.unreadable",
        "090100000000.parquet.unreadable",
    ]
    assert len(store.equity("book", *DAYS)) == 4
    assert store.lacking(*DAYS) == done.aside
    assert store.tidy(START + timedelta(days=1), 400) == Tidied(0, 0)


def test_an_empty_file_of_today_is_set_aside_as_well(store: MarkStore) -> None:
    (torn(store)).write_bytes(b"")
    assert len(store.tidy(START + timedelta(hours=12), 400).aside) == 1


def test_a_write_that_fails_leaves_no_draft(store: MarkStore) -> None:
    (store.folder / "accounts" / "day=2026-11-20" / "100000000000.parquet").mkdir()
    with pytest.raises(OSError, match="directory"):
        store.write(marks(START + timedelta(hours=2)), {})
    assert list(store.folder.glob("*/*/*.draft")) == []


def test_marks_of_an_earlier_release_are_added_up_and_joined_with_later_ones(
    store: MarkStore,
) -> None:
    for path in store.folder.glob("accounts/day=2026-11-20/*.parquet"):
        polars.read_parquet(path).drop("base").write_parquet(path)
    before = ask(store, "account")
    assert before["a"] == (Decimal("0.3"), Decimal(0))
    store.tidy(START + timedelta(days=2), 400)
    assert ask(store, "account") == before


def test_a_day_that_is_being_joined_counts_nothing_twice(store: MarkStore) -> None:
    before = ask(store, "account")
    parts = {path: path.read_bytes() for path in store.folder.glob("*/*/*.parquet")}
    store.tidy(START + timedelta(days=2), 400)
    for path, text in parts.items():
        path.write_bytes(text)
    assert ask(store, "account") == before
    assert {row["equity"] for row in store.equity("book", *DAYS)} == {Decimal("151.25")}
    assert len(store.exposures(*DAYS)) == 4
