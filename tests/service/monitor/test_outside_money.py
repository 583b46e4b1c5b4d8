"""Money from outside that people tell of is no profit and hides no loss from triggers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from allocator.execution.office import Office
from allocator.execution.outside import PAID
from allocator.service.monitor.base import Base, Bases
from tests.execution.book import START, JumpingClock
from tests.service.monitor.watched import Watched

MIDNIGHT = 960
"""Minutes from the start."""


def tell(watched: Watched, amount: str, minute: float, portfolio: str = "desk") -> None:
    """Leave what `allocator paid` leaves in the audit."""
    clock = JumpingClock()
    clock.at = START + timedelta(minutes=minute)
    with Office(watched.engine, portfolio, clock).write() as entry:
        facts: Mapping[str, Any] = {"amount": amount, "day": f"{clock.at:%Y-%m-%d}"}
        entry.event(f"portfolio:{portfolio}", PAID, **facts)


def earned(watched: Watched) -> Decimal:
    return Bases(watched.engine, "desk", watched.folder).read().earned


def test_a_deposit_that_was_told_hides_no_loss(watched: Watched) -> None:
    watched.look(0)
    tell(watched, "10000", 1)
    assert "loss" in watched.look(2, wallet="109000")
    assert earned(watched) == -1000


def test_a_withdrawal_that_is_told_once_it_was_seen_is_no_loss(watched: Watched) -> None:
    watched.look(0)
    watched.look(1, wallet="90000")
    tell(watched, "-10000", 2)
    watched.look(3, wallet="90000")
    assert earned(watched) == 0
    watched.monitor = watched.start()
    watched.look(4, wallet="90000")
    assert earned(watched) == 0, "it is counted once, whoever leads"


def test_what_was_told_of_another_day_or_book_or_before_the_first_look_changes_nothing(
    watched: Watched,
) -> None:
    tell(watched, "500", 0)
    watched.look(1)
    tell(watched, "700", 2, portfolio="other")
    tell(watched, "900", 3)
    watched.look(1440)
    assert earned(watched) == 0
    watched.look(1441)
    assert earned(watched) == 0


def test_a_withdrawal_that_is_told_once_it_was_seen_is_no_drawdown_for_good(
    watched: Watched,
) -> None:
    watched.look(0)
    assert "fall" in watched.look(1, wallet="90000")
    tell(watched, "-10000", 2)
    assert watched.look(3, wallet="90000") == []
    assert "fall" not in watched.look(20, wallet="88200"), "1,800 of 190,000"
    watched.monitor = watched.start()
    assert "fall" in watched.look(21, wallet="87900"), "2,100 of 190,000"


def test_a_withdrawal_that_is_told_before_it_leaves_is_no_drawdown(watched: Watched) -> None:
    watched.look(0)
    tell(watched, "-10000", 1)
    assert "fall" not in watched.look(2)
    assert "fall" not in watched.look(3, wallet="90000")
    assert "fall" in watched.look(4, wallet="87900")


def test_a_withdrawal_of_yesterday_is_no_drawdown_today(watched: Watched) -> None:
    watched.look(0)
    tell(watched, "-10000", 1)
    watched.look(2, wallet="90000")
    assert "fall" not in watched.look(1440, wallet="90000")
    assert watched.monitor._base.highest == 190000
    assert "fall" in watched.look(1441, wallet="87900")


def test_what_came_and_left_again_lowers_no_peak(watched: Watched) -> None:
    watched.look(0)
    tell(watched, "10000", 1)
    watched.look(2)
    tell(watched, "-10000", 3)
    assert "fall" in watched.look(4, wallet="97900")


def test_a_deposit_that_is_told_once_it_was_seen_hides_no_drawdown(watched: Watched) -> None:
    watched.look(0)
    watched.look(1, wallet="99000")
    watched.look(2, wallet="109000")
    tell(watched, "10000", 3)
    assert "fall" not in watched.look(4, wallet="109000"), "1,000 of 210,000"
    watched.monitor = watched.start()
    assert "fall" in watched.look(5, wallet="107500"), "2,500 of 210,000"


def test_a_deposit_that_is_told_before_it_comes_hides_no_drawdown_and_is_none(
    watched: Watched,
) -> None:
    watched.look(0)
    tell(watched, "10000", 1)
    assert "fall" not in watched.look(2, wallet="99000")
    assert "fall" not in watched.look(3, wallet="109000")
    assert "fall" in watched.look(4, wallet="107500")


def test_a_peak_of_the_day_before_a_deposit_came_counts_with_it(watched: Watched) -> None:
    for minute, wallet in enumerate(("100000", "105000", "104000", "114000")):
        watched.look(minute, wallet=wallet)
    tell(watched, "10000", 4)
    watched.look(5, wallet="113500")
    assert watched.monitor._base.highest == 215000
    watched.look(6, wallet="116000")
    assert watched.monitor._base.highest == 216000, "what was earned since raises it as ever"


def test_money_that_came_and_then_left_moves_the_peak_each_time(watched: Watched) -> None:
    watched.look(0)
    watched.look(1, wallet="110000")
    watched.look(2, wallet="103000")
    tell(watched, "10000", 3)
    tell(watched, "-7000", 3)
    watched.look(4, wallet="103000")
    assert watched.monitor._base.highest == 203000


def test_a_deposit_in_parts_moves_the_peaks_of_earlier_days_once_a_day_has_passed(
    watched: Watched,
) -> None:
    watched.look(0)
    watched.look(1, wallet="99000")
    tell(watched, "10000", 2)
    watched.look(3, wallet="104500")
    watched.look(4, wallet="109000")
    assert watched.monitor._base.highest == 209000
    watched.look(1441, wallet="109000")
    assert watched.monitor._base.highest == 209000
    watched.look(1442, wallet="109000")
    assert watched.monitor._base.highest == 210000


def test_a_deposit_of_yesterday_moves_no_peak_of_today(watched: Watched) -> None:
    watched.look(0)
    tell(watched, "10000", 1)
    watched.look(2, wallet="110000")
    watched.look(1440, wallet="110000")
    watched.look(1441, wallet="110000")
    assert watched.monitor._base.highest == 210000


def test_a_base_of_an_earlier_release_keeps_its_peak(watched: Watched) -> None:
    old = Base.model_validate_json('{"highest": "200000", "day": "2026-11-20", "heard": 0}')
    bases = Bases(watched.engine, "desk", watched.folder)
    bases.keep(watched.monitor._lease, old, START)
    watched.monitor = watched.start()
    watched.look(0, wallet="99000")
    watched.look(1, wallet="109000")
    tell(watched, "10000", 2)
    assert "fall" in watched.look(3, wallet="107500")


def test_a_deposit_told_just_before_midnight_and_read_after_it_hides_no_drawdown(
    watched: Watched,
) -> None:
    watched.look(0)
    watched.look(MIDNIGHT - 2, wallet="99000")
    tell(watched, "10000", MIDNIGHT - 1)
    watched.look(MIDNIGHT + 1, wallet="99000")
    assert "fall" not in watched.look(MIDNIGHT + 2, wallet="109000"), "1,000 of 210,000"
    assert watched.monitor._base.highest == 210000
    assert "fall" in watched.look(MIDNIGHT + 3, wallet="107500"), "2,500 of 210,000"


def test_a_deposit_seen_before_midnight_and_taken_in_after_it_hides_no_drawdown(
    watched: Watched,
) -> None:
    watched.look(0)
    watched.look(MIDNIGHT - 3, wallet="99000")
    watched.look(MIDNIGHT - 2, wallet="109000")
    tell(watched, "10000", MIDNIGHT - 1)
    watched.look(MIDNIGHT + 1, wallet="109000")
    assert watched.monitor._base.highest == 210000
    assert "fall" in watched.look(MIDNIGHT + 2, wallet="107500")


@pytest.mark.parametrize("amount", [10000, -10000])
@pytest.mark.parametrize("told", [-4, -1, 0, 4])
@pytest.mark.parametrize("came", [-3, 0, 1, 4])
def test_a_flow_at_any_time_around_midnight_changes_the_peak_by_its_amount(
    watched: Watched, amount: int, told: int, came: int
) -> None:
    """The book loses 1,000 at first, whatever comes or leaves; 2,500 at last."""
    watched.look(0)
    waits = True
    for minute in range(-5, 6):
        if minute > told and waits:
            tell(watched, str(amount), MIDNIGHT + told)
            waits = False
        held = 99000 + (amount if minute >= came else 0)
        fired = watched.look(MIDNIGHT + minute + 0.5, wallet=str(held))
        if minute >= max(told, came) + 1:
            assert "fall" not in fired
            assert watched.monitor._base.peak == 200000 + amount
    last = str(97500 + amount)
    assert "fall" in watched.look(MIDNIGHT + 30, wallet=last)
