"""Sizes of spot orders on books whose best plan is known by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from allocator.decide import decide
from allocator.plan.lots import Sizes
from tests.by_hand import COIN, KEY, SPOT, account, held, no_worse, perpetual, scenario, spot
from tests.program.programs import program_of


@pytest.mark.parametrize("mark", [51_500, 60_000])
def test_a_coin_that_trades_above_its_price_can_be_sold_whole(mark: int) -> None:
    a = account("a", "0", spot=["v:BTC/USD"])
    a["balances"]["BTC"] = {"wallet": "10"}
    case = scenario("0", [a], assets={"BTC": COIN}, instruments=[spot(mark)])
    no_worse(case, Sizes({SPOT: Decimal(-10)}))


def test_a_coin_that_trades_below_its_price_can_be_bought_with_all_there_is() -> None:
    a = account("a", "400400", spot=["v:BTC/USD"])
    case = scenario("500000", [a], assets={"BTC": COIN}, instruments=[spot(40_000)])
    no_worse(case, Sizes({SPOT: Decimal(10)}))


def test_what_a_sale_above_the_price_brings_carries_a_larger_position() -> None:
    a = account("a", "0", positions=held("0"), spot=["v:BTC/USD"])
    a["balances"]["BTC"] = {"wallet": "10"}
    rows = [perpetual(), spot(60_000)]
    case = scenario("5900000", [a], assets={"BTC": COIN}, instruments=rows)
    no_worse(case, Sizes({SPOT: Decimal(-10), KEY: Decimal(110)}))


def test_two_marks_of_one_coin_that_feed_each_other_leave_orders_of_any_size() -> None:
    a = account("a", "1000", spot=["v:BTC/USD", "v:BTC/USD2"])
    cheap, dear = spot(45_000), {**spot(55_000), "id": "v:BTC/USD2"}
    case = scenario("450000", [a], assets={"BTC": COIN}, instruments=[cheap, dear])
    program = program_of(case.snapshot, case.mandate)
    layout, top = program.core.layout, program.form.top
    assert top[layout.buys[0]] * program.form.unit >= 50 * 45_000
    assert top[layout.sells[1]] * program.form.unit >= 41 * 55_000
    plan = decide(case.snapshot, case.mandate)
    assert plan.certificate is not None
    assert plan.certificate.lower_bound <= plan.cost.total
