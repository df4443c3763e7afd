"""Make the everyday letter, and write headers for the other recipes."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from dataclasses import replace

from practice.harness.dice import Dice
from practice.mail.letters import Chunks, Letter, Scene, correspondent, message_id, moment, parties
from practice.mail.letters_text import address, addresses, date, encoded, header, subject, text, text_bytes

HEADER_BYTES = 700

Headers = tuple[tuple[str, str], ...]
TEXT: Headers = (("Content-Type", 'text/plain; charset="utf-8"'), ("Content-Transfer-Encoding", "8bit"))
Content = Callable[[int], tuple[Headers, bytes]]


def outline(scene: Scene) -> tuple[Letter, Dice]:
    """Return a letter with ordinary properties, and its dice.

    It cannot be written yet: recipes replace what differs.
    """
    dice = scene.dice()
    sender, to = parties(scene, dice)
    sent = moment(dice)
    letter = Letter(
        subject=subject(scene.owner.locale, dice),
        sender=sender,
        to=to,
        sent=sent,
        received=sent,
        write=lambda _: (),
        size=scene.size + HEADER_BYTES,
        message_id=message_id(dice),
    )
    return letter, dice


def head(letter: Letter, variant: int, *more: tuple[str, str]) -> bytes:
    """Return the header block without the empty line after it.

    Args:
        letter: has the properties.
        variant: decides the folding.
        more: further (name, value) pairs.
    """
    hop = "from mx.practice.example by ex01.practice.example"
    lines = [
        header("Received", f"{hop}; {date(letter.received)}", variant) if letter.received else b"",
        header("From", address(letter.sender), variant),
        header("To", addresses(letter.to), variant) if letter.to else b"",
        header("Cc", addresses(letter.cc), variant) if letter.cc else b"",
        header("Subject", encoded(letter.subject), variant),
        header("Date", date(letter.sent), variant) if letter.sent else b"",
        header("Message-ID", letter.message_id) if letter.message_id else b"",
        b"MIME-Version: 1.0\r\n",
    ]
    lines.extend(header(name, value, variant) for name, value in more)
    return b"".join(lines)


def written(letter: Letter, content: Content, *more: tuple[str, str]) -> Letter:
    """Return the letter with a way to write it: headers that describe the content, then the content."""

    def write(variant: int) -> Chunks:
        described, body = content(variant)
        return head(letter, variant, *more, *described), b"\r\n", body

    return replace(letter, write=write)


def plain(scene: Scene) -> Letter:
    """Return text/plain, UTF-8, quoted-printable or 8bit: what most mail is."""
    letter, dice = outline(scene)
    eight_bit = dice.chance(0.5)
    # Quoted-printable makes this text about an eighth longer.
    size = scene.size if eight_bit else scene.size * 8 // 9

    def body() -> bytes:
        return text_bytes(scene.owner.locale, scene.dice(f"body{scene.revision}"), size)

    def content(_: int) -> tuple[Headers, bytes]:
        encoding = "8bit" if eight_bit else "quoted-printable"
        headers = (
            ("Content-Type", 'text/plain; charset="utf-8"'),
            ("Content-Transfer-Encoding", encoding),
        )
        return headers, body() if eight_bit else binascii.b2a_qp(body())

    return replace(written(letter, content), words=lambda: body().decode())


def draft(scene: Scene) -> Letter:
    """Return a mail that is not sent yet: no recipients, no Message-ID, no Received line."""
    letter, dice = outline(scene)
    words = text(scene.owner.locale, scene.dice(f"body{scene.revision}"), scene.size)
    letter = replace(letter, sender=correspondent(scene.owner), message_id=None, received=None)
    letter = replace(letter, to=() if dice.chance(0.5) else letter.to)
    return replace(written(letter, lambda _: (TEXT, words.encode())), words=lambda: words)
