"""Files: the name each is written under, and the dates of their folders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("item", sa.Column("place", sa.Text()))
    op.add_column("container", sa.Column("modified", sa.BigInteger()))
