"""The bound on prefixes is never laxer than enumeration, and releases what is safe."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocator.margin import collateral, requirements
from allocator.models.plan import Plan
from allocator.state import Book, State, effect_of
from allocator.verify import broken_prefixes, first_broken_prefix, prefixes, steps_of
from tests.law.desk import (
    GOOD,
    NORTH,
    Data,
    book_of,
    changed,
    desk,
    judged,
    move,
    order,
    pair,
    position,
    transfer,
)


def actions_of(rows: list[Data]) -> Any:
    return Plan.model_validate({"status": "act", "actions": rows}).actions


def crowd(model: str) -> Data:
    """`aide` trades in three more markets and has three more routes."""
    data = changed("snapshot/accounts/1/margin", {"model": model})
    aide = data["snapshot"]["accounts"][1]
    for number in range(3):
        name = f"north:C{number}/USDT:USDT"
        first = data["snapshot"]["instruments"][0]
        data["snapshot"]["instruments"].append({**first, "id": name})
        aide["positions"][name] = pair("0")
        for end, route in (("lead", f"in{number}"), ("aide", f"out{number}")):
            other = "aide" if end == "lead" else "lead"
            row = {"id": route, "from": end, "to": other, "asset": "USDT", "fee": "1"}
            data["snapshot"]["routes"].append(row)
    return data


@st.composite
def plans(draw: st.DrawFn) -> tuple[Data, list[Data]]:
    data = crowd(draw(st.sampled_from(["tiered", "whole_position"])))
    aide = data["snapshot"]["accounts"][1]
    aide["balances"]["USDT"]["wallet"] = str(draw(st.integers(2000, 12000)))
    rows: list[Data] = []
    for name in sorted(aide["positions"]):
        held = draw(st.integers(-150, 150))
        aide["positions"][name] = pair(str(held), leverage="20")
    count = draw(st.integers(1, 6))
    routes = draw(st.permutations([f"in{n}" for n in range(3)] + [f"out{n}" for n in range(3)]))
    names = draw(st.permutations(sorted(aide["positions"])))
    for seq in range(1, count + 1):
        after = sorted(draw(st.sets(st.integers(1, seq - 1), max_size=2))) if seq > 1 else []
        if draw(st.booleans()):
            route = routes[seq - 1]
            source, target = ("lead", "aide") if route.startswith("in") else ("aide", "lead")
            row = {"kind": "transfer", "route": route, "from": source, "to": target}
            rows.append({**row, "asset": "USDT", "amount": str(draw(st.integers(100, 3000)))})
        else:
            side = draw(st.sampled_from(["buy", "sell"]))
            name = names[(seq - 1) % len(names)]
            rows.append(order(seq, str(draw(st.integers(1, 300))), side, instrument=name))
        rows[-1] |= {"seq": seq, "after": after}
    return data, rows


def worst_excess(book: Book, rows: list[Data]) -> Decimal:
    """The largest excess of `aide`'s maintenance margin over prefixes, by the law itself."""
    effects = [effect_of(book, action) for action in actions_of(rows)]
    steps = steps_of(effects)
    worst = Decimal(-(10**12))

    def walk(index: int, state: State, done: frozenset[str]) -> None:
        nonlocal worst
        if index == len(steps):
            needed = requirements(book, state, "aide").maintenance * Decimal("1.25")
            worst = max(worst, needed - collateral(book, state, "aide"))
            return
        step = steps[index]
        walk(index + 1, state, done)
        if not step.needs <= done:
            return
        walk(index + 1, state.after(step.effects), done | {step.name})
        if step.is_transfer:
            walk(index + 1, state.after(step.effects, arrived=False), done)
        else:
            for tenth in range(1, 10):
                walk(index + 1, state.after(step.effects, share=Decimal(tenth) / 10), done)

    walk(0, State.start(book), frozenset())
    return worst


