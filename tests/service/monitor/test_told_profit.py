"""Money from outside that people tell of is no part of what the history says was earned."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from tests.execution.book import START
from tests.service.monitor.test_outside_money import tell
from tests.service.monitor.watched import EVER, CrashError, Watched, dies
from tests.service.sites import Place

PARTS = ("realised", "unrealised", "funding", "fees", "revaluation", "other")


def total(row: Any) -> Decimal:
    return sum((row[name] for name in PARTS), Decimal(0))


def earned(watched: Watched, by: Any = "book") -> list[dict[str, Any]]:
    return watched.monitor._store.profit(by, *EVER)


def test_what_was_told_is_a_flow_and_the_parts_add_up(watched: Watched) -> None:
    watched.look(0)
    tell(watched, "10000", 1)
    watched.look(2, wallet="109000")
    (row,) = earned(watched)
    assert (total(row), row["flows"]) == (-1000, 10000)
    assert total(row) + row["flows"] == 9000, "by which equity has changed"


def test_what_was_told_is_of_no_account_but_of_the_book(watched: Watched) -> None:
    watched.look(0)
    watched.look(1, wallet="90000")
    tell(watched, "-10000", 2)
    watched.look(3, wallet="90000")
    for by in ("account", "owner", "venue"):
        rows = earned(watched, by)
        assert sum(total(row) for row in rows) == 0
        assert sum(row["flows"] for row in rows) == -10000
        told = next(row for row in rows if row["name"] == "(outside)")
        assert (told["other"], told["flows"]) == (10000, -10000)


def test_what_was_told_twice_between_looks_and_after_is_counted_each_time(
    watched: Watched,
) -> None:
    watched.look(0)
    tell(watched, "10000", 1)
    tell(watched, "500", 1.5)
    watched.look(2, wallet="110500")
    tell(watched, "500", 2.5)
    watched.look(3, wallet="111000")
    watched.look(4, wallet="111000")
    (row,) = earned(watched)
    assert (total(row), row["flows"]) == (0, 11000)


def test_what_was_told_is_neither_lost_nor_doubled_by_a_crash(watched: Watched) -> None:
    watched.look(0)
    tell(watched, "10000", 1)
    watched.monitor._store.write = dies  # type: ignore[method-assign]
    try:
        watched.look(2, wallet="110000")
    except CrashError:
        watched.monitor = watched.start()
    watched.look(3, wallet="110000")
    watched.monitor = watched.start()
    tell(watched, "500", 3.5)
    watched.look(4, wallet="110500")
    (row,) = earned(watched)
    assert (total(row), row["flows"]) == (0, 10500)


def test_what_was_told_is_no_account_whose_equity_is_followed(watched: Watched) -> None:
    watched.look(0)
    tell(watched, "10000", 1)
    watched.look(2, wallet="110000")
    rows = watched.monitor._store.equity("book", *EVER)
    assert [(row["equity"], row["accounts"]) for row in rows] == [(200000, 2), (210000, 2)]
    names = {row["name"] for row in watched.monitor._store.equity("account", *EVER)}
    assert names == {"a", "b"}


def test_the_api_and_the_tile_tell_what_was_earned_without_it(lite: Engine, tmp_path: Path) -> None:
    place = Place(lite, tmp_path)
    watched = Watched(lite, tmp_path / "history")
    watched.look(0)
    tell(watched, "10000", 1)
    watched.look(2, wallet="110000")
    place.clock.at = START.replace(minute=30)
    (row,) = place.get("/v1/profit", by="book").json()
    assert (row["other"], row["flows"]) == ("0", "10000")
