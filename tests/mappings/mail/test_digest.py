"""The canonical digest against a naive model; the tolerant digest against renderings of one message."""

from __future__ import annotations

import base64
import hashlib
import io
import quopri
import re
import tracemalloc
from collections.abc import Iterator
from email.message import EmailMessage
from typing import BinaryIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mappings.mail import canonical as canonical_module
from mappings.mail.digest import CanonicalReader, canonical, tolerant

LINES = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\0", b"a", b"\r\r", b" ", b"--b", b":"]))


class Dribble(io.RawIOBase):
    """Gives its bytes in small, uneven reads."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = io.BytesIO(data)
        self._size = size

    def read(self, size: int = -1) -> bytes:
        return self._data.read(self._size)


def naive(raw: bytes) -> bytes:
    return re.sub(rb"\r*\n", b"\r\n", raw).replace(b"\0", b"\x80").rstrip(b"\r")


def soft(raw: bytes) -> bytes:
    return tolerant(io.BytesIO(raw))


def hard(raw: bytes) -> bytes:
    return canonical(io.BytesIO(raw)).digest


@given(LINES, st.integers(1, 5))
@example([b"\r"], 1)
@example([b"\r", b"\n"], 1)
@example([b"\r\r\n", b"\n\r"], 2)
def test_canonical_equals_the_naive_model_however_the_bytes_arrive(parts: list[bytes], size: int) -> None:
    raw = b"".join(parts)
    digested = canonical(Dribble(raw, size))  # type: ignore[arg-type]
    form = naive(raw)
    assert digested.digest == hashlib.sha256(form).digest()
    assert digested.size == len(form)
    assert digested.bare_lf == len(re.findall(rb"(?<!\r)\n", raw))
    assert digested.bare_cr == len(re.findall(rb"\r(?!\n)", raw))
    assert digested.nul == raw.count(b"\0")
    assert digested.lost_cr == len(raw) + digested.bare_lf - len(form)


@given(LINES)
def test_the_canonical_form_is_its_own_canonical_form(parts: list[bytes]) -> None:
    once = b"".join(CanonicalReader(io.BytesIO(b"".join(parts))))
    assert b"".join(CanonicalReader(io.BytesIO(once))) == once
    assert soft(b"".join(parts)) == soft(once)


@given(LINES, st.integers(1, 40))
def test_tolerant_does_not_depend_on_how_the_bytes_arrive(parts: list[bytes], size: int) -> None:
    raw = b"A: b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"".join(parts)
    assert tolerant(Dribble(raw, size)) == soft(raw)  # type: ignore[arg-type]


def test_a_chunk_may_end_between_cr_and_lf() -> None:
    raw = b"x" * (canonical_module.CHUNK - 1) + b"\r\n" + b"y\n"
    assert canonical(io.BytesIO(raw)).digest == hashlib.sha256(naive(raw)).digest()


def multipart(
    boundary: str = "b1",
    subject: str = "Grüße aus Kiel",
    text: str = "Guten Tag,\n\nbis morgen.\n",
    attachment: bytes = bytes(range(256)) * 3,
    to: str = "anna@example.org",
    date: str = "Tue, 04 May 2021 03:02:01 +0000",
    name: str = "plan.pdf",
    charset: str = "utf-8",
) -> bytes:
    encoded = base64.encodebytes(attachment).decode()
    return (
        f"From: otto@example.org\nTo: {to}\nSubject: {subject}\nDate: {date}\n"
        f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="{boundary}"\n\n'
        f"--{boundary}\nContent-Type: text/plain; charset={charset}\n\n{text}\n"
        f"--{boundary}\nContent-Type: application/pdf; name={name}\n"
        f"Content-Transfer-Encoding: base64\n\n{encoded}\n--{boundary}--\n"
    ).encode()


ORIGINAL = multipart()
RENDERINGS = {
    "boundary": multipart(boundary="----=_Part_9(')"),
    "folding": ORIGINAL.replace(b"mixed; boundary", b"mixed;\n\tboundary"),
    "folded subject": ORIGINAL.replace("Grüße aus".encode(), "Grüße\n  aus".encode()),
    "encoded-word": multipart(subject="=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus_Kiel?="),
    "encoded-words": multipart(subject="=?utf-8?B?R3LDvMOf?=\n =?iso-8859-1?Q?e_aus_?= =?utf-8?Q?Kiel?="),
    "split inside a character": multipart(subject="=?utf-8?Q?Gr=C3?= =?utf-8?Q?=BC=C3=9Fe?= aus Kiel"),
    "order of fields": ORIGINAL.replace(b"From: otto@example.org\n", b"").replace(
        b"MIME-V", b"From: otto@example.org\nMIME-V"
    ),
    "case of names": ORIGINAL.replace(b"Subject:", b"SUBJECT:"),
    "base64 lines": re.sub(rb"([A-Za-z0-9+/]{76})\n", rb"\1", ORIGINAL),
    "quoting": ORIGINAL.replace(b"name=plan.pdf", b'name="plan.pdf"').replace(
        b"charset=utf-8", b'charset="UTF-8"'
    ),
    "rfc 2231": ORIGINAL.replace(b"name=plan.pdf", b"name*0*=utf-8''pl%61n;\n name*1=.pdf"),
    "spaces at line ends": ORIGINAL.replace(b"Tag,\n", b"Tag, \t\n"),
    "blank lines at the end": ORIGINAL.replace(b"morgen.\n", b"morgen.\n\n\n"),
    "blank preamble": ORIGINAL.replace(b'"b1"\n\n', b'"b1"\n\n\n\n'),
    "transfer encoding": ORIGINAL.replace(
        b"charset=utf-8\n\n", b"charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
    ).replace(b"bis morgen", b"bis =\nm=6Frgen"),
    "line ends": ORIGINAL.replace(b"\n", b"\r\n"),
    "a category": b"Keywords: =?utf-8?Q?Gr=C3=BCn?=\n" + ORIGINAL,
    "importance": b"importance: high\nX-Priority: 1\nPriority: urgent\nX-MSMail-Priority: High\n" + ORIGINAL,
    "a follow-up": b"X-Message-Flag: Anrufen\nReply-By: Fri, 04 Dec 2026 16:00:00 +0000\n" + ORIGINAL,
    "a receipt": b"Disposition-Notification-To: a@example.org\nReturn-Receipt-To: a@example.org\n" + ORIGINAL,
    "junk": b"X-MS-Exchange-Organization-SCL: 9\n" + ORIGINAL,
}
OTHERS = {
    "subject": multipart(subject="Grüße aus Plön"),
    "subject's case": multipart(subject="grüße aus Kiel"),
    "text": multipart(text="Guten Tag,\n\nbis gestern.\n"),
    "indentation": multipart(text="Guten Tag,\n\n bis morgen.\n"),
    "blank line inside": multipart(text="Guten Tag,\n\n\nbis morgen.\n"),
    "attachment": multipart(attachment=bytes(range(256)) * 2 + bytes(256)),
    "attachment's last byte": multipart(attachment=(bytes(range(256)) * 3)[:-1]),
    "attachment's name": multipart(name="plan2.pdf"),
    "recipient": multipart(to="berta@example.org"),
    "recipient's name": multipart(to="Anna <anna@example.org>"),
    "date": multipart(date="Tue, 04 May 2021 03:02:02 +0000"),
    "charset": multipart(charset="iso-8859-1"),
    "a further field": b"Cc: carl@example.org\n" + ORIGINAL,
    "sensitivity": b"Sensitivity: Private\n" + ORIGINAL,
    "keywords of a part": ORIGINAL.replace(b"charset=utf-8\n", b"charset=utf-8\nKeywords: rot\n", 1),
    "another's field": b"X-Keywords: rot\n" + ORIGINAL,
    "a field less": ORIGINAL.replace(b"MIME-Version: 1.0\n", b""),
    "a part less": ORIGINAL[: ORIGINAL.index(b"--b1\nContent-Type: application")] + b"--b1--\n",
    "a part more": ORIGINAL.replace(b"--b1--", b"--b1\n\nmore\n--b1--"),
    "text before the parts": ORIGINAL.replace(b'"b1"\n\n', b'"b1"\n\nsee here\n'),
    "text after the parts": ORIGINAL + b"PS: tomorrow\n",
    "strange parameter": ORIGINAL.replace(b"name=plan.pdf", b'name="plan.pdf"x'),
}


@pytest.mark.parametrize("name", RENDERINGS)
def test_renderings_of_one_message_are_equal(name: str) -> None:
    if name != "line ends":
        assert hard(RENDERINGS[name]) != hard(ORIGINAL)
    assert soft(RENDERINGS[name]) == soft(ORIGINAL)


@pytest.mark.parametrize("name", OTHERS)
def test_other_messages_are_not(name: str) -> None:
    assert OTHERS[name] != ORIGINAL
    assert soft(OTHERS[name]) != soft(ORIGINAL)


def test_all_others_differ_among_each_other() -> None:
    digests = [soft(raw) for raw in OTHERS.values()]
    assert len(set(digests)) == len(digests)


SIGNED = (
    b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary="s"\r\n\r\n'
    b"--s\r\nContent-Type: text/plain\r\n\r\nsigned text\r\n--s\r\n"
    b"Content-Type: application/pkcs7-signature\r\n\r\nAAAA\r\n--s--\r\n"
)


def test_a_signed_part_counts_to_the_byte() -> None:
    assert soft(SIGNED) == soft(SIGNED.replace(b'"s"', b'"t"').replace(b"--s", b"--t"))
    assert soft(SIGNED) != soft(SIGNED.replace(b"signed text", b"signed text "))
    assert soft(SIGNED) != soft(SIGNED.replace(b"Content-Type: text", b"Content-type: text"))


def test_attached_messages_are_walked() -> None:
    def outer(inner: bytes) -> bytes:
        return (
            b"A: b\nContent-Type: multipart/mixed; boundary=o\n\n"
            b"--o\nContent-Type: message/rfc822\n\n%s\n--o--\n" % inner
        )

    assert (
        soft(outer(ORIGINAL))
        == soft(outer(RENDERINGS["boundary"]))
        == soft(outer(RENDERINGS["encoded-words"]))
    )
    for other in OTHERS.values():
        assert soft(outer(other)) != soft(outer(ORIGINAL))


@pytest.mark.parametrize("text", ["x\u2020", "x"])
def test_wide_characters_keep_bytes_that_look_like_space(text: str) -> None:
    body = base64.b64encode(text.encode("utf-16-le"))
    raw = b"Content-Type: text/plain; charset=utf-16le\nContent-Transfer-Encoding: base64\n\n" + body
    other = base64.b64encode(("y" + text[1:]).encode("utf-16-le"))
    assert soft(raw) != soft(raw.replace(body, other))
    assert soft(raw) != soft(raw.replace(body, base64.b64encode(b"x\0")) + b"\n") or text == "x"


BROKEN = {
    "no colon": b"Subject: x\nnonsense\n\nbody\n",
    "no parts": b"Content-Type: multipart/mixed; boundary=b\n\njust text\n",
    "empty multipart": b"Content-Type: multipart/mixed; boundary=b\n\n--b--\n",
    "continuation first": b" x\nA: b\n\n",
    "endless header": b"A: " + b"x" * (1 << 21),
    "endless quoted-printable line": b"Content-Transfer-Encoding: quoted-printable\n\n" + b"x" * (3 << 20),
    "long boundary": b"Content-Type: multipart/mixed; boundary=" + b"b" * 300 + b"\n\nx\n",
    "white space without end": b"A: b\n\n" + b" " * (3 << 20),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_understood_counts_to_the_byte(name: str) -> None:
    assert soft(BROKEN[name]) == hard(BROKEN[name])


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"\n\n", b"A: b", b"A: b\n", b"A: b\n\n", b"--", b"\r", b"A: b\n\nx"]
)
def test_short_messages(raw: bytes) -> None:
    assert len(soft(raw)) == 32


def test_a_message_cut_off_is_not_the_whole() -> None:
    for length in range(len(ORIGINAL) - 2):
        assert soft(ORIGINAL[:length]) != soft(ORIGINAL)


def test_deep_nesting_ends() -> None:
    raw = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (depth, depth) for depth in range(2000)
    )
    assert soft(raw) == hard(raw)
    nested = b"Content-Type: message/rfc822\n\n" * 5000
    assert soft(nested) == hard(nested)


TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=("Cs", "Cc")), max_size=30
)


@given(st.lists(TEXT, max_size=6), st.lists(TEXT, max_size=6), TEXT, TEXT)
def test_generated_messages_are_equal_only_when_their_text_is(
    one: list[str], two: list[str], first: str, second: str
) -> None:
    def built(lines: list[str], subject: str, encoding: str, boundary: str) -> bytes:
        message = EmailMessage()
        message["Subject"] = subject
        message.set_content("\n".join(lines) + "\n", cte=encoding)
        message.add_attachment(subject.encode(), "application", "octet-stream")
        message.set_boundary(boundary)
        return message.as_bytes()

    def seen(lines: list[str], subject: str) -> tuple[str, str]:
        text = re.sub(r"[ \t]+\n", "\n", "\n".join(lines) + "\n").rstrip(" \t\n")
        return text, subject

    left, right = built(one, first, "base64", "x1"), built(two, second, "quoted-printable", "y1")
    if seen(one, first) == seen(two, second):
        assert soft(left) == soft(right)
    else:
        assert soft(left) != soft(right)
    assert soft(left) == soft(built(one, first, "quoted-printable", "z1"))


def test_a_large_message_is_not_held_whole() -> None:
    size = 40 << 20

    class Large(io.RawIOBase):
        def __init__(self) -> None:
            self._parts = self._made()

        def _made(self) -> Iterator[bytes]:
            yield b"A: b\nContent-Type: multipart/mixed; boundary=b\n\n"
            yield b"--b\nContent-Transfer-Encoding: base64\n\n"
            for _ in range(size >> 16):
                yield (b"QUJD" * 19 + b"\n") * ((1 << 16) // 77)
            yield b"\n--b--\n"

        def read(self, size: int = -1) -> bytes:
            return next(self._parts, b"")

    def peak(stream: BinaryIO) -> int:
        tracemalloc.start()
        tolerant(stream)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(Large()) < 4 << 20  # type: ignore[arg-type]


def test_quoted_printable_and_base64_of_one_text_are_equal() -> None:
    text = "Übergröße = 100 %\r\nzweite Zeile\r\n".encode()
    head = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    assert soft(head + b"base64\r\n\r\n" + base64.encodebytes(text)) == soft(
        head + b"quoted-printable\r\n\r\n" + quopri.encodestring(text)
    )


def test_a_run_of_crs_is_handed_on_in_pieces_and_counted() -> None:
    raw = b"a" + b"\r" * 5_000_000 + b"x"
    reader = CanonicalReader(io.BytesIO(raw))
    chunks = list(reader)
    assert max(map(len, chunks)) < 2_000_000
    assert b"".join(chunks) == raw
    assert (reader.bare_cr, reader.lost_cr) == (5_000_000, 0)


def test_a_section_of_a_parameter_may_have_any_number() -> None:
    head = b"Content-Type: text/plain; a*%s=x\r\n\r\nbody"
    assert len({soft(head % number) for number in (b"1" * 6000, b"2" * 6000, b"0")}) == 3


def test_the_date_of_a_draft_alone_does_not_count() -> None:
    """Only its own: a mail that is attached to it was sent."""
    later = multipart(date="Tue, 04 May 2021 03:02:02 +0000")
    assert soft(later) != soft(ORIGINAL)
    outer = b"Subject: fwd\nDate: %s\nContent-Type: message/rfc822\n\n"
    first, second = outer % b"Tue, 04 May 2021 03:02:01 +0000", outer % b"Tue, 04 May 2021 03:02:09 +0000"

    def draft(raw: bytes) -> bytes:
        return tolerant(io.BytesIO(raw), unsent=True)

    assert draft(later) == draft(ORIGINAL)
    assert draft(first + ORIGINAL) == draft(second + ORIGINAL)
    assert draft(first + later) != draft(first + ORIGINAL)
    assert draft(multipart(subject="Anders")) != draft(ORIGINAL)
