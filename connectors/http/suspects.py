"""Tell an item at which a server always fails from a server that fails for a while.

A server whose database is away answers 500 to every request, also to the looks that are to find the cause.
What was not sent again after the server recovered is no item's fault. So a failure counts only if a look
right after it is answered at once, and the item is blamed when both is true:

- the server failed at it FAULTS times in a row, and every look between them was answered;
- the server stored another item after the first and before the last of them.

Where no other item was written meanwhile, the item is put aside and sent again when the others of the batch
are written. If there is none, it is blamed once the retries of two attempts are used up.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from connectors.http.client import HttpAnswer
from connectors.http.dav_errors import item_error
from connectors.retry import RetryPolicy
from model.errors import Transient
from model.protocols import Failed, Item, Stored
from model.server_words import ServerWords

FAULTS = 4
"""Failures in a row, while the server is well, before an item is suspected."""
FAULT = 500
"""The status that may be the server's fault or the item's."""

_tried_in_vain: set[bytes] = set()
"""Digests of the items at which the retries of an attempt were used up, in this process."""


class SuspectedError(Exception):
    """Say that an item is suspected, and is to be tried again after the others."""


@dataclass(frozen=True, slots=True)
class PutAside:
    """Hold an item that is tried again after the others.

    Attributes:
        item: the item.
    """

    item: Item


def suspects_last(
    items: Iterable[Item], write: Callable[[Iterable[Item]], Iterator[Stored | Failed | PutAside]]
) -> Iterator[Stored | Failed]:
    """Write items, and then once more those that were put aside.

    Args:
        items: the items.
        write: writes items; it puts none aside twice.
    """
    waiting: Iterable[Item] | None = items
    while waiting is not None:
        aside: list[Item] = []
        for result in write(waiting):
            if isinstance(result, PutAside):
                aside.append(result.item)
            else:
                yield result
        waiting = aside or None


class Suspicion:
    """Judge the failures of a server at one item. One thread at a time."""

    def __init__(self, suspects: Suspects, item: bytes, is_well: Callable[[], bool]) -> None:
        """Start without a failure.

        Args:
            suspects: counts what the server stores.
            item: tells the item from the others of the account.
            is_well: sends one small request that changes nothing, once; returns False if it fails.
        """
        self._suspects = suspects
        self._item = item
        self._is_well = is_well
        self._failures = 0
        self._began = 0
        self._sent = 0
        self._aside = False

    def sending(self) -> None:
        """Note that the item is about to be sent."""
        self._sent = self._suspects.stored

    def carried_out(self) -> None:
        """Note that the server stored the item."""
        self._suspects.carried_out(self._item)

    def failed(self) -> bool:
        """Note that the server failed at the item, and look how the server is.

        Returns:
            True if the item is suspected.
        """
        if not self._failures:
            self._began = self._suspects.stored
        self._failures = self._failures + 1 if self._is_well() else 0
        return self._failures >= FAULTS

    def judge(self, words: ServerWords) -> None:
        """Decide about a suspected item; return if nothing is known yet.

        Args:
            words: the server's words.

        Raises:
            Rejected: the item is the cause.
            SuspectedError: it is to be tried again after the others; at most once.
        """
        if self._sent > self._began:
            raise item_error(FAULT).quoting(words)
        if not self._aside:
            self._aside = True
            self._suspects.keep(self._item, self)
            raise SuspectedError

    def pause(self, patience: RetryPolicy, error: Transient) -> None:
        """Wait before the item is sent again.

        Args:
            patience: the retry state.
            error: the fault.

        Raises:
            Transient: the retries are used up.
            Rejected: likewise, for the second time, and the server was well.
        """
        if error.code != "server-error":
            self._failures = 0
        try:
            patience.pause(error)
        except Transient:
            if self._failures >= FAULTS and self._suspects.is_tried_in_vain(self._item):
                raise item_error(FAULT).quoting(error.words) from None
            raise


class Suspects:
    """Hold what is known of the items of one account at which the server failed. Safe from several threads.

    Attributes:
        stored: how many items the server stored.
    """

    def __init__(self, account: str) -> None:
        """Start without a suspicion.

        Args:
            account: tells the account from the others.
        """
        self.stored = 0
        self._account = account.encode()
        self._aside: dict[bytes, Suspicion] = {}
        self._lock = threading.Lock()

    def of(self, item: bytes, is_well: Callable[[], bool]) -> Suspicion:
        """Return the suspicion against an item; see `Suspicion`.

        Args:
            item: tells the item from the others of the account.
            is_well: see `Suspicion`.
        """
        return self._aside.get(item) or Suspicion(self, item, is_well)

    def keep(self, item: bytes, suspicion: Suspicion) -> None:
        """Keep the suspicion against an item that is put aside."""
        self._aside[item] = suspicion

    def carried_out(self, item: bytes) -> None:
        """Note that the server stored an item."""
        with self._lock:
            self.stored += 1
        self._aside.pop(item, None)
        if _tried_in_vain:
            _tried_in_vain.discard(self._identity(item))

    def is_tried_in_vain(self, item: bytes) -> bool:
        """Return True if the retries were used up at this item before; note that they are now."""
        identity = self._identity(item)
        if identity in _tried_in_vain:
            return True
        _tried_in_vain.add(identity)
        return False

    def _identity(self, item: bytes) -> bytes:
        return hashlib.blake2b(self._account + b"\n" + item, digest_size=16).digest()


def answers_well(ask: Callable[[], HttpAnswer]) -> bool:
    """Return True if a small request is answered as it should be, at once."""
    try:
        return ask().ok
    except Transient:
        return False
