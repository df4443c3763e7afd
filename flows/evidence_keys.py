"""The keys of the evidence, for those who use them later than the migration."""

from __future__ import annotations

import json
import os
from pathlib import Path

from connectors.errors import Misconfigured
from flows.config import Config
from flows.keys import write_key
from flows.settings_evidence import key_file, key_of_keys
from ledger import keystore
from ledger.database import reading
from ledger.store import Ledger

EXPORTED = "evidence-key-exported"
"""Of an event."""


def known_key_of_keys(config: Config) -> bytes:
    """The key that wraps the others, never a new one: that would be a second. Raises Misconfigured."""
    if config.evidence.key is None and not (path := key_file(config)).exists():
        raise Misconfigured(
            str(path), "no such file: run this where the migration ran, or give its key as [evidence] key"
        )
    return key_of_keys(config)


def export_key(config: Config, ledger: Ledger, mailbox_id: str, out: Path, by: str) -> None:
    """Writes it where nothing is yet; recorded before. Raises Misconfigured, Blocked where it is gone."""
    with reading(ledger.engine) as connection:
        key = keystore.key_of(connection, mailbox_id, known_key_of_keys(config))
    if key is None:
        raise Misconfigured("--mailbox", "has no key yet: it gets one with its first inventory")
    if out.exists():
        raise Misconfigured("--out", "there is such a file already, and it stays as it is")
    if not os.access(out.absolute().parent, os.W_OK):
        raise Misconfigured("--out", "cannot be written there")  # else it would be recorded as given out
    ledger.event(ledger.mailbox(mailbox_id).wave, EXPORTED, {"by": by}, subject=mailbox_id)
    write_key(out, json.dumps({"mailbox": mailbox_id, "key": key.hex()}) + "\n")
