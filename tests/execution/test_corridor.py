"""Aggregate exposure stays in its corridor, from fill to fill, whatever goes wrong.

The corridor of a plan reaches from where it starts to where it leads, and by one slice beyond.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Behaviour, Fault
from allocator.adapters.paper.records import OrderRecord
from allocator.execution.database import connect
from allocator.models.intents import Capabilities
from tests.execution.book import BTC_A, BTC_B, order
from tests.execution.crashes import fresh, template
from tests.execution.desk import CONFIG, Desk

SLICE = Decimal(20000)
MARK = Decimal(50000)
HOW_MANY = int(os.environ.get("ALLOCATOR_CORRIDORS", "1000"))
FAULTS = ("rejected", "partial", "late", "lost_before", "lost_after")


class Watched:
    """The book's exposure at every fill of the exchange, numeraire."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.seen = desk, list[Decimal]()
        fill = desk.exchange._fill

        def filled(record: Any, quantity: Decimal, price: Decimal) -> None:
            fill(record, quantity, price)
            self.seen.append(self.now())

        desk.exchange._fill = filled  # type: ignore[method-assign]

    def now(self) -> Decimal:
        held = sum((self.desk.held(name, instrument) for name in ("a", "b")
                    for instrument in (BTC_A, BTC_B)), Decimal(0))  # fmt: skip
        return held * MARK


def excursion(engine: Engine, seed: int) -> tuple[Decimal, int]:
    """Carry a random plan out; tell how far exposure left its corridor, and the fills."""
    rng = random.Random(seed)
    faults = [fault(rng) for _ in range(rng.randint(0, 3))]
    depth = {name: Decimal(rng.randint(20, 400)) / 1000
             for name in (BTC_A, BTC_B) if rng.random() < 0.6}  # fmt: skip
    able = Capabilities(batch_orders=rng.choice((1, 20)))
    desk = Desk.open(engine, faults=faults, behaviour=Behaviour(depth=depth, capabilities=able))
    watched = Watched(desk)
    if rng.random() < 0.5:
        desk.watch = lambda row: come_by(desk, rng, row)
    plan = desk.plan(*actions(rng))
    start = watched.now()
    end = (
        start + sum((row.signed for row in plan.actions if row.kind == "order"), Decimal(0)) * MARK
    )
    executor = desk.executor()
    style = rng.choice(("ioc", "post_only"))
    config = CONFIG.model_copy(update={"style": style, "post_only_timeout_s": Decimal(1)})
    object.__setattr__(executor._shell, "config", config)
    asyncio.run(executor.run(plan, desk.start, desk.mandate))
    low, high = min(start, end), max(start, end)
    beyond = [max(low - value, value - high, Decimal(0)) for value in watched.seen]
    return max(beyond, default=Decimal(0)), len(watched.seen)


def fault(rng: random.Random) -> Fault:
    return Fault(
        "order",
        rng.choice(FAULTS),  # type: ignore[arg-type]
        nth=rng.randint(1, 8),
        delay_s=Decimal(rng.choice(("1", "4", "9"))),
        share=Decimal(rng.choice(("0.1", "0.7"))),
    )


def come_by(desk: Desk, rng: random.Random, row: Any) -> None:
    """Fill a part of something that rests, as other people do."""
    resting = [name for name, record in desk.exchange.records.items()
               if isinstance(record, OrderRecord) and not record.ended]  # fmt: skip
    if resting and rng.random() < 0.5:
        left = desk.exchange.records[resting[0]].left  # type: ignore[union-attr]
        part = left * rng.randint(1, 10) / 10
        desk.exchange.fill(resting[0], part.quantize(Decimal("0.001")))


def actions(rng: random.Random) -> list[dict[str, Any]]:
    """Draw a hedged pair, sometimes after another one, sometimes before a single order."""
    out = list[dict[str, Any]]()
    for number in range(rng.randint(1, 2)):
        size, name = f"{rng.randint(5, 45) / 100:.3f}", f"g{number}"
        after = [row["seq"] for row in out]
        seq = len(out) + 1
        pair = {"reduce_only": True, "group": name, "after": after}
        out += [order(seq, "a", "sell", size, **pair), order(seq + 1, "b", "buy", size, **pair)]
    if rng.random() < 0.4:
        after = [row["seq"] for row in out]
        side = rng.choice(("buy", "sell"))
        out.append(order(len(out) + 1, "a", side, "0.05", after=after))
    return out


class Bench:
    def __init__(self) -> None:
        self._empty, self._engine = template(), connect("sqlite://")

    def worst(self, seeds: range) -> tuple[Decimal, int]:
        found = [excursion(fresh(self._empty, self._engine), seed) for seed in seeds]
        return max(row[0] for row in found), sum(row[1] for row in found)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("block", range(3))
def test_exposure_leaves_its_corridor_by_no_more_than_a_slice(bench: Bench, block: int) -> None:
    worst, fills = bench.worst(range(block * 8, block * 8 + 8))
    assert fills > 10
    assert worst <= SLICE


@pytest.mark.soak
def test_a_thousand_executions_stay_in_their_corridors(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    worst, fills = bench.worst(range(1000, 1000 + HOW_MANY))
    told = f"worst excursion {worst} of a slice of {SLICE}: {HOW_MANY} runs, {fills} fills"
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert worst <= SLICE


def test_an_order_by_itself_goes_in_slices_too(lite: Engine) -> None:
    """So that a market that leaves, or a halt, finds at most one slice of it sent."""
    desk = Desk.open(lite)
    desk.run(order(1, "a", "buy", "1"))
    sent = [row.intent.quantity for row in desk.exchange.records.values()
            if isinstance(row, OrderRecord)]  # fmt: skip
    assert len(sent) == 3
    assert sum(sent) == 1
    assert max(sent) * MARK <= SLICE


def test_the_measure_would_see_an_executor_that_works_one_leg_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With whole legs one after another, exposure leaves its corridor by a leg."""
    from allocator.execution import orders

    monkeypatch.setattr(orders, "parts_of", lambda _legs, _slice: 1)
    assert bench.worst(range(24))[0] > SLICE
