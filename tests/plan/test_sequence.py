"""Orders of steps: safe, with nothing in them that safety does not ask for."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from allocator.models.plan import Action, Order, Transfer
from allocator.models.scenario import Scenario
from allocator.plan.actions import actions_of
from allocator.plan.lots import Sizes
from allocator.plan.sequence import Ordered, Tangle, sequenced
from allocator.state import Book
from allocator.verify import first_broken_prefix
from tests.books import FLAVOURS, random_book
from tests.plan.walks import Law, has_safe_chain, prefix_states
from tests.random_plans import random_sizes
from tests.rotations import book_of, desk_data, rotations

DESKS = ((2, 1), (2, 2), (3, 1), (3, 2), (4, 1))


def books(flavour: str, seeds: Sequence[int]) -> Iterator[tuple[Book, Sizes]]:
    for seed in seeds:
        scenario = Scenario.model_validate(random_book(seed, flavour))
        book = Book.of(scenario.snapshot, scenario.mandate)
        for draw in range(3):
            yield book, random_sizes(random.Random(f"{flavour} {seed} {draw}"), book)


def cases() -> Iterator[tuple[Book, Sizes]]:
    """Random sizes on books of every flavour, and desks where the order matters."""
    for flavour in FLAVOURS:
        yield from books(flavour, range(5))
    for accounts, coins in DESKS:
        yield from rotations(range(16), accounts, coins)


def ordered(book: Book, sizes: Sizes) -> tuple[Action, ...]:
    steps = sequenced(book, sizes)
    assert isinstance(steps, Ordered), str(steps)
    return steps.actions


def without(actions: Sequence[Action], step: frozenset[int], need: frozenset[int]) -> Any:
    """Take one need of one step away."""
    return [
        row.model_copy(update={"after": tuple(sorted({*row.after} - need))})
        if row.seq in step
        else row
        for row in actions
    ]


def members(actions: Sequence[Action]) -> dict[int, frozenset[int]]:
    """Numbers of the step that each action belongs to."""
    groups: dict[Any, set[int]] = {}
    for row in actions:
        group = row.group if isinstance(row, Order) else None
        groups.setdefault(row.seq if group is None else group, set()).add(row.seq)
    return {seq: frozenset(rows) for rows in groups.values() for seq in rows}


def needs(actions: Sequence[Action]) -> set[tuple[frozenset[int], frozenset[int]]]:
    """Steps with a step that each waits for directly."""
    step = members(actions)
    return {(step[row.seq], step[seq]) for row in actions for seq in row.after}


def test_every_prefix_of_an_ordered_plan_is_safe_by_the_law_itself() -> None:
    walked = 0
    for book, sizes in cases():
        steps = sequenced(book, sizes)
        if isinstance(steps, Tangle) or not steps.actions:
            continue
        assert first_broken_prefix(book, steps.actions) is None
        if len(steps.actions) <= 7:
            law = Law(book, steps.actions)
            for state in prefix_states(law, steps.actions):
                assert law.broken(state) == []
                walked += 1
    assert walked > 5_000


def test_every_need_of_an_ordered_plan_keeps_some_prefix_safe() -> None:
    tried = 0
    for book, sizes in cases():
        steps = sequenced(book, sizes)
        if isinstance(steps, Tangle):
            continue
        for step, need in needs(steps.actions):
            tried += 1
            assert first_broken_prefix(book, without(steps.actions, step, need)) is not None
    assert tried > 50


def test_a_plan_is_refused_only_if_no_chain_of_steps_is_safe() -> None:
    refused = 0
    for accounts, coins in DESKS:
        for book, sizes in rotations(range(40, 95), accounts, coins):
            if sizes.count > 6 or isinstance(sequenced(book, sizes), Ordered):
                continue
            refused += 1
            assert not has_safe_chain(Law(book, actions_of(book, sizes)))
    assert refused > 5


def shuffled(data: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    out: dict[str, Any] = json.loads(json.dumps(data))
    for name in ("accounts", "instruments", "routes", "moves"):
        rng.shuffle(out["snapshot"].get(name) or [])
    return out


@pytest.mark.parametrize("flavour", ["plain", "limits", "moves", "mixed"])
def test_the_order_of_the_input_does_not_change_the_steps(flavour: str) -> None:
    rng = random.Random(flavour)
    for seed in range(6):
        raw = random_book(seed, flavour)
        first = Scenario.model_validate(raw)
        book = Book.of(first.snapshot, first.mandate)
        sizes = random_sizes(random.Random(seed), book)
        mixed = Scenario.model_validate(shuffled(raw, rng))
        rows = [list(part.items()) for part in (sizes.orders, sizes.transfers, sizes.moves)]
        for part in rows:
            rng.shuffle(part)
        other = Sizes(*(dict(part) for part in rows))  # type: ignore[arg-type]
        again = sequenced(Book.of(mixed.snapshot, mixed.mandate), other)
        assert again == sequenced(book, sizes) == sequenced(book, sizes)


def order_key(name: str, coin: str) -> tuple[str, str]:
    return name, f"north:{coin}"


def told(actions: Sequence[Action]) -> dict[str, Action]:
    """Actions by a short name: the route, or account and coin."""
    out: dict[str, Action] = {}
    for row in actions:
        match row:
            case Order():
                out[f"{row.account} {row.instrument.removeprefix('north:')}"] = row
            case Transfer():
                out[row.route] = row
    return out


def test_reduce_then_send_then_increase_over_three_accounts() -> None:
    held = {"a": {"BTC": 100}, "b": {"BTC": 0, "ETH": 100}, "c": {"ETH": 0}}
    wallets = {"a": "1000", "b": "1000", "c": "10"}
    data = desk_data(held, wallets, [("a", "b"), ("b", "c")], max_slice="20000")
    orders = {
        order_key("a", "BTC"): Decimal(-80),
        order_key("b", "BTC"): Decimal(50),
        order_key("c", "ETH"): Decimal(60),
        order_key("b", "ETH"): Decimal(-50),
    }
    sent = {"a-b": Decimal(700), "b-c": Decimal(600)}
    by = told(ordered(book_of(data), Sizes(orders, sent)))
    assert by["a BTC"].after == ()
    assert by["a-b"].after == (by["a BTC"].seq,)
    assert by["a-b"].seq in by["b BTC"].after
    assert by["c ETH"].after == (by["b-c"].seq,)
    assert all(not isinstance(row, Order) or row.group is None for row in by.values())


def test_unrelated_pairs_do_not_wait_for_each_other() -> None:
    held = {"a": {"BTC": 100}, "b": {"BTC": 0}, "c": {"ETH": 100}, "d": {"ETH": 0}}
    wallets = {"a": "1000", "b": "10", "c": "1000", "d": "10"}
    data = desk_data(held, wallets, [("a", "b"), ("c", "d")], max_slice="20000")
    orders = {
        order_key("a", "BTC"): Decimal(-80),
        order_key("b", "BTC"): Decimal(60),
        order_key("c", "ETH"): Decimal(-80),
        order_key("d", "ETH"): Decimal(60),
    }
    actions = ordered(book_of(data), Sizes(orders, {"a-b": Decimal(700), "c-d": Decimal(700)}))
    by = told(actions)
    assert needs(actions) == {
        (frozenset({by[after].seq}), frozenset({by[before].seq}))
        for before, after in (
            ("a BTC", "a-b"),
            ("a-b", "b BTC"),
            ("c ETH", "c-d"),
            ("c-d", "d ETH"),
        )
    }


def test_legs_of_a_hedge_in_two_accounts_share_a_group() -> None:
    held = {"a": {"BTC": 100, "ETH": 0}, "b": {"BTC": 0}}
    data = desk_data(held, {"a": "5000", "b": "5000"})
    orders = {
        order_key("a", "BTC"): Decimal(-80),
        order_key("b", "BTC"): Decimal(80),
        order_key("a", "ETH"): Decimal(30),
    }
    by = told(ordered(book_of(data), Sizes(orders)))
    first, second, alone = (by[name] for name in ("a BTC", "b BTC", "a ETH"))
    assert isinstance(first, Order)
    assert isinstance(second, Order)
    assert isinstance(alone, Order)
    assert first.group is not None
    assert first.group == second.group
    assert alone.group is None
    assert {row.after for row in by.values()} == {()}


def test_legs_inside_the_corridor_go_alone() -> None:
    held = {"a": {"BTC": 100}, "b": {"BTC": 0}}
    data = desk_data(held, {"a": "5000", "b": "5000"}, max_slice="8000")
    orders = {order_key("a", "BTC"): Decimal(-80), order_key("b", "BTC"): Decimal(80)}
    actions = ordered(book_of(data), Sizes(orders))
    assert all(isinstance(row, Order) and row.group is None and not row.after for row in actions)


def test_an_increase_waits_for_the_reduction_whose_margin_it_takes() -> None:
    held = {"a": {"BTC": 100, "ETH": 0}}
    data = desk_data(held, {"a": "1013"}, max_slice="20000")
    orders = {order_key("a", "BTC"): Decimal(-100), order_key("a", "ETH"): Decimal(100)}
    by = told(ordered(book_of(data), Sizes(orders)))
    assert (by["a BTC"].after, by["a ETH"].after) == ((), (by["a BTC"].seq,))


def test_hedges_that_free_margin_for_each_other_share_one_group() -> None:
    held = {"a": {"BTC": 100, "ETH": 0}, "b": {"BTC": 0, "ETH": 100}}
    data = desk_data(held, {"a": "1013", "b": "1013"})
    orders = {
        order_key("a", "BTC"): Decimal(-100),
        order_key("b", "BTC"): Decimal(100),
        order_key("b", "ETH"): Decimal(-100),
        order_key("a", "ETH"): Decimal(100),
    }
    actions = ordered(book_of(data), Sizes(orders))
    assert {row.group for row in actions if isinstance(row, Order)} == {"g1"}


def test_many_legs_of_a_hedge_are_joined_no_more_than_the_corridor_asks() -> None:
    held = {f"a{at}": {"BTC": 100 if at < 6 else 0} for at in range(12)}
    data = desk_data(held, dict.fromkeys(held, "5000"), max_slice="2000")
    sizes = dict(zip(held, (-80, -70, -60, -9, -8, -3, 80, 70, 60, 9, 8, 3), strict=True))
    orders = {order_key(name, "BTC"): Decimal(size) for name, size in sizes.items()}
    actions = ordered(book_of(data), Sizes(orders))
    groups = {row.quantity: row.group for row in actions if isinstance(row, Order)}
    assert groups == {80: "g1", 70: "g1", 60: "g1", 9: None, 8: None, 3: None}
    assert all(not row.after for row in actions)


def test_hedges_that_free_margin_for_each_other_are_joined_two_by_two() -> None:
    coins = [f"C{at}" for at in range(6)]
    held = {
        "a": {coin: 100 * (at % 2) for at, coin in enumerate(coins)},
        "b": {coin: 100 * (1 - at % 2) for at, coin in enumerate(coins)},
    }
    data = desk_data(held, {"a": "3037", "b": "3037"})
    orders = {
        order_key(name, coin): Decimal(100 - 2 * quantity)
        for name, row in held.items()
        for coin, quantity in row.items()
    }
    groups = members(ordered(book_of(data), Sizes(orders)))
    assert {len(seqs) for seqs in groups.values()} == {4}


def test_a_circle_of_transfers_is_refused_with_its_reason() -> None:
    held = {name: {"BTC": 100} for name in ("a", "b", "c")}
    data = desk_data(held, dict.fromkeys(held, "1000"), [("a", "b"), ("b", "c"), ("c", "a")])
    sent = dict.fromkeys(("a-b", "b-c", "c-a"), Decimal(50))
    steps = sequenced(book_of(data), Sizes({}, sent))
    assert isinstance(steps, Tangle)
    assert (steps.code, steps.missing) == ("margin_initial", Decimal(50) - Decimal("0.000001"))
    assert steps.senders == {"a", "b", "c"}
    assert str(steps).startswith("margin initial of a is 50.00 short for the transfer from a to b")


def test_hedged_legs_that_fund_each_other_are_refused() -> None:
    held = {"a": {"BTC": 100}, "b": {"BTC": 0}}
    data = desk_data(held, {"a": "1000", "b": "10"}, [("a", "b")])
    orders = {order_key("a", "BTC"): Decimal(-60), order_key("b", "BTC"): Decimal(50)}
    steps = sequenced(book_of(data), Sizes(orders, {"a-b": Decimal(550)}))
    assert isinstance(steps, Tangle)
    assert steps.carriers == ("a-b",)
    assert "transfer from a to b, which waits for the sell of 60 north:BTC in a" in str(steps)
