"""The ledgers that this process has open: one, with one engine, for each address.

Its schema is looked at when it is opened, and not again. What is open is closed when its last user has ended;
what was asked for without an end (kept) stays until others take its place, or the process ends.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ledger.store import Ledger

KEPT_MOST = 4
"""How many that nobody uses at the moment stay open."""


@dataclass(slots=True)
class _Open:
    ledger: Ledger
    users: int = 0
    kept: bool = False


_lock = threading.Lock()
_open: dict[str, _Open] = {}


@contextmanager
def opened(url: str, *, upgrade: bool = False) -> Iterator[Ledger]:
    """Opens a ledger, or uses the one that is open; made when it is not there yet. upgrade: what writes
    brings an older one to this version's schema. Raises as Ledger.ready() and Ledger.migrate() do."""
    found = _take(url, upgrade=upgrade)
    try:
        yield found.ledger
    finally:
        _give_back(url, found)


def kept(url: str) -> Ledger:
    """The open ledger of this address, or one that is opened now and stays. Raises as Ledger.ready() does."""
    found = _take(url, upgrade=False)
    found.kept = True
    _give_back(url, found)
    return found.ledger


def _take(url: str, *, upgrade: bool) -> _Open:
    with _lock:
        found = _open.get(url)
        if found is None:
            found = _Open(_made(url, upgrade=upgrade))
            _open[url] = found
        found.users += 1
        return found


def _made(url: str, *, upgrade: bool) -> Ledger:
    ledger = Ledger(url)
    try:
        if upgrade:
            ledger.migrate()
        else:
            ledger.ready()
    except BaseException:
        ledger.close()
        raise
    return ledger


def _give_back(url: str, found: _Open) -> None:
    with _lock:
        found.users -= 1
        if found.users == 0 and not found.kept:
            del _open[url]
            found.ledger.close()
        idle = [name for name, one in _open.items() if one.users == 0]
        for name in idle[:-KEPT_MOST]:
            _open.pop(name).ledger.close()


@atexit.register
def _close_all() -> None:
    for one in _open.values():
        one.ledger.close()
