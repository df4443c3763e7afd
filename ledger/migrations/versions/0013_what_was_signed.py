"""The documents that approvers signed, so that the next one can be compared with the last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signed_plan",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("wave", sa.Text(), nullable=False, index=True),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
    )
