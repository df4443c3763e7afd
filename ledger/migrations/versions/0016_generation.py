"""How many passes of a leg began to write, by which a ledger that was restored from a backup is noticed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("leg", sa.Column("generation", sa.Integer(), nullable=False, server_default="0"))
