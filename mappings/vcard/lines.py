"""Write vCard 3.0 (RFC 2426) and 4.0 (RFC 6350): content lines, escaped and folded.

Values are text as people typed it; what a VCardLine holds is encoded. Characters that no vCard may hold
(controls except tab and line feed) are left out: ews_xml.altered tells beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mappings.fields.ews_xml import printable

FOLD_AT = 75
"""Octets in a physical line, its CRLF not counted (RFC 6350 section 3.2)."""

_ESCAPES = str.maketrans({"\\": "\\\\", ",": "\\,", ";": "\\;", "\n": "\\n"})
_QUOTED = re.compile(r"[,;:]|^\s|\s$")
_NO_URI = re.compile(r'[\s"<>\\^`{|},]')

Parameter = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class VCardLine:
    """Hold one content line.

    Attributes:
        name: without the group in front of it.
        value: encoded already.
        parameters: each with its values, which are not encoded.
        group: "" if the line belongs to none.
    """

    name: str
    value: str
    parameters: tuple[Parameter, ...] = ()
    group: str = ""

    def parameter(self, name: str) -> tuple[str, ...]:
        """Return the values of a parameter; nothing without it."""
        for key, values in self.parameters:
            if key == name:
                return values
        return ()

    def words(self) -> frozenset[str]:
        """Return its types in upper case; PREF also where vCard 4.0 says PREF=1."""
        words = {word.strip().upper() for value in self.parameter("TYPE") for word in value.split(",")}
        return frozenset(words | {"PREF"} if self.parameter("PREF") == ("1",) else words)


def kinds(*types: str) -> tuple[Parameter, ...]:
    """Return the TYPE parameter; nothing for no types."""
    return (("TYPE", types),) if types else ()


def text(name: str, value: str, parameters: tuple[Parameter, ...] = ()) -> VCardLine:
    """Make a line with a text."""
    return VCardLine(name, escaped(value), parameters)


def structured(name: str, parts: Sequence[str], parameters: tuple[Parameter, ...] = ()) -> VCardLine:
    """Make a line with components between semicolons: N, ADR, ORG."""
    return VCardLine(name, ";".join(escaped(part) for part in parts), parameters)


def listed(name: str, values: Iterable[str], parameters: tuple[Parameter, ...] = ()) -> VCardLine:
    """Make a line with values between commas: NICKNAME, CATEGORIES."""
    return VCardLine(name, ",".join(escaped(value) for value in values), parameters)


def uri(name: str, value: str, parameters: tuple[Parameter, ...] = ()) -> VCardLine:
    """Make a line with a URI, which is not escaped.

    A comma in it is percent-encoded nevertheless: vobject 0.9.9, and Radicale with it, takes it for the end
    of the value.
    """
    return VCardLine(name, uri_text(value), parameters)


def uri_text(value: str) -> str:
    """Percent-encode white space and what RFC 3986 allows nowhere in a URI; the rest stays as it is."""
    return _NO_URI.sub(_percent, printable(value).strip())


def escaped(value: str) -> str:
    """Escape a text."""
    return printable(value).translate(_ESCAPES)


def render(version: str, lines: Iterable[VCardLine]) -> bytes:
    """Return the whole card, with CRLFs."""
    framed = [VCardLine("BEGIN", "VCARD"), VCardLine("VERSION", version), *lines, VCardLine("END", "VCARD")]
    return b"".join(folded(_unfolded(line, version).encode()) for line in framed)


def folded(line: bytes) -> bytes:
    """Return physical lines of at most 75 octets with their CRLFs, none split inside a UTF-8 sequence."""
    pieces: list[bytes] = []
    start, room = 0, FOLD_AT
    while start < len(line) or not pieces:
        end = _cut(line, start + room)
        pieces.append(line[start:end])
        start, room = end, FOLD_AT - 1
    return b"\r\n ".join(pieces) + b"\r\n"


def _cut(line: bytes, end: int) -> int:
    """Return `end`, or the beginning of the character that it would split."""
    while end < len(line) and line[end] & 0xC0 == 0x80:
        end -= 1
    return min(end, len(line))


def _unfolded(line: VCardLine, version: str) -> str:
    parameters = "".join(f";{name}={_values(values, version)}" for name, values in line.parameters)
    group = f"{line.group}." if line.group else ""
    return f"{group}{line.name}{parameters}:{line.value}"


def _values(values: tuple[str, ...], version: str) -> str:
    return ",".join(_value(value, version) for value in values)


def _value(value: str, version: str) -> str:
    """Encode a parameter's value.

    RFC 6868 encodes what may not stand in quotes; vCard 3.0 has no way, so look-alikes stand for it.
    """
    value = printable(value)
    if version == "3.0":
        value = value.replace('"', "'").replace("\n", " ")
    else:
        value = value.replace("^", "^^").replace("\n", "^n").replace('"', "^'")
    return f'"{value}"' if _QUOTED.search(value) else value


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{octet:02X}" for octet in match[0].encode())
