"""Binance's countdown that cancels what stands, a switch of each market."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import ccxt
import pytest

from allocator.adapters.ccxt import binance_switch
from allocator.adapters.ccxt.base import CcxtVenue
from allocator.adapters.ccxt.binance_switch import LEAST_SILENCE_S, MOST_SWITCHED
from allocator.adapters.ccxt.dialects import DIALECTS
from allocator.adapters.ccxt.rates import LIMITS
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.errors import VenueError
from allocator.models.intents import Ack, OrderIntent, Outcome, Rejected, Unknown
from tests.adapters.ccxt.test_binance_actions import USDM, Run, order
from tests.adapters.ccxt.test_modes import place

SWITCH = "/fapi/v1/countdownCancelAll"


def usdm(opened: Opened) -> CcxtVenue:
    venue = opened.venues["binance-usdm"]
    assert isinstance(venue, CcxtVenue)
    return venue


def asked(emulator: Emulator) -> int:
    log: Any = emulator.admin("GET", "requests")
    return sum(row["path"] == SWITCH for row in log)


def names(count: int) -> tuple[str, ...]:
    return tuple(f"C{number}/USDT:USDT" for number in range(count))


def with_markets(binance: Config, *markets: str) -> Config:
    """Have the accounts of USD-M trade these."""
    rows = tuple(
        row.model_copy(update={"instruments": markets}) if row.wallet == "usdm" else row
        for row in binance.accounts
    )
    return binance.model_copy(update={"accounts": rows})


def set_to(run: Run, binance: Config, seconds: int) -> None:
    """Set the switch in a session of its own, which measures the venue's clock anew."""

    async def work(opened: Opened) -> None:
        assert usdm(opened).capabilities.dead_man_s == 10
        assert isinstance(await usdm(opened).cancel_after(seconds), Ack)

    run(binance, work)


def standing(emulator: Emulator) -> list[str]:
    state: Any = emulator.admin("GET", "state")
    return [row["status"] for row in state["order"]]


@pytest.mark.parametrize("market", [USDM, "binance:ETH/USDT:USDT"])
def test_a_silence_cancels_what_stands_in_a_configured_market_and_a_call_in_time_does_not(
    run: Run, binance: Config, emulator: Emulator, market: str
) -> None:
    eth = {"quantity": "0.02", "limit_price": "3000", "instrument": market}
    btc = {"limit_price": "63000"}
    resting = OrderIntent.model_validate(
        {**order(style="post_only").model_dump(), **(btc if market == USDM else eth)}
    )

    async def work(opened: Opened) -> None:
        assert isinstance(await opened.venues["binance-usdm"].submit(resting), Ack)

    run(binance, work)
    for _ in range(2):
        set_to(run, binance, 10)
        emulator.admin("POST", "clock", advance_ms=8_000)
    assert standing(emulator) == ["open"]
    set_to(run, binance, 0)
    emulator.admin("POST", "clock", advance_ms=60_000)
    assert standing(emulator) == ["open"]
    set_to(run, binance, 10)
    emulator.admin("POST", "clock", advance_ms=11_000)
    assert standing(emulator) == ["cancelled"]
    assert asked(emulator) == 4 * 2


def test_a_switch_that_one_market_refuses_is_not_set(
    run: Run, binance: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        await usdm(opened).server_time()
        emulator.fault({"kind": "html", "path": SWITCH, "nth": 2})
        assert isinstance(await usdm(opened).cancel_after(10), Unknown)
        spot = opened.venues["binance-spot"]
        assert isinstance(spot, CcxtVenue)
        assert spot.capabilities.dead_man_s is None
        refused = await spot.cancel_after(10)
        assert isinstance(refused, Rejected)
        assert refused.code == "NOT_SENT"

    run(binance, work)


@pytest.mark.parametrize(
    ("wallet", "markets", "beside", "least"),
    [("usdm", 6, 0, 10), ("usdm", 7, 0, None), ("usdm", 3, 3, 10), ("usdm", 3, 4, None),
     ("coinm", 1, 5, 10), ("spot", 1, 0, None)],
)  # fmt: skip
def test_the_switch_is_used_for_as_many_markets_as_the_weights_allow(
    wallet: str, markets: int, beside: int, least: int | None
) -> None:
    found = place("binance", wallet, {})
    config = found.config.model_copy(update={"instruments": names(markets)})
    many = replace(found, config=config, beside=beside)
    assert DIALECTS["binance"].capabilities(many).dead_man_s == least


def test_renewals_of_the_switch_take_at_most_half_of_an_address_s_weight() -> None:
    (limit,) = [row for row in LIMITS["binance"] if row.service == "fapi"]
    renewals = Decimal(limit.window_s) / (LEAST_SILENCE_S / 3)
    told: Any = ccxt.binance().api
    weight = told["fapiPrivate"]["post"]["countdownCancelAll"]["cost"]
    assert MOST_SWITCHED * renewals * Decimal(weight) <= Decimal(limit.units) / 2
    assert (MOST_SWITCHED + 1) * renewals * Decimal(weight) > Decimal(limit.units) / 2


def test_accounts_at_one_address_count_each_other_s_markets(run: Run, binance: Config) -> None:
    """Two trade some at USD-M and one trades one at COIN-M: seven would take more than half."""

    async def switch(opened: Opened) -> Decimal | None:
        return usdm(opened).capabilities.dead_man_s

    assert run(with_markets(binance, *names(2)), switch) == 10
    assert run(with_markets(binance, *names(3)), switch) is None


def test_a_market_that_is_delisted_does_not_keep_the_others_from_the_switch(
    run: Run, binance: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> Outcome:
        return await usdm(opened).cancel_after(10)

    some = with_markets(binance, "OLD/USDT:USDT", "BTC/USDT:USDT")
    assert isinstance(run(some, work), Ack)
    assert asked(emulator) == 1
    none = run(with_markets(binance, "OLD/USDT:USDT"), work)
    assert isinstance(none, Rejected)
    assert none.code == "NOT_SENT"


def test_every_request_of_the_switch_has_ended_when_one_fails() -> None:
    """The first is refused at once, the second answers later: nobody leaves it behind."""
    ended = list[str]()

    class Login:
        client = SimpleNamespace(markets={"A": {"id": "A"}, "B": {"id": "B"}})

        async def call(self, endpoint: str, body: dict[str, Any]) -> Any:
            if body["symbol"] == "A":
                raise VenueError("refused")
            for _ in range(3):
                await asyncio.sleep(0)
            ended.append(body["symbol"])
            return body

    config = SimpleNamespace(wallet="usdm", instruments=("A", "B"))
    odd = cast(Any, SimpleNamespace(config=config, login=Login(), account="a"))
    with pytest.raises(VenueError, match="refused"):
        asyncio.run(binance_switch.cancel_after(odd, 10))
    assert ended == ["B"]
