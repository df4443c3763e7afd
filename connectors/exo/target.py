"""Write to a person's calendar in eXo's agenda, over its REST services.

eXo has no UIDs, does not distinguish equal events, and takes no conditional writes. Before an event is
written, only its meaning identifies it: the owner of the ledger settles a write whose reply was lost, with
listing() and read(). A series with changed or deleted occurrences is several events. Until the last of them
exists, its title is a temporary one, so that an incomplete series can be recognized and is created again the
next time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import BinaryIO

from connectors.exo import convert
from connectors.exo.client import AgendaClient
from connectors.exo.convert import Json, Sheet
from connectors.exo.settings import AgendaSettings
from connectors.http.suspects import PutAside, SuspectedError, suspects_last
from connectors.settings import Account
from connectors.spool import bytes_body
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.event_limits import EventLimits
from model.kinds import Kind
from model.protocols import (
    Amendment,
    Capabilities,
    Container,
    Failed,
    Guard,
    Identity,
    Item,
    Listed,
    Native,
    Ref,
    Role,
    Stored,
    key_of,
)

__all__ = ["AgendaSettings", "AgendaTarget"]

CALENDAR = "agenda"
TITLE, PLACE, TEXT, LINK = 2000, 2000, 60_000, 500
"""Lengths of its database columns; the text's column holds 65,535 bytes in MySQL."""

YEARS = (1601, *range(1990, 2042), 2100, 4501)
"""The limits of the spans that are listed one by one: eXo lists a series occurrence by occurrence."""

DAY = timedelta(days=1)
LONGEST_ADDRESS = 320


