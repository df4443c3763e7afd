"""Shares: with whom files and folders were shared at the target."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "share",
        sa.Column("container", sa.Integer(), sa.ForeignKey("container.id"), primary_key=True),
        sa.Column("key", sa.LargeBinary(16), primary_key=True),
        sa.Column("party", sa.LargeBinary(16), primary_key=True),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("ends", sa.BigInteger()),
        sa.Column("code", sa.String(64)),
        sqlite_with_rowid=False,
    )
