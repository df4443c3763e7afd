"""Make letters from given bytes, or from a subject and a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.policy import compat32
from email.utils import getaddresses, parsedate_to_datetime
from typing import cast

from practice.mail.letters import EPOCH, Attachment, Correspondent, Letter, Scene
from practice.mail.letters_plain import HEADER_BYTES, Headers, outline, written


def from_bytes(scene: Scene, mime: bytes, received: datetime) -> Letter:
    """Exactly these bytes, in every variant."""
    letter, _ = outline(scene)
    parsed = message_from_bytes(mime, policy=compat32)
    found = parsed.get("Message-ID")
    return replace(
        letter,
        subject=str(parsed.get("Subject", "")),
        message_id=str(found) if found else None,
        received=received,
        size=len(mime),
        write=lambda _: (mime,),
    )


def read_from(scene: Scene, mime: bytes) -> Letter:
    """Return a letter of exactly these bytes.

    Sender, recipients, dates, text and attachments are what the bytes say.
    """
    parsed = message_from_bytes(mime, policy=compat32)
    letter = from_bytes(scene, mime, _date(parsed) or EPOCH)
    senders, to, cc = (_people(parsed, name) for name in ("From", "To", "Cc"))
    files = tuple(map(_attachment, _attached(parsed)))
    words = "".join(map(_text, _texts(parsed)))
    return replace(
        letter,
        subject=_plain(_decoded(letter.subject)),
        sender=senders[0] if senders else Correspondent("", ""),
        to=to,
        cc=cc,
        sent=_date(parsed),
        has_attachments=any(not one.inline for one in files),
        attachments=lambda: files,
        words=lambda: words,
    )


def _date(parsed: Message) -> datetime | None:
    try:
        found = parsedate_to_datetime(str(parsed.get("Date", "")))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _people(parsed: Message, name: str) -> tuple[Correspondent, ...]:
    values = [str(value) for value in parsed.get_all(name, [])]
    return tuple(
        Correspondent(_plain(_decoded(shown)) or address, _plain(address))
        for shown, address in getaddresses(values)
        if address
    )


def _parts(parsed: Message) -> Iterator[Message]:
    """Yield the leaves, and attached messages whole."""
    if parsed.get_content_maintype() != "multipart" or not parsed.is_multipart():
        yield parsed
        return
    for part in cast(list[Message], parsed.get_payload()):
        yield from _parts(part)


def _attached(parsed: Message) -> Iterator[Message]:
    return (one for one in _parts(parsed) if one is not parsed and not _is_text(one))


def _texts(parsed: Message) -> list[Message]:
    """Return the plain text of a mail, or all its other text if it has none."""
    found = [one for one in _parts(parsed) if _is_text(one)]
    return [one for one in found if one.get_content_subtype() == "plain"] or found


def _is_text(part: Message) -> bool:
    return part.get_content_maintype() == "text" and not part.get_filename()


def _attachment(part: Message) -> Attachment:
    message = part.get_content_type() == "message/rfc822"
    if part.is_multipart():
        content = b"".join(one.as_bytes() for one in cast(list[Message], part.get_payload()))
    else:
        content = cast(bytes, part.get_payload(decode=True))
    return Attachment(
        _plain(_decoded(part.get_filename() or "unnamed")),
        part.get_content_type(),
        content,
        str(part["Content-ID"]).strip("<> ") if part["Content-ID"] else None,
        inline=part.get_content_disposition() == "inline",
        item_class="IPM.Note" if message else None,
    )


def _text(part: Message) -> str:
    data = cast(bytes, part.get_payload(decode=True))
    try:
        return _plain(data.decode(part.get_content_charset("utf-8"), "replace"))
    except LookupError:
        return _plain(data.decode("utf-8", "replace"))


def _decoded(value: str) -> str:
    """RFC 2047; a word of an unknown charset stays as it is."""
    try:
        return str(make_header(decode_header(value)))
    except (LookupError, UnicodeError, HeaderParseError):
        return value


def _plain(value: str) -> str:
    """Return the text without what XML cannot carry."""
    return "".join(char for char in value if char >= " " or char in "\t\r\n").replace("\x7f", "")


def typed(
    scene: Scene, subject: str | None, text: str, received: datetime, sender: Correspondent | None = None
) -> Letter:
    """Return a plain UTF-8 mail of this text; None for subject or sender stands for the generator's."""
    letter, _ = outline(scene)
    body = text.encode()
    letter = replace(
        letter,
        subject=letter.subject if subject is None else subject,
        sender=sender or letter.sender,
        words=lambda: text,
        sent=received,
        received=received,
        size=len(body) + HEADER_BYTES,
    )
    headers: Headers = (
        ("Content-Type", 'text/plain; charset="utf-8"'),
        ("Content-Transfer-Encoding", "8bit"),
    )
    return written(letter, lambda _: (headers, body))
