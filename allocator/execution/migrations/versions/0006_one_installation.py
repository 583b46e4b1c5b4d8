"""Which installation a database belongs to.

Revision 0006, after 0005. A database that is in use belongs to whoever led it last.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from allocator.models.columns import UtcTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("installation", sa.String(length=200), nullable=False),
        sa.Column("bound_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_installation"),
    )
    op.execute(
        "INSERT INTO installation (id, installation, bound_at) "
        "SELECT 1, name, since FROM leader ORDER BY since DESC, name LIMIT 1"
    )


def downgrade() -> None:
    op.drop_table("installation")
