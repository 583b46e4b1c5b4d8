"""The durable record: written before anything is sent, fenced by epoch, audited.

Every method is one transaction: the change, its audit event and its alert stand together or not
at all, and are on the disk when it returns.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, select

from allocator.execution import audit
from allocator.execution.arrivals import arrived
from allocator.execution.attempts import (
    Attempt,
    fees_text,
    of_row,
    quantity,
    sender,
    text_hash,
    touched,
)
from allocator.execution.database import READ_ONLY
from allocator.execution.entries import (
    Entry,
    Place,
    action_rows,
    attempt_row,
    freeze_account,
    give_to_person,
    keep_figures,
    move_attempt,
    new_row,
    plan_row,
    refuse_frozen,
    refuse_halted,
    step_action,
    tell_refusals,
    tell_state,
)
from allocator.execution.leader import Lease, check_epoch, fence
from allocator.execution.office import Office
from allocator.execution.recorded import cycle_record, plan_known
from allocator.execution.reservations import Reservation, reserve, set_aside
from allocator.execution.shortfall import Shortfall
from allocator.execution.transitions import Stage, State, of_found, of_outcome
from allocator.models.base import json_value, plain, stamp
from allocator.models.canonical import canonical_json, mandate_hash, snapshot_hash
from allocator.models.errors import JournalError, RefusedError
from allocator.models.intents import Ack, Found, Intent, Outcome, Rejected
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.records import (
    ActionRow,
    AttemptRow,
    CycleRow,
    OpeningRow,
    PlanRow,
)
from allocator.models.snapshot import Snapshot
from allocator.ports import Clock
from allocator.risk.approvals import person
from allocator.risk.control import Refusal


class Journal(Office):
    """Writes the record as the leader of one epoch.

    Parameters
    ----------
    engine
        A database at the schema of this release.
    lease
        Who writes; a later epoch fences this one.
    clock
        Tells the time of every entry.
    """

    def __init__(self, engine: Engine, lease: Lease, clock: Clock) -> None:
        super().__init__(engine, lease.name, clock)
        self._lease = lease

    @property
    def lease(self) -> Lease:
        """The epoch it writes under."""
        return self._lease

    @contextmanager
    def write(self) -> Generator[Entry]:
        """Open a transaction that only the present leader can commit."""
        with Session(self._engine) as session, session.begin():
            audit.alone(session)
            fence(session, self._lease)
            entry = Entry(session, self._clock.now(), self._lease.epoch)
            yield entry
            entry.finish()

    def check_lead(self) -> None:
        """Check that nobody has taken over, before a venue is told what no write goes before.

        Raises
        ------
        FencedError
            When a later leader has.
        """
        with Session(self._engine.execution_options(**{READ_ONLY: True})) as session:
            check_epoch(session, self._lease)

    # Cycles and plans

    def open_cycle(self, portfolio: str, slot: str) -> int | None:
        """Begin a cycle; None when the slot has had its cycle.

        One that broke off before it had a plan begins anew: nothing can have come of it.
        """
        with self.write() as entry:
            same = select(CycleRow).where(CycleRow.portfolio == portfolio, CycleRow.slot == slot)
            row = entry.session.exec(same).first()
            if row is None:
                row = CycleRow(
                    portfolio=portfolio,
                    slot=slot,
                    status="open",
                    epoch=entry.epoch,
                    opened_at=entry.at,
                )
            elif entry.session.exec(select(PlanRow).where(PlanRow.cycle_id == row.id)).first():
                return None
            row.status, row.epoch, row.opened_at = "open", entry.epoch, entry.at
            row.ended_at, row.note = None, ""
            entry.session.add(row)
            entry.session.flush()
            entry.event(f"cycle:{row.id}", "opened", portfolio=portfolio, slot=slot)
            return row.id

    def close_cycle(self, cycle_id: int, status: str, note: str = "") -> None:
        """End, park or supersede a cycle."""
        with self.write() as entry:
            row = entry.session.get(CycleRow, cycle_id)
            if row is None:
                raise JournalError(f"NO_CYCLE: id={cycle_id}")
            row.status, row.note = status, note
            row.ended_at = None if status in ("open", "parked") else entry.at
            entry.session.add(row)
            entry.event(f"cycle:{cycle_id}", status, note=note)
            if status in ("superseded", "failed"):
                entry.alert(f"cycle_{status}", cycle=cycle_id, note=note)

    def record_plan(
        self, cycle_id: int, plan: Plan, snapshot: Snapshot, mandate: Mandate, proposer: str = ""
    ) -> None:
        """Keep a plan and what it was made from; its actions are PLANNED.

        Raises
        ------
        RefusedError
            When the plan was recorded before: a plan is carried out once.
        """
        text = canonical_json(plan.to_json())
        facts = {
            "snapshot": snapshot_hash(snapshot),
            "mandate": mandate_hash(mandate),
            "text": text_hash(text),
        }
        with self.write() as entry:
            _refuse_known(entry.session, plan.plan_hash)
            entry.session.add(
                PlanRow(
                    plan_hash=plan.plan_hash,
                    cycle_id=cycle_id,
                    snapshot_hash=facts["snapshot"],
                    mandate_hash=facts["mandate"],
                    plan_json=text,
                    snapshot_json=canonical_json(json_value(snapshot)),
                    mandate_json=canonical_json(json_value(mandate)),
                    proposer=proposer,
                )
            )
            entry.session.flush()
            for action in plan.actions:
                entry.session.add(
                    ActionRow(
                        plan_hash=plan.plan_hash,
                        seq=action.seq,
                        kind=action.kind,
                        stage=Stage.PLANNED,
                        updated_at=entry.at,
                    )
                )
            subject = f"plan:{plan.plan_hash}"
            facts |= {"proposer": proposer}
            entry.event(subject, "recorded", cycle=cycle_id, actions=len(plan.actions), **facts)

    def approve(self, plan_hash: str, approver: str) -> None:
        """Approve a recorded plan, bound to its hash.

        Raises
        ------
        RefusedError
            When the approver is the one who proposed it.
        """
        with self.write() as entry:
            row = plan_row(entry.session, plan_hash)
            if not approver or person(approver) == person(row.proposer):
                raise RefusedError(f"SAME_EYES: proposer={row.proposer} approver={approver}")
            row.approver, row.approved_at = approver, entry.at
            entry.session.add(row)
            entry.event(f"plan:{plan_hash}", "approved", approver=approver)
            for action in action_rows(entry.session, plan_hash):
                if action.stage == Stage.CHECKED:
                    step_action(entry, action, Stage.APPROVED, f"by {approver}")

    def set_stage(self, plan_hash: str, seqs: Sequence[int], to: Stage, reason: str = "") -> None:
        """Step actions of a plan."""
        with self.write() as entry:
            for action in action_rows(entry.session, plan_hash, seqs):
                if action.seq in seqs:
                    step_action(entry, action, to, reason)

    def set_baseline(self, plan_hash: str, baseline: Any) -> None:
        """Keep what the venues said before the plan's first action."""
        with self.write() as entry:
            row = plan_row(entry.session, plan_hash)
            if row.baseline_json is not None:
                raise JournalError(f"BASELINE_KNOWN: plan_hash={plan_hash}")
            row.baseline_json = canonical_json(baseline)
            entry.session.add(row)
            entry.event(f"plan:{plan_hash}", "baseline", readings=baseline)

    def measured(self, plan_hash: str, rows: Sequence[Shortfall]) -> None:
        """Keep what actions came to; measured again, the later figures stand."""
        with self.write() as entry:
            keep_figures(entry, plan_hash, rows)

    # Attempts

    def intend(  # noqa: PLR0913 - all that bounds what is sent
        self,
        place: Place,
        intent: Intent,
        window_s: Decimal,
        rows: Sequence[Reservation] = (),
        held: Decimal | None = None,
        *,
        scopes: Sequence[str] = ("global",),
        reduces: bool = False,
    ) -> Attempt:
        """Write down what is about to be sent: CHECKED to SENDING, on the disk on return.

        Parameters
        ----------
        window_s
            Seconds after the intent's time at which the venue refuses the request.
        rows, held
            What it takes and brings, and what its account was last seen to hold.
        scopes, reduces
            Breakers that cover what it touches, and whether it may go while only reductions may.

        Raises
        ------
        RefusedError
            When an account it touches is frozen or halted, or holds too little.
        JournalError
            When the id was used before.
        """
        with self.write() as entry:
            refuse_halted(entry.session, scopes, reduces=reduces)
            refuse_frozen(entry.session, intent)
            if entry.session.get(AttemptRow, intent.client_id) is not None:
                raise JournalError(f"ID_USED: client_id={intent.client_id}")
            row = new_row(place, intent, window_s, entry)
            entry.session.add(row)
            entry.session.flush()
            reserve(entry.session, row.client_id, rows, held, entry.at)
            for action in action_rows(entry.session, place.plan_hash, [place.seq]):
                if action.stage != Stage.WORKING:
                    step_action(entry, action, Stage.WORKING, "")
            facts = {
                "plan": place.plan_hash,
                "account": row.account,
                "seq": place.seq,
                "part": place.part,
                "number": place.number,
                "reserves": [set_aside(taken) for taken in rows],
            }
            fence_at = stamp(row.fence_at)
            tell_state(entry, row, State.CHECKED, **facts, request=row.intent_hash, fence=fence_at)
            return of_row(row)

    def refuse(self, place: Place, intent: Intent, refusals: Sequence[Refusal]) -> None:
        """Write down that controls have blocked a request, and trip what they latch."""
        with self.write() as entry:
            subject = f"action:{place.plan_hash}:{place.seq}"
            facts = {"part": place.part, "request": json_value(intent)}
            tell_refusals(entry, subject, refusals, sender(intent), **facts)

    def refuse_plan(self, plan_hash: str, refusals: Sequence[Refusal]) -> None:
        """Write down that controls have blocked a whole plan, and trip what they latch."""
        if refusals:
            with self.write() as entry:
                tell_refusals(entry, f"plan:{plan_hash}", refusals, "")

    def opening(self, portfolio: str, day: str, equity: Decimal) -> Decimal:
        """Tell what a portfolio was worth when a day's first plan came, keeping the first."""
        with self.write() as entry:
            query = select(OpeningRow).where(
                OpeningRow.portfolio == portfolio, OpeningRow.day == day
            )
            row = entry.session.exec(query).first()
            if row is not None:
                return row.equity
            entry.session.add(OpeningRow(portfolio=portfolio, day=day, equity=equity))
            entry.event(f"portfolio:{portfolio}", "opening", day=day, equity=plain(equity))
            return equity

    def outcome(self, client_id: str, outcome: Outcome) -> Attempt:
        """Record what the venue answered to the request."""
        with self.write() as entry:
            row = attempt_row(entry.session, client_id)
            match outcome:
                case Ack():
                    row.venue_id, why = outcome.venue_id, ""
                case Rejected():
                    why = f"{outcome.code}: {outcome.message}"
                case _:
                    why = outcome.why
            move_attempt(entry, row, of_outcome(outcome), why)
            return of_row(row)

    def found(self, client_id: str, found: Found) -> Attempt:
        """Record what the venue says of an attempt; unchanged facts are not written again."""
        with self.write() as entry:
            row = attempt_row(entry.session, client_id)
            attempt, found = of_row(row), arrived(entry.session, client_id, found)
            state = of_found(attempt.kind, found, quantity(attempt.intent), attempt.filled)
            fees = fees_text(found.fees)
            known = (attempt.state, attempt.filled, row.fees_json, attempt.average_price)
            if known == (state, found.filled, fees, found.average_price):
                return attempt
            row.venue_id, row.filled = found.venue_id, found.filled
            row.average_price, row.fees_json = found.average_price, fees
            if state is State.SETTLED:
                row.settled_by = next(iter(found.arrivals), None)
            move_attempt(entry, row, state, found.why)
            return of_row(row)

    def mark(self, client_id: str, to: State, why: str) -> Attempt:
        """Step an attempt by our own conclusion: UNKNOWN or NOT_EXECUTED."""
        if to not in (State.UNKNOWN, State.NOT_EXECUTED):
            raise JournalError(f"NOT_OURS_TO_SAY: to={to}")
        with self.write() as entry:
            row = attempt_row(entry.session, client_id)
            move_attempt(entry, row, to, why)
            return of_row(row)

    def hand_over(self, client_id: str, why: str) -> Attempt:
        """Give an attempt to an operator: MANUAL, its accounts frozen, an alert left."""
        with self.write() as entry:
            row = attempt_row(entry.session, client_id)
            give_to_person(entry, row, why)
            attempt = of_row(row)
            for account in touched(attempt.intent):
                freeze_account(entry, account, why, client_id)
            entry.alert("manual", client_id=client_id, why=why, intent=row.intent_json)
            return attempt


def _refuse_known(session: Session, plan_hash: str) -> None:
    known = session.get(PlanRow, plan_hash)
    cycle = None if known is None else session.get(CycleRow, known.cycle_id)
    if cycle is not None:
        raise RefusedError(plan_known(cycle_record(cycle, plan_hash)))
