"""Map sticky notes to RFC 5322 messages for an IMAP folder of notes.

By the header X-Uniform-Type-Identifier Apple's Mail and Notes, and programs that follow them, recognise a
note in IMAP. Any other client shows a message. The text is plain, as sticky notes are.
"""

from __future__ import annotations

import base64
import binascii
import io
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from mappings.fields.context import Context
from mappings.fields.ews_xml import Element, altered, children, extended, items, moment, printable, text
from mappings.fields.flags import SEEN, keyword
from mappings.losses.catalogue import lose
from mappings.mail.digest import canonical
from mappings.notes.body_text import body_text, sensitivity, truncated
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Item, Loss, Mapped, Native, key_of

CLASS = "ipm.stickynote"
NOTE_SET, COLOUR = "0006200E-0000-0000-C000-000000000046", 0x8B00
YELLOW = "3"
"""The colour of a note unless a person chose another one (MS-OXONOTE 2.2.1.1)."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOBODY = "notes@kogge.invalid"
"""RFC 5322 wants a sender.

If the owner's address is unknown, this one is used, which belongs to nobody (RFC 2606).
"""

SECRETS: Mapping[str, str] = {"PRIVATE": "Private", "CONFIDENTIAL": "Company-Confidential"}
"""From CLASS to Sensitivity (RFC 4021 section 2.1.55)."""

_WORD = 39
"""Octets of text in an encoded-word: with "Subject: " the line has 73 characters (RFC 2047: at most 76)."""


def skip_note(native: Native) -> str | None:
    """Return a code (mappings.losses.catalogue.SKIPS) if this record is no sticky note; None if it is one."""
    name = str(native.properties.get("ItemClass") or "").lower()
    if name == "ipm.activity" or name.startswith("ipm.activity."):
        return "journal-entry"
    return None if name == CLASS or name.startswith(CLASS + ".") else "not-a-note"


def map_note(native: Native, context: Context) -> Mapped:
    """Map a note to a message that is seen, with a keyword for each category.

    Raises:
        Rejected: "unknown-format", "malformed-record" or "too-large".
    """
    if native.format != "ews-note":
        raise Rejected("unknown-format", "no mapping for this kind of record")
    element = items(native)[0]
    written, html = body_text(element)
    body = _message(element, native, context, written)
    if context.target.max_bytes is not None and len(body) > context.target.max_bytes:
        raise Rejected("too-large", "larger than the target takes; raise its limit or leave it out")
    labels, losses = _labels(element, context.target)
    date, date_losses = _arrived(element, context)
    item = Item(
        kind=Kind.NOTES,
        key=key_of(native.ref.id),
        digest=canonical(io.BytesIO(body)).digest,
        size=len(body),
        body=lambda: io.BytesIO(body),
        flags=frozenset({SEEN, *labels}),
        date=date,
    )
    named = (*losses, *date_losses, *_lost(element, html))
    return Mapped(item, tuple(dict.fromkeys(named)), tuple(sorted(labels.items())))


def date_of(native: Native, context: Context) -> tuple[datetime | None, tuple[Loss, ...]]:
    """Return the date that map_note gives the note, and what is lost of it. It needs the body.

    Raises:
        Rejected: "malformed-record".
    """
    date, losses = _arrived(items(native)[0], context)
    return date, tuple(losses)


def _message(element: Element, native: Native, context: Context, written: str) -> bytes:
    key = key_of(native.ref.id)
    key = context.origins.get(key, key)
    lines = [f"{name}: {value}" for name, value in _header(element, key, context, written)]
    # b2a_qp takes its line ends, those of soft breaks too, from the first one it sees: there is always one.
    whole = f"{written}\n".replace("\n", "\r\n").encode() if written else b""
    return "\r\n".join([*lines, "", ""]).encode() + binascii.b2a_qp(whole, istext=True)


def _header(element: Element, key: bytes, context: Context, written: str) -> Iterator[tuple[str, str]]:
    created = moment(text(element, "t:DateTimeCreated"))
    changed = moment(text(element, "t:LastModifiedTime"))
    yield "From", _owner(context)
    yield "Date", format_datetime(changed or created or EPOCH)
    yield "Subject", encoded_words(_subject(element, written))
    yield "Message-ID", f"<kogge-{key.hex()}@notes.kogge.invalid>"
    yield "X-Uniform-Type-Identifier", "com.apple.mail-note"
    yield "X-Universally-Unique-Identifier", str(uuid.UUID(bytes=key)).upper()
    if created is not None:
        yield "X-Mail-Created-Date", format_datetime(created)
    secret = SECRETS.get(sensitivity(element)[0])
    if secret:
        yield "Sensitivity", secret
    if text(element, "t:Importance").strip() in ("High", "Low"):
        yield "Importance", text(element, "t:Importance").strip()
    yield "MIME-Version", "1.0"
    yield "Content-Type", "text/plain; charset=utf-8"
    yield "Content-Transfer-Encoding", "quoted-printable"


def _owner(context: Context) -> str:
    plain = sorted(
        address
        for address in context.owner
        if address.isascii() and "@" in address and not set(address) & set(' <>",')
    )
    return plain[0] if plain else NOBODY


def _subject(element: Element, written: str) -> str:
    """Return the subject; Outlook's is the first line of the text."""
    subject = printable(text(element, "t:Subject"))
    lines = (*subject.split("\n"), *written.split("\n"))
    return next((" ".join(line.split()) for line in lines if line.strip()), "")


