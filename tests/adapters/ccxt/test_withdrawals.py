import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt.session import Login
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    Rejected,
    TransferIntent,
    Unknown,
    Unsure,
)
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.times import ago, now
from tests.patient import Patient

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
ID = "0123456789abcdef0123456789abcdef"
ROUTES = {
    "out": ("bybit-fund", "binance-spot", "TRX", "TBinanceFundOne11111111111111111111"),
    "back": ("binance-spot", "bybit-fund", "TRX", "TBybitFundOne1111111111111111111111"),
}


@pytest.fixture
def both(both_data: dict[str, Any]) -> Config:
    routes = [
        {"id": name, "from": source, "to": target, "asset": "USDT", "kind": "onchain",
         "latency_s": 600}
        for name, (source, target, _, _) in ROUTES.items()
    ]  # fmt: skip
    return Config.model_validate(
        {
            **both_data,
            "routes": routes,
            "addresses": {
                name: {"network": network, "address": address}
                for name, (_, _, network, address) in ROUTES.items()
            },
        }
    )


def withdrawal(route: str) -> TransferIntent:
    source, target, _, _ = ROUTES[route]
    return TransferIntent(
        client_id=ID,
        route=route,
        source=source,
        target=target,
        asset="USDT",
        amount=Decimal("5000.5"),
    )


@pytest.mark.parametrize("route", list(ROUTES))
@pytest.mark.parametrize("fault", ["", "drop_after"])
def test_a_withdrawal_is_under_way_until_the_other_venue_credits_it(
    run: Run, both: Config, emulator: Emulator, route: str, fault: str
) -> None:
    sent = withdrawal(route)

    async def work(opened: Opened) -> None:
        source, target = opened.venues[sent.source], opened.venues[sent.target]
        since = ago(1)
        before = (await target.read()).wallets["USDT"], (await source.read()).wallets["USDT"]
        assert isinstance(await source.find(sent, since), AbsentNow)
        if fault:
            emulator.fault({"kind": fault, "method": "POST"})
        assert isinstance(await source.submit(sent), Unknown if fault else Ack)
        found = await source.find(sent, since)
        assert isinstance(found, Found)
        assert (found.state, found.filled) == ("in_transit", 0)
        assert found.fees == {"USDT": Decimal(1)}
        emulator.admin("POST", "clock", advance_ms=1600)
        found = await source.find(sent, since)
        assert isinstance(found, Found)
        assert (found.state, found.filled) == ("settled", sent.amount)
        assert (await target.read()).wallets["USDT"] == before[0] + sent.amount
        assert (await source.read()).wallets["USDT"] == before[1] - sent.amount - 1

    run(both, work)
    effects: Any = emulator.admin("GET", "effects")
    assert [row["count"] for row in effects["withdrawals"]] == [1]


def told_otherwise(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], Any]
) -> None:
    """Change every record of a withdrawal on its way."""
    call = Login.call

    async def changed(login: Login, endpoint: str, *rest: Any) -> Any:
        reply = await call(login, endpoint, *rest)
        if endpoint == "sapi_get_capital_withdraw_history":
            return [row | change(row) for row in reply]
        if endpoint == "private_get_v5_asset_withdraw_query_record":
            rows = [row | change(row) for row in reply["result"]["rows"]]
            return {**reply, "result": {**reply["result"], "rows": rows}}
        return reply

    monkeypatch.setattr(Login, "call", changed)


@pytest.mark.parametrize("route", list(ROUTES))
@pytest.mark.parametrize(
    "change", [{"amount": "5000.4"}, {"coin": "USDC"}, {"address": "T1", "toAddress": "T1"}]
)
def test_a_record_of_something_else_under_our_id_is_not_ours_done(
    run: Run, both: Config, monkeypatch: pytest.MonkeyPatch, route: str, change: dict[str, str]
) -> None:
    sent = withdrawal(route)

    async def work(opened: Opened) -> None:
        source = opened.venues[sent.source]
        outcome = await source.submit(sent)
        assert isinstance(outcome, Ack)
        told_otherwise(monkeypatch, lambda _: change)
        told = await source.find(sent, now(), outcome.venue_id)
        assert isinstance(told, Unsure)
        assert "5000.5 USDT" in told.why
        assert next(iter(change.values())) in told.why

    run(both, work)


