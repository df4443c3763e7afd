"""A sender names a charset: what is read by its name, and what is not."""

from __future__ import annotations

import codecs
import contextlib
import encodings
import io
import pkgutil
import time
from email.message import Message
from encodings.aliases import aliases

import pytest

from mappings.fields import mime_header
from mappings.fields.bounded_reading import charset_of, decoded, head_of, message_of, payload_of
from mappings.fields.charsets import CODECS, codec_of, text_of
from mappings.mail import links

REFUSED = (
    "punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "hex", "zlib", "bz2", "base64",
    "quopri", "uu", "rot13", "mbcs", "oem", "string-escape", "charmap", "x-unknown", "", " ", "*", "utf\0-8",
    "utf\xff-8", "\ud83d", "utf-8" * 1000, "../utf_8", "encodings.punycode",
)  # fmt: skip
SHORT, LONG = 12_500, 100_000


@pytest.mark.parametrize("label", REFUSED)
def test_what_is_no_charset_is_read_as_latin_1(label: str) -> None:
    assert codec_of(label) is None
    assert text_of(b"a\xe4", label) == "a\u00e4"


def test_every_codec_of_python_is_a_known_charset_or_is_not_used() -> None:
    names = {*aliases, *aliases.values(), *(one.name for one in pkgutil.iter_modules(encodings.__path__))}
    for name in names:
        codec = codec_of(name)
        assert codec is None or codec in CODECS
    for codec in CODECS:
        assert codecs.lookup(codec)._is_text_encoding


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("UTF-8", "utf_8"),
        ("utf8", "utf_8"),
        (" ISO-8859-1 ", "latin_1"),
        ("iso-8859-8-i", "iso8859_8"),
        ("windows-1252", "cp1252"),
        ("cp850", "cp850"),
        ("x-sjis", "shift_jis"),
        ("ks_c_5601-1987", "euc_kr"),
        ("gb2312", "gb2312"),
        ("us-ascii", "ascii"),
        ("windows-874", "cp874"),
    ],
)
def test_labels_of_mail(label: str, codec: str) -> None:
    assert codec_of(label) == codec


def _seconds(codec: str, data: bytes) -> float:
    began = time.process_time()
    for errors in ("replace", "surrogateescape"):
        with contextlib.suppress(ValueError):
            data.decode(codec, errors)
    return time.process_time() - began


@pytest.mark.parametrize("unit", [b"a", b"\xe4", b"-", b"+", b"\x1b$B", b"~{", b"\x80\x30"])
def test_the_time_of_each_charset_grows_with_the_text_alone(unit: bytes) -> None:
    """Eight times the text: a square would be 64 times the time."""
    for codec in CODECS:
        long = _seconds(codec, unit * (LONG // len(unit)))
        if long > 0.1:  # punycode: seconds
            assert long < 24 * _seconds(codec, unit * (SHORT // len(unit))), codec


def _mail(charset: str, size: int) -> io.BytesIO:
    head = f"Content-Type: text/plain; charset={charset}\r\n\r\nhttp://a.sharepoint.com/x-".encode()
    return io.BytesIO(head + b"\xe4-a" * (size // 3))


def test_links_of_a_mail_in_punycode_are_read_at_once() -> None:
    assert links.in_mail(_mail("punycode", 600)) == links.in_mail(_mail("x", 600))
    began = time.process_time()
    links.in_mail(_mail("punycode", 2_000_000))
    took = time.process_time() - began
    began = time.process_time()
    links.in_mail(_mail("iso-8859-1", 2_000_000))
    assert took < 10 * (time.process_time() - began) + 1


BROKEN = {
    b"=?utf-8?b?a?=": "=?utf-8?b?a?=",
    b"=?utf\xff-8?q?a?=": "=?utf\ufffd-8?q?a?=",
    b"=?punycode?q?a-b?=": "=?punycode?q?a-b?=",
    b"=?utf-7?q?+2D0-?=": "\ufffd",
    b"=?utf-8?b?w6Q=?=": "\u00e4",
    b"a\xc3\xa4b": "a\u00e4b",
    b"a\xe4b": "a\ufffdb",
}


@pytest.mark.parametrize(("raw", "text"), BROKEN.items())
def test_a_broken_header_is_read_as_far_as_it_can_be(raw: bytes, text: str) -> None:
    subject = decoded(str(head_of(b"Subject: " + raw + b"\r\n\r\n").get("Subject")))
    subject.encode()
    assert subject == text


def _part(field: bytes) -> Message:
    return message_of(io.BytesIO(b"Content-Type: " + field + b"\r\n\r\nx"))


@pytest.mark.parametrize(
    ("field", "charset"),
    [
        (b"text/plain; charset*0*=utf-8''a; charset*=b", "ab"),
        (b'text/plain; charset="utf\0-8"', "utf\0-8"),
        (b"text/plain; charset*=utf-8'en'utf-8", "utf-8"),
        (b"text/plain; charset=utf-8; charset=x", "utf-8x"),
        (b"text/plain", None),
        (b"text/plain; charset", None),
    ],
)
def test_parameters_are_plain_text(field: bytes, charset: str | None) -> None:
    part = _part(field)
    assert charset_of(part) == charset
    assert part.get_content_charset("none") == (codec_of(charset or "") or "none")
    assert payload_of(part) == b"x"


def test_a_boundary_in_broken_sections_does_not_end_the_reader() -> None:
    field = b"multipart/mixed; boundary*0*=utf-8''a; boundary*=b"
    message = message_of(io.BytesIO(b"Content-Type: " + field + b"\r\n\r\n--ab\r\n\r\nx\r\n--ab--\r\n"))
    assert [payload_of(part) for part in message.walk()] == [b"", b"x"]


def test_what_utf_7_names_can_be_written() -> None:
    for raw in (b"=?utf-7?q?+2D0-?=", b"=?utf-7?q?+3IA-?=", b"=?utf-16?q?=00=d8?="):
        mime_header.decoded(raw).encode("utf-8", "surrogateescape")
