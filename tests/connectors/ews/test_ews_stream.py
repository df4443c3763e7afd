from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from ews_responder import HEAD, NAMESPACES, TAIL, envelope, error, fault, item
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.ews.errors import refusal_of
from connectors.ews.records import id_of, item_of, properties
from connectors.ews.response_stream import EwsReply
from connectors.exchange.mime_builder import attached_item
from connectors.http.base64_spool import BodySink
from connectors.spool import bytes_body
from model.errors import Transient

ANSWER = "GetItemResponseMessage"
LETTERS = {"one": b"Subject: one\r\n\r\n" + bytes(range(256)) * 3, "two": b"", "three": b"x" * 1000}


def _chunks(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _read(data: bytes, size: int, folder: Path, above: int = 10_000_000) -> dict[str, bytes | None]:
    reply = EwsReply(_chunks(data, size), ANSWER, lambda: BodySink(folder, above))
    found: dict[str, bytes | None] = {}
    for message in reply.messages():
        one = item_of(message.element)
        assert one is not None
        cut = next(iter(message.bodies.values()), None)
        found[id_of(one)[0]] = None if cut is None or cut.body is None else cut.body().read()
    return found


def _wire(*messages: str) -> bytes:
    return envelope("GetItem", *messages).encode()


def test_a_reply_reads_the_same_however_the_network_cuts_it(tmp_path: Path) -> None:
    data = _wire(*(item(name, body) for name, body in LETTERS.items()))
    for size in [*range(1, 80), 997, 1 << 20]:
        assert _read(data, size, tmp_path) == LETTERS


def test_a_reply_that_ends_early_yields_only_what_is_whole(tmp_path: Path) -> None:
    data = _wire(*(item(name, body) for name, body in LETTERS.items()))
    for end in range(len(data)):
        found: dict[str, bytes] = {}
        reply = EwsReply(_chunks(data[:end], 64), ANSWER, lambda: BodySink(tmp_path, 1 << 20))
        with pytest.raises(Transient) as caught:  # noqa: PT012 - what came before the end counts too
            for message in reply.messages():
                one = item_of(message.element)
                assert one is not None
                cut = next(iter(message.bodies.values()))
                assert cut.body is not None
                found[id_of(one)[0]] = cut.body().read()
        assert caught.value.code in {"connection-cut", "not-soap"}
        assert all(LETTERS[name] == body for name, body in found.items())


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: "\r\n".join(text[i : i + 76] for i in range(0, len(text), 76)),
        lambda text: "\n  " + text[:5] + "\t" + text[5:] + " \n",
        lambda text: "&#xD;\n".join(text[i : i + 7] for i in range(0, len(text), 7)) + "&#13;&#10;",
    ],
)
def test_blanks_in_base64_do_no_harm(tmp_path: Path, wrap: object) -> None:
    body = bytes(range(256)) * 5
    text = wrap(base64.b64encode(body).decode())  # type: ignore[operator]
    for size in (1, 2, 3, 5, 64, 10_000):
        assert _read(_wire(item("a", text)), size, tmp_path) == {"a": body}


@pytest.mark.parametrize(
    "text", ["QUJD!", "QUJ", "Q", "QUI=QUJD", "QUJD=", "Q===", "QUJD\x00", "QU&amp;D", "====", "Ä"]
)
def test_damaged_base64_costs_that_item_alone(tmp_path: Path, text: str) -> None:
    data = _wire(item("a", b"before"), item("b", text), item("c", b"after"))
    for size in (1, 7, 4096):
        assert _read(data, size, tmp_path) == {"a": b"before", "b": None, "c": b"after"}


def test_words_that_look_like_a_body_are_content(tmp_path: Path) -> None:
    trap = "<![CDATA[<t:MimeContent>AAAA</t:MimeContent> ]] > <!-- ]]>"
    comment = "<!-- <t:MimeContent>BBBB</t:MimeContent> -->"
    extra = f"<t:Subject>{trap}</t:Subject>{comment}<t:Body>&lt;t:MimeContent&gt;</t:Body>"
    data = _wire(item("a", b"real", extra=extra), item("b", b"next"))
    for size in [*range(1, 40), 4096]:
        assert _read(data, size, tmp_path) == {"a": b"real", "b": b"next"}


