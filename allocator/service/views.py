"""What people and programs are shown, from the record and from what an instance knows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from allocator.execution.recorded import Proposal
from allocator.execution.summary import outcome
from allocator.models import api
from allocator.models.plan import Plan
from allocator.models.records import CycleRow, EventRow, PlanRow, ProposalRow
from allocator.risk.approvals import Standing, standing, turnover_of
from allocator.service.anchors import known_heads
from allocator.service.condition import Condition
from allocator.service.mandate_versions import Unreadable, Version
from allocator.service.marked import Marked
from allocator.service.monitor.history import Group
from allocator.service.monitor.marks import AccountMark, Marks
from allocator.service.scheduler.due import next_fire
from allocator.service.scheduler.slot import Slot, executing
from allocator.service.snapshots import MissingError
from allocator.state import Book
from allocator.whatif.difference import differences

if TYPE_CHECKING:
    from allocator.service.run import Service

KNOWN = 64
"""Proposals that are kept read."""

FIGURES = (AccountMark.model_fields.keys() & api.AccountView.model_fields.keys()) - {
    "account", "owner", "venue", "state", "on_its_way",
}  # fmt: skip


class Views:
    """Answers from one instance.

    Parameters
    ----------
    service
        The instance.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._history = service.office.history
        self._proposal = lru_cache(KNOWN)(self._read_proposal)
        self._marked = Marked(service)
        self._condition = Condition(service)

    # The book

    def marks(self) -> Marks | None:
        """Tell the latest marks; see `Marked.latest`."""
        return self._marked.latest()[0]

    def book(self) -> api.BookView:
        """Show the whole book."""
        service, (marks, source) = self._service, self._marked.latest()
        return api.BookView(
            marks=source,
            portfolio=service.portfolio,
            mode=service.config.mode,
            at=None if marks is None else marks.at,
            equity=None if marks is None else marks.equity,
            on_its_way=None if marks is None else marks.on_its_way,
            in_doubt=None if marks is None else marks.in_doubt,
            unfit="" if marks is None else marks.unfit,
            accounts=self.accounts(marks),
            exposures=()
            if marks is None
            else tuple(api.ExposureView(**row.model_dump()) for row in marks.exposures),
            limits=()
            if marks is None
            else tuple(api.LimitView(**row.model_dump()) for row in marks.limits),
            breakers=self.breakers(),
            venues=self.venues(marks),
        )

    def accounts(self, marks: Marks | None) -> tuple[api.AccountView, ...]:
        """Show every configured account; what was not read has no figures."""
        service, now = self._service, self._service.clock.now()
        known = {} if marks is None else {row.account: row for row in marks.accounts}
        absent = {} if marks is None else {row.account: row.on_its_way for row in marks.absent}
        missing = {} if marks is None else marks.unread
        frozen = self._history.frozen()
        age = None if marks is None else Decimal(str((now - marks.at).total_seconds()))
        out = list[api.AccountView]()
        for row in service.config.accounts:
            mark, venue = known.get(row.id), service.config.logins[row.login].venue
            state = "unread" if mark is None else mark.state
            out.append(
                api.AccountView(
                    account=row.id,
                    venue=venue,
                    owner=row.owner,
                    state="frozen" if row.id in frozen else state,
                    age_s=None if mark is None else age,
                    missing=missing.get(row.id, ""),
                    frozen=frozen.get(row.id) or self._barred(venue, marks),
                    live=_sends(service.config.mode, live=row.live),
                    on_its_way=absent.get(row.id) if mark is None else mark.on_its_way,
                    **_figures(mark),
                )
            )
        return tuple(out)

    def venues(self, marks: Marks | None) -> tuple[api.VenueView, ...]:
        """Show how each configured venue says that it stands."""
        config = self._service.config
        told = {} if marks is None else marks.statuses
        return tuple(
            api.VenueView(venue=name)
            if name not in told
            else api.VenueView(
                venue=name,
                state=told[name].state,
                until=told[name].until,
                words=told[name].words,
            )
            for name in sorted({config.logins[row.login].venue for row in config.accounts})
        )

    def _barred(self, venue: str, marks: Marks | None) -> str:
        """Say why a venue's own word keeps its accounts still; empty: it does not."""
        told = None if marks is None else marks.statuses.get(venue)
        if told is None or told.accounts != "frozen":
            return ""
        follows = self._service.config.gather.follows(venue)
        return f"{venue} says {told.words}" if follows else ""

    def breakers(self) -> tuple[api.BreakerView, ...]:
        """Show breakers that were ever tripped."""
        return tuple(
            api.BreakerView(
                scope=row.scope, state=str(row.state), reason=row.reason, who=row.who, at=row.at
            )
            for row in self._history.breakers()
        )

    # Plans

    def plan_hashes(self, limit: int) -> list[str]:
        """Name the latest proposals, the latest first."""
        from sqlmodel import Session, col, select

        query = select(ProposalRow.plan_hash).order_by(col(ProposalRow.at).desc()).limit(limit)
        with Session(self._service.slots.reads) as session:
            return list(session.exec(query).all())

    def plans(self, limit: int) -> tuple[api.PlanSummary, ...]:
        """List proposals with where they stand, the latest first."""
        return tuple(self.summary(row) for row in self.plan_hashes(limit))

    def _read_proposal(self, plan_hash: str) -> tuple[Proposal, Book]:
        found = self._history.proposal(plan_hash)
        if found is None:
            raise MissingError(f"NO_PLAN: plan_hash={plan_hash}")
        return found, Book.of(found.snapshot, found.mandate)

    def proposal(self, plan_hash: str) -> tuple[Proposal, Book]:
        """Read a proposal with its book.

        Raises
        ------
        MissingError
            When there is none.
        """
        return self._proposal(plan_hash)

    def standing(self, plan_hash: str) -> Standing:
        """Tell where a proposal's approval stands now."""
        found, book = self.proposal(plan_hash)
        verdicts = self._history.verdicts(plan_hash)
        config, now = self._service.config.approval, self._service.clock.now()
        return standing(book, found.plan, verdicts, config, now)

    def summary(self, plan_hash: str) -> api.PlanSummary:
        """Show a proposal in short."""
        found, book = self.proposal(plan_hash)
        stands = self.standing(plan_hash)
        plan, execution = found.plan, self._execution(plan_hash)
        return api.PlanSummary(
            plan_hash=plan_hash,
            at=found.at,
            proposer=found.proposer,
            status=plan.status,
            actions=len(plan.actions),
            total=plan.cost.total,
            do_nothing=plan.cost.do_nothing,
            turnover=turnover_of(book, plan.actions),
            approval=stands.status,
            needed=stands.needed,
            expires_at=stands.expires_at,
            verdicts=tuple(
                api.VerdictView(who=row.who, verdict=row.verdict, reason=row.reason, at=row.at)
                for row in self._history.verdicts(plan_hash)
            ),
            begun=execution is not None,
            execution=execution or "",
        )

    def _execution(self, plan_hash: str) -> str | None:
        """Tell how the cycle of a plan stands; None: nobody has begun to carry it out."""
        from sqlmodel import Session, select

        query = select(CycleRow.status).join(PlanRow).where(PlanRow.plan_hash == plan_hash)
        with Session(self._service.slots.reads) as session:
            status = session.exec(query).first()
        if status != "ended":
            return status
        return outcome(self._history.actions(plan_hash), gave_up=False)

    def plan(self, plan_hash: str) -> api.PlanView:
        """Show a proposal in full."""
        found, _ = self.proposal(plan_hash)
        return api.PlanView(
            summary=self.summary(plan_hash), plan=found.plan, snapshot_as_of=found.snapshot.as_of
        )

    def compare(self, before: str, after: str) -> api.Difference:
        """Compare two proposals."""
        first, second = self.proposal(before)[0].plan, self.proposal(after)[0].plan
        return api.Difference(before=before, after=after, lines=_lines(first, second))

    # What was and is done

    def execution(self, plan_hash: str) -> api.ExecutionView:
        """Show how a plan is being carried out, or was.

        Raises
        ------
        MissingError
            When nobody has begun or asked to carry it out.
        """
        from sqlmodel import Session, select

        query = select(CycleRow).join(PlanRow).where(PlanRow.plan_hash == plan_hash)
        with Session(self._service.slots.reads) as session:
            cycle = session.exec(query).first()
        if cycle is None:
            slot = self._service.slots.named(executing(plan_hash))
            if slot is None:
                raise MissingError(f"NO_EXECUTION: plan_hash={plan_hash}")
            return api.ExecutionView(plan_hash=plan_hash, status=slot.status, note=slot.note)
        return api.ExecutionView(
            plan_hash=plan_hash,
            cycle=cycle.id,
            status=cycle.status,
            note=cycle.note,
            stages=tuple(
                api.StageView(seq=r.seq, kind=r.kind, stage=str(r.stage), reason=r.reason)
                for r in self._history.actions(plan_hash)
            ),
            attempts=tuple(
                api.AttemptView(
                    client_id=r.client_id,
                    seq=r.seq,
                    part=r.part,
                    number=r.number,
                    kind=r.kind,
                    state=str(r.state),
                    at=r.intent_at,
                    filled=r.filled,
                    average_price=r.average_price,
                    reason=r.reason,
                )
                for r in self._history.attempts(plan_hash)
            ),
        )

    def slots(self, limit: int) -> tuple[api.SlotView, ...]:
        """List slots, the latest first."""
        return tuple(slot_view(row) for row in self._service.slots.recent(limit))

    def schedules(self) -> tuple[api.ScheduleView, ...]:
        """List schedules with when they come next."""
        now, paused = self._service.clock.now(), self._service.slots.paused()
        return tuple(
            api.ScheduleView(
                id=row.id,
                cron=row.cron,
                every_s=row.every_s,
                next_at=next_fire(row, now),
                paused=paused.get(row.id, ""),
            )
            for row in self._service.config.service.schedules
        )

    def events(
        self, after: int, limit: int, subject: str | None = None
    ) -> tuple[api.EventView, ...]:
        """List lines of the audit in order."""
        return tuple(
            api.EventView(
                seq=r.seq, at=r.at, epoch=r.epoch, subject=r.subject, what=r.what, facts=r.facts
            )
            for r in self._history.events(subject, after, limit)
        )

    def last_event(self) -> int:
        """Tell the number of the audit's last line; 0: it is empty."""
        from sqlmodel import Session, col, select

        query = select(EventRow.seq).order_by(col(EventRow.seq).desc()).limit(1)
        with Session(self._service.slots.reads) as session:
            return session.exec(query).first() or 0

    def audit_check(self) -> api.AuditCheck:
        """Check the audit's chain against itself and against the heads kept elsewhere."""
        at, history = self._service.clock.now(), self._history
        faults = known_heads(self._service.config.service.history, history).verify(history)
        return api.AuditCheck(
            whole=not faults,
            events=self.last_event(),
            checked_at=at,
            faults=tuple(
                row.what if row.seq is None else f"event {row.seq}: {row.what}" for row in faults
            ),
        )

    def mandates(self, limit: int) -> tuple[api.MandateView, ...]:
        """List versions of the mandate, the latest first; also those that cannot be read."""
        return tuple(mandate_view(row) for row in self._service.mandates.all(limit))

    # What was earned

    def profit(
        self, by: Group, since: datetime, until: datetime, *, whole: bool = True
    ) -> tuple[api.ProfitView, ...]:
        """Add up what was earned in (since, until], refused or not where marks are unreadable."""
        return tuple(
            api.ProfitView.model_validate(row)
            for row in self._service.store.profit(by, since, until, whole=whole)
        )

    def lacking(self, since: datetime, until: datetime) -> tuple[str, ...]:
        """Name the files of marks of these days that cannot be read."""
        return self._service.store.lacking(since, until)

    def equity(self, by: Group, since: datetime, until: datetime) -> tuple[api.EquityView, ...]:
        """Follow equity over (since, until]."""
        return tuple(
            api.EquityView.model_validate({k: row[k] for k in api.EquityView.model_fields})
            for row in self._service.store.equity(by, since, until)
        )

    # Whether all is well

    def health(self) -> api.Health:
        """Tell whether this instance is of use."""
        return self._condition.health()


