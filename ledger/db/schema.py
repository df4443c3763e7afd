"""Define the ledger's tables, one schema for SQLite and PostgreSQL.

item has a surrogate id: it is the order of listing, and a narrow row pointer. Its identity is (container,
key). All times are seconds since 1970 UTC by the database's clock.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)

from ledger.db.rows import State


class Bytes(LargeBinary):
    """Hold bytes. Both drivers take them as they are, so that none is wrapped for each row of executemany."""

    def bind_processor(self, dialect: Dialect) -> None:
        """Return None: there is nothing to do."""
        del dialect


metadata = MetaData()

# SQLite makes only a column of the exact type INTEGER an alias of its row id.
_SERIAL = BigInteger().with_variant(Integer(), "sqlite")

mailbox = Table(
    "mailbox",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("wave", Text, nullable=False, index=True),
    Column("phase", String(16), nullable=False),
    Column("source", Text, nullable=False, unique=True),
    Column("target", Text, nullable=False),
    Column("source_login", Text),
    Column("target_login", Text),
    Column("target_folder", Text),
    Column("planned_at", Float(53), nullable=False, server_default=text("0")),
    Column("planned_seq", Integer, nullable=False, server_default=text("0")),
    Column("withheld", String(16)),
    Column("priority", Integer, nullable=False, server_default=text("0")),
)
"""The mailboxes of all waves.

target_folder: where its files go, in place of the configured root. priority: the higher runs first.
planned_at: when the row became what it is. planned_seq: how many events the chain of its wave had then; an
approval of the wave among these events does not cover the row. withheld: the code why it must not run
("not-in-plan", "plan-changed"), or NULL.
"""

wave = Table(
    "wave",
    metadata,
    Column("name", Text, primary_key=True),
    Column("starts", Float(53)),
    Column("window", Text),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("canary", String(16)),
    Column("priority", Integer, nullable=False, server_default=text("0")),
)
"""What is planned of a wave beside its mailboxes; a wave without a row may run at any time.

starts: not before. window: one of the configuration. canary: the mailbox that runs first, alone. priority: of
several waves the higher runs first.
"""

checked = Table(
    "checked",
    metadata,
    Column("mailbox", String(16), ForeignKey("mailbox.id"), primary_key=True),
    Column("at", Float(53), nullable=False),
    Column("level", String(16)),
    Column("code", String(64)),
    Column("items", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
"""The result of the newest preflight of a mailbox.

level: of the proof. code: why it is not ready, or NULL.
"""

early_check = Table(
    "early_check",
    metadata,
    Column("source", Text, primary_key=True),
    Column("row", Text, nullable=False),
    Column("at", Float(53), nullable=False),
    Column("level", String(16)),
    Column("code", String(64)),
    Column("items", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
"""The result of the newest preflight of a mailbox that is not planned (ledger.plan.early_checks).

source: as in mailbox. row: what the list said of it. The others are those of checked.
"""

source_extra = Table(
    "source_extra",
    metadata,
    Column("source", Text, primary_key=True),
    Column("code", String(64), primary_key=True),
    Column("items", BigInteger),
    Column("at", Float(53), nullable=False),
)
"""What a mailbox has at its source beside its folders (ledger.plan.source_extras).

source: as in mailbox, which may not be planned yet. items: NULL if the source does not say. A source that
was asked and has nothing has a row with code "".
"""

step = Table(
    "step",
    metadata,
    Column("mailbox", String(16), ForeignKey("mailbox.id"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("code", String(64)),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("at", Float(53), nullable=False),
)
"""How far the cutover of a mailbox is: a row for each hook or step that was begun."""

health = Table(
    "health",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("worker", Text, primary_key=True),
    Column("at", Float(53), nullable=False),
    Column("calls", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("latency", Float(53), nullable=False),
    Column("pace", Float(53), nullable=False),
    Column("legs", Integer, nullable=False, server_default=text("0")),
)
"""How each worker last found a server: calls and errors of its newest period, mean latency in seconds.

pace: the worker's own (1: full speed; 0: halted). legs: how many legs the worker would run there.
"""

identity = Table(
    "identity",
    metadata,
    Column("side", String(8), primary_key=True),
    Column("identity", Text, primary_key=True),
    Column("mailbox", ForeignKey("mailbox.id"), nullable=False, index=True),
)
"""Which mailbox an account belongs to, on each side: the one-to-one rule of the whole ledger."""

account = Table(
    "account",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("leg", ForeignKey("leg.id", ondelete="CASCADE"), nullable=False),
)
"""Target accounts that have no id of their own.

