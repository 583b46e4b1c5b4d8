"""Alembic's scripts; run by `allocator.execution.schema.upgrade`."""
