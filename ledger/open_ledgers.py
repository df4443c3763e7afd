"""Share the open ledgers of this process: one, with one engine, for each address.

A ledger's schema is checked when it is opened, and not again. An open ledger is closed when its last user has
ended. One that was asked for without an end (kept) stays open until others take its place, or until the
process ends.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from ledger.db.patience import AT_ONCE, Patience
from ledger.store import Ledger

KEPT_MOST = 4
"""How many unused ledgers stay open."""


@dataclass(slots=True)
class _Open:
    ledger: Ledger
    users: int = 0
    kept: bool = False


_lock = threading.Lock()
_open: dict[str, _Open] = {}


@contextmanager
def opened(url: str, *, upgrade: bool = False, patience: Patience | None = None) -> Iterator[Ledger]:
    """Open a ledger, or use the one that is open. A ledger that does not exist yet is created.

    Args:
        url: its address.
        upgrade: True for a program that writes: it brings an older ledger to this version's schema.
        patience: how long its database is waited for, now and during the block; None to leave that as it is,
            and to ask once where nobody chose.

    Raises:
        MigrationError: as Ledger.ready() and Ledger.migrate().
    """
    entry = _take(url, upgrade=upgrade, patience=patience or AT_ONCE)
    try:
        with nullcontext() if patience is None else entry.ledger.patience.use(patience):
            yield entry.ledger
    finally:
        _give_back(url, entry)


def held_open(url: str) -> Ledger:
    """Return the open ledger of this address, or one that is opened now and stays open.

    Raises:
        MigrationError: as Ledger.ready().
    """
    entry = _take(url, upgrade=False, patience=AT_ONCE)
    entry.kept = True
    _give_back(url, entry)
    return entry.ledger


def _take(url: str, *, upgrade: bool, patience: Patience) -> _Open:
    with _lock:
        entry = _open.get(url)
        if entry is None:
            entry = _Open(_made(url, upgrade=upgrade, patience=patience))
            _open[url] = entry
        entry.users += 1
        return entry


def _made(url: str, *, upgrade: bool, patience: Patience) -> Ledger:
    ledger = Ledger(url)
    try:
        with ledger.patience.use(patience):
            patience.ask(ledger.migrate if upgrade else ledger.ready)
    except BaseException:
        ledger.close()
        raise
    return ledger


def _give_back(url: str, entry: _Open) -> None:
    with _lock:
        entry.users -= 1
        if entry.users == 0 and not entry.kept:
            del _open[url]
            entry.ledger.close()
        idle = [name for name, other in _open.items() if other.users == 0]
        for name in idle[:-KEPT_MOST]:
            _open.pop(name).ledger.close()


@atexit.register
def _close_all() -> None:
    for entry in _open.values():
        entry.ledger.close()
