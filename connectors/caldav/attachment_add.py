"""Add the large attachments of an event one by one, after the event itself (RFC 8607).

What is there counts, and never an answer alone: before each attachment, and after the last one, the event is
read with the contents of its attachments. So an attachment whose answer was lost is not sent again.
"""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field
from typing import BinaryIO, Final, cast
from urllib.parse import quote

from connectors.caldav.answers import with_answers_of
from connectors.caldav.attachments import Attachment, Content, Parcel, parted
from connectors.caldav.collections import must_take_writes
from connectors.caldav.means import ObjectMeans
from connectors.caldav.read import Current, meaning
from connectors.http.client import HttpAnswer, passing
from connectors.http.dav_errors import GONE
from connectors.http.suspects import FAULT
from connectors.http.upload import GuardedBody
from model.errors import Transient
from model.protocols import Body, Item, Stored
from model.target_losses import ATTACHMENT_REFUSED

ADD: Final = "?action=attachment-add"
REMOVE: Final = "?action=attachment-remove&managed-id="
TRIES = 4  # how often one attachment is sent to one version of its event
REFUSALS: Final = frozenset({400, 405, 411, 413, 414, 415, 422, 431, 501})
"""Statuses that refuse an attachment."""
DOUBTFUL: Final = frozenset({403, 404, 409, 410, 412, 500})
"""Statuses that refuse an attachment after TRIES, while the collection itself is well."""


@dataclass(slots=True)
class _Adding:
    """Count what happened to an event's attachments.

    Attributes:
        known: contents that were read already, by URL.
        tries: which attachments were sent in vain, each with the version of its event.
        added: the MANAGED-IDs that the server gave, each with what was sent; it is never sent again.
        refused: those that the server does not take.
        sent: the digests of what was sent, whatever became of it.
        removed: the MANAGED-IDs of which the removal was asked for.
    """

    known: dict[str, Content] = field(default_factory=dict)
    tries: list[tuple[Attachment, str]] = field(default_factory=list)
    added: dict[str, Attachment] = field(default_factory=dict)
    refused: list[Attachment] = field(default_factory=list)
    sent: set[bytes] = field(default_factory=set)
    removed: list[str] = field(default_factory=list)


