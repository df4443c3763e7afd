"""Tell a ledger that cannot be written, or opened, from a database that gives no answer for a moment."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from sqlalchemy.engine import URL

from model.errors import Misconfigured, Unwritable

FULL, READ_ONLY = "ledger-full", "ledger-unwritable"
LITTLE_BYTES = 64 * 1024
"""SQLite needs more than this on its disk to open a ledger: its index of the WAL takes 32 KiB."""
_NO_SPACE = "no space is left on the disk of the ledger"
_DISK_FULL, _READ_ONLY_TRANSACTION = "53100", "25006"
"""PostgreSQL's SQLSTATE."""


def unwritable(error: BaseException | None, url: URL) -> Unwritable | None:
    """Return why the ledger cannot be written until a person does something; None for another error.

    Args:
        error: what the driver raised.
        url: the ledger's address. A server's path is not known here, and the error then names none.
    """
    state = getattr(error, "sqlstate", None)
    if state == _DISK_FULL:
        return Unwritable(FULL, "no space is left on the disk of the ledger's database server")
    if state == _READ_ONLY_TRANSACTION:
        return Unwritable(READ_ONLY, "the ledger's database server only reads: is it a standby?")
    name = getattr(error, "sqlite_errorname", None) or ""
    path = Path(str(url.database))
    found: tuple[str, str] | None = None
    if name.startswith("SQLITE_FULL"):
        found = FULL, _NO_SPACE
    elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR")):
        found = _found(path, name)
    return Unwritable(*found).with_local_cause(str(path.absolute())) if found else None


def _found(path: Path, name: str) -> tuple[str, str] | None:
    if path.is_dir():
        return READ_ONLY, "there is a folder where the ledger's file should be"
    if not _writes(path.parent):
        return READ_ONLY, "the folder of the ledger's file cannot be written: see its rights, and its mount"
    if path.exists() and not _writes(path):
        return READ_ONLY, "the ledger's file cannot be written: see its rights, and its owner"
    if _is_full(path.parent):
        return FULL, _NO_SPACE
    if name.startswith("SQLITE_READONLY"):
        return READ_ONLY, "the ledger's file, or one of its files -wal and -shm, cannot be written"
    return None


def _writes(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _is_full(folder: Path) -> bool:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < LITTLE_BYTES


def not_created(error: OSError, path: Path) -> Misconfigured | Unwritable:
    """Return why a ledger's file could not be created."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unwritable(FULL, _NO_SPACE).with_local_cause(str(path.absolute()))
    why = Misconfigured("ledger", "its file cannot be created: is the folder writable?")
    return why.with_local_cause(str(path.absolute()))
