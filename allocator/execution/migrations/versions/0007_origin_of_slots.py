"""What the source of a slot is an id of: a schedule and a trigger may bear the same.

Revision 0007, after 0006. Of earlier slots the cause tells.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "slot", sa.Column("origin", sa.String(length=20), nullable=False, server_default="person")
    )
    op.execute(
        "UPDATE slot SET origin = CASE "
        "WHEN cause = 'schedule ' || source THEN 'schedule' "
        "WHEN substr(cause, 1, length(source) + 9) = 'trigger ' || source || ':' THEN 'trigger' "
        "WHEN source = 'again' AND cause LIKE '% under the plan of: %' THEN 'again' "
        "ELSE 'person' END"
    )


def downgrade() -> None:
    op.drop_column("slot", "origin")
