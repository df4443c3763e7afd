"""Read the contents of attachments, many in one request, each as a body of its own.

Source:
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/getattachment-operation
"""

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
    """Hold what one attachment contains.

    Attributes:
        id: the attachment's id.
        body: a file's bytes, or the message bytes of an item.
        held: bytes in memory.
    """

    id: str
    body: Body
    held: int


def attachments(item: etree._Element) -> tuple[Ref, ...]:
    """Return the attachments of an item that have a content here; a link to a file elsewhere has none."""
    holder = item.find(TNS + "Attachments")
    refs = [_ref(entry) for entry in (holder if holder is not None else ()) if entry.tag in WITH_CONTENT]
    return tuple(ref for ref in refs if ref.id)


def _ref(entry: etree._Element) -> Ref:
    """Return the reference of an attachment."""
    size = number(entry.findtext(TNS + "Size"))
    # Sizes of attachments are estimates, and often none at all.
    return Ref(_id(entry), "", size=size if size and size > 0 else None)


def _id(entry: etree._Element) -> str:
    """Return an attachment's id, or ""."""
    element = entry.find(TNS + "AttachmentId")
    return "" if element is None else element.get("Id") or ""


def contents(client: EwsClient, pace: PageSize, refs: Iterable[Ref]) -> dict[str, Body | MigrationError]:
    """Read attachments.

    Args:
        client: the EWS client.
        pace: the size of the batches.
        refs: the attachments.

    Returns:
        By attachment id, the body, or the error for one that the server does not give.

    Raises:
        Transient, Blocked: the server cannot be asked, after the retries.
    """
    ids = {key_of(ref.id): ref for ref in refs}
    results: dict[str, Body | MigrationError] = {}
    kept = 0
    for result in Fetch(client, pace, AttachmentPlan()).run(ids.values()):
        if isinstance(result, Failed):
            results[ids[result.key].id] = result.error
        elif kept + result.held <= KEPT_MOST or result.held <= SMALL:
            results[result.id] = result.body
            kept += result.held
        else:
            results[result.id] = _spool(client, result.body)
    return results


def _spool(client: EwsClient, body: Body) -> Body:
    """Return the same body in a spool file. Raises Blocked: "spool-full", "spool-unusable"."""
    sink = client.sink(above=0)
    with body() as stream:
        while piece := stream.read(PIECE):
            sink.write(piece)
    return sink.finish() or body


class AttachmentPlan:
    """Read attachments by their ids; see FetchPlan."""

    answer = "GetAttachmentResponseMessage"

    def request(self, ids: Sequence[str]) -> str:
        """Return the request for these ids."""
        return get_attachments(ids)

    def about(self, message: ResponseMessage) -> str:
        """Return the id of the attachment in a message, or ""."""
        entry = _entry(message)
        return "" if entry is None else _id(entry)

    def read(self, message: ResponseMessage, ref: Ref, again: int) -> Content | Failed | Again | None:
        """Return the content in a message; ask again, alone and once, when it is damaged or missing."""
        entry = _entry(message)
        cut = next(iter(message.bodies.values()), None)
        if cut is None and _is_empty(entry, ref, again):
            return Content(ref.id, bytes_body(b""), 0)
        if cut is not None and cut.body is not None:
            return Content(ref.id, cut.body, cut.held)
        # A second attempt, alone: base64 may have been damaged on the way, or content left out under load.
        damaged = Rejected("mime-damaged", "the server gives no content that can be read")
        return Failed(key_of(ref.id), damaged) if again else Again(ref)

    def refused(self, ref: Ref, code: str) -> bool:
        """Return False: nothing can replace an attachment that is refused."""
        del ref, code
        return False

    def later(self) -> Iterator[Content | Failed | Again]:
        """Return nothing: no result is delayed."""
        return iter(())

    def lessen(self, ids: Sequence[str], refusals: Sequence[EwsRefusal]) -> bool:
        """Return False: the request cannot ask for less."""
        del ids, refusals
        return False


def _is_empty(entry: etree._Element | None, ref: Ref, again: int) -> bool:
    """Return True if a file without bytes is meant to be empty.

    It has an empty Content element; or, in a second answer, none at all and no significant size.
    """
    if entry is None or entry.tag != TNS + "FileAttachment":
        return False
    return entry.find(TNS + "Content") is not None or (again > 0 and (ref.size or 0) < EMPTY_MOST)


def _entry(message: ResponseMessage) -> etree._Element | None:
    holder = message.element.find(MNS + "Attachments")
    return holder[0] if holder is not None and len(holder) else None
