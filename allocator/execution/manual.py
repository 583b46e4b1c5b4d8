"""What an operator says of an attempt that was handed over."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlmodel import Session, col, select

from allocator.execution.attempts import Attempt, of_row, quantity
from allocator.execution.endings import ending
from allocator.execution.entries import (
    Entry,
    action_rows,
    attempt_row,
    attempts_of,
    lift,
    move_attempt,
    need_evidence,
    plan_row,
    step_action,
)
from allocator.execution.office import Office
from allocator.execution.recorded import stored_plan
from allocator.execution.transitions import Stage, State
from allocator.models.base import ZERO, plain
from allocator.models.errors import JournalError, RefusedError
from allocator.models.plan import Action
from allocator.models.records import AttemptRow, FreezeRow

WHOLE = frozenset({State.FILLED, State.SETTLED})
NOTHING = frozenset({State.NOT_EXECUTED, State.RETURNED})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an operator found out about an attempt.

    Attributes
    ----------
    to
        FILLED, CANCELLED, EXPIRED, SETTLED, RETURNED or NOT_EXECUTED, as its kind has them.
    filled
        Contracts, or asset units that arrived.
    evidence
        Where this was seen.
    """

    to: State
    filled: Decimal
    operator: str
    evidence: str


def resolve(office: Office, client_id: str, verdict: Verdict) -> Attempt:
    """End an attempt by evidence, and the action it belongs to; thaws what it froze.

    All of it is one transaction: an operator who finds the attempt ended finds its action ended
    and its accounts thawed as well.

    Raises
    ------
    RefusedError
        When `filled` does not go with the end, or operator or evidence are missing.
    JournalError
        When the attempt is not MANUAL, or does not end like that.
    """
    need_evidence(verdict.operator, verdict.evidence)
    with office.write() as entry:
        row = attempt_row(entry.session, client_id)
        if row.state != State.MANUAL:
            raise JournalError(f"NOT_MANUAL: client_id={client_id} state={row.state}")
        _check(of_row(row), verdict.to, verdict.filled)
        row.filled = verdict.filled
        move_attempt(entry, row, verdict.to, f"{verdict.operator}: {verdict.evidence}")
        _thaw(entry, client_id, verdict)
        _end_action(entry, row)
        return of_row(row)


def _thaw(entry: Entry, client_id: str, verdict: Verdict) -> None:
    query = select(FreezeRow).where(
        FreezeRow.client_id == client_id, col(FreezeRow.lifted_at).is_(None)
    )
    for held in entry.session.exec(query):
        lift(entry, held, verdict.operator, verdict.evidence)


def _end_action(entry: Entry, row: AttemptRow) -> None:
    """End the action of an attempt, if nothing else of it is open."""
    session = entry.session
    action = _action(session, row)
    stage, why = ending(action, attempts_of(session, row.plan_hash, row.seq))
    if stage not in (Stage.MANUAL, Stage.WORKING):
        for line in action_rows(session, row.plan_hash, [row.seq]):
            step_action(entry, line, stage, why)


def _action(session: Session, row: AttemptRow) -> Action:
    plan = stored_plan(plan_row(session, row.plan_hash))
    return next(action for action in plan.actions if action.seq == row.seq)


def _check(attempt: Attempt, to: State, filled: Decimal) -> None:
    asked = quantity(attempt.intent)
    least = asked if to in WHOLE else attempt.filled
    most = ZERO if to in NOTHING else asked
    if not least <= filled <= most:
        raise RefusedError(
            f"FILLED_DIFFERS: to={to} filled={plain(filled)} "
            f"least={plain(least)} most={plain(most)}"
        )
