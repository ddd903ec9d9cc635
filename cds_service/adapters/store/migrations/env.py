"""Alembic runs this on the connection that the store passes to it."""

from __future__ import annotations

from alembic import context

from cds_service.adapters.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
