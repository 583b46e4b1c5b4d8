"""How orders are looked up at Kraken Futures, by its counts, on a clock that jumps over every wait.

The client is ccxt's own with the real budgets; what it would send is answered from the venue's
documentation, late by so many seconds.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from allocator.adapters.ccxt.base import CcxtVenue
from allocator.adapters.ccxt.dialects import DIALECTS
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.gate import is_write
from allocator.adapters.ccxt.joined import Joined
from allocator.adapters.ccxt.money import Directory
from allocator.adapters.ccxt.place import Place
from allocator.adapters.ccxt.sessions import Sessions
from allocator.models.config import Config
from allocator.models.intents import AbsentNow, Finding, Found, OrderIntent, Rejected, Unsure
from tests.adapters.ccxt import kraken_payloads as kraken
from tests.adapters.ccxt.test_budgets import timed
from tests.adapters.ccxt.test_kraken_batches import BATCH, intents, named, refused, told
from tests.adapters.times import ago

RECORDED = kraken.RECORDED
BOOK, STATUS = f"GET {kraken.V3}/openorders", f"POST {kraken.V3}/orders/status"
ORDERS, EXECUTIONS = f"GET {kraken.HISTORY}/orders", f"GET {kraken.HISTORY}/executions"
TEN = intents(*(f"{number:032x}" for number in range(1, 11)))
POLL_S, LOOK_S, PATIENCE_S = 0.2, 10.0, 40.0
"""As an executor looks, and for how long it does."""


class LoopClock:
    """Waits by the loop."""

    def now(self) -> Any:
        return ago(0)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Desk:
    """An account whose client is answered from a table, and what was asked of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KRAKEN_KEY", "k")
        monkeypatch.setenv("KRAKEN_SECRET", "c2VjcmV0")
        login = {"venue": RECORDED.venue, "key": "env:KRAKEN_KEY", "secret": "env:KRAKEN_SECRET"}
        config = Config.model_validate(
            {"logins": {"main": login},
             "accounts": [{"login": "main", "owner": "fund-one", **RECORDED.accounts[0]}]}
        )  # fmt: skip
        self.table = RECORDED.table()
        self.table[f"GET {kraken.V3}/feeschedules"] = kraken.ok(feeSchedules=[])
        self.asked = list[tuple[float, str, dict[str, list[str]]]]()
        self.sessions = Sessions(config, reads_only=False)
        self.login = self.sessions.logins["main"]
        self.login.client.fetch = self._fetch
        place = Place(config.accounts[0], self.login, self.login)
        self.venue = CcxtVenue(place, Directory({"flex": place}, DIALECTS, {}), LoopClock())

    async def _fetch(self, url: str, method: str, headers: Any, body: Any) -> Any:
        del headers, body
        parts, loop = urlsplit(url), asyncio.get_running_loop()
        row = f"{method} {parts.path}"
        self.asked.append((loop.time(), row, parse_qs(parts.query)))
        await asyncio.sleep(0.05)
        answer = self.table[row]
        return json.loads(json.dumps(answer() if callable(answer) else answer), parse_float=str)

    def count(self, *rows: str) -> int:
        return sum(row in rows for _, row, _ in self.asked)

    @property
    def history(self) -> int:
        return self.count(ORDERS, EXECUTIONS)

    async def look(self, order: OrderIntent) -> Finding:
        try:
            async with asyncio.timeout(LOOK_S):
                return await self.venue.find(order, ago())
        except TimeoutError:
            return Unsure(why="no answer in time")

    async def follow(self, order: OrderIntent) -> float:
        """Look until the order is found, and tell after how many seconds it was."""
        clock = asyncio.get_running_loop().time
        while clock() < PATIENCE_S:
            if isinstance(await self.look(order), Found):
                break
            await asyncio.sleep(POLL_S)
        return clock()


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def run(desk: Desk, work: Callable[[], Awaitable[Any]]) -> Any:
    async def whole() -> Any:
        try:
            return await work()
        finally:
            await desk.sessions.close()

    return timed(whole)[0]


def uuid(order: OrderIntent) -> str:
    return str(named(order.client_id)["cliOrdId"])


