"""Orders that wait for a trigger, at the venues that answer from their documentation."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from allocator.models.account import OpenOrder
from allocator.models.config import Config
from tests.adapters.ccxt import bitget_payloads as bitget
from tests.adapters.ccxt import kucoin_payloads as kucoin
from tests.adapters.ccxt import portfolio_payloads as pm
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import Recorded, gathered, playing
from tests.adapters.ccxt.replay import Replay

D = Decimal
UM, CM = "binance:BTC/USDT:USDT", "binance:BTC/USD:BTC"
PLANS = f"GET {bitget.MIX}/order/orders-plan-pending"
BITGET = "bitget:BTC/USDT:USDT"
STOPS, KUCOIN = f"GET {kucoin.V1}/stopOrders", "kucoinfutures:BTC/USDT:USDT"
ALGO, STRATEGIES = f"GET {pm.P}/um/algo/openAlgoOrders", f"GET {pm.P}/cm/conditional/openOrders"


@dataclass(frozen=True)
class Told:
    """An order that waits as a venue tells it, and what is to be read of it.

    Attributes
    ----------
    row
        What lists it, as `Replay.table` names it.
    answer
        What that answers.
    """

    name: str
    recorded: Recorded
    row: str
    answer: Any
    order: OpenOrder | None
    note: str = ""


def order(
    instrument: str, side: Any, quantity: str, price: str | None = None, *, reduces: bool = False
) -> OpenOrder:
    return OpenOrder(
        instrument=instrument, side=side, quantity=D(quantity),
        price=None if price is None else D(price), reduce_only=reduces,
        waits=True,
    )  # fmt: skip


READ = (
    Told("limit", pm.RECORDED, ALGO, [pm.algo()], order(UM, "sell", "0.01", "24990")),
    Told("market", pm.RECORDED, ALGO,
         [pm.algo(orderType="STOP_MARKET", price="0.0", side="BUY", reduceOnly=True)],
         order(UM, "buy", "0.01", reduces=True)),
    Told("closes all", pm.RECORDED, ALGO,
         [pm.algo(orderType="STOP_MARKET", closePosition=True, quantity="0", price="0")], None,
         f"2148627 of {UM}"),
    Told("trailing", pm.RECORDED, STRATEGIES, [pm.strategy()], order(CM, "buy", "4")),
    Told("strategy", pm.RECORDED, STRATEGIES,
         [pm.strategy(strategyType="STOP", price="20000", reduceOnly=True)],
         order(CM, "buy", "4", "20000", reduces=True)),
    Told("limit", bitget.RECORDED, PLANS, bitget.plans(bitget.plan()),
         order(BITGET, "buy", "0.5", "24000")),
    Told("market", bitget.RECORDED, PLANS,
         bitget.plans(bitget.plan(orderType="market", price="", executePrice="")),
         order(BITGET, "buy", "0.5")),
    Told("trailing", bitget.RECORDED, PLANS,
         bitget.plans(bitget.plan(planType="track_plan", side="sell", price=""), of="track_plan"),
         order(BITGET, "sell", "0.5")),
    Told("stop-loss", bitget.RECORDED, PLANS,
         bitget.plans(bitget.plan(planType="loss_plan", side="sell", executePrice="23900"),
                      of="profit_loss"),
         order(BITGET, "sell", "0.5", "23900", reduces=True)),
    Told("take-profit at market", bitget.RECORDED, PLANS,
         bitget.plans(bitget.plan(planType="profit_plan", side="sell", orderType="market",
                                  price="26000", executePrice="0"), of="profit_loss"),
         order(BITGET, "sell", "0.5", reduces=True)),
    Told("closes a leg", bitget.RECORDED, PLANS,
         bitget.plans(bitget.plan(posMode="hedge_mode", posSide="long", tradeSide="close")),
         order(BITGET, "sell", "0.5", "24000", reduces=True)),
    Told("opens a leg", bitget.RECORDED, PLANS,
         bitget.plans(bitget.plan(posMode="hedge_mode", posSide="short", tradeSide="open",
                                  side="sell", planStatus="not_trigger")),
         order(BITGET, "sell", "0.5", "24000")),
    Told("closes all", bitget.RECORDED, PLANS,
         bitget.plans(bitget.plan(planType="pos_loss", size="", side="sell"), of="profit_loss"),
         None, f"123 of {BITGET}"),
    Told("limit", kucoin.RECORDED, STOPS, kucoin.listed(kucoin.stop()),
         order(KUCOIN, "sell", "10", "110000")),
    Told("market", kucoin.RECORDED, STOPS,
         kucoin.listed(kucoin.stop(type="market", side="buy", reduceOnly=True)),
         order(KUCOIN, "buy", "10", reduces=True)),
    Told("closes all", kucoin.RECORDED, STOPS,
         kucoin.listed(kucoin.stop(closeOrder=True, side=None, size=0)), None,
         f"230181737576050688 of {KUCOIN}"),
)  # fmt: skip
BAD: tuple[tuple[Recorded, str, Any, str, str], ...] = (
    (pm.RECORDED, ALGO, [pm.algo(orderType="SNIPER")], "algoId 2148627", "orderType SNIPER"),
    (pm.RECORDED, ALGO, [pm.algo(algoType="VP")], "algoId 2148627", "algoType VP"),
    (pm.RECORDED, ALGO, [pm.algo(algoStatus="EXPIRED")], "algoId 2148627", "algoStatus EXPIRED"),
    (pm.RECORDED, ALGO, [pm.algo(side="LONG")], "algoId 2148627", "side LONG"),
    (pm.RECORDED, ALGO, [pm.algo(quantity="0")], "algoId 2148627", "quantity 0"),
    (pm.RECORDED, ALGO, [pm.algo(symbol="XUSDT")], "algoId 2148627", "unknown market"),
    (pm.RECORDED, ALGO, {"orders": []}, "papi_get_um_algo_openalgoorders", "no list"),
    (pm.RECORDED, STRATEGIES, [pm.strategy(origQty="")], "strategyId 123445", "no origQty"),
    *(
        (bitget.RECORDED, PLANS, bitget.plans(bitget.plan(**changed)), "orderId 123", why)
        for changed, why in (
            ({"planType": "grid"}, "planType grid"),
            ({"planStatus": "executed"}, "planStatus executed"),
            ({"side": "Long"}, "side Long"),
            ({"size": ""}, "no size"),
            ({"symbol": "XUSDT"}, "unknown market"),
            ({"orderType": "stop"}, "orderType stop"),
            ({"posMode": "both"}, "posMode both"),
            ({"posMode": "hedge_mode", "posSide": "long"}, "tradeSide buy_single"),
            ({"posMode": "hedge_mode", "tradeSide": "open"}, "posSide net"),
        )
    ),
    *(
        (
            kucoin.RECORDED,
            STOPS,
            kucoin.listed(kucoin.stop(**changed)),
            "id 230181737576050688",
            why,
        )
        for changed, why in (
            ({"status": "done"}, "status done"),
            ({"type": "trailing"}, "type trailing"),
            ({"side": None}, "no side"),
            ({"size": 0}, "size 0"),
            ({"size": None}, "no size"),
            ({"symbol": "XUSDTM"}, "unknown market"),
            ({"settleCurrency": "XBT"}, "UNREAD_WALLET"),
            ({"reduceOnly": "false"}, "reduceOnly 'false' is neither"),
        )
    ),
    (kucoin.RECORDED, STOPS, kucoin.ok({"totalPage": 1}), "get_stoporders", "no items"),
    (bitget.RECORDED, PLANS, bitget.ok({}), "orders_plan_pending", "no entrustedList"),
)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`play(recorded, row, answer)` answers a row so and gathers; gives the book and the venue."""

    def whole(recorded: Recorded, row: str, answer: Any) -> tuple[Any, Replay, Config]:
        with playing(recorded, monkeypatch) as (venue, _, config):
            venue.table[row] = answer
            return gathered(config), venue, config

    return whole


