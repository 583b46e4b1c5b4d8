"""Binance's look-ups where one answer may not hold all there is."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt.binance import LIMIT, Binance
from allocator.adapters.ccxt.dialect import Trace
from allocator.adapters.ccxt.failures import RefusalError
from allocator.models.errors import VenueError
from allocator.models.intents import Found, OrderIntent
from tests.adapters.ccxt.portfolio_payloads import order, trade
from tests.adapters.ccxt.recorded import KEY
from tests.adapters.ccxt.test_modes import place

INTENT = OrderIntent(
    client_id=KEY, account="it", instrument="binance:BTC/USDT:USDT", side="sell",
    quantity=Decimal("0.003"), limit_price=Decimal(21100),
)  # fmt: skip


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
        "fapiprivate_get_order": order(status="FILLED", executedQty="0.003", avgPrice="21100"),
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
