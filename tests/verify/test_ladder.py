"""Bounds on sums of curves are never below what some prefix reaches."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from itertools import product

import pytest

from allocator.models.plan import Order, Transfer
from allocator.state import Effect
from allocator.verify import Changes, Curve, Key, Ladder, Step
from allocator.verify.closure import Closure

ZERO = Decimal(0)
KEYS: tuple[Key, ...] = (("x",), ("y",))


def bent(rng: random.Random) -> Curve:
    """A convex curve with three bends."""
    slopes = sorted(Decimal(rng.randint(-4, 4)) for _ in range(4))
    bends = sorted(Decimal(rng.randint(-8, 8)) for _ in range(3))

    def value(x: Decimal) -> Decimal:
        total = slopes[0] * x
        for before, after, bend in zip(slopes, slopes[1:], bends, strict=False):
            total += (after - before) * max(ZERO, x - bend)
        return total

    return Curve(value, Decimal(rng.randint(-5, 5)))


def stepped(rng: random.Random) -> Curve:
    """A rate on the whole size that rises from bracket to bracket."""
    caps = sorted({Decimal(rng.randint(1, 9)) for _ in range(3)})
    rates = sorted(Decimal(rng.randint(1, 5)) for _ in range(len(caps) + 1))

    def value(x: Decimal) -> Decimal:
        held = sum(cap < abs(x) for cap in caps)
        return abs(x) * rates[held]

    jumps = tuple(sorted({ZERO, *caps, *(-cap for cap in caps)}))
    return Curve(value, Decimal(rng.randint(-5, 5)), jumps)


def order(seq: int) -> Effect:
    action = Order(
        seq=seq,
        account="a",
        instrument="i",
        side="buy",
        quantity=Decimal(1),
        limit_price=Decimal(1),
    )
    return Effect(action, ("a",), ZERO)


def transfer(seq: int) -> Effect:
    ends = {"source": "a", "target": "b", "asset": "c"}
    action = Transfer(seq=seq, route="r", amount=Decimal(1), **ends)
    return Effect(action, ("a", "b"), ZERO)


def random_ladder(seed: int, *, jumps: bool) -> Ladder:
    rng = random.Random(seed)
    curves = {KEYS[0]: stepped(rng) if jumps else bent(rng), KEYS[1]: bent(rng)}
    stages = list[tuple[Step, Changes, Changes]]()
    needs: dict[str, frozenset[str]] = {}
    for at in range(4):
        direct = [f"s{other}" for other in range(at) if rng.random() < 0.3]
        name = f"s{at}"
        needs[name] = frozenset(direct).union(*(needs[other] for other in direct))
        sends = rng.random() < 0.4
        first = {key: Decimal(rng.randint(-6, 6)) for key in KEYS if rng.random() < 0.7}
        now = {
            key: value for key, value in first.items() if value and not (sends and key == KEYS[0])
        }
        later: Changes = {KEYS[1]: Decimal(rng.randint(1, 6))} if sends else {}
        effect = transfer(at + 1) if sends else order(at + 1)
        stages.append((Step(name, (effect,), needs[name]), now, later))
    return Ladder(Decimal(rng.randint(-9, 0)), curves, stages)


def excesses(ladder: Ladder) -> Iterator[Decimal]:
    """The excess of every prefix, orders in eighths."""
    orders = (ZERO, *(Decimal(k) / 8 for k in range(1, 8)), Decimal(1))
    choices = [
        orders if step.is_order else (ZERO, Decimal("0.5"), Decimal(1))
        for step, *_ in ladder.stages
    ]
    for reached in product(*choices):
        share = {step.name: part for (step, *_), part in zip(ladder.stages, reached, strict=True)}
        if any(share[o] < 1 for step, *_ in ladder.stages if share[step.name] for o in step.needs):
            continue
        total: Changes = {}
        for step, now, later in ladder.stages:
            part = share[step.name]
            for key, value in now.items():
                total[key] = total.get(key, ZERO) + value * (part if step.is_order else bool(part))
            for key, value in later.items() if part == 1 else ():
                total[key] = total.get(key, ZERO) + value
        yield ladder.base + sum(
            (
                curve.at(total.get(key, ZERO)) - curve.at(ZERO)
                for key, curve in ladder.curves.items()
            ),
            ZERO,
        )


@pytest.mark.parametrize("jumps", [False, True])
def test_no_prefix_exceeds_the_bound_or_what_is_enumerated(*, jumps: bool) -> None:
    tight = 0
    for seed in range(60):
        ladder = random_ladder(seed, jumps=jumps)
        worst = max(excesses(ladder))
        needs = {step.name: step.needs for step, *_ in ladder.stages}
        bound, _ = Closure(*ladder.weights(), needs).bound(Decimal(-10_000))
        enumerated = max(excess for excess, _ in ladder.enumerated())
        assert worst <= enumerated <= bound <= ladder.worst()
        tight += worst == bound
    assert tight > 5
