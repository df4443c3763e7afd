"""Rebuild a message from its properties when the server cannot convert it to MIME.

The mapping sees Rebuilt = True and names what is lost: the original headers and signatures.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from lxml import etree

from connectors.ews.client import EwsClient
from connectors.ews.errors import MNS, TNS, EwsRefusal, item_error
from connectors.ews.records import id_of, item_of, properties, shown, smtp_address
from connectors.ews.requests import MAIL_FIELDS, REBUILD_FIELDS, get_attachments, get_items
from connectors.ews.response_stream import ResponseMessage
from connectors.exchange.mime_builder import (
    FAILED,
    Letter,
    MimePart,
    Party,
    attached_file,
    attached_item,
    text_part,
    write,
)
from connectors.spool import bytes_body
from model.errors import MigrationError, Rejected, Transient
from model.protocols import Body, Failed, Native, Ref, key_of

FORMAT = "ews-message"
PARTIES = (("To", "ToRecipients"), ("Cc", "CcRecipients"), ("Bcc", "BccRecipients"), ("Reply-To", "ReplyTo"))


def rebuilt(client: EwsClient, ref: Ref) -> Native | Failed:
    """Return the item as a message that we built; Failed when its properties cannot be read either.

    Args:
        client: the EWS client.
        ref: the item.

    Raises:
        Transient, Blocked: the server cannot be asked, after the retries.
    """
    try:
        return _rebuild(client, ref)
    except EwsRefusal as refusal:
        error: MigrationError = item_error(refusal)
        return Failed(
            key_of(ref.id),
            error if error.code == "vanished" else Rejected(*FAILED).quoting(error.words),
        )
    except Rejected as error:
        return Failed(key_of(ref.id), error)
    except Transient as error:
        if error.code not in {"not-soap", "server-error"}:
            raise
        # A text that is too large for the XML parser looks the same as input that is no XML.
        client.probe()
        return Failed(key_of(ref.id), Rejected(*FAILED))


def _rebuild(client: EwsClient, ref: Ref) -> Native:
    """Read the properties and write the message."""
    request = get_items([ref.id], mime=False, fields=MAIL_FIELDS + REBUILD_FIELDS, html=True)
    sink = client.sink()
    items = client.collect(request, "GetItemResponseMessage", _copy_item)
    item = items[0] if len(items) == 1 else None
    if item is None or id_of(item)[0] != ref.id:
        raise Rejected(*FAILED)
    facts = {**properties(item), "Rebuilt": True}
    parts = [_text(item), *_attachments(client, item)]
    write(sink, ref.id, _letter(item, facts), parts)
    body = sink.finish()
    if body is None:
        raise Rejected(*FAILED)
    version = id_of(item)[1] or ref.version
    return Native(Ref(ref.id, version, size=int(str(facts["Size"])) or ref.size), FORMAT, facts, body)


def _copy_item(message: ResponseMessage) -> etree._Element | None:
    """Return the item, independent of its response message."""
    item = item_of(message.element)
    return None if item is None else etree.fromstring(etree.tostring(item), _SAFE)


_SAFE = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def _letter(item: etree._Element, facts: dict[str, object]) -> Letter:
    parties = {"From": _parties(item.findall(TNS + "From") or item.findall(TNS + "Sender"))}
    for name, field in PARTIES:
        parties[name] = _parties(item.findall(f"{TNS}{field}/{TNS}Mailbox"))
    when = facts["Sent"] or facts["Received"] or facts["Created"]
    return Letter(
        parties=parties,
        date=when if isinstance(when, datetime) else None,
        subject=item.findtext(TNS + "Subject") or "",
        message_id=str(facts["MessageId"] or ""),
        in_reply_to=item.findtext(TNS + "InReplyTo") or "",
        references=item.findtext(TNS + "References") or "",
        importance=str(facts["Importance"]),
    )


def _parties(found: list[etree._Element]) -> list[Party]:
    return [(party.findtext(f".//{TNS}Name") or "", smtp_address(party)) for party in found]


def _text(item: etree._Element) -> MimePart:
    element = item.find(TNS + "Body")
    html = element is not None and element.get("BodyType") == "HTML"
    return text_part(shown(element.text) if element is not None else "", html=html)


def _attachments(client: EwsClient, item: etree._Element) -> Iterator[MimePart]:
    """Yield the item's attachments as parts."""
    holder = item.find(TNS + "Attachments")
    for entry in holder if holder is not None else ():
        element = entry.find(TNS + "AttachmentId")
        if element is None or not element.get("Id"):
            continue
        request = get_attachments([str(element.get("Id"))])
        parts = client.collect(request, "GetAttachmentResponseMessage", _attachment)
        if len(parts) != 1 or parts[0] is None:
            raise Rejected(*FAILED)
        yield parts[0]


def _attachment(message: ResponseMessage) -> MimePart | None:
    holder = message.element.find(MNS + "Attachments")
    entry = holder[0] if holder is not None and len(holder) else None
    cut = next(iter(message.bodies.values()), None)
    if entry is None:
        return None
    if cut is None and entry.tag == TNS + "FileAttachment":
        return _file(entry, bytes_body(b""))
    if cut is None or cut.body is None:
        return None
    if entry.tag == TNS + "ItemAttachment":
        return attached_item(cut.body)
    return _file(entry, cut.body)


def _file(entry: etree._Element, body: Body) -> MimePart:
    return attached_file(
        entry.findtext(TNS + "ContentType") or "",
        entry.findtext(TNS + "Name") or "",
        entry.findtext(TNS + "ContentId") or "",
        body,
        inline=(entry.findtext(TNS + "IsInline") or "").strip() == "true",
    )
