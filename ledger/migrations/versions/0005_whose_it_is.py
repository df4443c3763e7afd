"""Whose it is: the folders that we made at the target, and what an account is called there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("leg", sa.Column("target_user", sa.Text()))
    op.add_column(
        "container", sa.Column("made", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    )
    op.execute("UPDATE container SET made = true WHERE href IS NOT NULL")
