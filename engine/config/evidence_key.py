"""Describe [evidence].

The key that wraps the keys of the mailboxes' evidence, and where it lies if none is configured.
"""

from __future__ import annotations

import os
import secrets
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.settings import Secret, Strict
from model.errors import Misconfigured

if TYPE_CHECKING:
    from engine.config.load import Config
    from ledger.store import Ledger

FILE = "evidence.key"
KEY_BYTES = 32
WANTED = "32 bytes in Base64, as `kogge audit keys create` makes them"


class EvidenceSettings(Strict):
    """Hold the settings of [evidence].

    Attributes:
        key: 32 bytes in Base64. Without it, one machine makes a key of its own, in a file evidence.key beside
            the state directory; several machines need the same one.
    """

    key: Secret | None = None


def key_of_keys(config: Config) -> bytes:
    """Return the key that wraps those of the mailboxes (ledger.inventory.keystore).

    If none is configured, it lies in a file, which is made when it is first needed.

    Raises:
        Misconfigured: if the key cannot be read or made; the message contains nothing of it.
    """
    configured = config.evidence.key
    if configured is not None:
        return _decode(configured.read().get_secret_value(), config.evidence.where("key"))
    path = key_file(config)
    if not path.exists():
        _make(path)
    return _read(path)


def proven_key(config: Config, ledger: Ledger) -> bytes:
    """Return the same key, if the ledger's evidence was begun with it, or has not begun.

    Raises:
        Misconfigured: if the key cannot be read, or is another one.
    """
    from ledger.db.engine import reading
    from ledger.inventory.keystore import refuse_another

    key = key_of_keys(config)
    with reading(ledger.engine) as connection:
        refuse_another(connection, key)
    return key


def key_file(config: Config) -> Path:
    """Return the file of the key. It is not in the state directory.

    A copy of the ledger should not contain the key.
    """
    return config.state_directory.with_name(FILE)


def _make(path: Path) -> None:
    """Make the file whole or not at all.

    Of two processes that need it at once, one makes it, and both read the same.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        finally:
            draft.unlink()
    except OSError as error:
        advice = f"cannot be made ({error.strerror}): make that folder writable, or give [evidence] key"
        raise Misconfigured(str(path), advice) from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(4096)
    except OSError as error:
        raise Misconfigured(str(path), f"cannot be read ({error.strerror})") from None
    if mode & 0o077:
        raise Misconfigured(str(path), "others can read this file: chmod 600")
    return _decode(text.decode("ascii", "replace"), str(path))


def _decode(text: str, where: str) -> bytes:
    try:
        key = b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise Misconfigured(where, f"is not {WANTED}")
    return key
