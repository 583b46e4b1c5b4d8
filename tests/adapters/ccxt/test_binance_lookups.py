"""Binance's look-ups where one answer may not hold all there is."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt.binance import LIMIT, Binance
from allocator.adapters.ccxt.dialect import Trace
from allocator.adapters.ccxt.failures import RefusalError
from allocator.adapters.ccxt.place import Place
from allocator.models.errors import VenueError
from allocator.models.intents import Found, OrderIntent, TransferIntent
from tests.adapters.ccxt.portfolio_payloads import order, trade
from tests.adapters.ccxt.recorded import KEY
from tests.adapters.ccxt.test_modes import place

INTENT = OrderIntent(
    client_id=KEY, account="it", instrument="binance:BTC/USDT:USDT", side="sell",
    quantity=Decimal("0.003"), limit_price=Decimal(21100),
)  # fmt: skip

SENT = TransferIntent(
    client_id=KEY, route="r", source="it", target="other", asset="USDT", amount=Decimal("100.5")
)


def _find(answers: dict[str, Any]) -> Found | None:
    wallet = place("binance", "usdm", answers)
    return asyncio.run(Binance().find_order(wallet, INTENT, Trace(0)))


def _none(asked: Any) -> Any:
    raise RefusalError("-2013", "Order does not exist.")


@pytest.mark.parametrize("orders", [0, 1, LIMIT - 1])
def test_an_order_that_a_whole_answer_does_not_list_is_absent(orders: int) -> None:
    listed = [order(clientOrderId=f"other{n}") for n in range(orders)]
    answers = {"fapiprivate_get_order": _none, "fapiprivate_get_allorders": listed}
    assert _find(answers) is None


def test_an_order_that_a_full_answer_does_not_list_is_not_taken_for_absent() -> None:
    listed = [order(clientOrderId=f"other{n}") for n in range(LIMIT)]
    answers = {"fapiprivate_get_order": _none, "fapiprivate_get_allorders": listed}
    with pytest.raises(VenueError, match="more orders than one answer holds"):
        _find(answers)


def test_fees_of_an_order_are_asked_for_in_full_and_not_summed_in_part() -> None:
    asked = list[Any]()

    def trades(params: Any) -> Any:
        asked.append(params)
        return [trade("0.000003", "0.01")] * fills

    answers = {
        "fapiprivate_get_order": order(status="FILLED", executedQty="0.002997", avgPrice="21100"),
        "fapiprivate_get_usertrades": trades,
    }
    fills = LIMIT - 1
    found = _find(answers)
    assert found is not None
    assert found.fees == {"USDT": Decimal("9.99")}
    assert asked[0]["limit"] == LIMIT
    fills = LIMIT
    with pytest.raises(VenueError, match="more trades than one answer holds"):
        _find(answers)


@pytest.mark.parametrize("trades", [[], [trade("0.002", "0.01")], [trade("0.004", "0.01")]])
def test_fees_of_fills_that_do_not_all_show_yet_are_not_told(trades: Any) -> None:
    answers = {
        "fapiprivate_get_order": order(status="FILLED", executedQty="0.003", avgPrice="21100"),
        "fapiprivate_get_usertrades": trades,
    }
    with pytest.raises(VenueError, match="and an order filled by"):
        _find(answers)


def _own(answer: Any, venue_id: str | None = None) -> Found | None:
    spot = place("binance", "spot", {"sapi_get_asset_transfer": answer})
    usdm = Place(
        spot.config.model_copy(update={"wallet": "usdm", "id": "other"}), spot.login, spot.login
    )
    return asyncio.run(Binance().find_transfer(spot, usdm, SENT, Trace(0, venue_id)))


def _moved(number: int, amount: str) -> dict[str, Any]:
    told = {"asset": "USDT", "status": "CONFIRMED", "timestamp": 1}
    return {**told, "amount": amount, "tranId": number}


OTHERS = [_moved(n, "1") for n in range(99)]


@pytest.mark.parametrize("answer", [{"total": 0}, {"total": 99, "rows": OTHERS}])
def test_a_transfer_that_a_whole_answer_does_not_list_is_absent(answer: Any) -> None:
    assert _own(answer) is None


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"message": "upstream"},
        {"rows": None},
        {"rows": []},
        {"total": 1},
        {"total": "many", "rows": []},
        {"total": -1, "rows": []},
        {"total": 150, "rows": [*OTHERS, _moved(99, "1")]},
        {"total": 150, "rows": [*OTHERS, _moved(99, "100.5")]},
    ],
)
def test_a_transfer_is_not_absent_by_an_answer_without_its_whole_list(answer: Any) -> None:
    """Nor is it the one that looks the same, where the rest may hold another."""
    with pytest.raises(VenueError):
        _own(answer)


def test_a_transfer_known_by_its_id_is_found_on_the_first_of_many_pages() -> None:
    found = _own({"total": 150, "rows": [*OTHERS, _moved(99, "100.5")]}, "99")
    assert found is not None
    assert (found.venue_id, found.state) == ("99", "settled")