leg: the last leg that was about to be the first to write into an account with this fingerprint
(ledger.leg.target_accounts).
"""

leg = Table(
    "leg",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("mailbox", ForeignKey("mailbox.id"), nullable=False),
    Column("workload", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("code", String(64)),
    Column("owner", Text),
    Column("lease_until", Float(53)),
    Column("epoch", Integer, nullable=False, server_default=text("0")),
    Column("took_over", Boolean, nullable=False, server_default=text("false")),
    Column("items", Integer, nullable=False, server_default=text("0")),
    Column("done", Integer, nullable=False, server_default=text("0")),
    Column("bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("started", Float(53)),
    Column("finished", Float(53)),
    Column("source_identity", Text),
    Column("target_identity", Text),
    Column("level", String(16)),
    Column("target_user", Text),
    Column("busy", Float(53), nullable=False, server_default=text("0")),
    Column("copied", Integer, nullable=False, server_default=text("0")),
    Column("copied_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("claimed", Float(53)),
    Column("before", Text),
    Column("unproven", Boolean, nullable=False, server_default=text("false")),
    Column("revision", String(16)),
    Column("generation", Integer, nullable=False, server_default=text("0")),
    Column("detail", Text),
    Column("verified", Integer),
    Column("skipped", Integer),
    Column("rejected", Integer),
    Column("causes", Text),
    Column("settled", Integer),
    Column("settled_since", Float(53)),
    UniqueConstraint("mailbox", "workload"),
)
"""The legs of all mailboxes.

busy: seconds that workers held it, over all its runs; copied, copied_bytes: what they wrote in them. claimed:
since when the present worker holds it. before: the owner that did not release it before that. unproven: the
end of a worker that held it is not proven, and it may write for a while. revision: of the schema, as the
program that holds the leg knows it. generation: of its newest pass that began to write; see
engine.steps.beginning.ledger_generation. detail: what is known beside the code; see
model.errors.MigrationError.
verified, skipped, rejected: items with this fate when the leg was last released, and causes: those that were
skipped or rejected by their code, as JSON (ledger.db.fates); NULL as long as nothing was counted. settled:
the newest pass that left no listed item open; settled_since: when that began (see ledger.leg.meetings).
"""

container = Table(
    "container",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("leg", ForeignKey("leg.id"), nullable=False),
    Column("key", Bytes(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("source_id", Bytes, nullable=False),
    Column("path", Text, nullable=False),
    Column("role", String(16)),
    Column("href", Text),
    Column("placed", Text),
    Column("cursor", Text),
    Column("complete", Boolean, nullable=False, server_default=text("false")),
    Column("total", Integer),
    Column("omit", String(64)),
    Column("gone", Boolean, nullable=False, server_default=text("false")),
    Column("modified", BigInteger),
    Column("made", Boolean, nullable=False, server_default=text("false")),
    Column("surveyed", Text),
    Column("source_state", Text),
    Column("target_state", Text),
    Column("looked", Float(53)),
    UniqueConstraint("leg", "key"),
)
"""The containers of all legs.

made: the target had nothing of that name before we asked for it. surveyed, source_state,
target_state, looked: see ledger.db.rows.ContainerRow.
"""

item = Table(
    "item",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("container", ForeignKey("container.id"), nullable=False),
    Column("key", Bytes(16), nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("size", BigInteger),
    Column("date", BigInteger),
    Column("source_id", Bytes, nullable=False),
    Column("digest", Bytes),
    Column("href", Text),
    Column("since", Text),
    Column("target_version", Text),
    Column("flags", Text),
    Column("code", String(64)),
    Column("place", Text),
    Column("mid", BigInteger),
    Column("inventory", SmallInteger),
)
"""The items of all containers.

since: of a file, also the names under which a write may still land (ledger.db.encoding.pack_since).
mid: the first 8 bytes of the SHA-256 of a mail's Message-ID, signed. inventory: the newest inventory that
names the item, or NULL if it was listed before there were inventories.
"""
Index("item_key", item.c.container, item.c.key, unique=True)
_OPEN = text(f"state < {State.WRITTEN.value}")
Index(
    "item_open",
    item.c.container,
    item.c.state,
    item.c.id,
    sqlite_where=_OPEN,
)
"""On PostgreSQL it is partial, too, as the migrations make it. To say so here would load that dialect, with
what it has for four drivers, for a ledger in SQLite as well."""

loss = Table(
    "loss",
    metadata,
    Column("container", ForeignKey("container.id"), primary_key=True),
    Column("key", Bytes(16), primary_key=True),
    Column("field", String(64), primary_key=True),
    Column("reason", String(64), primary_key=True),
    sqlite_with_rowid=False,
)

finding = Table(
    "finding",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("container", ForeignKey("container.id"), nullable=False, index=True),
    Column("key", Bytes(16)),
    Column("outcome", String(1), nullable=False),
    Column("href", Text),
    Column("detail", String(64), nullable=False),
)

share = Table(
    "share",
    metadata,
    Column("container", ForeignKey("container.id"), primary_key=True),
    Column("key", Bytes(16), primary_key=True),
    Column("party", Bytes(16), primary_key=True),
    Column("digest", Bytes(16), nullable=False),
    Column("ends", BigInteger),
    Column("code", String(64)),
    sqlite_with_rowid=False,
)
"""See ledger.leg.shares.ShareRow."""

version = Table(
    "version",
    metadata,
    Column("container", ForeignKey("container.id"), primary_key=True),
    Column("key", Bytes(16), primary_key=True),
    Column("count", Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""How many older versions of a file are at the target because of us. Most files have no row."""

