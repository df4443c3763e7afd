"""Convert between vCards of distribution lists and the JSON of Open-Xchange's address books.

A list keeps its name and its members, each an address and a name; see `Capabilities.plain_lists`. Members are
written as plain addresses, never as references to contacts: a reference needs the contact's number, and shows
whatever the contact's address is by then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote, unquote

from icalendar.parser import Contentlines

from connectors.open_xchange.answers import Json, text_of
from model.errors import Rejected

HEAD_MOST = 65_536
"""Bytes of a card in which its kind stands: our own stands after its name."""
SAFE = "@!$&*+/=~"
"""What a mailto: of a member shows as it is, as the mapping does."""
_GROUP = re.compile(rb"(?im)^(?:X-ADDRESSBOOKSERVER-)?KIND(?:;[^:\r\n]*)?:group[ \t]*\r?$")
_QUOTED = re.compile(r"[,;:]|^\s|\s$")


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one content line.

    Attributes:
        name: in capitals.
        parameters: the first value of each, by its name in capitals.
        value: without escapes.
    """

    name: str
    parameters: dict[str, str]
    value: str


def is_group(stream: BinaryIO) -> bool:
    """Return True if a vCard is a distribution list."""
    return _GROUP.search(stream.read(HEAD_MOST)) is not None


def to_list(card: bytes) -> Json:
    """Return the fields of a list for a card.

    Raises:
        Rejected: "refused-by-target" for a member that is no address.
    """
    lines = list(_lines(card))
    named = [line.value for line in lines if line.name == "FN"]
    members = [_member(line) for line in lines if line.name in {"X-ADDRESSBOOKSERVER-MEMBER", "MEMBER"}]
    return {
        "display_name": named[0] if named else "",
        "mark_as_distributionlist": True,
        "distribution_list": members,
    }


def to_card(found: Json) -> bytes:
    """Return the card for a list as the server states it."""
    name, uid = text_of(found, "display_name"), text_of(found, "uid")
    members = found.get("distribution_list")
    lines = [
        "BEGIN:VCARD",
        "VERSION:3.0",
        f"UID:{_escaped(uid)}",
        f"FN:{_escaped(name)}",
        f"N:{_escaped(name)};;;;",
        "X-ADDRESSBOOKSERVER-KIND:group",
        *(
            _member_line(one)
            for one in (members if isinstance(members, list) else ())
            if isinstance(one, dict)
        ),
        "END:VCARD",
        "",
    ]
    return "\r\n".join(lines).encode()


def _member(line: Line) -> Json:
    value = line.value.strip()
    if value[:7].lower() != "mailto:":
        raise Rejected("refused-by-target", "a member is no address, and the server takes nothing else")
    member: Json = {"mail": unquote(value[7:]), "mail_field": 0}
    name = line.parameters.get("X-CN", "")
    return {**member, "display_name": name} if name else member


def _member_line(member: Json) -> str:
    mail, name = text_of(member, "mail"), text_of(member, "display_name")
    shown = name.replace('"', "'").replace("\n", " ")
    quoted = f'"{shown}"' if _QUOTED.search(shown) else shown
    # the mapping leaves out a name that is only the address
    named = f";X-CN={quoted}" if name and name.casefold() != mail.casefold() else ""
    return f"X-ADDRESSBOOKSERVER-MEMBER{named}:mailto:{quote(mail, safe=SAFE)}"


def _lines(card: bytes) -> Iterator[Line]:
    """Yield the lines of a card that the mapping made; a group's name in front of a property is left out."""
    for written in Contentlines.from_ical(card):  # type: ignore[no-untyped-call]
        if written:
            name, parameters, value = written.parts()
            yield Line(name.rpartition(".")[2].upper(), _firsts(parameters), value)


def _firsts(parameters: Mapping[str, str | list[str]]) -> dict[str, str]:
    return {name.upper(): said if isinstance(said, str) else said[0] for name, said in parameters.items()}


def _escaped(text: str) -> str:
    """Escape a text (RFC 2426, section 5)."""
    for character in "\\,;":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", "\\n")
