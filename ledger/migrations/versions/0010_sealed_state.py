"""What a wave was like when it was sealed, so that it can be told that it changed since."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("seal", sa.Column("state", sa.Text()))
    op.add_column("seal", sa.Column("complete", sa.Boolean()))
