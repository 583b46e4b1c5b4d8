import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    MoveIntent,
    OrderIntent,
    Outcome,
    Rejected,
    TransferIntent,
    Unknown,
    Unsure,
)
from tests.adapters.ccxt.test_modes import place

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
ID = "0123456789abcdef0123456789abcdef"
USDM, COINM, SPOT = "binance:BTC/USDT:USDT", "binance:BTC/USD:BTC", "binance:BTC/USDT"
PLACES = {
    USDM: ("binance-usdm", "0.003", "USDT", "/fapi/v1/order"),
    COINM: ("binance-coinm", "5", "BTC", "/dapi/v1/order"),
    SPOT: ("binance-spot", "0.00312", "BTC", "/api/v3/order"),
}


def ago(seconds: float = 60) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def order(instrument: str = USDM, **changes: Any) -> OrderIntent:
    account, quantity, _, _ = PLACES[instrument]
    data = {
        "client_id": ID,
        "account": account,
        "instrument": instrument,
        "side": "buy",
        "quantity": quantity,
        "limit_price": "64100",
    }
    return OrderIntent.model_validate({**data, **changes})


def transfer(source: str, target: str, amount: str, **changes: Any) -> TransferIntent:
    data = {
        "client_id": ID,
        "route": f"internal:{source}>{target}:USDT",
        "source": source,
        "target": target,
        "asset": "USDT",
        "amount": amount,
    }
    return TransferIntent.model_validate({**data, **changes})


def made(emulator: Emulator, kind: str) -> list[int]:
    effects: Any = emulator.admin("GET", "effects")
    return [row["count"] for row in effects[kind]]


@pytest.mark.parametrize("instrument", list(PLACES))
def test_an_order_is_acknowledged_filled_and_found(
    run: Run, binance: Config, instrument: str
) -> None:
    sent = order(instrument)
    _, quantity, fee_coin, _ = PLACES[instrument]

    async def work(opened: Opened) -> None:
        venue = opened.venues[sent.account]
        assert isinstance(await venue.find(sent, ago()), AbsentNow)
        ack = await venue.submit(sent)
        assert isinstance(ack, Ack)
        found = await venue.find(sent, ago())
        assert isinstance(found, Found)
        assert (found.venue_id, found.state) == (ack.venue_id, "filled")
        assert found.filled == Decimal(quantity)
        assert found.average_price is not None
        assert 63900 < found.average_price <= 64100
        assert list(found.fees) == [fee_coin]

    run(binance, work)


@pytest.mark.parametrize("instrument", list(PLACES))
def test_a_resting_order_is_read_and_cancelled_once(
    run: Run, binance: Config, instrument: str
) -> None:
    resting = order(instrument, limit_price="63000", style="post_only")

    async def work(opened: Opened) -> None:
        venue = opened.venues[resting.account]
        assert isinstance(await venue.submit(resting), Ack)
        assert await venue.submit(resting) == await venue.submit(resting)
        reading = await venue.read()
        assert reading.complete
        assert [(o.instrument, o.quantity, o.price) for o in reading.open_orders] == [
            (instrument, resting.quantity, Decimal(63000))
        ]
        assert isinstance(await venue.cancel(resting), Ack)
        assert isinstance(await venue.cancel(resting), Rejected)
        ended = await venue.find(resting, ago())
        assert isinstance(ended, Found)
        assert (ended.state, ended.filled) == ("cancelled", 0)

    run(binance, work)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": "0.0035"}, "-1111"),
        ({"quantity": "900", "client_id": "a" * 32}, "-2019"),
        ({"style": "post_only", "client_id": "b" * 32}, "-5022"),
        ({"instrument": SPOT, "account": "binance-spot", "quantity": "50"}, "-2010"),
        ({"instrument": SPOT, "account": "binance-spot", "quantity": "0.000015"}, "-1013"),
    ],
)
def test_what_the_venue_refuses_is_a_rejection_with_its_code(
    run: Run, binance: Config, changes: dict[str, Any], code: str
) -> None:
    sent = order(**changes)

    async def work(opened: Opened) -> None:
        outcome = await opened.venues[sent.account].submit(sent)
        assert isinstance(outcome, Rejected)
        assert outcome.code == code

    run(binance, work)


