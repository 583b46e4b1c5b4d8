"""An account that comes into the book or is taken out of it brings no profit and leaves no loss."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.execution.book import START
from tests.service.monitor.watched import MANDATE, Watched, snapshot


def look(watched: Watched, minute: float, names: str, **changes: Any) -> list[str]:
    """Look at a book of these accounts alone, whose instance has just started with them."""
    watched.monitor = watched.start()
    venues = {"a": "alpha", "b": "beta"}
    watched.monitor._venues = {name: venues[name] for name in names}
    seen = snapshot(START + timedelta(minutes=minute), **changes)
    rows = tuple(row for row in seen.accounts if row.id in names)
    seen = seen.model_copy(update={"accounts": rows})
    return [
        row.rule.id for row in watched.monitor.take(seen, MANDATE, {}) if row.rule.id != "drift"
    ]


def test_an_account_that_is_taken_out_is_no_drawdown(watched: Watched) -> None:
    look(watched, 0, "ab")
    assert "fall" not in look(watched, 1, "a")
    assert "fall" in look(watched, 2, "a", wallet="98500"), "1,500 of 100,000"


def test_an_account_that_is_added_hides_no_drawdown(watched: Watched) -> None:
    look(watched, 0, "a")
    look(watched, 1, "a", wallet="99100")
    assert "fall" in look(watched, 2, "ab", wallet="97500"), "2,500 of 200,000"


def test_what_happened_to_an_account_while_it_was_out_is_no_profit(watched: Watched) -> None:
    look(watched, 0, "ab")
    look(watched, 1, "b")
    assert "loss" not in look(watched, 2, "ab", wallet="70000")
    assert watched.monitor._base.earned == 0
    assert "fall" not in look(watched, 3, "ab", wallet="70000")
    assert "loss" in look(watched, 4, "ab", wallet="69000")


def test_an_account_of_another_name_keeps_the_peak(watched: Watched) -> None:
    look(watched, 0, "a")
    look(watched, 1, "b")
    assert watched.monitor._base.highest == 100000
