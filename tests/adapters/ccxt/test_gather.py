from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt.dialects import DIALECTS
from allocator.adapters.ccxt.place import Place
from allocator.adapters.ccxt.sessions import Sessions
from allocator.adapters.emulator.records import Balance
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.emulator.world import demo_world
from allocator.adapters.registry import Opened
from allocator.models.base import plain
from allocator.models.config import Config
from allocator.models.errors import ConfigError, RefusedError
from allocator.models.intents import AccountReading
from allocator.models.refusals import book_problems
from tests.adapters.ccxt.conftest import run_with
from tests.patient import Patient

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
LINEAR = "bybit:BTC/USDT:USDT"


@pytest.fixture
def both(both_data: dict[str, Any]) -> Config:
    return Config.model_validate(both_data)


def test_every_account_of_both_venues_is_in_one_sound_snapshot(run: Run, both: Config) -> None:
    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        snapshot = book.snapshot
        assert book.missing == ()
        assert book_problems(snapshot, both.mandate) == []
        assert {row.id for row in snapshot.accounts} == {row.id for row in both.accounts}
        assert {row.state for row in snapshot.accounts} == {"open"}

    run(both, work)


def test_figures_of_bybit_arrive_as_the_venue_has_them(run: Run, bybit: Config) -> None:
    async def work(opened: Opened) -> None:
        snapshot = (await opened.market.gather()).snapshot
        main, short = snapshot.account["bybit-main"], snapshot.account["bybit-a"]
        assert main.balances["USDT"].wallet == 250000
        assert main.positions[LINEAR].quantity == 3
        assert main.positions[LINEAR].entry_price == 63200
        assert short.positions[LINEAR].leverage == 100
        assert short.balances["USDT"].withdrawable == 0
        assert main.fees.by[LINEAR].taker == Decimal("0.00055")
        assert [tier.ratio for tier in main.collateral["BTC"]] == [
            Decimal("0.95"),
            Decimal("0.9"),
            Decimal("0.5"),
        ]
        market = snapshot.instrument[LINEAR]
        assert (market.lot, market.tick, market.max_quantity) == (
            Decimal("0.001"),
            Decimal("0.1"),
            1190,
        )
        assert market.tiers[1].deduction == 10000
        assert market.funding is not None
        assert market.funding.rate == Decimal("0.0003")
        assert market.daily_volatility == Decimal("0.03")

    run(bybit, work)


def test_what_a_venue_tells_of_itself_is_read_once_for_all_its_accounts(
    run: Run, both: Config, emulator: Emulator
) -> None:
    run(both, lambda opened: opened.market.gather())
    log: Any = emulator.admin("GET", "requests")
    asked = Counter(row["path"] for row in log)
    assert asked["/v5/account/wallet-balance"] > 1
    assert asked["/v5/spot-margin-trade/collateral"] == 1


def test_brackets_in_coin_are_turned_into_dollars_at_mark(run: Run, binance: Config) -> None:
    async def work(opened: Opened) -> None:
        snapshot = (await opened.market.gather()).snapshot
        market = snapshot.instrument["binance:BTC/USD:BTC"]
        assert market.contract_size == 100
        assert market.tiers[0].cap == 5 * market.mark
        assert market.tiers[1].deduction == Decimal("0.005") * market.mark
        coinm = snapshot.account["binance-coinm"]
        assert coinm.single
        assert coinm.positions[market.id].quantity == -1200

    run(binance, work)


def test_routes_inside_a_venue_are_found(run: Run, both: Config) -> None:
    async def work(opened: Opened) -> None:
        routes = (await opened.market.gather()).snapshot.route
        assert "internal:bybit-b>bybit-a:USDT" in routes
        assert "internal:bybit-fund>bybit-main:USDT" in routes
        assert "internal:binance-usdm>sub1-spot:USDT" in routes
        assert "internal:binance-usdm>binance-coinm:BTC" not in routes
        assert "internal:binance-usdm>sub1-usdm:USDT" not in routes
        assert "internal:binance-spot>binance-usdm:BTC" not in routes
        assert not any("bybit" in name and "binance" in name for name in routes)

    run(both, work)


