"""Alembic's entry: migrates over the connection, and inside the transaction, of ledger.migrations."""

from __future__ import annotations

from alembic import context

from ledger.db.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite's DDL is transactional once the driver stops committing by itself (ledger.db.engine).
    transactional_ddl=True,
)
context.run_migrations()