def encoded_words(value: str) -> str:
    """Return a header's text, folded.

    A short and plain text stays as it is. Another becomes encoded-words (RFC 2047), none of which splits a
    character.
    """
    if value.isascii() and len(value) <= 60 and "=?" not in value:
        return value
    return "\r\n ".join(
        f"=?utf-8?b?{base64.b64encode(chunk).decode()}?=" for chunk in _chunks(value.encode())
    )


def _chunks(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = min(start + _WORD, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[start:end]
        start = end


def _labels(element: Element, target: Capabilities) -> tuple[dict[str, str], list[Loss]]:
    """Return keywords and the categories they stand for, as mail has them."""
    names = [printable(element_.text or "") for element_ in children(element, "t:Categories/t:String")]
    named = [name for name in names if name.strip()]
    losses = [lose("categories", "empty-name")] if len(named) < len(names) else []
    if named and not target.keywords:
        return {}, [*losses, lose("categories", "keyword-not-kept")]
    losses += [lose("categories", "colour-not-kept")] if named else []
    return {keyword(name): name for name in sorted(named, reverse=True)}, losses


def _arrived(element: Element, context: Context) -> tuple[datetime | None, list[Loss]]:
    """Return INTERNALDATE in whole seconds, within what IMAP servers keep (see mappings.mail.mail)."""
    changed = moment(text(element, "t:LastModifiedTime")) or moment(text(element, "t:DateTimeCreated"))
    if changed is None:
        return None, [lose("date", "unknown")]
    earliest = datetime.fromtimestamp(context.target.oldest_date, UTC)
    latest = context.read_at.astimezone(UTC).replace(microsecond=0)
    if changed < earliest:
        return earliest, [lose("date", "before-1970")]
    return (
        (latest, [lose("date", "in-the-future")])
        if changed > latest
        else (changed.replace(microsecond=0), [])
    )


def _lost(element: Element, html: str) -> list[Loss]:
    colour = (extended(element, (NOTE_SET, COLOUR)) or YELLOW).strip()
    conditions = (
        (colour != YELLOW, ("colour", "not-kept")),
        (bool(html), ("text", "formatting")),
        (truncated(element), ("text", "truncated")),
        (any(altered(str(piece)) for piece in element.itertext()), ("text", "control-characters")),
        (sensitivity(element)[1], ("sensitivity", "shown-as-private")),
        (bool(children(element, "t:Attachments/*")), ("attachment", "left-out")),
    )
    return [lose(field, reason) for happened, (field, reason) in conditions if happened]
