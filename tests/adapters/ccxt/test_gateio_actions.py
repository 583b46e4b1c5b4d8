"""Gate by payload replay: orders, transfers and the dead man's switch."""

from typing import Any

import pytest

from allocator.adapters.ccxt.gateio import FACTS
from allocator.adapters.ccxt.gateio_orders import text_id
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.emulator.wire import Reply
from allocator.models.config import Config
from allocator.models.intents import AbsentNow, Ack, Found, Rejected
from tests.adapters.ccxt import gateio_payloads as gate
from tests.adapters.ccxt.gateio_words import (
    FIXTURES,
    KEY,
    ORDERS,
    D,
    Run,
    found,
    order,
    sent,
    transfer,
)
from tests.adapters.ccxt.replay import Replay
from tests.adapters.times import now

venue, emulator, config = FIXTURES


@pytest.mark.parametrize(("style", "tif"), [("ioc", "ioc"), ("post_only", "poc")])
def test_an_order_says_what_was_meant_and_until_when_it_holds(
    run: Run, config: Config, venue: Replay, style: str, tif: str
) -> None:
    at = now()
    intent = order(style=style, reduce_only=True, stamped_at=at)
    assert sent(run, config, intent) == Ack(venue_id="15675394")
    assert venue.body(ORDERS) == {
        "contract": "BTC_USDT",
        "size": -12,
        "price": "3780.1",
        "tif": tif,
        "text": text_id(KEY),
        "reduce_only": True,
    }
    (call,) = venue.asked(ORDERS)
    expiry, stamp = int(call.headers["x-gate-exptime"]), int(call.headers["Timestamp"])
    assert 54_000 <= expiry - stamp * 1000 <= 61_000
    assert stamp * 1000 + 60_000 <= expiry


def test_a_client_id_fits_the_venue() -> None:
    ids = {text_id(f"{n:032x}") for n in range(500)} | {text_id("by hand")}
    assert len(ids) == 501
    assert all(len(name) <= 30 and name.startswith("t-") for name in ids)
    assert all(c.isalnum() for name in ids for c in name[2:])


@pytest.mark.parametrize("label", sorted(FACTS.definitive | FACTS.stale))
def test_a_documented_refusal_is_a_rejection(
    run: Run, config: Config, venue: Replay, label: str
) -> None:
    venue.table[ORDERS] = Reply({"label": label, "message": "no"}, 400)
    single = f"GET {gate.FUTURES}/orders/{text_id(order().client_id)}"
    venue.table[single] = Reply({"label": "ORDER_NOT_FOUND", "message": "no"}, 400)
    assert sent(run, config, order()) == Rejected(code=label, message="no")
    assert len(venue.asked(ORDERS)) == 1


@pytest.mark.parametrize(
    ("label", "status"),
    [("INTERNAL", 500), ("SERVER_ERROR", 500), ("TOO_BUSY", 503), ("INTERNAL_SERVER_ERROR", 500),
     ("TOO_MANY_REQUESTS", 429), ("SUB_ACCOUNT_TRANSFER_FAILED", 400), ("BRAND_NEW_LABEL", 400)],
)  # fmt: skip
def test_any_other_answer_leaves_the_outcome_unknown_and_nothing_is_sent_again(
    run: Run, config: Config, venue: Replay, label: str, status: int
) -> None:
    venue.table[ORDERS] = Reply({"label": label, "message": "?"}, status)
    assert sent(run, config, order()).outcome == "unknown"
    assert len(venue.asked(ORDERS)) == 1


@pytest.mark.parametrize("kind", ["drop_after", "http_500_after", "html", "truncate"])
@pytest.mark.parametrize("path", [f"{gate.FUTURES}/orders", "/api/v4/wallet/transfers"])
def test_a_fault_leaves_the_outcome_unknown_and_nothing_is_sent_again(
    run: Run, config: Config, venue: Replay, emulator: Emulator, kind: str, path: str
) -> None:
    emulator.fault({"kind": kind, "path": path, "method": "POST"})
    intent = order() if path.endswith("orders") else transfer("futures", "spot")
    assert sent(run, config, intent).outcome == "unknown"
    assert len(venue.asked(f"POST {path}")) == 1


def test_an_order_is_found_by_its_text_with_fills_and_fees(
    run: Run, config: Config, venue: Replay
) -> None:
    row = gate.order(id=7, text=text_id(KEY), size="-12", left="-2", status="finished",
                     finish_as="ioc", finish_time=1790000001, fill_price="3780.2")  # fmt: skip
    venue.table[f"GET {gate.FUTURES}/orders/{text_id(KEY)}"] = row
    venue.table[f"GET {gate.FUTURES}/my_trades"] = [
        {"size": "-8", "fee": "0.0012"},
        {"size": "-2", "fee": "0.0007"},
    ]
    told = found(run, config, order(), "futures")
    assert isinstance(told, Found)
    assert (told.venue_id, told.state, told.filled) == ("7", "cancelled", 10)
    assert (told.average_price, told.fees) == (D("3780.2"), {"USDT": D("0.0019")})


