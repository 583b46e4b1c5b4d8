"""Rows of the durable record. Values are validated before they become rows.

Loads SQLModel: import it only where a database is at hand.
"""

# SQLModel takes a table name as a plain string where SQLAlchemy declares an attribute.
# pyright: reportAssignmentType=false

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Column, ForeignKey, Index, MetaData, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from allocator.models.columns import ExactDecimal, UtcTime


class Record(SQLModel):
    """Base of every row; its own metadata keeps a host application's tables apart."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class LeaderRow(Record, table=True):
    """Who may write: whoever holds the latest epoch."""

    __tablename__ = "leader"

    name: str = Field(primary_key=True, max_length=200)
    epoch: int
    holder: str
    since: datetime = Field(sa_type=UtcTime)


class CycleRow(Record, table=True):
    """One run over the book; `slot` names it, so that a slot runs once."""

    __tablename__ = "cycle"
    __table_args__ = (UniqueConstraint("portfolio", "slot"),)

    id: int | None = Field(default=None, primary_key=True)
    portfolio: str = Field(max_length=200)
    slot: str = Field(max_length=200)
    status: str = Field(max_length=20, index=True)
    epoch: int
    opened_at: datetime = Field(sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)
    note: str = Field(default="", sa_column=Column(Text, nullable=False))


class PlanRow(Record, table=True):
    """A plan with all that it was made from, so that it can be made again."""

    __tablename__ = "plan"

    plan_hash: str = Field(primary_key=True, max_length=64)
    cycle_id: int = Field(sa_column=Column(ForeignKey("cycle.id"), nullable=False, unique=True))
    snapshot_hash: str = Field(max_length=64)
    mandate_hash: str = Field(max_length=64)
    plan_json: str = Field(sa_column=Column(Text, nullable=False))
    snapshot_json: str = Field(sa_column=Column(Text, nullable=False))
    mandate_json: str = Field(sa_column=Column(Text, nullable=False))
    baseline_json: str | None = Field(default=None, sa_column=Column(Text))
    proposer: str = Field(default="", max_length=200)
    approver: str | None = Field(default=None, max_length=200)
    approved_at: datetime | None = Field(default=None, sa_type=UtcTime)


class ActionRow(Record, table=True):
    """One line of a plan."""

    __tablename__ = "action"
    # All that ever were stay, and each slot looks for those at work.
    __table_args__ = (UniqueConstraint("plan_hash", "seq"), Index(None, "stage", "plan_hash"))

    id: int | None = Field(default=None, primary_key=True)
    plan_hash: str = Field(
        sa_column=Column(ForeignKey("plan.plan_hash"), nullable=False, index=True)
    )
    seq: int
    kind: str = Field(max_length=20)
    stage: str = Field(max_length=20)
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    updated_at: datetime = Field(sa_type=UtcTime)


class AttemptRow(Record, table=True):
    """One request: what was asked, under which id, and what is known of it.

    Attributes
    ----------
    part, number
        Which slice of the action, and which try at that slice.
    intent_hash
        sha256 of the canonical request.
    fence_at
        After this the venue refuses the request: intent time plus receive window.
    filled
        Contracts, or asset units that arrived.
    settled_by
        The deposit that a transfer arrived as; None: not told.
    """

    __tablename__ = "attempt"
    __table_args__ = (UniqueConstraint("plan_hash", "seq", "part", "number"),)

    client_id: str = Field(primary_key=True, max_length=32)
    plan_hash: str = Field(
        sa_column=Column(ForeignKey("plan.plan_hash"), nullable=False, index=True)
    )
    seq: int
    part: int
    number: int
    kind: str = Field(max_length=20)
    account: str = Field(max_length=200)
    state: str = Field(max_length=20, index=True)
    intent_json: str = Field(sa_column=Column(Text, nullable=False))
    intent_hash: str = Field(max_length=64)
    epoch: int
    intent_at: datetime = Field(sa_type=UtcTime, index=True)
    fence_at: datetime = Field(sa_type=UtcTime)
    venue_id: str | None = Field(default=None, max_length=200)
    filled: Decimal = Field(default=Decimal(0), sa_type=ExactDecimal)
    average_price: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    fees_json: str = Field(default="{}", sa_column=Column(Text, nullable=False))
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    updated_at: datetime = Field(sa_type=UtcTime)
    settled_by: str | None = Field(default=None, max_length=200, index=True, unique=True)


class EventRow(Record, table=True):
    """One line of the audit; each carries the hash of the one before."""

    __tablename__ = "event"

    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(sa_type=UtcTime)
    epoch: int
    subject: str = Field(max_length=300, index=True)
    what: str = Field(max_length=100)
    facts_json: str = Field(sa_column=Column(Text, nullable=False))
    previous: str = Field(max_length=64)
    hash: str = Field(max_length=64)


class ReservationRow(Record, table=True):
    """Money that is leaving (reserved until the outcome is known) or coming (unusable until seen).

    Attributes
    ----------
    direction
        ``out`` or ``in``.
    amount
        Asset units, charges included on the way out.
    phase
        ``reserved``, then ``posted`` or ``voided``.
    """

    __tablename__ = "reservation"
    __table_args__ = (UniqueConstraint("client_id", "direction"),)

    id: int | None = Field(default=None, primary_key=True)
    client_id: str = Field(
        sa_column=Column(ForeignKey("attempt.client_id"), nullable=False, index=True)
    )
    account: str = Field(max_length=200, index=True)
    asset: str = Field(max_length=200)
    direction: str = Field(max_length=3)
    amount: Decimal = Field(sa_type=ExactDecimal)
    phase: str = Field(max_length=10)
    updated_at: datetime = Field(sa_type=UtcTime)


class FreezeRow(Record, table=True):
    """An account that stands still until somebody says otherwise."""

    __tablename__ = "frozen_account"

    id: int | None = Field(default=None, primary_key=True)
    account: str = Field(max_length=200, index=True)
    reason: str = Field(sa_column=Column(Text, nullable=False))
    client_id: str | None = Field(default=None, max_length=32)
    frozen_at: datetime = Field(sa_type=UtcTime)
    lifted_at: datetime | None = Field(default=None, sa_type=UtcTime)
    lifted_by: str | None = Field(default=None, max_length=200)
    evidence: str = Field(default="", sa_column=Column(Text, nullable=False))


class OutboxRow(Record, table=True):
    """An alert, written with the change it tells of, delivered later."""

    __tablename__ = "outbox"

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=UtcTime)
    topic: str = Field(max_length=100)
    body_json: str = Field(sa_column=Column(Text, nullable=False))
    delivered_at: datetime | None = Field(default=None, sa_type=UtcTime)


class ProposalRow(Record, table=True):
    """A plan that somebody has to judge, with all that it was made from."""

    __tablename__ = "proposal"

    plan_hash: str = Field(primary_key=True, max_length=64)
    at: datetime = Field(sa_type=UtcTime, index=True)
    proposer: str = Field(max_length=200)
    plan_json: str = Field(sa_column=Column(Text, nullable=False))
    snapshot_json: str = Field(sa_column=Column(Text, nullable=False))
    mandate_json: str = Field(sa_column=Column(Text, nullable=False))


class VerdictRow(Record, table=True):
    """What one person said of a plan; the hash binds it.

    Attributes
    ----------
    verdict
        ``approved``, ``rejected``, or ``retracted``: approved, and taken back.
    """

    __tablename__ = "verdict"
    __table_args__ = (UniqueConstraint("plan_hash", "who"),)

    id: int | None = Field(default=None, primary_key=True)
    plan_hash: str = Field(max_length=64, index=True)
    who: str = Field(max_length=200)
    verdict: str = Field(max_length=10)
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_type=UtcTime)


class BreakerRow(Record, table=True):
    """A breaker that was tripped at least once; latched until somebody resumes.

    Attributes
    ----------
    scope
        ``global``, ``venue:NAME`` or ``account:NAME``.
    state
        ``active``, ``reducing`` or ``halted``.
    """

    __tablename__ = "breaker"

    scope: str = Field(primary_key=True, max_length=220)
    state: str = Field(max_length=10)
    reason: str = Field(sa_column=Column(Text, nullable=False))
    who: str = Field(max_length=200)
    at: datetime = Field(sa_type=UtcTime)


class OpeningRow(Record, table=True):
    """What a portfolio was worth when a day's first plan was admitted, numeraire."""

    __tablename__ = "opening"
    __table_args__ = (UniqueConstraint("portfolio", "day"),)

    id: int | None = Field(default=None, primary_key=True)
    portfolio: str = Field(max_length=200)
    day: str = Field(max_length=10)
    equity: Decimal = Field(sa_type=ExactDecimal)


