"""What a day has lost: counted from its first plan, without money from outside, of known equity."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text

from allocator.execution.office import Office
from allocator.models.errors import RefusedError
from tests.execution.book import BTC_A, BTC_B, account, order, snapshot
from tests.execution.desk import Desk, gathered
from tests.execution.limits import wide

SELL = order(1, "a", "sell", "0.2", reduce_only=True)
BUY = order(1, "a", "buy", "0.2")
EMPTY = {**account("b", "beta", "-1"), "state": "frozen", "balances": {}, "positions": {}}
UNREAD = {**account("b", "beta", "-1"), "state": "frozen", "unread": True}


def test_a_loss_beyond_its_limit_lets_only_reductions_through(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.controls = wide(daily_loss="1000")
    assert desk.run(order(1, "a", "buy", "0.1")).status == "done"
    desk.exchange.set_price(BTC_A, Decimal(48000), Decimal(48001), Decimal("48000.5"))
    desk.exchange.set_price(BTC_B, Decimal(52000), Decimal(52001), Decimal("52000.5"))
    desk.start = asyncio.run(gathered(desk))
    report = desk.run(order(1, "a", "buy", "0.1", limit_price="48100"))
    assert "BREAKER: scope=global state=reducing why=DAILY_LOSS" in report.why
    desk.start = asyncio.run(gathered(desk))
    reduced = order(1, "a", "sell", "0.1", limit_price="47900", reduce_only=True)
    assert desk.run(reduced).status == "done"


def test_a_withdrawal_is_no_loss_and_a_deposit_hides_none(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.controls = wide(daily_loss="1000")
    office = Office(lite, "desk", desk.clock)
    with pytest.raises(RefusedError, match="DAY_NOT_OPEN"):
        office.paid(Decimal(-5000), "wire 1", "ann")
    assert desk.run(order(1, "a", "buy", "0.1")).status == "done"
    money = desk.exchange.holdings["a"].wallet("USDT")

    def tried(comes: str, told: str | None) -> str:
        money.add(Decimal(comes))
        if told is not None:
            office.paid(Decimal(told), "wire 2", "ann")
        desk.start = asyncio.run(gathered(desk))
        return desk.run(order(1, "a", "buy", "0.001")).why

    assert tried("-5000", "-5000") == ""
    assert tried("5000", "5000") == ""
    assert "why=DAILY_LOSS" in tried("5000", "6500")
    assert desk.journal().history.verify() == ()


def test_money_from_outside_needs_an_amount_a_reason_and_a_name(lite: Engine) -> None:
    office = Office(lite, "desk", Desk.open(lite).clock)
    for amount, reason, who, code in (
        ("0", "wire", "ann", "NO_AMOUNT"),
        ("1", " ", "ann", "NO_REASON"),
        ("1", "wire", "", "NO_REASON"),
    ):
        with pytest.raises(RefusedError, match=code):
            office.paid(Decimal(amount), reason, who)


def test_an_opening_that_somebody_rewrote_is_seen(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.journal().opening("desk", "2026-11-20", Decimal(10))
    assert desk.journal().history.verify() == ()
    with lite.begin() as connection:
        connection.execute(text("UPDATE opening SET equity = '7'"))
    (fault,) = desk.journal().history.verify()
    assert "equity is 7; the audit says 10" in fault.what


def test_a_day_begins_with_what_its_first_plan_found(lite: Engine) -> None:
    journal = Desk.open(lite).journal()
    assert journal.opening("desk", "2026-11-20", Decimal(10)) == 10
    assert journal.opening("desk", "2026-11-20", Decimal(9)) == 10
    assert journal.opening("desk", "2026-11-21", Decimal(9)) == 9


def test_an_account_that_was_not_read_neither_opens_the_day_nor_counts_as_lost(
    lite: Engine,
) -> None:
    """Its equity is not known: taken for nothing, it would hide a loss or trip the latch."""
    desk = Desk.open(lite)
    desk.controls = wide(daily_loss="1000")
    whole, rows = desk.start, [account("a", "alpha", "1"), EMPTY]
    desk.start = snapshot(accounts=rows)
    with pytest.raises(RefusedError, match="DAILY_LOSS: control=EXP-18 value=unknown most=1000"):
        desk.run(BUY)
    desk.controls = wide(daily_loss="1000", missing_accounts="1")
    with pytest.raises(RefusedError, match="DAILY_LOSS: control=EXP-18 value=unknown most=1000"):
        desk.run(BUY)
    history = desk.journal().history
    assert [row for row in history.events() if row.what == "opening"] == []
    desk.start = whole
    assert desk.run(BUY).status == "done"
    desk.start = snapshot(accounts=rows)
    with pytest.raises(RefusedError, match="value=unknown"):
        desk.run(SELL)
    assert history.breakers() == ()


def test_an_account_that_stands_still_and_was_not_read_is_not_taken_for_lost(
    lite: Engine,
) -> None:
    """Why it stands still says nothing about what it holds."""
    desk = Desk.open(lite)
    desk.controls = wide(daily_loss="1000", missing_accounts="1")
    assert desk.run(BUY).status == "done"
    journal, rows = desk.journal(), [row.model_dump(by_alias=True) for row in desk.start.accounts]
    journal.freeze("b", "looked into")
    empty = {**EMPTY, "unread": True}
    desk.start = snapshot(accounts=[rows[0], empty])
    with pytest.raises(RefusedError, match="DAILY_LOSS: control=EXP-18 value=unknown most=1000"):
        desk.run(SELL)
    assert journal.history.breakers() == ()


def test_numbers_of_an_earlier_time_hide_no_loss_of_an_account_that_stands_still(
    lite: Engine,
) -> None:
    desk = Desk.open(lite)
    desk.controls = wide(daily_loss="1000")
    assert desk.run(BUY).status == "done"
    desk.journal().freeze("b", "looked into")
    desk.start = snapshot(accounts=[account("a", "alpha", "1"), UNREAD])
    with pytest.raises(RefusedError, match="MISSING_ACCOUNTS: control=DAT-02 of=b value=1 most=0"):
        desk.run(SELL)
    desk.controls = wide(daily_loss="1000", missing_accounts="1")
    with pytest.raises(RefusedError, match="DAILY_LOSS: control=EXP-18 value=unknown"):
        desk.run(SELL)


@pytest.mark.parametrize(("wallet", "latches"), [("99000", False), ("98999", True)])
def test_the_loss_of_an_account_that_stands_still_counts_where_it_was_read(
    lite: Engine, wallet: str, latches: bool
) -> None:
    desk = Desk.open(lite)
    desk.controls = wide(daily_loss="1000")
    desk.journal().opening("desk", "2026-11-20", Decimal(200_000))
    desk.journal().freeze("b", "looked into")
    still = {**account("b", "beta", "-1", wallet), "state": "frozen"}
    desk.start = snapshot(accounts=[account("a", "alpha", "1"), still])
    assert desk.run(SELL).status == "done"
    assert bool(desk.journal().history.breakers()) is latches
