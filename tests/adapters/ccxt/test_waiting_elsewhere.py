"""Orders that wait for a trigger at Gate, Hyperliquid and Kraken Futures.

Rows: ccxt's sample of Gate's "Query auto order list" and the model FuturesPriceTriggeredOrder of
the venue's own client, of its models TrailOrder and CreateTrailOrderResponse, and of the page "List
chase orders"; a recorded answer
of `frontendOpenOrders` among the tests of Hyperliquid's own client, and the page on it; the fields
of Kraken's "Get open orders".
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.wire import Call
from allocator.models.account import OpenOrder
from tests.adapters.ccxt import gateio_payloads as gate
from tests.adapters.ccxt import hyperliquid_payloads as hyperliquid
from tests.adapters.ccxt import kraken_payloads as kraken
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import Recorded, gathered, playing

GATE, HL, KRAKEN = gate.RECORDED, hyperliquid.RECORDED, kraken.RECORDED
AUTO = f"GET {gate.FUTURES}/price_orders"
STANDS = f"GET {gate.FUTURES}/orders"
TRAIL = f"GET {gate.FUTURES}/autoorder/v1/trail/list"
CHASE = f"GET {gate.FUTURES}/autoorder/v1/chase/list"
FRONTEND = f"{hyperliquid.INFO}#frontendOpenOrders"
OPEN = f"GET {kraken.V3}/openorders"
GATE_BTC, HL_BTC, KRAKEN_BTC = GATE.instrument, HL.instrument, KRAKEN.instrument


def auto(initial: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    """Write an auto order of Gate's: a limit buy of a hundred contracts."""
    return {
        "user": 6320300, "id": 126393906, "trade_id": 0, "status": "open", "reason": "",
        "create_time": 1643953482, "finish_time": 1643953482, "is_stop_order": False,
        "me_order_id": 0, "order_type": "",
        "trigger": {"strategy_type": 0, "price_type": 0, "price": "3900", "rule": 1,
                    "expiration": 0},
        "initial": {"contract": "BTC_USDT", "size": 100, "price": "3910", "tif": "gtc", "text": "",
                    "iceberg": 0, "is_close": False, "is_reduce_only": False, "auto_size": "",
                    **(initial or {})},
        **other,
    }  # fmt: skip


def trigger(**other: Any) -> dict[str, Any]:
    """Write a trigger of Hyperliquid's: a stop at market that reduces."""
    return hyperliquid.order(**{
        "isTrigger": True, "triggerPx": "60000.0", "triggerCondition": "Price below 60000",
        "orderType": "Stop Market", "limitPx": "55200.0", "tif": None, "reduceOnly": True,
        "cloid": None, **other,
    })  # fmt: skip


def stop(**other: Any) -> dict[str, Any]:
    """Write a stop of Kraken's without a limit."""
    row = {**kraken.open_order(orderType="stp", stopPrice=40000, triggerSignal="mark"), **other}
    return {key: value for key, value in row.items() if key != "limitPrice" or key in other}


def listing(row: str, answer: Any) -> Any:
    """Write what lists orders: Kraken's list stands under a name."""
    return kraken.ok(openOrders=answer) if row == OPEN else answer


def trail(**other: Any) -> dict[str, Any]:
    """Write an order of Gate's that trails the price: a sale of five contracts."""
    return {
        "id": "4321", "user_id": "6320300", "user": 6320300, "contract": "BTC_USDT",
        "settle": "usdt", "amount": "-5", "is_gte": True, "activation_price": "0",
        "price_type": 1, "price_offset": "0.1%", "text": "apiv4", "reduce_only": False,
        "position_related": False, "created_at": 1790000000, "activated_at": 0, "finished_at": 0,
        "reason": "", "is_dual_mode": False, "trigger_price": "3776", "suborder_id": 0,
        "side_label": "short", "original_status": 1, "status": "open",
        "extremum_price": "3780", "position_mode": "single", "leverage": "0", **other,
    }  # fmt: skip


def trails(*rows: Any, enveloped: bool = False) -> Callable[[Call], Any]:
    """Answer with the rows on the first page, and then with none."""

    def answer(call: Call) -> Any:
        body = {"orders": list(rows) if call.text("page_num") == "1" else []}
        if not enveloped:
            return body
        return {"code": 0, "message": "", "data": body, "timestamp": call.now_ms}

    return answer


