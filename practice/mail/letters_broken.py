"""Letters as they lie in old archives: broken headers, odd bytes, impossible dates. A re-read gives the
same bytes: nobody can rebuild what does not parse.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from practice.mail.letters import Letter, Recipe, Scene
from practice.mail.letters_plain import Headers, head, outline, plain, written
from practice.mail.letters_text import text_bytes

_PLAIN = b'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n'


def raw(scene: Scene, *, headers: bytes = b"", body: bytes | None = None, blank: bytes = b"\r\n") -> Letter:
    """An ordinary letter but for further header bytes, its body, or the line that ends the headers."""
    letter, _ = outline(scene)
    words = _words(scene) if body is None else body
    return replace(
        letter,
        write=lambda _: (head(letter, 0), _PLAIN, headers, blank, words),
        words=lambda: words.decode(errors="replace").replace("\0", ""),
    )


def eight_bit_header(scene: Scene) -> Letter:
    """ISO-8859-1 bytes in headers, unencoded."""
    latin = "X-Abteilung: Straßenbau, Büro für Größe\r\n".encode("iso-8859-1")
    letter = raw(scene)
    name = letter.sender.name.encode("iso-8859-1", "replace")
    headers = b"From: " + name + b" <" + letter.sender.address.encode() + b">\r\n" + latin
    subject = "Subject: Rückfrage Nr. 5\r\n".encode("iso-8859-1")
    rest = b"Message-ID: %s\r\nMIME-Version: 1.0\r\n" % str(letter.message_id).encode()
    body = _words(scene)
    letter = replace(letter, subject="Rückfrage Nr. 5")
    return replace(letter, write=lambda _: (headers, subject, rest, _PLAIN, b"\r\n", body))


def no_colon(scene: Scene) -> Letter:
    """A header line that is none."""
    return raw(scene, headers=b"X-Before: 1\r\nthis line has no colon at all\r\nX-After: 2\r\n")


def long_header(scene: Scene) -> Letter:
    """A header line of more than 998 bytes (RFC 5322, 2.1.1)."""
    return raw(scene, headers=b"X-Trace: " + b"0123456789abcdef" * 90 + b"\r\n")


def no_end_of_headers(scene: Scene) -> Letter:
    """The file ends within the headers: no empty line, no body."""
    return raw(scene, body=b"", blank=b"")


def mbox_line(scene: Scene) -> Letter:
    """The first line is an mbox separator; the body has one as well."""
    letter = raw(scene)
    words = b"From here on it is quoted.\r\n>From there too.\r\n.\r\n..\r\n"
    first = b"From MAILER-DAEMON Mon Jan  7 06:00:00 2019\r\n"
    return replace(letter, write=lambda _: (first, head(letter, 0), _PLAIN, b"\r\n", words))


def no_message_id(scene: Scene) -> Letter:
    """A plain mail without Message-ID."""
    letter = replace(outline(scene)[0], message_id=None)
    headers: Headers = (
        ("Content-Type", 'text/plain; charset="utf-8"'),
        ("Content-Transfer-Encoding", "8bit"),
    )
    body = _words(scene)
    return replace(written(letter, lambda _: (headers, body)), words=body.decode)


def nul_bytes(scene: Scene) -> Letter:
    """NUL in the body, which IMAP cannot carry."""
    return raw(scene, body=b"before\0after\r\n" + _words(scene) + b"\0\0\r\n")


def bare_lf(scene: Scene) -> Letter:
    """Lines end with LF alone, headers included."""
    letter = raw(scene)
    body = _words(scene)
    whole = (head(letter, 0) + _PLAIN + b"\r\n" + body).replace(b"\r\n", b"\n")
    return replace(letter, write=lambda _: (whole,))


def bare_cr(scene: Scene) -> Letter:
    """CR alone within lines."""
    return raw(scene, body=b"progress 10%\rprogress 20%\rdone\r\n" + _words(scene))


def mixed_ends(scene: Scene) -> Letter:
    """CRLF, LF and CRCRLF in one body, and no line end at its end."""
    return raw(scene, body=b"one\r\ntwo\nthree\r\r\nfour")


def long_line(scene: Scene) -> Letter:
    """One body line of 20,000 bytes."""
    return raw(scene, body=b"x" * 20_000 + b"\r\n")


def empty_body(scene: Scene) -> Letter:
    """Headers and nothing else."""
    return raw(scene, body=b"")


def empty_subject(scene: Scene) -> Letter:
    """No subject, no recipients."""
    return replace(_rewritten(replace(outline(scene)[0], subject="", to=()), scene), size=1200)


def wrong_charset(scene: Scene) -> Letter:
    """Declares US-ASCII, holds Windows-1252 and an unknown encoding name."""
    letter = outline(scene)[0]
    body = "Gebühr: 5 €, „sofort“ zu zahlen\r\n".encode("windows-1252")
    headers: Headers = (
        ("Content-Type", "text/plain; charset=us-ascii"),
        ("Content-Transfer-Encoding", "x-unknown"),
    )
    return written(letter, lambda _: (headers, body))


def unclosed_multipart(scene: Scene) -> Letter:
    """multipart/mixed whose last boundary is missing and whose inner base64 has an impossible length."""
    letter = outline(scene)[0]
    headers: Headers = (("Content-Type", 'multipart/mixed; boundary="b"'),)
    inner = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQKJ\r\n"
    body = b"--b\r\nContent-Type: text/plain\r\n\r\nsee below\r\n--b\r\n" + inner
    return written(letter, lambda _: (headers, body))


def dated(when: datetime | None) -> Recipe:
    """A recipe of plain mails received and sent at this moment, or at none known."""

    def recipe(scene: Scene) -> Letter:
        letter = replace(outline(scene)[0], sent=when, received=when)
        return _rewritten(letter, scene)

    return recipe


year_1970 = dated(datetime(1970, 1, 1, tzinfo=UTC))
before_1970 = dated(datetime(1965, 4, 3, 12, 30, tzinfo=UTC))
year_1601 = dated(datetime(1601, 1, 1, tzinfo=UTC))
future = dated(datetime(2087, 11, 30, 23, 59, 59, tzinfo=UTC))
no_date = dated(None)


def _rewritten(letter: Letter, scene: Scene) -> Letter:
    headers: Headers = (
        ("Content-Type", 'text/plain; charset="utf-8"'),
        ("Content-Transfer-Encoding", "8bit"),
    )
    body = _words(scene)
    return replace(written(letter, lambda _: (headers, body)), words=body.decode)


def _words(scene: Scene) -> bytes:
    return text_bytes(scene.owner.locale, scene.dice("body"), scene.size)


RECIPES: dict[str, Recipe] = {
    recipe.__name__: recipe
    for recipe in (
        eight_bit_header, no_colon, long_header, no_end_of_headers, mbox_line, no_message_id, nul_bytes,
        bare_lf, bare_cr, mixed_ends, long_line, empty_body, empty_subject, wrong_charset, unclosed_multipart,
    )
} | {
    "year_1970": year_1970, "before_1970": before_1970, "year_1601": year_1601, "future": future,
    "no_date": no_date, "duplicate": plain,
}  # fmt: skip
