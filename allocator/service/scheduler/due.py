"""Which slots are due, which were missed, and which one comes next; pure."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any

from allocator.models.errors import ConfigError
from allocator.models.service import Schedule
from allocator.service.clock import MOST_LEAP_S
from allocator.service.scheduler.slot import Asked, Slot, named_at

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_TOLD = 100
"""Missed slots that are written down one by one; of more, the latest."""

MOST_COUNTED = 5_000
"""Slots of a cron line that are counted one by one; of a longer time, these and the last day's."""

OLDEST = timedelta(days=1)
"""For how long back slots are counted beyond that."""

AHEAD = timedelta(seconds=MOST_LEAP_S)
"""By how much the clock of the instance that wrote a slot down may be ahead of ours."""

LATE = "late by {late_s:.0f} s, more than {grace_s} s"
PAUSED = "the schedule is paused"
GONE = "dropped: its schedule was taken out of the configuration"
CAUSE = "schedule {}"
OVERTAKEN = "another slot of it is due already"
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NUMBERED = re.compile(r"(?:(?P<first>\d)(?:-(?P<last>\d))?|\*)(?:/(?P<step>\d))?")
URGENCY = {"repair": 0, "execute": 1, "plan": 2}


def timer_trigger(schedule: Schedule) -> Any:
    """Make the timer's own trigger of a schedule.

    Raises
    ------
    ConfigError
        When its cron line cannot be read.
    """
    return _trigger(schedule.id, schedule.cron, schedule.every_s)


@lru_cache(maxsize=256)
def _trigger(name: str, cron: str | None, every_s: Decimal | None) -> Any:
    from apscheduler.triggers.cron import CronTrigger
    from apscheduler.triggers.interval import IntervalTrigger

    if every_s is not None:
        interval: Any = IntervalTrigger
        return interval(seconds=float(every_s), start_date=EPOCH, timezone=UTC)
    assert cron is not None
    try:
        *rest, days = cron.split()
        return CronTrigger.from_crontab(" ".join((*rest, _weekdays(days))), timezone=UTC)
    except ValueError as error:
        raise ConfigError(f"schedule {name}: cron {cron!r}: {error}") from error


def _weekdays(field: str) -> str:
    """Name the days of a cron line's last field; 0 and 7 are Sunday, as in crontab(5).

    The timer numbers them from Monday.

    >>> _weekdays("1-5"), _weekdays("0,6"), _weekdays("5-7"), _weekdays("*/2"), _weekdays("sat-sun")
    ('mon,tue,wed,thu,fri', 'sun,sat', 'fri,sat,sun', 'sun,tue,thu,sat', 'sat,sun')
    """
    return ",".join(_named(part) for part in field.split(","))


def _named(part: str) -> str:
    found = NUMBERED.fullmatch(_numbered(part.lower()))
    if found is None:
        return part
    first, last, step = found["first"], found["last"], int(found["step"] or 1)
    if first is None:
        days = range(7) if found["step"] else range(0)
    else:
        days = range(int(first), int(last or (6 if found["step"] else first)) + 1)
    if any(day > 7 for day in days) or not days or not step:
        return part
    return ",".join(DAYS[day % 7] for day in days[::step])


def _numbered(part: str) -> str:
    """Write days by their numbers; a range that ends with Sunday ends the week.

    >>> _numbered("fri-sun"), _numbered("sun-thu"), _numbered("*/2")
    ('5-7', '0-4', '*/2')
    """
    ends = part.split("-")
    days = [str(DAYS.index(end)) if end in DAYS else end for end in ends]
    if ends[1:] == ["sun"] and ends[0] != "sun":
        days[1] = "7"
    return "-".join(days)


