"""Limits that nothing can be divided by: a bound of nothing, an equity that is gone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from allocator.models.mandate import Mandate
from allocator.service.monitor.marks import marks_of
from tests.service.monitor.watched import MANDATE, Watched, snapshot


def with_limit(**limit: Any) -> Mandate:
    row = {"id": "one", "scope": {"account": "a"}, "source": "a rule", **limit}
    return Mandate.model_validate({**MANDATE.model_dump(mode="json"), "limits": [row]})


NOTHING = with_limit(measure="gross_notional", max="0")
LEVER = with_limit(measure="leverage", max="2")
FLOOR = with_limit(measure="equity", min="1000")


@pytest.mark.parametrize(
    ("mandate", "a", "wallet"),
    [
        pytest.param(NOTHING, "1", "100000", id="nothing is allowed"),
        pytest.param(LEVER, "1", "-10", id="leverage of no equity"),
        pytest.param(FLOOR, "0", "-10", id="equity that is gone"),
        pytest.param(with_limit(measure="equity", min="0"), "0", "-10", id="a floor of nothing"),
    ],
)
def test_a_limit_that_is_passed_is_used_beyond_every_fraction(
    mandate: Mandate, a: str, wallet: str
) -> None:
    (row,) = marks_of(snapshot(a=a, wallet=wallet), mandate).limits
    assert row.share is not None
    assert row.share > 100


@pytest.mark.parametrize(
    ("mandate", "a"),
    [
        pytest.param(NOTHING, "0", id="nothing is allowed, and nothing is there"),
        pytest.param(with_limit(measure="equity", min="0"), "1", id="a floor of nothing"),
        pytest.param(LEVER, "0", id="no position"),
    ],
)
def test_a_limit_of_nothing_that_holds_is_not_used(mandate: Mandate, a: str) -> None:
    (row,) = marks_of(snapshot(a=a), mandate).limits
    assert row.share == Decimal(0)


def test_an_account_without_money_or_position_uses_nothing_of_its_leverage() -> None:
    (row,) = marks_of(snapshot(a="0", wallet="0"), LEVER).limits
    assert row.share == Decimal(0)


def test_a_trigger_fires_on_a_limit_of_nothing_and_again_once_it_has_held(
    watched: Watched,
) -> None:
    assert "used" not in watched.look(0, mandate=NOTHING, a="0")
    assert "used" in watched.look(1, mandate=NOTHING, a="1")
    assert "used" not in watched.look(2, mandate=NOTHING, a="1")
    assert "used" not in watched.look(20, mandate=NOTHING, a="0")
    assert "used" in watched.look(21, mandate=NOTHING, a="1")
