"""Bitget by payload replay: orders and transfers."""

from typing import Any

import pytest

from allocator.adapters.ccxt.bitget import FACTS
from allocator.adapters.emulator.testing import Emulator
from allocator.models.config import Config
from allocator.models.intents import AbsentNow, Ack, Found, Rejected
from tests.adapters.ccxt import bitget_payloads as bitget
from tests.adapters.ccxt.bitget_words import (
    ACCOUNTS,
    BTC,
    FIXTURES,
    KEY,
    MOVED,
    PLACE,
    POSITIONS,
    RECORDS,
    SETTING,
    D,
    Run,
    found,
    gathered,
    order,
    sent,
    transfer,
)
from tests.adapters.ccxt.replay import Replay
from tests.adapters.times import now

venue, emulator, config = FIXTURES


def test_a_quantity_off_its_step_arrives_as_it_is(run: Run, config: Config, venue: Replay) -> None:
    row = {**bitget.POSITION, "holdSide": "short", "total": "0.0035", "unrealizedPL": "-0.35"}
    venue.table[POSITIONS] = bitget.ok([row])
    venue.table[ACCOUNTS] = bitget.accounts({**bitget.ACCOUNT, "unrealizedPL": "-0.35"})
    account = gathered(run, config).snapshot.account["futures"]
    assert account.positions[BTC].quantity == D("-0.0035")
    assert account.balances["USDT"].wallet == D("13179.21110692")


@pytest.mark.parametrize("style", ["ioc", "post_only"])
def test_an_order_says_what_was_meant_in_the_pairs_own_mode(
    run: Run, config: Config, venue: Replay, style: str
) -> None:
    intent = order(style=style, reduce_only=True, stamped_at=now())
    assert sent(run, config, intent) == Ack(venue_id="121211212122")
    assert venue.body(PLACE) == {
        "productType": "USDT-FUTURES",
        "symbol": "BTCUSDT",
        "marginMode": "crossed",
        "marginCoin": "USDT",
        "size": "0.012",
        "price": "25099.5",
        "side": "sell",
        "orderType": "limit",
        "force": style,
        "clientOid": KEY,
        "reduceOnly": "YES",
    }


def test_an_acknowledgement_without_the_venues_id_is_one(
    run: Run, config: Config, venue: Replay
) -> None:
    venue.table[PLACE] = bitget.ok({"orderId": None, "clientOid": KEY})
    assert sent(run, config, order(reduce_only=True)) == Ack(venue_id=KEY)


def test_in_hedge_mode_no_order_leaves(run: Run, config: Config, venue: Replay) -> None:
    venue.table[SETTING] = bitget.ok({**bitget.SETTING, "posMode": "hedge_mode"})
    assert sent(run, config, order()).code == "NOT_SENT"
    venue.table[SETTING] = bitget.no("429", "Too Many Requests", 429)
    assert sent(run, config, order()).code == "NOT_SENT"
    assert venue.asked(PLACE) == []


@pytest.mark.parametrize("code", sorted(FACTS.definitive | FACTS.stale))
def test_a_documented_refusal_is_a_rejection(
    run: Run, config: Config, venue: Replay, code: str
) -> None:
    venue.table[PLACE] = bitget.no(code)
    assert sent(run, config, order()) == Rejected(code=code, message="no")
    assert len(venue.asked(PLACE)) == 1


@pytest.mark.parametrize(
    ("code", "status"),
    [("40010", 400), ("40015", 400), ("40725", 500), ("45001", 500), ("40604", 503), ("429", 429),
     ("99999", 200)],
)  # fmt: skip
def test_any_other_answer_leaves_the_outcome_unknown_and_nothing_is_sent_again(
    run: Run, config: Config, venue: Replay, code: str, status: int
) -> None:
    venue.table[PLACE] = bitget.no(code, "?", status)
    assert sent(run, config, order()).outcome == "unknown"
    assert len(venue.asked(PLACE)) == 1


@pytest.mark.parametrize("code", sorted(FACTS.duplicate))
def test_a_known_client_id_is_looked_up_and_not_sent_again(
    run: Run, config: Config, venue: Replay, code: str
) -> None:
    venue.table[PLACE] = bitget.no(code, "Duplicate clientOid")
    assert sent(run, config, order()).outcome == "unknown"
    row = bitget.order(clientOid=KEY)
    fills = {"fillList": [{"baseVolume": row["baseVolume"], "feeDetail": []}], "endId": "1"}
    venue.table[f"GET {bitget.MIX}/order/detail"] = bitget.ok(row)
    venue.table[f"GET {bitget.MIX}/order/fills"] = bitget.ok(fills)
    assert sent(run, config, order()) == Ack(venue_id="123")
    assert len(venue.asked(PLACE)) == 2


