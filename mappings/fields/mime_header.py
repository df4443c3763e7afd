"""Read the text and the parameters of a header field that a stranger wrote. Nothing in it raises."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from mappings.fields.charsets import codec_of

PARAMETER = re.compile(r';\s*([^=;\s]+)\s*=\s*("(?:\\.|[^"\\])*"|[^;]*)')
_WORD = re.compile(rb"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(rb"(\?=)[ \t]+(?==\?[^?\s]+\?[bBqQ]\?[^?]*\?=)")
_SPACE = re.compile(r"[ \t\r\n]+")
_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of surrogate pairs, as UTF-7 may name them, beside those that stand for bytes (surrogateescape)."""
_SECTION = re.compile(r"([^*]+)\*(?:(\d{1,9})(\*)?)?", re.ASCII)


def decoded(raw: bytes) -> str:
    """Return the text that people see: encoded-words decoded, runs of white space as one space.

    Adjacent words of one charset are joined before decoding, because some senders split inside a character. A
    word that cannot be decoded stays as it is written; bytes that are no text are kept (surrogateescape).
    """
    joined = _BETWEEN_WORDS.sub(rb"\1", raw)
    parts: list[tuple[str, bytes]] = []
    end = 0
    for word in _WORD.finditer(joined):
        parts.append(("", joined[end : word.start()]))
        parts.append(_word(word))
        end = word.end()
    parts.append(("", joined[end:]))
    return _SPACE.sub(" ", "".join(_texts(part for part in parts if part[1]))).strip()


def parameterised(value: str) -> tuple[str, dict[str, str]]:
    """Split a value like `text/plain; charset="x"`.

    Returns:
        The value in lower case, and its parameters put together from their RFC 2231 sections.
    """
    main, _, _ = value.partition(";")
    sections: dict[str, list[tuple[int, bool, str]]] = {}
    for name, text in PARAMETER.findall(value):
        base, number, extended = _section(name.lower())
        sections.setdefault(base, []).append((number, extended, _unquoted(text.strip())))
    return main.strip().lower(), {name: _put_together(parts) for name, parts in sections.items()}


def _word(word: re.Match[bytes]) -> tuple[str, bytes]:
    """Return (charset, bytes); the word itself, as plain text, if it cannot be decoded."""
    charset = word[1].decode("ascii", "replace").lower()
    try:
        if codec_of(charset) is None:
            return "", word[0]
        if word[2] in b"bB":
            return charset, binascii.a2b_base64(word[3] + b"=" * (-len(word[3]) % 4))
        return charset, binascii.a2b_qp(word[3], header=True)
    except ValueError:
        return "", word[0]


def _texts(parts: Iterable[tuple[str, bytes]]) -> Iterable[str]:
    charset, pending = "", list[bytes]()
    for name, data in parts:
        if name != charset:
            yield _text(charset, b"".join(pending))
            charset, pending = name, []
        pending.append(data)
    yield _text(charset, b"".join(pending))


def _text(charset: str, data: bytes) -> str:
    try:
        return _HALVES.sub("\ufffd", data.decode(codec_of(charset) or "utf-8", "surrogateescape"))
    except ValueError:
        return data.decode("utf-8", "surrogateescape")


def _section(name: str) -> tuple[str, int, bool]:
    """Split the name of an RFC 2231 section: name, name*, name*0, name*0*."""
    section = _SECTION.fullmatch(name)
    if not section:
        return name, 0, False
    return section[1], int(section[2] or 0), name.endswith("*")


def _put_together(parts: list[tuple[int, bool, str]]) -> str:
    ordered = sorted(parts, key=lambda part: part[0])
    if not any(extended for _, extended, _ in ordered):
        return "".join(text for _, _, text in ordered)
    charset, data = "", list[bytes]()
    for position, (_, extended, text) in enumerate(ordered):
        if extended and position == 0 and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        raw = text.encode("utf-8", "surrogateescape")
        data.append(unquote_to_bytes(raw) if extended else raw)
    return _text(charset.lower(), b"".join(data))


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text.startswith('"') and text.endswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text
