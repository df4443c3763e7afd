"""Open the two accounts of an invitation probe, over CalDAV.

Of the host's account the calendar is used; of the guest's, every calendar and the scheduling inbox.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from caldav.elements import cdav, dav

from connectors.caldav import principal as dav_account
from connectors.caldav.collections import Collections
from connectors.caldav.discovery import MOST, CaldavLibrary, Properties
from connectors.caldav.principal import Principal
from connectors.caldav.product import Profile
from connectors.caldav.products import PROFILES
from connectors.caldav.settings import DavSettings
from connectors.caldav.xml_elements import DAV, texts
from connectors.http.client import HttpAnswer, HttpClient
from connectors.http.dav_errors import BUSY, GONE
from connectors.http.hrefs import child
from connectors.http.rate_limit import NO_BUDGET, RequestBudget
from connectors.settings import Account
from engine.preflight.invitation_probe import News
from model.errors import Blocked
from model.kinds import Kind

CONTENT = {"Content-Type": "text/calendar; charset=utf-8"}
FULLEST = MOST - 1


def _unguarded() -> None:
    """Do nothing: the accounts of a probe are no migrated mailboxes, so no lease covers them."""


@dataclass(slots=True)
class Desk:
    """Access one account's calendars. Only close() is thread-safe.

    Attributes:
        settings: the settings of the server.
        account: the account.
        role: who the account is in a probe, "host" or "guest".
        budget: asked before each request.
        client: the HTTP client.
        library: the CalDAV library.
    """

    settings: DavSettings
    account: Account
    role: str = "host"
    budget: RequestBudget = NO_BUDGET
    client: HttpClient = field(init=False)
    library: CaldavLibrary = field(init=False)
    _principal: Principal | None = field(default=None, init=False)
    _inboxes: list[str] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.client = HttpClient(self.settings, self.account, self.profile, budget=self.budget)
        self.library = CaldavLibrary(self.client)

    @property
    def name(self) -> str:
        """Which server and account it is, for people."""
        return f"calendar server, account of the {self.role}"

    @property
    def profile(self) -> Profile:
        """The data about the product."""
        return PROFILES[self.settings.profile]

    def principal(self) -> Principal:
        """Return the principal of the account; the server is asked once."""
        if self._principal is None:
            self._principal = dav_account.principal(
                self.library, self.client, self.settings.url, Kind.CALENDAR
            )
        return self._principal

    def calendars(self) -> list[str]:
        """Return the paths of the account's own calendars for events, the default one first."""
        containers = Collections(
            self.library, self.client, self.profile, self.principal(), Kind.CALENDAR, _unguarded
        ).containers()
        own_calendars = [entry for entry in containers if entry.omit is None and not entry.readonly]
        return [candidate.id for candidate in sorted(own_calendars, key=lambda entry: entry.role is None)]

    def inboxes(self) -> list[str]:
        """Return the path of the scheduling inbox; nothing if the server has none.

        Source:
            RFC 6638 section 2.2.
        """
        if self._inboxes is None:
            own = self.principal().path
            resources = self.library.propfind(own, (cdav.ScheduleInboxURL,)).resources[:1]
            hrefs = [
                text for each in resources for text in texts(each.properties.get(cdav.ScheduleInboxURL.tag))
            ]
            paths = [self.client.origin.path(href, own) for href in hrefs]
            self._inboxes = [path for path in paths if path is not None]
        return self._inboxes

    def listed(self, collection: str) -> dict[str, str]:
        """Return the ETag by path of everything in a collection.

        Raises:
            Blocked: `probe-account-full`.
        """
        tree = self.library.propfind(collection, (dav.GetEtag, dav.ResourceType), 1)
        if tree.status != 207:
            raise HttpAnswer(tree.status, {}).error()
        if len(tree.resources) > FULLEST:
            raise Blocked("probe-account-full", "an account for invitation probes holds next to nothing")
        return {
            resource.path: resource.text(dav.GetEtag.tag)
            for resource in tree.resources
            if child(collection, resource.path) is not None and not _is_collection(resource.properties)
        }

    def text(self, path: str) -> str:
        """Return the text of an object, unfolded; "" if it no longer exists."""
        answer = self.client.look("GET", path, {"Accept": "text/calendar"})
        body = answer.body.decode("utf-8", "replace") if answer.ok else ""
        return body.replace("\r\n ", "").replace("\n ", "")

    def delete(self, path: str, *, quiet: bool) -> None:
        """Delete an object. Idempotent: an object that does not exist is a success.

        Args:
            path: the path of the object.
            quiet: True to delete in Kogge's way, False as any client.

        Raises:
            Transient: if the server is busy; the object may be gone.
            Blocked: `probe-refused` if the server refuses.
        """
        headers = self.profile.delete if quiet else {}
        answer = self.client.patiently(lambda: _raise_passing(self.client.ask("DELETE", path, headers)))
        if not answer.ok and answer.status not in GONE:
            raise _refusal(answer)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


