"""Plans of random books against the exact model, and the exact model against enumeration."""

from __future__ import annotations

from decimal import Decimal

import pytest

from allocator.plan.lots import Sizes
from allocator.state import Book
from bench.exact.bracket import bracket, replayed
from bench.oracle import measured
from tests.books import FLAVOURS
from tests.minimise.test_exact import best_of_all, book_of

ONCE_MISSED = (
    ("plain", 3),
    ("plain", 4),
    ("collateral", 4),
    ("broken", 5),
    ("broken", 6),
    ("broken", 7),
    ("spot", 10195),
    ("mixed", 10026),
    ("mixed", 10293),
)
"""Books whose best whole lots lie far from the best sizes without lots."""


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_plan_is_as_good_as_the_exact_model_can_make_it(flavour: str) -> None:
    case = measured(flavour, 10, None, nodes=500)
    assert case.wrong == []


@pytest.mark.parametrize(("flavour", "seed"), ONCE_MISSED)
def test_whole_lots_are_chosen_together(flavour: str, seed: int) -> None:
    case = measured(flavour, seed, None, nodes=500)
    assert case.wrong == []
    assert case.distance <= 0.05


@pytest.mark.parametrize("seed", [10000, 10003])
def test_an_order_may_trade_what_moves_bring(seed: int) -> None:
    """The best plan moves a whole position and closes both with one order."""
    assert measured("moves", seed, None).wrong == []


def test_a_pair_meant_for_a_lower_bracket_leaves_the_higher_one() -> None:
    """The margin rate of a bracket holds only for a position that ends inside it."""
    case = measured("mixed", 10029, None)
    assert case.wrong == []
    assert case.shortfall == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_the_exact_model_finds_what_enumeration_finds(seed: int) -> None:
    book = Book.of(*book_of(seed))
    short, total = best_of_all(book)
    if short:
        pytest.skip("nothing in reach repairs this book")
    idle = replayed(book, Sizes())
    assert idle is not None
    known = bracket(book, float(total), 0.0)
    assert known.bound <= float(total) + 1e-6
    assert known.value is not None
    assert Decimal(repr(known.value)) <= total + Decimal("0.005")
    assert known.value - known.bound < 0.01
