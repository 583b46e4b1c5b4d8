"""From when on a schedule counts: since its latest slot, and never before it said what it says."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlmodel import Session, select

from allocator.execution.audit import alone
from allocator.models.service import Schedule
from allocator.models.service_records import DefinitionRow

REMOVED: Final = ""
"""Definition of a schedule that the configuration no longer has."""

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


def starts(
    session: Session,
    portfolio: str,
    schedules: Mapping[str, str],
    latest: Mapping[str, datetime | None],
    now: datetime,
) -> dict[str, datetime]:
    """Tell from when on slots of schedules count, and write down what the schedules say.

    A time before a schedule was changed has no slots by what it says now.

    Parameters
    ----------
    schedules
        Definition of each schedule of the configuration.
    latest
        The latest slot of each up to now; None: it had none.
    """
    alone(session)
    kept = select(DefinitionRow).where(DefinitionRow.portfolio == portfolio)
    rows = {row.schedule: row for row in session.exec(kept)}
    for name in rows.keys() - schedules.keys():
        rows[name].definition = REMOVED
    out = dict[str, datetime]()
    for name, told in schedules.items():
        first, row = latest[name] or now, rows.get(name)
        if row is None:
            # Of what a release before this one has run it is not known that it was changed.
            row = DefinitionRow(portfolio=portfolio, schedule=name, definition=told, since=first)
        elif row.definition != told:
            before = row.definition or "not there"
            log.info("schedule begins anew", extra={"schedule": name, "was": before, "is": told})
            row.definition, row.since = told, now
        elif row.since > now:
            # Written by a clock that was ahead.
            row.since = first
        session.add(row)
        out[name] = max(row.since, latest[name] or row.since)
    return out
