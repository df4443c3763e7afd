"""[evidence]: the key that wraps those of the mailboxes' evidence, and where it is when nobody gave one."""

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
    """key: 32 bytes in Base64. Without it, one machine makes a key of its own, in a file evidence.key beside
    the state directory; several machines need the same one."""

    key: Secret | None = None


def key_of_keys(config: Config) -> bytes:
    """The key that wraps those of the mailboxes (ledger.inventory.keystore). Where none is configured, it is
    in a file, made when it is first needed. Raises Misconfigured; nothing of a key is in its text."""
    given = config.evidence.key
    if given is not None:
        return _decoded(given.read().get_secret_value(), config.evidence.where("key"))
    path = key_file(config)
    if not path.exists():
        _make(path)
    return _read(path)


def proven_key(config: Config, ledger: Ledger) -> bytes:
    """The same, where the ledger's evidence was begun with it, or is not begun."""
    from ledger.db.engine import reading
    from ledger.inventory.keystore import refuse_another

    key = key_of_keys(config)
    with reading(ledger.engine) as connection:
        refuse_another(connection, key)
    return key


def key_file(config: Config) -> Path:
    """Not in the state directory: whoever copies the ledger should not copy the key with it."""
    return config.state_directory.with_name(FILE)


def _make(path: Path) -> None:
    """Whole or not at all: of two processes that need it at once, one makes it, and both read the same."""
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
    return _decoded(text.decode("ascii", "replace"), str(path))


def _decoded(text: str, where: str) -> bytes:
    try:
        key = b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise Misconfigured(where, f"is not {WANTED}")
    return key
