from __future__ import annotations

import doctest
import itertools

import pytest

from allocator.execution import client_ids
from allocator.execution.client_ids import client_id


def test_id_is_32_hex_digits_and_always_the_same() -> None:
    made = client_id("desk", "ab" * 32, 1, 1, 1)
    assert made == client_id("desk", "ab" * 32, 1, 1, 1)
    assert len(made) == 32
    assert set(made) <= set("0123456789abcdef")


def test_every_part_of_the_name_changes_the_id() -> None:
    places = itertools.product(("x", "y"), ("h1", "h2"), (1, 2, 11), (1, 2, 11), (1, 2, 11))
    made = [client_id(*place) for place in places]
    assert len(set(made)) == len(made)


def test_parts_do_not_run_into_each_other() -> None:
    assert client_id("a", "bc", 1, 1, 1) != client_id("ab", "c", 1, 1, 1)


@pytest.mark.parametrize("place", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_counts_start_at_one(place: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="counted from one"):
        client_id("a", "b", *place)


def test_doctest_holds() -> None:
    assert doctest.testmod(client_ids).failed == 0
