"""What triggers remember, kept where a failover finds it; a firing and its slot in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, select

from allocator.execution.database import READ_ONLY
from allocator.execution.leader import Lease, fence
from allocator.models.base import stamp
from allocator.models.service_records import TriggerRow
from allocator.risk.triggers import Firing, Key, Line
from allocator.service.monitor.memory import Heard, Memory
from allocator.service.scheduler.slots import Asked, write


class Lines:
    """The trigger lines of one portfolio, and what they are reckoned from."""

    def __init__(self, engine: Engine, portfolio: str) -> None:
        self._engine = engine
        self._portfolio = portfolio
        self.memory = Memory(engine, portfolio)

    def read(self) -> dict[Key, Line]:
        """Read what is remembered."""
        reads = self._engine.execution_options(**{READ_ONLY: True})
        query = select(TriggerRow).where(TriggerRow.portfolio == self._portfolio)
        with Session(reads) as session:
            return {
                (row.rule, row.subject): Line(row.since, row.armed, row.fired_at)
                for row in session.exec(query)
            }

    def keep(  # noqa: PLR0913, PLR0917 - what a look comes to
        self,
        lease: Lease,
        before: Mapping[Key, Line],
        after: Mapping[Key, Line],
        firings: Sequence[Firing],
        at: datetime,
        heard: Heard | None = None,
    ) -> None:
        """Keep what changed and was heard, and write the slots of what fired, in one go.

        Raises
        ------
        FencedError
            When another leads by now: it watches the triggers.
        """
        changed = {key: line for key, line in after.items() if before.get(key, Line()) != line}
        heard = heard or Heard()
        if not (changed or firings or heard.statuses or heard.rates):
            return
        with Session(self._engine) as session, session.begin():
            fence(session, lease)
            for (rule, subject), line in changed.items():
                session.merge(
                    TriggerRow(
                        portfolio=self._portfolio,
                        rule=rule,
                        subject=subject,
                        since=line.since,
                        armed=line.armed,
                        fired_at=line.fired_at,
                    )
                )
            self.memory.write(session, heard, at)
            for firing in firings:
                write(session, self._portfolio, slot_of(firing, at))


def slot_of(firing: Firing, at: datetime) -> Asked:
    """Tell the slot that a firing asks for."""
    subject = f" {firing.subject}" if firing.subject else ""
    return Asked(
        name=f"{firing.rule.id}{subject} {stamp(at)}"[:200],
        source=firing.rule.id,
        origin="trigger",
        kind="repair" if firing.rule.urgent else "plan",
        cause=firing.name,
        due_at=at,
    )
