"""Mails that break a rule: headers, words, parameters and charsets, and what comes of them by chance."""

from __future__ import annotations

import random
from collections.abc import Iterator

SEED, MUTANTS, AT_ONCE = 20261202, 1500, 25
TEXT = b"\r\n\r\nhttp://a.sharepoint.com/x\r\n"
FIELDS = (
    b"Subject: =?utf-8?b?a?=",
    b"Subject: =?utf\xff-8?q?a?= =?utf-8?q?=e4?=",
    b"Subject: =?utf-8*en?q?a?= =?punycode?q?a-b?= =?idna?q?xn--?= =?hex?q?61?= =?undefined?q?a?=",
    b"From: =?utf-7?q?+2D0-?= <a@b.example>\r\nMessage-ID: =?utf-8?b?a?=\r\n"
    b"Date: Mon, 99 Foo 9 99:99 +99999999",
    b'From: "\r\nTo: a@[\r\nDate: -\r\nMessage-ID: <',
    b"Content-Type: text/plain; charset*0*=utf-8''a; charset*=b",
    b'Content-Type: text/plain; charset="utf\0-8"',
    b"Content-Type: text/html; charset=\xff\xfe; charset*1=x; charset*0=y",
    b"Content-Type: text/plain; name*0*=''a; name*=b\r\n"
    b"Content-Disposition: attachment; filename*0*=a; filename*=b",
    b"Content-Type: multipart/mixed; boundary*0*=utf-8''a; boundary*=b\r\n\r\n--ab\r\n\r\nx\r\n--ab--",
    b'Content-Type: multipart/mixed; boundary="=?utf-7?q?+2D0-?="\r\n\r\n--=?utf-7?q?+2D0-?=\r\n\r\nx',
    b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n\r\nx",
    b"Content-Type: ;\r\nContent-Transfer-Encoding: =?utf-8?b?a?=",
    b"Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 666 a\r\n!!!",
    b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ=a==\xff",
    b"Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?b?a?=",
)
CHARSETS = (
    "punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "hex", "zlib", "bz2", "utf-7",
    "iso-2022-jp", "hz", "utf-16", "gb18030", "x-unknown", "*", "utf-8\0",
)  # fmt: skip
_PIECES = (
    b"*", b"0", b"=", b";", b"'", b'"', b"=?", b"?=", b"?b?", b"?q?", b"utf-7", b"+2D0-", b"\0", b"\xff",
    b"\r\n", b"\r\n ", b"charset", b"boundary", b"\xed\xa0\xbd", b"punycode", b"base64", b"%00", b"%ff",
    b"\\", b"<", b"(", b"\r", b"multipart/mixed", b"text/html", b"--", b"\xe2\x80\xa8", b"9" * 30,
)  # fmt: skip


def mails(length: int) -> Iterator[tuple[str, bytes]]:
    """What is broken on purpose; of charsets, as many bytes."""
    for field in FIELDS:
        yield f"broken {field[:40]!r}", field + TEXT
    for charset in CHARSETS:
        for unit in (b"\xe4-a", b"a-", b"+2D0-"):
            head = b"Content-Type: text/plain; charset=" + charset.encode() + TEXT
            yield f"charset {charset!r} of {unit!r}", head + unit * (length // len(unit))


def mutants() -> Iterator[list[bytes]]:
    """The same ones at each run, some at once."""
    chance = random.Random(SEED)
    for _ in range(MUTANTS // AT_ONCE):
        yield [_mutant(chance) for _ in range(AT_ONCE)]


def _mutant(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(FIELDS) + b"\r\n" * chance.randrange(2) + chance.choice(FIELDS) + TEXT)
    for _ in range(chance.randint(1, 6)):
        place, piece = chance.randrange(len(data) + 1), chance.choice(_PIECES)
        data[place : place + (len(piece) if chance.random() < 0.5 else 0)] = piece
    return bytes(data)
