from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from allocator.adapters.paper import Behaviour
from allocator.execution.shortfall import Shortfall
from tests.execution.book import BTC_A, order, transfer
from tests.execution.desk import Desk

D = Decimal


def measured(desk: Desk) -> dict[int, Shortfall]:
    return {row.figures.seq: row.figures for row in desk.journal().history.shortfalls()}


def test_an_order_is_measured_against_the_mark_it_was_decided_at(lite: Engine) -> None:
    """0.4 contracts sold at 49,999.5 instead of 50,000, with a fee of 0.05 %."""
    desk = Desk.open(lite)
    report = desk.run(order(1, "a", "sell", "0.4"))
    found = measured(desk)[1]
    assert (found.filled, found.decided, found.average) == (D("0.4"), 50000, D("49999.5"))
    assert found.slippage == D("0.2")
    assert found.fees == D("9.9999")
    assert found.missed == 0
    assert found.total == D("10.1999")
    assert report.actions[0].shortfall == found.total
    impact = D(2) / 3 * D("0.03") * 20000 * (D(20000) / 1_000_000_000).sqrt()
    assert abs(found.forecast - (10 + D("0.2") + impact)) < D("1e-9")
    assert report.actions[0].forecast == found.forecast


def test_what_is_not_filled_is_charged_with_the_move_of_the_mark(lite: Engine) -> None:
    desk = Desk.open(lite, behaviour=Behaviour(depth={BTC_A: D("0.1")}))

    def move(row: object) -> None:
        if getattr(row, "state", "") == "cancelled":
            desk.exchange.set_price(BTC_A, D(49000), D(49001), D(49000))

    desk.watch = move
    desk.run(order(1, "a", "sell", "0.4"))
    found = measured(desk)[1]
    assert found.filled == D("0.1")
    assert found.slippage == D("0.05")
    assert found.missed == 300
    assert found.total == D("300.05") + found.fees


def test_a_transfer_costs_what_its_route_charges(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.run(transfer(1, "1000"))
    found = measured(desk)[1]
    assert (found.filled, found.average, found.fees) == (1000, None, 1)
    assert found.forecast >= 1
    assert found.total == 1


def test_what_was_never_sent_is_not_measured(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.run(order(1, "a", "sell", "0.4", limit_price="60000"))
    assert measured(desk) == {}


@pytest.mark.parametrize("column", ["fees", "slippage", "forecast"])
def test_rewriting_a_figure_is_found(lite: Engine, column: str) -> None:
    desk = Desk.open(lite)
    desk.run(order(1, "a", "sell", "0.4"))
    history = desk.journal().history
    assert history.verify() == ()
    with Session(lite) as session, session.begin():
        session.execute(text(f"UPDATE shortfall SET {column} = '7'"))
    [fault] = history.verify()
    assert f"{column} is 7; the audit says" in fault.what
