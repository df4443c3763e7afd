"""Writing one object: conditional, and settled by what it means whenever that failed or its reply was lost.

An ETag alone proves nothing: servers rewrite what they store, clients acknowledge alarms. So whatever is
found under an item's name is read and compared; the same meaning is success, another is replaced as long as
the account is ours, and left alone when its user works there.
"""

from __future__ import annotations

from dataclasses import dataclass

from caldav.elements import dav

from connectors.caldav.collections import writable
from connectors.caldav.discovery import CaldavLibrary
from connectors.caldav.product import Profile
from connectors.caldav.read import CaldavReader, Current, Digest, Shared, meaning
from connectors.caldav.uid_conflicts import Conflicts, Taken
from connectors.http.client import HttpAnswer, HttpClient, passing
from connectors.http.dav_errors import GONE, item_error
from connectors.http.multistatus import etag
from connectors.http.upload import payload
from connectors.retry import RetryPolicy
from model.errors import Blocked, Rejected, Transient
from model.protocols import Failed, Guard, Item, Kind, Stored

ROUNDS = 8  # of sending and looking, for one item
FAULTS_500 = 4  # of them in a row, before the item itself is suspected
SUFFIX = {Kind.CONTACTS: ".vcf"}
CONTENT = {Kind.CONTACTS: "text/vcard; charset=utf-8"}
ITEM = frozenset({400, 403, 404, 406, 409, 410, 411, 412, 413, 414, 415, 422, 424, 431})
UNKNOWN = frozenset({"connection-cut", "timeout", "reply-too-large", "unreachable"})
"""Codes after which a request may have been carried out."""


def place(kind: Kind, key: bytes) -> str:
    """The last segment of an item's path."""
    return f"k-{key.hex()}{SUFFIX.get(kind, '.ics')}"


@dataclass(frozen=True, slots=True)
class _Aim:
    """What is to be sent. match: the ETag that is replaced, "" for any; None creates."""

    path: str
    match: str | None = None


