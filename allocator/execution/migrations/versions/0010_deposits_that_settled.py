"""Which deposit each transfer arrived as: none settles two.

Of transfers that were settled before nothing is told.

Revision 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempt", sa.Column("settled_by", sa.String(length=200), nullable=True))
    op.create_index("ix_attempt_settled_by", "attempt", ["settled_by"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_attempt_settled_by", table_name="attempt")
    op.drop_column("attempt", "settled_by")