def chase(**other: Any) -> dict[str, Any]:
    """Write an order of Gate's that chases the price: a purchase of twelve contracts, five done."""
    return {
        "id": "117", "user": "6320300", "contract": "BTC_USDT", "settle": "usdt", "amount": "12",
        "price_limit": "3800", "reduce_only": False, "text": "apiv4", "create_time": 1790000000,
        "finish_time": 0, "original_status": 1, "status": "open", "reason": "",
        "fill_amount": "5", "average_fill_price": "3779", "suborder_id": "15675394",
        "is_dual_mode": False, "side_label": "long", "position_side_output": "",
        "chase_price": "3780", "interval_sec": 1, "updated_at": 1790000001,
        "suborder_price": "3780", "suborder_ongoing": True, "suborder_finish_as": "",
        "price_type": 1, "price_gap_type": "", "price_gap_value": "", "status_code": "",
        "create_time_precise": "1790000000.1", "finish_time_precise": "",
        "pos_margin_mode": "cross", "position_mode": "single", "leverage": "0",
        "error_label": "", **other,
    }  # fmt: skip


def endless(call: Call) -> Any:
    return {"orders": [trail(id=call.text("page_num"))]}


@dataclass(frozen=True)
class Told:
    """What a venue lists, and what is to be read of it."""

    name: str
    recorded: Recorded
    row: str
    answer: Any
    orders: tuple[OpenOrder, ...]
    note: str = ""


def order(
    instrument: str,
    side: Any,
    quantity: str,
    price: str | None = None,
    *,
    reduces: bool = False,
    waits: bool = True,
) -> OpenOrder:
    return OpenOrder(
        instrument=instrument, side=side, quantity=Decimal(quantity),
        price=None if price is None else Decimal(price), reduce_only=reduces,
        waits=waits,
    )  # fmt: skip


