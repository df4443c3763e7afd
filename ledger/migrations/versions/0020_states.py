"""The states of both sides in which a verification found a container right, and when it looked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("container", sa.Column("source_state", sa.Text()))
    op.add_column("container", sa.Column("target_state", sa.Text()))
    op.add_column("container", sa.Column("looked", sa.Float(53)))
