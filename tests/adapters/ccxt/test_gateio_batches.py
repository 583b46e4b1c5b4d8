"""Gate by payload replay: several orders in one request.

The answer is the one of "Place batch futures orders": a row for each order, in their order, with
`succeeded` and the order, or a `label` in place of it.
"""

from typing import Any

import pytest

from allocator.adapters.ccxt.gateio import FACTS, MOST_ORDERS, OF_REQUEST
from allocator.adapters.ccxt.gateio_orders import text_id
from allocator.models.config import Config
from allocator.models.intents import Ack, OrderIntent, Rejected
from tests.adapters.ccxt import gateio_payloads as gate
from tests.adapters.ccxt.gateio_words import BTC, FIXTURES, ZTX, order
from tests.adapters.ccxt.replay import Replay
from tests.adapters.ccxt.together import answered, codes, sent
from tests.adapters.times import now

venue, emulator, config = FIXTURES
BATCH = f"POST {gate.FUTURES}/batch_orders"
ONE, TWO, THREE = (f"{number:032x}" for number in (1, 2, 3))


@pytest.fixture(autouse=True)
def absent(venue: Replay) -> None:
    """No look-up finds an order of these."""
    for name in (ONE, TWO, THREE):
        venue.table[f"GET {gate.FUTURES}/orders/{text_id(name)}"] = gate.no("ORDER_NOT_FOUND")


def intents(*names: str, **other: Any) -> list[OrderIntent]:
    return [order(client_id=name, **other) for name in names]


def made(name: str, number: int | None = 15675394, **other: Any) -> dict[str, Any]:
    return {"succeeded": True, **gate.order(id=number, text=text_id(name)), **other}


def failed(label: str = "INSUFFICIENT_AVAILABLE", **other: Any) -> dict[str, Any]:
    return {"succeeded": False, "label": label, "detail": "no", **other}


def test_orders_of_two_contracts_say_what_was_meant(config: Config, venue: Replay) -> None:
    venue.table[BATCH] = [made(ONE, 7), made(TWO, 8)]
    one, two = *intents(ONE), *intents(TWO, instrument=ZTX, side="buy", reduce_only=True)
    assert sent(config, [one, two]) == [Ack(venue_id="7"), Ack(venue_id="8")]
    of_each = {"settle": "usdt", "price": "3780.1", "tif": "ioc"}
    assert venue.body(BATCH) == [
        {**of_each, "contract": "BTC_USDT", "size": -12, "text": text_id(ONE),
         "reduce_only": False},
        {**of_each, "contract": "ZTX_USDT", "size": 12, "text": text_id(TWO),
         "reduce_only": True},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "outcomes"),
    [
        ([failed("ORDER_POC_IMMEDIATE"), made(TWO), failed()],
         ["ORDER_POC_IMMEDIATE", "ack", "INSUFFICIENT_AVAILABLE"]),
        ([failed()] * 3, ["INSUFFICIENT_AVAILABLE"] * 3),
        ([made(ONE), failed(text=text_id(TWO)), failed(text="", id=0)],
         ["ack", "INSUFFICIENT_AVAILABLE", "INSUFFICIENT_AVAILABLE"]),
        ([made(ONE), failed("INTERNAL"), failed("SERVER_ERROR")], ["ack", "unknown", "unknown"]),
        ([made(TWO), made(ONE), failed()], ["ack", "ack", "unknown"]),
        ([made(ONE), failed(text=text_id(THREE)), failed()], ["ack", "unknown", "unknown"]),
        ([made(ONE), failed(id=9), failed()], ["ack", "unknown", "unknown"]),
        ([made(ONE), failed()], ["ack", "unknown", "unknown"]),
        ([made(ONE), failed(), failed(), failed()], ["ack", "unknown", "unknown"]),
        ([made(ONE), made(ONE, 9), failed()], ["unknown"] * 3),
        ([made(ONE, None), failed(), failed()], ["unknown"] * 3),
        ([made(ONE, succeeded="true"), failed(), failed()], ["unknown"] * 3),
        ([made(ONE), "no", failed()], ["ack", "unknown", "unknown"]),
        ([], ["unknown"] * 3),
        ({"succeeded": True}, ["unknown"] * 3),
    ],
)  # fmt: skip
def test_an_order_is_told_by_its_text_or_its_place_in_a_whole_answer(
    config: Config, venue: Replay, answer: Any, outcomes: list[str]
) -> None:
    venue.table[BATCH] = answer
    assert codes(sent(config, intents(ONE, TWO, THREE))) == outcomes
    assert len(venue.asked(BATCH)) == 1


def test_a_label_that_is_told_of_the_request_is_every_order_s_or_nobody_s(
    config: Config, venue: Replay
) -> None:
    answers = {label: gate.no(label) for label in sorted(FACTS.definitive | OF_REQUEST)}
    told = answered(config, venue, BATCH, answers, intents(ONE, TWO))
    assert told.keys() == answers.keys()
    for label, outcomes in told.items():
        refused = [Rejected(code=label, message="no")] * 2
        assert outcomes == refused if label in OF_REQUEST else codes(outcomes) == ["unknown"] * 2


def test_a_request_is_good_for_the_window_of_its_stamp(config: Config, venue: Replay) -> None:
    venue.table[BATCH] = [made(ONE), made(TWO)]
    stamp = now()
    sent(config, intents(ONE, TWO, stamped_at=stamp))
    (call,) = venue.asked(BATCH)
    assert abs(int(call.headers["x-gate-exptime"]) - (stamp.timestamp() + 5) * 1000) < 500


@pytest.mark.parametrize(
    ("orders", "account"),
    [
        (intents(*(f"{number:032x}" for number in range(MOST_ORDERS + 1))), "futures"),
        (intents(ONE, TWO, instrument=BTC), "spot"),
    ],
    ids=["eleven", "spot"],
)
def test_what_one_request_does_not_carry_does_not_leave(
    config: Config, venue: Replay, orders: list[OrderIntent], account: str
) -> None:
    assert set(codes(sent(config, orders, account))) == {"NOT_SENT"}
    assert venue.asked(BATCH) == []