@pytest.mark.parametrize("kind", ["drop_after", "http_500_after", "html", "truncate"])
@pytest.mark.parametrize("row", [PLACE, MOVED])
def test_a_fault_leaves_the_outcome_unknown_and_nothing_is_sent_again(
    run: Run, config: Config, venue: Replay, emulator: Emulator, kind: str, row: str
) -> None:
    emulator.fault({"kind": kind, "path": row.removeprefix("POST "), "method": "POST"})
    assert sent(run, config, order() if row == PLACE else transfer()).outcome == "unknown"
    assert len(venue.asked(row)) == 1


def test_an_order_is_found_by_its_client_id_with_fills_and_fees(
    run: Run, config: Config, venue: Replay
) -> None:
    row = bitget.order(clientOid=KEY, state="canceled", baseVolume="0.01", priceAvg="25099.5")
    fill = {"baseVolume": "0.005", "feeDetail": [{"deduction": "no", "feeCoin": "USDT",
            "totalDeductionFee": "", "totalFee": "-0.005693536"}]}  # fmt: skip
    venue.table[f"GET {bitget.MIX}/order/detail"] = bitget.ok(row)
    venue.table[f"GET {bitget.MIX}/order/fills"] = bitget.ok(
        {"fillList": [fill, fill], "endId": "1"}
    )
    told = found(run, config, order())
    assert isinstance(told, Found)
    assert (told.venue_id, told.state, told.filled) == ("123", "cancelled", D("0.01"))
    assert (told.average_price, told.fees) == (D("25099.5"), {"USDT": D("0.011387072")})


def test_an_order_is_absent_only_when_open_and_past_ones_lack_it(
    run: Run, config: Config, venue: Replay
) -> None:
    assert isinstance(found(run, config, order()), AbsentNow)
    old = bitget.order(clientOid=KEY, status="canceled", baseVolume="0")
    venue.table[f"GET {bitget.MIX}/order/orders-history"] = bitget.listed(bitget.order(), old)
    assert found(run, config, order()).state == "cancelled"
    venue.table[f"GET {bitget.MIX}/order/detail"] = bitget.no("40725", "?", 500)
    assert found(run, config, order()).finding == "unsure"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (bitget.ok({"orderId": "1", "clientOid": KEY}), "ack"),
        (bitget.no("40768", "Order does not exist"), "unknown"),
        (bitget.no("43001", "The order does not exist"), "rejected"),
        (bitget.no("22001", "No order to cancel"), "rejected"),
        (bitget.no("40725", "?", 500), "unknown"),
    ],
)
def test_a_cancel_is_by_client_id(
    run: Run, config: Config, venue: Replay, answer: Any, outcome: str
) -> None:
    row = f"POST {bitget.MIX}/order/cancel-order"
    venue.table[row] = answer
    told = run(config, lambda opened: opened.venues["futures"].cancel(order()))
    assert told.outcome == outcome
    assert venue.body(row)["clientOid"] == KEY


def test_a_transfer_carries_its_key(run: Run, config: Config, venue: Replay) -> None:
    assert sent(run, config, transfer()) == Ack(venue_id="123456")
    assert venue.body(MOVED) == {
        "fromType": "usdt_futures", "toType": "spot", "amount": "0.1", "coin": "USDT",
        "clientOid": KEY,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "state", "filled"),
    [("Successful", "settled", "0.1"), ("Processing", "in_transit", "0"),
     ("Failed", "returned", "0")],
)  # fmt: skip
def test_a_transfer_is_found_by_its_key(
    run: Run, config: Config, venue: Replay, status: str, state: str, filled: str
) -> None:
    assert isinstance(found(run, config, transfer()), AbsentNow)
    row = {"coin": "USDT", "status": status, "size": "0.1", "ts": "1700729673028",
           "clientOid": KEY, "transferId": "24930940"}  # fmt: skip
    venue.table[RECORDS] = bitget.ok([{**row, "clientOid": "1"}, row])
    told = found(run, config, transfer())
    assert (told.venue_id, told.state, told.filled) == ("24930940", state, D(filled))
