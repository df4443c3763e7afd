"""Write the working hours of an account beside its rules: one object, on the server of its calendars.

What a person set there stays. Only what is as Kogge wrote it is changed or removed, as its digest tells; and
only what has our UID is listed.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import BinaryIO, Final

from model.errors import Rejected
from model.protocols import Failed, Item, Listed, Native, Ref, Stored, key_of
from model.working_hours import HOURS, AvailabilityStore, uid_of

FORMAT: Final = "availability"
OWN: Final = "own-hours"
"""The code of hours that are not written, since the person has set some, the same or others."""
NOT_KEPT: Final = "hours-not-at-target"
MOST: Final = 65_536
KEY: Final = key_of(HOURS)
"""There is one such item in a mailbox: the record of a source has this id."""


class HoursPart:
    """Do for one object what a Target does for the items of a container; see `model.protocols.Target`.

    The href of the item is made of its key.
    """

    def __init__(
        self, store: AvailabilityStore | None, *, digest: Callable[[BinaryIO], bytes], live: bool
    ) -> None:
        """Prepare; nothing is asked.

        Args:
            store: where the object is kept; None if no server keeps it.
            digest: returns what a body means.
            live: True in the live phase: write only adds.
        """
        self._store = store
        self._digest = digest
        self._live = live

    @property
    def exists(self) -> bool:
        """Return True if a server may keep the object; asks nothing."""
        return self._store is not None

    def write(self, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        """Write the object if the account has none, or one that is as it was written before. Idempotent."""
        for item in items:
            try:
                self._write(item)
            except Rejected as error:
                yield Failed(item.key, error)
            else:
                yield Stored(item.key, item.key.hex(), digest=item.digest)

    def listing(self) -> Iterator[Listed]:
        """List the object, if it is ours."""
        text = self._ours()
        if text is not None:
            yield Listed(KEY.hex(), len(text))

    def read(self, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        """Read the object back, if it is ours."""
        text = self._ours()
        for name in hrefs:
            if text is None or name != KEY.hex():
                yield name, Failed(KEY, Rejected("vanished"))
            else:
                yield name, Native(Ref(name, "", size=len(text)), FORMAT, {}, partial(io.BytesIO, text))

    def remove(self, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        """Remove the object if it is as it was written; one that somebody changed stays."""
        for one in stored:
            try:
                self._remove(one)
            except Rejected as error:
                yield Failed(one.key, error)
            else:
                yield one

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
        if self._store is not None:
            self._store.close()

    def _write(self, item: Item) -> None:
        if self._store is None:
            raise Rejected(NOT_KEPT)
        with item.body() as stream:
            body = stream.read(MOST + 1)
        if len(body) > MOST:
            raise Rejected(NOT_KEPT)
        text = self._store.text()
        there = self._means(text)
        if there == item.digest and _is_ours(text):
            return
        before = item.replaces.digest if item.replaces is not None and not self._live else None
        if there is not None and (there != before or not _is_ours(text)):
            raise Rejected(OWN)
        self._store.keep(body)
        if self._means(self._store.text()) != item.digest:
            raise Rejected(NOT_KEPT, "the server says that it keeps the hours, and does not")

    def _remove(self, one: Stored) -> None:
        text = self._ours()
        if text is None or self._store is None:
            return
        if self._means(text) != one.digest:
            raise Rejected("changed-at-target")
        self._store.remove()
        if self._ours() is not None:
            raise Rejected("cannot-remove", "the server says that it removed the hours, and did not")

    def _ours(self) -> bytes | None:
        """Return the object that the account has if it has our UID."""
        if self._store is None:
            return None
        try:
            text = self._store.text()
        except Rejected as error:
            if error.code != NOT_KEPT:
                raise
            return None
        return text if _is_ours(text) else None

    def _means(self, text: bytes | None) -> bytes | None:
        """Return what an object means; of one that has no meaning, a value that no digest equals."""
        if text is None:
            return None
        try:
            return self._digest(io.BytesIO(text))
        except Rejected:
            return b"unknown"


def _is_ours(text: bytes | None) -> bool:
    return text is not None and f"UID:{uid_of(KEY)}".encode() in text.split()