def test_too_many_requests_pause_the_venue_and_send_nothing(
    run: Run, binance: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-usdm"]
        await venue.server_time()
        emulator.fault({"kind": "429", "path": "/fapi/v1/order"})
        assert isinstance(await venue.submit(order()), Unknown)
        paused = await venue.submit(order(client_id="a" * 32))
        assert isinstance(paused, Rejected)
        assert paused.code == "NOT_SENT"
        assert isinstance(await venue.find(order(), ago()), Unsure)

    run(binance, work)
    assert made(emulator, "orders") == []


def test_a_request_stamped_before_the_window_is_refused(
    run: Run, binance: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        outcome = await opened.venues["binance-usdm"].submit(order(stamped_at=ago(6)))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "-1021"

    run(binance, work)
    assert made(emulator, "orders") == []


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_a_transfer_without_a_key_is_found_by_what_was_sent(
    run: Run, binance: Config, emulator: Emulator, kind: str
) -> None:
    sent = transfer("binance-spot", "binance-usdm", "1234.5")

    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-spot"]
        assert not venue.capabilities.transfer_key
        assert isinstance(await venue.find(sent, ago(5)), AbsentNow)
        emulator.fault({"kind": kind, "path": "/sapi/v1/asset/transfer", "method": "POST"})
        assert isinstance(await venue.submit(sent), Unknown)
        found = await venue.find(sent, ago(5))
        if kind == "drop_before":
            assert isinstance(found, AbsentNow)
        else:
            assert isinstance(found, Found)
            assert (found.state, found.filled) == ("settled", Decimal("1234.5"))
            assert isinstance(await venue.find(sent, ago(5), found.venue_id), Found)
            assert isinstance(await venue.find(sent, ago(5), "1"), AbsentNow)

    run(binance, work)


def test_two_transfers_that_look_the_same_are_not_told_apart_by_guess(
    run: Run, binance: Config
) -> None:
    sent = transfer("binance-spot", "binance-usdm", "100")

    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-spot"]
        first = await venue.submit(sent)
        assert isinstance(first, Ack)
        assert isinstance(await venue.submit(sent), Ack)
        assert isinstance(await venue.find(sent, ago(5)), Unsure)
        assert isinstance(await venue.find(sent, ago(5), first.venue_id), Found)

    run(binance, work)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("binance-spot", "sub1-usdm"),
        ("sub1-usdm", "binance-spot"),
        ("sub1-spot", "binance-usdm"),
        ("binance-usdm", "sub1-spot"),
    ],
)
def test_money_moves_between_members_once_under_its_key(
    run: Run, binance: Config, emulator: Emulator, source: str, target: str
) -> None:
    sent = transfer(source, target, "250.25")

    async def work(opened: Opened) -> None:
        venue = opened.venues[source]
        before = (await opened.venues[target].read()).wallets["USDT"]
        assert isinstance(await venue.find(sent, ago()), AbsentNow)
        ack = await venue.submit(sent)
        assert isinstance(ack, Ack)
        assert await venue.submit(sent) == ack
        found = await venue.find(sent, ago())
        assert isinstance(found, Found)
        assert (found.state, found.filled) == ("settled", sent.amount)
        assert (await opened.venues[target].read()).wallets["USDT"] == before + sent.amount

    run(binance, work)
    assert made(emulator, "transfers") == [1]


def test_more_than_margin_spares_does_not_move(run: Run, binance: Config) -> None:
    async def work(opened: Opened) -> None:
        sent = transfer("sub1-usdm", "sub1-spot", "5000")
        outcome = await opened.venues["sub1-usdm"].submit(sent)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "-5013"

    run(binance, work)


