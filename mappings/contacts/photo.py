"""Read a contact's picture."""

from __future__ import annotations

import base64
import binascii
import io

from mappings.contacts.record import ContactRecord
from mappings.fields.ews_xml import Element, child, children, flag, text
from mappings.losses.catalogue import lose
from mappings.vcard.card import Picture, kind_of
from model.protocols import Body, Loss

CHUNK = 1 << 20
"""Octets of a picture that are in memory while it is measured."""


def photo(record: ContactRecord) -> tuple[Picture | None, list[Loss]]:
    """Return the picture, unread, and what is lost: of an unknown format, not read, or no picture."""
    body, losses = _picture(record)
    if body is None:
        return None, losses
    size, kind = _measured(body)
    if kind is None:
        return None, [*losses, lose("photo", "unknown-format")]
    return Picture(kind, size, lambda: _encoded(body)), losses


def _measured(body: Body) -> tuple[int, str | None]:
    """Return the size of a picture and its format.

    The attachment's name and content type say JPEG for every format.
    """
    with body() as stream:
        first = stream.read(CHUNK)
        size = len(first)
        while chunk := stream.read(CHUNK):
            size += len(chunk)
    return size, kind_of(first)


def _encoded(body: Body) -> str:
    with body() as stream:
        return base64.b64encode(stream.read()).decode()


def _picture(record: ContactRecord) -> tuple[Body | None, list[Loss]]:
    """Return the picture, and what else is attached: a card holds no files."""
    attached = children(record.element, "t:Attachments/*")
    pictures = [attachment for attachment in attached if flag(attachment, "t:IsContactPhoto")]
    losses = [lose("attachment", "left-out")] if len(attached) > len(pictures) else []
    read = [body for attachment in pictures if (body := _body(record, attachment)) is not None]
    if read:
        return read[0], losses
    inline = _decoded(text(record.element, "t:Photo"))
    if inline:
        return lambda: io.BytesIO(inline), losses
    missing = bool(pictures) or flag(record.element, "t:HasPicture")
    return None, [*losses, lose("photo", "not-read")] if missing else losses


def _body(record: ContactRecord, attachment: Element) -> Body | None:
    id_element = child(attachment, "t:AttachmentId")
    return None if id_element is None else record.attachments.get(id_element.get("Id", ""))


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