def test_other_prefixes_and_empty_bodies(tmp_path: Path) -> None:
    data = (
        f'{HEAD}<GetItemResponse xmlns="http://schemas.microsoft.com/exchange/services/2006/messages"'
        ' xmlns:ty="http://schemas.microsoft.com/exchange/services/2006/types"><ResponseMessages>'
        '<GetItemResponseMessage ResponseClass="Success"><Items><ty:Message><ty:MimeContent\n/>'
        '<ty:ItemId Id="a"/></ty:Message></Items></GetItemResponseMessage>'
        '<GetItemResponseMessage ResponseClass="Success"><Items><Message'
        ' xmlns="http://schemas.microsoft.com/exchange/services/2006/types"><MimeContentUTF8>zz</MimeContentUTF8>'
        '<MimeContent>QUJD</MimeContent ><ItemId Id="b"/></Message></Items></GetItemResponseMessage>'
        f"</ResponseMessages></GetItemResponse>{TAIL}"
    )
    for size in (1, 3, 4096):
        assert _read(data.encode(), size, tmp_path) == {"a": None, "b": b"ABC"}


def test_a_byte_order_mark_and_forbidden_characters_are_survived(tmp_path: Path) -> None:
    subject = "a&#x0;b&#11;c&#xFFFE;d\x01e&#x1F600;f"
    data = b"\xef\xbb\xbf\r\n" + _wire(item("a", b"body", extra=f"<t:Subject>{subject}</t:Subject>"))
    for size in [*range(1, 20), 4096]:
        reply = EwsReply(_chunks(data, size), ANSWER, lambda: BodySink(tmp_path, 1 << 20))
        texts = [m.element.findtext(".//{*}Subject") for m in reply.messages()]
        assert texts == ["a\ufdd0b\ufdd0c\ufdd0d\ufdd0e\U0001f600f"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"  \n",
        b"<html><body>maintenance</body></html>",
        b"Service Unavailable",
        b'<?xml version="1.0"?><a:Envelope xmlns:a="urn:other"/>',
        b"<!DOCTYPE html><html><br></html>",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"\x1f\x8b\x08\x00",
    ],
)
def test_what_is_no_soap_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    for size in (1, 4096):
        with pytest.raises(Transient) as caught:
            _read(data, size, tmp_path)
        assert caught.value.code == "not-soap"


def test_a_reply_of_any_length_needs_the_memory_of_one_message(tmp_path: Path) -> None:
    def endless() -> Iterator[bytes]:
        yield f"{HEAD}<m:GetItemResponse {NAMESPACES}><m:ResponseMessages>".encode()
        for number in range(3000):
            yield item(f"i{number}", b"z" * 9000).encode()
        yield f"</m:ResponseMessages></m:GetItemResponse>{TAIL}".encode()

    import tracemalloc

    tracemalloc.start()
    try:
        reply = EwsReply(endless(), ANSWER, lambda: BodySink(tmp_path, 1 << 20))
        assert sum(1 for _ in reply.messages()) == 3000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    assert reply.version["MajorVersion"] == "15"


