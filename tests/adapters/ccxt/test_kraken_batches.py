"""Kraken Futures by payload replay: several orders in one request.

The answer is the one of the page "Batch order management": a row for each order with its status,
under its `cliOrdId` and `order_tag`. A row that names neither is shown by ccxt's own example of an
order that lacks an argument.
"""

import base64
import hashlib
import hmac
import json
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest

from allocator.adapters.ccxt.kraken import FACTS
from allocator.adapters.ccxt.kraken_orders import MOST_ORDERS, OF_REQUEST
from allocator.adapters.emulator.testing import Emulator
from allocator.models.config import Config
from allocator.models.intents import AbsentNow, Ack, Found, OrderIntent, Rejected
from tests.adapters.ccxt import kraken_payloads as kraken
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import emulated
from tests.adapters.ccxt.replay import Replay
from tests.adapters.ccxt.together import answered, codes, sent
from tests.adapters.times import ago

RECORDED = kraken.RECORDED
ETH = "krakenfutures:ETH/USD:USD"
BATCH = f"POST {kraken.V3}/batchorder"
played, venue, emulator, config = emulated(RECORDED)
ONE, TWO, THREE = (f"{number:032x}" for number in (1, 2, 3))


def intents(*names: str, **other: Any) -> list[OrderIntent]:
    return [RECORDED.intent(client_id=name, **other) for name in names]


def named(name: str) -> dict[str, Any]:
    told = f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:]}"
    return {"cliOrdId": told, "order_tag": told}


def placed(name: str, number: str | None = kraken.UID, **other: Any) -> dict[str, Any]:
    event = {"type": "PLACE", "order": {"orderId": number, "symbol": "PF_XBTUSD"}}
    return {"status": "placed", **named(name), "order_id": number,
            "dateTimeReceived": kraken.NOW, "orderEvents": [event], **other}  # fmt: skip


def refused(name: str, status: str = "insufficientAvailableFunds", **other: Any) -> dict[str, Any]:
    return {"status": status, **named(name), "orderEvents": [], **other}


def nameless(status: str) -> dict[str, Any]:
    return {"status": status, "orderEvents": []}


def told(*rows: Any) -> dict[str, Any]:
    return kraken.ok(batchStatus=list(rows))


def form(venue: Replay) -> dict[str, Any]:
    (call,) = venue.asked(BATCH)
    return {name: values[0] for name, values in parse_qs(call.body).items()}


def test_orders_of_two_contracts_say_what_was_meant(config: Config, venue: Replay) -> None:
    venue.table[BATCH] = told(placed(TWO, "8"), placed(ONE, "7"))
    one, two = *intents(ONE), *intents(TWO, instrument=ETH, side="buy", reduce_only=True,
                                       style="post_only", quantity=3)  # fmt: skip
    assert sent(config, [one, two]) == [Ack(venue_id="7"), Ack(venue_id="8")]
    asked = form(venue)
    assert asked.keys() == {"json"}
    assert json.loads(asked["json"], parse_float=Decimal) == {"batchOrder": [
        {"order": "send", **named(ONE), "orderType": "ioc", "symbol": "PF_XBTUSD", "side": "sell",
         "size": Decimal("0.009"), "limitPrice": Decimal("42174.5"), "reduceOnly": False},
        {"order": "send", **named(TWO), "orderType": "post", "symbol": "PF_ETHUSD", "side": "buy",
         "size": 3, "limitPrice": Decimal("42174.5"), "reduceOnly": True},
    ]}  # fmt: skip


def test_a_request_is_good_for_the_window_of_its_stamp_and_signed_as_it_is_sent(
    config: Config, venue: Replay
) -> None:
    venue.table[BATCH] = told(placed(ONE), placed(TWO))
    stamp = ago(1)
    sent(config, intents(ONE, TWO, stamped_at=stamp))
    until = datetime.fromisoformat(form(venue)["ProcessBefore"])
    assert abs((until - stamp).total_seconds() - 5) < 0.5
    (call,) = venue.asked(BATCH)
    digest = hashlib.sha256(f"{call.body}/api/v3/batchorder".encode()).digest()
    key = base64.b64decode(RECORDED.login["secret"])
    sign = base64.b64encode(hmac.new(key, digest, "sha512").digest()).decode()
    headers = {name.lower(): value for name, value in call.headers.items()}
    assert (headers["authent"], headers["apikey"]) == (sign, RECORDED.login["key"])
    assert headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_figure_that_a_number_of_json_does_not_hold_does_not_leave(
    config: Config, venue: Replay
) -> None:
    orders = [*intents(ONE), *intents(TWO, quantity="0.12345678901234567890123")]
    assert codes(sent(config, orders)) == ["NOT_SENT"] * 2
    assert venue.asked(BATCH) == []