class ObjectWriter:
    """Writes the items of one collection; write() may run in several threads, for items of different UIDs."""

    def __init__(
        self,
        client: HttpClient,
        reading: CaldavReader,
        profile: Profile,
        conflicts: Conflicts,
        guard: Guard,
        digest: Digest,
        container: str,
        *,
        live: bool,
        max_bytes: int | None,
        shared: Shared | None = None,
    ) -> None:
        self._client = client
        self._reading = reading
        self._profile = profile
        self._conflicts = conflicts
        self._guard = guard
        self._digest = digest
        self._container = container
        self._live = live
        self._most = max_bytes
        self._shared = shared

    def write(self, item: Item) -> Stored | Failed:
        """Raises Transient (the outcome is unknown), Blocked, LeaseLost."""
        try:
            stored = self._settled(item)
        except Rejected as error:
            return Failed(item.key, error)
        if item.uid is not None and not stored.via:
            self._conflicts.wrote(self._container, item.uid, stored.href)
        return stored

    # -- internals

    def _settled(self, item: Item) -> Stored:
        if not item.size:
            raise Rejected("empty-message", "it has no content at all")
        if self._most is not None and item.size > self._most:
            raise Rejected("too-large", "larger than the server takes")
        aim = self._first(item)
        patience = self._client.patience()
        for _ in range(ROUNDS):
            if isinstance(aim, Stored):
                return aim
            aim = self._round(item, aim, patience)
        if isinstance(aim, Stored):
            return aim
        raise Rejected("changed-at-target", "something else writes to it all the time")

    def _first(self, item: Item) -> _Aim | Stored:
        old = item.replaces
        if old is None:
            return _Aim(self._container + place(item.kind, item.key))
        if old.via:
            return self._not_ours(item, old)
        aim = _Aim(self._container + old.href, old.version)
        return self._look(item, aim) if self._live or not old.version else aim

    def _not_ours(self, item: Item, old: Stored) -> Stored:
        path = old.href if old.href.startswith("/") else self._container + old.href
        current = self._reading.current(path)
        if current is None:
            raise Rejected("uid-conflict", "something else at the target has its UID")
        return self._via(item, old.href, current)

    def _round(self, item: Item, aim: _Aim, patience: RetryPolicy) -> _Aim | Stored:
        """Sends until there is an answer that counts; what to do next, or the end of it."""
        faults = 0
        while True:
            try:
                answer = self._put(item, aim)
                faults += answer.status == 500
                if answer.status == 500 and faults >= FAULTS_500:
                    return self._after_500(item, aim, answer)
                if passing(answer).ok:
                    return Stored(item.key, _name(aim), etag(answer.headers.get("etag")))
            except Transient as error:
                patience.pause(error)
                if error.code in UNKNOWN:
                    return self._look(item, aim)
                continue
            return self._refused(item, aim, answer)

    def _put(self, item: Item, aim: _Aim) -> HttpAnswer:
        headers = {
            "Content-Type": CONTENT.get(item.kind, "text/calendar; charset=utf-8"),
            **self._profile.put,
        }
        if aim.match is None:
            headers["If-None-Match"] = "*"
        else:
            headers["If-Match"] = aim.match or "*"
        with item.body() as stream:
            self._guard()
            body = payload(item, stream, self._guard)
            if not isinstance(body, bytes):
                headers["Content-Length"] = str(item.size)
            return self._client.ask("PUT", aim.path, headers, body)

    def _look(self, item: Item, aim: _Aim) -> _Aim | Stored:
        """By what is there now."""
        current = self._reading.current(aim.path)
        if current is None:
            if self._live and item.replaces is not None:
                raise Rejected("changed-at-target", "its user removed it")
            return _Aim(aim.path)
        if self._is(current, item):
            return Stored(item.key, _name(aim), current.etag)
        if self._live:
            raise Rejected("changed-at-target", "its user changed it, and it stays as it is")
        return _Aim(aim.path, current.etag)

    def _after_500(self, item: Item, aim: _Aim, answer: HttpAnswer) -> _Aim | Stored:
        """The item itself, its UID in the trash, or a server that is ill: then it is not the item's fault."""
        there = self._look(item, aim)
        if isinstance(there, Stored):
            return there
        trash = self._conflicts.in_trash(answer.status, item.uid) if item.uid is not None else ()
        if trash and self._live:
            raise Rejected("uid-in-trash", "its user deleted something of the same UID")
        if trash:
            self._conflicts.purge(trash, self._guard)
            return there
        if self._reading.answers(self._container) != 207:
            raise answer.error()
        raise item_error(answer.status).said(answer.words)

    def _refused(self, item: Item, aim: _Aim, answer: HttpAnswer) -> _Aim | Stored:
        # 412: it is there although it was to be new, or is not as it was. Of a server that wants an If-Match
        # for what is there (Open-Xchange), 409 may mean that too, or not.
        if answer.status == 412 or (answer.status == 409 and self._profile.needs_if_match):
            there = self._look(item, aim)
            if there != aim:
                return there
        if answer.status in GONE or answer.status in {403, 409}:
            self._must_take_writes()
        taken = self._conflicts.taken(answer, self._container, item.uid) if item.uid is not None else None
        if taken is not None:
            return self._conflict(item, aim, taken)
        raise item_error(answer.status).said(answer.words) if answer.status in ITEM else answer.error()

    def _must_take_writes(self) -> None:
        """What is wrong with the collection is not the item's fault."""
        tree = CaldavLibrary(self._client).propfind(self._container, (dav.CurrentUserPrivilegeSet,))
        if tree.status in GONE:
            raise Blocked("container-missing", "a collection is no longer there")
        if tree.resources and not writable(tree.resources[0]):
            raise Blocked("no-permission", "a collection is read-only for the account")

    def _conflict(self, item: Item, aim: _Aim, taken: Taken) -> _Aim | Stored:
        if taken.path == aim.path:
            return self._look(item, aim)
        if taken.current is None:
            raise Rejected("uid-conflict", "its UID belongs to something that cannot be seen")
        if not taken.ours:
            return self._via(item, taken.href, taken.current)
        if self._is(taken.current, item):
            raise Rejected("duplicate-uid", "another item of this account is the same, and has its UID")
        raise Rejected("uid-conflict", "another item of this account has its UID")

    def _via(self, item: Item, href: str, current: Current) -> Stored:
        """It has arrived by what is there: that means the same, or is the same meeting."""
        found = meaning(current, self._digest)
        if found == item.digest:
            return Stored(item.key, href, current.etag, via=True)
        losses = None
        if self._shared is not None and item.invited:
            with item.body() as own, current.body() as there:
                losses = self._shared(own, there, item.invited)
        if losses is None:
            raise Rejected("uid-conflict", "something else at the target has its UID")
        return Stored(item.key, href, current.etag, via=True, digest=found, losses=losses)

    def _is(self, current: Current, item: Item) -> bool:
        return meaning(current, self._digest) == item.digest


def _name(aim: _Aim) -> str:
    return aim.path.rpartition("/")[2]
