"""OKX's algo orders, row by row: what each kind says, and what is not understood."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt import okx_waiting
from allocator.adapters.ccxt.failures import RefusalError
from allocator.adapters.ccxt.place import Place
from allocator.models.account import SeenOrder
from allocator.models.errors import VenueError
from tests.adapters.ccxt.test_okx_modes import LINEAR, data, place

D = Decimal
ROW = {
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "algoId": "681096944655273984", "sz": "2.5",
    "closeFraction": "", "ordType": "conditional", "side": "sell", "posSide": "net",
    "tdMode": "cross", "tgtCcy": "", "state": "live", "tpTriggerPx": "", "tpOrdPx": "",
    "slTriggerPx": "58000", "slOrdPx": "57900", "triggerPx": "", "ordPx": "", "pxLimit": "",
    "reduceOnly": "false", "actualSz": "0",
}  # fmt: skip
PAIR = {"ordType": "oco", "tpTriggerPx": "70000", "tpOrdPx": "70100"}


def read(**changed: Any) -> tuple[tuple[SeenOrder, ...], dict[str, str]]:
    row = {**ROW, **changed}

    def listed(asked: dict[str, Any]) -> Any:
        # A word that is not known is answered to whoever asks for triggers.
        kind = row["ordType"] if row["ordType"] in okx_waiting.KINDS else "trigger"
        return data(row) if kind in asked["ordType"].split(",") else data()

    at = place({
        "private_get_trade_orders_algo_pending": listed,
        "private_get_trade_orders_pending": data(),
    })  # fmt: skip
    return asyncio.run(okx_waiting.open_orders(at)), at.notes


@pytest.mark.parametrize(
    ("changed", "price"),
    [
        ({}, D(57900)),
        ({"slOrdPx": "-1"}, None),
        (PAIR, D(57900)),
        ({**PAIR, "side": "buy"}, D(70100)),
        ({**PAIR, "tpOrdPx": "-1"}, None),
        ({"ordType": "trigger", "triggerPx": "58000", "ordPx": "-1"}, None),
        ({"ordType": "trigger", "triggerPx": "58000", "ordPx": "57950"}, D(57950)),
        ({"ordType": "iceberg", "pxLimit": "57000"}, D(57000)),
        ({"ordType": "smart_iceberg"}, None),
        ({"ordType": "move_order_stop"}, None),
        ({"ordType": "chase", "state": "pause"}, None),
    ],
)
def test_the_limit_that_meets_most_is_the_price(
    changed: dict[str, str], price: Decimal | None
) -> None:
    (order,), notes = read(**changed)
    side: Any = changed.get("side", "sell")
    assert order == SeenOrder(
        instrument=LINEAR, side=side, quantity=D("2.5"), price=price, waits=order.waits
    )
    assert notes == {}


LIMIT = {"tpOrdKind": "limit", "tpOrdPx": "61000"}
NO_STOP = {"slTriggerPx": "", "slOrdPx": ""}


@pytest.mark.parametrize(
    ("changed", "price"),
    [
        ({**LIMIT, **NO_STOP}, D(61000)),
        ({**LIMIT, "ordType": "oco"}, D(57900)),
        ({**LIMIT, "ordType": "oco", "slOrdPx": "-1"}, None),
        ({**LIMIT, "ordType": "oco", "side": "buy"}, D(61000)),
    ],
)
def test_a_profit_that_is_taken_by_a_limit_has_no_trigger_and_may_stand(
    changed: dict[str, str], price: Decimal | None
) -> None:
    (order,), _ = read(**changed)
    assert (order.price, order.waits) == (price, False)


SPOT = {"instType": "SPOT", "instId": "BTC-USDT", "posSide": "", "side": "buy", "slOrdPx": "-1"}
TRIGGER = {"ordType": "trigger", "triggerPx": "70000", "ordPx": "-1"}


@pytest.mark.parametrize(
    "kind", [{}, {"ordType": "oco", "tpTriggerPx": "9", "tpOrdPx": "9"}, TRIGGER]
)
def test_a_purchase_at_market_of_spot_is_sized_in_quote_unless_it_says_coins(
    kind: dict[str, str],
) -> None:
    with pytest.raises(VenueError, match=r"2\.5, is in the quote currency"):
        read(**{**SPOT, **kind})
    for told in ({"tgtCcy": "base_ccy"}, {"side": "sell"}):
        (order,), _ = read(**{**SPOT, **kind, **told})
        assert order.quantity == D("2.5")


def test_a_purchase_with_a_limit_of_spot_is_sized_in_coins() -> None:
    (order,), _ = read(**{**SPOT, "slOrdPx": "57900"})
    assert order.quantity == D("2.5")


@pytest.mark.parametrize("kind", sorted(okx_waiting.KINDS))
def test_one_that_goes_into_a_book_bit_by_bit_does_not_wait(kind: str) -> None:
    """A part of it may stand there, or be put there at any time, without a trigger."""
    (order,), _ = read(ordType=kind, ordPx="57900", pxLimit="57900")
    assert order.waits == (kind in {"conditional", "oco", "trigger", "move_order_stop"})


def test_one_that_only_reduces_says_so() -> None:
    for word, reduces in (("true", True), ("false", False), ("", False)):
        (order,), _ = read(reduceOnly=word)
        assert order.reduce_only is reduces


def test_one_that_closes_all_of_a_position_has_no_size() -> None:
    found, notes = read(closeFraction="1", sz="", reduceOnly="true")
    assert found == ()
    assert list(notes.values()) == [
        f"orders that close all of a position are not read: 681096944655273984 of {LINEAR}"
    ]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ordType": "grid"}, "ordType grid is not known"),
        ({"state": "order_failed"}, "state order_failed is not known"),
        ({"side": "short"}, "side short is not known"),
        ({"sz": "0"}, "sz 0 is not a size"),
        ({"sz": ""}, "no sz"),
        ({"closeFraction": "0.5"}, "closeFraction 0.5 is not known"),
        ({"reduceOnly": "yes"}, "reduceOnly yes is not known"),
        ({"slTriggerPx": ""}, "no trigger is told"),
        ({"slTriggerPx": "", "tpOrdPx": "61000"}, "no trigger is told"),
        ({"slTriggerPx": "", "tpOrdKind": "limit"}, "no trigger is told"),
        ({"slOrdPx": "market"}, "not a number: 'market'"),
        ({"tgtCcy": "quote_ccy"}, "2.5, is in the quote currency"),
        ({"instType": "OPTION"}, "OPTION BTC-USDT-SWAP is in the account"),
    ],
)
def test_what_is_not_understood_is_named(changed: dict[str, str], words: str) -> None:
    with pytest.raises(VenueError) as told:
        read(**changed)
    assert str(told.value).startswith("an order that waits (algoId 681096944655273984): ")
    assert words in str(told.value)


def refusing(kind: str, code: str) -> Place:
    def listed(asked: dict[str, Any]) -> Any:
        if asked["ordType"] == kind:
            raise RefusalError(code, "Parameter ordType error")
        return data(ROW) if "conditional" in asked["ordType"] else data()

    return place({
        "private_get_trade_orders_algo_pending": listed,
        "private_get_trade_orders_pending": data(),
    })  # fmt: skip


def test_a_kind_that_the_venue_does_not_know_is_noted() -> None:
    at = refusing("smart_iceberg", "51000")
    (order,) = asyncio.run(okx_waiting.open_orders(at))
    assert order.quantity == D("2.5")
    assert list(at.notes.values()) == [
        "kinds of orders that the venue does not know are not read: smart_iceberg"
    ]


@pytest.mark.parametrize(("kind", "code"), [("trigger", "51000"), ("smart_iceberg", "50011")])
def test_any_other_refusal_is_no_empty_list(kind: str, code: str) -> None:
    with pytest.raises(RefusalError, match=code):
        asyncio.run(okx_waiting.open_orders(refusing(kind, code)))
