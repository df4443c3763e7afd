"""Which items are meetings, and who of the plan may call one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "caller",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("address", sa.Text(), nullable=False, unique=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("list", sa.Text()),
    )
    op.create_table(
        "meeting",
        sa.Column("container", sa.Integer(), sa.ForeignKey("container.id"), primary_key=True),
        sa.Column("key", sa.LargeBinary(16), primary_key=True),
        sa.Column("mark", sa.LargeBinary(16), nullable=False, index=True),
        sa.Column("caller", sa.Integer()),
        sa.Column("epoch", sa.Integer()),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO caller (address, source) SELECT source, source FROM mailbox")
    op.execute(
        "INSERT INTO caller (address, source) SELECT target, min(source) FROM mailbox"
        " WHERE target NOT IN (SELECT source FROM mailbox) GROUP BY target"
    )
