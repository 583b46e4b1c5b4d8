"""Spot orders go with the cash they take, and for no more than is held."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Behaviour
from allocator.models.intents import Capabilities, Found, OrderIntent
from tests.execution.book import (
    BTC_A,
    BTC_B,
    SLICED,
    WHOLE,
    account,
    instrument,
    order,
    snapshot,
)
from tests.execution.desk import Desk
from tests.execution.working import attempts


def _spot(base: str) -> dict[str, object]:
    row = {**instrument(f"alpha:{base}/USDT"), "kind": "spot", "base": base, "quote": "USDT"}
    return {key: row[key] for key in row if key not in ("settle", "funding", "tiers")}


def _cash_market(lite: Engine, held: str, behaviour: Behaviour | None = None) -> Desk:
    rows = [account("a", "alpha", "0", held), account("b", "beta", "0")]
    market = [instrument(BTC_A), instrument(BTC_B), _spot("BTC"), _spot("ETH")]
    coins = {name: {"price": "50000", "underlying": name} for name in ("BTC", "ETH")}
    assets = {"USDT": {"price": "1"}, **coins}
    start = snapshot(accounts=rows, instruments=market, assets=assets)
    return Desk.open(lite, start=start, mandate=WHOLE, behaviour=behaviour or Behaviour())


@pytest.mark.parametrize(
    ("held", "worst"),
    [
        ("30000", "50250"),
        ("20110.05", "50250"),
        ("20110.0499", "50249.9"),
        ("20010.2001", "50000.5"),
    ],
)
def test_a_spot_order_goes_with_the_money_that_the_ask_and_its_fee_take(
    lite: Engine, held: str, worst: str
) -> None:
    """Its worst price is what the money allows, so that a plan may spend all of it."""
    desk = _cash_market(lite, held)
    report = desk.run(order(1, "a", "buy", "0.4") | {"instrument": "alpha:BTC/USDT"})
    assert (report.status, report.why) == ("done", "")
    (intent,) = (row.intent for _, row in attempts(desk))
    assert isinstance(intent, OrderIntent)
    assert intent.limit_price == Decimal(worst)


def test_a_spot_order_without_the_money_for_the_ask_and_its_fee_is_not_sent(lite: Engine) -> None:
    desk = _cash_market(lite, "20010.2")
    buy = order(1, "a", "buy", "0.4") | {"instrument": "alpha:BTC/USDT"}
    assert "NOT_HELD: account=a asset=USDT needed=20010.2001 held=20010.2" in desk.run(buy).why
    assert not desk.exchange.received


def test_slices_for_cash_go_though_fees_are_told_late(
    lite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the account was seen to hold counts, where the fees of a fill are not known yet."""
    desk = _cash_market(lite, "20010.3")
    desk.mandate = SLICED
    venue = desk.venues["a"]
    find = venue.find

    async def without_fees(*args: Any) -> Any:
        found = await find(*args)
        return found.model_copy(update={"fees": {}}) if isinstance(found, Found) else found

    monkeypatch.setattr(venue, "find", without_fees)
    report = desk.run(order(1, "a", "buy", "0.4") | {"instrument": "alpha:BTC/USDT"})
    assert (report.status, report.why) == ("done", "")


@pytest.mark.parametrize("batch_orders", [1, 20])
def test_purchases_of_a_group_may_spend_all_the_cash_together(
    lite: Engine, batch_orders: int
) -> None:
    able = Behaviour(capabilities=Capabilities(batch_orders=batch_orders))
    desk = _cash_market(lite, "40025", able)
    buy = order(1, "a", "buy", "0.4", group="g")
    report = desk.run(
        buy | {"instrument": "alpha:BTC/USDT"},
        buy | {"instrument": "alpha:ETH/USDT", "seq": 2},
    )
    assert (report.status, report.why) == ("done", "")


def test_two_spot_orders_of_a_group_are_not_let_through_for_the_same_money(lite: Engine) -> None:
    desk = _cash_market(lite, "30000")
    buy = order(1, "a", "buy", "0.4", group="g")
    report = desk.run(
        buy | {"instrument": "alpha:BTC/USDT"},
        buy | {"instrument": "alpha:ETH/USDT", "seq": 2},
    )
    assert "NOT_HELD: account=a asset=USDT needed=20010.2001 held=9989.7999" in report.why
    assert sum(desk.exchange.received.values()) == 1
    assert [row.stage for row in report.actions] == ["done", "superseded"]
