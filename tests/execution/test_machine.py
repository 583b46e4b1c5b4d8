"""Everything that can happen, in any order: plans, faults, deaths, trades elsewhere, halts, waits.

After each step the exchange's own record is held against the journal.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from allocator.adapters.paper import Fault
from allocator.adapters.paper.records import OrderRecord, TransferRecord
from allocator.adapters.paper.venue import PaperMarket
from allocator.execution.database import connect
from allocator.execution.manual import Verdict, resolve
from allocator.execution.office import Office
from allocator.execution.transitions import State
from allocator.models.errors import RefusedError
from allocator.risk.breaker import Breaker
from tests.execution.book import BTC_A, BTC_B, ROUTES, order, snapshot, transfer
from tests.execution.crashes import Crash, Fuse, executor_of, fresh, lost
from tests.execution.databases import template
from tests.execution.desk import Desk

EXAMPLES, STEPS = (
    int(part) for part in os.environ.get("ALLOCATOR_MACHINE", "50x50").split("x")
)  # fmt: skip
EMPTY, ENGINE = template(), connect("sqlite://")
HOWS = ["lost_before", "lost_after", "late", "rejected", "partial"]
MARK = Decimal(50000)
PAIRS = (("a", BTC_A), ("b", BTC_B))
SIZES = st.sampled_from(["0.05", "0.1", "0.3"])


class Business(RuleBasedStateMachine):
    """A desk over many plans."""

    @initialize()
    def open(self) -> None:
        routes = [{**row, "latency_s": "0.5"} for row in ROUTES]
        self.desk = Desk.open(fresh(EMPTY, ENGINE), start=snapshot(routes=routes))
        self.office = Office(ENGINE, "desk", self.desk.clock)
        self.dead = False
        self.money = self.total()

    def total(self) -> Decimal:
        """Add up wallets, profits at mark, money under way and what was paid, at the exchange."""
        exchange, out = self.desk.exchange, Decimal(0)
        for name, instrument in PAIRS:
            holding = exchange.holdings[name].holding(instrument)
            out += self.desk.wallet(name) + holding.unrealised(exchange.instruments[instrument])
        for row in exchange.records.values():
            if isinstance(row, TransferRecord):
                away = Decimal(0) if row.ended else row.intent.amount
                kept = row.ended and row.comes_back
                out += away + (Decimal(0) if kept else row.charge)
            elif isinstance(row, OrderRecord):
                spread = row.value - row.filled * MARK
                out += row.fee + (spread if row.intent.side == "buy" else -spread)
        return out

    def carry_out(self, rows: list[dict[str, Any]], dies_at: int) -> None:
        desk = self.desk
        desk.clock.at += timedelta(seconds=1)
        desk.start = asyncio.run(PaperMarket(desk.exchange).gather()).snapshot
        made = desk.plan(*rows)
        executor = executor_of(desk, Fuse(dies_at))
        self.dead = True
        with suppress(RefusedError, Crash):
            asyncio.run(executor.run(made, desk.start, desk.mandate, slot=made.plan_hash))
            self.dead = False

    @rule(size=SIZES, dies_at=st.integers(0, 40), cut=st.booleans())
    def trade_a_pair(self, size: str, dies_at: int, cut: bool) -> None:
        sides = ("sell", "buy") if cut else ("buy", "sell")
        pair = {"group": "g"}
        rows = [order(1, "a", sides[0], size, **pair), order(2, "b", sides[1], size, **pair)]
        self.carry_out(rows, dies_at)

    @rule(amount=st.integers(10, 2000), back=st.booleans(), dies_at=st.integers(0, 20))
    def send_money(self, amount: int, back: bool, dies_at: int) -> None:
        self.carry_out([transfer(1, str(amount), "b-a" if back else "a-b")], dies_at)

    @rule(how=st.sampled_from(HOWS), nth=st.integers(1, 3), delay=st.sampled_from(["1", "4", "9"]))
    def go_wrong(self, how: Any, nth: int, delay: str) -> None:
        self.desk.exchange.faults.add(Fault("order", how, nth=nth, delay_s=Decimal(delay)))

    @rule(call=st.sampled_from(["find", "read", "cancel"]), times=st.integers(1, 3))
    def answer_nothing(self, call: Any, times: int) -> None:
        self.desk.exchange.faults.add(Fault(call, "error", times=times))

    @rule()
    def start_again(self) -> None:
        with suppress(RefusedError):
            self.desk.resume()
            self.dead = False

    @rule(signed=st.sampled_from(["0.01", "-0.01"]), beta=st.booleans())
    def trade_elsewhere(self, signed: str, beta: bool) -> None:
        name, instrument = ("b", BTC_B) if beta else ("a", BTC_A)
        self.desk.exchange.trade_elsewhere(name, instrument, Decimal(signed))

    @rule(state=st.sampled_from([Breaker.HALTED, Breaker.REDUCING]))
    def halt(self, state: Breaker) -> None:
        self.office.trip("global", state, "news", "ann")

    @rule()
    def let_go_on(self) -> None:
        with suppress(RefusedError):
            self.office.reset("global", "all clear", "ben")

    @rule(seconds=st.sampled_from([1, 10, 400]))
    def wait(self, seconds: int) -> None:
        asyncio.run(self.desk.clock.sleep(seconds))
        self.desk.exchange.now()

    @precondition(lambda self: self.office.history.with_state(State.MANUAL))
    @rule()
    def look_into_what_nobody_could_say(self) -> None:
        for attempt in self.office.history.with_state(State.MANUAL):
            record = self.desk.exchange.records.get(attempt.client_id)
            end, filled = State.NOT_EXECUTED, Decimal(0)
            if record is not None:
                found = record.found()
                filled = found.filled
                end = {"filled": State.FILLED, "settled": State.SETTLED,
                       "returned": State.RETURNED}.get(found.state, State.CANCELLED)  # fmt: skip
            resolve(self.office, attempt.client_id, Verdict(end, filled, "ann", "the venue's page"))

    @precondition(lambda self: self.office.history.frozen())
    @rule()
    def explain_what_is_frozen(self) -> None:
        for name in self.office.history.frozen():
            with suppress(RefusedError):
                self.office.thaw(name, "ann", "looked into")

    @invariant()
    def nothing_is_doubled(self) -> None:
        exchange = self.desk.exchange
        assert all(count == 1 for count in exchange.effects.values())
        assert all(count == 1 for count in exchange.received.values())

    @invariant()
    def the_record_is_whole(self) -> None:
        assert self.office.history.verify() == ()

    @invariant()
    def no_money_is_made_or_lost(self) -> None:
        assert abs(self.total() - self.money) < Decimal("1e-9")

    def teardown(self) -> None:
        """In the end everything that was sent is known as the exchange has it."""
        if not hasattr(self, "desk"):
            return
        self.desk.exchange.faults = type(self.desk.exchange.faults)()
        asyncio.run(self.desk.clock.sleep(60))
        self.desk.resume()
        history = self.office.history
        attempts = {row.client_id: row for row in history.attempts_since(self.desk.start.as_of -
                    timedelta(days=1)) if row.state is not State.MANUAL}  # fmt: skip
        manual = {row.client_id for row in history.with_state(State.MANUAL)}
        found = [row for row in lost(self.desk, attempts)
                 if row.split()[1].rstrip(":") not in manual]  # fmt: skip
        assert found == []
        assert all(row.final for row in attempts.values())


Business.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestBusiness = Business.TestCase
