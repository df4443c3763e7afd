"""What went wrong with single items, and which owner did not release a leg."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "incident",
        sa.Column("container", sa.Integer(), sa.ForeignKey("container.id"), primary_key=True),
        sa.Column("key", sa.LargeBinary(16), primary_key=True),
        sa.Column("deaths", sa.SmallInteger(), nullable=False),
        sa.Column("rewrites", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.Float(53)),
        sqlite_with_rowid=False,
    )
    op.add_column("leg", sa.Column("before", sa.Text()))