@pytest.mark.parametrize("told", READ, ids=lambda row: f"{row.recorded.trades} {row.name}")
def test_an_order_that_waits_is_an_open_order(play: Any, told: Told) -> None:
    book, _, _ = play(told.recorded, told.row, told.answer)
    account = book.snapshot.account[told.recorded.trades]
    assert account.state == "open"
    assert account.open_orders == (() if told.order is None else (told.order,))
    notes = [row.what for row in book.notes if row.account == account.id and "close" in row.what]
    assert notes == [
        f"orders that close all of a position are not read: {note}"
        for note in [told.note] if note
    ]  # fmt: skip


@pytest.mark.parametrize(("recorded", "row", "answer", "which", "why"), BAD)
def test_what_is_not_understood_freezes_the_account_by_name(
    play: Any, recorded: Recorded, row: str, answer: Any, which: str, why: str
) -> None:
    book, _, _ = play(recorded, row, answer)
    assert book.snapshot.account[recorded.trades].state == "frozen"
    (what,) = [told.what for told in book.missing if told.account == recorded.trades]
    assert which in what
    assert why in what


def test_every_page_of_what_waits_at_bitget_is_read(play: Any) -> None:
    rows = [bitget.plan(orderId=str(900 - number), size=str(number)) for number in range(1, 104)]

    def page(call: Any) -> Any:
        if call.text("planType") != "normal_plan" or call.text("startTime"):
            return bitget.listed()
        return bitget.listed(*(rows[100:] if call.text("idLessThan") == "800" else rows[:100]))

    book, venue, _ = play(bitget.RECORDED, PLANS, page)
    found = book.snapshot.account["futures"].open_orders
    assert sorted(row.quantity for row in found) == list(range(1, 104))
    recent = [call for call in venue.asked(PLANS) if not call.text("startTime")]
    asked = [call.text("planType") for call in recent]
    assert sorted(asked) == ["normal_plan", "normal_plan", "profit_loss", "track_plan"]


