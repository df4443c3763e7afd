"""How many items of a leg have which fate, and what all processes counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("verified", "skipped", "rejected"):
        op.add_column("leg", sa.Column(name, sa.Integer()))
    op.add_column("leg", sa.Column("causes", sa.Text()))
    op.create_table(
        "counter",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("labels", sa.Text(), primary_key=True),
        sa.Column("value", sa.Float(53), nullable=False),
    )
