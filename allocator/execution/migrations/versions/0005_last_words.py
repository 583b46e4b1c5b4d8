"""What venues said last of themselves, and the funding rates that jumps are reckoned from.

Revision 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from allocator.models.columns import UtcTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "venue_word",
        sa.Column("portfolio", sa.String(length=200), nullable=False),
        sa.Column("venue", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("until", UtcTime(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("portfolio", "venue", name="pk_venue_word"),
    )
    op.create_table(
        "seen_rates",
        sa.Column("portfolio", sa.String(length=200), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("rates_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("portfolio", "urgent", name="pk_seen_rates"),
    )


def downgrade() -> None:
    op.drop_table("seen_rates")
    op.drop_table("venue_word")