@pytest.mark.parametrize("route", list(ROUTES))
def test_an_address_in_small_letters_makes_no_absence(
    run: Run, both: Config, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    sent = withdrawal(route)

    def small(row: dict[str, Any]) -> dict[str, Any]:
        return {key: str(row[key]).lower() for key in ("address", "toAddress") if key in row}

    async def work(opened: Opened) -> None:
        source = opened.venues[sent.source]
        since = ago(1)
        await source.server_time()
        emulator.fault({"kind": "drop_after", "method": "POST"})
        assert isinstance(await source.submit(sent), Unknown)
        told_otherwise(monkeypatch, small)
        assert isinstance(await source.find(sent, since), Found)

    run(both, work)


def test_a_withdrawal_that_was_carried_out_twice_is_nobodys(
    run: Run, both: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, call = withdrawal("back"), Login.call

    async def twice(login: Login, endpoint: str, *rest: Any) -> Any:
        reply = await call(login, endpoint, *rest)
        return 2 * reply if endpoint == "sapi_get_capital_withdraw_history" else reply

    async def work(opened: Opened) -> None:
        source = opened.venues[sent.source]
        assert isinstance(await source.submit(sent), Ack)
        monkeypatch.setattr(Login, "call", twice)
        assert isinstance(await source.find(sent, now()), Unsure)

    run(both, work)


@pytest.mark.parametrize("route", list(ROUTES))
@pytest.mark.parametrize(("most", "sent"), [("0.999999", 0), ("1", 1), (None, 1)])
def test_a_fee_above_the_plans_is_not_paid(
    run: Run, both: Config, emulator: Emulator, route: str, most: str | None, sent: int
) -> None:
    planned = None if most is None else Decimal(most)
    intent = withdrawal(route).model_copy(update={"most_fee": planned})

    async def work(opened: Opened) -> None:
        outcome = await opened.venues[intent.source].submit(intent)
        assert isinstance(outcome, Ack if sent else Rejected)
        if isinstance(outcome, Rejected):
            assert outcome.code == "NOT_SENT"
            assert "1 USDT are charged over" in outcome.message

    run(both, work)
    effects: Any = emulator.admin("GET", "effects")
    assert sum(row["count"] for row in effects["withdrawals"]) == sent


def test_a_route_takes_fee_minimum_and_step_from_the_sending_venue(run: Run, both: Config) -> None:
    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        route = book.snapshot.route["out"]
        assert (route.fee, route.min, route.step) == (1, 10, Decimal("0.000001"))
        assert route.enabled
        assert route.latency_s == 600

    run(both, work)


def test_a_route_without_an_address_is_switched_off_and_named(run: Run, both: Config) -> None:
    bare = both.model_copy(update={"addresses": {"out": both.addresses["out"]}})

    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        assert not book.snapshot.route["back"].enabled
        assert [row.account for row in book.missing] == ["binance-spot"]
        outcome = await opened.venues["binance-spot"].submit(withdrawal("back"))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "NOT_SENT"

    run(bare, work)


@pytest.mark.parametrize(
    "other",
    [
        {"target": "sub1-spot"},
        {"asset": "USDC"},
        {"source": "binance-usdm"},
        {"source": "binance-usdm", "target": "sub1-spot"},
        {
            "route": "internal:sub1-spot>sub1-usdm:USDT",
            "source": "sub1-spot",
            "target": "sub1-usdm",
        },
    ],
)
def test_an_account_sends_only_its_own_and_only_what_a_route_is_registered_for(
    run: Run, both: Config, emulator: Emulator, other: dict[str, str]
) -> None:
    sent = withdrawal("back").model_copy(update=other)

    async def work(opened: Opened) -> None:
        outcome = await opened.venues["binance-spot"].submit(sent)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "NOT_SENT"

    run(both, work)
    effects: Any = emulator.admin("GET", "effects")
    assert not effects["withdrawals"]
    assert not effects["transfers"]


def test_a_withdrawal_is_not_looked_up_oftener_than_the_venue_counts_for_one_user(
    both: Config,
) -> None:
    """Binance lets a user look ten times a minute, and bars every account after one more."""
    sent = withdrawal("back")
    with running_emulator(limit_scale=1) as emulator:
        config = both.model_copy(update={"loopback_url": emulator.base_url})

        async def work(opened: Opened) -> None:
            clock = asyncio.get_running_loop().time
            source, begun = opened.venues[sent.source], clock()
            outcome = await source.submit(sent)
            assert isinstance(outcome, Ack)
            looks = [await source.find(sent, now(), outcome.venue_id) for _ in range(12)]
            assert isinstance(looks[0], Found)
            unsure = [row.why for row in looks if isinstance(row, Unsure)]
            assert unsure
            assert all("BUDGET" in why for why in unsure)
            assert clock() - begun < 5
            assert (await source.read()).complete

        run_with(config, work, Patient)
        log: Any = emulator.admin("GET", "requests")
    asked = [row for row in log if row["path"].endswith("withdraw/history")]
    assert {row["status"] for row in asked} == {200}
