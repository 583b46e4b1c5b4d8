"""What triggers remember, kept where a failover finds it; a firing with its slot and alert."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, select

from allocator.execution import audit
from allocator.execution.database import READ_ONLY
from allocator.execution.entries import Entry
from allocator.execution.leader import Lease, fence
from allocator.models.service_records import TriggerRow
from allocator.risk.triggers import Firing, Key, Line
from allocator.service.monitor.memory import Heard, Memory
from allocator.service.scheduler.slot import Asked, named_at
from allocator.service.scheduler.slots import write


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
        alerts: Sequence[tuple[str, Mapping[str, str]]] = (),
        told: Collection[Firing] | None = None,
    ) -> None:
        """Keep what changed and was heard; write slots and alerts of what fired, in one go.

        Parameters
        ----------
        alerts
            Topics and facts of what is alerted beside what fired.
        told
            Which of what fired is alerted; None: all of it.

        Raises
        ------
        FencedError
            When another leads by now: it watches the triggers.
        """
        changed = {key: line for key, line in after.items() if before.get(key, Line()) != line}
        heard = heard or Heard()
        if not (changed or firings or alerts or heard.statuses or heard.rates):
            return
        with Session(self._engine) as session, session.begin():
            if firings or alerts:
                audit.alone(session)
            fence(session, lease)
            entry = Entry(session, at, lease.epoch)
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
                if told is None or firing in told:
                    entry.alert("trigger", what=firing.name)
            for topic, facts in alerts:
                entry.alert(topic, **facts)
            entry.finish()


def slot_of(firing: Firing, at: datetime) -> Asked:
    """Tell the slot that a firing asks for."""
    return Asked(
        name=firing_name(firing.rule.id, firing.subject, at),
        source=firing.rule.id,
        origin="trigger",
        kind="repair" if firing.rule.urgent else "plan",
        cause=firing.name,
        due_at=at,
    )


def firing_name(rule: str, subject: str, at: datetime) -> str:
    """Name the slot of a firing, by which what came of it is found."""
    return named_at(f"{rule} {subject}" if subject else rule, at)