def next_fire(schedule: Schedule, after: datetime) -> datetime | None:
    """Tell the first slot strictly after a time; None when it never comes."""
    moment = after + timedelta(microseconds=1)
    if schedule.every_s is not None:
        every = timedelta(microseconds=int(schedule.every_s * 1_000_000))
        return EPOCH + ((after - EPOCH) // every + 1) * every
    found: datetime | None = timer_trigger(schedule).get_next_fire_time(None, moment)
    return None if found is None else found.astimezone(UTC)


def fires(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the slots in (after, until]."""
    moment = next_fire(schedule, after)
    while moment is not None and moment <= until:
        yield moment
        moment = next_fire(schedule, moment)


def slot_name(schedule: str, at: datetime) -> str:
    """Name a slot of a schedule: every instance gives it the same name."""
    return named_at(schedule, at)


def due(schedule: Schedule, after: datetime, now: datetime) -> list[Asked]:
    """List what has fallen due since a time: one slot to run at most, the rest missed.

    Of several the latest is run; where that is later than its grace, none is. Of very many the
    first that is listed stands for those before it.
    """
    moments, before = _latest(schedule, after, now)
    out = list[Asked]()
    for moment in moments:
        late_s = Decimal(str((now - moment).total_seconds()))
        note = ""
        if late_s > schedule.grace_s:
            note = LATE.format(late_s=late_s, grace_s=schedule.grace_s)
        elif moment is not moments[-1]:
            note = OVERTAKEN
        out.append(
            Asked(
                name=slot_name(schedule.id, moment),
                source=schedule.id,
                origin="schedule",
                kind="plan",
                cause=CAUSE.format(schedule.id),
                due_at=moment,
                status="missed" if note else "due",
                note=note,
                before=0 if out else before,
            )
        )
    return out


def _latest(schedule: Schedule, after: datetime, now: datetime) -> tuple[list[datetime], int]:
    """List the latest slots in (after, now], and count those before them."""
    if schedule.every_s is not None:
        every = timedelta(microseconds=int(schedule.every_s * 1_000_000))
        first, last = (after - EPOCH) // every + 1, (now - EPOCH) // every
        begin = max(first, last - MOST_TOLD + 1)
        return [EPOCH + number * every for number in range(begin, last + 1)], begin - first
    count, moments = 0, deque[datetime](maxlen=MOST_TOLD)
    for moment in islice(fires(schedule, after, now), MOST_COUNTED):
        moments.append(moment)
        count += 1
    if count == MOST_COUNTED:
        for moment in fires(schedule, max(moments[-1], now - OLDEST), now):
            moments.append(moment)
            count += 1
    return list(moments), count - len(moments)


def _of_schedule(row: Slot) -> bool:
    """Whether a schedule asked for a slot.

    A release before 0007 that runs beside this one writes no origin down: its cause tells.
    """
    return row.origin == "schedule" or (
        row.origin == "person" and row.cause == CAUSE.format(row.source)
    )


def _ahead(row: Slot, now: datetime) -> bool:
    """Whether a slot is of a time to come, and was not begun."""
    return row.status == "due" and row.due_at > now + AHEAD


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do now.

    Attributes
    ----------
    run
        The slot that comes next; None: there is nothing to do.
    aside
        Slots that are not run any more, with the reason.
    """

    run: Slot | None
    aside: tuple[tuple[Slot, str], ...] = ()


def choose(
    waiting: Sequence[Slot],
    graces: Mapping[str, Decimal],
    now: datetime,
    paused: Collection[str] = (),
) -> Choice:
    """Choose among waiting slots: repairs before approved plans before the rest, oldest first.

    Parameters
    ----------
    waiting
        The oldest first. What a clock that was ahead wrote down for a schedule waits for its time.
    graces
        Seconds that a slot may be late, by schedule. Of several slots of one schedule (runs that
        overlapped) only the latest stays, and of one that is not among them none: nobody wants its
        plans any more. What a trigger or a person of that id asked for is not of the schedule.
    paused
        Schedules that rest: their slots that have not begun are set aside.
    """
    waiting = [row for row in waiting if not (_of_schedule(row) and _ahead(row, now))]
    planned = [row for row in waiting if _of_schedule(row)]
    latest, ids = {row.source: row.id for row in planned}, {row.id for row in planned}
    aside, rest = list[tuple[Slot, str]](), list[Slot]()
    for row in waiting:
        if row.id not in ids:
            rest.append(row)
            continue
        why = _why_not(row, graces.get(row.source), now, rests=row.source in paused)
        why = why or (OVERTAKEN if latest[row.source] != row.id else "")
        if why:
            aside.append((row, why))
        else:
            rest.append(row)
    rest.sort(key=lambda row: (URGENCY.get(row.kind, len(URGENCY)), row.due_at, row.id))
    return Choice(rest[0] if rest else None, tuple(aside))


def _why_not(row: Slot, grace_s: Decimal | None, now: datetime, *, rests: bool) -> str:
    """Say why a slot of a schedule is not run, whatever else waits; empty: it may be.

    Parameters
    ----------
    grace_s
        None: the configuration has no such schedule.
    """
    if grace_s is None:
        return GONE
    if rests and row.status == "due":
        return PAUSED
    late_s = Decimal(str((now - row.due_at).total_seconds()))
    return LATE.format(late_s=late_s, grace_s=grace_s) if late_s > grace_s else ""
