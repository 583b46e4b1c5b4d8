"""The random books that other tests are made of are books."""

from __future__ import annotations

import json

import pytest

from allocator.models.refusals import book_problems
from allocator.models.scenario import Scenario
from tests.books import FLAVOURS, random_book


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_random_books_are_accepted(flavour: str) -> None:
    for seed in range(12):
        scenario = Scenario.model_validate(random_book(seed, flavour))
        assert book_problems(scenario.snapshot, scenario.mandate) == []


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_same_seed_makes_the_same_book(flavour: str) -> None:
    assert random_book(3, flavour) == random_book(3, flavour)
    assert random_book(3, flavour) != random_book(4, flavour)


def test_a_random_book_is_plain_json() -> None:
    book = random_book(1, "mixed")
    assert json.loads(json.dumps(book)) == book
