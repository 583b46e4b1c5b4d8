"""A state measured by what it changes of the start, against the law added up over everything."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest

from allocator.cost import cost
from allocator.exposure import exposures, goals
from allocator.limits import Meter, meters_of
from allocator.models.base import ONE, ZERO
from allocator.models.mandate import Mandate
from allocator.models.plan import Action
from allocator.models.snapshot import Snapshot
from allocator.state import (
    Book,
    State,
    departures,
    effect_of,
    equity,
    equity_units,
    held_assets,
    lawful,
    published,
)
from allocator.verify import plan_blocks, verify, violations
from tests.books import FLAVOURS, random_book
from tests.random_plans import random_actions, random_plan

SEEDS = range(4)


def book_of(flavour: str, seed: int) -> Book:
    raw = random_book(seed, flavour)
    return Book.of(Snapshot.model_validate(raw["snapshot"]), Mandate.model_validate(raw["mandate"]))


def plans(flavour: str) -> Iterator[tuple[Book, Sequence[Action], State]]:
    """Books with random actions and the states that they lead to, also half done."""
    for seed in SEEDS:
        book, rng = book_of(flavour, seed), random.Random(f"{flavour}{seed}")
        for count in (0, 1, 6):
            actions = random_actions(rng, book, count)
            effects = [effect_of(book, action) for action in actions]
            start = State.start(book)
            yield book, actions, start.after(effects)
            yield book, actions, start.after(effects, Decimal("0.3"), arrived=False)


def near(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= Decimal("1e-25") * max(ONE, abs(one))


@lawful
def plain_exposures(book: Book, state: State) -> dict[str, Decimal]:
    out = dict.fromkeys(book.underlyings, ZERO)
    rows = [(row.asset, row.amount) for row in state.transit]
    for account, holding in state.holdings.items():
        for name, contracts in holding.quantity.items():
            underlying = book.instruments[name].underlying
            if underlying is not None:
                out[underlying] += contracts * book.exposure(name)
        names = held_assets(book, state, account)
        rows += [(asset, equity_units(book, state, account, asset)) for asset in names]
        rows += book.arriving(account).items()
    for asset, units in rows:
        row = book.asset(asset)
        if row.underlying is not None:
            out[row.underlying] += units * row.price
    return out


@lawful
def plain_excess(book: Book, meter: Meter, state: State) -> Decimal:
    """Excess over a max on positions, every pair of the scope counted."""
    total = up = down = ZERO
    for (account, name), pair in meter.pairs.items():
        quantity = state.holdings[account].quantity.get(name, ZERO)
        total += pair.counted(meter.limit.measure, quantity)
        up += (quantity + pair.buys) * pair.notional
        down += (quantity - pair.sells) * pair.notional
    cap = meter.cap("max")
    if meter.limit.measure == "net_notional":
        return max(abs(up), abs(down)) - cap
    owned = meter.equity(state) if meter.limit.measure == "leverage" else ONE
    return total - cap * owned


@lawful
def plain_tracking(book: Book, state: State) -> Decimal:
    wanted, policy = goals(book), book.policy
    gaps = {u: v - wanted[u].target for u, v in plain_exposures(book, state).items()}
    rows = [gaps[u] * gaps[v] * book.covariance[u, v] for u in gaps for v in gaps]
    outside = [max(ZERO, abs(gap) - wanted[u].band) for u, gap in gaps.items()]
    risk = policy.risk_aversion / 2 * policy.horizon_h / 24 * sum(rows, ZERO)
    return risk + policy.band_penalty * sum(outside, ZERO)


@lawful
def plain_carry(book: Book, state: State) -> Decimal:
    total = ZERO
    for holding in state.holdings.values():
        total += sum((q * book.units[name].carry for name, q in holding.quantity.items()), ZERO)
        for asset, units in holding.wallet.items():
            row = book.asset(asset)
            years = book.policy.horizon_h / 8760
            total += row.borrow_rate * max(ZERO, -units) * row.price * years
    return total


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_exposures_and_costs_are_those_of_the_whole_book(flavour: str) -> None:
    for book, actions, state in plans(flavour):
        found, plain = exposures(book, state), plain_exposures(book, state)
        assert found.keys() == plain.keys()
        assert all(near(found[name], plain[name]) for name in plain)
        figures = cost(book, [effect_of(book, action) for action in actions], state)
        assert figures.tracking == published(plain_tracking(book, state))
        assert figures.carry == published(plain_carry(book, state))


@pytest.mark.parametrize("flavour", ["limits", "broken", "mixed"])
def test_limits_measure_the_whole_scope(flavour: str) -> None:
    for book, _, state in plans(flavour):
        for meter in meters_of(book):
            if meter.limit.measure != "equity":
                assert near(meter.excess(state), plain_excess(book, meter, state))


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_departures_name_what_differs_and_nothing_else(flavour: str) -> None:
    for book, _, state in plans(flavour):
        start, found = State.start(book), departures(book, state)
        for account, holding in state.holdings.items():
            if account not in found.accounts:
                assert holding == start.holdings[account]
            for name in holding.quantity:
                before = start.holdings[account].quantity.get(name, ZERO)
                change = found.contracts.get((account, name), (before, before))
                assert change == (before, holding.quantity[name])
                assert ((account, name) in found.contracts) == (change[0] != change[1])


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_what_was_asked_before_changes_no_figure(flavour: str) -> None:
    for seed in SEEDS:
        used, rng = book_of(flavour, seed), random.Random(seed)
        for _ in range(3):
            plan = random_plan(rng, used)
            fresh = book_of(flavour, seed)
            assert plan_blocks(used, plan.actions) == plan_blocks(fresh, plan.actions)
            assert violations(used, plan) == verify(used.snapshot, used.mandate, plan)


def test_equal_holdings_have_equal_hashes_and_figures() -> None:
    book = book_of("plain", 0)
    account = next(iter(book.accounts))
    start = State.start(book)
    one, other = start.after([]), State({**start.holdings})
    assert one.holdings[account] == other.holdings[account]
    assert hash(one.holdings[account]) == hash(other.holdings[account])
    assert equity(book, one, account) == equity(book, other, account)
