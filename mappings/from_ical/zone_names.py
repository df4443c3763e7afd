"""Find the zones that an iCalendar object names: by its own rules only if nobody else knows the name.

A name of the IANA database, or of Windows, is that zone, whatever VTIMEZONE stands beside it: clients and
the comparison read it so, and the VTIMEZONE may be old or forged. Any other VTIMEZONE is taken by its rules,
under a name that is made from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache

from mappings.compare.content_lines import Block, Malformed
from mappings.compare.time import EPOCH, SECOND, seconds
from mappings.compare.zones import Observance, changes_of, spelling
from mappings.time.custom_zones import FIRST_YEAR, LAST_YEAR, Era, Period
from mappings.time.zones import Zone, named_zone, own_zone, unknown_zone

MOST_OWN = 16
"""Zones that one object describes itself, and that its times name."""

MOST_PARTS = 200
"""Observances of one VTIMEZONE; a zone of the IANA database that is written out has a few dozen."""

MOST_CHANGES = 10_000
LONGEST_NAME = 200
"""Characters; a longer name is none that others know, and is not remembered."""


_FIRST = seconds(datetime(FIRST_YEAR, 1, 3))
_LAST = seconds(datetime(LAST_YEAR, 1, 1))
_WEEK = 7 * 86_400
_DAY = 86_400

Change = tuple[int, int, int, bool]
"""The moment, the offset before and after it, all in seconds, and True for daylight saving."""


class SourceZones:
    """Know the zones of one object by the names that its times have.

    Attributes:
        found: those that were asked for, by their own names (Zone.id).
    """

    def __init__(self, described: Iterable[Block]) -> None:
        """Read nothing yet.

        Args:
            described: a VTIMEZONE each.
        """
        self.found: dict[str, Zone] = {}
        self._known: dict[str, Zone] = {}
        self._described: dict[str, Block | None] = {}
        for block in described:
            name = block.value("TZID")
            same = self._described.get(name, block) == block
            self._described[name] = block if same else None  # of two, nobody knows which one counts

    def zone(self, name: str) -> Zone:
        """Return a zone.

        Args:
            name: its TZID.

        Raises:
            Rejected: "unknown-time-zone".
        """
        if name not in self._known:
            self._known[name] = self._find(name)
            self.found[self._known[name].id] = self._known[name]
        return self._known[name]

    def _find(self, name: str) -> Zone:
        plain = name if len(name) <= LONGEST_NAME else ""
        known = named_zone(plain)
        if known is None and plain.startswith("/"):  # a registry's prefix (RFC 5545 section 3.8.3.1)
            known = _by_ending(plain)
        if known is None and name.strip() in self._described:
            return self._own(self._described[name.strip()])
        known = known or _by_ending(plain)
        if known is None:
            raise unknown_zone()
        return known

    def _own(self, block: Block | None) -> Zone:
        zone = None if block is None else described_zone(block)
        if zone is None or sum(each.own for each in self.found.values()) >= MOST_OWN:
            raise unknown_zone()
        return zone


def described_zone(block: Block) -> Zone | None:
    """Return the zone of a VTIMEZONE, under a name made from its rules; None if it describes none.

    Zones whose clock changes twice in a week are none: no VTIMEZONE of ours says so.
    """
    try:
        parts = spelling(block)
    except Malformed:
        return None
    return _zone(tuple(part.name == "DAYLIGHT" for part in block.blocks), parts)


@lru_cache(maxsize=256)
def _zone(daylight: tuple[bool, ...], parts: tuple[Observance, ...]) -> Zone | None:
    try:
        changes = _changes(daylight, parts)
    except Malformed:
        return None
    eras = _eras(changes)
    return None if eras is None else own_zone(eras)


def _changes(daylight: tuple[bool, ...], parts: tuple[Observance, ...]) -> list[Change]:
    """Return every change; raise Malformed for none, or for too many."""
    found: list[Change] = []
    if len(parts) > MOST_PARTS:
        raise Malformed
    for saving, part in zip(daylight, parts, strict=True):
        for wall, before, after in changes_of(part):
            found.append((wall - before, before, after, saving))
            if len(found) > MOST_CHANGES:
                raise Malformed
    if not found or any(abs(offset) >= _DAY for _, *offsets, _ in found for offset in offsets):
        raise Malformed
    return sorted(found)


def _eras(changes: list[Change]) -> tuple[Era, ...] | None:
    """Return an era for each time between two changes from 1900 on; None if they are too short."""
    current = Period(changes[0][1] * SECOND, False)
    eras, last = [Era(None, current)], 0
    for instant, period in _turns(changes):
        if period == current or instant >= _LAST:
            continue
        if instant < _FIRST:
            eras = [Era(None, period)]
        elif len(eras) > 1 and instant - last < _WEEK:
            return None
        else:
            eras.append(Era(EPOCH + instant * SECOND + current.offset, period))
            last = instant
        current = period
    return tuple(eras)


def _turns(changes: list[Change]) -> Iterator[tuple[int, Period]]:
    return ((instant, Period(timedelta(seconds=after), saving)) for instant, _, after, saving in changes)


def _by_ending(name: str) -> Zone | None:
    """Return the zone whose name stands at the end of a longer one."""
    parts = name.strip().strip("/").split("/")
    endings = ("/".join(parts[-count:]) for count in (3, 2, 1) if count <= len(parts))
    return next((zone for ending in endings if (zone := named_zone(ending)) is not None), None)
