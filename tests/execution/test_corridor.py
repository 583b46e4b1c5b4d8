"""Aggregate exposure stays in its corridor, from fill to fill, whatever goes wrong.

The corridor of a plan reaches over where it starts and where each of its groups and single orders
leads, one after another, and by one slice beyond.
What cannot be cut so finely counts as a slice of its own: the largest of the pieces into which an
order falls when it is cut as often as its lot and its smallest order allow.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Behaviour, Fault
from allocator.adapters.paper.records import OrderRecord
from allocator.execution.database import connect
from allocator.execution.release import units_of
from allocator.execution.slices import Leg, Pace, pace_of
from allocator.models.intents import Capabilities
from tests.execution.book import BTC_A, BTC_B, account, instrument, order, snapshot
from tests.execution.crashes import fresh
from tests.execution.databases import template
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
    """Carry a random plan out; tell how far exposure left its corridor in slices, and the fills."""
    rng = random.Random(seed)
    faults = [fault(rng) for _ in range(rng.randint(0, 3))]
    rows = [listed(rng, name) for name in (BTC_A, BTC_B)]
    depth = {row["id"]: rng.randint(20, 400) * Decimal("0.001") // row["lot"] * row["lot"]
             for row in rows if rng.random() < 0.6}  # fmt: skip
    able = Capabilities(batch_orders=rng.choice((1, 20)))
    accounts = [account("a", "alpha", "3"), account("b", "beta", "-3")]
    desk = Desk.open(
        engine,
        start=snapshot(instruments=rows, accounts=accounts),
        faults=faults,
        behaviour=Behaviour(depth=depth, capabilities=able),
    )
    watched = Watched(desk)
    if rng.random() < 0.5:
        desk.watch = lambda row: come_by(desk, rng, row)
    plan = desk.plan(*actions(rng, rows))
    stops = [watched.now()]
    for unit in units_of(plan):
        stops.append(stops[-1] + MARK * sum(row.signed for row in unit.orders))
    executor = desk.executor()
    style = rng.choice(("ioc", "post_only"))
    config = CONFIG.model_copy(update={"style": style, "post_only_timeout_s": Decimal(1)})
    object.__setattr__(executor._shell, "config", config)
    asyncio.run(executor.run(plan, desk.start, desk.mandate))
    low, high = min(stops), max(stops)
    beyond = [max(low - value, value - high, Decimal(0)) for value in watched.seen]
    sizes = {row["id"]: (row["lot"], smallest(row)) for row in rows}
    pieces = [piece(row.quantity, *sizes[row.instrument])
              for row in plan.actions if row.kind == "order"]  # fmt: skip
    return max(beyond, default=Decimal(0)) / max(SLICE, *pieces), len(watched.seen)


@pytest.mark.parametrize(
    "sizes", [("0.8", "0.8"), ("0.8", "0.1", "0.4"), ("0.4", "0.4", "0.4", "0.4")]
)
def test_several_legs_of_a_side_share_a_slice(lite: Engine, sizes: tuple[str, ...]) -> None:
    """Sells of several accounts against buys of as many others, on one underlying."""
    sellers = {f"s{n}": size for n, size in enumerate(sizes)}
    buyers = {f"b{n}": size for n, size in enumerate(sizes)}
    accounts = [account(name, "alpha", "3") for name in sellers]
    accounts += [account(name, "beta", "-3") for name in buyers]
    desk = Desk.open(lite, start=snapshot(accounts=accounts))
    held = list[Decimal]()

    def note() -> None:
        both = [desk.held(name, pair) for name in (*sellers, *buyers) for pair in (BTC_A, BTC_B)]
        held.append(sum(both, Decimal(0)) * MARK)

    fill = desk.exchange._fill
    desk.exchange._fill = lambda *given: (fill(*given), note())  # type: ignore[assignment,method-assign,func-returns-value]
    ways = [("sell", "a", sellers), ("buy", "b", buyers)]
    rows = [
        order(seq, account_, side, size, reduce_only=True, group="g") | {"account": name}
        for seq, (side, account_, name, size) in enumerate(
            ((side, at, name, size) for side, at, of in ways for name, size in of.items()), 1
        )
    ]
    assert desk.run(*rows).status == "done"
    assert held
    assert max(map(abs, held)) <= SLICE


def listed(rng: random.Random, name: str) -> dict[str, Any]:
    """Draw the lot and the smallest order of an instrument, half of them fine."""
    if rng.random() < 0.5:
        return instrument(name) | {"lot": Decimal("0.001")}
    lot = Decimal(rng.choice(("0.001", "0.01", "0.05", "0.1", "0.3", "0.5")))
    least = rng.choice(("5", "1000", "5000", "9000", "16000", "30000"))
    return instrument(name) | {"lot": lot, "min_notional": least}


def smallest(row: dict[str, Any]) -> Decimal:
    lots = Decimal(row["min_notional"]) / MARK / row["lot"]
    return max(Decimal(1), lots.to_integral_value(ROUND_CEILING)) * row["lot"]


def piece(quantity: Decimal, lot: Decimal, least: Decimal) -> Decimal:
    """Tell the numeraire of what an order cannot be cut below."""
    lots = quantity / max(1, quantity // least) / lot
    return lots.to_integral_value(ROUND_CEILING) * lot * MARK


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


def actions(rng: random.Random, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Draw a hedged pair, sometimes after another one, sometimes before a single order."""
    out = list[dict[str, Any]]()
    for number in range(rng.randint(1, 2)):
        wanted, name = Decimal(rng.randint(50, 1200)) / 1000, f"g{number}"
        sell, buy = (max(smallest(row), wanted // row["lot"] * row["lot"]) for row in rows)
        after = [row["seq"] for row in out]
        seq = len(out) + 1
        pair = {"reduce_only": True, "group": name, "after": after}
        out.append(order(seq, "a", "sell", str(sell), **pair))
        out.append(order(seq + 1, "b", "buy", str(buy), **pair))
    if rng.random() < 0.4:
        after = [row["seq"] for row in out]
        side = rng.choice(("buy", "sell"))
        out.append(order(len(out) + 1, "a", side, str(smallest(rows[0])), after=after))
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
    assert worst <= 1


@pytest.mark.soak
def test_a_thousand_executions_stay_in_their_corridors(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    worst, fills = bench.worst(range(1000, 1000 + HOW_MANY))
    told = f"worst excursion {worst:.6f} of a slice: {HOW_MANY} runs, {fills} fills"
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert worst <= 1


def test_an_order_by_itself_goes_in_slices_too(lite: Engine) -> None:
    """So that a market that leaves, or a halt, finds at most one slice of it sent."""
    desk = Desk.open(lite)
    desk.run(order(1, "a", "buy", "1"))
    sent = [row.intent.quantity for row in desk.exchange.records.values()
            if isinstance(row, OrderRecord)]  # fmt: skip
    assert len(sent) == 3
    assert sum(sent) == 1
    assert max(sent) * MARK <= SLICE


def pair(size: str) -> tuple[dict[str, Any], ...]:
    both = {"reduce_only": True, "group": "g"}
    return order(1, "a", "sell", size, **both), order(2, "b", "buy", size, **both)


def test_lots_that_differ_leave_no_leg_more_than_a_slice_ahead(lite: Engine) -> None:
    start = snapshot(
        instruments=[instrument(BTC_A), {**instrument(BTC_B), "lot": "0.3"}],
        accounts=[account("a", "alpha", "2"), account("b", "beta", "-2.1")],
    )
    desk = Desk.open(lite, start=start)
    watched = Watched(desk)
    begin = watched.now()
    assert desk.run(*pair("1.2")).status == "done"
    assert max(abs(row - begin) for row in watched.seen) <= SLICE


def test_a_rest_too_small_to_send_leaves_no_leg_more_than_a_slice_ahead(lite: Engine) -> None:
    rows = [instrument(BTC_A), {**instrument(BTC_B), "min_notional": "10000"}]
    partly = Fault("order", "partial", account="b", share=Decimal("0.6"))
    desk = Desk.open(lite, start=snapshot(instruments=rows), faults=[partly])
    watched = Watched(desk)
    desk.run(*pair("0.8"))
    assert max(abs(row) for row in watched.seen) <= SLICE


def test_the_measure_would_see_an_executor_that_works_one_leg_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With whole legs one after another, exposure leaves its corridor by a leg."""
    from allocator.execution import orders

    def whole(legs: Sequence[Leg], max_slice: Decimal) -> Pace:
        return replace(pace_of(legs, max_slice), parts=1, step=Fraction(1))

    monkeypatch.setattr(orders, "pace_of", whole)
    assert bench.worst(range(24))[0] > 1
