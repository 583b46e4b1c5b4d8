"""Accounts that nothing can liquidate have come back, whatever their last figure was."""

from __future__ import annotations

from decimal import Decimal

import pytest

from allocator.models.mandate import Mandate
from allocator.models.service import TriggerRule
from allocator.service.monitor.marks import marks_of
from allocator.service.monitor.observed import observation
from tests.service.monitor.watched import Watched, snapshot


@pytest.mark.parametrize(
    ("on", "threshold"), [("margin_ratio", "1.5"), ("liquidation_distance", "0.05")]
)
def test_a_trigger_fires_again_on_an_account_that_was_flat_in_between(
    watched: Watched, on: str, threshold: str
) -> None:
    rule = {"id": "near", "on": on, "threshold": threshold, "cooldown_s": 60}
    watched.monitor._rules = (TriggerRule.model_validate(rule),)
    assert watched.look(0) == []
    assert watched.look(1, wallet="300") == ["near"]
    assert watched.look(3, wallet="300") == []
    assert watched.look(5, a="0", wallet="300") == []
    assert watched.look(7, wallet="300") == ["near"]


def test_an_account_that_was_not_read_is_neither_safe_nor_near() -> None:
    marks = marks_of(snapshot(a="0"), Mandate(), {"b": "timeout"})
    seen = observation(marks, rates={}, day_start=None, fallen=None, venue_ages_s={})
    for kind in ("margin_ratio", "liquidation_distance"):
        figures = seen.figures[kind]  # type: ignore[index]
        assert "b" not in figures
        assert (figures["a"] or 0) >= Decimal(1000)
    assert marks.accounts[0].ratio is None, "what is shown stays what is known"