def test_only_usd_m_positions_are_moved(run: Run, binance: Config, emulator: Emulator) -> None:
    moved = MoveIntent(
        client_id=ID,
        source="binance-coinm",
        target="sub1-usdm",
        instrument=COINM,
        side="buy",
        quantity=Decimal(1),
        price=Decimal(64000),
    )

    async def work(opened: Opened) -> None:
        outcome = await opened.venues["binance-coinm"].submit(moved)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "NOT_SENT"

    run(binance, work)


@pytest.mark.parametrize("instrument", list(PLACES))
def test_a_quote_is_ordered(run: Run, binance: Config, instrument: str) -> None:
    async def work(opened: Opened) -> None:
        quote = await opened.venues[PLACES[instrument][0]].quote(instrument)
        assert quote.bid < quote.mark < quote.ask
        assert abs((quote.at - datetime.now(UTC)).total_seconds()) < 5

    run(binance, work)


def set_to(run: Run, binance: Config, seconds: int) -> None:
    """Set the switch in a session of its own, which measures the venue's clock anew."""

    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-usdm"]
        assert isinstance(venue, CcxtVenue)
        assert venue.capabilities.dead_man_s == 10
        assert isinstance(await venue.cancel_after(seconds), Ack)

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
    log: Any = emulator.admin("GET", "requests")
    assert len([row for row in log if row["path"] == "/fapi/v1/countdownCancelAll"]) == 4 * 2


def test_a_switch_that_one_market_refuses_is_not_set(
    run: Run, binance: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-usdm"]
        assert isinstance(venue, CcxtVenue)
        await venue.server_time()
        emulator.fault({"kind": "html", "path": "/fapi/v1/countdownCancelAll", "nth": 2})
        assert isinstance(await venue.cancel_after(10), Unknown)
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
    names = tuple(f"C{number}/USDT:USDT" for number in range(markets))
    config = found.config.model_copy(update={"instruments": names})
    many = replace(found, config=config, beside=beside)
    assert DIALECTS["binance"].capabilities(many).dead_man_s == least


def test_renewals_of_the_switch_take_at_most_half_of_an_address_s_weight() -> None:
    (limit,) = [row for row in LIMITS["binance"] if row.service == "fapi"]
    renewals = Decimal(limit.window_s) / (LEAST_SILENCE_S / 3)
    weight = ccxt.binance().api["fapiPrivate"]["post"]["countdownCancelAll"]["cost"]
    assert MOST_SWITCHED * renewals * Decimal(weight) <= Decimal(limit.units) / 2
    assert (MOST_SWITCHED + 1) * renewals * Decimal(weight) > Decimal(limit.units) / 2


def test_accounts_at_one_address_count_each_other_s_markets(run: Run, binance: Config) -> None:
    """Each trades four at USD-M: two of them would take more than half."""

    async def switch(opened: Opened) -> Decimal | None:
        venue = opened.venues["binance-usdm"]
        return venue.capabilities.dead_man_s

    def each(count: int) -> Config:
        names = tuple(f"C{number}/USDT:USDT" for number in range(count))
        rows = tuple(
            row.model_copy(update={"instruments": names}) if row.wallet == "usdm" else row
            for row in binance.accounts
        )
        return binance.model_copy(update={"accounts": rows})

    assert run(each(3), switch) == 10
    assert run(each(4), switch) is None


def with_markets(binance: Config, *names: str) -> Config:
    rows = tuple(
        row.model_copy(update={"instruments": names}) if row.id == "binance-usdm" else row
        for row in binance.accounts
    )
    return binance.model_copy(update={"accounts": rows})


def test_a_market_that_is_delisted_does_not_keep_the_others_from_the_switch(
    run: Run, binance: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> Outcome:
        venue = opened.venues["binance-usdm"]
        assert isinstance(venue, CcxtVenue)
        return await venue.cancel_after(10)

    some = with_markets(binance, "OLD/USDT:USDT", "BTC/USDT:USDT", "ETH/USDT:USDT")
    assert isinstance(run(some, work), Ack)
    log: Any = emulator.admin("GET", "requests")
    assert len([row for row in log if row["path"] == "/fapi/v1/countdownCancelAll"]) == 2
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
