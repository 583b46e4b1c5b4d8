"""What holds of any shock of any book: the law of equity and exposure is the oracle."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from allocator.exposure import exposures
from allocator.models.account import Position
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.state import Book, State, equity
from allocator.state.book import unrealised_of
from allocator.whatif.shock import Shock
from allocator.whatif.shocks import shocked, shocked_by
from tests.books import random_book

FLAVOURS = ["plain", "inverse", "quanto", "spot", "options", "single", "collateral", "mixed"]
SEEDS = range(4)
SMALL = Decimal("1e-7")
BASIS = Decimal("1e-3")
"""By how much a mark and its coin's price differ: the law counts an inverse contract at par."""


def book_of(seed: int, flavour: str) -> tuple[Snapshot, Mandate]:
    data = random_book(seed, flavour)
    return Snapshot.model_validate(data["snapshot"]), Mandate.model_validate(data["mandate"])


def equities(snapshot: Snapshot, mandate: Mandate) -> dict[str, Decimal]:
    book = Book.of(snapshot, mandate)
    state = State.start(book)
    return {row.id: equity(book, state, row.id) for row in snapshot.accounts}


def told_as_profit(snapshot: Snapshot) -> Snapshot:
    """Write every position with its unrealised profit in place of its entry price."""

    def row(name: str, place: Position) -> Position:
        if not place.net and place.legs is None:
            return place
        profit = unrealised_of(snapshot.instrument[name], place)
        return place.model_copy(update={"unrealised": profit, "entry_price": None})

    accounts = tuple(
        account.model_copy(
            update={"positions": {name: row(name, p) for name, p in account.positions.items()}}
        )
        for account in snapshot.accounts
    )
    return snapshot.model_copy(update={"accounts": accounts})


def names(snapshot: Snapshot) -> list[str]:
    return sorted({row.underlying for row in snapshot.instruments if row.underlying})


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("seed", SEEDS)
def test_equity_is_the_same_whether_entry_or_profit_was_given(seed: int, flavour: str) -> None:
    snapshot, mandate = book_of(seed, flavour)
    prices = {name: f"{-31 + 17 * i}%" for i, name in enumerate(names(snapshot))}
    shock = Shock.model_validate({"prices": prices})
    one = equities(*shocked(snapshot, mandate, shock))
    two = equities(*shocked(told_as_profit(snapshot), mandate, shock))
    for name, value in one.items():
        assert abs(value - two[name]) < Decimal("1e-6"), name


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_small_move_earns_what_the_exposure_says(seed: int, flavour: str) -> None:
    """Exposure is the derivative of equity; money on its way has exposure and no equity yet."""
    snapshot, mandate = book_of(seed, flavour)
    still = tuple(row.model_copy(update={"in_flight": ()}) for row in snapshot.accounts)
    snapshot = snapshot.model_copy(update={"accounts": still})
    book = Book.of(snapshot, mandate)
    before = sum(equities(snapshot, mandate).values())
    exposed = exposures(book, State.start(book))
    for name in names(snapshot):
        shock = Shock.model_validate({"prices": {name: str(SMALL)}})
        after = sum(equities(*shocked(snapshot, mandate, shock)).values())
        scale = max(Decimal(1), abs(before), *map(abs, exposed.values()))
        assert abs((after - before) / SMALL - exposed[name]) < scale * BASIS, name


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_shocks_of_prices_compose_to_their_product(flavour: str) -> None:
    snapshot, mandate = book_of(0, flavour)
    if any(row.kind == "option" for row in snapshot.instruments):
        pytest.skip("an option without a strike moves along a line, which is bent nowhere")
    twice = [Shock.model_validate({"prices": dict.fromkeys(names(snapshot), "-50%")})] * 2
    once = Shock.model_validate({"prices": dict.fromkeys(names(snapshot), "-75%")})
    one = equities(*shocked_by(snapshot, mandate, twice))
    two = equities(*shocked(snapshot, mandate, once))
    for name, value in one.items():
        assert abs(value - two[name]) < Decimal("1e-6"), name


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("side", [1, -1])
def test_a_hand_trade_at_the_mark_leaves_equity_alone(flavour: str, side: int) -> None:
    snapshot, mandate = book_of(1, flavour)
    before = equities(snapshot, mandate)
    for account in snapshot.accounts:
        for name, place in account.positions.items():
            if not place.may_trade:
                continue
            trade: dict[str, Any] = {"account": account.id, "instrument": name}
            lot = snapshot.instrument[name].lot
            quantity = lot * 3 * side if side > 0 or not place.net else -place.net
            shock = Shock.model_validate({"positions": [{**trade, "quantity": str(quantity)}]})
            after = equities(*shocked(snapshot, mandate, shock))
            for key, value in before.items():
                assert abs(value - after[key]) < Decimal("1e-6"), (name, key)