incident = Table(
    "incident",
    metadata,
    Column("container", ForeignKey("container.id"), primary_key=True),
    Column("key", Bytes(16), primary_key=True),
    Column("deaths", SmallInteger, nullable=False),
    Column("rewrites", SmallInteger, nullable=False),
    Column("at", Float(53)),
    sqlite_with_rowid=False,
)
"""See ledger.db.incidents.Incident. Most items have no row. at: when the last death was noticed."""

meeting = Table(
    "meeting",
    metadata,
    Column("container", ForeignKey("container.id"), primary_key=True),
    Column("key", Bytes(16), primary_key=True),
    Column("mark", Bytes(16), nullable=False, index=True),
    Column("caller", Integer),
    Column("epoch", Integer),
    Column("organizer", Bytes(8)),
    sqlite_with_rowid=False,
)
"""The items that are meetings, of targets that keep one event for all who are invited (ledger.leg.meetings).

mark: a keyed hash of the UID. caller: who called it; NULL for the mailbox's owner, 0 for somebody of no plan.
epoch: a pass of the caller's leg; a later one would have listed the organizer's own. organizer: a keyed hash
of the organizer's address as the item states it; of the owner's own only one that the source says is theirs.
"""

caller = Table(
    "caller",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("address", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("list", Text),
)
"""The addresses of the plan's people, by which their meetings are known.

source: of their mailbox, which the ledger may not have yet. list: the mailbox list that names them, or NULL.
"""

label = Table(
    "label",
    metadata,
    Column("leg", ForeignKey("leg.id"), primary_key=True),
    Column("keyword", Text, primary_key=True),
    Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)

evidence_key = Table(
    "evidence_key",
    metadata,
    Column("mailbox", String(16), ForeignKey("mailbox.id"), primary_key=True),
    Column("wrapped", Bytes),
    Column("made", Float(53), nullable=False),
    Column("destroyed", Float(53)),
)
"""See ledger.inventory.keystore. wrapped is NULL once it is destroyed: it is never made again."""

listed = Table(
    "listed",
    metadata,
    Column("leg", Integer, ForeignKey("leg.id"), primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("container", Integer, ForeignKey("container.id"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("body", Bytes, nullable=False),
)
"""The new and changed items that one page named, in its order; see ledger.inventory.inventory.

number: of the inventory.
"""

inventory = Table(
    "inventory",
    metadata,
    Column("leg", Integer, ForeignKey("leg.id"), primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    Column("header", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("root", Bytes(32), nullable=False),
    Column("at", Float(53), nullable=False),
)
"""Closed inventories: nothing in them changes any more."""

seal = Table(
    "seal",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("wave", Text, nullable=False, index=True),
    Column("statement", Bytes(32), nullable=False),
    Column("root", Bytes(32), nullable=False),
    Column("at", Float(53), nullable=False),
    Column("corrects", Integer, ForeignKey("seal.number")),
    Column("state", Text),
    Column("complete", Boolean),
)
"""The sealed waves of this ledger, in order.

statement: the SHA-256 of the signed statement. state: a fingerprint of what it is about; see
ledger.views.seal_chain. complete: nothing of the wave was missing. state and complete are NULL in rows of an
older version.
"""

pulse = Table(
    "pulse",
    metadata,
    Column("wave", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("mailboxes", Integer, nullable=False),
    Column("items", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("copied", BigInteger, nullable=False),
    Column("copied_bytes", BigInteger, nullable=False),
    Column("legs", Integer, nullable=False),
    Column("source", Float(53)),
    Column("target", Float(53)),
)
"""See ledger.views.progress_samples.Beat: a row for each minute in which a run of the wave was at work."""

event = Table(
    "event",
    metadata,
    Column("wave", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Float(53), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("subject", Text, index=True),
    Column("detail", Text, nullable=False),
    Column("hash", Bytes(32), nullable=False),
    Column("signature", Bytes),
)
"""The chains of events.

hash covers the previous event's hash; an approver's signature, over hash, is outside of it.
"""

signed_plan = Table(
    "signed_plan",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("wave", Text, nullable=False, index=True),
    Column("at", Float(53), nullable=False),
    Column("text", Text, nullable=False),
)
"""The documents that approvers signed. hash: SHA-256 of text, in hexadecimal."""

counter = Table(
    "counter",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("labels", Text, primary_key=True),
    Column("value", Float(53), nullable=False),
)
"""What all processes counted together since the ledger exists; see ledger.db.counters. It only grows."""

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)


def is_open() -> ColumnElement[bool]:
    """Return the condition of the index item_open, spelled so that both databases recognise it."""
    return item.c.state < literal_column(str(State.WRITTEN.value))
