"""A request that the network delivers twice: a refusal of the second copy hides no effect."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    OrderIntent,
    Rejected,
    TransferIntent,
    Unknown,
)
from tests.adapters.ccxt.conftest import Run
from tests.adapters.times import ago, now

FIRST, SECOND = "a" * 32, "b" * 32


PLACES: Mapping[str, tuple[str, str, str, str, str]] = {
    "binance USD-M": ("binance-usdm", "BTC/USDT:USDT", "/fapi/v1/order", "sub1-usdm", "63900"),
    "binance COIN-M": ("binance-coinm", "BTC/USD:BTC", "/dapi/v1/order", "", "63900"),
    "bybit": ("bybit-main", "BTC/USDT:USDT", "/v5/order/create", "", "63900"),
    "okx": ("okx-main", "BTC/USDT:USDT", "/api/v5/trade/order", "", "63900"),
}
"""Account, market and path of an order, by what it is called."""


@pytest.fixture
def config(request: pytest.FixtureRequest, name: str) -> Config:
    data = request.getfixturevalue(f"{name.partition(' ')[0]}_data")
    return Config.model_validate(data)


def order(name: str, quantity: Decimal, **changes: Any) -> OrderIntent:
    account, market, *_ = PLACES[name]
    return OrderIntent.model_validate(
        {"client_id": SECOND, "account": account, "side": "sell", "limit_price": "63900",
         "instrument": f"{account.partition('-')[0]}:{market}", "quantity": quantity, **changes}
    )  # fmt: skip


def closing(name: str, held: Decimal) -> OrderIntent:
    """Word an order that closes all of a position and adds to nothing."""
    long = held > 0
    price = "63900" if long else "64100"
    side = "sell" if long else "buy"
    return order(name, abs(held), side=side, limit_price=price, reduce_only=True)


@pytest.mark.parametrize("name", list(PLACES))
def test_a_reducing_order_delivered_twice_was_carried_out(
    run: Run, config: Config, emulator: Emulator, name: str
) -> None:
    """The first copy closes the position; nothing is left that the second could reduce."""

    async def work(opened: Opened) -> None:
        venue = opened.venues[PLACES[name][0]]
        instrument = order(name, Decimal(1)).instrument
        least = Decimal("0.35") if name == "okx" else Decimal("5" if "COIN" in name else "0.003")
        if not (await venue.read()).position(instrument):
            opening = order(name, least, client_id=FIRST, side="buy", limit_price="64100")
            assert isinstance(await venue.submit(opening), Ack)
        intent = closing(name, (await venue.read()).position(instrument))
        emulator.fault({"kind": "duplicate", "path": PLACES[name][2], "method": "POST"})
        outcome = await venue.submit(intent)
        assert isinstance(outcome, Ack), outcome
        found = await venue.find(intent, ago())
        assert isinstance(found, Found)
        assert (found.venue_id, found.filled) == (outcome.venue_id, intent.quantity)
        assert (await venue.read()).position(instrument) == 0

    run(config, work)


@pytest.mark.parametrize("name", ["binance USD-M"])
def test_all_money_sent_twice_left_once_and_was_not_refused(
    run: Run, config: Config, emulator: Emulator, name: str
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-spot"]
        for target, path, key in (
            ("binance-usdm", "/sapi/v1/asset/transfer", FIRST),
            ("sub1-spot", "/sapi/v1/sub-account/universalTransfer", SECOND),
        ):
            units = (await venue.read()).wallets["USDT"]
            most = units if key == SECOND else (units / 4 * 3).quantize(Decimal("0.01"))
            intent = TransferIntent(
                client_id=key, route="r", source="binance-spot", target=target, asset="USDT",
                amount=most,
            )  # fmt: skip
            emulator.fault({"kind": "duplicate", "path": path, "method": "POST"})
            outcome = await venue.submit(intent)
            keyed = key == SECOND
            assert isinstance(outcome, Ack if keyed else Unknown), outcome
            assert isinstance(await venue.find(intent, ago()), Found)
        assert (await venue.read()).wallets.get("USDT", 0) == 0

    run(config, work)


@pytest.mark.parametrize("name", ["binance USD-M", "bybit", "okx"])
def test_a_refusal_that_hides_nothing_stays_one(
    run: Run, config: Config, emulator: Emulator, name: str
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues[PLACES[name][0]]
        held = (await venue.read()).position(order(name, Decimal(1)).instrument)
        size = {"okx": Decimal("0.35")}.get(name, Decimal("0.003"))
        adding = order(name, size, reduce_only=True, side="buy" if held >= 0 else "sell",
                       limit_price="64100" if held >= 0 else "63900")  # fmt: skip
        assert isinstance(await venue.submit(adding), Rejected)

    run(config, work)


@pytest.mark.parametrize("name", ["binance USD-M"])
def test_a_refusal_whose_look_up_fails_is_unknown(
    run: Run, config: Config, emulator: Emulator, name: str
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-usdm"]
        held = (await venue.read()).position("binance:BTC/USDT:USDT")
        adding = order(name, Decimal("0.003"), reduce_only=True,
                       side="buy" if held >= 0 else "sell",
                       limit_price="64100" if held >= 0 else "63900")  # fmt: skip
        emulator.fault({"kind": "html", "path": "/fapi/v1/order", "method": "GET"})
        outcome = await venue.submit(adding)
        assert isinstance(outcome, Unknown)
        assert outcome.why.startswith("-2022")

    run(config, work)


@pytest.mark.parametrize("name", ["binance USD-M"])
def test_what_is_wrong_with_the_request_itself_needs_no_look_up(
    run: Run, config: Config, emulator: Emulator, name: str
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-usdm"]
        await venue.server_time()
        outcome = await venue.submit(order(name, Decimal("0.0035")))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "-1111"

    run(config, work)
    log: Any = emulator.admin("GET", "requests")
    assert not [row for row in log if row["path"] == "/fapi/v1/order" and row["method"] == "GET"]


def equal(key: str, amount: Decimal) -> TransferIntent:
    """Word a transfer that bears no key, stamped now."""
    return TransferIntent(
        client_id=key, route="r", source="binance-spot", target="binance-usdm", asset="USDT",
        amount=amount, stamped_at=now(),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["binance USD-M"])
def test_a_refused_transfer_is_not_told_as_an_equal_one_before_it(run: Run, config: Config) -> None:
    """The money was there once: the second was refused, and nothing of it left."""

    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-spot"]
        units = (await venue.read()).wallets["USDT"]
        most = (units / 3 * 2).quantize(Decimal("0.01"))
        first = await venue.submit(equal(FIRST, most))
        assert isinstance(first, Ack)
        refused = equal(SECOND, most)
        assert isinstance(await venue.submit(refused), Rejected)
        assert (await venue.read()).wallets["USDT"] == units - most
        assert isinstance(await venue.find(refused, ago()), AbsentNow)

    run(config, work)


@pytest.mark.parametrize("name", ["binance USD-M"])
def test_a_transfer_without_a_key_that_is_found_is_another_s_no_longer(
    run: Run, config: Config, emulator: Emulator, name: str
) -> None:
    """Its acknowledgement was lost; it was found by its amount, and that is taken once."""

    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-spot"]
        units = (await venue.read()).wallets["USDT"]
        most = (units / 3 * 2).quantize(Decimal("0.01"))
        lost = equal(FIRST, most)
        emulator.fault({"kind": "html", "path": "/sapi/v1/asset/transfer", "method": "POST"})
        assert isinstance(await venue.submit(lost), Unknown)
        refused = equal(SECOND, most)
        assert isinstance(await venue.find(lost, ago()), Found)
        assert isinstance(await venue.submit(refused), Rejected)

    run(config, work)
