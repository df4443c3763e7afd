"""Up to which position a container held nothing but ours when it was last verified in staging."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("container", sa.Column("surveyed", sa.Text()))
