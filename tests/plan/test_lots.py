"""Sizes in whole lots, prices on ticks, and their order."""

from __future__ import annotations

from decimal import Decimal

import pytest

from allocator.plan.actions import Place, order_of
from allocator.plan.lots import Wish, order_lots, rounded
from allocator.state import Book
from allocator.verify import price_range
from tests.books import FLAVOURS
from tests.program.programs import scenario_of


def books(flavour: str, count: int = 4) -> list[Book]:
    rows = [scenario_of(seed, flavour) for seed in range(count)]
    return [Book.of(row.snapshot, row.mandate) for row in rows]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_rounded_orders_are_whole_lots_that_end_no_further_from_zero(flavour: str) -> None:
    for book in books(flavour):
        for key in book.pairs:
            row, held = book.instruments[key[1]], book.quantity[key]
            for wished in (Decimal("1.234567"), Decimal("-7.654321"), -held * Decimal("0.77")):
                size = order_lots(book, key, wished)
                assert size % row.lot == 0
                raised = abs(size) * book.notional(row.id) <= book.units[row.id].smallest
                if size and not raised and (row.max_quantity or abs(wished)) >= abs(wished):
                    assert abs(held + size) <= abs(held + wished) + row.lot * Decimal("1e-8")


@pytest.mark.parametrize("flavour", ["plain", "options", "spot", "quanto"])
def test_limit_prices_are_ticks_inside_what_is_allowed(flavour: str) -> None:
    for book in books(flavour):
        for key in (*book.pairs, *book.spot_pairs):
            row = book.instruments[key[1]]
            if row.bid is None or row.ask is None or row.bid < row.tick:
                continue
            for signed in (row.lot, -row.lot):
                order = order_of(book, key, signed, Place(1, None, ()))
                allowed = price_range(book, order)
                assert allowed is not None
                assert allowed[0] <= order.limit_price <= allowed[1]
                assert order.limit_price % row.tick == 0


def test_a_wish_smaller_than_a_lot_is_dropped() -> None:
    book = books("plain", 1)[0]
    key = book.pairs[0]
    tiny = float(book.instruments[key[1]].lot) / 1000
    assert rounded(book, Wish({key: tiny}, {}, {})).count == 0