CHILD = trigger(oid=12, reduceOnly=True)
READ = (
    Told("limit", GATE, AUTO, [auto()], (order(GATE_BTC, "buy", "100", "3910"),)),
    Told("market that reduces", GATE, AUTO,
         [auto({"size": "-7", "price": "0", "is_reduce_only": True}, order_type="plan-close-long-"
               "position")], (order(GATE_BTC, "sell", "7", reduces=True),)),
    Told("flag of its request", GATE, AUTO, [auto({"size": -7, "reduce_only": True})],
         (order(GATE_BTC, "sell", "7", "3910", reduces=True),)),
    Told("closes, and has a size", GATE, AUTO, [auto({"is_close": True})],
         (order(GATE_BTC, "buy", "100", "3910"),)),
    Told("waits for another", GATE, AUTO, [auto(status="inactive", order_type="close-long-order")],
         (order(GATE_BTC, "buy", "100", "3910"),)),
    Told("closes all", GATE, AUTO, [auto({"size": 0, "price": "0", "is_close": True})], (),
         f"126393906 of {GATE_BTC}"),
    Told("closes all of a request", GATE, AUTO, [auto({"size": 0, "close": True})], (),
         f"126393906 of {GATE_BTC}"),
    Told("closes all of a position", GATE, AUTO,
         [auto({"size": 0, "price": "0"}, order_type="close-short-position")], (),
         f"126393906 of {GATE_BTC}"),
    Told("closes all of a leg", GATE, AUTO, [auto({"size": 0, "auto_size": "close_long"})], (),
         f"126393906 of {GATE_BTC}"),
    Told("trailing", GATE, TRAIL, trails(trail()), (order(GATE_BTC, "sell", "5"),)),
    Told("trailing that reduces, in an envelope", GATE, TRAIL,
         trails(trail(id=4321, amount="5", reduce_only=True), enveloped=True),
         (order(GATE_BTC, "buy", "5", reduces=True),)),
    Told("trailing of a position", GATE, TRAIL,
         trails(trail(position_related=True, reduce_only=True)),
         (order(GATE_BTC, "sell", "5", reduces=True),)),
    Told("trailing of a whole position", GATE, TRAIL,
         trails(trail(amount="0", position_related=True, reduce_only=True)), (),
         f"4321 of {GATE_BTC}"),
    Told("trailing, a page told again and again", GATE, TRAIL, {"orders": [trail()]},
         (order(GATE_BTC, "sell", "5"),)),
    Told("chasing, up to a limit", GATE, CHASE, trails(chase()),
         (order(GATE_BTC, "buy", "7", "3800", waits=False),)),
    Told("chasing at any price", GATE, CHASE,
         trails(chase(price_limit="0", reduce_only=True), enveloped=True),
         (order(GATE_BTC, "buy", "7", reduces=True, waits=False),)),
    Told("chasing, a sale of which nothing is told as filled", GATE, CHASE,
         trails(chase(amount="-12", fill_amount="", price_limit="")),
         (order(GATE_BTC, "sell", "12", waits=False),)),
    Told("chasing, filled by now", GATE, CHASE, trails(chase(fill_amount="12")), ()),
    Told("standing, closes all", GATE, STANDS, [gate.order(left="0", size="0", is_close=True)], (),
         f"15675394 of {GATE_BTC}"),
    Told("standing, closes all of a request", GATE, STANDS, [gate.order(left=0, close=True)], (),
         f"15675394 of {GATE_BTC}"),
    Told("stop at market", HL, FRONTEND, [trigger()],
         (order(HL_BTC, "sell", "0.012", reduces=True),)),
    Told("take profit with a limit", HL, FRONTEND,
         [trigger(orderType="Take Profit Limit", reduceOnly=False)],
         (order(HL_BTC, "sell", "0.012", "55200"),)),
    Told("whole position", HL, FRONTEND,
         [trigger(sz="0.0", origSz="0.0", isPositionTpsl=True)], (), f"77738308 of {HL_BTC}"),
    Told("a part of a position", HL, FRONTEND, [trigger(isPositionTpsl=True)],
         (order(HL_BTC, "sell", "0.012", reduces=True),)),
    Told("children told once", HL, FRONTEND,
         [hyperliquid.order(side="B", children=[CHILD, trigger(oid=13)]), CHILD],
         (order(HL_BTC, "buy", "0.012", "63999", waits=False),
          order(HL_BTC, "sell", "0.012", reduces=True),
          order(HL_BTC, "sell", "0.012", reduces=True))),
    Told("trigger of spot", HL, FRONTEND, [trigger(coin="@107")], ()),
    Told("stop without a limit", KRAKEN, OPEN, [stop()],
         (order(KRAKEN_BTC, "sell", "0.009"),)),
    Told("stop, as the page lists it", KRAKEN, OPEN,
         [stop(orderType="stop", limitPrice=39900, reduceOnly=True)],
         (order(KRAKEN_BTC, "sell", "0.009", "39900", reduces=True),)),
    Told("beside one that stands", KRAKEN, OPEN,
         [kraken.open_order(), stop(orderType="take_profit", side="buy"),
          stop(orderType="trailing_stop", unfilledSize=0.002)],
         (order(KRAKEN_BTC, "sell", "0.009", "42174.5", waits=False),
          order(KRAKEN_BTC, "buy", "0.009"), order(KRAKEN_BTC, "sell", "0.002"))),
)  # fmt: skip
BAD: tuple[tuple[Recorded, str, Any, str, str], ...] = (
    (GATE, AUTO, [auto(status="invalid")], "id 126393906", "status invalid"),
    (GATE, AUTO, [auto(order_type="iceberg")], "id 126393906", "order_type iceberg"),
    (GATE, AUTO, [auto({"auto_size": "all"})], "id 126393906", "auto_size all"),
    (GATE, AUTO, [auto({"size": 0})], "id 126393906", "without a size"),
    (GATE, AUTO, [auto({"contract": "NEW_USDT"})], "id 126393906", "unknown market"),
    (GATE, AUTO, [auto({"is_reduce_only": "yes"})], "id 126393906", "is_reduce_only 'yes'"),
    (GATE, AUTO, [auto(initial=None) | {"initial": None}], "id 126393906", "initial"),
    (GATE, AUTO, {"orders": []}, "price_orders", "no list"),
    (GATE, TRAIL, trails(trail(status="finished")), "id 4321", "status finished"),
    (GATE, TRAIL, trails(trail(amount="0")), "id 4321", "without a size"),
    (GATE, TRAIL, trails(trail(amount=None)), "id 4321", "no amount"),
    (GATE, TRAIL, trails(trail(contract="NEW_USDT")), "id 4321", "unknown market"),
    (GATE, TRAIL, trails(trail(reduce_only="no")), "id 4321", "reduce_only 'no'"),
    (GATE, TRAIL, [], "trail_list", "no orders"),
    (GATE, TRAIL, {"label": "BUSY", "orders": None}, "RefusalError", "BUSY"),
    (GATE, TRAIL, {"code": 0, "data": [trail()]}, "trail_list", "no orders"),
    (
        GATE,
        TRAIL,
        endless,
        "trail_list",
        "more than 50 pages",
    ),
    (GATE, CHASE, trails(chase(status="finished")), "id 117", "status finished"),
    (GATE, CHASE, trails(chase(amount="0")), "id 117", "without a size"),
    (GATE, CHASE, trails(chase(amount=None)), "id 117", "no amount"),
    (GATE, CHASE, trails(chase(contract="NEW_USDT")), "id 117", "unknown market"),
    (GATE, CHASE, trails(chase(reduce_only="no")), "id 117", "reduce_only 'no'"),
    (GATE, CHASE, [], "chase_list", "no orders"),
    (GATE, CHASE, {"code": 1, "message": "busy", "data": None}, "chase_list", "1 busy"),
    (GATE, STANDS, [gate.order(left="0")], "an open order", "without a size: 15675394"),
    (GATE, TRAIL, {"code": 1, "message": "busy", "data": None}, "trail_list", "1 busy"),
    (HL, FRONTEND, [trigger(orderType="Twap")], "oid 77738308", "orderType Twap"),
    (HL, FRONTEND, [trigger(sz="0.0")], "oid 77738308", "sz 0.0 is not a size"),
    (
        HL,
        FRONTEND,
        [trigger(sz="0.0", isPositionTpsl=True, reduceOnly=False)],
        "oid 77738308",
        "may add",
    ),
    (HL, FRONTEND, [trigger(side="L")], "oid 77738308", "side L"),
    (HL, FRONTEND, [trigger(coin="NEW")], "oid 77738308", "unknown market"),
    (HL, FRONTEND, [hyperliquid.order(children=["?"])], "children", "not an order"),
    (KRAKEN, OPEN, [stop(orderType="iceberg")], "orderType iceberg", "is not known"),
    (KRAKEN, OPEN, [stop(unfilledSize=None)], f"order_id {kraken.UID}", "no unfilledSize"),
    (KRAKEN, OPEN, [stop(unfilledSize=0)], f"order_id {kraken.UID}", "not a size"),
    (KRAKEN, OPEN, [stop(side="short")], f"order_id {kraken.UID}", "side short"),
    (KRAKEN, OPEN, [stop(reduceOnly="no")], f"order_id {kraken.UID}", "reduceOnly 'no'"),
    (KRAKEN, OPEN, [stop(symbol="PI_XBTUSD")], f"order_id {kraken.UID}", "UNREAD_WALLET"),
)


