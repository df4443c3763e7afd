"""Write, list, read and remove items that DAV does not hold, beside those that it does.

Such an item has the name that DAV would give it, so that the ledger knows it by its place. It is found by its
UID, which the mapping made of the item's key: a write whose reply was lost, or whose worker died, is
recognized by it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from connectors.caldav.read import Digest
from connectors.http.hrefs import Mine, is_ours
from connectors.http.suspects import PutAside, SuspectedError, Suspects, Suspicion
from connectors.open_xchange.client import ApiClient
from connectors.open_xchange.folders import item_name
from connectors.retry import RetryPolicy
from connectors.spool import bytes_body
from model.errors import Rejected, Transient
from model.kinds import Kind
from model.protocols import Failed, Guard, Item, Native, Ref, Stored, key_of

FAILED = "server-error"
"""The code of a failure that may be the server's or the item's."""
FORMATS = {Kind.CONTACTS: "vcard"}


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold one item as the API lists it.

    Attributes:
        id: the server's number of it.
        uid: its UID.
        beside: True if DAV shows nothing of it.
    """

    id: str
    uid: str
    beside: bool


@dataclass(frozen=True, slots=True)
class Current:
    """Hold one item as it is now.

    Attributes:
        body: the item in the form that DAV would give.
        moment: when the server answered, by its own clock. A change is refused if the item changed since.
    """

    body: bytes
    moment: str


class SideStore(Protocol):
    """Store items of one kind by the API. Every method that asks may raise Transient and Blocked."""

    kind: Kind

    def takes(self, stream: BinaryIO) -> bool:
        """Return True if DAV does not hold such an item."""
        ...

    def entries(self, folder: str) -> Iterator[Entry]:
        """Yield the items of a folder; those that DAV shows, too, where the API could change them."""
        ...

    def is_well(self, folder: str) -> bool:
        """Send one small request about the folder, once; return False if it fails."""
        ...

    def read(self, folder: str, entry: Entry) -> Current:
        """Return an item; raise Rejected("vanished") if it is no longer there."""
        ...

    def create(self, folder: str, uid: str, body: bytes) -> None:
        """Create an item. Not idempotent; raise Rejected if the server refuses it."""
        ...

    def replace(self, folder: str, entry: Entry, body: bytes, moment: str) -> None:
        """Replace an item that did not change since a moment; raise Rejected if it did, or is refused."""
        ...

    def delete(self, folder: str, entry: Entry, moment: str) -> None:
        """Delete an item that did not change since a moment; raise Rejected if it did."""
        ...


