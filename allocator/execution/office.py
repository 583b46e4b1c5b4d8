"""What people may write at any time, whoever leads: proposals, verdicts, breakers, evidence.

A leader is fenced by its epoch; a person is not, because a halt must not wait for a lock. Both
append to one audit, one at a time. Nothing here can send anything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select

from allocator.execution import audit
from allocator.execution.attempts import text_hash
from allocator.execution.database import first_line
from allocator.execution.entries import (
    Entry,
    freeze_account,
    lift,
    need_evidence,
    set_breaker,
)
from allocator.execution.history import History
from allocator.execution.leader import latest_epoch
from allocator.models.base import json_value
from allocator.models.canonical import canonical_json, plan_hash
from allocator.models.errors import RefusedError, StaleError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.records import (
    BreakerRow,
    FreezeRow,
    OutboxRow,
    PlanRow,
    ProposalRow,
    VerdictRow,
)
from allocator.models.snapshot import Snapshot
from allocator.ports import Clock
from allocator.risk.approvals import Judged, Said, person
from allocator.risk.breaker import Breaker, check_scope

TRIES = 4
"""How often a halt is written before it is given up; each waits for the database by itself."""

log = logging.getLogger(__name__)


@contextmanager
def write(engine: Engine, portfolio: str, now: Callable[[], datetime]) -> Generator[Entry]:
    """Open a transaction under the present leader's epoch, without being it."""
    with Session(engine) as session, session.begin():
        audit.alone(session)
        entry = Entry(session, now(), latest_epoch(session, portfolio))
        yield entry
        entry.finish()


