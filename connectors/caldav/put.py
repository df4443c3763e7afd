"""Write one object with a conditional PUT; compare meanings when it failed or its reply was lost.

An ETag alone proves nothing: servers rewrite what they store, and clients acknowledge alarms. Therefore an
object under the item's name is read and compared. The same meaning is a success. Another meaning is replaced
in staging, and left alone in the live phase.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

from connectors.caldav.answers import with_answers_of
from connectors.caldav.attachment_add import AttachmentAdder
from connectors.caldav.attachments import Attachment, Parcel
from connectors.caldav.collections import must_take_writes
from connectors.caldav.means import ObjectMeans
from connectors.caldav.read import Current, Shared, meaning
from connectors.caldav.sequence import at_least, sequence
from connectors.caldav.uid_conflicts import Conflicts, Taken, name_of_uid
from connectors.http.client import HttpAnswer, passing
from connectors.http.dav_errors import GONE, item_error
from connectors.http.multistatus import etag
from connectors.http.suspects import FAULT, PutAside, SuspectedError, Suspects, Suspicion
from connectors.http.upload import payload
from connectors.retry import RetryPolicy
from model.errors import Rejected, Transient
from model.kinds import Kind
from model.protocols import Body, Failed, Item, Loss, Stored

ROUNDS = 8  # attempts to send and look, for one item
SUFFIX = {Kind.CONTACTS: ".vcf"}
CONTENT = {Kind.CONTACTS: "text/vcard; charset=utf-8"}
ITEM = frozenset({400, 403, 404, 406, 409, 410, 411, 412, 413, 414, 415, 422, 424, 431})
ANSWERS_STAY = Loss("attendee", "answer-stays")
"""The loss of an organizer's update whose new answers of colleagues the server does not take."""
UNKNOWN = frozenset({"connection-cut", "timeout", "reply-too-large", "unreachable"})
"""Error codes after which a request may have been carried out."""


def place(kind: Kind, key: bytes, *, by_uid: bool = False) -> str:
    """Return the last segment of an item's path.

    Args:
        kind: decides the ending: ".vcf" or ".ics".
        key: the item's key, 16 bytes.
        by_uid: True if the server stores an item by its UID, which the mapping made from the key.
    """
    return f"{'kogge' if by_uid else 'k'}-{key.hex()}{SUFFIX.get(kind, '.ics')}"


@dataclass(frozen=True, slots=True)
class _Aim:
    """Hold what to send.

    Attributes:
        path: the object's path.
        match: the ETag that is replaced; "" for any; None creates.
        sequence: the lowest SEQUENCE that the server takes; 0 for any.
        parcel: the event without its large attachments, which follow; None sends the item as it is.
        kept: attachments of the object that is replaced; the server keeps them.
        answered: what is sent, with the answers that the server has already; None for the item as it is.
        meant: the meaning of the item with those answers.
        answers: the object that has them.
    """

    path: str
    match: str | None = None
    sequence: int = 0
    parcel: Parcel | None = None
    kept: tuple[Attachment, ...] = ()
    answered: bytes | None = None
    meant: bytes = b""
    answers: Body | None = None


