"""Orders that wait for a trigger, at the venues that answer from their documentation."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from allocator.models.account import OpenOrder
from allocator.models.config import Config
from tests.adapters.ccxt import portfolio_payloads as pm
from tests.adapters.ccxt.recorded import Recorded, gathered, playing
from tests.adapters.ccxt.replay import Replay

D = Decimal
UM, CM = "binance:BTC/USDT:USDT", "binance:BTC/USD:BTC"
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
