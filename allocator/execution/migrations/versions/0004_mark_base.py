"""What the monitor reckons from: the book's peak, the day's profit, accounts as last read.

Revision 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from allocator.models.columns import UtcTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mark_base",
        sa.Column("portfolio", sa.String(length=200), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("base_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("portfolio", name="pk_mark_base"),
    )


def downgrade() -> None:
    op.drop_table("mark_base")
