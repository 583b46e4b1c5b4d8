"""Budgets of requests by address, by owner and by key, on a clock that jumps over every wait."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from allocator.adapters.ccxt.budgets import HEADROOM, Budget, Budgets
from allocator.adapters.ccxt.dialects import DIALECTS
from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.ccxt.rates import LIMITS, Limit
from allocator.adapters.ccxt.scopes import SCOPES
from allocator.adapters.ccxt.unused import UNUSED
from allocator.adapters.deadline import deadline
from allocator.adapters.gather import within
from allocator.models.config import RateConfig
from allocator.models.errors import ConfigError


class Jumping(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to whatever is due next."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0
        self._resolution = self._clock_resolution = 1e-9  # type: ignore[attr-defined]
        select = self._selector.select  # type: ignore[attr-defined]

        def jump(timeout: float | None = None) -> Any:
            self.at += timeout or 0.0
            return select(0)

        self._selector.select = jump  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.at


def timed(work: Callable[[], Awaitable[Any]]) -> tuple[Any, float]:
    """Run on the jumping clock and tell how long that took by it."""
    loop = Jumping()
    try:
        return loop.run_until_complete(asyncio.ensure_future(work(), loop=loop)), loop.at
    finally:
        loop.close()


ADDRESS = Limit("address", "", 10 / HEADROOM, 60, "nobody")


def client(cost: float = 1) -> Any:
    """Stand in for a client whose requests cost that much; its own limiter lets all through."""

    async def own(units: float) -> None:
        del units

    return SimpleNamespace(
        calculate_rate_limiter_cost=lambda *asked: cost,
        throttler=own,
        handle_errors=lambda *answer: answer[0],
    )


async def ask(one: Any, api: str = "private", path: str = "account") -> None:
    """Ask for what may take all of a budget."""
    await one.throttler(one.calculate_rate_limiter_cost(api, "POST", path, {}))


def rates(*told: dict[str, Any], venue: str = "okx") -> list[RateConfig]:
    return [RateConfig.model_validate({"venue": venue, **row}) for row in told]


def test_what_others_spent_counts_by_the_venues_word_and_what_is_ours_once() -> None:
    budget = Budget(ADDRESS, "venue")

    async def work() -> None:
        await budget.take(3)
        budget.hear(2)
        assert budget.used() == pytest.approx(0.3)
        budget.hear(9)
        budget.hear(9)
        assert budget.used() == pytest.approx(0.9)
        await budget.take(1)
        await budget.take(1)

    assert timed(work)[1] == pytest.approx(60)


@pytest.mark.parametrize(
    ("asked", "weight"),
    [("userFillsByTime", 20 + 21), ("userNonFundingLedgerUpdates", 20 + 21), ("userFees", 20)],
)
def test_rows_that_weigh_at_hyperliquid_count_once_they_are_told(asked: str, weight: int) -> None:
    """Rate limits and user limits: some reads weigh one more by twenty items returned."""
    one, budgets = client(20), Budgets("hyperliquid")
    budgets.bind(one, "owner", "key")
    body = json.dumps({"type": asked, "user": "0x1"})

    async def work() -> float:
        await ask(one, "public", "info")
        one.handle_errors(200, "OK", "https://x/info", "POST", {}, "[]", [{}] * 401, {}, body)
        return budgets.used("public")

    assert timed(work)[0] * 1200 * HEADROOM == pytest.approx(weight)


@pytest.mark.parametrize(
    ("url", "service", "share"),
    [("https://fapi.binance.com/fapi/v1/time", "fapiPublic", 1200 / 2400),
     ("https://dapi.binance.com/dapi/v1/time", "fapiPublic", 1200 / 2400),
     ("https://papi.binance.com/papi/v1/um/account", "papi", 1200 / 6000),
     ("https://api.binance.com/api/v3/time", "public", 1200 / 6000),
     ("https://api.binance.com/sapi/v1/account/info", "sapi", 0)],
)  # fmt: skip
@pytest.mark.parametrize("told", ["1200", "many", None])
def test_the_weight_that_an_answer_tells_is_of_its_service(
    url: str, service: str, share: float, told: str | None
) -> None:
    one, budgets = client(), Budgets("binance")
    budgets.bind(one, "owner", "key")
    headers = {} if told is None else {"X-MBX-USED-WEIGHT-1M": told}

    async def work() -> None:
        assert one.handle_errors(200, "OK", url, "GET", headers, "{}", {}, {}, None) == 200
        used = share / HEADROOM if told == "1200" else 0
        assert budgets.used(service) == pytest.approx(used)

    timed(work)


def test_what_is_spent_comes_back_after_the_window() -> None:
    budget = Budget(ADDRESS, "venue")

    async def work() -> None:
        for _ in range(25):
            await budget.take(1)

    assert timed(work)[1] == 120


def test_a_cost_that_exceeds_all_lasts_as_long_as_it_fills() -> None:
    """One request in five seconds, in units of which twenty are let through in two."""
    budget = Budget(Limit("address", "", 20 / HEADROOM, 2, "nobody"), "venue")

    async def work() -> None:
        for _ in range(3):
            await budget.take(50)

    assert timed(work)[1] == 10


def test_a_cost_that_exceeds_all_waits_for_all() -> None:
    budget = Budget(ADDRESS, "venue")

    async def work() -> None:
        await budget.take(1)
        await budget.take(100)

    assert timed(work)[1] == 60


def test_whoever_waits_is_served_in_turn() -> None:
    budget, order = Budget(ADDRESS, "venue"), list[str]()

    async def one(name: str, cost: float) -> None:
        await budget.take(cost)
        order.append(name)

    async def work() -> None:
        await asyncio.gather(one("first", 10), one("large", 9), one("small", 1))

    timed(work)
    assert order == ["first", "large", "small"]


def test_whoever_cannot_be_served_in_time_is_told_so_at_once_and_spends_nothing() -> None:
    budget = Budget(ADDRESS, "venue")

    async def work() -> str:
        await budget.take(10)
        clock = asyncio.get_running_loop().time
        known = deadline.set(clock() + 30)
        with pytest.raises(NotSentError) as told:
            await budget.take(1)
        assert clock() == 0
        deadline.reset(known)
        await budget.take(10)
        return str(told.value)

    words, took = timed(work)
    assert words.startswith("BUDGET: venue: ")
    assert "in 60 s by address are spent beyond the deadline" in words
    assert took == 60


def test_a_gather_that_runs_out_of_budget_names_every_account_it_did_not_read() -> None:
    budget = Budget(ADDRESS, "binance")

    async def read(name: str) -> str:
        await budget.take(5)
        return name

    async def work() -> list[Any]:
        loop, out = asyncio.get_running_loop(), list[Any]()
        for allowed in (50, 50, 200):
            jobs = {name: partial(read, name) for name in "abcd"}
            until = loop.time() + allowed
            out.append(await within(jobs, until))
            await asyncio.sleep(max(0.0, until - loop.time()))
        return out

    first, second, third = timed(work)[0]
    assert [first[name] for name in "ab"] == ["a", "b"]
    assert all("BUDGET: binance" in str(first[name]) for name in "cd")
    assert sum(isinstance(row, NotSentError) for row in second.values()) == 2
    assert third == {name: name for name in "abcd"}


@pytest.mark.parametrize(("scope", "took"), [("address", 120), ("owner", 60), ("key", 0)])
def test_clients_share_what_they_are_counted_by(scope: str, took: float) -> None:
    shared = Budgets("okx", rates({"scope": scope, "units": 12, "window_s": 60}))
    clients = [client() for _ in range(3)]
    for index, one in enumerate(clients):
        shared.bind(one, owner="one" if index < 2 else "two", key=f"key-{index}")

    async def work() -> None:
        for one in clients:
            for _ in range(10):
                await ask(one)

    assert timed(work)[1] == took


def test_a_request_waits_for_every_budget_it_is_counted_in() -> None:
    shared = Budgets(
        "okx",
        rates(
            {"scope": "address", "units": 23, "window_s": 10},
            {"scope": "owner", "units": 12, "window_s": 60},
        ),
    )
    first, second = client(), client()
    shared.bind(first, owner="one", key="a")
    shared.bind(second, owner="two", key="b")

    async def many(one: Any) -> float:
        for _ in range(15):
            await ask(one)
        return asyncio.get_running_loop().time()

    async def work() -> list[float]:
        return list(await asyncio.gather(many(first), many(second)))

    assert timed(work)[0] == [60, 60]


def test_the_configuration_replaces_what_is_known_of_a_service() -> None:
    shared = Budgets(
        "binance", rates({"scope": "address", "service": "fapi", "units": 12,
                          "window_s": 60}, venue="binance")
    )  # fmt: skip
    one = client()
    shared.bind(one, owner="one", key="a")

    async def work(api: str) -> None:
        for _ in range(11):
            await ask(one, api)

    assert timed(lambda: work("fapiPrivate"))[1] == 60
    assert timed(lambda: work("sapi"))[1] == 0


@pytest.mark.parametrize(
    ("told", "took"),
    [
        ((), 60),
        (({"service": "fapi", "units": 4800},), 0),
        (({"service": "fapi", "units": 2400},), 60),
    ],
)
def test_services_that_a_venue_counts_together_draw_on_the_same_units(
    told: tuple[dict[str, Any], ...], took: float
) -> None:
    """Binance's USD-M and COIN-M share a weight of 2,400 a minute, or what is agreed for one."""
    terms = [{"scope": "address", "window_s": 60, **row} for row in told]
    shared, one = Budgets("binance", rates(*terms, venue="binance")), client(1080)
    shared.bind(one, owner="one", key="a")

    async def work() -> None:
        for api in ("fapiPrivate", "dapiPrivate", "fapiPublic", "papi", "sapi"):
            await ask(one, api)

    assert timed(work)[1] == took