def test_every_page_of_what_waits_at_kucoin_is_read(play: Any) -> None:
    def page(call: Any) -> Any:
        row = kucoin.stop(id=call.text("currentPage"), price=call.text("currentPage"))
        return kucoin.ok({"totalPage": 2, "items": [row]})

    book, venue, _ = play(kucoin.RECORDED, STOPS, page)
    found = book.snapshot.account["futures"].open_orders
    assert [row.price for row in found] == [1, 2]
    assert [call.text("currentPage") for call in venue.asked(STOPS)] == ["1", "2", "1", "2"]


DAY_MS = 24 * 60 * 60 * 1000


def told_within(ages: dict[str, int], seen: list[Any]) -> Any:
    """Answer as Bitget does: of three months, the last where none are named."""

    def answer(call: Any) -> Any:
        seen.append(call)
        if call.text("planType") != "normal_plan":
            return bitget.listed()
        end = int(call.text("endTime") or call.now_ms)
        start = int(call.text("startTime") or end - 90 * DAY_MS)
        assert end - start <= 90 * DAY_MS
        made = {name: call.now_ms - days * DAY_MS for name, days in ages.items()}
        return bitget.listed(
            *(bitget.plan(orderId=name) for name, at in made.items() if start <= at <= end)
        )

    return answer


@pytest.mark.parametrize("days", [1, 86, 87, 88, 89, 90, 91, 130])
def test_what_waits_at_bitget_is_read_however_old_and_once(play: Any, days: int) -> None:
    seen: list[Any] = []
    ages = {"1": days, "2": days + 85, "3": days + 170}
    book, _, _ = play(bitget.RECORDED, PLANS, told_within(ages, seen))
    assert len(book.snapshot.account["futures"].open_orders) == 3
    assert not [row for row in book.notes if "longer than" in row.what]


def test_older_windows_are_kept_and_end_where_nothing_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []
    with playing(bitget.RECORDED, monkeypatch) as (venue, _, config):
        venue.table[PLANS] = told_within({"1": 100}, seen)

        async def twice(opened: Any) -> None:
            for _ in range(2):
                assert len((await opened.venues["futures"].read()).open_orders) == 1

        run_with(config, twice)
    assert len([call for call in seen if not call.text("startTime")]) == 6
    assert len([call for call in seen if call.text("startTime")]) == 4


def test_a_venue_that_tells_no_older_orders_is_noted(play: Any) -> None:
    def answer(call: Any) -> Any:
        return bitget.no("40017", "startTime") if call.text("startTime") else bitget.listed()

    book, _, _ = play(bitget.RECORDED, PLANS, answer)
    assert book.snapshot.account["futures"].state == "open"
    (note,) = [row.what for row in book.notes if "longer than three months" in row.what]
    assert "40017" in note


def test_orders_of_all_times_are_not_walked_without_end(play: Any) -> None:
    book, _, _ = play(bitget.RECORDED, PLANS, bitget.plans(bitget.plan()))
    assert len(book.snapshot.account["futures"].open_orders) == 1
    assert [row for row in book.notes if "longer than 12 times 89 days" in row.what]
