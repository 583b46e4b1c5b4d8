"""What went through accounts is read on from where it stopped, by whatever clock it was written."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from sqlalchemy import Engine

from allocator.execution.journal import Journal
from allocator.execution.leader import next_epoch
from allocator.models.intents import Ack, Found
from allocator.service.monitor.flows import Ledger
from allocator.service.monitor.profit import Flows
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

ORDER, SENT = "1" * 32, "2" * 32


class Desk:
    """A journal whose clock may be set."""

    def __init__(self, engine: Engine) -> None:
        self.clock = JumpingClock()
        self.journal = Journal(engine, next_epoch(engine, "desk", "t", START), self.clock)
        actions = [order(n, "a", "buy", "0.5") for n in range(1, 9)]
        self.made = recorded(self.journal, *actions, transfer(9, "1000"))

    def send(self, client_id: str = ORDER, seq: int = 1) -> None:
        intend(self.journal, self.made, order_intent(client_id), seq)
        self.journal.outcome(client_id, Ack(venue_id="v"))

    def fill(self, quantity: str, client_id: str = ORDER, state: str = "filled") -> None:
        told = {"venue_id": "v", "state": state, "filled": quantity, "average_price": "50000"}
        fees = {"USDT": Decimal(quantity) * 25}
        self.journal.found(client_id, Found.model_validate({**told, "fees": fees}))


def test_what_ends_after_the_clock_was_put_back_is_read(lite: Engine) -> None:
    desk, ledger = Desk(lite), Ledger(lite)
    desk.send()
    ledger.read()
    assert ledger.unsettled() == {"a"}
    desk.clock.at -= timedelta(seconds=1)
    desk.fill("0.5")
    assert ledger.read() == {"a": Flows(fees={"USDT": Decimal("12.5")}, fills=Decimal("0.5"))}
    assert ledger.unsettled() == set()


def test_a_transfer_of_a_time_that_was_there_before_is_read(lite: Engine) -> None:
    desk, ledger = Desk(lite), Ledger(lite)
    desk.send()
    desk.fill("0.5")
    ledger.read()
    desk.clock.at -= timedelta(hours=1)
    intend(desk.journal, desk.made, transfer_intent(SENT), 9)
    desk.journal.outcome(SENT, Ack(venue_id="w"))
    told = {"venue_id": "w", "state": "settled", "filled": "1000", "fees": {"USDT": "1"}}
    desk.journal.found(SENT, Found.model_validate(told))
    found = ledger.read()
    assert found["a"].moved == {"USDT": -1000}
    assert found["b"].moved == {"USDT": 1000}


@pytest.mark.parametrize("seed", range(6))
def test_what_is_read_on_is_what_is_read_at_once(lite: Engine, seed: int) -> None:
    desk, ledger, random = Desk(lite), Ledger(lite), Random(seed)
    names = [f"{n}" * 32 for n in range(1, 9)]
    steps = dict.fromkeys(names, 0)
    while open_ := [name for name in names if steps[name] < 3]:
        name = random.choice(open_[:3])
        match steps[name]:
            case 0:
                desk.send(name, names.index(name) + 1)
            case 1:
                desk.fill("0.2", name, "partial")
            case _:
                desk.fill("0.5", name)
        steps[name] += 1
        desk.clock.at += timedelta(seconds=random.choice((0, 0, 1, -1, 60, -3600)))
        if random.random() < 0.6:
            whole = Ledger(lite)
            assert ledger.read() == whole.read()
            assert ledger.unsettled() == whole.unsettled()
    assert ledger.read()["a"].fills == 4
