"""What is known of a leg's end beside its code, such as which mailbox it waits for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("leg", sa.Column("detail", sa.Text()))