def _sends(mode: Literal["dry", "loopback", "live"], *, live: bool) -> bool:
    return mode == "loopback" or (mode == "live" and live)


def _figures(mark: AccountMark | None) -> dict[str, Any]:
    return {} if mark is None else {name: getattr(mark, name) for name in FIGURES}


def _lines(before: Plan, after: Plan) -> tuple[str, ...]:
    return tuple(f"{what}: {a or '-'} -> {b or '-'}" for what, a, b in differences(before, after))


def slot_view(row: Slot) -> api.SlotView:
    """Show a slot."""
    return api.SlotView(
        id=row.id,
        name=row.name,
        source=row.source,
        kind=row.kind,
        cause=row.cause,
        due_at=row.due_at,
        status=row.status,
        note=row.note,
        began_at=row.began_at,
        ended_at=row.ended_at,
        plan_hash=row.plan_hash,
    )


def mandate_view(row: Version | Unreadable) -> api.MandateView:
    """Show a version of the mandate."""
    read = row if isinstance(row, Version) else None
    return api.MandateView(
        version=row.version,
        status=row.status,
        mandate_hash=row.hash,
        note=row.note,
        author=row.author,
        created_at=row.created_at,
        published_by=row.published_by,
        published_at=row.published_at,
        mandate=None if read is None else read.mandate,
        unchecked="" if read is None else read.unchecked,
        unreadable=row.why,
    )
