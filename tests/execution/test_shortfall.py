from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from allocator.adapters.paper import Behaviour, Fault
from allocator.execution.manual import Figures, Verdict, resolve
from allocator.execution.report import Progress
from allocator.execution.shortfall import Shortfall
from allocator.execution.transitions import State
from tests.execution.book import BTC_A, WHOLE, order, transfer
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


TOLD: dict[str, Any] = {"price": D("49999.5"), "fees": {"USDT": D("4.9")}}


@pytest.mark.parametrize("told", [TOLD, {"venue": Figures(**TOLD)}], ids=["operator", "venue"])
def test_what_an_operator_tells_is_measured_as_the_venues_word_would_be(
    engine: Engine, told: dict[str, Any]
) -> None:
    """0.2 of 0.5 contracts, at 49,999.5 instead of 50,000; the rest has missed a fall of 1,000."""
    blind = [Fault("order", "lost_after"), Fault("find", "error", times=10_000)]
    desk = Desk.open(engine, faults=blind, mandate=WHOLE)
    desk.run(order(1, "a", "sell", "0.5"))
    fallen = replace(measured(desk)[1], missed=D(500))
    journal = desk.journal()
    (waiting,) = journal.history.with_state(State.MANUAL)
    journal.measured(waiting.plan_hash, [fallen])
    resolve(journal, waiting.client_id, Verdict(State.CANCELLED, D("0.2"), "ann", "page", **told))
    found = measured(desk)[1]
    assert (found.filled, found.average, found.fees) == (D("0.2"), D("49999.5"), D("4.9"))
    assert (found.slippage, found.missed) == (D("0.1"), 300)
    assert found.forecast > 0
    assert desk.journal().history.verify() == ()


def test_money_that_arrives_after_its_plan_was_given_up_is_measured(lite: Engine) -> None:
    desk = Desk.open(lite)

    def trade(row: Progress) -> None:
        if row.state == "in_transit" and desk.held("a", BTC_A) == 1:
            desk.exchange.trade_elsewhere("a", BTC_A, D(3))

    desk.watch = trade
    report = desk.run(transfer(1, "1000"), order(2, "a", "sell", "0.4"))
    assert (report.status, measured(desk)[1].filled) == ("superseded", 0)
    desk.clock.at += timedelta(minutes=3)
    desk.resume()
    found = measured(desk)[1]
    assert (found.filled, found.total) == (1000, 1)
    written = len(desk.journal().history.events())
    desk.resume()
    assert len(desk.journal().history.events()) == written + 2, "leaders, and nothing else"


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