@pytest.mark.parametrize("kind", ["html", "truncate", "http_500_after", "delay"])
def test_an_account_that_is_not_read_keeps_its_last_numbers_frozen(
    binance: Config, emulator: Emulator, kind: str
) -> None:
    quick = binance.model_copy(
        update={"gather": binance.gather.model_copy(update={"deadline_s": Decimal(3)})}
    )

    async def work(opened: Opened) -> None:
        await opened.market.gather()
        path = "/dapi/v1/account"
        emulator.fault({"kind": kind, "path": path, "times": 2, "delay_s": 8})
        book = await opened.market.gather()
        assert {row.account for row in book.missing} == {"binance-coinm"}
        account = book.snapshot.account["binance-coinm"]
        assert account.state == "frozen"
        assert account.balances["BTC"].wallet == 3
        assert book.snapshot.account["binance-usdm"].state == "open"
        assert book_problems(book.snapshot, binance.mandate) == []

    run_with(quick, work, Patient)


def test_an_account_that_was_never_read_is_named_not_invented(
    run: Run, both: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        emulator.fault({"kind": "html", "path": "/v5/account/wallet-balance", "times": 20})
        book = await opened.market.gather()
        why = {row.account: row.what for row in book.missing}
        assert book.snapshot.account["bybit-fund"].state == "open"
        assert why.keys() == {"bybit-main", "bybit-a", "bybit-b"}
        for name in why:
            assert book.snapshot.account[name].state == "frozen"
            assert book.snapshot.account[name].balances == {}

    run(both, work)


def test_a_venue_that_is_down_does_not_take_the_other_with_it(
    run: Run, both: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        emulator.fault({"kind": "drop_before", "host": "api.bybit.com", "times": 10000})
        book = await opened.market.gather()
        states = {row.id: row.state for row in book.snapshot.accounts}
        assert {states[name] for name in states if name.startswith("bybit")} == {"frozen"}
        assert states["binance-usdm"] == "open"
        assert book_problems(book.snapshot, both.mandate) == []

    run(both, work)


def test_a_clock_that_is_off_freezes_the_venue(run: Run, bybit: Config, emulator: Emulator) -> None:
    async def work(opened: Opened) -> None:
        emulator.admin("POST", "clock", advance_ms=3000)
        book = await opened.market.gather()
        assert {row.what.split(":")[0] for row in book.missing} == {"CLOCK_SKEW"}
        assert {row.state for row in book.snapshot.accounts} == {"frozen"}

    run(bybit, work)


def test_an_asset_without_a_price_freezes_the_account_and_is_named(
    run: Run, bybit_data: dict[str, Any]
) -> None:
    world = demo_world()
    dust = Balance("bybit:10000001", "FUND", "DUST", Decimal(7))
    with running_emulator(world=replace(world, balances=(*world.balances, dust))) as emulator:
        config = Config.model_validate({**bybit_data, "loopback_url": emulator.base_url})

        async def work(opened: Opened) -> None:
            book = await opened.market.gather()
            assert [(row.account, row.what) for row in book.missing] == [
                ("bybit-fund", "DUST has no price: set assets.DUST.price")
            ]
            assert book.snapshot.account["bybit-fund"].state == "frozen"
            assert book.snapshot.account["bybit-main"].state == "open"

        run(config, work)


def test_a_market_that_was_read_is_not_told_as_unread_for_want_of_a_price(
    run: Run, binance: Config
) -> None:
    """Binance tells no price of USDT: what its contracts settle in has to be told by somebody."""

    async def work(opened: Opened) -> None:
        told = {row.what for row in (await opened.market.gather()).missing}
        market = "binance:ETH/USDT:USDT"
        assert f"no market data of {market}" not in told
        assert f"no market data of {market}: USDT has no price" in told

    run(binance.model_copy(update={"assets": {}}), work)


@pytest.mark.parametrize("amount", ["0.1", "9849.623456789012345678", "0.00000001"])
def test_numbers_arrive_digit_for_digit(run: Run, bybit_data: dict[str, Any], amount: str) -> None:
    world = demo_world()
    mine = Balance("bybit:10000001", "FUND", "USDC", Decimal(amount))
    coin = Balance("bybit:10000001", "UNIFIED", "USDC", Decimal(amount))
    with running_emulator(world=replace(world, balances=(*world.balances, mine, coin))) as emulator:
        config = Config.model_validate({**bybit_data, "loopback_url": emulator.base_url})

        async def work(opened: Opened) -> None:
            for name in ("bybit-fund", "bybit-main"):
                reading: AccountReading = await opened.venues[name].read()
                assert plain(reading.wallets["USDC"]) == amount

        run(config, work)


def test_a_dry_run_reads_and_has_nothing_that_could_trade(
    run: Run, both: Config, emulator: Emulator
) -> None:
    dry = both.model_copy(update={"mode": "dry"})

    async def work(opened: Opened) -> None:
        assert opened.venues == {}
        assert (await opened.market.gather()).missing == ()

    run(dry, work)
    requests: Any = emulator.admin("GET", "requests")
    assert {row["method"] for row in requests} == {"GET"}


def test_a_dry_session_refuses_to_send(run: Run, bybit: Config, emulator: Emulator) -> None:
    async def work(opened: Opened) -> None:
        sessions = Sessions(bybit, reads_only=True)
        try:
            login = sessions.logins["bybit-main"]
            await login.prepare()
            with pytest.raises(RefusedError, match="dry run"):
                await login.call("private_post_v5_order_create", {"category": "linear"})
            place = Place(bybit.accounts[0], login, login)
            assert (await DIALECTS["bybit"].reading(place)).complete
        finally:
            await sessions.close()

    run(bybit, work)
    requests: Any = emulator.admin("GET", "requests")
    assert "POST" not in {row["method"] for row in requests}


def test_only_accounts_marked_live_can_trade_in_live_mode(
    run: Run, bybit_data: dict[str, Any]
) -> None:
    first, *rest = bybit_data["accounts"]
    data = {**bybit_data, "mode": "live", "loopback_url": None}
    config = Config.model_validate({**data, "accounts": [{**first, "live": True}, *rest]})

    async def work(opened: Opened) -> None:
        assert list(opened.venues) == ["bybit-main"]

    run(config, work)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loopback_url": "http://192.0.2.7:80"}, "this machine"),
        ({"loopback_url": "https://api.bybit.com"}, "this machine"),
        ({"mode": "live"}, "exclude each other"),
        ({"accounts": []}, "no accounts"),
    ],
)
def test_a_configuration_that_might_reach_the_wrong_place_is_refused(
    run: Run, bybit_data: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    config = Config.model_validate({**bybit_data, **changes})

    async def work(opened: Opened) -> None:
        del opened

    with pytest.raises(ConfigError, match=words):
        run(config, work)


def test_no_key_secret_or_signature_stands_in_what_went_wrong(
    run: Run, both: Config, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "canary-secret-that-signs-nothing"
    for name in ("BYBIT_A", "BINANCE_SUB1"):
        monkeypatch.setenv(f"{name}_SECRET", canary)

    async def work(opened: Opened) -> None:
        emulator.fault({"kind": "html", "path": "/dapi/v1/account", "times": 5})
        book = await opened.market.gather()
        words = " ".join(row.what for row in book.missing)
        assert {row.account for row in book.missing} >= {"bybit-a", "sub1-usdm", "binance-coinm"}
        assert "10004" in words
        for secret in (canary, "bybit-a-key", "binance-sub1-key", "signature="):
            assert secret not in words

    run(both, work)