class AgendaTarget:
    """Write events to one person's calendar.

    Implements `model.protocols.Target` and, of `model.optional_protocols`, Schedules and SupportsServerInfo.
    An item's href is the number that eXo gave its event or its series.
    """

    def __init__(
        self,
        settings: AgendaSettings,
        account: Account,
        guard: Guard,
        *,
        digest: Callable[[BinaryIO], bytes],
        live: bool = False,
    ) -> None:
        """Prepare the target; the server is not asked before the first call.

        Args:
            settings: the server's settings.
            account: the account to log in as.
            guard: the write fence; called before each change.
            digest: returns what a body means.
            live: True in the live phase: write only adds.
        """
        self._settings = settings
        self._guard = guard
        self._digest = digest
        self._live = live
        self._client = AgendaClient(settings, account)

    @property
    def capabilities(self) -> Capabilities:
        """Return what the server can do. Asks nothing."""
        return Capabilities(
            kinds=frozenset({Kind.CALENDAR}),
            batch=self._settings.batch_items,
            batch_bytes=self._settings.batch_bytes,
            keywords=False,
            separator="",
            events=EventLimits(self._settings.zone, TITLE, PLACE, TEXT, LINK),
            facts=self.server(),
        )

    def silence(self) -> str:
        """Return "never-sends": an event names only its owner, whom eXo does not inform of own changes."""
        return "never-sends"

    def server(self) -> Mapping[str, str]:
        """Return what a preflight shows."""
        return {"profile": "exo-agenda", "zone": self._settings.zone}

    def identity(self) -> Identity:
        """Return who owns the account: a hash of the server and eXo's own id."""
        person = self._client.person()
        profile = person.get("profile")
        email = profile.get("email") if isinstance(profile, dict) else None
        plain = (
            isinstance(email, str) and "@" in email and len(email) <= LONGEST_ADDRESS and email.isprintable()
        )
        addresses = frozenset({str(email).lower()} if plain else ())
        text = f"{self._client.origin}\n{person['id']}"
        id_ = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        return Identity("exo", id_, addresses, self_stated=bool(addresses))  # people edit their own profile

    def containers(self) -> Iterator[Container]:
        """List the one calendar."""
        self._client.person()
        yield Container(Kind.CALENDAR, CALENDAR, (CALENDAR,), Role.CALENDAR)

    def ensure(self, container: Container) -> str:
        """Return the one calendar, which takes all items."""
        del container
        self._guard()
        return CALENDAR

    def rename(self, href: str, container: Container) -> str:
        """Refuse: the calendar cannot be renamed.

        Args:
            href: ignored.
            container: ignored.

        Raises:
            Rejected: "one-calendar".
            Blocked: "live-phase".
        """
        del href, container
        self._refuse_when_live()
        self._guard()
        raise Rejected("one-calendar", "a person's calendar has no name of its own")

    def position(self, href: str) -> str:
        """Return ":0", because hrefs have no useful order."""
        del href
        self._client.person()
        return ":0"

    def place(self, key: bytes) -> str | None:
        """Return None, because eXo numbers its events."""
        del key
        return None

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        """Write events; see `model.protocols.Target.write`. May have written any of them even if it raises.

        An incomplete series of an interrupted attempt is removed first, also in the live phase. Rejected
        codes: empty-message, too-large, refused-by-target.

        Raises:
            Blocked: "no-permission".
        """
        del href
        return suspects_last(items, lambda some: map(self._write_one, some))

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        """Check that events exist; idempotent; refused in the live phase.

        Events have no flags: any flag is Rejected("flag-not-allowed"); an empty set is what they have.

        Args:
            href: ignored: there is one calendar.
            changes: the events with their new flags.

        Raises:
            Blocked: "live-phase".
            LeaseLost: the guard refuses.
        """
        del href
        self._refuse_when_live()
        return (self._amend_one(change) for change in changes)

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        """List what eXo shows; see `model.protocols.Target.listing`.

        eXo shows no completely deleted series, and nothing that its owner made tentative. `since` has no
        effect.
        """
        del href, since
        numbers: set[str] = set()
        for start, end in _spans():
            for event in self._within(start, end):
                number = _number(event)
                if number not in numbers:
                    numbers.add(number)
                    yield Listed(href=number, size=0)

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        """Read events back; see `model.protocols.Target.read`."""
        del href
        for number in hrefs:
            try:
                body = self._body(number)
                yield number, Native(Ref(number, "", size=len(body)), "icalendar", {}, bytes_body(body))
            except Rejected as error:
                yield number, Failed(key_of(number), error)

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        """Remove events; idempotent; refused in the live phase.

        Args:
            href: ignored: there is one calendar.
            stored: the events as they were written.

        Yields:
            One result per event. Rejected("changed-at-target") for an event whose meaning changed.

        Raises:
            Blocked: "live-phase".
            LeaseLost: the guard refuses.
        """
        del href
        self._refuse_when_live()
        return (self._remove_one(event) for event in stored)

    def label(self, labels: Mapping[str, str]) -> bool:
        """Return False: eXo has no categories."""
        del labels
        return False

    def trouble(self) -> str | None:
        """Return the code of the fault that the call under way met; see `SupportsTrouble`."""
        return self._client.trouble()

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
        self._client.close()

    # -- internals

    def _refuse_when_live(self) -> None:
        if self._live:
            raise Blocked("live-phase", "the user works there now: only new items are added")

    def _write_one(self, item: Item) -> Stored | Failed | PutAside:
        """Write one event."""
        try:
            with item.body() as stream:
                sheet = convert.sheet(stream.read())
            self._guard()
            return Stored(item.key, self._create(item.key, sheet))
        except Rejected as error:
            return Failed(item.key, error)
        except SuspectedError:
            return PutAside(item)

    def _create(self, key: bytes, sheet: Sheet) -> str:
        if not sheet.changed:
            return self._client.create(sheet.event)
        staged = f"kogge-{key.hex()}"
        self._clear(sheet, staged)
        number = self._client.create({**sheet.event, "summary": staged})
        try:
            for changed in sheet.changed:
                self._guard()
                self._client.create({**changed, "parent": {"id": int(number)}})
            self._guard()
        except (Rejected, SuspectedError):
            self._client.delete(number)
            raise
        self._client.rename(number, str(sheet.event["summary"]))
        return number

    def _clear(self, sheet: Sheet, staged: str) -> None:
        """Remove what an interrupted attempt left of a series, wherever a part of it would be visible."""
        for day in sheet.shown:
            for event in self._within(day - 2 * DAY, day + 3 * DAY):
                series = event.get("parent") or event
                if isinstance(series, dict) and series.get("summary") == staged:
                    self._client.delete(_number(event))

    def _within(self, start: date, end: date) -> Iterator[Json]:
        """Yield the events of a span; an answer that is too large is asked for in halves."""
        try:
            yield from self._client.within(f"{start}T00:00:00Z", f"{end}T00:00:00Z")
        except Transient as error:
            middle = start + (end - start) / 2
            if error.code != "reply-too-large" or not start < middle < end:
                raise
            yield from self._within(start, middle)
            yield from self._within(middle, end)

    def _body(self, number: str) -> bytes:
        """Return an event as iCalendar; raise Rejected("vanished", "malformed-calendar")."""
        event = self._client.event(number)
        if event is None:
            raise Rejected("vanished", "no longer at the target")
        if not event.get("recurrence"):
            return convert.calendar(event, (), "UTC")
        changed = self._client.changed(number)
        return convert.calendar(event, changed, self._zone(number, event, changed))

    def _zone(self, number: str, event: Json, changed: list[Json]) -> str:
        """Return the zone of a series: ours, or UTC where eXo has an occurrence at another time."""
        zone = self._settings.zone
        probe = None if event.get("allDay") else convert.probe(event, changed, zone)
        if probe is None:
            return zone
        existing = self._client.occurrence(number, f"{probe:%Y-%m-%dT%H:%M:%S}Z")
        try:
            return zone if existing is not None and convert.start(existing) == probe else "UTC"
        except (KeyError, ValueError, OverflowError):
            raise Rejected("malformed-calendar", "the target tells an event that makes no sense") from None

    def _amend_one(self, change: Amendment) -> Stored | Failed:
        """Check one event."""
        self._guard()
        if change.flags:
            return Failed(change.stored.key, Rejected("flag-not-allowed", "events have no flags"))
        exists = self._client.event(change.stored.href) is not None
        return change.stored if exists else Failed(change.stored.key, Rejected("vanished"))

    def _remove_one(self, stored: Stored) -> Stored | Failed:
        self._guard()
        try:
            body = self._body(stored.href)
            if stored.digest and self._digest(bytes_body(body)()) != stored.digest:
                raise Rejected("changed-at-target", "its owner changed it since")
        except Rejected as error:
            return stored if error.code == "vanished" else _failed(stored, error)
        self._client.delete(stored.href)
        return stored


def _failed(stored: Stored, error: MigrationError) -> Failed:
    return Failed(stored.key, error)


def _number(event: Json) -> str:
    """Return the number of the series that an occurrence belongs to, or of the event itself."""
    parent = event.get("parent")
    return str(parent["id"]) if isinstance(parent, dict) and parent.get("id") else str(event["id"])


def _spans() -> Iterator[tuple[date, date]]:
    return ((date(start, 1, 1), date(end, 1, 1)) for start, end in pairwise(YEARS))
