"""Shocked margin and liquidation distances against the law written out plainly."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from allocator.margin import (
    Shocked,
    collateral_units,
    contracts_carried,
    liquidation_distances,
    marginal_value,
    pools,
    requirement,
    requirements,
)
from allocator.models.base import ONE, ZERO
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.state import LAW, Book, State, effect_of, held_assets, lawful
from tests.books import FLAVOURS, random_book
from tests.law.desk import NORTH, Data, changed, desk, pair, perpetual
from tests.law.desk import book_of as desk_book
from tests.random_plans import random_actions

Moves = Mapping[str, Decimal]
CONVEX = sorted(set(FLAVOURS) - {"whole_position", "quanto", "mixed"})
GRID = [Decimal(step) / 40 for step in range(1, 40)]


def book_of(flavour: str, seed: int) -> Book:
    raw = random_book(seed, flavour)
    return Book.of(Snapshot.model_validate(raw["snapshot"]), Mandate.model_validate(raw["mandate"]))


def states(flavour: str, seed: int) -> Iterator[tuple[Book, State]]:
    """A book before and after some random actions."""
    book = book_of(flavour, seed)
    start, rng = State.start(book), random.Random(seed)
    yield book, start
    yield book, start.after([effect_of(book, row) for row in random_actions(rng, book, 5)])


@lawful
def plain_gap(book: Book, state: State, account: str, pool: str | None, moves: Moves) -> Decimal:
    """Maintenance margin less collateral at moved prices, every pair and asset revalued."""
    held = contracts_carried(book, state, account, pool)
    names = held_assets(book, state, account) if pool is None else (pool,)
    units = {asset: collateral_units(book, state, account, asset) for asset in names}
    needed = requirements(book, state, account, pool).maintenance
    scenario = book.accounts[account].margin.model == "scenario"
    total = needed if scenario else ZERO
    for name, quantity in held.items():
        row = book.instruments[name]
        own = ONE + moves.get(row.underlying or "", ZERO)
        coin = ONE + moves.get(book.asset(row.cash).underlying or "", ZERO)
        if row.kind == "option":
            gain, scale = book.exposure(name) * (own - 1) / book.price(row.cash), own
        elif row.payoff == "inverse":
            gain, scale = row.size * (1 / row.mark - 1 / (own * row.mark)), ONE
        else:
            gain, scale = row.size * row.mark * (own - 1), own * coin
        units[row.cash] = units.get(row.cash, ZERO) + quantity * gain
        if not scenario:
            total += requirement(book, account, name, quantity, scale).maintenance
    for asset, amount in units.items():
        price = book.price(asset) * (ONE + moves.get(book.asset(asset).underlying or "", ZERO))
        total -= marginal_value(book.ratios(account, asset), amount) * price
    return total


def near(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= Decimal("1e-25") * max(ONE, abs(one))


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_moved_pool_is_revalued_as_the_law_says(flavour: str) -> None:
    rng = random.Random(flavour)
    for seed in range(3):
        for book, state in states(flavour, seed):
            names = book.underlyings
            shocks = [{rng.choice(names): Decimal(rng.choice(("-0.5", "0.3")))} for _ in range(2)]
            shocks += [{}, {name: Decimal(f"{rng.uniform(-0.9, 1):.3f}") for name in names}]
            for account in book.accounts:
                for pool in pools(book, account):
                    shocked = Shocked.of(book, state, account, pool)
                    for moves in shocks:
                        plain = plain_gap(book, state, account, pool, moves)
                        assert near(shocked.gap(moves), plain), (account, pool, moves)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_collateral_meets_margin_at_the_distance(flavour: str) -> None:
    for seed in range(4):
        for book, state in states(flavour, seed):
            for account in book.accounts:
                for name, move in liquidation_distances(book, state, account).items():
                    if move and flavour != "whole_position":
                        gaps = [
                            plain_gap(book, state, account, pool, {name: move})
                            for pool in pools(book, account)
                        ]
                        assert any(abs(gap) < Decimal("0.0001") for gap in gaps), (account, name)


@pytest.mark.parametrize("flavour", CONVEX)
def test_no_nearer_move_uses_up_collateral(flavour: str) -> None:
    for seed in range(3):
        for book, state in states(flavour, seed):
            for account in book.accounts:
                for name, move in liquidation_distances(book, state, account).items():
                    reach = LAW.multiply(ONE if move is None else abs(move), Decimal("0.999999"))
                    for step in GRID:
                        for way in (reach * step, -reach * step):
                            gaps = [
                                plain_gap(book, state, account, pool, {name: way})
                                for pool in pools(book, account)
                                if contracts_carried(book, state, account, pool)
                            ]
                            assert max(gaps) < 0 or not move, (account, name, move, way)


def alone(data: Data, **account: Any) -> Book:
    """The desk with `lead` only."""
    data["snapshot"]["accounts"] = [{**data["snapshot"]["accounts"][0], "spot": [], **account}]
    data["snapshot"]["routes"] = data["snapshot"]["moves"] = []
    return desk_book(data)


def test_a_fall_is_found_although_the_gap_rises_with_the_price_at_rest() -> None:
    # Short 1 BTC against 1 BTC at 0.9: the short's gain fills a wallet that counts a tenth.
    data = changed("snapshot/assets/USDT/haircut", "0.9")
    data["snapshot"]["assets"]["USDC"] = {"price": "1"}
    wallets = {"BTC": "1", "USDT": "-1", "USDC": "-32000"}
    book = alone(
        data,
        positions={NORTH: pair("-100")},
        balances={name: {"wallet": wallet} for name, wallet in wallets.items()},
    )
    shocked = Shocked.of(book, State.start(book), "lead")
    assert shocked.gap({"BTC": Decimal("0.01")}) == shocked.rest + 44
    move = liquidation_distances(book, State.start(book), "lead")["BTC"]
    assert move is not None
    assert near(move, LAW.divide(Decimal("-3599.9"), Decimal(31600)))


def test_profit_in_the_coin_that_moves_is_worth_less_in_a_fall() -> None:
    # Long 1 BTC settled in BTC with 0.2 BTC: 0.9 (0.2 + m) (1 + m) meets 0.01 (1 + m)^2.
    name = "north:BTC/USDT:BTC"
    data = desk()
    data["snapshot"]["instruments"].append(
        perpetual(name, payoff="quanto", settle="BTC", contract_size="0.00000025")
    )
    book = alone(data, positions={name: pair("100")}, balances={"BTC": {"wallet": "0.2"}})
    move = liquidation_distances(book, State.start(book), "lead")["BTC"]
    assert move is not None
    assert abs(move + Decimal(17) / 89) < Decimal("1e-9")
