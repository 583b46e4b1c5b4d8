"""What each schedule says, by which an instance that starts knows that it was changed.

Revision 0009, after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from allocator.models.columns import UtcTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedule_definition",
        sa.Column("portfolio", sa.String(length=200), nullable=False),
        sa.Column("schedule", sa.String(length=200), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("portfolio", "schedule", name="pk_schedule_definition"),
    )


def downgrade() -> None:
    op.drop_table("schedule_definition")
