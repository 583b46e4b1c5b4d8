"""Bitget by payload replay: several orders of one pair in one request.

The answer is the one of the page contract/trade/Batch-Order: `successList` and `failureList`, each
row under its `clientOid`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from allocator.adapters.ccxt.base import CcxtVenue
from allocator.adapters.ccxt.bitget import FACTS, MOST_ORDERS, OF_REQUEST
from allocator.adapters.emulator.testing import Emulator
from allocator.models.config import Config
from allocator.models.intents import Ack, OrderIntent, Outcome, Rejected
from tests.adapters.ccxt import bitget_payloads as bitget
from tests.adapters.ccxt.bitget_words import ETH, FIXTURES, SETTING, Run, order
from tests.adapters.ccxt.replay import Replay

venue, emulator, config = FIXTURES
BATCH = f"POST {bitget.MIX}/order/batch-place-order"
DETAIL = f"GET {bitget.MIX}/order/detail"
ONE, TWO, THREE = (f"{number:032x}" for number in (1, 2, 3))


def intents(*names: str, **other: Any) -> list[OrderIntent]:
    return [order(client_id=name, **other) for name in names]


def made(name: str, number: str | None = "1111397214281175046") -> dict[str, Any]:
    return {"orderId": number, "clientOid": name}


def failed(name: str, code: str = "45110", number: str = "") -> dict[str, Any]:
    words = "less than the minimum amount 5 USDT"
    return {"orderId": number, "clientOid": name, "errorMsg": words, "errorCode": code}


def told(success: Any, failure: Any) -> dict[str, Any]:
    return bitget.ok({"successList": success, "failureList": failure})


def sent(run: Run, config: Config, orders: list[OrderIntent], account: str = "futures") -> Any:
    async def work(opened: Any) -> list[Outcome]:
        port = opened.venues[account]
        assert isinstance(port, CcxtVenue)
        return list(await port.submit_together(orders))

    return run(config, work)


def words(outcomes: list[Outcome]) -> list[str]:
    return [getattr(row, "code", row.outcome) for row in outcomes]


def test_orders_of_one_pair_say_what_was_meant(run: Run, config: Config, venue: Replay) -> None:
    venue.table[BATCH] = told([made(ONE, "7"), made(TWO, "8")], [])
    stamp = datetime.now(UTC)
    one, two = intents(ONE, TWO, stamped_at=stamp)
    two = two.model_copy(update={"side": "buy", "reduce_only": True, "style": "post_only"})
    assert sent(run, config, [one, two]) == [Ack(venue_id="7"), Ack(venue_id="8")]
    of_each = {"size": "0.012", "price": "25099.5", "orderType": "limit"}
    assert venue.body(BATCH) == {
        "productType": "USDT-FUTURES",
        "symbol": "BTCUSDT",
        "marginMode": "crossed",
        "marginCoin": "USDT",
        "orderList": [
            {**of_each, "side": "sell", "force": "ioc", "clientOid": ONE, "reduceOnly": "NO"},
            {**of_each, "side": "buy", "force": "post_only", "clientOid": TWO, "reduceOnly": "YES"},
        ],
    }


@pytest.mark.parametrize(
    ("success", "failure", "outcomes"),
    [
        ([made(TWO)], [failed(THREE), failed(ONE, "40762")], ["40762", "ack", "45110"]),
        ([], [failed(ONE), failed(TWO), failed(THREE)], ["45110"] * 3),
        ([made(ONE, None), made(TWO, "")], [failed(THREE)], ["ack", "ack", "45110"]),
        ([made(ONE)], [failed(TWO)], ["ack", "45110", "unknown"]),
        ([made(ONE)], [failed(ONE), failed(TWO)], ["unknown", "45110", "unknown"]),
        ([made(ONE), made(ONE, "9")], [failed(TWO), failed(TWO)], ["unknown"] * 3),
        ([made("f" * 32)], [failed("")], ["unknown"] * 3),
        ([{"orderId": "7"}, None], [{"clientOid": ONE}, "no"], ["unknown"] * 3),
        ([made(ONE)], [failed(TWO, "40725"), failed(THREE, "45110", "9")],
         ["ack", "unknown", "unknown"]),
        ([made(ONE)], None, ["unknown"] * 3),
        (None, [failed(ONE)], ["unknown"] * 3),
    ],
)  # fmt: skip
def test_an_order_is_told_by_its_client_id_alone(
    run: Run, config: Config, venue: Replay, success: Any, failure: Any, outcomes: list[str]
) -> None:
    venue.table[BATCH] = told(success, failure)
    assert words(sent(run, config, intents(ONE, TWO, THREE))) == outcomes
    assert len(venue.asked(BATCH)) == 1


def test_a_known_client_id_among_others_is_looked_up(
    run: Run, config: Config, venue: Replay
) -> None:
    venue.table[BATCH] = told([made(ONE, "7")], [failed(TWO, "45034")])
    venue.table[DETAIL] = bitget.ok(bitget.order(clientOid=TWO))
    venue.table[f"GET {bitget.MIX}/order/fills"] = bitget.ok({"fillList": [], "endId": None})
    assert sent(run, config, intents(ONE, TWO)) == [Ack(venue_id="7"), Ack(venue_id="123")]


def refused_whole(
    run: Run, config: Config, venue: Replay, codes: frozenset[str]
) -> dict[str, list[Outcome]]:
    """Send two orders once for each code, by which the whole request is refused."""

    async def work(opened: Any) -> dict[str, list[Outcome]]:
        found = dict[str, list[Outcome]]()
        for code in sorted(codes):
            venue.table[BATCH] = bitget.no(code)
            found[code] = list(await opened.venues["futures"].submit_together(intents(ONE, TWO)))
        return found

    return dict(run(config, work))


def test_a_request_whose_key_or_stamp_is_refused_carries_no_order(
    run: Run, config: Config, venue: Replay
) -> None:
    found = refused_whole(run, config, venue, OF_REQUEST)
    assert found == {code: [Rejected(code=code, message="no")] * 2 for code in OF_REQUEST}


def test_a_code_about_an_order_that_is_told_of_the_request_is_nobody_s(
    run: Run, config: Config, venue: Replay
) -> None:
    others = FACTS.definitive - OF_REQUEST
    found = refused_whole(run, config, venue, others)
    assert {code: words(told) for code, told in found.items()} == dict.fromkeys(
        others, ["unknown"] * 2
    )
    assert len(venue.asked(BATCH)) == len(others)


@pytest.mark.parametrize(
    "kind", ["drop_before", "drop_after", "http_500_after", "html", "truncate"]
)
def test_no_answer_leaves_every_order_unknown_and_sends_none_again(
    run: Run, config: Config, venue: Replay, emulator: Emulator, kind: str
) -> None:
    venue.table[BATCH] = told([made(ONE), made(TWO)], [])
    emulator.fault({"kind": kind, "path": BATCH.removeprefix("POST "), "method": "POST"})
    assert words(sent(run, config, intents(ONE, TWO))) == ["unknown"] * 2
    rows: Any = emulator.admin("GET", "requests")
    assert sum(row["path"] in BATCH for row in rows) == 1


@pytest.mark.parametrize(
    ("orders", "account"),
    [
        (intents(*(f"{number:032x}" for number in range(MOST_ORDERS + 1))), "futures"),
        ([*intents(ONE), *intents(TWO, instrument=ETH)], "futures"),
        (
            [*intents(ONE, stamped_at=datetime.now(UTC)),
             *intents(TWO, stamped_at=datetime.now(UTC) + timedelta(seconds=1))], "futures",
        ),
        (intents(ONE, TWO), "spot"),
    ],
    ids=["fifty-one", "two pairs", "two stamps", "spot"],
)  # fmt: skip
def test_what_one_request_does_not_carry_does_not_leave(
    run: Run, config: Config, venue: Replay, orders: list[OrderIntent], account: str
) -> None:
    assert set(words(sent(run, config, orders, account))) == {"NOT_SENT"}
    assert venue.asked(BATCH) == []


@pytest.mark.parametrize(
    "setting",
    [bitget.ok({**bitget.SETTING, "posMode": "hedge_mode"}), bitget.no("429", "Too Many", 429)],
    ids=["hedge mode", "not told"],
)
def test_in_a_mode_that_is_not_one_way_no_order_leaves(
    run: Run, config: Config, venue: Replay, setting: Any
) -> None:
    venue.table[SETTING] = setting
    assert words(sent(run, config, intents(ONE, TWO))) == ["NOT_SENT"] * 2
    assert venue.asked(BATCH) == []