class AttachmentAdder:
    """Complete events of one account with their large attachments. Safe from several threads."""

    def __init__(self, means: ObjectMeans, most: int) -> None:
        """Prepare the adder.

        Args:
            means: what reads and writes objects.
            most: bytes; a larger attachment does not stand inside of an event.
        """
        self._means = means
        self._most = most

    def parcel(self, item: Item) -> Parcel | None:
        """Return an item's event and its large attachments; None if it has none."""
        if item.size <= self._most:
            return None
        parcel = parted(item.body, self._most, self._means.reading.sink)
        return parcel if parcel.large else None

    def is_begun(self, item: Item, parcel: Parcel, current: Current) -> bool:
        """Return True if an object lacks nothing but attachments, as after a crash.

        Args:
            item: the item.
            parcel: the same in parts.
            current: the object, with the contents of its attachments.
        """
        missing = parcel.missing(current.managed)
        if not missing or not parcel.alone:
            return False
        with parcel.completed(current.body, missing)() as stream:
            return self._means.digest(stream) == item.digest

    def add(self, item: Item, parcel: Parcel, path: str, answers: Body | None) -> Stored | None:
        """Add what an object lacks of the large attachments. Idempotent.

        An attachment that the server refuses, or does not keep, is a loss.

        Args:
            item: the item.
            parcel: the same in parts.
            path: the object's path.
            answers: the object whose answers of others were sent with the item; None for the item's own.

        Returns:
            What is stored; None if the object is gone. Its version is not stated where somebody else changed
            the object meanwhile.

        Raises:
            Transient: the outcome is unknown.
            Blocked: the account is full or refused.
            LeaseLost: the guard refuses.
        """
        adding, patience = _Adding(), self._means.client.patience()
        if not parcel.alone:
            adding.refused += parcel.large
        while (current := self._means.reading.current(path, adding.known)) is not None:
            if (spoilt := _spoilt(current, adding)) is not None:
                self._remove(path, current.etag, spoilt)
                adding.refused.append(adding.added.pop(spoilt))
                continue
            missing = [one for one in parcel.missing(current.managed) if one not in adding.refused]
            if (surplus := _surplus(current, parcel, adding)) is not None:
                self._remove(path, current.etag, surplus)
                adding.removed.append(surplus)
                continue
            if not missing:
                return self._stored(item, parcel.without(adding.refused), (path, current), adding, answers)
            if current.unread:
                raise Transient(
                    "busy", "the server does not give an attachment, so what is missing is not known"
                )
            one = missing[0]
            if one in adding.added.values():
                adding.refused.append(one)
                continue
            adding.sent.add(one.content.digest)
            try:
                answer = self._post(path, current.etag, one)
                if answer.status in DOUBTFUL:
                    self._doubt(answer, adding, (one, current.etag), path)
                else:
                    self._take(passing(answer), adding, one)
                patience.progressed()
            except Transient as error:
                patience.pause(error)
        return None

    # -- internals

    def _take(self, answer: HttpAnswer, adding: _Adding, one: Attachment) -> None:
        """Note what an answer means: what is stored is looked at in any case."""
        if answer.ok:
            adding.added[answer.headers.get("cal-managed-id", "")] = one
        elif answer.status in REFUSALS:
            adding.refused.append(one)
        else:
            raise answer.error()

    def _doubt(self, answer: HttpAnswer, adding: _Adding, sent: tuple[Attachment, str], path: str) -> None:
        """Note an answer that may say something about the attachment, the event, or the server.

        Raises:
            Transient: it may pass.
            Blocked: the collection takes no writes.
        """
        container = path.rpartition("/")[0] + "/"
        if answer.status == FAULT and not self._means.reading.is_well(container):
            adding.tries.clear()  # no attachment is the cause of what fails in an outage
            must_take_writes(self._means.client, container)
            raise answer.error()
        adding.tries.append(sent)
        if adding.tries.count(sent) < TRIES:
            error = answer.error()
            raise error if isinstance(error, Transient) else Transient("busy", "an attachment was refused")
        if self._means.reading.answers(container) not in {207, *GONE}:
            raise answer.error()
        must_take_writes(self._means.client, container)
        adding.refused.append(sent[0])

    def _remove(self, path: str, etag: str, managed_id: str) -> None:
        """Remove an attachment of which the server kept something else; if it stays, it differs."""
        self._means.guard()
        headers = {**self._means.profile.put, **({"If-Match": etag} if etag else {})}
        self._means.client.ask("POST", path + REMOVE + quote(managed_id, safe=""), headers)

    def _post(self, path: str, etag: str, one: Attachment) -> HttpAnswer:
        headers = {
            **self._means.profile.put,
            "Content-Type": one.media_type,
            "Content-Disposition": f"attachment; {_file_name(one.name)}",
            "Content-Length": str(one.content.size),
            **({"If-Match": etag} if etag else {}),
        }
        self._means.guard()
        with one.content.body() as stream:
            body = cast(BinaryIO, GuardedBody(stream, one.content.size, self._means.guard))
            return self._means.client.ask("POST", path + ADD, headers, body)

    def _stored(
        self, item: Item, meant: Body, there: tuple[str, Current], adding: _Adding, answers: Body | None
    ) -> Stored:
        """Return the result. The last version counts only for what means what was sent.

        Args:
            item: the item.
            meant: the item without what was refused.
            there: the object's path, and the object.
            adding: what happened.
            answers: see add.
        """
        path, current = there
        digest = item.digest
        if adding.refused or answers is not None:
            with meant() as stream:
                own = stream if answers is None else io.BytesIO(with_answers_of(stream.read(), answers))
                digest = self._means.digest(own)
        version = current.etag if meaning(current, self._means.digest) == digest else ""
        losses = (ATTACHMENT_REFUSED,) if adding.refused else ()
        stated = b"" if digest == item.digest else digest
        return Stored(item.key, path.rpartition("/")[2], version, digest=stated, losses=losses)


def _spoilt(current: Current, adding: _Adding) -> str | None:
    """Return the MANAGED-ID of an attachment that is there and is not what was sent; None without one."""
    for one in current.managed:
        sent = adding.added.get(one.managed_id)
        if sent is not None and sent.content.digest != one.content.digest:
            return one.managed_id
    return None


def _surplus(current: Current, parcel: Parcel, adding: _Adding) -> str | None:
    """Return the MANAGED-ID of what is there once too often, because an upload landed late; None without one.

    Only copies of what was sent just now count; others are nobody's business here.
    """
    wanted = Counter(one.content.digest for one in parcel.large)
    for one in current.managed:
        digest = one.content.digest
        wanted[digest] -= 1
        is_ours = digest in adding.sent and adding.removed.count(one.managed_id) < TRIES
        if wanted[digest] < 0 and is_ours:
            return one.managed_id
    return None


def _file_name(name: str) -> str:
    """Return the parameter of a Content-Disposition (RFC 6266, section 4.3)."""
    if name.isascii() and name.isprintable() and not set(name) & {'"', "\\"}:
        return f'filename="{name}"'
    return f"filename*=UTF-8''{quote(name, safe='')}"