def filled_late(desk: Desk, orders: list[OrderIntent], late_s: float, *, status: bool) -> None:
    """Have orders filled at the start: told by status for 5 s, by history after so many seconds."""

    def executions() -> Any:
        if asyncio.get_running_loop().time() < late_s:
            return kraken.history()
        return kraken.history(
            *(kraken.execution("0.009", "42174.5", "0.19", uuid(order)) for order in orders)
        )

    def statuses() -> Any:
        shown = status and asyncio.get_running_loop().time() < 5
        rows = [kraken.status("FULLY_EXECUTED", 0.009, uuid(order)) for order in orders]
        return kraken.ok(orders=rows if shown else [])

    desk.table |= {EXECUTIONS: executions, STATUS: statuses}


@pytest.mark.parametrize("status", [True, False], ids=["status", "no status"])
@pytest.mark.parametrize(("orders", "late_s"), [(TEN, 2), (TEN[:1], 12), (TEN, 12)])
def test_orders_whose_history_is_late_are_learnt_soon_and_for_little_of_the_budget(
    desk: Desk, orders: list[OrderIntent], late_s: float, status: bool
) -> None:
    filled_late(desk, orders, late_s, status=status)

    async def work() -> list[float]:
        return list(await asyncio.gather(*(desk.follow(order) for order in orders)))

    assert max(run(desk, work)) < late_s + 6
    assert desk.history <= 20


def test_the_history_of_an_order_that_is_looked_for_without_end_never_runs_dry(desk: Desk) -> None:
    """Ninety units in ten minutes, and at no time a minute without a reading."""

    async def work() -> None:
        clock = asyncio.get_running_loop().time
        while clock() < 1200:
            await desk.look(TEN[0])
            await asyncio.sleep(POLL_S)

    run(desk, work)
    at = [when for when, row, _ in desk.asked if row in {ORDERS, EXECUTIONS}]
    assert max(sum(one <= other < one + 600 for other in at) for one in at) <= 90
    assert max(later - when for when, later in pairwise(at)) < 60


def test_three_batches_that_the_book_refuses_are_rejected(desk: Desk) -> None:
    async def work() -> list[Any]:
        found = list[Any]()
        for batch in range(3):
            names = [f"{batch}{number:031x}" for number in range(1, 11)]
            desk.table[BATCH] = told(*(refused(name, "postWouldExecute") for name in names))
            found += await desk.venue.submit_together(intents(*names))
        return found

    refusal = Rejected(code="postWouldExecute", message="the order was not placed")
    assert run(desk, work) == [refusal] * 30
    assert desk.history <= 12


@pytest.mark.parametrize("by", ["book", "status"])
def test_an_order_that_stands_untouched_needs_no_history(desk: Desk, by: str) -> None:
    """Ten of them are found by one reading."""
    if by == "book":
        rows = [kraken.open_order(cliOrdId=uuid(order)) for order in TEN]
        desk.table[BOOK] = kraken.ok(openOrders=rows)
    else:
        rows = [kraken.status("ENTERED_BOOK", 0, uuid(order)) for order in TEN]
        desk.table[STATUS] = kraken.ok(orders=rows)

    async def work() -> list[Finding]:
        return await asyncio.gather(*map(desk.look, TEN))

    found = run(desk, work)
    assert {(row.state, row.filled, row.venue_id) for row in found} == {("open", 0, kraken.UID)}
    assert (desk.count(BOOK), desk.count(STATUS)) == (1, by == "status")
    assert desk.history == 0
    names = [name for _, row, told in desk.asked if row == STATUS for name in told["cliOrdIds"]]
    assert set(names) == (set(map(uuid, TEN)) if by == "status" else set())


@pytest.mark.parametrize(
    ("row", "history", "state"),
    [
        (kraken.status("CANCELLED", 0), 0, "cancelled"),
        (kraken.status("CANCELLED", 0, updateReason="PARTIAL_FILL"), 1, "cancelled"),
        (kraken.status("CANCELLED", None), 2, None),
        (kraken.status("REJECTED", 0), 2, None),
        (kraken.status("SOMETHING_NEW", 0), 2, None),
        (kraken.status("CANCELLED", 0, "another"), 2, None),
        (kraken.status("FULLY_EXECUTED", 0.009), 1, "unsure"),
        (kraken.status("ENTERED_BOOK", 0.004), 1, "unsure"),
    ],
)  # fmt: skip
def test_a_status_spares_what_it_tells(
    desk: Desk, row: dict[str, Any], history: int, state: str | None
) -> None:
    desk.table[STATUS] = kraken.ok(orders=[row])

    async def work() -> Finding:
        return await desk.look(RECORDED.intent())

    found = run(desk, work)
    assert desk.history == history
    match found:
        case Found():
            assert found.state == state
            assert not found.filled
        case Unsure():
            assert state == "unsure"
        case _:
            assert state is None


