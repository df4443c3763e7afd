"""Build a message from the properties of an item that its server cannot give as it was received.

The same item always gives the same bytes: boundaries come from its id, nothing from the clock.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from typing import BinaryIO
from urllib.parse import quote

from connectors.http.base64_spool import BodySink
from connectors.spool import bytes_body
from model.protocols import Body

LINE_BYTES = 57  # 57 bytes make a base64 line of 76 characters (RFC 2045, section 6.8)
PIECE = LINE_BYTES * 1024
FAILED = ("mime-conversion-failed", "the server cannot make a message of it, nor give its parts")
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+", re.ASCII)

Party = tuple[str, str | None]
"""A name, and the SMTP address or None."""


@dataclass(frozen=True, slots=True)
class MimePart:
    """Hold one body or attachment.

    Attributes:
        head: its header lines.
        body: its bytes.
        message: True if it is a message itself and must not be encoded.
    """

    head: tuple[str, ...]
    body: Body
    message: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """Hold the content of the message's header.

    Attributes:
        parties: by header name, in the order of the output.
        date: the date; None for no Date header.
        subject: the subject.
        message_id: the Message-ID, or "".
        in_reply_to: the In-Reply-To, or "".
        references: the References, or "".
        importance: "Low", "Normal" or "High".
    """

    parties: Mapping[str, Sequence[Party]]
    date: datetime | None
    subject: str
    message_id: str
    in_reply_to: str
    references: str
    importance: str


def write(sink: BodySink, id_: str, letter: Letter, parts: Sequence[MimePart]) -> None:
    """Write the whole message.

    Args:
        sink: receives the bytes.
        id_: the item's id, for the boundary.
        letter: the header's content.
        parts: the bodies and attachments; a single one needs no multipart.
    """
    head = _head(letter)
    if len(parts) == 1:
        _write_part(sink, [*head, *parts[0].head], parts[0])
        return
    boundary = "kogge-" + hashlib.blake2b(id_.encode(), digest_size=16).hexdigest()
    lines = [*head, f'Content-Type: multipart/mixed; boundary="{boundary}"', "", ""]
    sink.write("\r\n".join(lines).encode())
    for part in parts:
        sink.write(f"--{boundary}\r\n".encode())
        _write_part(sink, list(part.head), part)
        sink.write(b"\r\n")
    sink.write(f"--{boundary}--\r\n".encode())


def write_entity(sink: BodySink, letter: Letter, entity: Body) -> None:
    """Write the header and below it a MIME entity that has its own header lines.

    Args:
        sink: receives the bytes.
        letter: the header's content.
        entity: the entity.
    """
    sink.write("\r\n".join([*_head(letter), ""]).encode())
    with entity() as stream:
        for piece in _pieces(stream):
            sink.write(piece)


def text_part(text: str, *, html: bool) -> MimePart:
    """Return a text as a part with CRLF line ends.

    Args:
        text: the text.
        html: True for text/html, False for text/plain.
    """
    data = "\r\n".join(text.splitlines()).encode()
    return MimePart((f"Content-Type: text/{'html' if html else 'plain'}; charset=utf-8",), bytes_body(data))


def attached_item(body: Body) -> MimePart:
    """Return an attached item as a part.

    Exchange gives appointments as iCalendar, contacts as vCard, everything else as a message.
    """
    with body() as stream:
        start = stream.read(15).upper()
    for begin, type_ in ((b"BEGIN:VCALENDAR", "text/calendar"), (b"BEGIN:VCARD", "text/vcard")):
        if start.startswith(begin):
            return MimePart(
                (f"Content-Type: {type_}; charset=utf-8", "Content-Disposition: attachment"), body
            )
    return MimePart(("Content-Type: message/rfc822", "Content-Disposition: attachment"), body, message=True)


def attached_file(type_: str, name: str, cid: str, body: Body, *, inline: bool) -> MimePart:
    """Return an attached file as a part.

    Args:
        type_: the content type; a malformed one becomes application/octet-stream.
        name: the file's name.
        cid: the Content-ID, or "".
        body: its bytes.
        inline: True if it is shown inside the text.
    """
    type_, name, cid = type_.strip(), _one_line(name), _one_line(cid).strip("<>")
    if not _TYPE.fullmatch(type_) or type_.lower().startswith(("multipart/", "message/")):
        type_ = "application/octet-stream"
    lines = [f"Content-Type: {type_}"]
    lines.append(f"Content-Disposition: {'inline' if inline else 'attachment'}{_filename(name)}")
    if cid and cid.isascii():
        lines.append(f"Content-ID: <{cid}>")
    return MimePart(tuple(lines), body)


def _head(letter: Letter) -> list[str]:
    lines = [_address_line(name, parties) for name, parties in letter.parties.items()]
    if letter.date is not None:
        lines.append(f"Date: {format_datetime(letter.date)}")
    lines.append(_text_line("Subject", letter.subject))
    lines.append(_id_line("Message-ID", letter.message_id))
    lines.append(_id_line("In-Reply-To", letter.in_reply_to))
    lines.append(_id_line("References", letter.references))
    if letter.importance != "Normal":
        lines.append(f"Importance: {letter.importance}")
    return [line for line in lines if line] + ["MIME-Version: 1.0"]


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _text_line(name: str, text: str) -> str:
    value = _one_line(text)
    return f"{name}: {_encode(value, len(name) + 2)}" if value else ""


def _encode(text: str, column: int = 0) -> str:
    charset = "us-ascii" if text.isascii() else "utf-8"
    return Header(text, charset, header_name=" " * column).encode(linesep="\r\n")


def _id_line(name: str, value: str) -> str:
    ids = [word for word in value.split() if word.isascii() and len(word) < 900]
    return f"{name}: " + "\r\n ".join(ids) if ids else ""


def _address_line(name: str, parties: Sequence[Party]) -> str:
    """Return a header line with addresses, or ""."""
    shown = [text for text in (_address(*party) for party in parties) if text]
    return f"{name}: " + ",\r\n ".join(shown) if shown else ""


def _address(name: str, address: str | None) -> str:
    label = _one_line(name)
    if address is not None and address.isascii() and address.isprintable():
        return formataddr((label if label != address else "", address))
    # Without an SMTP address only an empty group can show the name (RFC 5322, section 3.4).
    return f"{_encode(label) if not label.isascii() else _quoted(label)}:;" if label else ""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _filename(name: str) -> str:
    if not name:
        return ""
    if name.isascii():
        return f";\r\n filename={_quoted(name)}"
    return f";\r\n filename*=utf-8''{quote(name)}"


def _write_part(sink: BodySink, head: list[str], part: MimePart) -> None:
    encoding = "8bit" if part.message else "base64"
    sink.write("\r\n".join([*head, f"Content-Transfer-Encoding: {encoding}", "", ""]).encode())
    with part.body() as stream:
        for piece in _pieces(stream):
            sink.write(piece if part.message else base64.encodebytes(piece).replace(b"\n", b"\r\n"))


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(PIECE):
        yield piece
