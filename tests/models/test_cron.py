"""A cron line that does not mean here what it says is a mistake of the configuration."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from allocator.models.cron import cron_problem
from allocator.models.service import LEAST_GRACE_S, Schedule
from allocator.service.scheduler.due import next_fire

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("0 8 * * mon#1", "day of week: 'mon#1' is not understood"),
        ("0x 8 * * *", "minute: '0x' is not understood"),
        ("0 8 * foo *", "month: 'foo' is not understood"),
        ("0 8 1L * *", "day: '1L' is not understood"),
        ("61 * * * *", "minute: '61' is beyond 0 to 59"),
        ("0 8 0 * *", "day: '0' is beyond 1 to 31"),
        ("0 8 * * 5-1", "'5-1' ends before it begins"),
        ("*/0 * * * *", "has a step of 0"),
        ("5-9/5 * * * *", "has a step of 5, which is never taken: it means 5, write that"),
        ("*/60 * * * *", "has a step of 60, which is never taken: it means 0, write that"),
        ("0 8 * * sat-fri", "'sat-fri' ends before it begins"),
        ("0 8 * jan-jul/2 *", "month: 'jan-jul/2' is not understood"),
        ("0 8 * * mon-fri/2", "day of week: 'mon-fri/2' is not understood"),
        ("0 8 * * 1-fri", "day of week: '1-fri' is not understood"),
        ("0 8 * * 02", "day of week: '02' is not understood"),
        ("0 8 1 * 1", "day and day of week are both given"),
        ("0 8 13 * fri", "day and day of week are both given"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 2,4,jun,9,11 *", "never comes"),
        ("0 8 * *", "five fields"),
    ],
)
def test_line_that_says_something_else_is_refused(cron: str, told: str) -> None:
    assert told in str(cron_problem(cron))
    with pytest.raises(ValidationError, match="cron"):
        Schedule(id="x", cron=cron)


@pytest.mark.parametrize(
    "cron",
    ["0 * * * *", "*/15 8-17 * * mon-fri", "0 8 last * *", "0 0 29 2 *", "0 0 31 1-2 *",
     "0 8 */2 * 1", "0 8 1 jan,JUL *", "5,10-20/5 0 * * 0,6-7", "0 0 30/1 2,3 *", "0 8 * * 1-6/2"],
)  # fmt: skip
def test_line_that_crontab_reads_alike_is_good(cron: str) -> None:
    assert cron_problem(cron) is None
    assert next_fire(Schedule(id="x", cron=cron), NOW) is not None


PART = st.builds(
    lambda low, span, step: f"{low}-{low + span}/{step}" if step else f"{low}-{low + span}",
    st.integers(1, 6), st.integers(0, 1), st.integers(0, 3),
)  # fmt: skip


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(PART, PART, st.sampled_from(["*", "29", "30", "31", "last"]), st.integers(1, 12))
def test_line_that_is_good_comes_and_one_that_never_comes_is_told(
    minute: str, hour: str, day: str, month: int
) -> None:
    cron = f"{minute} {hour} {day} {month} *"
    known = cron_problem(cron)
    if known is not None and "never comes" not in known:
        assert "has a step of" in known
        return
    schedule = Schedule.model_construct(id="x", cron=cron, every_s=None)
    assert (next_fire(schedule, NOW) is None) == (known is not None)


@pytest.mark.parametrize("grace_s", ["0", "0.5", "4.9"])
def test_grace_that_no_timer_keeps_is_refused_with_its_reason(grace_s: str) -> None:
    with pytest.raises(ValidationError, match="a timer is late by moments"):
        Schedule(id="x", cron="0 * * * *", grace_s=Decimal(grace_s))
    assert Schedule(id="x", cron="0 * * * *", grace_s=Decimal(LEAST_GRACE_S)).grace_s