@given(plans())
@settings(max_examples=40, deadline=None)
def test_no_prefix_exceeds_what_is_released(case: tuple[Data, list[Data]]) -> None:
    data, rows = case
    book = book_of(data)
    start = State.start(book)
    buffered = requirements(book, start, "aide").maintenance * Decimal("1.25")
    before = max(Decimal(0), buffered - collateral(book, start, "aide"))
    found = broken_prefixes(book, actions_of(rows))
    if ("margin_maintenance", "aide") not in {(b.rule.code, b.rule.name) for b in found}:
        first = rows[:4]  # itself a prefix, and few enough to be walked in tenths
        assert worst_excess(book, first) <= before + Decimal("0.000001")


@given(plans())
@settings(max_examples=60, deadline=None)
def test_bound_is_never_laxer_than_enumeration(case: tuple[Data, list[Data]]) -> None:
    data, rows = case
    book = book_of(data)
    exact = {(b.rule.code, b.rule.name) for b in broken_prefixes(book, actions_of(rows))}
    kept = prefixes.MOST_STEPS
    try:
        prefixes.MOST_STEPS = 0
        bounded = {(b.rule.code, b.rule.name) for b in broken_prefixes(book, actions_of(rows))}
    finally:
        prefixes.MOST_STEPS = kept
    assert exact <= bounded


def test_bound_releases_an_order_that_waits_for_its_money(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixes, "MOST_STEPS", 0)
    assert first_broken_prefix(book_of(desk()), actions_of(GOOD)) is None


def test_breach_names_the_steps_that_were_begun() -> None:
    breach = first_broken_prefix(book_of(desk()), actions_of([transfer(1), order(2)]))
    assert breach is not None
    assert (breach.rule.code, breach.rule.name) == ("margin_initial", "aide")
    assert breach.steps == ("action 2",)
    assert breach.excess == 4000 - (2000 - 24)


def test_large_plan_is_refused_where_safety_is_not_proven() -> None:
    data = changed("snapshot/accounts/1/balances/USDT/wallet", "30000")
    first = data["snapshot"]["instruments"][0]
    rows: list[Data] = []
    aide = data["snapshot"]["accounts"][1]
    for number in range(12):
        name = f"north:M{number}/USDT:USDT"
        data["snapshot"]["instruments"].append({**first, "id": name})
        held = "100" if number % 2 else "0"
        aide["positions"][name] = pair(held, leverage="10")
        side = "sell" if number % 2 else "buy"
        rows.append(order(number + 1, "100", side, instrument=name))
    found = broken_prefixes(book_of(data), actions_of(rows))
    assert "margin_initial" in {breach.rule.code for breach in found}
    assert not any(breach.proven for breach in found)
    together = [{**row, "group": "all"} for row in rows]
    assert broken_prefixes(book_of(data), actions_of(together)) == ()


def test_margin_that_jumps_is_taken_where_two_steps_in_one_pair_can_lead() -> None:
    data = changed(position("lead"), pair("400", leverage="25"))
    data = changed(position("aide"), pair("-400", leverage="25"), data)
    data["snapshot"]["moves"][0].pop("max_notional")
    aide = data["snapshot"]["accounts"][1]
    aide |= {"margin": {"model": "whole_position"}}
    aide["balances"]["USDT"]["wallet"] = "7000"

    def broken(*after: int) -> set[str]:
        actions = [move(1, "400"), order(2, "400", "sell", after=after)]
        plan = Plan.model_validate({"status": "act", "actions": actions})
        return {row.rule.code for row in broken_prefixes(book_of(data), plan.actions)}

    assert broken(1) == set()
    assert broken() == {"margin_initial", "margin_maintenance"}


def test_a_move_before_the_order_that_makes_room_for_it_leaves_the_bracket() -> None:
    """Cap 1,000,000 is 2,500 contracts: 2,400 and 150 more are beyond, less 100 they are not."""
    data = changed("snapshot/accounts/1/balances/USDT", {"wallet": "900000", "withdrawable": "0"})
    data = changed(f"snapshot/accounts/1/positions/{NORTH.replace('/', '~')}", pair("2400"), data)
    data = changed(f"snapshot/accounts/0/positions/{NORTH.replace('/', '~')}", pair("200"), data)
    room = order(1, "100", "sell", account="aide")
    assert judged(data, [room, move(2, "150", after=[1])]) == set()
    assert judged(data, [room, move(2, "150")]) == {"step_bracket"}
