"""What a snapshot says of accounts at Deribit: options, session profits, cross collateral."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest

import allocator
from allocator.adapters.ccxt.session import Login
from allocator.adapters.emulator import options
from allocator.adapters.emulator.deribit import world as deribit_world
from allocator.adapters.emulator.records import Balance
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.emulator.world import demo_world
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.errors import RefusedError
from allocator.models.refusals import book_problems

D = Decimal
Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
INVERSE, LINEAR, SPOT = "deribit:BTC/USD:BTC", "deribit:BTC/USDC:USDC", "deribit:BTC/USDC"
CALL, PUT = "deribit:BTC/USD:BTC-300628-70000-C", "deribit:BTC/USD:BTC-300628-60000-P"
LINEAR_CALL, DATED = "deribit:BTC/USDC:USDC-300628-70000-C", "deribit:BTC/USD:BTC-300628"


def test_every_account_is_in_one_sound_snapshot_that_can_be_decided_on(
    run: Run, deribit: Config
) -> None:
    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        assert book.missing == ()
        snapshot = book.snapshot
        assert book_problems(snapshot, deribit.mandate) == []
        assert {row.state for row in snapshot.accounts} == {"open"}
        assert allocator.decide(snapshot, deribit.mandate).status in ("nothing", "act")

    run(deribit, work)


def test_contracts_ticks_and_funding_are_the_venues(run: Run, deribit: Config) -> None:
    async def work(opened: Opened) -> None:
        markets = (await opened.market.gather()).snapshot.instrument
        inverse, linear, call = markets[INVERSE], markets[LINEAR], markets[CALL]
        assert (inverse.payoff, inverse.contract_size, inverse.lot, inverse.min_quantity) == (
            "inverse", 10, 1, 1,
        )  # fmt: skip
        assert (linear.payoff, linear.contract_size, linear.lot) == ("linear", D("0.001"), 1)
        assert (call.kind, call.payoff, call.contract_size, call.lot) == (
            "option", "linear", 1, D("0.1"),
        )  # fmt: skip
        # The premium is above 0.005, where the tick is coarser.
        assert (call.tick, markets[LINEAR_CALL].tick) == (D("0.0005"), 20)
        assert (call.settle, call.underlying) == ("BTC", "BTC")
        assert inverse.funding is not None
        assert (inverse.funding.rate, inverse.funding.interval_h) == (D("0.0001"), 8)
        assert inverse.funding.next_at is None
        assert inverse.expiry is None
        assert markets[DATED].funding is None
        assert markets[DATED].expiry is not None
        assert call.tiers[0].initial is not None
        assert all(row.max_leverage is None for row in inverse.tiers)

    run(deribit, work)


def test_an_options_delta_is_net_of_its_own_value_when_that_is_in_the_coin(
    run: Run, deribit: Config
) -> None:
    async def work(opened: Opened) -> None:
        markets = (await opened.market.gather()).snapshot.instrument
        for name, terms in (
            (CALL, deribit_world.CALL),
            (PUT, deribit_world.PUT),
            (LINEAR_CALL, deribit_world.LINEAR_CALL),
        ):
            assert terms.option is not None
            greek = options.delta(terms.option, D(64640))
            own = markets[name].mark if terms.settle == "BTC" else 0
            assert markets[name].delta == greek - own

    run(deribit, work)


def test_exposure_of_a_coin_settled_option_is_what_its_dollar_worth_does(
    run: Run, deribit_data: dict[str, Any]
) -> None:
    """Dollars of an account that holds coins and an option, at two prices of the coin.

    ``equity x price`` moves by the coins and by the value of the option in them; the snapshot says
    it as balances plus ``contract size x delta`` a contract.
    """
    only = tuple(row for row in deribit_world.POSITIONS if row.instrument.endswith("70000-C"))
    held = tuple(row for row in only if row.user == deribit_world.MAIN)
    world = replace(
        demo_world(), positions=held, balances=(Balance(deribit_world.MAIN, "main", "BTC", D(3)),)
    )
    with running_emulator(world=world) as emulator:
        config = Config.model_validate({**deribit_data, "loopback_url": emulator.base_url})

        async def work(opened: Opened) -> None:
            worth, exposure = list[Decimal](), D(0)
            for price in (D(63936), D(64064), D(64000)):
                emulator.admin("POST", "price", coin="BTC", usd=str(price))
                snapshot = (await opened.market.gather()).snapshot
                account = snapshot.account["deribit-main"]
                position = account.positions[CALL]
                assert position.unrealised is not None
                equity = account.balances["BTC"].wallet + position.unrealised
                worth.append(equity * price)
                delta = snapshot.instrument[CALL].delta
                assert delta is not None
                assert position.quantity is not None
                exposure = equity + position.quantity * delta
            slope = (worth[1] - worth[0]) / (64064 - 63936)
            assert abs(slope - exposure) < D("0.06")

        run(config, work)


def test_equity_is_balance_and_session_profits_counted_once(
    run: Run, deribit: Config, emulator: Emulator
) -> None:
    """Half of a short is bought back, so that there is realised profit in the session as well."""

    async def work(opened: Opened) -> None:
        login = await _login_of(opened)
        done = await login.call(
            "private_get_buy",
            {"instrument_name": "BTC-PERPETUAL", "amount": "30000", "price": "64100",
             "time_in_force": "immediate_or_cancel"},
        )  # fmt: skip
        assert done["result"]["order"]["order_state"] == "filled"
        summary = (await login.call("private_get_get_account_summaries", {}))["result"]
        btc = next(row for row in summary["summaries"] if row["currency"] == "BTC")
        assert D(str(btc["futures_session_rpl"])) < 0
        account = (await opened.market.gather()).snapshot.account["deribit-main"]
        gained = sum(account.positions[name].unrealised or D(0) for name in (INVERSE, CALL))
        equity = D(str(btc["equity"]))
        assert abs(account.balances["BTC"].wallet + gained - equity) < D("1e-7")
        assert account.balances["BTC"].wallet != D(str(btc["balance"]))

    run(deribit, work)


async def _login_of(opened: Opened) -> Login:
    venue = cast("Any", opened.venues["deribit-main"])
    await venue.server_time()
    login: Login = venue._place.login
    return login


def test_a_premium_moves_no_wallet_and_no_equity(run: Run, deribit: Config) -> None:
    async def work(opened: Opened) -> None:
        login = await _login_of(opened)
        before = (await opened.venues["deribit-main"].read()).wallets["BTC"]
        await login.call(
            "private_get_buy",
            {"instrument_name": "BTC-28JUN30-70000-C", "amount": "1", "price": "0.14",
             "time_in_force": "immediate_or_cancel"},
        )  # fmt: skip
        after = (await opened.venues["deribit-main"].read()).wallets["BTC"]
        assert before - after == D("0.0003")

    run(deribit, work)


def test_segregated_coins_margin_themselves_and_a_pool_margins_all(
    run: Run, deribit: Config
) -> None:
    async def work(opened: Opened) -> None:
        snapshot = (await opened.market.gather()).snapshot
        alone, pooled = snapshot.account["deribit-main"], snapshot.account["deribit-b"]
        assert (alone.margin.asset_mode, pooled.margin.asset_mode) == ("single", "multi")
        assert [row.ratio for row in alone.collateral["BTC"]] == [1]
        assert pooled.collateral == {}
        assert snapshot.assets["BTC"].haircut == 0
        # No haircut is configured for it, and the venue tells none.
        assert snapshot.assets["USDT"].haircut == 1

    run(deribit, work)


def test_profits_of_the_session_and_premiums_received_are_not_ready_to_leave(
    run: Run, deribit: Config
) -> None:
    async def work(opened: Opened) -> None:
        snapshot = (await opened.market.gather()).snapshot
        for account in snapshot.accounts:
            for balance in account.balances.values():
                assert balance.withdrawable is not None
                assert balance.withdrawable <= max(balance.wallet, 0)

    run(deribit, work)


def test_a_twenty_digit_balance_and_a_tenth_arrive_exact(
    run: Run, deribit_data: dict[str, Any]
) -> None:
    """The venue writes figures as JSON numbers; eight places, as it rounds them."""
    odd = D("123456789012.12345678")
    balances = (
        Balance(deribit_world.MAIN, "main", "USDC", odd),
        Balance(deribit_world.MAIN, "main", "BTC", D("0.1")),
    )
    with running_emulator(world=replace(demo_world(), positions=(), balances=balances)) as emulator:
        config = Config.model_validate({**deribit_data, "loopback_url": emulator.base_url})

        async def work(opened: Opened) -> None:
            wallets = (await opened.venues["deribit-main"].read()).wallets
            assert (wallets["USDC"], wallets["BTC"]) == (odd, D("0.1"))

        run(config, work)


def test_a_dry_run_reads_and_can_send_nothing(
    run: Run, deribit_data: dict[str, Any], emulator: Emulator
) -> None:
    config = Config.model_validate({**deribit_data, "mode": "dry"})

    async def work(opened: Opened) -> None:
        assert opened.venues == {}
        book = await opened.market.gather()
        assert book.missing == ()
        source = cast("Any", opened.market)._accounts[0]
        with pytest.raises(RefusedError, match="private/buy"):
            await source._place.login.client.private_get_buy({"amount": "10"})

    run(config, work)
    requests: Any = emulator.admin("GET", "requests")
    acted = [row["path"] for row in requests if "/private/" in row["path"]]
    assert acted
    assert all("/private/get_" in path for path in acted)


def test_a_gather_stays_within_the_credits_that_the_exchange_counts(
    run: Run, deribit_data: dict[str, Any]
) -> None:
    with running_emulator(limit_scale=1) as emulator:
        config = Config.model_validate({**deribit_data, "loopback_url": emulator.base_url})

        async def work(opened: Opened) -> None:
            for _ in range(3):
                assert (await opened.market.gather()).missing == ()

        run(config, work)
        requests: Any = emulator.admin("GET", "requests")
        assert {row["code"] for row in requests} == {"0"}


@pytest.mark.parametrize("path", ["get_account_summaries", "get_positions", "get_open_orders"])
@pytest.mark.parametrize("kind", ["html", "truncate", "http_500_after", "drop_after"])
def test_a_part_that_is_not_read_freezes_the_account_and_is_named(
    run: Run, deribit: Config, emulator: Emulator, path: str, kind: str
) -> None:
    async def work(opened: Opened) -> None:
        await opened.venues["deribit-main"].server_time()
        emulator.fault({"kind": kind, "path": f"/api/v2/private/{path}", "times": 20})
        book = await opened.market.gather()
        assert {row.account for row in book.missing} == {row.id for row in deribit.accounts}
        assert {row.state for row in book.snapshot.accounts} == {"frozen"}
        reading = await opened.venues["deribit-main"].read()
        assert not reading.complete

    run(deribit, work)
