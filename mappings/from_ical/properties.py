"""Read the properties of one component, and leave out what is no part of it.

Kept is what mappings.compare.semantic_digest compares, what says when an object was made, and X-properties.
So nothing is written of which a verification could not say whether it arrived.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from urllib.parse import quote, unquote_to_bytes

from mappings.compare.content_lines import Block, ContentLine, Malformed, split, unescaped
from mappings.compare.rrule import rule_of
from mappings.fields.ews_xml import altered, printable
from mappings.icalendar.component import Component
from mappings.icalendar.values import (
    Binary,
    CalendarAddress,
    Moment,
    Moments,
    Parameters,
    Property,
    Rule,
    Text,
    TextList,
    Uri,
    Word,
)
from mappings.losses.catalogue import lose
from model.errors import Rejected
from model.protocols import Loss

_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?", re.ASCII)
_NAME = re.compile(r"[A-Z0-9-]+")
_TEXTS = (
    "SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT", "CONTACT", "UID", "CLASS", "STATUS", "TRANSP",
    "X-ALT-DESC", "STYLED-DESCRIPTION",
)  # fmt: skip
_MOMENTS = (
    "DTSTART", "DTEND", "DUE", "DTSTAMP", "CREATED", "LAST-MODIFIED", "COMPLETED", "RECURRENCE-ID",
    "ACKNOWLEDGED",
)  # fmt: skip
_SHARED = frozenset(
    {
        *("UID", "DTSTART", "DURATION", "DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE", "RECURRENCE-ID"),
        *("RRULE", "RDATE", "EXDATE", "EXRULE", "SUMMARY", "DESCRIPTION", "STYLED-DESCRIPTION", "LOCATION"),
        *("GEO", "CATEGORIES", "CLASS", "STATUS", "PRIORITY", "COLOR", "URL", "CONFERENCE", "ATTACH"),
        *("COMMENT", "CONTACT", "RELATED-TO", "RESOURCES", "ORGANIZER", "ATTENDEE"),
    }
)
_KEPT: Mapping[str, frozenset[str]] = {
    "VEVENT": _SHARED | {"DTEND", "TRANSP"},
    "VTODO": _SHARED | {"DUE", "COMPLETED", "PERCENT-COMPLETE"},
    "VALARM": frozenset(
        {
            *("ACTION", "TRIGGER", "REPEAT", "DURATION", "DESCRIPTION", "SUMMARY", "ACKNOWLEDGED", "UID"),
            *("ATTACH", "ATTENDEE"),
        }
    ),
}
"""Beside X-properties."""

_STAMPS = frozenset({"DTSTAMP", "CREATED", "LAST-MODIFIED", "ACKNOWLEDGED"})
_SEVERAL = frozenset(
    {
        *("RDATE", "EXDATE", "CATEGORIES", "CONFERENCE", "ATTACH", "COMMENT", "CONTACT", "RELATED-TO"),
        *("RESOURCES", "ATTENDEE", "STYLED-DESCRIPTION"),
    }
)
"""What a component may have more than once, beside X-properties."""

_DECISIVE = frozenset({"UID", "DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "TRIGGER"})
"""Of two of these that say different things nobody knows which one counts."""

_STANDING = frozenset({"CLIENT", "NONE"})
"""SCHEDULE-AGENT with these keeps a server silent (RFC 6638 section 7.1)."""

_SAFE = "@!$&'*+-./=?^_`{|}~"
_MAIL = "mailto:"
_DAMAGED = lose("attachment", "not-readable")


class PropertyReader:
    """Read the properties of one component, and gather what that loses."""

    def __init__(self, block: Block, losses: list[Loss]) -> None:
        """Read nothing yet.

        Args:
            block: the component.
            losses: gets what is lost.
        """
        self._block, self._losses = block, losses
        self._kept = _KEPT.get(block.name, frozenset())

    def component(self) -> Component:
        """Return the component without those inside of it.

        Raises:
            Rejected: "malformed-record", "date-out-of-range" or "unknown-recurrence".
        """
        made = Component(self._block.name)
        for name, lines in self._block.lines.items():
            for line in self._those_that_count(name, lines):
                value = self._property(line)
                if value is not None:
                    made.add(name, value)
        return made

    def _those_that_count(self, name: str, lines: list[ContentLine]) -> list[ContentLine]:
        """Return the lines of a name that are kept."""
        own = name.startswith("X-") and _NAME.fullmatch(name) is not None
        kept = [line for line in lines if not line.group] if own or name in self._kept else []
        lines, kept = _without_empty(name, lines), _without_empty(name, kept)
        if name == "REQUEST-STATUS":
            self._losses.append(lose("scheduling", "delivery-note"))
        elif len(kept) < len(lines):
            self._other()
        if own or name in _SEVERAL or len(kept) < 2:
            return kept
        if any(line != kept[0] for line in kept):
            if name in ("RRULE", "EXRULE"):
                raise unknown_recurrence()
            if name in _DECISIVE:
                raise _malformed()
            self._other()
        return kept[:1]

    def _property(self, line: ContentLine) -> Property | None:
        parameters = self._parameters(line)
        checked(line.name, line.value, *parameters, *parameters.values())
        made = READERS.get(line.name, _word)(line.value, parameters)
        if made is None:
            self._losses.append(_DAMAGED)
            return None
        if isinstance(made, Uri) and line.name == "ATTACH" and "MANAGED-ID" in made.parameters:
            del made.parameters["MANAGED-ID"]
            self._losses.append(_DAMAGED)  # it is on the source's server (RFC 8607)
        if isinstance(made, CalendarAddress):
            return self._person(made)
        return self._carried(made)

    def _parameters(self, line: ContentLine) -> Parameters:
        found: Parameters = {}
        for name, values in line.parameters.items():
            if len(values) == 1 and _NAME.fullmatch(name):
                found[name] = self._clean(values[0])
            elif name in ("TZID", "VALUE", "RANGE"):
                raise _malformed()
            else:  # of which groups somebody is a member, who stands in for whom
                self._other()
        return found

    def _person(self, made: CalendarAddress) -> CalendarAddress | None:
        """Return somebody without what makes a server write to anybody."""
        stated = made.parameters
        if stated.pop("SCHEDULE-FORCE-SEND", None) is not None:
            self._losses.append(lose("scheduling", "force-send"))
        if stated.pop("SCHEDULE-STATUS", None) is not None:
            self._losses.append(lose("scheduling", "delivery-note"))
        if stated.get("SCHEDULE-AGENT", "").upper() not in _STANDING:
            stated.pop("SCHEDULE-AGENT", None)
        address = made.said.strip()
        if not address:
            self._losses.append(lose("attendee", "empty"))
            return None
        mail = stated.get("EMAIL", "").strip()
        if "@" in mail and address[: len(_MAIL)].lower() != _MAIL:  # Apple's servers name people by paths
            del stated["EMAIL"]
            address = _MAIL + quote(mail, safe=_SAFE)
        return CalendarAddress(self._line(address), stated)

    def _carried(self, made: Property) -> Property:
        """Return a value without characters that no format carries."""
        if isinstance(made, Text):
            made.said = self._clean(made.said)
        elif isinstance(made, TextList):
            made.parts = tuple(map(self._clean, made.parts))
        elif isinstance(made, Word | Uri):
            made.said = self._line(made.said)
        return made

    def _clean(self, written: str) -> str:
        if written.isprintable():
            return written
        if altered(written):
            self._losses.append(lose("text", "control-characters"))
        return printable(written)

    def _line(self, written: str) -> str:
        """Return what nothing escapes, as one line."""
        return self._clean(written).replace("\n", " ")

    def _other(self) -> None:
        self._losses.append(lose("other", "not-kept"))


def _without_empty(name: str, lines: list[ContentLine]) -> list[ContentLine]:
    """Return the lines without rules that say nothing, and without stamps that nobody can read.

    A stamp says when a copy was made. Google's exports have one of the year 0.
    """
    if name in ("RRULE", "EXRULE"):
        return [line for line in lines if line.value.strip()]
    if name in _STAMPS:
        return [line for line in lines if _readable(line.value)]
    return lines


def checked(*written: str) -> None:
    """Refuse what was no UTF-8.

    Raises:
        Rejected: "malformed-record".
    """
    for each in written:
        try:
            each.encode()
        except UnicodeEncodeError:
            raise _malformed() from None


def unknown_recurrence() -> Rejected:
    """Return the error for a rule, or a date of a series, that this version does not know."""
    return Rejected("unknown-recurrence", "the rule of the series cannot be read")


def moment_of(written: str) -> date:
    """Return a date, or a time: in UTC, or without a zone.

    Raises:
        Rejected: "malformed-record" or "date-out-of-range".
    """
    match = _TIME.fullmatch(written.strip())
    if match is None:
        raise _malformed()
    year, month, day, *clock = match.groups()
    try:
        if clock[0] is None:
            return date(int(year), int(month), int(day))
        hour, minute, second = (int(part) for part in clock[:3])
        zone = UTC if clock[3] else None
        return datetime(int(year), int(month), int(day), hour, minute, min(second, 59), tzinfo=zone)
    except ValueError:
        raise Rejected("date-out-of-range", "a date that no calendar has; correct it at the source") from None


def _word(value: str, parameters: Parameters) -> Property:
    return Word(value, parameters)


def _text(value: str, parameters: Parameters) -> Property:
    return Text(unescaped(value), parameters)


def _texts(value: str, parameters: Parameters) -> Property:
    return TextList(tuple(unescaped(part) for part in split(value, ",")), parameters)


def _moment(value: str, parameters: Parameters) -> Property:
    return Moment(moment_of(value), parameters)


def _moments(value: str, parameters: Parameters) -> Property:
    if parameters.get("VALUE", "").upper() == "PERIOD":
        return Word(value, parameters)
    return Moments(tuple(moment_of(part) for part in value.split(",") if part.strip()), parameters)


def _trigger(value: str, parameters: Parameters) -> Property:
    return Moment(moment_of(value), parameters) if _readable(value) else Word(value, parameters)


def _readable(value: str) -> bool:
    try:
        moment_of(value)
    except Rejected:
        return False
    return True


def _attachment(value: str, parameters: Parameters) -> Property | None:
    """Return a file that stands inside, or a link; None for a file that is damaged."""
    inside = parameters.get("ENCODING", "").upper() in ("BASE64", "B") or parameters.get("VALUE") == "BINARY"
    if not inside and value[:5].lower() != "data:":
        return Uri(value, parameters) if value.strip() else None
    if not inside:
        kind, _, value = unescaped(value[5:]).partition(",")
        if not kind.lower().endswith(";base64"):
            return Binary(unquote_to_bytes(value), {**parameters, **_media(kind)})
        parameters = {**parameters, **_media(kind)}
    try:
        return Binary(b64decode("".join(value.split()), validate=True), parameters)
    except (binascii.Error, ValueError):
        return None


def _media(kind: str) -> Parameters:
    found = kind.partition(";")[0].strip()
    return {"FMTTYPE": found} if found.isascii() and found.isprintable() and "/" in found else {}


def _rule(value: str, parameters: Parameters) -> Property:
    """Return a rule of which every part is known: what is not known would be another series."""
    rule = Rule(value.strip().strip(";").upper(), parameters)
    try:
        if rule_of(value).others:
            raise unknown_recurrence()
        rule.content()
    except (Malformed, ValueError):
        raise unknown_recurrence() from None
    return rule


def _malformed() -> Rejected:
    return Rejected("malformed-record", "the object cannot be read as one event or task")


READERS: Mapping[str, Callable[[str, Parameters], Property | None]] = {
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_MOMENTS, _moment),
    **dict.fromkeys(("EXDATE", "RDATE"), _moments),
    **dict.fromkeys(("ATTENDEE", "ORGANIZER"), CalendarAddress),
    "CATEGORIES": _texts,
    "RRULE": _rule,
    "TRIGGER": _trigger,
    "ATTACH": _attachment,
    "URL": Uri,
}
"""By the name of the property. The others are no text of a person: they are kept as they stand."""