@pytest.mark.parametrize("service", ["dapi", "dapiPrivate"])
def test_a_rate_of_a_service_that_draws_on_another_s_units_is_refused(service: str) -> None:
    """It would be the pool of both, or a pool that the venue does not have."""
    told = rates({"scope": "address", "service": service, "units": 6000, "window_s": 60},
                 venue="binance")  # fmt: skip
    with pytest.raises(ConfigError) as error:
        Budgets("binance", told)
    assert str(error.value) == (
        f"rates: binance counts {service} together with fapi by address: "
        "configure the rate of both under service: fapi"
    )


def test_new_orders_of_services_that_a_venue_counts_together_are_counted_together() -> None:
    """Three hundred in ten seconds of an account, nine tenths of which are used."""
    shared, one = Budgets("binance"), client(0)
    shared.bind(one, owner="one", key="a")

    async def work(times: int) -> None:
        for api in ("fapiPrivate", "dapiPrivate") * times:
            await one.throttler(one.calculate_rate_limiter_cost(api, "POST", "order", {}))

    assert timed(lambda: work(135))[1] == 0
    assert timed(lambda: work(1))[1] == 10


def test_a_rate_of_another_venue_does_not_count() -> None:
    shared = Budgets("x", rates({"scope": "address", "units": 1, "window_s": 60}, venue="bybit"))
    one = client()
    before = one.throttler
    shared.bind(one, owner="one", key="a")
    assert one.throttler is before


