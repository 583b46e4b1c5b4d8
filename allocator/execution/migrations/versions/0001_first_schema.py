"""The first schema.

Revision 0001, after nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from allocator.models.columns import ExactDecimal, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = {
    "sqlite": (
        "CREATE TRIGGER event_keeps_rows BEFORE DELETE ON event "
        "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
        "CREATE TRIGGER event_keeps_facts BEFORE UPDATE ON event "
        "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$",
        "CREATE TRIGGER event_keeps_rows BEFORE UPDATE OR DELETE ON event "
        "FOR EACH ROW EXECUTE FUNCTION event_is_append_only()",
    ),
}


def upgrade() -> None:
    op.create_table(
        "cycle",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("portfolio", sa.String(length=200), nullable=False),
        sa.Column("slot", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cycle"),
        sa.UniqueConstraint("portfolio", "slot", name="uq_cycle_portfolio_slot"),
    )
    with op.batch_alter_table("cycle") as batch_op:
        batch_op.create_index("ix_cycle_status", ["status"], unique=False)

    op.create_table(
        "event",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("what", sa.String(length=100), nullable=False),
        sa.Column("facts_json", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_event"),
    )
    with op.batch_alter_table("event") as batch_op:
        batch_op.create_index("ix_event_subject", ["subject"], unique=False)

    op.create_table(
        "frozen_account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("client_id", sa.String(length=32), nullable=True),
        sa.Column("frozen_at", UtcTime(), nullable=False),
        sa.Column("lifted_at", UtcTime(), nullable=True),
        sa.Column("lifted_by", sa.String(length=200), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_frozen_account"),
    )
    with op.batch_alter_table("frozen_account") as batch_op:
        batch_op.create_index("ix_frozen_account_account", ["account"], unique=False)

    op.create_table(
        "leader",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leader"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("topic", sa.String(length=100), nullable=False),
        sa.Column("body_json", sa.Text(), nullable=False),
        sa.Column("delivered_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_table(
        "plan",
        sa.Column("plan_hash", sa.String(length=64), nullable=False),
        sa.Column("cycle_id", sa.Integer(), nullable=False),
        sa.Column("snapshot_hash", sa.String(length=64), nullable=False),
        sa.Column("mandate_hash", sa.String(length=64), nullable=False),
        sa.Column("plan_json", sa.Text(), nullable=False),
        sa.Column("snapshot_json", sa.Text(), nullable=False),
        sa.Column("mandate_json", sa.Text(), nullable=False),
        sa.Column("baseline_json", sa.Text(), nullable=True),
        sa.Column("proposer", sa.String(length=200), nullable=False),
        sa.Column("approver", sa.String(length=200), nullable=True),
        sa.Column("approved_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycle.id"], name="fk_plan_cycle_id_cycle"),
        sa.PrimaryKeyConstraint("plan_hash", name="pk_plan"),
        sa.UniqueConstraint("cycle_id", name="uq_plan_cycle_id"),
    )
    op.create_table(
        "action",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_hash", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["plan_hash"], ["plan.plan_hash"], name="fk_action_plan_hash_plan"),
        sa.PrimaryKeyConstraint("id", name="pk_action"),
        sa.UniqueConstraint("plan_hash", "seq", name="uq_action_plan_hash_seq"),
    )
    with op.batch_alter_table("action") as batch_op:
        batch_op.create_index("ix_action_plan_hash", ["plan_hash"], unique=False)

    op.create_table(
        "attempt",
        sa.Column("client_id", sa.String(length=32), nullable=False),
        sa.Column("plan_hash", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("intent_json", sa.Text(), nullable=False),
        sa.Column("intent_hash", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("intent_at", UtcTime(), nullable=False),
        sa.Column("fence_at", UtcTime(), nullable=False),
        sa.Column("venue_id", sa.String(length=200), nullable=True),
        sa.Column("filled", ExactDecimal(), nullable=False),
        sa.Column("average_price", ExactDecimal(), nullable=True),
        sa.Column("fees_json", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_hash"], ["plan.plan_hash"], name="fk_attempt_plan_hash_plan"
        ),
        sa.PrimaryKeyConstraint("client_id", name="pk_attempt"),
        sa.UniqueConstraint(
            "plan_hash", "seq", "part", "number", name="uq_attempt_plan_hash_seq_part_number"
        ),
    )
    with op.batch_alter_table("attempt") as batch_op:
        batch_op.create_index("ix_attempt_plan_hash", ["plan_hash"], unique=False)
        batch_op.create_index("ix_attempt_state", ["state"], unique=False)

    op.create_table(
        "reservation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("asset", sa.String(length=200), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("amount", ExactDecimal(), nullable=False),
        sa.Column("phase", sa.String(length=10), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["attempt.client_id"], name="fk_reservation_client_id_attempt"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_reservation"),
        sa.UniqueConstraint("client_id", "direction", name="uq_reservation_client_id_direction"),
    )
    with op.batch_alter_table("reservation") as batch_op:
        batch_op.create_index("ix_reservation_account", ["account"], unique=False)
        batch_op.create_index("ix_reservation_client_id", ["client_id"], unique=False)
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("reservation")
    op.drop_table("attempt")
    op.drop_table("action")
    op.drop_table("plan")
    op.drop_table("outbox")
    op.drop_table("leader")
    op.drop_table("frozen_account")
    op.drop_table("event")
    op.drop_table("cycle")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION event_is_append_only")
