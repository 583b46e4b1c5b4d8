"""Slots, triggers, mandate versions, API tokens and replies, heartbeats, snapshots.

Revision 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from allocator.models.columns import UtcTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _name(column: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(column, sa.String(length=200), nullable=nullable)


def _time(column: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(column, UtcTime(), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "slot",
        sa.Column("id", sa.Integer(), nullable=False),
        _name("portfolio"),
        _name("name"),
        _name("source"),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        _time("due_at"),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=True),
        _time("began_at", nullable=True),
        _time("ended_at", nullable=True),
        sa.Column("plan_hash", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_slot"),
        sa.UniqueConstraint("portfolio", "name", name="uq_slot_portfolio_name"),
    )
    with op.batch_alter_table("slot") as batch_op:
        batch_op.create_index("ix_slot_source", ["source"], unique=False)
        batch_op.create_index("ix_slot_status", ["status"], unique=False)
    op.create_table(
        "schedule_pause",
        _name("portfolio"),
        _name("schedule"),
        _name("by"),
        sa.Column("reason", sa.Text(), nullable=False),
        _time("at"),
        sa.PrimaryKeyConstraint("portfolio", "schedule", name="pk_schedule_pause"),
    )
    op.create_table(
        "trigger_line",
        _name("portfolio"),
        _name("rule"),
        _name("subject"),
        _time("since", nullable=True),
        sa.Column("armed", sa.Boolean(), nullable=False),
        _time("fired_at", nullable=True),
        sa.PrimaryKeyConstraint("portfolio", "rule", "subject", name="pk_trigger_line"),
    )
    _mandates()
    _api()
    _snapshots()


def _mandates() -> None:
    op.create_table(
        "mandate_version",
        sa.Column("id", sa.Integer(), nullable=False),
        _name("portfolio"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("mandate_hash", sa.String(length=64), nullable=False),
        sa.Column("mandate_json", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        _name("author"),
        _time("created_at"),
        _name("published_by", nullable=True),
        _time("published_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_mandate_version"),
        sa.UniqueConstraint("portfolio", "version", name="uq_mandate_version_portfolio_version"),
    )


def _api() -> None:
    op.create_table(
        "api_token",
        _name("name"),
        sa.Column("digest", sa.String(length=64), nullable=False),
        _name("scopes"),
        _time("created_at"),
        _time("expires_at", nullable=True),
        _time("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_api_token"),
        sa.UniqueConstraint("digest", name="uq_api_token_digest"),
    )
    op.create_table(
        "api_reply",
        _name("principal"),
        _name("key"),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        _time("at"),
        sa.PrimaryKeyConstraint("principal", "key", name="pk_api_reply"),
    )
    op.create_table(
        "heartbeat",
        _name("portfolio"),
        _name("holder"),
        sa.Column("leads", sa.Boolean(), nullable=False),
        _time("at"),
        sa.PrimaryKeyConstraint("portfolio", "holder", name="pk_heartbeat"),
    )


def _snapshots() -> None:
    op.create_table(
        "snapshot",
        sa.Column("id", sa.Integer(), nullable=False),
        _name("portfolio"),
        sa.Column("snapshot_hash", sa.String(length=64), nullable=False),
        _time("as_of"),
        _name("source"),
        sa.Column("snapshot_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_snapshot"),
    )
    with op.batch_alter_table("snapshot") as batch_op:
        batch_op.create_index("ix_snapshot_portfolio", ["portfolio"], unique=False)
        batch_op.create_index("ix_snapshot_snapshot_hash", ["snapshot_hash"], unique=False)


def downgrade() -> None:
    op.drop_table("snapshot")
    for name in ("heartbeat", "api_reply", "api_token", "mandate_version"):
        op.drop_table(name)
    for name in ("trigger_line", "schedule_pause", "slot"):
        op.drop_table(name)
