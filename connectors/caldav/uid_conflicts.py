"""Whose a UID is that a server will not take twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from connectors.caldav.product import Profile
from connectors.caldav.read import LASTING, LISTED_MOST, MATCHES_MOST, CaldavReader, Current, uid_of
from connectors.http.client import HttpAnswer, HttpClient, passing
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import Mine, is_ours
from model.errors import Blocked, Transient
from model.protocols import Guard

CERTAIN = (b"no-uid-conflict", b"CAL-4090")
STALE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Taken:
    """The object that has the UID. href: its segment, or its whole path when it lies in another collection.
    ours: its name is one that a write for this mailbox gave. current None: it could not be found."""

    path: str
    href: str
    ours: bool
    current: Current | None


@dataclass(slots=True)
class _Index:
    """The segment of each UID in one collection, as of built."""

    names: dict[str, str]
    built: float


class Conflicts:
    """Safe from several threads. collections: the paths of all of the kind, asked for when a UID may be in
    any of them. trash: the path of the user's deleted objects, "" for none."""

    def __init__(
        self,
        client: HttpClient,
        reading: CaldavReader,
        profile: Profile,
        collections: Callable[[], Iterable[str]],
        trash: str,
        mine: Mine,
    ) -> None:
        self._client = client
        self._reading = reading
        self._profile = profile
        self._collections = collections
        self._trash = trash
        self._mine = mine
        self._indexes: dict[str, _Index] = {}
        self._lock = threading.Lock()

    def taken(self, answer: HttpAnswer, container: str, uid: str) -> Taken | None:
        """Who has the UID because of which a PUT into container was refused; None when that was not the
        reason."""
        certain = any(word in answer.body for word in CERTAIN)
        if not certain and not self._suspected(answer):
            return None
        found = self._found(container, uid)
        if found is None:
            return Taken("", "", False, None) if certain else None
        path, name, current = found
        href = name if path == container else path + name
        return Taken(path + name, href, is_ours(name, self._mine), current)

    def wrote(self, container: str, uid: str, name: str) -> None:
        """Keeps in mind whose the UID is now."""
        with self._lock:
            if container in self._indexes:
                self._indexes[container].names[uid] = name

    def in_trash(self, status: int, uid: str) -> list[str]:
        """The paths of deleted objects because of whose UID a PUT was answered with status."""
        if not self._trash or status not in self._profile.trash_refusals:
            return []
        # Nextcloud cannot list its bin, and answers a query for one UID with everything in it
        return [self._trash + name for name, _ in self._reading.queried(self._trash, uid, LISTED_MOST)]

    def purge(self, paths: Iterable[str], guard: Guard) -> None:
        """Removes deleted objects for good."""
        for path in paths:

            def attempt(path: str = path) -> HttpAnswer:
                guard()
                return passing(self._client.ask("DELETE", path, self._profile.delete))

            answer = self._client.patiently(attempt)
            if not answer.ok and answer.status not in GONE:
                raise answer.error()

    def _suspected(self, answer: HttpAnswer) -> bool:
        words = self._profile.uid_conflict.get(answer.status)
        return words is not None and (not words or any(word in answer.body for word in words))

    def _found(self, container: str, uid: str) -> tuple[str, str, Current] | None:
        """Collection, segment and object of who has it."""
        places = [container]
        if self._profile.uid_scope == "account":
            places += [path for path in self._collections() if path != container]
        if self._profile.finds_uid:
            try:
                asked = ((path, self._reading.queried(path, uid, MATCHES_MOST)) for path in places)
                return next(((path, *found[0]) for path, found in asked if found), None)
            except (Blocked, Transient) as error:
                if error.code in LASTING:
                    raise
        return next((one for path in places if (one := self._by_reading(path, uid)) is not None), None)

    def _by_reading(self, path: str, uid: str) -> tuple[str, str, Current] | None:
        """Where a query sees too little, all is read, once: in a calendar full of other people's meetings
        there is a conflict for each of them."""
        name = self._name(path, uid)
        current = self._reading.current(path + name) if name is not None else None
        if name is None or current is None or uid_of(current.body) != uid:
            return None
        return path, name, current

    def _name(self, path: str, uid: str) -> str | None:
        with self._lock:
            index = self._indexes.get(path)
            fresh = index is not None and time.monotonic() - index.built < STALE_SECONDS
            if index is None or (uid not in index.names and not fresh):
                index = self._indexes[path] = self._built(path)
            return index.names.get(uid)

    def _built(self, path: str) -> _Index:
        names: dict[str, str] = {}
        everything = [name for name, _ in self._reading.listed(path)]
        for name, one in self._reading.read(path, everything):
            uid = uid_of(one.body) if isinstance(one, Current) else None
            if uid is not None:
                names[uid] = name
        return _Index(names, time.monotonic())