def test_large_bodies_go_to_a_file_that_only_its_readers_see(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    body = os.urandom(300_000)
    reply = EwsReply(_chunks(_wire(item("a", body)), 4096), ANSWER, lambda: BodySink(spool, 1000))
    cut = next(iter(next(reply.messages()).bodies.values()))
    assert cut.body is not None
    assert cut.size == len(body)
    assert stat.S_IMODE(spool.stat().st_mode) == 0o700
    assert list(spool.iterdir()) == []
    with cut.body() as first, cut.body() as second:
        assert first.read(1000) == body[:1000]
        assert second.read() == body
        assert first.read() == body[1000:]
        first.seek(-5, os.SEEK_END)
        assert first.read() == body[-5:]


def test_refusals_carry_what_the_server_asked(tmp_path: Path) -> None:
    busy = error("GetItem", "ErrorServerBusy", {"BackOffMilliseconds": "1500"})
    inner = error("GetItem", "ErrorInternalServerError", {"InnerErrorResponseCode": "ErrorServerBusy"})
    gone = error("GetItem", "ErrorItemNotFound")
    reply = EwsReply([_wire(busy, inner, gone)], ANSWER, lambda: BodySink(tmp_path, 1))
    found = [refusal_of(message.element) for message in reply.messages()]
    assert [(one.code, one.busy, one.after) for one in found if one] == [
        ("ErrorServerBusy", True, 1.5),
        ("ErrorInternalServerError", True, None),
        ("ErrorItemNotFound", False, None),
    ]


def test_a_fault_is_read_with_its_delay(tmp_path: Path) -> None:
    answer = fault("ErrorServerBusy", {"BackOffMilliseconds": "250"})
    reply = EwsReply([str(answer.body).encode()], ANSWER, lambda: BodySink(tmp_path, 1))
    refusal = refusal_of(next(reply.messages()).element)
    assert refusal is not None
    assert (refusal.code, refusal.busy, refusal.after, refusal.whole) == ("ErrorServerBusy", True, 0.25, True)


@settings(max_examples=60)
@given(
    bodies=st.dictionaries(st.text("abc123+/=", min_size=1, max_size=9), st.binary(max_size=300), max_size=5),
    size=st.integers(1, 200),
)
def test_any_bodies_in_any_chunks(
    tmp_path_factory: pytest.TempPathFactory, bodies: dict[str, bytes], size: int
) -> None:
    data = _wire(*(item(name, body) for name, body in bodies.items()))
    assert _read(data, size, tmp_path_factory.getbasetemp(), above=100) == bodies


def test_properties_of_a_mail_with_everything(tmp_path: Path) -> None:
    def tag(name: str, kind: str, value: str) -> str:
        uri = f'<t:ExtendedFieldURI PropertyTag="{name}" PropertyType="{kind}"/>'
        return f"<t:ExtendedProperty>{uri}<t:Value>{value}</t:Value></t:ExtendedProperty>"

    extra = (
        "<t:DateTimeReceived>2026-11-24T22:56:15.169475200Z</t:DateTimeReceived><t:Size>123</t:Size>"
        "<t:Categories><t:String>Rot &amp; Blau</t:String><t:String>Ü&#1;</t:String></t:Categories>"
        "<t:Importance>High</t:Importance><t:IsDraft>true</t:IsDraft>"
        "<t:DateTimeSent>1970-01-01T02:00:00+02:00</t:DateTimeSent>"
        "<t:DateTimeCreated>0001-01-01T00:00:00Z</t:DateTimeCreated>"
        f"{tag('0xe06', 'SystemTime', '2021-01-05T21:01:42Z')}{tag('0x1090', 'Integer', '2')}"
        f"{tag('0x1081', 'Integer', '104')}<t:From><t:Mailbox><t:Name>A</t:Name>"
        "<t:EmailAddress>a@b.example</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType></t:Mailbox></t:From>"
        "<t:InternetMessageId>&lt;x@y&gt;</t:InternetMessageId><t:IsRead>1</t:IsRead>"
        "<t:IsReadReceiptRequested>true</t:IsReadReceiptRequested>"
    )
    reply = EwsReply([_wire(item("a", b"", extra=extra))], ANSWER, lambda: BodySink(tmp_path, 1))
    found = properties(item_of(next(reply.messages()).element))  # type: ignore[arg-type]
    shown = {name: str(value) for name, value in found.items()}
    assert shown == {
        "ItemClass": "IPM.Note",
        "IsRead": "True",
        "IsDraft": "True",
        "IsReadReceiptRequested": "True",
        "IsAssociated": "False",
        "Categories": "('Rot & Blau', 'Ü\ufffd')",
        "Importance": "High",
        "Flag": "Flagged",
        "LastVerb": "104",
        "Received": "2021-01-05 21:01:42+00:00",
        "Sent": "1970-01-01 00:00:00+00:00",
        "Created": "0001-01-01 00:00:00+00:00",
        "MessageId": "<x@y>",
        "From": "a@b.example",
        "Size": "123",
        "Rebuilt": "False",
    }


@pytest.mark.parametrize(
    ("start", "type_"),
    [
        (b"BEGIN:VCALENDAR\r\n", "text/calendar"),
        (b"begin:vcard\r\n", "text/vcard"),
        (b"Subject: BEGIN:VCARD\r\n", "message/rfc822"),
        (b"", "message/rfc822"),
    ],
)
def test_an_attached_item_is_called_what_it_is(start: bytes, type_: str) -> None:
    part = attached_item(bytes_body(start))
    assert part.head[0].partition(";")[0] == f"Content-Type: {type_}"
    assert part.message == (type_ == "message/rfc822")