def test_an_order_that_ended_long_ago_is_found_in_the_history(
    run: Run, config: Config, venue: Replay
) -> None:
    lost = Reply({"label": "ORDER_NOT_FOUND", "message": "Order not found"}, 400)
    venue.table[f"GET {gate.FUTURES}/orders/{text_id(KEY)}"] = lost
    assert isinstance(found(run, config, order(), "futures"), AbsentNow)
    old = gate.order(text=text_id(KEY), left="6024", status="finished", finish_as="cancelled")
    venue.table[f"GET {gate.FUTURES}/orders_timerange"] = [gate.order(), old]
    told = found(run, config, order(), "futures")
    assert (told.finding, told.state, told.filled) == ("found", "cancelled", 0)


def test_an_error_is_never_an_absence(run: Run, config: Config, venue: Replay) -> None:
    venue.table[f"GET {gate.FUTURES}/orders/{text_id(KEY)}"] = Reply({"label": "INTERNAL"}, 500)
    assert found(run, config, order(), "futures").finding == "unsure"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (gate.order(), "ack"),
        (Reply({"label": "ORDER_FINISHED", "message": "over"}, 400), "rejected"),
        (Reply({"label": "ORDER_NOT_FOUND", "message": "none"}, 400), "rejected"),
        (Reply({"label": "INTERNAL", "message": "?"}, 500), "unknown"),
    ],
)
def test_a_cancel_is_by_text(
    run: Run, config: Config, venue: Replay, answer: Any, outcome: str
) -> None:
    venue.table[f"DELETE {gate.FUTURES}/orders/{text_id(KEY)}"] = answer
    told = run(config, lambda opened: opened.venues["futures"].cancel(order()))
    assert told.outcome == outcome


def test_money_moves_inside_a_user_by_the_wallets_names(
    run: Run, config: Config, venue: Replay
) -> None:
    assert sent(run, config, transfer("futures", "spot")) == Ack(venue_id="59636381286")
    assert venue.body("POST /api/v4/wallet/transfers") == {
        "currency": "USDT", "from": "futures", "to": "spot", "amount": "0.1", "settle": "usdt",
    }  # fmt: skip


def test_money_moves_from_a_sub_account_signed_by_the_master_and_keyed(
    run: Run, config: Config, venue: Replay
) -> None:
    assert sent(run, config, transfer("sub-spot", "spot"), "sub-spot") == Ack(
        venue_id="59636381287"
    )
    assert venue.body("POST /api/v4/wallet/sub_account_transfers") == {
        "sub_account": "10002", "sub_account_type": "spot", "currency": "USDT", "amount": "0.1",
        "direction": "from", "client_order_id": KEY,
    }  # fmt: skip


def test_what_the_venue_cannot_take_never_leaves(run: Run, config: Config, venue: Replay) -> None:
    told = sent(run, config, transfer("futures", "spot", "0.123456789"))
    assert told.code == "NOT_SENT"
    assert venue.asked("POST /api/v4/wallet/transfers") == []


@pytest.mark.parametrize(
    ("status", "state", "filled"),
    [("SUCCESS", "settled", "0.1"), ("PENDING", "in_transit", "0"), ("FAIL", "returned", "0")],
)
def test_a_transfer_is_found_by_the_venues_id(
    run: Run, config: Config, venue: Replay, status: str, state: str, filled: str
) -> None:
    venue.table["GET /api/v4/wallet/order_status"] = {"tx_id": "5", "status": status}
    told = found(run, config, transfer("futures", "spot"), "futures", "5")
    assert (told.state, told.filled) == (state, D(filled))


def test_a_transfer_without_an_answer_is_found_in_the_wallets_book(
    run: Run, config: Config, venue: Replay
) -> None:
    book = f"GET {gate.FUTURES}/account_book"
    assert isinstance(found(run, config, transfer("futures", "spot"), "futures"), AbsentNow)
    row = {"time": 1790000002.5, "change": "-0.1", "balance": "9.9", "type": "dnw", "id": "9"}
    venue.table[book] = [row, {**row, "change": "0.1", "id": "8"}]
    told = found(run, config, transfer("futures", "spot"), "futures")
    assert (told.venue_id, told.state, told.filled) == ("9", "settled", D("0.1"))
    venue.table[book] = [row, row]
    assert found(run, config, transfer("futures", "spot"), "futures").finding == "unsure"


def test_a_transfer_between_logins_is_found_by_its_key(
    run: Run, config: Config, venue: Replay
) -> None:
    intent = transfer("spot", "sub-spot")
    assert isinstance(found(run, config, intent, "spot"), AbsentNow)
    row = {"client_order_id": KEY, "status": "success", "amount": "0.1", "currency": "USDT"}
    venue.table["GET /api/v4/wallet/sub_account_transfers"] = [row]
    assert found(run, config, intent, "spot").state == "settled"


def test_the_dead_mans_switch_tells_when_it_strikes(
    run: Run, config: Config, venue: Replay
) -> None:
    told = run(config, lambda opened: opened.venues["futures"].cancel_after(5))
    assert told == Ack(venue_id="1790000005000")
    assert venue.body(f"POST {gate.FUTURES}/countdown_cancel_all") == {"timeout": 5}
