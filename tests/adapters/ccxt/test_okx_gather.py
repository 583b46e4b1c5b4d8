"""What is gathered of OKX accounts in each mode, and that nothing is misread."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.okx.world import MAIN
from allocator.adapters.emulator.opened import OPENED_MS
from allocator.adapters.emulator.records import ZERO, Balance, Position
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.emulator.world import demo_world
from allocator.adapters.registry import Opened
from allocator.models.base import plain
from allocator.models.config import Config
from allocator.models.intents import AccountReading
from allocator.models.refusals import book_problems

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
BTC, ETH, COIN, SPOT = (
    "okx:BTC/USDT:USDT", "okx:ETH/USDT:USDT", "okx:BTC/USD:BTC", "okx:BTC/USDT",
)  # fmt: skip


def test_every_okx_account_is_in_a_sound_snapshot(run: Run, okx: Config) -> None:
    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        assert book.missing == ()
        assert book_problems(book.snapshot, okx.mandate) == []
        assert {row.id for row in book.snapshot.accounts} == {row.id for row in okx.accounts}
        assert {row.state for row in book.snapshot.accounts} == {"open"}
        assert {row.margin.model for row in book.snapshot.accounts if row.positions} == {
            "whole_position"
        }

    run(okx, work)


def test_figures_arrive_as_the_venue_has_them(run: Run, okx: Config) -> None:
    async def work(opened: Opened) -> None:
        snapshot = (await opened.market.gather()).snapshot
        main = snapshot.account["okx-main"]
        assert main.balances["USDT"].wallet == 180000
        assert main.positions[BTC].quantity == 250
        assert main.positions[BTC].entry_price == 63500
        assert main.positions[BTC].leverage == 10
        assert main.positions[COIN].leverage == 10
        assert main.fees.by[BTC].taker == Decimal("0.0005")
        assert main.fees.by[BTC].maker == Decimal("0.0002")
        assert main.fees.by[SPOT].taker == Decimal("0.001")
        assert [(row.upto, row.ratio) for row in main.collateral["BTC"]] == [
            (20, Decimal("0.98")),
            (25, Decimal("0.9775")),
            (None, Decimal("0.95")),
        ]
        market = snapshot.instrument[BTC]
        assert (market.contract_size, market.lot, market.tick) == (
            Decimal("0.01"), Decimal("0.01"), Decimal("0.1"),
        )  # fmt: skip
        assert market.funding is not None
        assert (market.funding.rate, market.funding.interval_h) == (Decimal("0.0002"), 8)
        assert market.funding.next_at is not None
        assert market.funding.next_at > snapshot.as_of
        assert snapshot.account["okx-main-fund"].balances["USDT"].wallet == 40000
        assert snapshot.assets["BTC"].price == 64000

    run(okx, work)


def test_tiers_in_contracts_become_notional_and_hold_for_the_whole_position(
    run: Run, okx: Config
) -> None:
    async def work(opened: Opened) -> None:
        snapshot = (await opened.market.gather()).snapshot
        linear, inverse = snapshot.instrument[BTC], snapshot.instrument[COIN]
        assert linear.tiers[0].cap == 3000 * Decimal("0.01") * linear.mark
        assert inverse.contract_size == 100
        assert inverse.tiers[0].cap == 20000 * 100
        assert {row.deduction for row in (*linear.tiers, *inverse.tiers)} == {ZERO}
        assert linear.tiers[1].max_leverage == 75
        assert inverse.payoff == "inverse"

    run(okx, work)


def test_the_largest_order_is_bounded_in_contracts_and_in_dollars(run: Run, okx: Config) -> None:
    async def work(opened: Opened) -> None:
        market = (await opened.market.gather()).snapshot.instrument[BTC]
        assert market.max_quantity is not None
        worth = market.max_quantity * Decimal("0.01") * market.mark
        assert worth <= 20_000_000 < worth + Decimal("0.0001") * market.mark

    run(okx, work)


def test_a_member_s_routes_follow_its_right_to_send(
    run: Run, okx: Config, ask: Callable[..., Any]
) -> None:
    ask(okx, "okx-main", "private_post_users_subaccount_set_transfer_out", {"subAcct": "okxb"})

    async def work(opened: Opened) -> None:
        routes = (await opened.market.gather()).snapshot.route
        assert "internal:okx-main>okx-a:USDT" in routes
        assert "internal:okx-a>okx-main:USDT" in routes
        assert "internal:okx-main>okx-main-fund:USDT" in routes
        assert "internal:okx-b>okx-b-fund:USDT" in routes
        assert "internal:okx-b>okx-a:USDT" in routes
        assert "internal:okx-a>okx-b:USDT" not in routes

    run(okx, work)


def test_accounts_are_read_within_the_venue_s_own_limits(
    run: Run, okx_data: dict[str, Any]
) -> None:
    with running_emulator(limit_scale=1) as emulator:
        config = Config.model_validate({**okx_data, "loopback_url": emulator.base_url})

        async def work(opened: Opened) -> None:
            assert (await opened.market.gather()).missing == ()

        run(config, work)
        requests: Any = emulator.admin("GET", "requests")
    assert {row["code"] for row in requests} == {"0"}
    asked = [row["path"].rpartition("/")[2] for row in requests]
    assert asked.count("discount-rate-interest-free-quota") == 1


Start = Callable[..., Config]


@pytest.fixture
def start(okx_data: dict[str, Any]) -> Iterator[Start]:
    """Start an exchange whose OKX accounts hold other positions and balances."""
    with ExitStack() as stack:

        def begin(*positions: Position, balances: tuple[Balance, ...] = ()) -> Config:
            world = demo_world()
            others = tuple(p for p in world.positions if not p.user.startswith("okx:"))
            emulator = stack.enter_context(
                running_emulator(
                    world=replace(
                        world,
                        positions=(*others, *positions),
                        balances=(*world.balances, *balances),
                    )
                )
            )
            return Config.model_validate({**okx_data, "loopback_url": emulator.base_url})

        yield begin


def held(user: str, symbol: str, quantity: str, entry: str) -> Position:
    return Position(
        user, f"okx:SWAP:{symbol}", "net", Decimal(quantity), Decimal(entry), ZERO,
        OPENED_MS, OPENED_MS,
    )  # fmt: skip


def test_an_isolated_position_is_shown_in_the_wallet_and_not_traded(run: Run, start: Start) -> None:
    aside = Balance(MAIN, "isolated|okx:SWAP:BTC-USDT-SWAP|net", "USDT", Decimal("700.5"))
    config = start(held(MAIN, "BTC-USDT-SWAP", "-8", "64100"), balances=(aside,))

    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        assert book.missing == ()
        account = book.snapshot.account["okx-main"]
        pair = account.positions[BTC]
        assert pair.isolated is not None
        assert (pair.isolated.wallet, pair.quantity) == (Decimal("700.5"), -8)
        assert not pair.may_trade
        assert account.balances["USDT"].wallet == Decimal("180700.5")
        reading = await opened.venues["okx-main"].read()
        assert reading.wallets["USDT"] == Decimal("180700.5")

    run(config, work)


def test_both_legs_of_long_short_mode_are_kept_apart(
    run: Run, start: Start, ask: Callable[..., Any]
) -> None:
    config = start()
    ask(config, "okx-main", "private_post_account_set_position_mode",
        {"posMode": "long_short_mode"})  # fmt: skip
    for side, leg, size in (("buy", "long", "5"), ("sell", "short", "2")):
        order = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": side, "posSide": leg,
                 "ordType": "market", "sz": size, "clOrdId": f"leg{leg}"}  # fmt: skip
        ask(config, "okx-main", "private_post_trade_order", order)

    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        assert book.missing == ()
        positions = book.snapshot.account["okx-main"].positions
        legs = positions[BTC].legs
        assert legs is not None
        assert (legs.long, legs.short) == (5, 2)
        assert positions[ETH].legs is not None
        assert not any(row.may_trade for row in positions.values())
        assert (await opened.venues["okx-main"].read()).position(BTC) == 3

    run(config, work)


def test_futures_mode_margins_each_currency_by_itself(
    run: Run, start: Start, ask: Callable[..., Any]
) -> None:
    config = start()
    ask(config, "okx-a", "private_post_account_set_account_level", {"acctLv": "2"})

    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        assert book.missing == ()
        account = book.snapshot.account["okx-a"]
        assert account.single
        assert [row.ratio for row in account.collateral["BTC"]] == [1]
        assert book.snapshot.account["okx-main"].margin.asset_mode == "multi"

    run(config, work)


def test_spot_mode_with_contracts_configured_is_refused_by_name(
    run: Run, start: Start, ask: Callable[..., Any]
) -> None:
    config = start()
    ask(config, "okx-a", "private_post_account_set_account_level", {"acctLv": "1"})

    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        ((name, what),) = [(row.account, row.what) for row in book.missing]
        assert name == "okx-a"
        assert "acctLv 1" in what
        assert book.snapshot.account["okx-a"].state == "frozen"

    run(config, work)


def test_a_debt_is_a_negative_wallet(run: Run, start: Start) -> None:
    config = start(balances=(Balance(MAIN, "18", "ETH", Decimal("-2.25")),))

    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        assert book.missing == ()
        balance = book.snapshot.account["okx-main"].balances["ETH"]
        assert (balance.wallet, balance.withdrawable) == (Decimal("-2.25"), 0)

    run(config, work)


def test_open_orders_are_read_over_every_page(
    run: Run, okx: Config, ask: Callable[..., Any]
) -> None:
    for start in range(0, 120, 20):
        orders = [
            {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "post_only",
             "sz": "0.01", "px": "62000", "clOrdId": f"rest{start + number}"}
            for number in range(20)
        ]  # fmt: skip
        ask(okx, "okx-b", "private_post_trade_batch_orders", orders)

    async def work(opened: Opened) -> None:
        account = (await opened.market.gather()).snapshot.account["okx-b"]
        assert len(account.open_orders) == 120
        assert {(o.instrument, o.side, o.quantity, o.price) for o in account.open_orders} == {
            (BTC, "buy", Decimal("0.01"), 62000)
        }

    run(okx, work)


def test_a_withdrawal_under_way_has_left_the_funding_account(
    run: Run, okx: Config, ask: Callable[..., Any]
) -> None:
    body = {"ccy": "USDT", "amt": "500", "dest": "4", "chain": "USDT-TRC20", "clientId": "w1",
            "toAddr": "TBybitFundOne1111111111111111111111"}  # fmt: skip
    ask(okx, "okx-main", "private_post_asset_withdrawal", body)

    async def work(opened: Opened) -> None:
        account = (await opened.market.gather()).snapshot.account["okx-main-fund"]
        assert [(r.asset, r.amount, r.direction) for r in account.in_flight] == [
            ("USDT", 500, "out")
        ]
        assert account.balances["USDT"].wallet == Decimal("39498.5")

    run(okx, work)


@pytest.mark.parametrize("amount", ["0.1", "9849.623456789012345678", "12345678.901234567890"])
def test_numbers_arrive_digit_for_digit(run: Run, start: Start, amount: str) -> None:
    mine = Balance(MAIN, "6", "USDC", Decimal(amount))
    coin = Balance(MAIN, "18", "USDC", Decimal(amount))
    config = start(balances=(mine, coin))

    async def work(opened: Opened) -> None:
        for name in ("okx-main-fund", "okx-main"):
            reading: AccountReading = await opened.venues[name].read()
            assert reading.complete
            assert plain(reading.wallets["USDC"]) == plain(Decimal(amount))

    run(config, work)


def test_a_dead_endpoint_freezes_the_accounts_it_belongs_to(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        emulator.fault({"kind": "html", "path": "/api/v5/account/positions", "times": 10})
        book = await opened.market.gather()
        assert {row.account for row in book.missing} == {"okx-main", "okx-a", "okx-b"}
        assert {row.id for row in book.snapshot.accounts if row.state == "open"} == {
            "okx-main-fund", "okx-a-fund", "okx-b-fund",
        }  # fmt: skip

    run(okx, work)


def test_no_key_secret_or_passphrase_stands_in_what_went_wrong(
    run: Run, okx: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "canary-that-signs-nothing"
    for field in ("SECRET", "PASSPHRASE"):
        monkeypatch.setenv(f"OKX_A_{field}", canary)

    async def work(opened: Opened) -> None:
        words = " ".join(row.what for row in (await opened.market.gather()).missing)
        assert "50105" in words
        for secret in (canary, "okx-a-key"):
            assert secret not in words

    run(okx, work)
