"""Find the owner of a UID that a server does not take twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from connectors.caldav.means import ObjectMeans
from connectors.caldav.read import LASTING, LISTED_MOST, MATCHES_MOST, Current, uid_of
from connectors.http.client import HttpAnswer, passing
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import LONGEST, is_ours, quoted
from model.errors import Blocked, Rejected, Transient
from model.protocols import Guard

CERTAIN = (b"no-uid-conflict", b"CAL-4090", b"unique-scheduling-object-resource")
STALE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Taken:
    """Hold the object that has the UID.

    Attributes:
        path: its canonical path.
        href: its segment, or its whole path when it is in another collection.
        ours: True if a write for this mailbox gave its name.
        current: the object; None when it could not be found.
        named: False if the name is made of the UID, and the object may have another.
    """

    path: str
    href: str
    ours: bool
    current: Current | None
    named: bool = True


@dataclass(slots=True)
class _Index:
    """Hold the segment of each UID in one collection, as of the time `built`."""

    names: dict[str, str]
    built: float


def name_of_uid(uid: str) -> str:
    """Return the segment <UID>.ics, under which some servers give the object of a UID."""
    return quoted(f"{uid}.ics")


class Conflicts:
    """Find owners of UIDs. Safe from several threads."""

    def __init__(self, means: ObjectMeans, collections: Callable[[], Iterable[str]], trash: str) -> None:
        """Prepare; the server is asked when a conflict is suspected.

        Args:
            means: what reads and writes objects.
            collections: returns the paths of all collections of the kind; called when a UID may be in any of
                them.
            trash: the path of the user's deleted objects; "" for none.
        """
        self._means = means
        self._collections = collections
        self._trash = trash
        self._indexes: dict[str, _Index] = {}
        self._lock = threading.Lock()

    def taken(self, answer: HttpAnswer, container: str, uid: str) -> Taken | None:
        """Return the owner of the UID for which a PUT was refused; None when the refusal had another cause.

        Args:
            answer: the refusal.
            container: the collection of the PUT.
            uid: the UID.
        """
        certain = any(word in answer.body for word in CERTAIN)
        if not certain and not self._suspected(answer):
            return None
        places = self._places(container)
        owner, named = self._find(places, uid), True
        if owner is None and self._means.profile.gives_to_uid:
            owners = (self._by_its_uid(path, uid) for path in places)
            owner, named = next((owner for owner in owners if owner is not None), None), False
        if owner is None:
            return Taken("", "", False, None) if certain else None
        path, name, current = owner
        href = name if path == container else path + name
        return Taken(path + name, href, is_ours(name, self._means.mine), current, named)

    def has(self, container: str, uid: str) -> bool:
        """Return True if a collection has an object of this UID, whatever its name."""
        return self._by_its_uid(container, uid) is not None

    def named(self, taken: Taken, name: str, uid: str) -> Taken:
        """Return the owner of a UID by its own name, where that name is known and has the UID.

        Args:
            taken: what was found under the name that follows from the UID.
            name: the last segment of the path by which another mailbox wrote it.
            uid: the UID.
        """
        folder = taken.path.rpartition("/")[0] + "/"
        name = name.rpartition("/")[2]
        current = self._means.reading.current(folder + name) if taken.path else None
        if current is None or uid_of(current.body) != uid:
            return taken
        href = folder + name if taken.href.startswith("/") else name
        return Taken(folder + name, href, is_ours(name, self._means.mine), current)

    def wrote(self, container: str, uid: str, name: str) -> None:
        """Remember the new owner of a UID.

        Args:
            container: the collection.
            uid: the UID.
            name: the last segment of the object's path.
        """
        with self._lock:
            if container in self._indexes:
                self._indexes[container].names[uid] = name

    def in_trash(self, status: int, uid: str) -> list[str]:
        """Return the paths of deleted objects whose UID caused a PUT's refusal.

        Args:
            status: the status of the PUT.
            uid: the UID.

        Returns:
            [] where the product has no trash, or the status has another cause.
        """
        if not self._trash or status not in self._means.profile.trash_refusals:
            return []
        # Nextcloud cannot list its trash bin, and answers a query for one UID with everything in it
        return [self._trash + name for name, _ in self._means.reading.queried(self._trash, uid, LISTED_MOST)]

    def purge(self, paths: Iterable[str], guard: Guard) -> None:
        """Remove deleted objects for good. Idempotent.

        Args:
            paths: the objects.
            guard: the write fence; called before each DELETE.

        Raises:
            LeaseLost: the guard refuses.
            Blocked, Transient: the server refuses.
        """
        for path in paths:

            def attempt(path: str = path) -> HttpAnswer:
                guard()
                return passing(self._means.client.ask("DELETE", path, self._means.profile.delete))

            answer = self._means.client.patiently(attempt)
            if not answer.ok and answer.status not in GONE:
                raise answer.error()

    def _suspected(self, answer: HttpAnswer) -> bool:
        """Return True if the product's refusal may mean that the UID is taken."""
        words = self._means.profile.uid_conflict.get(answer.status)
        return words is not None and (not words or any(word in answer.body for word in words))

    def _places(self, container: str) -> list[str]:
        """Return the collections in which the owner of a UID may be."""
        others = self._collections() if self._means.profile.uid_scope == "account" else ()
        return [container, *(path for path in others if path != container)]

    def _find(self, places: Sequence[str], uid: str) -> tuple[str, str, Current] | None:
        """Return collection, segment and object of the owner, or None."""
        if self._means.profile.finds_uid:
            try:
                matches = ((path, self._means.reading.queried(path, uid, MATCHES_MOST)) for path in places)
                return next(((path, *objects[0]) for path, objects in matches if objects), None)
            except (Blocked, Transient) as error:
                if error.code in LASTING:
                    raise
        return next((owner for path in places if (owner := self._by_reading(path, uid)) is not None), None)

    def _by_its_uid(self, path: str, uid: str) -> tuple[str, str, Current] | None:
        """Find the owner under the name that follows from the UID; a listing may leave it out.

        What the server says against such a name says nothing against the account.
        """
        name = name_of_uid(uid)
        if "/" in uid or len(path + name) > LONGEST:
            return None
        try:
            current = self._means.reading.current(path + name)
        except (Blocked, Rejected) as error:
            if error.code in LASTING:
                raise
            return None
        return None if current is None or uid_of(current.body) != uid else (path, name, current)

    def _by_reading(self, path: str, uid: str) -> tuple[str, str, Current] | None:
        """Find the owner by reading all objects, where a query sees too little.

        The result is kept, because a calendar full of other people's meetings has a conflict for each of
        them.
        """
        name = self._name(path, uid)
        current = self._means.reading.current(path + name) if name is not None else None
        if name is None or current is None or uid_of(current.body) != uid:
            return None
        return path, name, current

    def _name(self, path: str, uid: str) -> str | None:
        with self._lock:
            index = self._indexes.get(path)
            fresh = index is not None and time.monotonic() - index.built < STALE_SECONDS
            if index is None or (uid not in index.names and not fresh):
                index = self._indexes[path] = self._build(path)
            return index.names.get(uid)

    def _build(self, path: str) -> _Index:
        """Read all objects of a collection and index their UIDs."""
        names: dict[str, str] = {}
        everything = [name for name, _ in self._means.reading.listed(path)]
        for name, result in self._means.reading.read(path, everything):
            uid = uid_of(result.body) if isinstance(result, Current) else None
            if uid is not None:
                names[uid] = name
        return _Index(names, time.monotonic())
