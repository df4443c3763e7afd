"""What a check found of a mailbox that no wave had yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "early_check",
        sa.Column("source", sa.Text(), primary_key=True),
        sa.Column("row", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("level", sa.String(16)),
        sa.Column("code", sa.String(64)),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
    )
