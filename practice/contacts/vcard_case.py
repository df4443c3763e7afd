"""Read a contact of the practice world's data from a vCard, as Outlook imports one.

A property for which Exchange has no field becomes a field that a user made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from practice.world.cases import Case

Table = dict[str, Any]
_UNFOLD = re.compile(r"\r?\n[ \t]")
_LINE = re.compile(r'((?:[^":;]|"[^"]*")+)((?:;(?:[^":;]|"[^"]*")*)*):(.*)', re.DOTALL)
_SKIPPED = frozenset({"BEGIN", "END", "VERSION", "PRODID", "UID", "REV", "KIND", "PROFILE", "MAILER"})
_TEXTS = {
    "FN": "display",
    "NICKNAME": "nickname",
    "TITLE": "job_title",
    "ROLE": "profession",
    "URL": "homepage",
}
_PHONES: tuple[tuple[frozenset[str], tuple[str, ...]], ...] = (
    (frozenset({"cell"}), ("MobilePhone",)),
    (frozenset({"fax", "home"}), ("HomeFax",)),
    (frozenset({"fax"}), ("BusinessFax", "OtherFax")),
    (frozenset({"pager"}), ("Pager",)),
    (frozenset({"car"}), ("CarPhone",)),
    (frozenset({"home"}), ("HomePhone", "HomePhone2")),
    (frozenset({"work"}), ("BusinessPhone", "BusinessPhone2")),
    (frozenset(), ("OtherTelephone", "PrimaryPhone", "Callback")),
)
"""By the types of a TEL, the keys of Exchange; the first that is free."""


@dataclass(frozen=True, slots=True)
class _Line:
    """Hold a line.

    Attributes:
        types: the words of its TYPE, in lower case.
    """

    name: str
    types: frozenset[str]
    value: str

    @property
    def text(self) -> str:
        return self.parts("\0")[0]

    def parts(self, separator: str) -> list[str]:
        """Return the value's parts, without the backslashes of RFC 6350, 3.4."""
        found = re.split(rf"(?<!\\){separator}", self.value)
        return [re.sub(r"\\(.)", lambda one: "\r\n" if one[1] in "nN" else one[1], part) for part in found]


def vcard(case: Case, text: str) -> Table:
    """Return the fields of a contact.

    Raises:
        CaseError: the file holds no vCard, more than one, or what Exchange has no room for.
    """
    lines = list(_lines(case, text))
    if sum(line.name == "BEGIN" for line in lines) != 1:
        raise case.error("", "must hold one vCard")
    table: Table = {"common": {}}
    for line in lines:
        if line.name in _TEXTS:
            table[_TEXTS[line.name]] = line.text
        elif line.name not in _SKIPPED:
            _ADDED.get(line.name, _other)(case, table, line)
    return table


def _lines(case: Case, text: str) -> Iterator[_Line]:
    for number, row in enumerate(_UNFOLD.sub("", text).splitlines(), 1):
        found = _LINE.fullmatch(row)
        if found is None and row:
            raise case.error("", f"has a line without a colon, number {number}")
        if found is not None:
            words = [each.partition("=") for each in found[2].upper().split(";") if each]
            types = {one.strip('"').lower() for name, _, value in words for one in (value or name).split(",")}
            yield _Line(found[1].rpartition(".")[2].upper(), frozenset(types), found[3])


def _name(_: Case, table: Table, line: _Line) -> None:
    names = ("surname", "given", "middle", "title", "suffix")
    table.update({name: part for name, part in zip(names, line.parts(";"), strict=False) if part})


def _company(_: Case, table: Table, line: _Line) -> None:
    names = ("company", "department")
    table.update({name: part for name, part in zip(names, line.parts(";"), strict=False) if part})


def _email(_: Case, table: Table, line: _Line) -> None:
    table.setdefault("emails", []).append({"address": line.text, "routing": "SMTP"})


def _phone(case: Case, table: Table, line: _Line) -> None:
    phones = table.setdefault("phones", {})
    keys = next(keys for types, keys in _PHONES if types <= line.types)
    free = next((key for key in keys if key not in phones), None)
    if free is None:
        raise case.error("TEL", f"is one more than Exchange has room for ({', '.join(keys)})")
    phones[free] = line.text


def _place(_: Case, table: Table, line: _Line) -> None:
    kind = "Home" if "home" in line.types else "Business" if "work" in line.types else "Other"
    box, more, street, city, state, code, country = [*line.parts(";"), *[""] * 7][:7]
    lines = "\r\n".join(filter(None, (box, more, street)))
    parts = {"street": lines, "city": city, "state": state, "country": country, "code": code}
    table.setdefault("places", {})[kind] = {name: part for name, part in parts.items() if part}


def _day(case: Case, table: Table, line: _Line) -> None:
    """Add a day as Outlook stores it: 11:59 UTC of the day."""
    field = {"BDAY": "birthday", "ANNIVERSARY": "anniversary"}[line.name]
    found = re.match(r"(\d{4})-?(\d\d)-?(\d\d)", line.value)
    if found is None:
        raise case.error(line.name, "must be a day: 1970-12-31")
    try:
        year, month, day = map(int, found.groups())
        table[field] = datetime(year, month, day, 11, 59, tzinfo=UTC)
    except ValueError:
        raise case.error(line.name, "is no day that there is") from None


def _photo(case: Case, table: Table, line: _Line) -> None:
    data = line.value.rpartition("base64,")[2]
    if data.startswith("http"):
        raise case.error("PHOTO", "must be in the file, not an address")
    kind = "image/png" if "png" in line.types or "image/png" in line.value[:20] else "image/jpeg"
    picture = {"name": "ContactPicture.jpg", "content_type": kind, "base64": data, "contact_photo": True}
    table["common"].setdefault("attachments", []).append(picture)


def _note(_: Case, table: Table, line: _Line) -> None:
    table["common"]["body"] = line.text


def _categories(_: Case, table: Table, line: _Line) -> None:
    table["common"]["categories"] = line.parts(",")


def _other(_: Case, table: Table, line: _Line) -> None:
    table["common"].setdefault("properties", []).append({"name": line.name, "value": line.text})


_ADDED: dict[str, Callable[[Case, Table, _Line], None]] = {
    "N": _name,
    "ORG": _company,
    "EMAIL": _email,
    "TEL": _phone,
    "ADR": _place,
    "BDAY": _day,
    "ANNIVERSARY": _day,
    "PHOTO": _photo,
    "NOTE": _note,
    "CATEGORIES": _categories,
}