@pytest.mark.parametrize("answer", [{"result": "error", "error": "invalidArgument"}, {}, []])
def test_a_status_that_is_not_told_leaves_it_to_history(desk: Desk, answer: Any) -> None:
    desk.table[STATUS] = answer
    late = kraken.execution("0.009", "42174.5", "0.19")

    async def work() -> list[Finding]:
        first = await desk.look(RECORDED.intent())
        desk.table[EXECUTIONS] = kraken.history(late)
        return [first, await desk.look(RECORDED.intent())]

    first, second = run(desk, work)
    assert isinstance(first, AbsentNow)
    assert isinstance(second, Found)


def test_an_order_that_was_told_to_have_ended_is_never_absent(desk: Desk) -> None:
    filled_late(desk, [RECORDED.intent()], 1000, status=True)

    async def work() -> list[Finding]:
        first = await desk.look(RECORDED.intent())
        await asyncio.sleep(60)
        return [first, await desk.look(RECORDED.intent())]

    assert [row.finding for row in run(desk, work)] == ["unsure", "unsure"]


def test_a_look_that_history_cannot_serve_in_its_time_fails_at_once(desk: Desk) -> None:
    async def work() -> tuple[Finding, float, int]:
        terms = {"version": "v3"}
        await asyncio.gather(*(desk.login.call("history_get_orders", terms) for _ in range(90)))
        clock, before = asyncio.get_running_loop().time, desk.history
        begun = clock()
        return await desk.look(TEN[0]), clock() - begun, desk.history - before

    found, took, asked = run(desk, work)
    assert isinstance(found, Unsure)
    assert "BUDGET" in found.why
    assert (took < 1, asked) == (True, 0)


def test_absence_is_told_by_no_reading_that_began_before_the_look(desk: Desk) -> None:
    async def work() -> tuple[list[Finding], float]:
        first = asyncio.create_task(desk.look(TEN[0]))
        while not desk.history:
            await asyncio.sleep(0.01)
        second = await desk.look(TEN[1])
        return [await first, second], asyncio.get_running_loop().time()

    found, _ = run(desk, work)
    assert all(isinstance(row, AbsentNow) for row in found)
    assert desk.count(ORDERS) == 2


def test_a_reading_that_is_given_up_is_taken_over_by_who_waits_next() -> None:
    asked = list[tuple[str, ...]]()

    async def ask(names: Any) -> int:
        asked.append(tuple(names))
        await asyncio.sleep(100 if len(asked) == 1 else 1)
        return len(asked)

    async def work() -> list[Any]:
        joined = Joined[str, int](ask, lambda: 1.0, "it")
        looks = [asyncio.create_task(joined.read(name, 5)) for name in "abc"]
        await asyncio.sleep(1)
        looks[0].cancel()
        return await asyncio.gather(*looks, return_exceptions=True)

    first, *rest = timed(work)[0]
    assert isinstance(first, asyncio.CancelledError)
    assert rest == [2, 2]
    assert asked == [("a", "b", "c"), ("b", "c")]


def test_a_reading_that_fails_fails_for_all_of_its_looks_and_for_no_other() -> None:
    asked = list[tuple[str, ...]]()

    async def ask(names: Any) -> int:
        asked.append(tuple(names))
        if len(asked) == 1:
            raise UnansweredError("nothing came")
        return len(asked)

    async def work() -> list[Any]:
        joined = Joined[str, int](ask, lambda: 1.0, "it")
        looks = (joined.read(name, 5) for name in "ab")
        return [*await asyncio.gather(*looks, return_exceptions=True), await joined.read("c", 5)]

    *failed, last = timed(work)[0]
    assert [str(error) for error in failed] == ["nothing came"] * 2
    assert (last, asked) == (2, [("a", "b"), ("c",)])


def test_the_status_of_orders_is_no_write() -> None:
    assert not is_write("POST", f"https://{kraken.HOST}{kraken.V3}/orders/status?cliOrdIds=a")
