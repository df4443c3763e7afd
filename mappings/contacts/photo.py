"""Map a contact's picture, inline."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from mappings.contacts.record import ContactRecord, Part
from mappings.fields.ews_xml import Element, child, children, flag, text
from mappings.losses.catalogue import lose
from mappings.vcard.lines import VCardLine
from model.protocols import Body, Loss

MAGIC: Mapping[bytes, str] = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
"""How the file formats begin. The attachment's name and content type say JPEG for every format."""


def photo(record: ContactRecord) -> Part:
    """Map at most one PHOTO. A picture of an unknown format, too large or not read is a loss."""
    data, losses = _picture(record)
    if data is None:
        return [], losses
    kind = kind_of(data)
    if kind is None:
        return [], [*losses, lose("photo", "unknown-format")]
    limit = record.context.target.attachment_bytes
    if limit is not None and len(data) > limit:
        return [], [*losses, lose("photo", "too-large")]
    return [_line(record, data, kind)], losses


def kind_of(data: bytes) -> str | None:
    """Return JPEG, PNG, GIF, BMP, TIFF or WEBP; None for another format."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for magic, kind in MAGIC.items() if data.startswith(magic)), None)


def _line(record: ContactRecord, data: bytes, kind: str) -> VCardLine:
    encoded = base64.b64encode(data).decode()
    if record.modern:
        return VCardLine("PHOTO", f"data:image/{kind.lower()};base64,{encoded}")
    return VCardLine("PHOTO", encoded, (("ENCODING", ("b",)), ("TYPE", (kind,))))


def _picture(record: ContactRecord) -> tuple[bytes | None, list[Loss]]:
    """Return the picture, and what else is attached: a card holds no files."""
    attached = children(record.element, "t:Attachments/*")
    pictures = [attachment for attachment in attached if flag(attachment, "t:IsContactPhoto")]
    losses = [lose("attachment", "left-out")] if len(attached) > len(pictures) else []
    read = [body for attachment in pictures if (body := _body(record, attachment)) is not None]
    if read:
        with read[0]() as stream:
            return stream.read(), losses
    inline = _decoded(text(record.element, "t:Photo"))
    if inline:
        return inline, losses
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
