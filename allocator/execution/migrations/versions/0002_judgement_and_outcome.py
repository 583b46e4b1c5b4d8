"""What people say of plans and of trading, and what actions came to.

Revision 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from allocator.models.columns import ExactDecimal, UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("audit_tail", "shortfall", "opening", "breaker", "verdict", "proposal")


def upgrade() -> None:
    op.create_table(
        "proposal",
        sa.Column("plan_hash", sa.String(length=64), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("proposer", sa.String(length=200), nullable=False),
        sa.Column("plan_json", sa.Text(), nullable=False),
        sa.Column("snapshot_json", sa.Text(), nullable=False),
        sa.Column("mandate_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("plan_hash", name="pk_proposal"),
    )
    op.create_index("ix_proposal_at", "proposal", ["at"], unique=False)
    op.create_table(
        "verdict",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_hash", sa.String(length=64), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_verdict"),
        sa.UniqueConstraint("plan_hash", "who", name="uq_verdict_plan_hash_who"),
    )
    op.create_index("ix_verdict_plan_hash", "verdict", ["plan_hash"], unique=False)
    op.create_table(
        "breaker",
        sa.Column("scope", sa.String(length=220), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_breaker"),
    )
    op.create_table(
        "opening",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("portfolio", sa.String(length=200), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("equity", ExactDecimal(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_opening"),
        sa.UniqueConstraint("portfolio", "day", name="uq_opening_portfolio_day"),
    )
    op.create_table(
        "shortfall",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_hash", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("filled", ExactDecimal(), nullable=False),
        sa.Column("decided", ExactDecimal(), nullable=True),
        sa.Column("average", ExactDecimal(), nullable=True),
        sa.Column("forecast", ExactDecimal(), nullable=False),
        sa.Column("fees", ExactDecimal(), nullable=False),
        sa.Column("slippage", ExactDecimal(), nullable=False),
        sa.Column("missed", ExactDecimal(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_hash"], ["plan.plan_hash"], name="fk_shortfall_plan_hash_plan"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shortfall"),
        sa.UniqueConstraint("plan_hash", "seq", name="uq_shortfall_plan_hash_seq"),
    )
    op.create_index("ix_shortfall_plan_hash", "shortfall", ["plan_hash"], unique=False)
    op.create_table(
        "audit_tail",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_tail"),
    )
    op.execute(
        "INSERT INTO audit_tail (id, seq, hash) "
        "SELECT 1, seq, hash FROM event ORDER BY seq DESC LIMIT 1"
    )
    op.create_index("ix_attempt_intent_at", "attempt", ["intent_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_attempt_intent_at", "attempt")
    for table in TABLES:
        op.drop_table(table)
