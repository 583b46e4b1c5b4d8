"""The margin law of a wallet, against figures worked out by hand."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.binance import margin, world
from allocator.adapters.emulator.market import Tier, leverage_cap, maintenance

D = Decimal
INSTRUMENTS = {(i.market, i.symbol): i for i in world.INSTRUMENTS}
BTC, COIN = INSTRUMENTS["usdm", "BTCUSDT"], INSTRUMENTS["coinm", "BTCUSD_PERP"]


def held(instrument: Any, quantity: str, entry: str, mark: str, **orders: Decimal) -> Any:
    return margin.Holding(
        instrument=instrument,
        leg="net",
        quantity=D(quantity),
        entry=D(entry),
        mark=D(mark),
        leverage=D(10),
        bids=orders.get("bids", D(0)),
        asks=orders.get("asks", D(0)),
        updated_ms=0,
    )


@pytest.mark.parametrize(
    ("notional", "expected"),
    [(264_000, 1056), (5_000_000, 38_000), (24_000_000, 348_000), (500_000_000, 36_018_000)],
)
def test_maintenance_follows_the_brackets(notional: int, expected: int) -> None:
    assert maintenance(BTC.tiers, D(notional)) == expected


@pytest.mark.parametrize("instrument", [BTC, INSTRUMENTS["usdm", "ETHUSDT"], COIN])
def test_deductions_leave_no_gap_between_brackets(instrument: Any) -> None:
    def below(tier: Tier, notional: Decimal) -> Decimal:
        return notional * tier.maintenance - tier.deduction

    for low, high in zip(instrument.tiers, instrument.tiers[1:], strict=False):
        assert below(low, low.cap) == below(high, low.cap)
        assert high.max_leverage < low.max_leverage
        assert high.cap > low.cap


def test_leverage_caps_the_notional() -> None:
    caps = [leverage_cap(BTC.tiers, D(leverage)) for leverage in (150, 125, 20, 5, 1)]
    assert caps == [300_000, 300_000, 100_000_000, 480_000_000, 1_800_000_000]


def test_a_long_is_liquidated_where_equity_meets_maintenance() -> None:
    position = held(BTC, "5", "60000", "57000")
    pool = margin.Pool("USDT", D(20000), (position,))
    price = margin.liquidation_price(pool, position)
    assert price.quantize(D("0.0001")) == D("56224.8996")
    there = held(BTC, "5", "60000", str(price))
    assert abs(D(20000) + there.unrealised - there.maintenance) < D("1e-15")


@pytest.mark.parametrize(("quantity", "expected"), [("-1000", "70714.29"), ("1000", "38846.15")])
def test_an_inverse_position_is_liquidated_where_coins_run_out(
    quantity: str, expected: str
) -> None:

    flat = replace(COIN, tiers=(Tier(D(1000), D("0.01"), D(50), D(0)),))
    position = held(flat, quantity, "50000", "50000")
    pool = margin.Pool("BTC", D("0.6"), (position,))
    price = margin.liquidation_price(pool, position)
    assert price.quantize(D("0.01")) == D(expected)


def test_orders_on_both_sides_margin_the_worse_side_only() -> None:
    both = held(BTC, "1", "60000", "60000", bids=D(30000), asks=D(90000))
    assert both.present == 90000
    assert both.open_initial == 3000
    closing = held(BTC, "1", "60000", "60000", asks=D(60000))
    assert closing.open_initial == 0


def test_profit_frees_margin_but_does_not_leave_the_wallet() -> None:
    winner = held(BTC, "1", "50000", "60000")
    pool = margin.Pool("USDT", D(7000), (winner,))
    assert pool.available == 7000 + 10000 - 6000
    assert pool.may_leave == 7000 - winner.maintenance
    loser = held(BTC, "1", "62000", "60000")
    pool = margin.Pool("USDT", D(9000), (loser,))
    assert pool.may_leave == pool.available == 9000 - 2000 - 6000
