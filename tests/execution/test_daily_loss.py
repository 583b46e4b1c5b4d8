"""What a day has lost: counted from its first plan, without money from outside, of known equity."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocator.execution.office import Office
from allocator.execution.outside import Payment, Taken, most_alone, paid
from allocator.models.controls import ApprovalConfig
from allocator.models.errors import RefusedError
from allocator.service.monitor.told import told_since
from tests.execution.book import BTC_A, BTC_B, ROUTES, account, order, snapshot, transfer
from tests.execution.desk import Desk, gathered
from tests.execution.limits import wide

SELL = order(1, "a", "sell", "0.2", reduce_only=True)
BUY = order(1, "a", "buy", "0.2")
UNREAD = {**account("b", "beta", "-1"), "state": "frozen", "unread": True}
EMPTY = {**UNREAD, "balances": {}, "positions": {}}
ACROSS = {**ROUTES[0], "kind": "onchain"}
MOVE = {"seq": 1, "kind": "move", "from": "a", "to": "b", "instrument": BTC_A, "quantity": "0.2"}


def payment(amount: str, who: str = "ann") -> Payment:
    return Payment(Decimal(amount), "wire", who)


def tell(office: Office, amount: str, most: str = "1e9") -> Taken:
    return paid(office, payment(amount), Decimal(most))


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
    assert desk.run(order(1, "a", "buy", "0.1")).status == "done"
    money = desk.exchange.holdings["a"].wallet("USDT")

    def tried(comes: str, told: str | None) -> str:
        money.add(Decimal(comes))
        if told is not None:
            tell(office, told)
        desk.start = asyncio.run(gathered(desk))
        return desk.run(order(1, "a", "buy", "0.001")).why

    assert tried("-5000", "-5000") == ""
    assert tried("5000", "5000") == ""
    assert "why=DAILY_LOSS" in tried("5000", "6500")
    assert desk.journal().history.verify() == ()


def test_what_is_told_before_the_days_first_plan_is_kept_and_moves_no_opening(
    lite: Engine,
) -> None:
    """In mode dry, or on a day that trades nothing, triggers and the history count with it."""
    desk = Desk.open(lite)
    desk.controls = wide(daily_loss="1000")
    office = Office(lite, "desk", desk.clock)
    assert tell(office, "-5000") == Taken(None)
    assert paid(office, payment("-9000"), None) == Taken(None, 1)
    told = told_since(lite, "desk", 0)
    assert [row.amount for row in told.payments] == [-5000], "the other waits for somebody else"
    assert desk.run(order(1, "a", "buy", "0.1")).status == "done"
    with pytest.raises(RefusedError, match="SAME_EYES"):
        paid(office, payment("-9000"), None, 1)
    assert paid(office, payment("-9000", "ben"), None, 1).opening is None, "it had left before"
    assert [row.amount for row in told_since(lite, "desk", 0).payments] == [-5000, -9000]
    assert tell(office, "-1").opening == 199_999
    assert office.history.verify() == ()


def test_money_from_outside_needs_an_amount_a_reason_and_a_name(lite: Engine) -> None:
    office = Office(lite, "desk", Desk.open(lite).clock)
    for amount, reason, who, code in (
        ("0", "wire", "ann", "NO_AMOUNT"),
        ("1", " ", "ann", "NO_REASON"),
        ("1", "wire", "", "NO_REASON"),
    ):
        with pytest.raises(RefusedError, match=code):
            paid(office, Payment(Decimal(amount), reason, who), Decimal(1))


def opened(lite: Engine) -> Office:
    desk = Desk.open(lite)
    desk.journal().opening("desk", "2026-11-20", Decimal(200_000))
    return Office(lite, "desk", desk.clock)


@pytest.mark.parametrize(
    ("amount", "most", "alone"),
    [
        ("-5000", "5000", True),
        ("-5000.01", "5000", False),
        ("-1", None, False),
        ("-1", "0", False),
        ("5000000", "5000", True),
        ("5000000", None, True),
    ],
)
def test_what_lets_more_risk_through_than_one_person_may_needs_another(
    lite: Engine, amount: str, most: str | None, alone: bool
) -> None:
    office = opened(lite)
    taken = paid(office, payment(amount), None if most is None else Decimal(most))
    assert taken.opening == 200_000 + (Decimal(amount) if alone else 0)
    assert taken.waits == (None if alone else 1)
    assert [row.topic for row in office.history.alerts()] == ["paid" if alone else "paid_told"]
    assert office.history.verify() == ()


def test_what_one_person_told_counts_together_over_the_day(lite: Engine) -> None:
    office = opened(lite)
    assert tell(office, "-3000", most="5000").waits is None
    assert tell(office, "4000", most="5000").waits is None
    assert tell(office, "-2001", most="5000").waits == 1
    assert tell(office, "-2000", most="5000").opening == 199_000


def test_what_somebody_else_confirmed_is_not_counted_as_one_persons_word(lite: Engine) -> None:
    office = opened(lite)
    assert tell(office, "-9000", most="5000").waits == 1
    assert paid(office, payment("-9000", "ben"), Decimal(5000), 1).opening == 191_000
    assert tell(office, "-5000", most="5000") == Taken(Decimal(186_000))
    assert tell(office, "-0.01", most="5000").waits == 2


@pytest.mark.parametrize(
    ("second_above", "daily_loss", "most"),
    [
        ("100000", "10000", "1000"),
        ("999", "10000", "999"),
        ("1000", "10000", "1000"),
        ("100000", "0", "0"),
        ("0", "10000", "0"),
        ("100000", None, None),
        (None, "10000", None),
        (None, None, None),
    ],
)
def test_one_person_tells_away_no_more_than_a_tenth_of_the_days_most_loss(
    second_above: str | None, daily_loss: str | None, most: str | None
) -> None:
    approval = ApprovalConfig.model_validate({"second_above": second_above})
    found = most_alone(approval, wide(daily_loss=daily_loss))
    assert found == (None if most is None else Decimal(most))


def test_a_loss_is_hidden_by_no_one_person(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.controls = wide(daily_loss="10000")
    office, approval = Office(lite, "desk", desk.clock), ApprovalConfig(second_above=Decimal(10**5))
    assert desk.run(order(1, "a", "buy", "0.001")).status == "done"
    desk.exchange.holdings["a"].wallet("USDT").add(Decimal(-90_000))
    desk.start = asyncio.run(gathered(desk))
    told = [paid(office, payment("-1000"), most_alone(approval, desk.controls)) for _ in range(90)]
    assert [row.waits for row in told] == [None, *range(1, 90)]
    assert "why=DAILY_LOSS" in desk.run(order(1, "a", "buy", "0.001")).why


def test_what_was_told_counts_once_somebody_else_has_told_the_same(lite: Engine) -> None:
    office = opened(lite)
    assert tell(office, "-9000", most="0").waits == 1
    assert tell(office, "-7000", most="0").waits == 2
    for amount, who, number, code in (
        ("-9000", "ann", 1, "SAME_EYES: told_by=ann confirmed_by=ann"),
        ("-9000", " ANN ", 1, "SAME_EYES"),
        ("-9001", "ben", 1, "NOT_TOLD: number=1"),
        ("-9000", "ben", 2, "NOT_TOLD: number=2"),
        ("-9000", "ben", 3, "NOT_TOLD: number=3"),
    ):
        with pytest.raises(RefusedError, match=code):
            paid(office, payment(amount, who), Decimal(0), number)
    assert paid(office, payment("-9000", "ben"), Decimal(0), 1).opening == 191_000
    with pytest.raises(RefusedError, match="NOT_TOLD: number=1"):
        paid(office, payment("-9000", "cat"), Decimal(0), 1)
    last = [row for row in office.history.events() if row.what == "paid"][-1]
    assert (last.facts["first"], last.facts["who"]) == ("ann", "ben")
    assert office.history.verify() == ()


def test_what_was_told_yesterday_is_not_confirmed_today(lite: Engine) -> None:
    office = opened(lite)
    assert tell(office, "-9000", most="0").waits == 1
    desk = Desk.open(lite)
    desk.clock.at += timedelta(days=1)
    desk.journal().opening("desk", "2026-11-21", Decimal(150_000))
    with pytest.raises(RefusedError, match="NOT_TOLD"):
        paid(Office(lite, "desk", desk.clock), payment("-9000", "ben"), Decimal(0), 1)


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
    with pytest.raises(RefusedError, match="DAILY_LOSS: control=EXP-18 of=b value=unknown"):
        desk.run(BUY)
    desk.controls = wide(daily_loss="1000", missing_accounts="1")
    with pytest.raises(RefusedError, match="DAILY_LOSS: control=EXP-18 of=b value=unknown"):
        desk.run(BUY)
    history = desk.journal().history
    assert [row for row in history.events() if row.what == "opening"] == []
    desk.start = whole
    assert desk.run(BUY).status == "done"
    desk.start = snapshot(accounts=rows)
    with pytest.raises(RefusedError, match="value=unknown"):
        desk.run(BUY)
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
    desk.start = snapshot(accounts=[rows[0], EMPTY])
    with pytest.raises(RefusedError, match="DAILY_LOSS: control=EXP-18 of=b value=unknown"):
        desk.run(BUY)
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
        desk.run(BUY)
    desk.controls = wide(daily_loss="1000", missing_accounts="1")
    with pytest.raises(RefusedError, match="DAILY_LOSS: control=EXP-18 of=b value=unknown"):
        desk.run(BUY)


def dead(lite: Engine, row: dict[str, Any] = UNREAD, **over: Any) -> Desk:
    """Open a book whose account b does not answer."""
    desk = Desk.open(lite)
    desk.controls = wide(**{"daily_loss": "1000"} | over)
    whole = desk.start.model_dump(by_alias=True)
    desk.start = snapshot(accounts=[whole["accounts"][0], row], routes=ROUTES)
    return desk


@pytest.mark.parametrize("most", ["0", "1"])
@pytest.mark.parametrize("row", [UNREAD, EMPTY])
def test_what_only_reduces_goes_while_an_account_is_not_read(
    lite: Engine, most: str, row: dict[str, Any]
) -> None:
    desk = dead(lite, row, missing_accounts=most)
    assert desk.run(SELL).status == "done"
    history = desk.journal().history
    assert history.breakers() == ()
    assert [row for row in history.events() if row.what == "opening"] == []
    (told,) = [row.facts for row in history.events() if row.what == "let_through"]
    assert told["unread"] == "b"
    assert "EXP-18" in told["controls"]
    assert ("DAT-02" in told["controls"]) is (most == "0")
    assert history.verify() == ()


@pytest.mark.parametrize(
    "actions",
    [
        (BUY,),
        (SELL, order(2, "a", "buy", "0.1")),
        (order(1, "a", "sell", "0.2"),),
        (order(1, "b", "buy", "0.2", reduce_only=True),),
        (transfer(1, "1000"),),
        (transfer(1, "1000", "b-a"),),
        (MOVE,),
    ],
)
def test_what_a_breaker_of_reductions_stops_is_refused_while_an_account_is_not_read(
    lite: Engine, actions: tuple[dict[str, Any], ...]
) -> None:
    desk = dead(lite)
    with pytest.raises(RefusedError) as refused:
        desk.run(*actions)
    assert "MISSING_ACCOUNTS: control=DAT-02 of=b value=1 most=0" in str(refused.value)
    assert "DAILY_LOSS: control=EXP-18 of=b value=unknown most=1000" in str(refused.value)
    assert "not read: b; only plans that reduce go until it is" in str(refused.value)
    assert not desk.exchange.received
    assert desk.journal().history.breakers() == ()


@pytest.mark.parametrize(("route", "goes"), [(ROUTES[0], True), (ACROSS, False)])
def test_money_inside_a_venue_goes_while_another_account_is_not_read(
    lite: Engine, route: dict[str, Any], goes: bool
) -> None:
    """A transfer that funds margin is a repair, as it is for a breaker of reductions."""
    desk = Desk.open(lite)
    desk.controls = wide(daily_loss="1000")
    rows = [row.model_dump(by_alias=True) for row in desk.start.accounts]
    lost = {**account("c", "beta", "-1"), "state": "frozen", "unread": True}
    desk.start = snapshot(accounts=[*rows, lost], routes=[route])
    if goes:
        assert desk.run(transfer(1, "1000")).status == "done"
        return
    with pytest.raises(RefusedError, match="MISSING_ACCOUNTS: control=DAT-02 of=c"):
        desk.run(transfer(1, "1000"))


@pytest.mark.parametrize("over", [{"daily_loss": None}, {"missing_accounts": None}])
def test_a_limit_that_nobody_set_blocks_reductions_too(lite: Engine, over: dict[str, Any]) -> None:
    desk = dead(lite, **over)
    with pytest.raises(RefusedError, match=f"unset .{next(iter(over))}"):
        desk.run(SELL)
    assert not desk.exchange.received


def test_an_empty_account_that_was_read_and_is_not_live_stops_nothing(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.controls = wide(daily_loss="1000")
    rows = [row.model_dump(by_alias=True) for row in desk.start.accounts]
    new = {**account("c", "beta", "-1"), "state": "frozen", "balances": {}, "positions": {}}
    desk.start = snapshot(accounts=[*rows, new])
    assert desk.run(BUY).status == "done"


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


def test_an_account_that_may_not_trade_and_was_read_keeps_no_other_from_it(lite: Engine) -> None:
    """Going live account by account: the rest is read, stands frozen, and its equity counts."""
    desk = Desk.open(lite)
    desk.controls = wide(daily_loss="1000")
    rows = [row.model_dump(by_alias=True) for row in desk.start.accounts]
    desk.start = snapshot(accounts=[rows[0], {**rows[1], "state": "frozen"}])
    assert desk.run(BUY).status == "done"
