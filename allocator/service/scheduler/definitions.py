"""From when on a schedule counts: since its latest slot, and never before it said what it says.

What fell due by what it said before, and nothing wrote down, was missed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlmodel import Session, col, select

from allocator.execution.audit import alone
from allocator.models.service import Schedule
from allocator.models.service_records import DefinitionRow, PauseRow, SlotRow
from allocator.service.scheduler.due import due
from allocator.service.scheduler.slot import Asked

REMOVED: Final = ""
"""Definition of a schedule that the configuration no longer has."""

CHANGED: Final = "nothing ran it, and the schedule was changed since"

log = logging.getLogger(__name__)


def definition(schedule: Schedule) -> str:
    """Write when a schedule's slots fall due; the same for what says the same.

    >>> definition(Schedule.model_validate({"id": "x", "every_s": "60.0"}))
    'every 60 s'
    >>> definition(Schedule(id="x", cron="0  * * * *"))
    'cron 0 * * * *'
    """
    if schedule.every_s is not None:
        return f"every {schedule.every_s.normalize():f} s"
    assert schedule.cron is not None
    return f"cron {' '.join(schedule.cron.split())}"


def schedule_of(name: str, told: str) -> Schedule | None:
    """Read a definition back; None: it is of no schedule, or none that this release knows.

    >>> schedule_of("x", "every 60 s") == Schedule(id="x", every_s=Decimal(60))
    True
    """
    kind, _, rest = told.partition(" ")
    try:
        match kind:
            case "every":
                return Schedule(id=name, every_s=Decimal(rest.removesuffix(" s")))
            case "cron":
                return Schedule(id=name, cron=rest)
            case _:
                return None
    except (ValueError, ArithmeticError):
        return None


def last_due(session: Session, portfolio: str, schedule: str, until: datetime) -> datetime | None:
    """Tell the latest slot of a schedule up to a time; None: it had none by then."""
    query = (
        select(SlotRow.due_at)
        .where(
            SlotRow.portfolio == portfolio,
            SlotRow.origin == "schedule",
            SlotRow.source == schedule,
            col(SlotRow.due_at) <= until,
        )
        .order_by(col(SlotRow.due_at).desc())
        .limit(1)
    )
    return session.exec(query).first()


def starts(
    session: Session, portfolio: str, schedules: Mapping[str, str], now: datetime
) -> tuple[dict[str, datetime], list[Asked]]:
    """Tell from when on slots of schedules count, and write down what the schedules say.

    A time before a schedule was changed has no slots by what it says now.

    Parameters
    ----------
    schedules
        Definition of each schedule of the configuration.

    Returns
    -------
    From when on the slots of each count, and those that were missed by what was said before.
    """
    alone(session)
    kept = select(DefinitionRow).where(DefinitionRow.portfolio == portfolio)
    rows = {row.schedule: row for row in session.exec(kept)}
    passed = list[Asked]()
    for name in sorted(rows.keys() - schedules.keys()):
        passed += _passed(session, rows[name], now)
        rows[name].definition = REMOVED
    out = dict[str, datetime]()
    for name, told in schedules.items():
        latest, row = last_due(session, portfolio, name, now), rows.get(name)
        first = latest or now
        if row is None:
            # Of what a release before this one has run it is not known that it was changed.
            row = DefinitionRow(portfolio=portfolio, schedule=name, definition=told, since=first)
        elif row.definition != told:
            before = row.definition or "not there"
            log.info("schedule begins anew", extra={"schedule": name, "was": before, "is": told})
            passed += _passed(session, row, now)
            row.definition, row.since = told, now
        elif row.since > now:
            # Written by a clock that was ahead.
            row.since = first
        session.add(row)
        out[name] = max(row.since, latest or row.since)
    return out, passed


def _passed(session: Session, row: DefinitionRow, now: datetime) -> list[Asked]:
    """List what fell due by what a schedule said until now, and nobody wrote down."""
    schedule = schedule_of(row.schedule, row.definition)
    rests = session.get(PauseRow, (row.portfolio, row.schedule)) is not None
    if schedule is None or rests:
        return []
    after = last_due(session, row.portfolio, row.schedule, now) or row.since
    missed = due(schedule, max(after, row.since), now)
    return [replace(one, status="missed", note=CHANGED) for one in missed]
