"""What an operator says of an attempt that was handed over."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from allocator.execution.attempts import Attempt, quantity
from allocator.execution.endings import ending
from allocator.execution.office import Office
from allocator.execution.transitions import Stage, State
from allocator.models.base import ZERO, plain
from allocator.models.errors import RefusedError

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

    Raises
    ------
    RefusedError
        When `filled` does not go with the end, or operator or evidence are missing.
    JournalError
        When the attempt is not MANUAL, or does not end like that.
    """
    attempt = office.history.attempt(client_id)
    if attempt is not None:
        _check(attempt, verdict.to, verdict.filled)
    ended = office.resolve(
        client_id, verdict.to, verdict.filled, verdict.operator, verdict.evidence
    )
    record = office.history.plan(ended.plan_hash)
    assert record is not None
    action = next(row for row in record.plan.actions if row.seq == ended.seq)
    stage, why = ending(action, office.history.attempts(ended.plan_hash, ended.seq))
    if stage not in (Stage.MANUAL, Stage.WORKING):
        office.set_stage(ended.plan_hash, [ended.seq], stage, why)
    return ended


def _check(attempt: Attempt, to: State, filled: Decimal) -> None:
    asked = quantity(attempt.intent)
    least = asked if to in WHOLE else attempt.filled
    most = ZERO if to in NOTHING else asked
    if not least <= filled <= most:
        raise RefusedError(
            f"FILLED_DIFFERS: to={to} filled={plain(filled)} "
            f"least={plain(least)} most={plain(most)}"
        )