def test_every_venue_says_whom_it_counts_together_and_what_is_not_used() -> None:
    assert SCOPES.keys() == UNUSED.keys() == DIALECTS.keys()
    assert all(row.source for bounds in SCOPES.values() for row in bounds)


def test_every_venue_has_a_limit_by_address_and_says_who_told_it() -> None:
    assert LIMITS.keys() == DIALECTS.keys()
    for rows in LIMITS.values():
        assert any(row.scope == "address" for row in rows)
        assert all(row.source for row in rows)


@pytest.mark.parametrize(
    ("venue", "units", "window_s", "each"),
    [("okx", 20, 2, True), ("gate", 200, 10, True), ("deribit", 100, 5, False)],
)
def test_clients_of_one_address_share_its_public_limit(
    venue: str, units: int, window_s: int, each: bool
) -> None:
    """No stretch of the window sees more than the share of the limit that is used."""

    def asked(*paths: str) -> list[float]:
        shared, at = Budgets(venue), list[float]()

        async def many(path: str) -> None:
            one = client()
            shared.bind(one, owner=f"owner-{len(at)}", key=f"key-{len(at)}")
            for _ in range(units):
                await ask(one, "public", path)
                at.append(asyncio.get_running_loop().time())

        async def work() -> None:
            await asyncio.gather(*map(many, paths))

        timed(work)
        return at

    at = asked("ticker", "ticker", "ticker", "ticker")
    assert len(at) == 4 * units
    assert all(
        sum(one <= other < one + window_s for other in at) <= units * HEADROOM for one in set(at)
    )
    assert (max(asked("a", "b", "c", "d")) <= 2 * window_s) == each


def test_what_is_asked_with_a_key_is_counted_by_key_and_not_by_address() -> None:
    shared = Budgets("okx")
    clients = [client() for _ in range(10)]
    for index, one in enumerate(clients):
        shared.bind(one, owner="one", key=f"key-{index}")

    async def work(times: int) -> None:
        for one in clients:
            for _ in range(times):
                await ask(one, "private")

    assert timed(lambda: work(18))[1] == 0
    assert timed(lambda: work(1))[1] == 2


@pytest.mark.parametrize(("venue", "cost"), [("gate", 3), ("okx", 3), ("kucoinfutures", 1)])
def test_each_order_of_a_request_counts_where_the_venue_counts_it(venue: str, cost: float) -> None:
    one = client()
    Budgets(venue).bind(one, "owner", "key")
    told = one.calculate_rate_limiter_cost(["private"], "POST", "orders", [{}, {}, {}])
    assert told[:3] == ("private", "orders", cost)
