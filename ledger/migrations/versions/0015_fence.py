"""Who may write: the revision of a claim's program, holders not proven dead, approvals by their order."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE leg ADD COLUMN unproven BOOLEAN DEFAULT false NOT NULL",
    # Whoever still holds one is of an older version: its lease ends here, and may have ended in mid-write.
    "UPDATE leg SET unproven = true, epoch = epoch + 1, owner = NULL, lease_until = NULL"
    " WHERE owner IS NOT NULL",
    # A program that does not know the column cannot claim.
    "ALTER TABLE leg ADD COLUMN revision VARCHAR(16) CHECK (owner IS NULL OR revision IS NOT NULL)",
    "ALTER TABLE mailbox ADD COLUMN planned_seq INTEGER DEFAULT 0 NOT NULL",
    "UPDATE mailbox SET planned_seq = coalesce((SELECT max(seq) FROM event"
    " WHERE event.wave = mailbox.wave AND event.at < mailbox.planned_at), 0)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
