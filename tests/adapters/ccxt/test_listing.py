"""No order that stands all the while is missed or doubled when a list moves between two pages."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, cast

import pytest

from allocator.adapters.ccxt import gateio_reads, gateio_waiting, kucoin_reads, listing
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.session import Login
from allocator.models.errors import VenueError

Change = Callable[[list[Any]], None]
Reader = Callable[[Login], Awaitable[list[Any]]]


class Moving:
    """A list in pages, newest first, that changes before some of its answers."""

    def __init__(self, count: int, changes: dict[int, Change]) -> None:
        self.rows = [{"id": f"o{number}"} for number in range(count)]
        self.first = {row["id"] for row in self.rows}
        self.changes = changes
        self.calls = 0

    async def call(self, endpoint: str, asked: dict[str, Any]) -> Any:
        self.calls += 1
        if self.calls in self.changes:
            self.changes[self.calls](self.rows)
        if "currentPage" in asked:
            size = asked["pageSize"]
            start = (asked["currentPage"] - 1) * size
            pages = max(-(-len(self.rows) // size), 1)
            return {"data": {"items": self.rows[start : start + size], "totalPage": pages}}
        if "page_num" in asked:
            start = (asked["page_num"] - 1) * 20
            return {"orders": self.rows[start : start + 20]}
        return self.rows[asked["offset"] : asked["offset"] + asked["limit"]]


READERS: dict[str, tuple[Reader, int]] = {
    "kucoin": (lambda at: kucoin_reads.standing_rows(at, "orders", {}), 50),
    "gate": (lambda at: gateio_reads.standing_rows(at, "orders", {}), 100),
    "gate trails": (lambda at: gateio_waiting.trails(at, "usdt"), 20),
    "gate chases": (lambda at: gateio_waiting.chases(at, "usdt"), 20),
}
EACH = pytest.mark.parametrize("venue", READERS)


def ids(venue: str, moving: Moving) -> list[str]:
    found = asyncio.run(cast("Any", READERS[venue][0](cast("Login", moving))))
    return [row["id"] for row in found]


def end(place: int) -> Change:
    def change(rows: list[Any]) -> None:
        del rows[place]

    return change


@EACH
@pytest.mark.parametrize("pages", [1.4, 2, 2.6])
def test_what_stands_is_read_though_one_of_an_earlier_page_ends(venue: str, pages: float) -> None:
    moving = Moving(int(READERS[venue][1] * pages), {2: end(3), 3: end(0)})
    told = ids(venue, moving)
    assert {row["id"] for row in moving.rows} <= set(told)
    assert len(told) == len(set(told))


@EACH
def test_one_that_comes_in_between_doubles_none(venue: str) -> None:
    moving = Moving(READERS[venue][1] + 9, {2: lambda rows: rows.insert(0, {"id": "new"})})
    told = ids(venue, moving)
    assert moving.first <= set(told)
    assert len(told) == len(set(told))


@EACH
@pytest.mark.parametrize("seed", range(20))
def test_nothing_that_stood_all_the_while_is_missed(venue: str, seed: int) -> None:
    rng = Random(seed)

    def change(rows: list[Any]) -> None:
        for _ in range(rng.randrange(3)):
            rows.pop(rng.randrange(len(rows)))
        for _ in range(rng.randrange(3)):
            rows.insert(0, {"id": f"n{rng.random()}"})

    moving = Moving(READERS[venue][1] * 2 + 7, dict.fromkeys(rng.sample(range(2, 9), 3), change))
    told = ids(venue, moving)
    assert {row["id"] for row in moving.rows} & moving.first <= set(told)
    assert len(told) == len(set(told))


def test_one_page_is_asked_for_once() -> None:
    for venue, count in (("kucoin", 50), ("gate", 99), ("gate trails", 0), ("gate chases", 0)):
        moving = Moving(count, {})
        assert len(ids(venue, moving)) == count
        assert moving.calls == 1


def test_two_orders_of_one_name_in_one_answer_are_not_read() -> None:
    moving = Moving(5, {1: lambda rows: rows.append(rows[0])})
    with pytest.raises(VenueError, match="two rows of o0"):
        ids("gate", moving)


@pytest.mark.parametrize("venue", ["kucoin", "gate trails", "gate chases"])
def test_a_list_that_never_holds_still_is_not_read(venue: str) -> None:
    moving = Moving(READERS[venue][1] + 30, dict.fromkeys(range(2, 99), end(0)))
    with pytest.raises(UnansweredError, match=f"while {listing.READINGS} readings"):
        ids(venue, moving)
