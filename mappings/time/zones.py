"""Find the time zone of an EWS item, as rules and as a VTIMEZONE.

Windows zones become IANA zones (CLDR), whose rules come from the tzdata package, never from the machine: two
workers write the same bytes. A zone that the record describes itself keeps its own rules.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from mappings.fields.ews_xml import Element, child, text
from mappings.icalendar.values import Moment
from mappings.time.custom_zones import Era, RuleZone, described, meeting_zone, rule_zone
from mappings.time.rrule import Start
from mappings.time.windows_zones import iana
from model.errors import Rejected

_KEY = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,2}", re.ASCII)
_UTC_NAMES = frozenset({"Etc/UTC", "UTC", "Etc/UCT", "Etc/Zulu", "Zulu", "Etc/Universal", "Universal", "UCT"})


@dataclass(frozen=True, slots=True)
class Zone:
    """Name a zone and its rules.

    Attributes:
        id: its TZID, the IANA name or one of our own.
        info: its rules; UTC's are datetime.UTC itself.
    """

    id: str
    info: tzinfo

    @property
    def utc(self) -> bool:
        """Return True if times are written with Z, so that no VTIMEZONE is needed."""
        return self.info is UTC

    @property
    def own(self) -> bool:
        """Return True if the record describes it, so that no database has its name."""
        return isinstance(self.info, RuleZone)

    def local(self, instant: datetime) -> datetime:
        """Return an instant by the clock on the wall.

        Raises:
            Rejected: "date-out-of-range".
        """
        try:
            return instant.astimezone(self.info)
        except (OverflowError, ValueError):
            raise out_of_range() from None

    def instant(self, wall: datetime) -> datetime:
        """Return a wall time (naive) in UTC.

        A time that the clock skips counts by the offset before. One that comes twice is the first (RFC 5545
        section 3.3.5).

        Raises:
            Rejected: "date-out-of-range".
        """
        try:
            return wall.replace(tzinfo=self.info, fold=0).astimezone(UTC)
        except (OverflowError, ValueError):
            raise out_of_range() from None

    def stated(self, start: Start) -> Moment:
        """Return a date, or a wall time (naive) with this zone, as a property has it."""
        if not isinstance(start, datetime):
            return Moment(start)
        return Moment(start.replace(tzinfo=UTC)) if self.utc else Moment(start, {"TZID": self.id})


UTC_ZONE = Zone("Etc/UTC", UTC)


def naive(moment: datetime) -> datetime:
    """Return a wall time without its zone."""
    return moment.replace(tzinfo=None, fold=0)


def midnight(start: Start) -> datetime:
    """Return a wall time as it is, and a day's first moment."""
    return start if isinstance(start, datetime) else datetime(start.year, start.month, start.day)


def out_of_range() -> Rejected:
    """Return the error for a date that no calendar holds."""
    return Rejected("date-out-of-range", "correct the item's dates at the source, and run again")


def zone_for(element: Element, side: str = "Start") -> Zone:
    """Return the zone that an item was made in; UTC if it names none.

    Args:
        element: the item.
        side: "Start", or "End" for the zone of its end, which is that of its start unless it says otherwise.

    Raises:
        Rejected: "unknown-time-zone".
    """
    if side == "End":
        zone = _named(element, "End")
        if zone is not None:
            return zone
    zone = _named(element, "Start")
    if zone is not None:
        return zone
    return _meeting(element) or UTC_ZONE


def _named(element: Element, side: str) -> Zone | None:
    whole = child(element, f"t:{side}TimeZone")
    names = [text(element, f"t:{side}TimeZoneId")]
    if whole is not None:
        names.insert(0, whole.get("Id") or "")
    names_ = [name for name in names if name.strip()]
    zone_ = next((zone for name in names_ if (zone := named_zone(name)) is not None), None)
    if zone_ is not None:
        return zone_
    eras = described(whole) if whole is not None else None
    if eras is not None:
        return own_zone(eras)
    if names_:
        raise unknown_zone()
    return None


def _meeting(element: Element) -> Zone | None:
    whole = child(element, "t:MeetingTimeZone")
    if whole is not None:
        zone = named_zone(whole.get("TimeZoneName") or "")
        eras = meeting_zone(whole)
        if zone is not None or eras is not None:
            return zone or own_zone(eras or ())
    # Exchange 2007 has a text for people here. An id among them counts, anything else says nothing.
    return named_zone(text(element, "t:TimeZone"))


def unknown_zone() -> Rejected:
    """Return the error for a zone that this version does not know."""
    return Rejected("unknown-time-zone", "open the item at the source, choose a time zone, and run again")


@lru_cache(maxsize=1024)
def named_zone(name: str) -> Zone | None:
    """Return a zone by its Windows id or IANA name; None if it is neither."""
    key = iana(name) or name.strip()
    if key in _UTC_NAMES:
        return UTC_ZONE
    info = _tzdata(key)
    return None if info is None else Zone(key, info)


def own_zone(eras: tuple[Era, ...]) -> Zone:
    """Return a zone that a record describes, under a name made from its rules.

    The same rules have the same name.
    """
    mark = hashlib.blake2b(repr(eras).encode(), digest_size=6).hexdigest()
    return Zone(f"Kogge/{mark}", rule_zone(eras))


def _tzdata(key: str) -> ZoneInfo | None:
    if not _KEY.fullmatch(key):
        return None
    file = resources.files("tzdata").joinpath("zoneinfo", *key.split("/"))
    if not file.is_file():
        return None
    try:
        with file.open("rb") as stream:
            return ZoneInfo.from_file(stream, key=key)
    except ValueError:
        return None  # tzdata also holds tables that are no zones
