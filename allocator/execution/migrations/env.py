"""Runs the revisions on the connection that `upgrade` hands over."""

from __future__ import annotations

from alembic import context

from allocator.models import service_records
from allocator.models.records import Record

assert service_records  # its tables are in the metadata once it is imported

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Record.metadata,
    render_as_batch=True,
    transaction_per_migration=False,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
