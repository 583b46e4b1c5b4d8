"""Fees of fills that come later than the order: unsure until all of them show."""

import asyncio
import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt import deribit
from allocator.models.errors import VenueError
from allocator.models.intents import Found, Unsure
from tests.adapters.ccxt import (
    bitget_payloads,
    gateio_payloads,
    kucoin_payloads,
    portfolio_payloads,
    test_modes,
)
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY, Recorded, playing
from tests.adapters.times import ago

VENUES = {
    "binance": (portfolio_payloads.RECORDED, "userTrades", lambda told: told),
    "bitget": (bitget_payloads.RECORDED, "order/fills", lambda told: told["data"]["fillList"]),
    "gate": (gateio_payloads.RECORDED, "my_trades", lambda told: told),
    "kucoin": (kucoin_payloads.RECORDED, "fills", lambda told: told["data"]["items"]),
}
Case = tuple[Recorded, str, Callable[[Any], list[Any]]]


@pytest.mark.parametrize("shown", [0, 1])
@pytest.mark.parametrize("case", VENUES.values(), ids=VENUES)
def test_fees_are_told_once_the_fills_are_what_the_order_tells(
    monkeypatch: pytest.MonkeyPatch, case: Case, shown: int
) -> None:
    recorded, word, fills = case
    with playing(recorded, monkeypatch) as (venue, _, config):
        told = recorded.found(KEY)
        (row,) = (name for name in told if name.endswith(word))
        venue.table |= copy.deepcopy(told)
        del fills(venue.table[row])[shown:]
        intent = recorded.intent()

        async def work(opened: Any) -> None:
            mine = opened.venues[intent.account]
            assert isinstance(await mine.find(intent, ago()), Unsure)
            venue.table[row] = told[row]
            assert isinstance(await mine.find(intent, ago()), Found)

        run_with(config, work)


def _trade(name: str, amount: str, fee: str) -> dict[str, str]:
    return {
        "trade_id": name, "order_id": "1", "amount": amount, "fee": fee, "fee_currency": "BTC"
    }  # fmt: skip


RECENT, OLD = _trade("b", "20", "0.1"), _trade("a", "10", "0.2")


def _deribit(recent: list[Any], old: list[Any]) -> dict[str, Decimal]:
    def answer(params: Any) -> Any:
        return {"result": {"trades": old if params["historical"] else recent}}

    place = test_modes.place("deribit", "unified", {"private_get_get_user_trades_by_order": answer})
    return asyncio.run(deribit.fees(place, "1", Decimal(30)))


def test_trades_at_deribit_are_of_today_and_of_before() -> None:
    assert _deribit([RECENT], [OLD]) == {"BTC": Decimal("0.3")}
    assert _deribit([RECENT, OLD], []) == {"BTC": Decimal("0.3")}
    assert _deribit([RECENT], [RECENT, OLD]) == {"BTC": Decimal("0.3")}


@pytest.mark.parametrize(("recent", "old"), [([], []), ([RECENT], []), ([], [OLD])])
def test_trades_at_deribit_that_do_not_all_show_yet_tell_no_fee(
    recent: list[Any], old: list[Any]
) -> None:
    with pytest.raises(VenueError, match="and an order filled by 30"):
        _deribit(recent, old)