class ShortfallRow(Record, table=True):
    """What an action came to against what its plan had forecast, numeraire, positive is paid.

    Attributes
    ----------
    filled
        Contracts, or asset units that arrived.
    decided
        Price that the plan was decided at: the snapshot's mark; None: not an order.
    average
        Price of all fills; None: nothing was filled.
    forecast
        Fees, half-spread, impact or transfer charges, as the plan had them, of the filled part.
    fees
        Charges that the venue told.
    slippage
        Paid beyond the decided price, without fees.
    missed
        Quantity that was not filled times the move of the mark since the decision.
    """

    __tablename__ = "shortfall"
    __table_args__ = (UniqueConstraint("plan_hash", "seq"),)

    id: int | None = Field(default=None, primary_key=True)
    plan_hash: str = Field(
        sa_column=Column(ForeignKey("plan.plan_hash"), nullable=False, index=True)
    )
    seq: int
    at: datetime = Field(sa_type=UtcTime)
    filled: Decimal = Field(sa_type=ExactDecimal)
    decided: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    average: Decimal | None = Field(default=None, sa_type=ExactDecimal)
    forecast: Decimal = Field(sa_type=ExactDecimal)
    fees: Decimal = Field(sa_type=ExactDecimal)
    slippage: Decimal = Field(sa_type=ExactDecimal)
    missed: Decimal = Field(sa_type=ExactDecimal)


class TailRow(Record, table=True):
    """Where the audit ends, so that nobody can cut its last lines off unseen."""

    __tablename__ = "audit_tail"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    seq: int
    hash: str = Field(max_length=64)
