"""The keys of the evidence, for those who use them later than the migration."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from engine.config.evidence_key import key_file, key_of_keys
from engine.config.load import Config
from ledger.db.engine import reading
from ledger.inventory import keystore
from ledger.open_ledgers import opened
from ledger.store import Ledger
from model.errors import Misconfigured
from model.plural import first_of
from model.signing_keys import write_key

EXPORTED = "evidence-key-exported"
"""Of an event."""
SHOWN = 10


def known_key_of_keys(config: Config) -> bytes:
    """Return the key that wraps the others.

    It never makes one, because that would be a second key.

    Raises:
        Misconfigured: there is none, or it cannot be read.
    """
    if config.evidence.key is None and not (path := key_file(config)).exists():
        raise Misconfigured(
            str(path), "no such file: run this where the migration ran, or give its key as [evidence] key"
        )
    return key_of_keys(config)


def opening_key(config: Config, ledger: Ledger) -> bytes:
    """Return the key that wraps the others, if the keys in the ledger are wrapped by it.

    Raises:
        Misconfigured: there is no key, or it is another one.
    """
    key = known_key_of_keys(config)
    with reading(ledger.engine) as connection:
        keystore.refuse_another(connection, key)
    return key


@dataclass(frozen=True, slots=True)
class KeyLook:
    """Hold what the key of keys opens.

    Attributes:
        keys: how many mailboxes' keys it opens.
        shut: ids of the mailboxes whose key it does not open.
        why: why the key is of no use; "" if it can be used, or if none is needed yet.
        new: where the key will be made.
    """

    keys: int = 0
    shut: tuple[str, ...] = ()
    why: str = ""
    new: Path | None = None

    @property
    def good(self) -> bool:
        """Return True if the key can be used, and opens the keys of all mailboxes."""
        return not self.why and not self.shut

    def line(self) -> str:
        """Return one line for the operator."""
        if self.why:
            return f"evidence: nothing can be sealed: {self.why}"
        if self.shut:
            names = first_of(self.shut, SHOWN)
            return f"evidence: the key of keys does not open the key of {names}: compare with a backup"
        if self.new is not None:
            return f"evidence: the first pass makes the key of keys ({self.new}): keep a copy elsewhere"
        if not self.keys:
            return "evidence: the key of keys can be read; no mailbox has a key under it yet"
        return f"evidence: the key of keys opens the keys of all {self.keys:,} mailboxes that have one"

    def document(self) -> dict[str, object]:
        """Return the same for JSON."""
        return {"keys": self.keys, "shut": list(self.shut), "why": self.why, "made_yet": self.new is None}


def inspect_keys(config: Config, ledger: Ledger | None) -> KeyLook:
    """Look which mailboxes' keys the key of keys opens. It reads only, and makes no key.

    Args:
        config: names the key.
        ledger: None if there is none yet.
    """
    if config.evidence.key is None and not (path := key_file(config)).exists() and not _has_begun(ledger):
        return KeyLook(new=path)
    try:
        kek = known_key_of_keys(config)
        if ledger is None:
            return KeyLook()
        with reading(ledger.engine) as connection:
            good, shut = keystore.opened(connection, kek)
    except Misconfigured as error:
        return KeyLook(why=error.advice)
    return KeyLook(good, tuple(shut))


def look_of(config: Config) -> KeyLook:
    """Inspect the keys of the configured ledger, without making a ledger."""
    if config.ledger_file is not None and not config.ledger_file.exists():
        return inspect_keys(config, None)
    with opened(config.ledger_url()) as ledger:
        return inspect_keys(config, ledger)


def _has_begun(ledger: Ledger | None) -> bool:
    if ledger is None:
        return False
    with reading(ledger.engine) as connection:
        return keystore.has_begun(connection)


def export_key(config: Config, ledger: Ledger, mailbox_id: str, out: Path, by: str) -> None:
    """Write a mailbox's key to a new file. The export is recorded before it is written.

    Raises:
        Misconfigured: the mailbox has no key yet, the file is there already, or it cannot be written.
        Blocked: the key was destroyed.
    """
    with reading(ledger.engine) as connection:
        key = keystore.key_of(connection, mailbox_id, known_key_of_keys(config))
    if key is None:
        raise Misconfigured("--mailbox", "has no key yet: it gets one with its first inventory")
    if out.exists():
        raise Misconfigured("--out", f"{out.name!a} is there already, and it stays as it is")
    if not os.access(out.absolute().parent, os.W_OK):
        raise Misconfigured("--out", "cannot be written there")  # else it would be recorded as given out
    ledger.event(ledger.mailbox(mailbox_id).wave, EXPORTED, {"by": by}, subject=mailbox_id)
    write_key(out, json.dumps({"mailbox": mailbox_id, "key": key.hex()}) + "\n")
