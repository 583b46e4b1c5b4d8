"""Rows of the service beside the journal's: slots, triggers, mandates, tokens, replies, beats.

Loads SQLModel: import it only where a database is at hand.
"""

# SQLModel takes a table name as a plain string where SQLAlchemy declares an attribute.
# pyright: reportAssignmentType=false

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Text, UniqueConstraint
from sqlmodel import Field

from allocator.models.columns import UtcTime
from allocator.models.records import Record


class SlotRow(Record, table=True):
    """Something that is to be done once: a slot of a schedule, a firing, a person's request.

    Attributes
    ----------
    name
        Unique in the portfolio, and the name of the cycle it becomes.
    source
        Id of the schedule or trigger, or who asked.
    origin
        Which of these it is: ``schedule``, ``trigger`` or ``person``; ``again``: what took the
        place of a plan that was overtaken.
    kind
        ``plan``; ``repair``: plans repairs only; ``execute``: carries a proposal out.
    cause
        What started it, in words.
    plan_hash
        What it proposed or is to carry out.
    status
        ``due``, ``running``, ``done``, ``failed``, ``missed`` or ``skipped``; ``untold``: missed,
        and its alert is not left so far.
    """

    __tablename__ = "slot"
    __table_args__ = (UniqueConstraint("portfolio", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    portfolio: str = Field(max_length=200)
    name: str = Field(max_length=200)
    source: str = Field(max_length=200, index=True)
    origin: str = Field(max_length=20)
    kind: str = Field(max_length=20)
    cause: str = Field(sa_column=Column(Text, nullable=False))
    due_at: datetime = Field(sa_type=UtcTime)
    status: str = Field(max_length=20, index=True)
    note: str = Field(default="", sa_column=Column(Text, nullable=False))
    epoch: int | None = None
    began_at: datetime | None = Field(default=None, sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)
    plan_hash: str | None = Field(default=None, max_length=64)


class PauseRow(Record, table=True):
    """A schedule that somebody has paused."""

    __tablename__ = "schedule_pause"

    portfolio: str = Field(primary_key=True, max_length=200)
    schedule: str = Field(primary_key=True, max_length=200)
    by: str = Field(max_length=200)
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_type=UtcTime)


class DefinitionRow(Record, table=True):
    """When a schedule's slots fall due by the configuration, and since when it says so."""

    __tablename__ = "schedule_definition"

    portfolio: str = Field(primary_key=True, max_length=200)
    schedule: str = Field(primary_key=True, max_length=200)
    definition: str = Field(sa_column=Column(Text, nullable=False))
    since: datetime = Field(sa_type=UtcTime)


class TriggerRow(Record, table=True):
    """What a trigger remembers of one subject."""

    __tablename__ = "trigger_line"

    portfolio: str = Field(primary_key=True, max_length=200)
    rule: str = Field(primary_key=True, max_length=200)
    subject: str = Field(primary_key=True, max_length=200)
    since: datetime | None = Field(default=None, sa_type=UtcTime)
    armed: bool = True
    fired_at: datetime | None = Field(default=None, sa_type=UtcTime)


class MandateRow(Record, table=True):
    """One version of a portfolio's mandate.

    Attributes
    ----------
    status
        ``draft``, ``published`` (at most one) or ``retired``.
    """

    __tablename__ = "mandate_version"
    __table_args__ = (UniqueConstraint("portfolio", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    portfolio: str = Field(max_length=200)
    version: int
    status: str = Field(max_length=20)
    mandate_hash: str = Field(max_length=64)
    mandate_json: str = Field(sa_column=Column(Text, nullable=False))
    note: str = Field(default="", sa_column=Column(Text, nullable=False))
    author: str = Field(max_length=200)
    created_at: datetime = Field(sa_type=UtcTime)
    published_by: str | None = Field(default=None, max_length=200)
    published_at: datetime | None = Field(default=None, sa_type=UtcTime)


class TokenRow(Record, table=True):
    """Who may use the API: the sha256 of a token, never the token."""

    __tablename__ = "api_token"

    name: str = Field(primary_key=True, max_length=200)
    digest: str = Field(max_length=64, unique=True)
    scopes: str = Field(max_length=200)
    created_at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcTime)


class ReplyRow(Record, table=True):
    """What was answered under an idempotency key; status 0: still being worked on."""

    __tablename__ = "api_reply"

    principal: str = Field(primary_key=True, max_length=200)
    key: str = Field(primary_key=True, max_length=200)
    request_hash: str = Field(max_length=64)
    status: int
    body: str = Field(default="", sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_type=UtcTime)


class BeatRow(Record, table=True):
    """When an instance's timer last ticked."""

    __tablename__ = "heartbeat"

    portfolio: str = Field(primary_key=True, max_length=200)
    holder: str = Field(primary_key=True, max_length=200)
    leads: bool
    at: datetime = Field(sa_type=UtcTime)


class BaseRow(Record, table=True):
    """What the next mark of a portfolio is reckoned from, as JSON."""

    __tablename__ = "mark_base"

    portfolio: str = Field(primary_key=True, max_length=200)
    at: datetime = Field(sa_type=UtcTime)
    base_json: str = Field(sa_column=Column(Text, nullable=False))


class WordRow(Record, table=True):
    """What a venue said last of how it stands, and when it was read."""

    __tablename__ = "venue_word"

    portfolio: str = Field(primary_key=True, max_length=200)
    venue: str = Field(primary_key=True, max_length=200)
    state: str = Field(max_length=20)
    until: datetime | None = Field(default=None, sa_type=UtcTime)
    note: str = Field(default="", sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_type=UtcTime)


class RatesRow(Record, table=True):
    """The funding rates that jumps are reckoned from, as JSON.

    Attributes
    ----------
    urgent
        Whether urgent triggers saw them; the others rest during a cycle.
    """

    __tablename__ = "seen_rates"

    portfolio: str = Field(primary_key=True, max_length=200)
    urgent: bool = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcTime)
    rates_json: str = Field(sa_column=Column(Text, nullable=False))


class BindingRow(Record, table=True):
    """Which installation the database belongs to; there is one row at most."""

    __tablename__ = "installation"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    installation: str = Field(max_length=200)
    bound_at: datetime = Field(sa_type=UtcTime)


class SnapshotRow(Record, table=True):
    """A snapshot that a cycle gathered or somebody posted; the latest are kept.

    Attributes
    ----------
    source
        ``gathered``, or who posted it.
    """

    __tablename__ = "snapshot"

    id: int | None = Field(default=None, primary_key=True)
    portfolio: str = Field(max_length=200, index=True)
    snapshot_hash: str = Field(max_length=64, index=True)
    as_of: datetime = Field(sa_type=UtcTime)
    source: str = Field(max_length=200)
    snapshot_json: str = Field(sa_column=Column(Text, nullable=False))