class SideItems:
    """Hold the items of one folder beside DAV."""

    def __init__(
        self,
        client: ApiClient,
        store: SideStore,
        folder: str,
        guard: Guard,
        digest: Digest,
        mine: Mine,
        suspects: Suspects,
        *,
        live: bool,
    ) -> None:
        """Look up what is in the folder.

        Args:
            client: the API.
            store: stores items of the kind.
            folder: the folder's id.
            guard: the write fence; called before each change.
            digest: returns the meaning of a body.
            mine: tells if an item's key belongs to this mailbox.
            suspects: the items at which the server failed.
            live: True in the live phase: existing items stay.
        """
        self._client = client
        self._store = store
        self._folder = folder
        self._guard = guard
        self._digest = digest
        self._mine = mine
        self._suspects = suspects
        self._live = live
        self._entries = self._listed()

    @property
    def names(self) -> list[str]:
        """Return the names of the items of which DAV shows nothing.

        A second item of one UID, which a write left that landed late, has a name of its own, so that it is
        seen and can be removed.
        """
        return [name for name, entry in self._entries.items() if entry.beside]

    def has(self, name: str) -> bool:
        """Return True if DAV shows nothing of the item of this name, and it is here."""
        entry = self._entries.get(name)
        return entry is not None and entry.beside

    def write(self, item: Item) -> Stored | Failed | PutAside:
        """Write one item; see `model.protocols.Target.write`. Idempotent, by its UID.

        Returns:
            The result; or the item, if it is to be written again after the others.

        Raises:
            Transient: the outcome is unknown.
            Blocked: the account or the folder refuses.
            LeaseLost: the guard refuses.
        """
        try:
            return self._write_until_settled(item)
        except Rejected as error:
            return Failed(item.key, error)
        except SuspectedError:
            return PutAside(item)

    def read(self, name: str) -> Native | Failed:
        """Return one item of `names`.

        Args:
            name: its name.
        """
        try:
            body = self._store.read(self._folder, self._entries[name]).body
        except Rejected as error:
            return Failed(key_of(name), error)
        format_ = FORMATS.get(self._store.kind, "icalendar")
        return Native(Ref(name, "", size=len(body)), format_, {}, bytes_body(body))

    def remove(self, stored: Stored) -> Stored | Failed:
        """Remove one item of `names` that still means what was written. Idempotent.

        It is ours by its UID. One that has not the name of its UID is removed only if its meaning is stated.

        Args:
            stored: the item as it was written.

        Raises:
            Transient: the retries are used up; the item may be gone.
            Blocked: the server refuses.
            LeaseLost: the guard refuses.
        """
        entry = self._entries[stored.href]
        name = item_name(self._store.kind, entry.uid)
        is_known = stored.href == name or bool(stored.digest)
        if stored.via or not is_known or not is_ours(name, self._mine):
            return Failed(stored.key, Rejected("cannot-remove", "it is not ours"))
        try:
            self._delete(entry, stored.digest)
        except Rejected as error:
            return Failed(stored.key, error)
        return stored

    def make_way(self, name: str) -> bool:
        """Delete an item of ours that DAV is about to write in another form.

        Args:
            name: its name; nothing happens if there is none beside DAV.

        Returns:
            True if there was one.

        Raises:
            Rejected: "changed-at-target" in the live phase, "cannot-remove" for another mailbox's.
            Transient, Blocked, LeaseLost: see `remove`.
        """
        if not self.has(name):
            return False
        if self._live:
            raise Rejected("changed-at-target", "its user may have changed it, and it stays as it is")
        if not is_ours(name, self._mine):
            raise Rejected("cannot-remove", "it is not ours")
        self._delete(self._entries[name], b"")
        return True

    # -- internals

    def _listed(self) -> dict[str, Entry]:
        """Return the items by their names."""
        found: dict[str, Entry] = {}
        for entry in self._store.entries(self._folder):
            name = item_name(self._store.kind, entry.uid)
            if name in found:
                name = item_name(self._store.kind, f"{entry.uid}.{entry.id}")
            found[name] = entry
        return found

    def _write_until_settled(self, item: Item) -> Stored:
        """Look and send in turns until the item is there as it should be."""
        if item.uid is None:
            raise Rejected("refused-by-target", "without a UID it could not be found again")
        name, patience = item_name(self._store.kind, item.uid), self._client.patience()
        with item.body() as stream:
            body = stream.read()
        suspicion = self._suspects.of(item.key, lambda: self._store.is_well(self._folder))
        while True:
            try:
                if not self._is_there(name, item):
                    self._guard()
                    suspicion.sending()
                    self._send(name, item.uid, body)
                    suspicion.carried_out()
                return Stored(item.key, name)
            except (Transient, Rejected) as error:
                self._after_failure(error, suspicion, patience)
                self._entries = self._listed()

    def _after_failure(
        self, error: Transient | Rejected, suspicion: Suspicion, patience: RetryPolicy
    ) -> None:
        """Return when the item is to be looked at and sent again, or raise what the failure means."""
        if isinstance(error, Rejected):
            if error.code != "vanished":
                raise error
            error = Transient("busy", "somebody removed it at the same moment")
        try:
            if error.code == FAILED and suspicion.failed():
                suspicion.judge(error.words)
            suspicion.pause(patience, error)
        except Rejected:
            refused = Rejected("refused-by-target", "the server fails at it, and at no other")
            raise refused.about(error.detail).quoting(error.words) from None

    def _is_there(self, name: str, item: Item) -> bool:
        """Return True if the item is there as it should be.

        Raises:
            Rejected: "changed-at-target" if another form of it has to stay.
        """
        entry = self._entries.get(name)
        if entry is None:
            if self._live and item.replaces is not None:
                raise Rejected("changed-at-target", "its user removed it")
            return False
        if entry.beside and self._means(self._store.read(self._folder, entry).body) == item.digest:
            return True
        if self._live:
            raise Rejected("changed-at-target", "its user changed it, and it stays as it is")
        return False

    def _send(self, name: str, uid: str, body: bytes) -> None:
        entry = self._entries.get(name)
        if entry is None:
            self._store.create(self._folder, uid, body)
        else:
            moment = self._store.read(self._folder, entry).moment
            self._store.replace(self._folder, entry, body, moment)

    def _delete(self, entry: Entry, digest: bytes) -> None:
        """Delete an item that means this, or any; one that is gone already is a success."""
        try:
            self._client.patiently(lambda: self._delete_unchanged(entry, digest))
        except Rejected as error:
            if error.code != "vanished":
                raise

    def _delete_unchanged(self, entry: Entry, digest: bytes) -> None:
        """Delete an item if it still has this meaning, or if none is stated."""
        current = self._store.read(self._folder, entry)
        if digest and self._means(current.body) != digest:
            raise Rejected("changed-at-target", "it is no longer what was written")
        self._guard()
        self._store.delete(self._folder, entry, current.moment)

    def _means(self, body: bytes) -> bytes:
        """Return what a body means; b"" for one that cannot be read and therefore is not ours."""
        try:
            return self._digest(io.BytesIO(body))
        except Rejected:
            return b""
