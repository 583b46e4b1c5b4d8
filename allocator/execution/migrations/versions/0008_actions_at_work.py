"""An index by which actions at work are found: they are few among all that ever were.

Revision 0008, after 0007.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_action_stage", "action", ["stage", "plan_hash"])


def downgrade() -> None:
    op.drop_index("ix_action_stage", table_name="action")