@pytest.mark.parametrize("told", READ, ids=lambda row: f"{row.recorded.venue} {row.name}")
def test_an_order_that_waits_is_an_open_order(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    mine = told.recorded.trades
    with playing(told.recorded, monkeypatch) as (venue, _, config):
        venue.table[told.row] = listing(told.row, told.answer)
        book = gathered(config)
        reading = run_with(config, lambda opened: opened.venues[mine].read())
    account = book.snapshot.account[mine]
    assert account.state == "open"
    assert account.open_orders == told.orders
    assert tuple(row.nameless() for row in reading.open_orders) == told.orders
    notes = [row.what for row in book.notes if row.account == mine and "close" in row.what]
    assert notes == [
        f"orders that close all of a position are not read: {note}"
        for note in [told.note] if note
    ]  # fmt: skip


@pytest.mark.parametrize(("recorded", "row", "answer", "which", "why"), BAD)
def test_what_is_not_understood_freezes_the_account_by_name(
    monkeypatch: pytest.MonkeyPatch,
    recorded: Recorded,
    row: str,
    answer: Any,
    which: str,
    why: str,
) -> None:
    with playing(recorded, monkeypatch) as (venue, _, config):
        venue.table[row] = listing(row, answer)
        book = gathered(config)
        reading = run_with(config, lambda opened: opened.venues[recorded.trades].read())
    assert book.snapshot.account[recorded.trades].state == "frozen"
    (what,) = [told.what for told in book.missing if told.account == recorded.trades]
    assert which in what
    assert why in what
    assert not reading.complete


def test_every_page_of_what_waits_at_gate_is_read_and_before_what_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with playing(GATE, monkeypatch) as (venue, _, config):
        rows = [auto(id=number) for number in range(101)]
        venue.table[AUTO] = lambda call: rows[int(call.text("offset")) :][:100]
        orders = gathered(config).snapshot.account[GATE.trades].open_orders
        asked = [call.path for call in venue.calls if "orders" in call.path]
    assert len(orders) == 101
    assert asked.index(f"{gate.FUTURES}/price_orders") < asked.index(f"{gate.FUTURES}/orders")
    assert {call.text("status") for call in venue.asked(AUTO)} == {"open"}


def test_every_page_of_what_trails_at_gate_is_read_and_before_what_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page may hold fewer than it was asked for: only an empty one is the last."""
    with playing(GATE, monkeypatch) as (venue, _, config):
        venue.table[TRAIL] = lambda call: {
            "orders": [trail(id=call.text("page_num"))] if int(call.text("page_num")) < 4 else []
        }
        found = gathered(config).snapshot.account[GATE.trades].open_orders
        asked = [call.path for call in venue.calls]
    assert len(found) == 3
    assert asked.index(f"{gate.FUTURES}/autoorder/v1/trail/list") < asked.index(
        f"{gate.FUTURES}/orders"
    )
    assert {call.text("is_finished") for call in venue.asked(TRAIL)} == {"false"}


@pytest.mark.parametrize(
    "empty",
    [{}, {"orders": None}, {"code": 0, "message": "success", "data": None},
     {"code": "0", "data": {}}, {"code": 0, "data": {"orders": None}}],
)  # fmt: skip
def test_nothing_that_trails_at_gate_may_be_told_without_a_list(
    monkeypatch: pytest.MonkeyPatch, empty: Any
) -> None:
    with playing(GATE, monkeypatch) as (venue, _, config):
        venue.table[TRAIL] = empty
        book = gathered(config)
    assert book.missing == ()
    assert book.snapshot.account[GATE.trades].open_orders == ()


OTHERS: tuple[tuple[dict[str, Any], bool], ...] = (
    ({}, True),
    ({"left": "6"}, True),
    ({"id": 15675395}, False),
    ({"left": "-7", "size": "-7"}, False),
    ({"left": "8", "size": "8"}, False),
    ({"contract": "ETH_USDT", "price": "3700"}, False),
)
"""Changes of the order that stands for a chase, and whether it counts with it."""


@pytest.mark.parametrize(("change", "counted"), OTHERS)
def test_what_stands_for_a_chase_at_gate_counts_once(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], *, counted: bool
) -> None:
    """Unless it is another's, or more than the chase has left: then both count."""
    with playing(GATE, monkeypatch) as (venue, _, config):
        venue.table[CHASE] = trails(chase())
        venue.table[STANDS] = [gate.order(**{"left": "7", "size": "7", "price": "3780", **change})]
        found = gathered(config).snapshot.account[GATE.trades].open_orders
        asked = [call.path for call in venue.calls]
    chasing = order(GATE_BTC, "buy", "7", "3800", waits=False)
    assert chasing in found
    assert len(found) == (1 if counted else 2)
    chases = f"{gate.FUTURES}/autoorder/v1/chase/list"
    assert asked.index(chases) < asked.index(f"{gate.FUTURES}/orders")
    told = {(call.text("is_finished"), call.text("sort_by")) for call in venue.asked(CHASE)}
    assert told == {("false", "1")}
