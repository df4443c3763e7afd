"""Address books: cards, and for the HTTP API alone distribution lists. What is changed, cut, dropped or added
when a card is stored is mostly so with 201 and without a word."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from servers.open_xchange.content_lines import Line, Part, escaped, fields, plain, text_of
from servers.open_xchange.context import NUMBER, USERS_BOOK, Context, Folder, Gone
from servers.open_xchange.event_rules import Refused
from servers.open_xchange.events import PRODID

CARDDAV = "urn:ietf:params:xml:ns:carddav"
MAX_BYTES = 4_194_304
"""A card with a photo of 3 MB is 4,000,131 bytes, and kept; one of 5 MB is 403."""
ADMINISTRATOR = "Context Administrator"
LONGEST_NAME, LONGEST_DISPLAY, LONGEST_NOTE = 128, 320, 65535
"""Characters; of a NOTE, bytes too: more than that after the cut is 500."""
TRIMS = 2
"""It tries again after so many cuts. A card that needs one more is answered with 201 and not stored."""
DROPPED = {"FBURL", "REV", "PRODID", "VERSION", "UID"}
EMAIL_SLOTS = ("work", "home", "x-other")
"""A contact has three mail addresses, by TYPE and, without one, by position."""
LOCAL_PART = re.compile(r"^(\"[^\"]+\"|[^\s@\"]+)@[^\s@]+$")


@dataclass
class Trimmed:
    """Counts how often a text had to be cut."""

    count: int = 0

    def text(self, value: str, most: int, trims: int = 1) -> str:
        text = plain(value)
        if len(text) <= most:
            return value
        self.count += trims
        return escaped(text[:most])


@dataclass(frozen=True, slots=True)
class Contact:
    """A card as it is kept, with what the HTTP API shows of it. mails: of the three slots, "" for none."""

    part: Part
    display_name: str
    mails: tuple[str, str, str]
    has_birthday: bool = field(default=False)


def contact_of(card: Part, uid: str) -> Contact | None:
    """A card as it is kept; None where it is answered with 201 and nothing is stored: groups, which CardDAV
    leaves out, and too many cuts. Raises Refused."""
    if _is_group(card):
        return None
    _refuse_addresses(card.all("EMAIL"))
    trimmed = Trimmed()
    part = card.without(*DROPPED).mapped(lambda line: _kept(line, trimmed))
    if len(plain(part.value("NOTE")).encode()) > LONGEST_NOTE:
        raise Refused(500)
    if trimmed.count > TRIMS:
        return None
    mails, slots = _mails(part.all("EMAIL"))
    others = _phones_and_places(part.without("EMAIL").lines)
    head = (Line("VERSION", "3.0"), Line("UID", uid))
    lines = (*head, *others, *mails, Line("PRODID", PRODID))
    return Contact(
        Part("VCARD", lines), plain(part.value("FN")), slots, any(line.name == "BDAY" for line in lines)
    )


def _is_group(card: Part) -> bool:
    kinds = [*card.all("KIND"), *card.all("X-ADDRESSBOOKSERVER-KIND")]
    return any(line.value.strip().lower() == "group" for line in kinds)


def _refuse_addresses(mails: Iterable[Line]) -> None:
    """An umlaut in the local part of one address: 400 for the whole card. In the domain it is kept, and so is
    a quoted local part."""
    for line in mails:
        local = line.value.rpartition("@")[0]
        if not local.isascii():
            raise Refused(400)


def _kept(line: Line, trimmed: Trimmed) -> Line | None:
    """FN costs two cuts: the display name and what the card is filed as."""
    if line.name == "FN":
        return replace(line, value=trimmed.text(line.value, LONGEST_DISPLAY, 2))
    if line.name == "NOTE":
        return replace(line, value=trimmed.text(line.value, LONGEST_NOTE))
    if line.name == "N":
        names = [trimmed.text(one, LONGEST_NAME) for one in fields(line.value, ";")]
        while names and not names[-1]:
            names.pop()
        return replace(line, value=";".join(names)) if names else None
    if line.name == "CLASS" and line.value.upper() == "CONFIDENTIAL":
        return replace(line, value="PRIVATE")
    if line.name == "EMAIL" and not LOCAL_PART.match(line.value):
        return None  # what is no address is dropped
    if line.name == "BDAY" and line.value.startswith("--"):
        day = line.value[2:].replace("-", "")
        return Line("BDAY", f"1604-{day[:2]}-{day[2:]}", (("X-APPLE-OMIT-YEAR", "1604"),))
    if line.name == "PHOTO":
        kinds = tuple((name, value.lower() if name == "TYPE" else value) for name, value in line.params)
        return replace(line, params=kinds)
    return _respelled(line)


def _respelled(line: Line) -> Line:
    """A comma in a nickname or a category splits it, and an escaped semicolon at the very end of an
    organisation loses the semicolon."""
    if line.name == "NICKNAME":
        return replace(line, value=line.value.replace("\\,", ","))
    if line.name == "CATEGORIES":
        parts = (one.strip() for one in line.value.replace("\\,", ",").split(","))
        return replace(line, value=",".join(parts))
    if line.name == "ORG" and line.value.endswith("\\;"):
        return replace(line, value=line.value[:-1])
    return line


def _mails(given: Sequence[Line]) -> tuple[list[Line], tuple[str, str, str]]:
    """The lines of mail addresses, and the addresses of the three slots. WORK and HOME find their slot, OTHER
    the third; an address without a TYPE gets that of the first slot that is free. One in the third slot that
    had no TYPE comes twice."""
    slots: dict[str, int] = {}
    for place, line in enumerate(given):
        slot = _named_slot(line)
        if slot and slot not in slots:
            slots[slot] = place
    for place, line in enumerate(given):
        free = next((slot for slot in EMAIL_SLOTS if slot not in slots), None)
        if free and not _named_slot(line) and place not in slots.values():
            slots[free] = place
    taken = {place: slot for slot, place in slots.items()}
    lines = [one for place, line in enumerate(given) for one in _typed(line, taken.get(place, ""))]
    first, second, third = (given[slots[slot]].value if slot in slots else "" for slot in EMAIL_SLOTS)
    return lines, (first, second, third)


def _named_slot(line: Line) -> str:
    types = line.types()
    slot = next((one for one in ("work", "home") if one in types), "")
    return slot or ("x-other" if "other" in types or "x-other" in types else "")


def _typed(line: Line, slot: str) -> Iterator[Line]:
    preferred = line.param("PREF") == "1"
    line = line.with_param("PREF", "")
    if preferred:
        line = with_type(line, slot, first=True) if slot not in line.types() else line
        yield with_type(line, "pref")
    elif not slot or slot in line.types():
        yield line
    elif slot == "x-other" and not _named_slot(line):
        yield with_type(line, slot)
        yield line
    else:
        yield with_type(line, slot)


def with_type(line: Line, name: str, *, first: bool = False) -> Line:
    """With one more value of TYPE; the spelling of the others stays."""
    if not name or name in line.types():
        return line
    known = ",".join(value for key, value in line.params if key == "TYPE")
    both = (name, known) if first else (known, name)
    return line.with_param("TYPE", ",".join(one for one in both if one))


def _phones_and_places(lines: Sequence[Line]) -> Iterator[Line]:
    """Of two numbers of a kind the first gets pref, the second x-2nd; one alone gets nothing. The first
    address of work gets pref, and the first one without a TYPE x-other."""
    numbers = Counter(_number(line) for line in lines)
    seen: Counter[str] = Counter()
    marks = {("work", 1): "pref", ("other", 1): "x-other"}
    for line in lines:
        kind = _number(line)
        if line.name == "ADR":
            kind = "work" if "work" in line.types() else "" if line.types() else "other"
        seen[kind] += 1
        if line.name == "TEL" and kind and numbers[kind] > 1:
            yield with_type(line, {1: "pref", 2: "x-2nd"}.get(seen[kind], ""))
        else:
            yield with_type(line, marks.get((kind, seen[kind]), ""))


def _number(line: Line) -> str:
    """Of which kind a number is, of those that are told apart: mobile, of work, of home; "" for another."""
    types = set(line.types())
    if line.name != "TEL" or not types & {"cell", "voice"}:
        return ""
    return "cell" if "cell" in types else next((f"{at} voice" for at in ("work", "home") if at in types), "")


@dataclass(eq=False)
class Card:
    """members: of a distribution list, which CardDAV does not show."""

    id: int
    uid: str
    filename: str
    contact: Contact
    modified: int
    members: Sequence[Mapping[str, Any]] | None = None

    @property
    def name(self) -> str:
        return f"{self.filename}.vcf"

    @property
    def etag(self) -> str:
        return f"{NUMBER}-{self.id}-{self.modified}"

    @property
    def changed(self) -> datetime:
        return datetime.fromtimestamp(self.modified / 1000, UTC)

    def text(self) -> str:
        return text_of(self.contact.part.put("REV", self.changed.strftime("%Y-%m-%dT%H:%M:%SZ")))


class Cards:
    """The cards of all address books. No window, and a UID may be there twice."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._known: dict[int, dict[int, Card]] = {}
        self._last = 0
        book = context.folders[USERS_BOOK]
        for name in (ADMINISTRATOR, *(user.name for user in context.members())):
            lines = (Line("VERSION", "3.0"), Line("FN", name))
            self._add(book, str(uuid.uuid4()), "", Contact(Part("VCARD", lines), name, ("",) * 3))

    def _add(self, folder: Folder, uid: str, filename: str, contact: Contact) -> Card:
        self._last += 1
        card = Card(self._last, uid, filename or uid, contact, self._touch(folder))
        self._known.setdefault(folder.number, {})[card.id] = card
        return card

    def all(self, folder: Folder) -> list[Card]:
        """What CardDAV lists."""
        return [card for card in self.everything(folder) if card.members is None]

    def everything(self, folder: Folder) -> list[Card]:
        """With the distribution lists."""
        return list(self._known.get(folder.number, {}).values())

    def find(self, folder: Folder, name: str) -> Card | None:
        """By the name that the PUT had, else by the UID."""
        stem = name.removesuffix(".vcf")
        cards = self.all(folder)
        named = next((card for card in cards if card.filename == stem), None)
        return named or next((card for card in cards if card.uid == stem), None)

    def by_id(self, folder: Folder, number: int) -> Card | None:
        return self._known.get(folder.number, {}).get(number)

    def put(self, folder: Folder, name: str, card: Part, size: int) -> None:
        """Stores a card, or does not and is answered with 201 all the same. size: bytes of the body. Raises
        Refused."""
        if size > MAX_BYTES:
            raise Refused(403, "max-resource-size", CARDDAV)
        if card.name != "VCARD":
            raise Refused(403, "valid-address-data", CARDDAV)  # not measured
        stem = name.removesuffix(".vcf")
        uid = card.value("UID") or stem
        contact = contact_of(card, uid)
        if contact is None:
            return
        known = self.find(folder, name)
        if known is not None:
            known.contact, known.modified = contact, self._touch(folder)
            return
        self._add(folder, uid, stem, contact)

    def add_list(
        self, folder: Folder, uid: str, display_name: str, members: Sequence[Mapping[str, Any]]
    ) -> Card:
        """A distribution list, made by the HTTP API."""
        part = Part("VCARD", (Line("VERSION", "3.0"), Line("UID", uid)))
        card = self._add(folder, uid, "", Contact(part, display_name, ("",) * 3))
        card.members = members
        return card

    def change_list(
        self, folder: Folder, card: Card, display_name: str, members: Sequence[Mapping[str, Any]]
    ) -> None:
        card.contact = replace(card.contact, display_name=display_name)
        card.members, card.modified = members, self._touch(folder)

    def delete(self, folder: Folder, card: Card) -> None:
        del self._known[folder.number][card.id]
        folder.gone.append(Gone(card.name, self._touch(folder), True))

    def _touch(self, folder: Folder) -> int:
        folder.changed = self.context.clock.tick()
        return folder.changed
