"""KuCoin Futures by payload replay: several orders in one request.

The answer is the one of the page "Batch Add Orders": a row for each order, under its `clientOid`,
with a code of its own.
"""

from typing import Any

import pytest

from allocator.adapters.ccxt.kucoin import FACTS, MOST_ORDERS, OF_REQUEST
from allocator.models.config import Config
from allocator.models.intents import Ack, OrderIntent, Rejected
from tests.adapters.ccxt import kucoin_payloads as kucoin
from tests.adapters.ccxt.recorded import fixtures
from tests.adapters.ccxt.replay import Replay
from tests.adapters.ccxt.together import answered, codes, sent

RECORDED = kucoin.RECORDED
ETH = "kucoinfutures:ETH/USDT:USDT"
BATCH = "POST /api/v1/orders/multi"
ONE, TWO, THREE = (f"{number:032x}" for number in (1, 2, 3))

played, venue, config = fixtures(RECORDED)


def intents(*names: str, **other: Any) -> list[OrderIntent]:
    return [RECORDED.intent(client_id=name, **other) for name in names]


def row(name: str, number: str | None = "80465574458560512", **other: Any) -> dict[str, Any]:
    return {"orderId": number, "clientOid": name, "symbol": "XBTUSDTM", "code": "200000",
            "msg": "success", **other}  # fmt: skip


def failed(name: str, code: str = "300003", number: str | None = None) -> dict[str, Any]:
    return row(name, number, code=code, msg="Balance not enough")


def test_orders_of_two_contracts_say_what_was_meant(config: Config, venue: Replay) -> None:
    venue.table[BATCH] = kucoin.ok([row(TWO, "8"), row(ONE, "7")])
    one, two = *intents(ONE), *intents(TWO, instrument=ETH, reduce_only=True, style="post_only")
    assert sent(config, [one, two]) == [Ack(venue_id="7"), Ack(venue_id="8")]
    of_each = {"side": "sell", "type": "limit", "price": "96980", "size": 12, "leverage": "20",
               "marginMode": "CROSS"}  # fmt: skip
    assert venue.body(BATCH) == [
        {**of_each, "clientOid": ONE, "symbol": "XBTUSDTM", "reduceOnly": False,
         "timeInForce": "IOC", "postOnly": False},
        {**of_each, "clientOid": TWO, "symbol": "ETHUSDTM", "reduceOnly": True,
         "timeInForce": "GTC", "postOnly": True},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "outcomes"),
    [
        ([failed(THREE), row(TWO), failed(ONE, "300012")], ["300012", "ack", "300003"]),
        ([failed(ONE), failed(TWO), failed(THREE)], ["300003"] * 3),
        ([row(ONE), failed(TWO)], ["ack", "300003", "unknown"]),
        ([row(ONE), failed(ONE), failed(TWO), failed(TWO)], ["unknown"] * 3),
        ([row(ONE, None), row(TWO, ""), failed(THREE, "300003", "9")], ["unknown"] * 3),
        ([row("f" * 32), failed(""), None], ["unknown"] * 3),
        ([failed(ONE, "300002"), failed(TWO, "?"), {"clientOid": THREE}], ["unknown"] * 3),
        ([], ["unknown"] * 3),
        (None, ["unknown"] * 3),
        ({"orderId": "7", "clientOid": ONE}, ["unknown"] * 3),
    ],
)
def test_an_order_is_told_by_its_client_id_alone(
    config: Config, venue: Replay, answer: Any, outcomes: list[str]
) -> None:
    venue.table[BATCH] = kucoin.ok(answer)
    assert codes(sent(config, intents(ONE, TWO, THREE))) == outcomes
    assert len(venue.asked(BATCH)) == 1


def test_a_code_that_is_told_of_the_request_is_every_order_s_or_nobody_s(
    config: Config, venue: Replay
) -> None:
    answers = {code: kucoin.no(code) for code in sorted(FACTS.definitive | OF_REQUEST)}
    told = answered(config, venue, BATCH, answers, intents(ONE, TWO))
    assert told.keys() == answers.keys()
    for code, outcomes in told.items():
        refused = [Rejected(code=code, message="no")] * 2
        assert outcomes == refused if code in OF_REQUEST else codes(outcomes) == ["unknown"] * 2


def test_a_server_that_fails_leaves_every_order_unknown(config: Config, venue: Replay) -> None:
    venue.table[BATCH] = kucoin.no("500000", "?", 500)
    assert codes(sent(config, intents(ONE, TWO))) == ["unknown"] * 2
    assert len(venue.asked(BATCH)) == 1


@pytest.mark.parametrize(
    ("orders", "account"),
    [
        (intents(*(f"{number:032x}" for number in range(MOST_ORDERS + 1))), "futures"),
        (intents(ONE, TWO), "main"),
    ],
    ids=["twenty-one", "a wallet that holds"],
)
def test_what_one_request_does_not_carry_does_not_leave(
    config: Config, venue: Replay, orders: list[OrderIntent], account: str
) -> None:
    assert set(codes(sent(config, orders, account))) == {"NOT_SENT"}
    assert venue.asked(BATCH) == []


def test_in_hedge_mode_no_order_leaves(config: Config, venue: Replay) -> None:
    venue.table["GET /api/v2/position/getPositionMode"] = kucoin.ok({"positionMode": 1})
    assert codes(sent(config, intents(ONE, TWO))) == ["NOT_SENT"] * 2
    assert venue.asked(BATCH) == []
