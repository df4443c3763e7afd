"""Who called a meeting by its own word, and the newest pass of a leg that settled every item it listed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("meeting", sa.Column("organizer", sa.LargeBinary(8)))
    op.add_column("leg", sa.Column("settled", sa.Integer()))
    op.add_column("leg", sa.Column("settled_since", sa.Float(53)))
