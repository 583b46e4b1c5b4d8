from __future__ import annotations

from decimal import Decimal

from sqlalchemy import Engine

from tests.execution.book import BTC_A, BTC_B, order, transfer
from tests.execution.desk import Desk


def test_plan_is_carried_out_in_the_order_it_needs(engine: Engine) -> None:
    desk = Desk.open(engine)
    report = desk.run(
        transfer(1, "1000"),
        order(2, "a", "sell", "0.5", reduce_only=True, group="g", after=[1]),
        order(3, "b", "buy", "0.5", reduce_only=True, group="g", after=[1]),
    )
    assert report.status == "done", report
    assert report.reconciled
    assert report.breaks == ()
    assert desk.held("a", BTC_A) == Decimal("0.5")
    assert desk.held("b", BTC_B) == Decimal("-0.5")
    assert desk.wallet("b") > 100000
    assert all(row.stage == "done" for row in report.actions)
    assert report.actions[1].attempts == 2
    assert max(desk.exchange.effects.values()) == 1
    states = [(p.seq, p.state) for p in desk.seen]
    assert states.index((1, "done")) < states.index((2, "sending"))
    assert report.fees == Decimal(1) + Decimal("0.5") * (
        50000 - Decimal("0.5") + 50000 + Decimal("0.5")
    ) * Decimal("0.0005")
    assert desk.journal().history.verify() == ()