class Office:
    """Writes what people say, beside whoever leads.

    Parameters
    ----------
    engine
        A database at the schema of this release.
    portfolio
        What is led: the installation.
    clock
        Tells the time of every entry.
    """

    def __init__(self, engine: Engine, portfolio: str, clock: Clock) -> None:
        self._engine = engine
        self._portfolio = portfolio
        self._clock = clock
        self.history = History(engine)

    @property
    def portfolio(self) -> str:
        """What is led."""
        return self._portfolio

    @contextmanager
    def write(self) -> Generator[Entry]:
        """Open a transaction under the present leader's epoch, without being it."""
        with write(self._engine, self._portfolio, self._clock.now) as entry:
            yield entry

    # Plans that somebody has to judge

    def propose(self, plan: Plan, snapshot: Snapshot, mandate: Mandate, proposer: str) -> bool:
        """Store a plan for people to judge; False when it is stored already.

        Raises
        ------
        RefusedError
            When the plan's hash is not its own.
        """
        if plan_hash(plan) != plan.plan_hash:
            raise RefusedError(f"HASH_DIFFERS: what=plan told={plan.plan_hash}")
        texts = [canonical_json(json_value(row)) for row in (plan, snapshot, mandate)]
        with self.write() as entry:
            if entry.session.get(ProposalRow, plan.plan_hash) is not None:
                return False
            entry.session.add(
                ProposalRow(
                    plan_hash=plan.plan_hash,
                    at=entry.at,
                    proposer=proposer,
                    plan_json=texts[0],
                    snapshot_json=texts[1],
                    mandate_json=texts[2],
                )
            )
            text = text_hash("\n".join(texts))
            entry.event(f"proposal:{plan.plan_hash}", "proposed", by=proposer, text=text)
        return True

    def judge(self, plan_hash: str, who: str, verdict: Judged, reason: str = "") -> None:
        """Write down what somebody says of a proposed plan; whoever speaks again is refused.

        Whether the verdict still counts (age, second person) is `approvals.standing`'s to say.

        Raises
        ------
        RefusedError
            When nobody says it, the proposer approves, the plan is not known or has begun, or a
            rejection has no reason.
        """
        with self.write() as entry:
            self._check_verdict(entry, plan_hash, who, verdict, reason)
            row = _said_by(entry, plan_hash, who)
            if row is None:
                row = VerdictRow(
                    plan_hash=plan_hash, who=who, verdict=verdict, reason=reason, at=entry.at
                )
            elif row.verdict != "retracted":
                raise RefusedError(f"ALREADY_JUDGED: plan_hash={plan_hash} who={who}")
            _say(entry, row, verdict, reason)

    def retract(self, plan_hash: str, who: str, reason: str = "") -> None:
        """Take an approval back; who did may judge the plan anew.

        Raises
        ------
        RefusedError
            When the plan is not known or has begun, or this person has not approved it.
        """
        with self.write() as entry:
            _check_waits(entry, plan_hash)
            row = _said_by(entry, plan_hash, who)
            if row is None or row.verdict != "approved":
                raise RefusedError(f"NOT_APPROVED_BY: plan_hash={plan_hash} who={who}")
            _say(entry, row, "retracted", reason)

    def _check_verdict(
        self, entry: Entry, plan_hash: str, who: str, verdict: Judged, reason: str
    ) -> None:
        proposal = _check_waits(entry, plan_hash)
        if not person(who):
            raise RefusedError("NO_NAME: a verdict needs the name of who gives it")
        if verdict == "approved" and person(who) == person(proposal.proposer):
            raise RefusedError(f"SAME_EYES: proposer={proposal.proposer} approver={who}")
        if verdict == "rejected" and not reason.strip():
            raise RefusedError("NO_REASON: a rejection needs a reason")

    # Breakers

    def trip(self, scope: str, state: Breaker, reason: str, who: str) -> Breaker:
        """Trip a breaker and leave it so; it never becomes laxer this way.

        Returns
        -------
        The state it is in now.

        Raises
        ------
        RefusedError
            For a scope that names nothing, or without a reason or a name.
        StaleError
            When the database cannot be written: it is not in force.
        """
        check_scope(scope)
        if not reason.strip() or not who.strip():
            raise RefusedError("NO_REASON: a halt needs a reason and a name")
        tries = 1
        while True:
            try:
                with self.write() as entry:
                    return set_breaker(entry, scope, state, reason, who)
            except OperationalError as error:
                # A connection that broke may have broken after the commit.
                is_not = "is not" if self._engine.dialect.name == "sqlite" else "may not be"
                told = f"NOT_HALTED: {scope} {is_not} {state}: {first_line(error.orig)}"
                if tries == TRIES:
                    raise StaleError(f"{told}; try again") from error
                tries += 1
                log.warning("%s; trying again", told)

    def reset(self, scope: str, reason: str, who: str) -> None:
        """Let a scope act again.

        Raises
        ------
        RefusedError
            Without a reason or a name, or when it was not tripped.
        """
        check_scope(scope)
        if not reason.strip() or not who.strip():
            raise RefusedError("NO_REASON: a resumption needs a reason and a name")
        with self.write() as entry:
            row = entry.session.get(BreakerRow, scope)
            if row is None or row.state == Breaker.ACTIVE:
                raise RefusedError(f"NOT_TRIPPED: scope={scope}")
            row.state, row.reason, row.who = Breaker.ACTIVE, reason, who
            row.at = entry.at
            entry.session.add(row)
            facts = {"state": row.state, "reason": reason, "who": who}
            entry.event(f"breaker:{scope}", "reset", **facts)
            entry.alert("resumed", scope=scope, reason=reason, who=who)

    # Evidence about accounts

    def freeze(self, account: str, reason: str) -> None:
        """Stop an account until an operator thaws it."""
        with self.write() as entry:
            freeze_account(entry, account, reason, None)
            entry.alert("frozen", account=account, reason=reason)

    def thaw(self, account: str, operator: str, evidence: str) -> None:
        """Let an account act again.

        Raises
        ------
        RefusedError
            Without an operator or evidence, when the account does not stand still, or while an
            attempt of it is MANUAL.
        """
        need_evidence(operator, evidence)
        with self.write() as entry:
            held = entry.session.exec(
                select(FreezeRow).where(
                    FreezeRow.account == account, col(FreezeRow.lifted_at).is_(None)
                )
            ).all()
            if not held:
                raise RefusedError(f"NOT_FROZEN: account={account}")
            for row in held:
                if row.client_id is not None:
                    raise RefusedError(
                        f"MANUAL_OPEN: client_id={row.client_id}; "
                        f"`allocator resolve {row.client_id}` ends it"
                    )
                lift(entry, row, operator, evidence)

    # Notes and alerts

    def note(self, subject: str, what: str, **facts: Any) -> None:
        """Add a line to the audit without changing anything."""
        with self.write() as entry:
            entry.event(subject, what, **facts)

    def delivered(self, alert_id: int) -> None:
        """Mark an alert as delivered."""
        with self.write() as entry:
            row = entry.session.get(OutboxRow, alert_id)
            if row is not None:
                row.delivered_at = entry.at
                entry.session.add(row)
                entry.event(f"alert:{alert_id}", "delivered")


def _check_waits(entry: Entry, plan_hash: str) -> ProposalRow:
    """Read a proposed plan of which people may still say something.

    Raises
    ------
    RefusedError
        When it is not known or has begun.
    """
    proposal = entry.session.get(ProposalRow, plan_hash)
    if proposal is None:
        raise RefusedError(f"NOT_PROPOSED: plan_hash={plan_hash}")
    if entry.session.get(PlanRow, plan_hash) is not None:
        raise RefusedError(f"PLAN_BEGUN: plan_hash={plan_hash}")
    return proposal


def _said_by(entry: Entry, plan_hash: str, who: str) -> VerdictRow | None:
    """Find what somebody has said of a plan, however the name was typed then."""
    said = entry.session.exec(select(VerdictRow).where(VerdictRow.plan_hash == plan_hash))
    return next((row for row in said if person(row.who) == person(who)), None)


def _say(entry: Entry, row: VerdictRow, verdict: Said, reason: str) -> None:
    row.verdict, row.reason, row.at = verdict, reason, entry.at
    entry.session.add(row)
    entry.event(f"verdict:{row.plan_hash}:{row.who}", verdict, reason=reason)
