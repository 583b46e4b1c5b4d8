"""A plan is named by enough digits of its hash, or not at all."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from allocator.execution.office import Office
from allocator.models.errors import RefusedError
from allocator.service.cli.people import LEAST_DIGITS, whole_hash
from tests.execution.book import MANDATE, JumpingClock, order, plan, snapshot


def test_digits_that_begin_one_plan_name_it(lite: Engine) -> None:
    office, made = Office(lite, "desk", JumpingClock()), plan(order(1, "a", "buy", "0.1"))
    assert office.propose(made, snapshot(), MANDATE, "engine")
    assert whole_hash(office, made.plan_hash[:LEAST_DIGITS]) == made.plan_hash
    assert whole_hash(office, made.plan_hash) == made.plan_hash
    with pytest.raises(RefusedError, match="NOT_PROPOSED"):
        whole_hash(office, "0" * 64)


@pytest.mark.parametrize("digits", range(LEAST_DIGITS))
def test_too_few_digits_name_nothing_even_where_one_plan_waits(lite: Engine, digits: int) -> None:
    office, made = Office(lite, "desk", JumpingClock()), plan(order(1, "a", "buy", "0.1"))
    assert office.propose(made, snapshot(), MANDATE, "engine")
    with pytest.raises(RefusedError, match="tell 6 of its digits"):
        whole_hash(office, made.plan_hash[:digits])