def _is_collection(properties: Properties) -> bool:
    kind = properties.get(dav.ResourceType.tag)
    return kind is not None and kind.find(f"{DAV}collection") is not None


@dataclass(slots=True)
class CalendarHost:
    """Write to the account that invites; implements engine.preflight.invitation_probe.Host.

    Its methods raise Blocked: `probe-refused` if its calendar takes no meeting, `no-calendar` if it has none.
    """

    desk: Desk
    _calendar: str | None = None

    @property
    def name(self) -> str:
        """Which server and account it is, for people."""
        return self.desk.name

    @property
    def address(self) -> str:
        """The organizer as the server calls it, if it does; else the configured address."""
        stated = self.desk.principal().addresses
        configured = self.desk.account.address.lower()
        return configured if configured in stated or not stated else min(stated)

    @property
    def silent_agent(self) -> bool:
        """True if Kogge writes SCHEDULE-AGENT=CLIENT there."""
        return self.desk.settings.silent_agent or self.desk.profile.silent_agent

    def write(self, name: str, body: bytes, *, quiet: bool) -> None:
        """Create or replace one object, see Host.write."""
        path = self._path() + name
        client = self.desk.client
        silence = self.desk.profile.put if quiet else {}

        def attempt() -> HttpAnswer:
            existing = client.look("GET", path)
            tag = existing.headers.get("etag") or "*"
            condition = {"If-Match": tag} if existing.ok else {"If-None-Match": "*"}
            return _raise_passing(client.ask("PUT", path, {**CONTENT, **condition, **silence}, body))

        answer = client.patiently(attempt)
        if not answer.ok:
            raise _refusal(answer)

    def remove(self, name: str, *, quiet: bool) -> None:
        """Remove one object, see Host.remove."""
        self.desk.delete(self._path() + name, quiet=quiet)

    def _path(self) -> str:
        if self._calendar is None:
            calendars = self.desk.calendars()
            if not calendars:
                raise Blocked("no-calendar", "the probe's account has no calendar")
            self._calendar = calendars[0]
        return self._calendar


@dataclass(slots=True)
class CalendarWatch:
    """Watch the calendars and the inbox of the invited account; implements InvitationChannel."""

    desk: Desk
    _known: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Note what exists now."""
        self._known = {path: tag for _, path, tag in self._all()}

    @property
    def name(self) -> str:
        """Which server and account it is, for people."""
        return self.desk.name

    def noted(self) -> str:
        """Return the ETag of everything that was seen, as JSON."""
        return json.dumps(self._known)

    def go_on(self, noted: str) -> None:
        """Take over what the channel of an earlier process noted."""
        self._known = dict(json.loads(noted))

    def news(self) -> list[News]:
        """Return what appeared or changed since start() or the last call that did not raise."""
        found = list(self._all())
        new = [
            News(where, self.desk.text(path)) for where, path, tag in found if self._known.get(path) != tag
        ]
        self._known = {path: tag for _, path, tag in found}
        return new

    def tidy(self, mark: str) -> None:
        """Remove, silently, the objects whose text has the mark."""
        for _, path, _ in list(self._all()):
            if mark in self.desk.text(path):
                self.desk.delete(path, quiet=True)

    def _all(self) -> Iterator[tuple[str, str, str]]:
        """Yield place, path and ETag of everything, also in calendars that appear meanwhile."""
        places = [("calendar", calendar) for calendar in self.desk.calendars()]
        places += [("inbox", inbox) for inbox in self.desk.inboxes()]
        for where, collection in places:
            for path, tag in self.desk.listed(collection).items():
                yield where, path, tag


def _raise_passing(answer: HttpAnswer) -> HttpAnswer:
    """Return the answer; raise Transient if the fault may pass."""
    error = answer.error() if answer.status in BUSY else None
    if error is not None:
        raise error
    return answer


def _refusal(answer: HttpAnswer) -> Blocked:
    error = answer.error()
    if isinstance(error, Blocked) and error.code != "server-refuses":
        return error
    return Blocked("probe-refused", f"the server answered HTTP {answer.status} to the probe's meeting")
