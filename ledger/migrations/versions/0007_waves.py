"""Waves at scale: gate results, steps of a cutover, windows and pauses, health of servers, measured rates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "wave",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("starts", sa.Float(53)),
        sa.Column("window", sa.Text()),
        sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("canary", sa.String(16)),
        sa.Column("priority", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.create_table(
        "checked",
        sa.Column("mailbox", sa.String(16), sa.ForeignKey("mailbox.id"), primary_key=True),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("level", sa.String(16)),
        sa.Column("code", sa.String(64)),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "step",
        sa.Column("mailbox", sa.String(16), sa.ForeignKey("mailbox.id"), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("code", sa.String(64)),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("at", sa.Float(53), nullable=False),
    )
    op.create_table(
        "health",
        sa.Column("system", sa.String(64), primary_key=True),
        sa.Column("worker", sa.Text(), primary_key=True),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("latency", sa.Float(53), nullable=False),
        sa.Column("pace", sa.Float(53), nullable=False),
        sa.Column("legs", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.add_column("mailbox", sa.Column("priority", sa.Integer(), nullable=False, server_default=sa.text("0")))
    for name, kind, default in (
        ("busy", sa.Float(53), "0"),
        ("copied", sa.Integer(), "0"),
        ("copied_bytes", sa.BigInteger(), "0"),
    ):
        op.add_column("leg", sa.Column(name, kind, nullable=False, server_default=sa.text(default)))
    op.add_column("leg", sa.Column("claimed", sa.Float(53)))
