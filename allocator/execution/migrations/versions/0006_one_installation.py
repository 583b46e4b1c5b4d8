"""Which installation a database belongs to.

Revision 0006, after 0005. A database that is in use belongs to whoever has a mandate or
cycles in it, or, where nobody has, to whoever led it last. Where several have, it stays nobody's:
whoever was taken for its owner could come to trade under the other's mandate.
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
        "WITH used AS (SELECT portfolio FROM mandate_version WHERE status = 'published' "
        "UNION SELECT portfolio FROM cycle) "
        "SELECT 1, name, since FROM leader "
        "WHERE (SELECT count(*) FROM used) = 0 "
        "OR ((SELECT count(*) FROM used) = 1 AND name IN (SELECT portfolio FROM used)) "
        "ORDER BY since DESC, name LIMIT 1"
    )


def downgrade() -> None:
    op.drop_table("installation")
