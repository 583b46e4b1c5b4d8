"""The bound on closed sets of stages is what the heaviest of them weighs."""

from __future__ import annotations

import random
from collections.abc import Mapping
from decimal import Decimal
from itertools import product

from allocator.verify.closure import Closure, Node

Needs = Mapping[str, frozenset[str]]


def random_stages(seed: int, steps: int) -> tuple[dict[Node, Decimal], Needs]:
    """Steps with one or two stages, each waiting for some before it and for what those need."""
    rng = random.Random(seed)
    weights: dict[Node, Decimal] = {}
    needs: dict[str, frozenset[str]] = {}
    for at in range(steps):
        direct = [f"s{other}" for other in range(at) if rng.random() < 0.3]
        needs[f"s{at}"] = frozenset(direct).union(*(needs[name] for name in direct))
        weights[f"s{at}", 0] = Decimal(rng.randint(-9, 9))
        weights[f"s{at}", 1] = Decimal(rng.choice((0, 0, rng.randint(-9, 9))))
    return weights, needs


def heaviest(base: Decimal, weights: Mapping[Node, Decimal], needs: Needs) -> Decimal:
    """Try every closed set: a step begins once all that it needs has ended."""
    names, worst = list(needs), base
    for reached in product((0, 1, 2), repeat=len(names)):
        stage = dict(zip(names, reached, strict=True))
        if all(stage[o] == 2 for n in names if stage[n] for o in needs[n]):
            total = sum((weights[n, k] for n in names for k in range(stage[n])), base)
            worst = max(worst, total)
    return worst


def test_the_bound_is_the_weight_of_the_heaviest_closed_set() -> None:
    sharper = 0
    for seed in range(150):
        weights, needs = random_stages(seed, 5)
        base = Decimal(seed % 7 - 3)
        exact = heaviest(base, weights, needs)
        closure = Closure(base, weights, needs)
        closure.greedy()
        sharper += closure.total > exact
        bound, raising = Closure(base, weights, needs).bound(Decimal(-1000))
        assert bound == exact
        assert bool(raising) == (exact > base)
    assert sharper > 0


def test_the_bound_stops_where_there_is_room_enough() -> None:
    for seed in range(60):
        weights, needs = random_stages(seed, 6)
        exact, _ = Closure(Decimal(0), weights, needs).bound(Decimal(-1000))
        for room in (exact - 1, exact, exact + 1):
            bound, _ = Closure(Decimal(0), weights, needs).bound(room)
            assert bound >= exact
            assert (bound <= room) == (exact <= room)


def test_a_payment_moves_on_where_another_stage_can_pay() -> None:
    weights = {
        ("cheap", 0): Decimal(-5),
        ("dear", 0): Decimal(-5),
        ("first", 0): Decimal(5),
        ("second", 0): Decimal(5),
    }
    none = frozenset[str]()
    needs = {
        "cheap": none,
        "dear": none,
        "first": frozenset({"cheap", "dear"}),
        "second": frozenset({"cheap"}),
    }
    assert Closure(Decimal(0), weights, needs).bound(Decimal(0)) == (Decimal(0), ())
