"""The contents of attachments, many in one request, each a body of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lxml import etree

from connectors.ews.client import EwsClient
from connectors.ews.errors import MNS, TNS, EwsRefusal
from connectors.ews.fetch import Again, Fetch, PageSize
from connectors.ews.records import number
from connectors.ews.requests import get_attachments
from connectors.ews.response_stream import ResponseMessage
from connectors.spool import bytes_body
from model.errors import MigrationError, Rejected
from model.protocols import Body, Failed, Ref, key_of

WITH_CONTENT = (TNS + "FileAttachment", TNS + "ItemAttachment")
KEPT_MOST = 16_000_000  # bytes of all attachments of one batch in memory
PIECE = 1 << 18
EMPTY_MOST = 4096  # bytes that servers state as the size of an attachment without content: its properties
SMALL = 256_000  # not worth a spool file of its own


@dataclass(frozen=True, slots=True)
class Content:
    """What one attachment holds: a file's bytes, or the message bytes of an item. held: bytes in memory."""

    id: str
    body: Body
    held: int


def attachments(item: etree._Element) -> tuple[Ref, ...]:
    """The attachments of an item that have a content here; a link to a file elsewhere has none."""
    holder = item.find(TNS + "Attachments")
    found = [_ref(one) for one in (holder if holder is not None else ()) if one.tag in WITH_CONTENT]
    return tuple(ref for ref in found if ref.id)


def _ref(entry: etree._Element) -> Ref:
    size = number(entry.findtext(TNS + "Size"))
    # Sizes of attachments are estimates, and often none at all.
    return Ref(_id(entry), "", size=size if size and size > 0 else None)


def _id(entry: etree._Element) -> str:
    found = entry.find(TNS + "AttachmentId")
    return "" if found is None else found.get("Id") or ""


def contents(client: EwsClient, pace: PageSize, refs: Iterable[Ref]) -> dict[str, Body | MigrationError]:
    """By attachment id. An error is why the server does not give it, for good: what passes is waited out, or
    raised as Transient."""
    ids = {key_of(ref.id): ref for ref in refs}
    found: dict[str, Body | MigrationError] = {}
    kept = 0
    for one in Fetch(client, pace, AttachmentPlan()).run(ids.values()):
        if isinstance(one, Failed):
            found[ids[one.key].id] = one.error
        elif kept + one.held <= KEPT_MOST or one.held <= SMALL:
            found[one.id] = one.body
            kept += one.held
        else:
            found[one.id] = _spooled(client, one.body)
    return found


def _spooled(client: EwsClient, body: Body) -> Body:
    """The same body in a file. Raises Blocked: "spool-full", "spool-unusable"."""
    sink = client.sink(above=0)
    with body() as stream:
        while piece := stream.read(PIECE):
            sink.write(piece)
    return sink.finish() or body


class AttachmentPlan:
    """Reads attachments by their ids."""

    answer = "GetAttachmentResponseMessage"

    def request(self, ids: Sequence[str]) -> str:
        return get_attachments(ids)

    def about(self, message: ResponseMessage) -> str:
        entry = _entry(message)
        return "" if entry is None else _id(entry)

    def read(self, message: ResponseMessage, ref: Ref, again: int) -> Content | Failed | Again | None:
        entry = _entry(message)
        cut = next(iter(message.bodies.values()), None)
        if cut is None and _is_empty(entry, ref, again):
            return Content(ref.id, bytes_body(b""), 0)
        if cut is not None and cut.body is not None:
            return Content(ref.id, cut.body, cut.held)
        # Asked again once, alone: base64 may have been damaged on the way, or content left out under load.
        damaged = Rejected("mime-damaged", "the server gives no content that can be read")
        return Failed(key_of(ref.id), damaged) if again else Again(ref)

    def refused(self, ref: Ref, code: str) -> bool:
        del ref, code  # nothing can be made of an attachment that is refused
        return False

    def later(self) -> Iterator[Content | Failed | Again]:
        return iter(())

    def lessen(self, ids: Sequence[str], refusals: Sequence[EwsRefusal]) -> bool:
        del ids, refusals
        return False


def _is_empty(entry: etree._Element | None, ref: Ref, again: int) -> bool:
    """Whether a file without bytes is meant to have none: it has an empty Content, or, asked for twice, none
    at all and no size to speak of."""
    if entry is None or entry.tag != TNS + "FileAttachment":
        return False
    return entry.find(TNS + "Content") is not None or (again > 0 and (ref.size or 0) < EMPTY_MOST)


def _entry(message: ResponseMessage) -> etree._Element | None:
    holder = message.element.find(MNS + "Attachments")
    return holder[0] if holder is not None and len(holder) else None
