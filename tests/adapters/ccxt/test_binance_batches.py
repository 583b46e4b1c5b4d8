"""Several orders in one request at Binance: each is taken, refused or unknown by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import ccxt
import pytest

from allocator.adapters.ccxt import base
from allocator.adapters.ccxt.batches import UNTOLD, told_each
from allocator.adapters.ccxt.binance_orders import together
from allocator.adapters.ccxt.failures import NotSentError, RefusalError, UnansweredError
from allocator.adapters.ccxt.rates import HEAVIER
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config, ExecutionConfig
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Capabilities,
    Found,
    OrderIntent,
    Unknown,
)
from tests.adapters.ccxt.test_binance_actions import COINM, SPOT, USDM, order
from tests.adapters.ccxt.together import codes, sent
from tests.adapters.times import ago

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
ETH = "binance:ETH/USDT:USDT"
BATCH = {USDM: "/fapi/v1/batchOrders", COINM: "/dapi/v1/batchOrders"}
FIRST, SECOND = f"{1:032x}", f"{2:032x}"


def named(number: int, instrument: str = USDM, **changes: Any) -> OrderIntent:
    return order(instrument, client_id=f"{number:032x}", **changes)


def ether(number: int, **changes: Any) -> OrderIntent:
    """Order another market of the same account."""
    asked = named(number, quantity="0.1", limit_price="3120", **changes)
    return asked.model_copy(update={"instrument": ETH})


def arrived(emulator: Emulator) -> int:
    rows: Any = emulator.admin("GET", "requests")
    return sum(row["path"] in BATCH.values() for row in rows)


def made(emulator: Emulator) -> list[int]:
    effects: Any = emulator.admin("GET", "effects")
    return [row["count"] for row in effects["orders"]]


def found(run: Run, config: Config, intent: OrderIntent) -> Any:
    return run(config, lambda opened: opened.venues[intent.account].find(intent, ago()))


@pytest.mark.parametrize(
    ("instrument", "off_lot", "closing"), [(USDM, "0.0035", "buy"), (COINM, "1.5", "sell")]
)
def test_each_order_of_a_request_is_taken_or_refused_by_itself(
    run: Run, binance: Config, emulator: Emulator, instrument: str, off_lot: str, closing: str
) -> None:
    intents = [
        named(1, instrument),
        named(2, instrument, quantity=off_lot),
        named(3, instrument, limit_price="63900", side=closing, reduce_only=True),
        named(4, instrument),
    ]
    outcomes = sent(binance, intents)
    assert codes(outcomes) == ["ack", "-1111", "-2022", "ack"]
    assert [type(found(run, binance, row)) for row in intents] == [
        Found, AbsentNow, AbsentNow, Found,
    ]  # fmt: skip
    assert found(run, binance, intents[3]).venue_id == getattr(outcomes[3], "venue_id", "")
    assert (arrived(emulator), made(emulator)) == (1, [1, 1])


def test_one_order_in_a_request_is_refused_by_itself(binance: Config, emulator: Emulator) -> None:
    """The client takes a list of one error for an error of the request."""
    outcomes = sent(binance, [named(1, quantity="0.0035")])
    assert codes(outcomes) == ["-1111"]
    assert (arrived(emulator), made(emulator)) == (1, [])


def test_orders_of_two_markets_of_an_account_go_in_one_request(
    run: Run, binance: Config, emulator: Emulator
) -> None:
    intents = [ether(1), named(2), ether(3, style="post_only")]
    outcomes = sent(binance, intents)
    assert codes(outcomes) == ["ack", "ack", "-5022"]
    assert found(run, binance, intents[0]).filled == intents[0].quantity
    assert arrived(emulator) == 1


def test_a_known_client_id_among_others_is_the_order_it_named(
    binance: Config, emulator: Emulator
) -> None:
    resting = named(1, limit_price="63000", style="post_only")
    first = sent(binance, [resting, named(2)])
    second = sent(binance, [resting, named(3)])
    assert second[0] == first[0]
    assert made(emulator) == [1, 1, 1]


@pytest.mark.parametrize(
    "kind", ["drop_before", "drop_after", "html", "http_500_after", "truncate", "429", "418"]
)
@pytest.mark.parametrize("instrument", [USDM, COINM])
def test_no_answer_leaves_every_order_unknown_and_sends_none_again(
    binance: Config, emulator: Emulator, kind: str, instrument: str
) -> None:
    emulator.fault({"kind": kind, "path": BATCH[instrument], "times": 1, "delay_s": 0.02})
    outcomes = sent(binance, [named(1, instrument), named(2, instrument)])
    assert [type(row) for row in outcomes] == [Unknown] * 2
    kept = kind not in {"drop_before", "429", "418"}
    assert (arrived(emulator), made(emulator)) == (1, [1, 1] if kept else [])


def test_orders_stamped_before_the_window_are_refused_all(
    binance: Config, emulator: Emulator
) -> None:
    late = ago(5.001)
    outcomes = sent(binance, [named(1, stamped_at=late), named(2, stamped_at=late)])
    assert codes(outcomes) == ["-1021", "-1021"]
    assert made(emulator) == []


@pytest.mark.parametrize(
    ("intents", "account"),
    [
        ([named(number) for number in range(1, 7)], "binance-usdm"),
        ([named(1), named(2, COINM)], "binance-usdm"),
        ([named(1, SPOT), named(2, SPOT)], "binance-spot"),
        ([named(1, SPOT)], "binance-spot"),
    ],
    ids=["six", "two services", "spot", "one of spot"],
)
def test_what_one_request_does_not_carry_does_not_leave(
    binance: Config, emulator: Emulator, intents: list[OrderIntent], account: str
) -> None:
    outcomes = sent(binance, intents, account)
    assert set(codes(outcomes)) == {"NOT_SENT"}
    assert (arrived(emulator), made(emulator)) == (0, [])


def test_an_order_taken_does_not_wait_for_a_look_up_of_another_that_takes_too_long(
    binance: Config, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def soon(can: Capabilities) -> float:
        del can
        return 0.2

    monkeypatch.setattr(base, "look_s", soon)
    emulator.fault(
        {"kind": "delay", "path": "/fapi/v1/order", "method": "GET", "delay_s": 2, "times": 2}
    )
    refused = named(2, limit_price="63900", side="buy", reduce_only=True)
    first, second = sent(binance, [named(1), refused])
    assert isinstance(first, Ack)
    assert isinstance(second, Unknown)
    assert second.why.startswith("-2022")
    assert second.why.endswith("not looked up in time")
    assert (arrived(emulator), made(emulator)) == (1, [1])


def test_a_look_up_ends_before_whoever_sent_the_order_gives_up() -> None:
    """The slowest to show what it did is Kraken, by five seconds."""
    can = Capabilities(read_lag_s=Decimal(5))
    assert base.look_s(can) < can.receive_window_s + ExecutionConfig().order_timeout_s


def test_orders_of_two_services_are_not_sent_from_an_account_that_trades_at_both() -> None:
    markets = {USDM: {"spot": False, "linear": True}, COINM: {"spot": False, "linear": False}}
    place: Any = SimpleNamespace(
        account="binance-unified",
        config=SimpleNamespace(wallet="unified"),
        market=markets.__getitem__,
    )
    with pytest.raises(NotSentError, match="of one service"):
        asyncio.run(together(place, [named(1), named(2, COINM)]))


def test_five_in_a_request_are_told_of_the_futures_alone(run: Run, binance: Config) -> None:
    async def work(opened: Opened) -> dict[str, int]:
        wanted = ("binance-spot", "binance-usdm", "binance-coinm")
        return {name: opened.venues[name].capabilities.batch_orders for name in wanted}

    assert run(binance, work) == {"binance-spot": 1, "binance-usdm": 5, "binance-coinm": 5}


@pytest.mark.parametrize("api", ["fapiPrivate", "dapiPrivate"])
def test_a_request_draws_the_weight_of_its_page_on_the_address(api: str) -> None:
    told: Any = ccxt.binance().api
    assert told[api]["post"]["batchOrders"]["cost"] == 5
    assert (api, "batchOrders") not in HEAVIER


A: dict[str, Any] = {"clientOrderId": FIRST, "orderId": 7}
B: dict[str, Any] = {"clientOrderId": SECOND, "orderId": 8}
NO: dict[str, Any] = {"code": -2019, "msg": "Margin is insufficient."}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([A, B], ["7", "8"]),
        ([A, NO], ["7", "-2019"]),
        ([NO, B], ["-2019", "8"]),
        ([NO, NO], ["-2019", "-2019"]),
        ([B, A], ["7", "8"]),
        ([B, NO], ["?", "8"]),
        ([NO, {**B, "clientOrderId": FIRST}], ["8", "?"]),
        ([A], ["7", "?"]),
        ([NO], ["?", "?"]),
        ([], ["?", "?"]),
        ([A, NO, NO], ["7", "?"]),
        ([A, None], ["7", "?"]),
        ([A, {}], ["7", "?"]),
        ([A, {"code": None, "msg": "?"}], ["7", "?"]),
        ([A, {**NO, "clientOrderId": FIRST}], ["7", "?"]),
        ([A, {**B, "clientOrderId": "f" * 32}], ["7", "?"]),
        ([NO, {**B, "clientOrderId": "f" * 32}], ["?", "?"]),
        ([NO, {"orderId": 8}], ["?", "?"]),
        ([A, {**A, "orderId": 8}], ["?", "?"]),
        ([NO, {**B, "orderId": None}], ["?", "?"]),
    ],
)
def test_an_order_is_told_only_by_its_client_id_or_its_place_in_a_whole_answer(
    answer: list[Any], told: list[str]
) -> None:
    def word(row: str | Exception) -> str:
        if isinstance(row, UnansweredError):
            assert str(row) == UNTOLD
            return "?"
        return row.code if isinstance(row, RefusalError) else str(row)

    assert [word(row) for row in told_each([FIRST, SECOND], answer, "clientOrderId")] == told
