"""Filler text and header writing. Filler is sliced from one prebuilt text: a slice costs nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from practice.harness.dice import Dice
from practice.mail.letters import Correspondent
from practice.world.cases import tables


@dataclass(frozen=True, slots=True)
class _Texts:
    """Hold the texts of one language."""

    sentences: tuple[str, ...]
    subjects: tuple[str, ...]


_TEXTS = tables("texts", _Texts)
FILLER_BYTES = 64 * 1024


def _filler(locale: str) -> bytes:
    dice = Dice("filler", locale)
    lines: list[bytes] = []
    length = 0
    while length < FILLER_BYTES:
        lines.append(dice.pick(_TEXTS[locale].sentences).encode() + b"\r\n")
        length += len(lines[-1])
    return b"".join(lines)


FILLER = {locale: _filler(locale) for locale in _TEXTS}


def text_bytes(locale: str, dice: Dice, size: int) -> bytes:
    """About size bytes of UTF-8 text in whole CRLF lines."""
    filler = FILLER[locale]
    start = filler.index(b"\n", dice.below(len(filler) // 2)) + 1
    data = filler[start : start + size]
    while len(data) < size:
        data += filler[: size - len(data)]
    return data[: data.rfind(b"\n") + 1] or filler[: filler.index(b"\n") + 1]


def text(locale: str, dice: Dice, size: int) -> str:
    """Return a text of about so many bytes in a language."""
    return text_bytes(locale, dice, size).decode()


def subject(locale: str, dice: Dice) -> str:
    """Return a subject in a language."""
    prefix = dice.pick(("", "", "AW: " if locale == "de" else "RE: "))
    return f"{prefix}{dice.pick(_TEXTS[locale].subjects)} {dice.between(1, 9999)}"


def encoded(value: str) -> str:
    """Return a header value, as RFC 2047 words of at most 75 characters if it is not plain ASCII."""
    if value.isascii() and "=?" not in value:
        return value
    words: list[str] = []
    piece = b""
    for char in value:
        data = char.encode()
        if len(piece) + len(data) > 45:
            words.append(_word(piece))
            piece = b""
        piece += data
    return " ".join([*words, _word(piece)])


def address(who: Correspondent) -> str:
    """Return an address for a header."""
    name = who.name
    if name.isascii():
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{encoded(name)} <{who.address}>"


def addresses(people: Iterable[Correspondent]) -> str:
    """Return addresses for a header."""
    return ", ".join(address(who) for who in people)


def date(when: datetime) -> str:
    """RFC 5322 date; one that the format cannot hold raises ValueError."""
    return format_datetime(when.astimezone(UTC))


def header(name: str, value: str, variant: int = 0) -> bytes:
    """Return one header line, folded at blanks; each variant folds at another width."""
    return folded(f"{name}: {value}", variant).encode() + b"\r\n"


def folded(line: str, variant: int = 0) -> str:
    """Return a header line without its end, folded at blanks if it is longer than the variant's width."""
    width = 76 - 9 * variant
    return line if len(line) <= width else _folded(line, max(width, 30))


def base64_lines(data: bytes) -> bytes:
    """RFC 2045 base64 with CRLF line ends, 76 characters a line."""
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def boundary(dice: Dice, variant: int) -> str:
    """Return a boundary of a multipart."""
    return f"_{variant:03d}_{dice.hex(32).upper()}_"


def _word(data: bytes) -> str:
    return f"=?utf-8?B?{base64.b64encode(data).decode()}?="


def _folded(line: str, width: int) -> str:
    lines: list[str] = []
    current = ""
    for word in line.split(" "):
        if current and not current.endswith(":") and len(current) + 1 + len(word) > width:
            lines.append(current)
            current = " " + word
        else:
            current = f"{current} {word}" if current else word
    return "\r\n".join([*lines, current])
