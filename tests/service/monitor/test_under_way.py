"""Money on its way between accounts of the book is in no wallet, and is lost to nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.execution.history import History
from allocator.execution.journal import Journal
from allocator.execution.leader import next_epoch
from allocator.models.intents import Ack, Found, Rejected, Unknown
from allocator.service.overlay import coming, with_record
from tests.execution.book import (
    START,
    JumpingClock,
    intend,
    order,
    order_intent,
    recorded,
    transfer,
    transfer_intent,
)
from tests.service.monitor.watched import MANDATE, Watched, snapshot

SENT, DAY = "2" * 32, 1440


@pytest.fixture
def sending(lite: Engine, watched: Watched) -> Journal:
    """A journal whose transfer of 10,000 from a to b is on its way."""
    watched.look(0)
    journal = Journal(lite, next_epoch(lite, "other", "t", START), JumpingClock())
    made = recorded(journal, transfer(1, "10000"))
    intend(journal, made, transfer_intent(SENT, "10000"))
    journal.outcome(SENT, Ack(venue_id="w"))
    journal.found(SENT, _found("in_transit", "0"))
    return journal


def _found(state: str, filled: str) -> Found:
    told = {"venue_id": "w", "state": state, "filled": filled, "fees": {"USDT": "1"}}
    return Found.model_validate(told)


def look(watched: Watched, minute: float, **changes: Any) -> list[str]:
    """Look at what was gathered and what the record knows."""
    watched.monitor.before_reading()
    seen = snapshot(START + timedelta(minutes=minute), **changes)
    seen, sent = with_record(seen, History(watched.engine)), coming(History(watched.engine))
    places = {row.client_id: "in_transit" for row in sent}
    return [row.rule.id for row in watched.monitor.take(seen, MANDATE, {}, places=places)]


def test_money_on_its_way_is_no_drawdown(watched: Watched, sending: Journal) -> None:
    assert look(watched, 1, wallet="89999") == []
    sending.found(SENT, _found("settled", "10000"))
    assert look(watched, 2, wallet="89999", other="110000") == []
    assert watched.monitor._base.earned == -1


def test_what_is_lost_beside_money_on_its_way_is_drawdown(
    watched: Watched, sending: Journal
) -> None:
    assert look(watched, 1, wallet="87000") == ["loss", "fall"]


def test_a_receiver_at_work_raises_no_peak(watched: Watched, sending: Journal) -> None:
    made = recorded(sending, order(1, "b", "buy", "0.5"))
    intend(sending, made, order_intent(account="b"))
    sending.found(SENT, _found("settled", "10000"))
    assert look(watched, 1, wallet="89999", other="110000") == []
    sending.outcome("1" * 32, Rejected(code="no", message="no"))
    assert look(watched, 2, wallet="89999", other="110000") == []
    assert watched.monitor._base.highest == 200000


def test_a_transfer_that_ends_while_accounts_are_read_is_no_drawdown(
    watched: Watched, sending: Journal
) -> None:
    watched.monitor.before_reading()
    sending.found(SENT, _found("settled", "10000"))
    seen = snapshot(START + timedelta(minutes=1), wallet="89999")
    assert watched.monitor.take(seen, MANDATE, {}) == ()


def test_a_transfer_that_was_seen_at_both_ends_raises_no_peak(
    watched: Watched, sending: Journal
) -> None:
    watched.monitor.before_reading()
    sending.found(SENT, _found("settled", "10000"))
    seen = snapshot(START + timedelta(minutes=1), other="110000")
    watched.monitor.take(seen, MANDATE, {})
    assert look(watched, 2, wallet="89999", other="110000") == []
    assert look(watched, 3, wallet="90099", other="110000") == []
    assert watched.monitor._base.highest == 200099, "what is quiet does"


@pytest.mark.parametrize("waits", [False, True])
def test_what_an_account_loses_while_a_request_is_under_way_fires(
    watched: Watched, sending: Journal, waits: bool
) -> None:
    sending.found(SENT, _found("settled", "10000"))
    assert look(watched, 1, wallet="89999", other="110000") == []
    made = recorded(sending, order(1, "a", "buy", "0.5"))
    intend(sending, made, order_intent())
    if waits:
        sending.hand_over("1" * 32, "nobody knows")
    assert "loss" in look(watched, 2, wallet="89000", other="110000")
    if not waits:
        sending.outcome("1" * 32, Rejected(code="no", message="no"))
    assert look(watched, 3, wallet="89000", other="110000") == []
    assert watched.monitor._base.earned == (-1 if waits else -1000)


@pytest.mark.parametrize(
    "state", ["sending", "acked", "in_transit", "unknown", "manual", "settled"]
)
@pytest.mark.parametrize("seen", ["at neither end", "at both ends", "left", "arrived"])
def test_no_transfer_is_a_loss_whatever_is_seen_of_it(
    watched: Watched, lite: Engine, state: str, seen: str
) -> None:
    watched.look(0)
    watched.monitor.before_reading()
    journal = Journal(lite, next_epoch(lite, "other", "t", START), JumpingClock())
    made = recorded(journal, transfer(1, "10000"))
    intend(journal, made, transfer_intent(SENT, "10000"))
    if state in ("unknown", "manual"):
        journal.outcome(SENT, Unknown(why="no answer"))
    elif state != "sending":
        journal.outcome(SENT, Ack(venue_id="w"))
    if state == "manual":
        journal.hand_over(SENT, "nobody knows")
    elif state in ("in_transit", "settled"):
        journal.found(SENT, _found(state, "10000" if state == "settled" else "0"))
    wallets = {
        "at neither end": {"wallet": "100000"},
        "at both ends": {"other": "110000"},
        "left": {"wallet": "89999"},
        "arrived": {"wallet": "89999", "other": "110000"},
    }
    row = snapshot(START + timedelta(minutes=1), **wallets[seen])
    assert watched.monitor.take(row, MANDATE, {}) == ()
    assert watched.monitor._base.highest == 200000


@pytest.mark.parametrize("rests", [False, True])
def test_what_an_account_at_work_lost_yesterday_is_no_loss_of_today(
    watched: Watched, sending: Journal, rests: bool
) -> None:
    sending.found(SENT, _found("settled", "10000"))
    made = recorded(sending, order(1, "a", "buy", "0.5"))
    intend(sending, made, order_intent())
    look(watched, 1, wallet="89999", other="110000")
    assert look(watched, 2, wallet="89300", other="110000") == ["loss"]
    watched.monitor = watched.start()
    assert look(watched, DAY, wallet="89300", other="110000") == []
    if rests:
        sending.outcome("1" * 32, Rejected(code="no", message="no"))
    assert look(watched, DAY + 1, wallet="89300", other="110000") == []
    assert "loss" in look(watched, DAY + 2, wallet="88700", other="110000")
    assert watched.monitor._base.earned == (-600 if rests else 0)


def test_what_an_account_at_work_lost_while_nobody_looked_is_of_today(
    watched: Watched, sending: Journal
) -> None:
    sending.found(SENT, _found("settled", "10000"))
    made = recorded(sending, order(1, "a", "buy", "0.5"))
    intend(sending, made, order_intent())
    assert look(watched, 1, wallet="89999", other="110000") == []
    assert "loss" in look(watched, DAY, wallet="89300", other="110000")
