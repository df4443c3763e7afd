"""Keep the keys of the evidence: a random one for each mailbox, wrapped by one key that all workers know.

A mailbox's key is derived from nothing, so that a destroyed key cannot be made again: the mailbox's lines in
the evidence then name nobody any more, and the trees over them still hold. The operator gives the key that
wraps (the KEK), and it is never in the ledger. A fingerprint of it is, so that two machines cannot use two.
"""

from __future__ import annotations

import hmac
import os
from typing import NamedTuple

from sqlalchemy import Connection, Engine, bindparam, select, text, update

from ledger.db.audit_log import append_event
from ledger.db.engine import now, translated, writing
from ledger.db.schema import evidence_key, meta
from ledger.db.upsert import upsert
from ledger.plan.mailboxes import wave_of
from model.errors import Blocked, Corrupt, Misconfigured

KEY_BYTES = 32
DESTROYED = "evidence-key-destroyed"
DAMAGED = "evidence-damaged"
_FINGERPRINT = "evidence-key"


class Made(NamedTuple):
    """Hold a mailbox's key, and how it is kept. A row of the ledger has the wrapped key alone."""

    key: bytes
    wrapped: bytes


def fingerprint(kek: bytes) -> str:
    """Return the fingerprint of the key that wraps, in hexadecimal."""
    return hmac.digest(kek, b"kogge evidence key", "sha256").hex()


_RECORDED = select(meta.c.value).where(meta.c.name == _FINGERPRINT)


def refuse_another(connection: Connection, kek: bytes) -> bool:
    """Refuse a key that wraps if the ledger's keys are wrapped by another one.

    Returns:
        False if the ledger has no key yet.

    Raises:
        Misconfigured: it is another key.
    """
    return _is_wrapped_by(connection.execute(_RECORDED).scalar_one_or_none(), kek)


def _is_wrapped_by(recorded: str | None, kek: bytes) -> bool:
    if recorded is not None and not hmac.compare_digest(recorded, fingerprint(kek)):
        raise Misconfigured(
            "evidence.key",
            "is not the one that this ledger's evidence was begun with; several machines need the same "
            "[evidence] key",
        )
    return recorded is not None


def has_begun(connection: Connection) -> bool:
    """Return True if a mailbox of the ledger has a key, or had one."""
    query = select(meta.c.value).where(meta.c.name == _FINGERPRINT)
    return connection.execute(query).scalar_one_or_none() is not None


def key_of(connection: Connection, mailbox_id: str, kek: bytes) -> bytes | None:
    """Return a mailbox's key; None if it has none yet.

    Raises:
        Blocked: "evidence-key-destroyed".
        Corrupt: "evidence-damaged" if it cannot be unwrapped.
        Misconfigured: another key wraps the ledger's keys.
    """
    recorded, there, wrapped = connection.execute(_KEY, {"of": mailbox_id}).one()
    _is_wrapped_by(recorded, kek)
    return None if there is None else _unwrapped(wrapped, kek)


_OF = evidence_key.c.mailbox == bindparam("of")
_KEY = select(
    _RECORDED.scalar_subquery(),
    select(evidence_key.c.mailbox).where(_OF).scalar_subquery(),
    select(evidence_key.c.wrapped).where(_OF).scalar_subquery(),
)


def make(kek: bytes) -> Made:
    """Make a new key, which is kept nowhere yet."""
    return _made(os.urandom(KEY_BYTES), kek)


def _made(key: bytes, kek: bytes) -> Made:
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap

    return Made(key, aes_key_wrap(kek, key))


def known_or_new(connection: Connection, mailbox_id: str, kek: bytes) -> Made:
    """Return a mailbox's key, or a new one that keep() must get. It raises as key_of does."""
    key = key_of(connection, mailbox_id, kek)
    return make(kek) if key is None else _made(key, kek)


def keep(connection: Connection, mailbox_id: str, kek: bytes, key: Made) -> bytes:
    """Keep a key inside the caller's write transaction, unless the mailbox has one already. Idempotent.

    Returns:
        The key that the mailbox has. It raises as key_of does.
    """
    if not refuse_another(connection, kek):
        mark = {"name": _FINGERPRINT, "value": fingerprint(kek)}
        connection.execute(upsert(connection, meta).values(mark).on_conflict_do_nothing())
        refuse_another(connection, kek)
    row = {"mailbox": mailbox_id, "wrapped": key.wrapped, "made": now()}
    connection.execute(upsert(connection, evidence_key).values(row).on_conflict_do_nothing())
    query = select(evidence_key.c.wrapped).where(evidence_key.c.mailbox == mailbox_id)
    return _unwrapped(connection.execute(query).scalar_one(), kek)


def opened(connection: Connection, kek: bytes) -> tuple[int, list[str]]:
    """Count the ledger's keys that this key unwraps, and name the mailboxes whose key it does not unwrap.

    Destroyed keys count in neither.

    Raises:
        Misconfigured: all are wrapped by another key.
    """
    refuse_another(connection, kek)
    query = select(evidence_key.c.mailbox, evidence_key.c.wrapped).order_by(evidence_key.c.mailbox)
    good, shut = 0, []
    for mailbox_id, wrapped in connection.execute(query.where(evidence_key.c.wrapped.is_not(None))):
        try:
            _unwrapped(wrapped, kek)
            good += 1
        except Corrupt:
            shut.append(str(mailbox_id))
    return good, shut


def _unwrapped(wrapped: bytes | None, kek: bytes) -> bytes:
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

    if wrapped is None:
        raise Blocked(DESTROYED, "the key of its evidence was destroyed: nothing more can be recorded")
    try:
        return aes_key_unwrap(kek, wrapped)
    except InvalidUnwrap:
        raise Corrupt(DAMAGED, "the key of a mailbox's evidence cannot be unwrapped") from None


def destroy(engine: Engine, mailbox_id: str, by: str, reason: str) -> bool:
    """Destroy a mailbox's key for good, with an event. Idempotent.

    If the mailbox has no key yet, none will be made. Backups of the ledger still hold the key.

    Returns:
        False if it was destroyed before.
    """
    gone = evidence_key.c.mailbox == mailbox_id, evidence_key.c.wrapped.is_not(None)
    with writing(engine) as connection:
        wave = wave_of(connection, mailbox_id)
        # SQLite leaves what it frees where it was, unless it is told to overwrite it.
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        row = {"mailbox": mailbox_id, "wrapped": None, "made": now(), "destroyed": now()}
        new = upsert(connection, evidence_key).values(row).on_conflict_do_nothing()
        added = connection.execute(new.returning(evidence_key.c.mailbox)).first() is not None
        done = update(evidence_key).where(*gone).values(wrapped=None, destroyed=now())
        if not (connection.execute(done).rowcount or added):
            return False
        append_event(connection, wave, DESTROYED, {"by": by, "reason": reason}, subject=mailbox_id)
    _scrub(engine)
    return True


def _scrub(engine: Engine) -> None:
    """Remove the old row's bytes from the table's files."""
    command = "PRAGMA wal_checkpoint(TRUNCATE)"
    if engine.dialect.name == "postgresql":
        command = "VACUUM FULL evidence_key"
    with translated(engine), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(command))
