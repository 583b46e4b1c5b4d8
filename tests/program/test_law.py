"""The arrays say of a whole plan what the exact law says of it, to a millionth of a dollar."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pytest

from allocator.cost import cost
from allocator.limits import Meter, is_of_plan, plan_excess
from allocator.margin import Shocked, collateral, pools, requirements
from allocator.models.plan import Action, Order, PositionMove, Transfer
from allocator.program.build import Program, build
from allocator.program.crossing import arrays_of
from allocator.program.requirements import ceilings
from allocator.program.separable import Vector
from allocator.state import Book, Effect, State, effect_of
from tests.books import FLAVOURS
from tests.program.completion import Completed, Completion
from tests.program.programs import scenario_of

CENT = 1e-6
Excess = dict[tuple[str, ...], float]


def book_of(seed: int, flavour: str) -> Book:
    scenario = scenario_of(seed, flavour)
    return Book.of(scenario.snapshot, scenario.mandate)


class Draw:
    """Whole lots and steps up to the largest sizes, one side a pair, in numbers and in words."""

    def __init__(self, rng: random.Random, program: Program) -> None:
        self.rng, self.program, self.book = rng, program, program.core.arrays.book
        self.sizes: Vector = np.zeros(program.form.n_actions)
        self.actions = list[Action]()
        self.sent = set[tuple[str, str]]()
        for part in (self.orders, self.transfers, self.moves):
            part()

    def number(self, action: int, step: Decimal, worth: Decimal) -> Decimal:
        """Draw a multiple of a step and note its size."""
        unit = self.program.core.arrays.unit
        most = Decimal(float(self.program.form.top[action])) * Decimal(unit) / worth
        share = Decimal(self.rng.choice(("0.02", "0.3", "0.9")))
        out = most * share // step * step
        if self.rng.random() < 0.5:
            out = Decimal(0)
        self.sizes[action] = float(out * worth) / unit
        return out

    def orders(self) -> None:
        arrays, layout = self.program.core.arrays, self.program.core.layout
        for at, (account, name) in enumerate(arrays.orders.keys):
            side = self.rng.choice(("buy", "sell"))
            action = layout.buys[at] if side == "buy" else layout.sells[at]
            row = self.book.instruments[name]
            quantity = self.number(int(action), row.lot, self.book.notional(name))
            if quantity:
                self.actions.append(
                    Order(
                        seq=len(self.actions) + 1,
                        account=account,
                        instrument=name,
                        side="buy" if side == "buy" else "sell",
                        quantity=quantity,
                        limit_price=row.mark,
                    )
                )

    def transfers(self) -> None:
        for at, name in enumerate(self.program.core.arrays.routes.ids):
            row = self.book.routes[name]
            action = int(self.program.core.layout.transfers[at])
            step = row.step or Decimal("0.00001")
            amount = self.number(action, step, self.book.price(row.asset))
            if amount:
                self.actions.append(
                    Transfer(
                        seq=len(self.actions) + 1,
                        route=name,
                        source=row.source,
                        target=row.target,
                        asset=row.asset,
                        amount=amount,
                    )
                )

    def moves(self) -> None:
        arrays, layout = self.program.core.arrays, self.program.core.layout
        for at, (source, target, name) in enumerate(arrays.moves.keys):
            if (source, name) in self.sent:
                continue
            lot = self.book.instruments[name].lot
            quantity = self.number(int(layout.moved[at]), lot, self.book.notional(name))
            if quantity:
                self.sent.add((source, name))
                self.actions.append(
                    PositionMove(
                        seq=len(self.actions) + 1,
                        source=source,
                        target=target,
                        instrument=name,
                        quantity=quantity,
                    )
                )

    def effects(self) -> list[Effect]:
        return [effect_of(self.book, action) for action in self.actions]


def said(program: Program, sizes: Vector) -> Completed:
    """Pay for used actions in full, and settle every other column."""
    form = program.form
    return Completion(form, form.supported(sizes > 0)).at(sizes)


def lawful_excess(book: Book, effects: list[Effect], final: State) -> Excess:
    """Tell by how much each margin rule and limit is beyond what is allowed, numeraire."""
    start = State.start(book)
    out: Excess = {}
    for name, row in book.accounts.items():
        for pool in pools(book, name) if row.state != "frozen" else ():
            label = ("margin", name) if pool is None else ("margin", name, pool)
            now = dict(margin_gaps(book, start, name, pool))
            for family, gap in margin_gaps(book, final, name, pool):
                out[*label, family] = float(gap - allowed(now[family]))
    for limit in book.mandate.limits:
        if is_of_plan(limit):
            out["limit", limit.id, limit.measure] = float(plan_excess(book, limit, effects))
            continue
        meter = Meter(book, limit)
        for bound in meter.bounds:
            kind = bound if limit.measure == "equity" else limit.measure
            more = meter.excess(final, bound) - allowed(meter.excess(start, bound))
            out["limit", limit.id, kind] = float(more * meter.weight)
    return out


def allowed(now: Decimal) -> Decimal:
    return now if now > Decimal("1e-6") else Decimal(0)


def margin_gaps(
    book: Book, state: State, account: str, pool: str | None
) -> Iterator[tuple[str, Decimal]]:
    held = collateral(book, state, account, pool)
    needed = requirements(book, state, account, pool)
    yield "initial", needed.initial - held
    yield "maintenance", (1 + book.policy.margin_buffer) * needed.maintenance - held
    if book.accounts[account].margin.model != "scenario":
        shocked = Shocked(book, state, account, pool)
        for stress in book.policy.stress:
            yield f"stress {stress.id}", shocked.gap(stress.prices)


def by_rule(book: Book, excess: Excess) -> Excess:
    """Take the worst family of a scenario pool, whose floor stands in one of them or in both."""
    out: Excess = {}
    for label, value in excess.items():
        if label[0] not in ("margin", "limit"):
            continue
        scenario = label[0] == "margin" and _model(book, label) == "scenario"
        name = label[:-1] if scenario else label
        out[name] = max(out.get(name, -np.inf), value)
    return out


def _model(book: Book, label: tuple[str, ...]) -> str:
    return book.accounts[label[1]].margin.model


def in_numeraire(program: Program, found: Completed) -> Excess:
    """Turn units into numeraire; numbers of orders stay numbers."""
    unit = program.form.unit
    return {
        label: value * (1.0 if label[-1] == "orders" else unit)
        for label, value in found.excess.items()
    }


def implied(label: tuple[str, ...], law: Excess) -> bool:
    """Whether a rule without rows is one of a margin sum, of which another goes at least as far."""
    others = [law[row] for row in law if row[:-1] == label[:-1] and row[-1] < label[-1]]
    return label[0] == "margin" and max(others, default=-np.inf) >= law[label] - CENT


def beyond_bracket(found: Completed) -> bool:
    return any(value > 0 for label, value in found.excess.items() if label[0] == "bracket")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_cost_margin_and_limits_of_whole_plans_are_the_exact_law(flavour: str) -> None:
    for seed in range(4):
        book = book_of(seed, flavour)
        program = build(arrays_of(book), None)
        rng = random.Random(f"{flavour} {seed}")
        for _ in range(3):
            drawn = Draw(rng, program)
            effects = drawn.effects()
            final = State.start(book).after(effects)
            found = said(program, drawn.sizes)
            assert found.total == pytest.approx(float(cost(book, effects).total), abs=CENT, rel=0)
            if beyond_bracket(found):
                continue
            law = by_rule(book, lawful_excess(book, effects, final))
            ours = by_rule(book, in_numeraire(program, found))
            assert set(ours) <= set(law)
            for label in set(law) - set(ours):
                assert implied(label, law), label
            for label, value in ours.items():
                if label[0] == "margin" and _model(book, label) == "whole_position":
                    assert value <= law[label] + CENT
                else:
                    assert value == pytest.approx(law[label], abs=CENT, rel=0), label


@pytest.mark.parametrize("seed", range(8))
def test_ceilings_of_a_plan_never_ask_for_less_than_the_law(seed: int) -> None:
    book = book_of(seed, "whole_position")
    arrays = arrays_of(book)
    wide = build(arrays, None)
    drawn = Draw(random.Random(seed), wide)
    effects = drawn.effects()
    final = State.start(book).after(effects)
    program = build(arrays, ceilings(arrays, wide.core.gross(drawn.sizes)))
    assert np.all(drawn.sizes <= program.form.top + 1e-9)
    found = said(program, drawn.sizes)
    law, ours = lawful_excess(book, effects, final), in_numeraire(program, found)
    for label, value in law.items():
        if label[0] == "margin":
            most = max(v for row, v in ours.items() if row[:2] == label[:2])
            assert ours.get(label, most) >= value - CENT, label