class ObjectWriter:
    """Write the items of one collection.

    `write` may run in several threads, for items of different UIDs.
    """

    def __init__(
        self,
        means: ObjectMeans,
        conflicts: Conflicts,
        container: str,
        *,
        live: bool,
        max_bytes: int | None,
        suspects: Suspects,
        shared: Shared | None = None,
        adder: AttachmentAdder | None = None,
    ) -> None:
        """Prepare the writer.

        Args:
            means: what reads and writes objects.
            conflicts: finds the owner of a UID.
            container: the collection's path.
            live: True in the live phase: existing objects stay.
            max_bytes: the largest object; None for no limit.
            suspects: the items at which the server failed.
            shared: compares with another person's copy of a meeting; None: no copy may stand for an item.
            adder: adds large attachments of events; None: they stand inside.
        """
        self._means = means
        self._adder = adder
        self._conflicts = conflicts
        self._container = container
        self._live = live
        self._most = max_bytes
        self._suspects = suspects
        self._shared = shared

    def write(self, item: Item) -> Stored | Failed | PutAside:
        """Write one item; see `model.protocols.Target.write`. Idempotent.

        Args:
            item: the item.

        Returns:
            The result; or the item, if it is to be written again after the others.

        Raises:
            Transient: the outcome is unknown.
            Blocked: the account or the collection refuses.
            LeaseLost: the guard refuses.
        """
        try:
            stored = self._write_until_settled(item)
        except Rejected as error:
            return Failed(item.key, error)
        except SuspectedError:
            return PutAside(item)
        if item.uid is not None and not stored.via:
            self._conflicts.wrote(self._container, item.uid, stored.href)
        return stored

    # -- internals

    def _write_until_settled(self, item: Item) -> Stored:
        """Send and look in turns until the item is stored."""
        if not item.size:
            raise Rejected("empty-message", "it has no content at all")
        if self._most is not None and item.size > self._most:
            raise Rejected("too-large", "larger than the server takes")
        aim = self._first(item)
        patience = self._means.client.patience()
        for _ in range(ROUNDS):
            if isinstance(aim, Stored):
                return aim
            aim = self._round(item, aim, patience)
        if isinstance(aim, Stored):
            return aim
        raise Rejected("changed-at-target", "something else writes to it all the time")

    def _first(self, item: Item) -> _Aim | Stored:
        """Return what to send first, or the result when the item is stored already."""
        old = item.replaces
        if old is not None and old.via:
            return self._via_replaced(item, old)
        parcel = None if self._adder is None else self._adder.parcel(item)
        if old is None:
            if item.uid is not None and item.kind in self._means.profile.named_by_uid:
                return _Aim(self._container + name_of_uid(item.uid))
            return _Aim(self._container + place(item.kind, item.key), parcel=parcel)
        aim = _Aim(self._container + self._stored_as(item, old.href), old.version, parcel=parcel)
        is_known = old.version and parcel is None and not self._live
        return aim if is_known else self._look(item, aim)

    def _stored_as(self, item: Item, href: str) -> str:
        """Return the name of an object that an earlier version wrote, and the server named by its UID."""
        by_uid = item.kind in self._means.profile.named_by_uid and href == place(item.kind, item.key)
        return place(item.kind, item.key, by_uid=True) if by_uid else href

    def _via_replaced(self, item: Item, old: Stored) -> Stored:
        """Return the result for an item that another person's object stood for."""
        path = old.href if old.href.startswith("/") else self._container + old.href
        current = self._means.reading.current(path)
        if current is None:
            raise Rejected("uid-conflict", "something else at the target has its UID")
        return self._via(item, old.href, current)

    def _round(self, item: Item, aim: _Aim, patience: RetryPolicy) -> _Aim | Stored:
        """Send until an answer counts; return what to send next, or the result."""
        suspicion = self._suspects.of(item.key, lambda: self._means.reading.is_well(self._container))
        while True:
            try:
                suspicion.sending()
                answer = self._put(item, aim)
                if answer.status == FAULT and suspicion.failed():
                    return self._after_500(item, aim, answer, suspicion)
                if passing(answer).ok:
                    suspicion.carried_out()
                    return self._completed(item, aim, etag(answer.headers.get("etag")))
            except Transient as error:
                suspicion.pause(patience, error)
                if error.code in UNKNOWN:
                    outcome = self._look(item, aim)
                    if isinstance(outcome, Stored):
                        return outcome
                    aim = outcome
                continue
            return self._after_refusal(item, aim, answer)

    def _completed(self, item: Item, aim: _Aim, version: str) -> _Aim | Stored:
        """Return the result after the event is there: what is owed of its attachments is added."""
        result = Stored(item.key, _name(aim), version)
        if self._adder is not None and aim.parcel is not None:
            added = self._adder.add(item, aim.parcel, aim.path, aim.answers)
            if added is None:
                return self._look(item, aim)
            result = added
        if aim.answered is None:
            return result
        return replace(result, digest=result.digest or aim.meant, losses=(*result.losses, ANSWERS_STAY))

    def _put(self, item: Item, aim: _Aim) -> HttpAnswer:
        if aim.parcel is not None:
            sent, size = aim.parcel.outgoing(aim.kept)
            item = replace(item, body=sent, size=size)
        headers = {
            "Content-Type": CONTENT.get(item.kind, "text/calendar; charset=utf-8"),
            **self._means.profile.put,
        }
        if aim.match is None:
            headers["If-None-Match"] = "*"
        else:
            headers["If-Match"] = aim.match or "*"
        with item.body() as stream:
            self._means.guard()
            body = payload(item, stream, self._means.guard) if aim.answered is None else aim.answered
            if aim.sequence:
                body = at_least(body if isinstance(body, bytes) else stream.read(), aim.sequence)
            if not isinstance(body, bytes):
                headers["Content-Length"] = str(item.size)
            return self._means.client.ask("PUT", aim.path, headers, body)

    def _look(self, item: Item, aim: _Aim) -> _Aim | Stored:
        """Decide by what is stored now."""
        current = self._means.reading.current(aim.path)
        if current is None:
            if self._live and item.replaces is not None:
                raise Rejected("changed-at-target", "its user removed it")
            return _Aim(aim.path, parcel=aim.parcel)
        if self._is(current, item):
            return Stored(item.key, _name(aim), current.etag)
        if self._adder is not None and aim.parcel and self._adder.is_begun(item, aim.parcel, current):
            return self._completed(item, aim, current.etag)
        if item.kind in self._means.profile.shares_events and _holds_no_event(current):
            raise Rejected("meeting-twice", "the account has two events of this UID")
        if self._live and current.unread:
            raise Transient("busy", "the server does not give an attachment, so nothing can be compared")
        if self._live:
            raise Rejected("changed-at-target", "its user changed it, and it stays as it is")
        rises = self._means.profile.sequence_rises and item.kind is Kind.CALENDAR
        kept = tuple(aim.parcel.kept(current.managed)) if aim.parcel else ()
        lowest = sequence(current.body) if rises else 0
        return _Aim(aim.path, current.etag, lowest, aim.parcel, kept)

    def _after_500(self, item: Item, aim: _Aim, answer: HttpAnswer, suspicion: Suspicion) -> _Aim | Stored:
        """Decide what repeated 500s mean: the item itself, its UID in the trash, or a broken server."""
        outcome = self._look(item, aim)
        if isinstance(outcome, Stored):
            return outcome
        trash = self._conflicts.in_trash(answer.status, item.uid) if item.uid is not None else ()
        if trash and self._live:
            raise Rejected("uid-in-trash", "its user deleted something of the same UID")
        if trash:
            self._conflicts.purge(trash, self._means.guard)
            return outcome
        suspicion.judge(answer.words)
        raise answer.error()

    def _after_refusal(self, item: Item, aim: _Aim, answer: HttpAnswer) -> _Aim | Stored:
        """Decide what a refusal means; return what to send next, or raise."""
        # 412: it exists although it should be new, or it changed. From a server that requires an If-Match for
        # existing objects (Open-Xchange), 409 may mean the same.
        if answer.status == 412 or (answer.status == 409 and self._means.profile.needs_if_match):
            outcome = self._look(item, aim)
            if outcome != aim:
                return outcome
        if answer.status in GONE or answer.status in {403, 409}:
            must_take_writes(self._means.client, self._container)
        if answer.status == 403 and (next_aim := self._with_stored_answers(item, aim)) is not None:
            return next_aim
        taken = self._conflicts.taken(answer, self._container, item.uid) if item.uid is not None else None
        if taken is not None:
            return self._conflict(item, aim, taken)
        raise (item_error(answer.status).quoting(answer.words) if answer.status in ITEM else answer.error())

    def _with_stored_answers(self, item: Item, aim: _Aim) -> _Aim | None:
        """Return what to send where others' answers may be why an update is refused; None if they are not."""
        mine = item.kind in self._means.profile.shares_events and not item.invited
        first = aim.answered is None
        current = self._means.reading.current(aim.path) if mine and aim.match and first else None
        if current is None:
            return None
        with item.body() as stream:
            own = stream.read()
        answered = with_answers_of(own, current.body)
        meant = self._means.digest(io.BytesIO(answered))
        if meant == item.digest:
            return None
        kept: tuple[Attachment, ...] = ()
        if aim.parcel is not None:
            kept = tuple(aim.parcel.kept(current.managed))
            with aim.parcel.outgoing(kept)[0]() as stream:
                answered = with_answers_of(stream.read(), current.body)
        return _Aim(
            aim.path, current.etag, sequence(current.body), aim.parcel, kept, answered, meant, current.body
        )

    def _conflict(self, item: Item, aim: _Aim, taken: Taken) -> _Aim | Stored:
        """Decide about a UID that is taken."""
        if taken.path == aim.path:
            return self._look(item, aim)
        if item.shown_as is not None and not taken.ours and not taken.named:
            taken = self._conflicts.named(taken, item.shown_as, item.uid or "")
        if taken.current is None:
            raise Rejected("uid-conflict", "its UID belongs to something that cannot be seen")
        if not taken.ours and not taken.named:
            # Its name is not known, so neither is who wrote it: that one may take it back.
            code = "duplicate-uid" if self._is(taken.current, item) else "uid-conflict"
            raise Rejected(code, "what has its UID is not in the server's listing")
        if not taken.ours:
            return self._via(item, taken.href, taken.current)
        if self._is(taken.current, item):
            raise Rejected("duplicate-uid", "another item of this account is the same, and has its UID")
        raise Rejected("uid-conflict", "another item of this account has its UID")

    def _via(self, item: Item, href: str, current: Current) -> Stored:
        """Return the result when an existing object has the item's meaning, or is the same meeting."""
        current_digest = meaning(current, self._means.digest)
        if current_digest == item.digest:
            return Stored(item.key, href, current.etag, via=True)
        losses = None
        if self._shared is not None and item.invited:
            with item.body() as own, current.body() as other:
                losses = self._shared(own, other, item.invited)
        if losses is None:
            raise Rejected("uid-conflict", "something else at the target has its UID")
        return Stored(item.key, href, current.etag, via=True, digest=current_digest, losses=losses)

    def _is(self, current: Current, item: Item) -> bool:
        return meaning(current, self._means.digest) == item.digest


def _holds_no_event(current: Current) -> bool:
    with current.body() as stream:
        return b"BEGIN:VEVENT" not in stream.read().upper()


def _name(aim: _Aim) -> str:
    return aim.path.rpartition("/")[2]