@pytest.mark.parametrize(
    ("rows", "outcomes"),
    [
        ([refused(THREE, "postWouldExecute"), placed(TWO), refused(ONE)],
         ["insufficientAvailableFunds", "ack", "postWouldExecute"]),
        ([refused(ONE), refused(TWO), refused(THREE)], ["insufficientAvailableFunds"] * 3),
        ([placed(ONE), refused(TWO)], ["ack", "insufficientAvailableFunds", "unknown"]),
        ([placed(ONE), refused(TWO, "selfFill", order_id=kraken.UID), nameless("selfFill")],
         ["ack", "selfFill", "unknown"]),
        ([placed(ONE, status="attempted"), placed(TWO, status="filled"),
          placed(THREE, status="partiallyFilled")], ["ack"] * 3),
        ([placed(ONE, cliOrdId=None), refused(TWO, order_tag=None), placed(THREE, order_tag="")],
         ["ack", "insufficientAvailableFunds", "ack"]),
        ([placed(ONE, order_tag=named(TWO)["order_tag"]), placed(TWO), placed(THREE)],
         ["unknown", "unknown", "ack"]),
        ([placed(ONE), refused(ONE), refused(TWO), refused(TWO)], ["unknown"] * 3),
        ([placed(ONE, None), placed(TWO, ""), refused(THREE, "")], ["unknown"] * 3),
        ([refused(ONE, "iocWouldNotExecute", orderEvents=[{"type": "EXECUTION"}]),
          refused(TWO, "iocWouldNotExecute", orderEvents=[{"type": "REJECT"}]),
          refused(THREE, "postWouldExecute", orderEvents=["?"])],
         ["unknown", "iocWouldNotExecute", "unknown"]),
        ([placed(ONE, status="cancelled"), placed(TWO, status="edited"), refused(THREE, "new")],
         ["unknown"] * 3),
        ([nameless("requiredArgumentMissing")] * 3, ["unknown"] * 3),
        ([placed("f" * 32), None, "no"], ["unknown"] * 3),
        ([], ["unknown"] * 3),
    ],
)  # fmt: skip
def test_an_order_is_told_by_its_names_alone(
    config: Config, venue: Replay, rows: list[Any], outcomes: list[str]
) -> None:
    venue.table[BATCH] = told(*rows)
    assert codes(sent(config, intents(ONE, TWO, THREE))) == outcomes
    assert len(venue.asked(BATCH)) == 1


@pytest.mark.parametrize("answer", [kraken.ok(), told(), kraken.ok(batchStatus={}), [], "no"])
def test_an_answer_without_statuses_tells_of_no_order(
    config: Config, venue: Replay, answer: Any
) -> None:
    venue.table[BATCH] = answer
    assert codes(sent(config, intents(ONE, TWO))) == ["unknown"] * 2
    assert len(venue.asked(BATCH)) == 1


def test_a_client_id_that_is_known_is_looked_up(config: Config, venue: Replay) -> None:
    venue.table[BATCH] = told(refused(ONE, "clientOrderIdAlreadyExist"), placed(TWO))
    assert codes(sent(config, intents(ONE, TWO))) == ["unknown", "ack"]
    row = kraken.open_order(cliOrdId=named(ONE)["cliOrdId"])
    venue.table[f"GET {kraken.V3}/openorders"] = kraken.ok(openOrders=[row])
    assert codes(sent(config, intents(ONE, TWO))) == ["ack", "ack"]


def test_an_error_that_is_told_of_the_request_is_every_order_s_or_nobody_s(
    config: Config, venue: Replay
) -> None:
    answers = {code: kraken.no(code) for code in sorted(FACTS.definitive | OF_REQUEST)}
    found = answered(config, venue, BATCH, answers, intents(ONE, TWO))
    assert found.keys() == answers.keys()
    for code, outcomes in found.items():
        refusals = [Rejected(code=code, message="")] * 2
        assert outcomes == refusals if code in OF_REQUEST else codes(outcomes) == ["unknown"] * 2


@pytest.mark.parametrize(
    "kind",
    ["delay", "drop_before", "drop_after", "truncate", "html", "http_500_after", "429", "418"],
)
def test_under_a_fault_every_order_is_typed_right_and_sent_once(
    config: Config, venue: Replay, emulator: Emulator, kind: str
) -> None:
    """What becomes of an unknown one, its look-up tells by its client id."""
    venue.table[BATCH] = told(placed(ONE), placed(TWO))
    orders = intents(ONE, TWO)
    path = BATCH.partition(" ")[2]
    emulator.fault({"kind": kind, "path": path, "method": "POST", "delay_s": 0.02})
    assert codes(sent(config, orders)) == ["ack" if kind == "delay" else "unknown"] * 2
    arrived = kind not in {"drop_before", "429", "418"}
    assert len(venue.asked(BATCH)) == arrived
    if arrived:
        events = [("Execution", {"execution": {**told_of["execution"], "uid": name}})
                  for name in (ONE, TWO)
                  for _, told_of in [kraken.execution("0.009", "42174.5", "0.19",
                                                      named(name)["cliOrdId"])]]  # fmt: skip
        venue.table[f"GET {kraken.HISTORY}/executions"] = kraken.history(*events)
    for order in orders:
        finding = run_with(config, lambda opened, one=order: opened.venues["flex"].find(one, ago()))
        assert isinstance(finding, Found if arrived else AbsentNow)
    assert len(venue.asked(BATCH)) == arrived


@pytest.mark.parametrize(
    ("orders", "account"),
    [
        (intents(*(f"{number:032x}" for number in range(MOST_ORDERS + 1))), "flex"),
        (intents(ONE, TWO), "cash"),
    ],
    ids=["eleven", "a wallet that holds"],
)
def test_what_one_request_does_not_carry_does_not_leave(
    config: Config, venue: Replay, orders: list[OrderIntent], account: str
) -> None:
    assert set(codes(sent(config, orders, account))) == {"NOT_SENT"}
    assert venue.asked(BATCH) == []
