"""Read header fields in a form that is equal for two renderings of one message: see mappings.mail.digest."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_WORD = re.compile(rb"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(rb"(\?=)[ \t]+(?==\?[^?\s]+\?[bBqQ]\?[^?]*\?=)")
_SPACE = re.compile(r"[ \t\r\n]+")
_PARAMETER = re.compile(r';\s*([^=;\s]+)\s*=\s*("(?:\\.|[^"\\])*"|[^;]*)')
_SECTION = re.compile(r"([^*]+)\*(?:(\d{1,9})(\*)?)?", re.ASCII)

PARAMETER_FIELDS = frozenset({"content-type", "content-disposition"})
RENDERED_FIELDS = frozenset(
    {
        *("keywords", "importance", "priority", "x-priority", "x-msmail-priority"),
        *("x-message-flag", "reply-by"),
        *("disposition-notification-to", "return-receipt-to", "x-confirm-reading-to"),
        *("x-ms-has-attach", "x-ms-tnef-correlator"),
    }
)
RENDERED_PREFIX = "x-ms-exchange-organization-"
"""Fields of a message that a server renders from what its owner, or the server, may change later.

Categories, importance, follow-up and an answered request for a receipt are carried as flags and keywords. The
others say how the server handled the message.

Source:
    MS-OXCMAIL sections 2.2.3 (PidNameKeywords, PidTagImportance, PidLidFlagRequest, PidTagReplyTime,
    PidTagReadReceiptRequested, PidTagContentFilterSpamConfidenceLevel).
"""
ENCODINGS = frozenset({"7bit", "8bit", "binary", "base64", "quoted-printable"})


@dataclass(frozen=True, slots=True)
class Field:
    """Hold a field.

    Attributes:
        name: in lower case.
        raw: the value unfolded, without its line end.
    """

    name: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class MailHeader:
    """Hold what the body's parser must know, and the fields as they count."""

    kind: str
    parameters: Mapping[str, str]
    encoding: str
    fields: tuple[tuple[str, str], ...]


def is_rendered(name: str) -> bool:
    """Return True if a server renders this field of a message anew from what may change; see RENDERED_FIELDS.

    Args:
        name: in lower case.
    """
    return name in RENDERED_FIELDS or name.startswith(RENDERED_PREFIX)


def read_head(
    fields: Iterable[Field], default: str, uncounted: Callable[[str], bool] = lambda _name: False
) -> MailHeader:
    """Return the header of a part.

    Args:
        fields: in their order.
        default: the content type without a Content-Type field (RFC 2046 section 5.1.5).
        uncounted: returns True for the names of fields that do not count.
    """
    every = list(fields)
    first = {field.name: field.raw for field in reversed(every)}
    has_type = "content-type" in first
    kind, parameters = parameterised(_decoded(first["content-type"])) if has_type else (default, {})
    encoding = _decoded(first.get("content-transfer-encoding", b"7bit")).strip().lower()
    # Of a known encoding the decoded content counts, however it travels.
    ignored = {"content-transfer-encoding"} if encoding in ENCODINGS else set()
    counted = sorted((f.name, _counted(f)) for f in every if f.name not in ignored and not uncounted(f.name))
    return MailHeader(kind, parameters, encoding, tuple(counted))


def parameterised(value: str) -> tuple[str, dict[str, str]]:
    """Split a value like `text/plain; charset="x"`.

    Returns:
        The value in lower case, and its parameters put together from their RFC 2231 sections.
    """
    main, _, _ = value.partition(";")
    sections: dict[str, list[tuple[int, bool, str]]] = {}
    for name, text in _PARAMETER.findall(value):
        base, number, extended = _section(name.lower())
        sections.setdefault(base, []).append((number, extended, _unquoted(text.strip())))
    return main.strip().lower(), {name: _put_together(parts) for name, parts in sections.items()}


def _counted(field: Field) -> str:
    text = _decoded(field.raw)
    if field.name not in PARAMETER_FIELDS:
        return text
    main, parameters = parameterised(text)
    kept = sorted((name, value) for name, value in parameters.items() if name != "boundary")
    counted = [(name, value.lower() if name == "charset" else value) for name, value in kept]
    strange = _PARAMETER.sub("", text[len(text.partition(";")[0]) :]).strip("; ")
    return repr((main, counted, strange))


def _decoded(raw: bytes) -> str:
    """Return the text that people see: encoded-words decoded, runs of white space as one space.

    Adjacent words of one charset are joined before decoding, because some senders split inside a character.
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


def _word(word: re.Match[bytes]) -> tuple[str, bytes]:
    """Return (charset, bytes); the word itself, as plain text, if it cannot be decoded."""
    charset = word[1].decode("ascii", "replace").lower()
    try:
        b"".decode(charset)
        if word[2] in b"bB":
            return charset, binascii.a2b_base64(word[3] + b"=" * (-len(word[3]) % 4))
        return charset, binascii.a2b_qp(word[3], header=True)
    except (LookupError, ValueError):
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
        return data.decode(charset or "utf-8", "surrogateescape")
    except (LookupError, ValueError):
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
