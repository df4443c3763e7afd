"""The ledger as it began: everything in ledger.schema at version 0.1."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _mailboxes()
    _legs()
    _items()


def _mailboxes() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "event",
        sa.Column("wave", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signature", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("wave", "seq"),
    )
    op.create_index("ix_event_subject", "event", ["subject"], unique=False)
    op.create_table(
        "mailbox",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("wave", sa.Text(), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("source_login", sa.Text()),
        sa.Column("target_login", sa.Text()),
        sa.Column("planned_at", sa.Float(precision=53), server_default=sa.text("0"), nullable=False),
        sa.Column("withheld", sa.String(length=16)),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source"),
    )
    op.create_index("ix_mailbox_wave", "mailbox", ["wave"], unique=False)
    op.create_table(
        "identity",
        sa.Column("side", sa.String(length=8), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["mailbox"], ["mailbox.id"]),
        sa.PrimaryKeyConstraint("side", "identity"),
    )
    op.create_index("ix_identity_mailbox", "identity", ["mailbox"], unique=False)


def _legs() -> None:
    op.create_table(
        "leg",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailbox", sa.String(length=16), nullable=False),
        sa.Column("workload", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=64)),
        sa.Column("owner", sa.Text()),
        sa.Column("lease_until", sa.Float(precision=53)),
        sa.Column("epoch", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("took_over", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("items", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("started", sa.Float(precision=53)),
        sa.Column("finished", sa.Float(precision=53)),
        sa.Column("source_identity", sa.Text()),
        sa.Column("target_identity", sa.Text()),
        sa.Column("level", sa.String(length=16)),
        sa.ForeignKeyConstraint(["mailbox"], ["mailbox.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("mailbox", "workload"),
    )
    op.create_table(
        "container",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("leg", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("source_id", sa.LargeBinary(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16)),
        sa.Column("href", sa.Text()),
        sa.Column("placed", sa.Text()),
        sa.Column("cursor", sa.Text()),
        sa.Column("complete", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("total", sa.Integer()),
        sa.Column("omit", sa.String(length=64)),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["leg"], ["leg.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("leg", "key"),
    )
    op.create_table(
        "label",
        sa.Column("leg", sa.Integer(), nullable=False),
        sa.Column("keyword", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["leg"], ["leg.id"]),
        sa.PrimaryKeyConstraint("leg", "keyword"),
        sqlite_with_rowid=False,
    )


def _items() -> None:
    op.create_table(
        "item",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("container", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("size", sa.BigInteger()),
        sa.Column("date", sa.BigInteger()),
        sa.Column("source_id", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary()),
        sa.Column("href", sa.Text()),
        sa.Column("since", sa.Text()),
        sa.Column("target_version", sa.Text()),
        sa.Column("flags", sa.Text()),
        sa.Column("code", sa.String(length=64)),
        sa.ForeignKeyConstraint(["container"], ["container.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("item_key", "item", ["container", "key"], unique=True)
    op.create_index(
        "item_open",
        "item",
        ["container", "state", "id"],
        unique=False,
        sqlite_where=sa.text("state < 4"),
        postgresql_where=sa.text("state < 4"),
    )
    op.create_table(
        "loss",
        sa.Column("container", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["container"], ["container.id"]),
        sa.PrimaryKeyConstraint("container", "key", "field", "reason"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "finding",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("container", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(length=16)),
        sa.Column("outcome", sa.String(length=1), nullable=False),
        sa.Column("href", sa.Text()),
        sa.Column("detail", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["container"], ["container.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_finding_container", "finding", ["container"], unique=False)
