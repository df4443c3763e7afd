"""Evidence: what each pass listed, the roots of the inventories, the mailboxes' keys, the seals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evidence_key",
        sa.Column("mailbox", sa.String(16), sa.ForeignKey("mailbox.id"), primary_key=True),
        sa.Column("wrapped", sa.LargeBinary()),
        sa.Column("made", sa.Float(53), nullable=False),
        sa.Column("destroyed", sa.Float(53)),
    )
    op.create_table(
        "listed",
        sa.Column("leg", sa.Integer(), sa.ForeignKey("leg.id"), primary_key=True),
        sa.Column("number", sa.SmallInteger(), primary_key=True),
        sa.Column("part", sa.Integer(), primary_key=True),
        sa.Column("container", sa.Integer(), sa.ForeignKey("container.id"), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "inventory",
        sa.Column("leg", sa.Integer(), sa.ForeignKey("leg.id"), primary_key=True),
        sa.Column("number", sa.SmallInteger(), primary_key=True),
        sa.Column("header", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
    )
    op.create_table(
        "seal",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("wave", sa.Text(), nullable=False, index=True),
        sa.Column("statement", sa.LargeBinary(32), nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("corrects", sa.Integer(), sa.ForeignKey("seal.number")),
    )
    op.add_column("item", sa.Column("mid", sa.BigInteger()))
    op.add_column("item", sa.Column("inventory", sa.SmallInteger()))
