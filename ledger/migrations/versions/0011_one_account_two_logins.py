"""Which leg is about to be the first to write into an account that has no id of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("fingerprint", sa.Text(), primary_key=True),
        sa.Column("leg", sa.Integer(), sa.ForeignKey("leg.id", ondelete="CASCADE"), nullable=False),
    )
