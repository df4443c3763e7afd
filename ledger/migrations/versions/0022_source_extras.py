"""What a source has beside its folders, and what therefore stays there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "source_extra",
        sa.Column("source", sa.Text(), primary_key=True),
        sa.Column("code", sa.String(64), primary_key=True),
        sa.Column("items", sa.BigInteger()),
        sa.Column("at", sa.Float(53), nullable=False),
    )
