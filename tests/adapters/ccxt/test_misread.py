"""Rows whose side, leg or kind is a word no page tells: none is taken for what it is not."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt import (
    binance_accounts,
    binance_reads,
    bitget_reads,
    bybit_reads,
    deribit_reads,
    hyperliquid_markets,
    kraken_reads,
    okx_reads,
)
from allocator.models.errors import VenueError
from tests.adapters.ccxt import (
    bitget_payloads,
    gateio_payloads,
    hyperliquid_payloads,
    kraken_payloads,
    kucoin_payloads,
    portfolio_payloads,
    test_deribit_figures,
    test_modes,
    test_okx_modes,
)
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY, Recorded, gathered, playing
from tests.adapters.times import ago

BINANCE = portfolio_payloads.order()
BYBIT = {"symbol": "BTCUSDT", "side": "Buy", "qty": "1", "leavesQty": "1", "price": "60000",
         "reduceOnly": False}  # fmt: skip
OKX = {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "side": "buy", "sz": "2", "accFillSz": "0",
       "px": "60000", "reduceOnly": "false"}  # fmt: skip
DERIBIT = {"instrument_name": "BTC-PERPETUAL", "direction": "buy", "amount": 1000,
           "filled_amount": 0, "price": 60000, "reduce_only": False}  # fmt: skip


def _binance(row: Mapping[str, Any]) -> Any:
    return binance_reads.open_order(dict(row), "binance:BTC/USDT:USDT")


def _bybit(row: Mapping[str, Any]) -> Any:
    def listed(asked: Any) -> Any:
        return test_modes.enveloped(list=[dict(row)] if asked["category"] == "linear" else [])

    place = test_modes.place("bybit", "unified", {"private_get_v5_order_realtime": listed})
    return asyncio.run(bybit_reads.open_orders(place))


def _okx(row: Mapping[str, Any]) -> Any:
    answers = {"private_get_trade_orders_pending": test_okx_modes.data(dict(row))}
    return asyncio.run(okx_reads.standing_orders(test_okx_modes.place(answers)))


def _deribit(row: Mapping[str, Any]) -> Any:
    place = test_deribit_figures.recorded(test_deribit_figures.SUMMARY)
    client: Any = place.login.client
    client.answers["private_get_get_open_orders"] = [dict(row)]
    return asyncio.run(deribit_reads.open_orders(place))


READ = {"binance": (_binance, BINANCE, "side"), "bybit": (_bybit, BYBIT, "side"),
        "okx": (_okx, OKX, "side"), "deribit": (_deribit, DERIBIT, "direction")}  # fmt: skip


@pytest.mark.parametrize("told", ["Long", "", None])
@pytest.mark.parametrize("venue", sorted(READ))
def test_an_order_on_no_known_side_is_not_taken_for_a_sale(venue: str, told: str | None) -> None:
    read, row, key = READ[venue]
    read(row)
    with pytest.raises(VenueError, match=r"side Long is not known|has no (side|direction)"):
        read({**row, key: told})


@pytest.mark.parametrize(
    ("venue", "key"),
    [("binance", "reduceOnly"), ("bybit", "reduceOnly"), ("deribit", "reduce_only")],
)
def test_a_word_for_false_does_not_make_an_order_one_that_only_reduces(
    venue: str, key: str
) -> None:
    read, row, _ = READ[venue]
    with pytest.raises(VenueError, match=f"{key} 'false' is neither true nor false"):
        read({**row, key: "false"})


@pytest.mark.parametrize(
    ("venue", "told", "waits"),
    [
        ("bybit", {"orderStatus": "Untriggered"}, True),
        ("bybit", {"orderStatus": "New"}, False),
        ("bybit", {"orderStatus": "PartiallyFilled"}, False),
        ("deribit", {"order_state": "untriggered", "order_type": "stop_limit"}, True),
        ("deribit", {"order_state": "untriggered", "price": "market_price"}, True),
        ("deribit", {"order_state": "open"}, False),
        ("deribit", {"order_state": "triggered"}, False),
    ],
)
def test_only_what_its_venue_calls_untriggered_waits(
    venue: str, told: dict[str, str], waits: bool
) -> None:
    """Words: Bybit, v5/enum, orderStatus; Deribit, private/get_open_orders, order_state."""
    read, row, _ = READ[venue]
    (order,) = read({**row, **told})
    assert order.waits is waits


def _bare(row: Any) -> list[Any]:
    return [row]


def _in_kraken(row: Any) -> Any:
    return kraken_payloads.ok(openOrders=[row])


def _in_kucoin(row: Any) -> Any:
    return kucoin_payloads.ok({"totalPage": 1, "items": [row]})


REPLAYED: dict[str, tuple[Recorded, str, Any, Mapping[str, Any]]] = {
    "bitget": (bitget_payloads.RECORDED, f"GET {bitget_payloads.MIX}/order/orders-pending",
               bitget_payloads.listed, bitget_payloads.order()),
    "gate": (gateio_payloads.RECORDED, f"GET {gateio_payloads.FUTURES}/orders",
             _bare, gateio_payloads.order()),
    "hyperliquid": (hyperliquid_payloads.RECORDED,
                    f"{hyperliquid_payloads.INFO}#frontendOpenOrders",
                    _bare, hyperliquid_payloads.order()),
    "kraken": (kraken_payloads.RECORDED, f"GET {kraken_payloads.V3}/openorders",
               _in_kraken, kraken_payloads.open_order()),
    "kucoin": (kucoin_payloads.RECORDED, "GET /api/v1/orders",
               _in_kucoin,
               kucoin_payloads.order()),
}  # fmt: skip


@pytest.mark.parametrize(
    ("venue", "changed", "words"),
    [
        ("bitget", {"side": "Long"}, "side Long is not known"),
        ("bitget", {"side": None}, "no side"),
        ("gate", {"is_reduce_only": "false"}, "is_reduce_only 'false' is neither"),
        ("hyperliquid", {"side": "Bid"}, "side Bid is not known"),
        ("hyperliquid", {"reduceOnly": "false"}, "reduceOnly 'false' is neither"),
        ("hyperliquid", {"isTrigger": "false"}, "isTrigger 'false' is neither"),
        ("kraken", {"side": "Long"}, "side Long is not known"),
        ("kraken", {"reduceOnly": "false"}, "reduceOnly 'false' is neither"),
        ("kraken", {"orderType": "limit"}, "orderType limit is not known"),
        ("kucoin", {"side": None}, "no side"),
        ("kucoin", {"reduceOnly": "false"}, "reduceOnly 'false' is neither"),
        ("kucoin", {"closeOrder": "false"}, "closeOrder 'false' is neither"),
    ],
)
def test_an_order_that_is_not_understood_freezes_its_account(
    monkeypatch: pytest.MonkeyPatch, venue: str, changed: Mapping[str, Any], words: str
) -> None:
    recorded, path, listed, row = REPLAYED[venue]
    with playing(recorded, monkeypatch) as (played, _, config):
        played.table[path] = listed({**row, **changed})
        book = gathered(config)
    assert book.snapshot.account[recorded.trades].state == "frozen"
    assert any(words in missing.what for missing in book.missing)


@pytest.mark.parametrize("kind", ["lmt", "post", "stp"])
def test_what_rests_in_krakens_book_is_counted_and_so_is_a_trigger(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    recorded, path, listed, row = REPLAYED["kraken"]
    with playing(recorded, monkeypatch) as (played, _, config):
        played.table[path] = listed({**row, "orderType": kind})
        account = gathered(config).snapshot.account[recorded.trades]
    assert (account.state, len(account.open_orders)) == ("open", 1)


@pytest.mark.parametrize("side", ["Short", "LONGS", "BOTH"])
def test_a_leg_of_no_known_name_is_not_dropped_at_binance(side: str) -> None:
    rows = [{"positionSide": name, "positionAmt": "-1", "entryPrice": "60000",
             "unRealizedProfit": "1"} for name in ("LONG", side)]  # fmt: skip
    with pytest.raises(VenueError, match=f"legs LONG, {side} of one pair"):
        binance_accounts.position_of(rows, None, tradable=True, isolated=False)
    with pytest.raises(VenueError, match="legs LONG, LONG of one pair"):
        binance_accounts.position_of([rows[0], rows[0]], None, tradable=True, isolated=False)


@pytest.mark.parametrize(("first", "second"), [("long", "Short"), ("net", "net"), ("net", "long")])
def test_a_leg_of_no_known_name_is_not_dropped_at_okx(first: str, second: str) -> None:
    rows = [{**test_okx_modes.POSITION, "posSide": side} for side in (first, second)]
    coin = {**test_okx_modes.COIN, "upl": "20", "eq": "1020"}
    with pytest.raises(VenueError, match=f"legs {first}, {second} of one pair"):
        test_okx_modes.okx(*rows, coin=coin)


@pytest.mark.parametrize("side", ["zero", "SELL", None])
def test_a_position_on_no_known_side_is_not_long_at_deribit(side: str | None) -> None:
    market = test_deribit_figures.MARKETS["BTC-PERPETUAL"]
    with pytest.raises(VenueError, match=r"is not known|no direction"):
        deribit_reads.signed(market, {**test_deribit_figures.FUTURE_ROW, "direction": side})


def test_a_futures_asset_without_a_margin_balance_is_not_taken_for_checked() -> None:
    row = {"asset": "USDT", "walletBalance": "10", "unrealizedProfit": "1"}
    with pytest.raises(VenueError, match="no marginBalance"):
        binance_reads.check_identity(row)


def _looked_up(recorded: Recorded, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> Any:
    """Look the order up after the row that tells of it was changed."""
    intent = recorded.intent(**changed)
    with playing(recorded, monkeypatch) as (played, _, config):
        played.table |= recorded.found(KEY)
        return run_with(config, lambda opened: opened.venues[recorded.trades].find(intent, ago()))


@pytest.mark.parametrize("venue", sorted(REPLAYED))
def test_an_order_filled_by_another_quantity_than_it_was_for_is_not_told_as_done(
    monkeypatch: pytest.MonkeyPatch, venue: str
) -> None:
    recorded = REPLAYED[venue][0]
    assert _looked_up(recorded, monkeypatch).state == "filled"
    twice = str(2 * Decimal(recorded.quantity))
    half = str(Decimal(recorded.quantity) / 2)
    for quantity in (half, twice):
        assert _looked_up(recorded, monkeypatch, quantity=quantity).finding == "unsure"


@pytest.mark.parametrize(
    ("read", "row"),
    [
        (bitget_reads.signed, {"holdSide": "long", "total": "-1"}),
        (bybit_reads.signed, {"side": "Buy", "size": "-1"}),
        (kraken_reads.signed, {"side": "long", "size": "-1"}),
    ],
)
def test_a_size_below_nothing_does_not_turn_the_side_about(read: Any, row: dict[str, str]) -> None:
    with pytest.raises(VenueError, match="size -1 of a side"):
        read(row)


def test_a_margin_table_that_is_not_there_is_not_one_without_tiers() -> None:
    meta = {"name": "BTC", "maxLeverage": "40", "marginTableId": "56"}
    rows = [{"lowerBound": "0.0", "maxLeverage": "40"}, {"lowerBound": "1", "maxLeverage": "20"}]
    assert len(hyperliquid_markets.tiers_of(meta, {"56": rows})) == 2
    assert len(hyperliquid_markets.tiers_of({**meta, "marginTableId": "40"}, {"56": rows})) == 1
    with pytest.raises(VenueError, match="no margin table 56 of BTC"):
        hyperliquid_markets.tiers_of(meta, {"51": rows})
