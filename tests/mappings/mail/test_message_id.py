"""The Message-ID of a mail: however it is folded, commented or damaged, a person's copy of it is the same."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from mappings.fields.message_id import HEAD_MOST, HeaderStream, message_id, plain, read_message_id
from mappings.mail.mail import map_mail, message_id_of
from model.kinds import Kind
from model.protocols import Capabilities, Native, Ref

HEADERS = {
    b"Message-ID: <a@x.example>\r\n": "<a@x.example>",
    b"message-id:<a@x.example>\n": "<a@x.example>",
    b"MESSAGE-ID : <a@x.example>\r\n": "<a@x.example>",
    b"Message-ID:\r\n <a@x.example>\r\nSubject: x\r\n": "<a@x.example>",
    b"Message-ID: <a@\r\n\tx.example>\r\n": "<a@x.example>",
    b"Message-ID: (a (nested) \\) comment <no@x>) <a@x.example> (another)\r\n": "<a@x.example>",
    b"Message-ID: <a(b)c@x.example>\r\n": "<a(b)c@x.example>",
    b'Message-ID: <"a b"@x.example>\r\n': '<"ab"@x.example>',
    b"Message-ID: <a@x> <b@x>\r\n": "<a@x>",
    b"Message-ID: <a@x\r\n": "<a@x",
    b"Message-ID: a@x.example\r\n": "a@x.example",
    b"Message-ID: <\xfc@x>\r\n": "<\udcfc@x>",
    b"Message-ID: <\xc3\xbc@x>\r\n": "<\u00fc@x>",
    b"Message-ID: <a@x>\r\nMessage-ID: <b@x>\r\n": "<a@x>",
    b"Message-ID: (nothing)\r\n": None,
    b"Message-ID: <>\r\n": None,
    b"Message-ID:\r\n": None,
    b"Resent-Message-ID: <a@x>\r\n": None,
    b"Subject: Message-ID: <a@x>\r\n": None,
    b"Subject: x\r\n\r\nMessage-ID: <a@x>\r\n": None,
    b"\r\nMessage-ID: <a@x>\r\n": None,
    b"\nMessage-ID: <a@x>\r\n": None,
    b"": None,
}


@pytest.mark.parametrize(("head", "found"), HEADERS.items(), ids=map(repr, HEADERS))
def test_a_header_s(head: bytes, found: str | None) -> None:
    assert message_id(head) == found
    assert message_id(b"From: b@x\r\n" + head + b"\r\nbody") == (
        found if not head.startswith((b"\r", b"\n")) else None
    )


def test_a_person_s_copy_is_the_same() -> None:
    assert plain("  <a@x.example>\n") == "<a@x.example>"
    assert plain("(from Anna) <a@x.example>") == "<a@x.example>"
    assert plain(" ") is None


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 4096])
def test_it_is_found_in_whatever_pieces_a_stream_is_read(chunk: int) -> None:
    message = b"Subject: x\r\nMessage-ID: <a@x.example>\r\n\r\n" + b"body\r\n" * 50
    head, read = HeaderStream(io.BytesIO(message)), b""
    while piece := head.read(chunk):
        read += piece
    assert (read, head.message_id(), head.goes_on) == (message, "<a@x.example>", False)


def test_of_a_long_body_the_header_alone_is_read() -> None:
    class Counted(io.BytesIO):
        taken = 0

        def read(self, most: int | None = -1, /) -> bytes:
            found = super().read(most)
            self.taken += len(found)
            return found

    stream = Counted(b"Message-ID: <a@x>\r\n\r\n" + b"x" * 5_000_000)
    assert read_message_id(stream) == "<a@x>"
    assert stream.taken < 100_000
    endless = Counted(b"X-Long: " + b"y" * 5_000_000)
    assert read_message_id(endless) is None
    assert endless.taken < HEAD_MOST + 100_000
    late = Counted(b"To: " + b"a@x.example,\r\n " * 20_000 + b"b@x\r\nMessage-ID: <late@x>\r\n\r\n")
    assert read_message_id(late) == "<late@x>"


@pytest.mark.parametrize(
    ("form", "properties"),
    [
        ("ews-message", {"ItemClass": "IPM.Note", "MessageId": "<another@x>"}),
        ("graph-message", {"ItemClass": "IPM.Note"}),
        ("rfc822", {"INTERNALDATE": datetime(2020, 1, 1, tzinfo=UTC)}),
    ],
)
def test_every_source_s_mail_has_it(form: str, properties: dict[str, object]) -> None:
    raw = b"Subject: x\r\nMessage-ID: <a@x.example>\r\n\r\n" + b"line\r\n" * 20_000
    native = Native(Ref("id-1", "v1"), form, properties, lambda: io.BytesIO(raw))
    mapped = map_mail(native, Capabilities(frozenset({Kind.MAIL})), datetime(2026, 1, 1, tzinfo=UTC))
    assert mapped.item.message_id == "<a@x.example>"
    assert "a@x.example" not in repr(mapped.item)
    assert message_id_of(native) == "<a@x.example>"
    assert message_id_of(Native(native.ref, form, properties)) is None
