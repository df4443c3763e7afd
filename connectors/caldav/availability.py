"""Keep when a person is available as the property of their scheduling inbox: calendar-availability.

Source:
    RFC 7953, section 7.2.4 (CALDAV:calendar-availability) and 7.1 (the word of the DAV header);
    recordings of Nextcloud 32.0.1
"""

from __future__ import annotations

from typing import Final

from connectors.caldav import principal
from connectors.caldav import xml_elements as elements
from connectors.caldav.discovery import CaldavLibrary
from connectors.caldav.products import PROFILES
from connectors.caldav.settings import DavSettings
from connectors.http.client import HttpAnswer, HttpClient, passing
from connectors.http.hrefs import folder
from connectors.http.multistatus import Garbage
from connectors.http.rate_limit import NO_BUDGET, RequestBudget
from connectors.settings import Account
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Guard

FEATURE: Final = "calendar-availability"
NOT_KEPT: Final = "hours-not-at-target"
_XML: Final = {"Content-Type": "application/xml; charset=utf-8"}


class DavAvailability:
    """Keep one property of the scheduling inbox. Implements `model.working_hours.AvailabilityStore`."""

    def __init__(
        self, settings: DavSettings, account: Account, guard: Guard, *, budget: RequestBudget = NO_BUDGET
    ) -> None:
        """Prepare; the server is not asked before the first call.

        Args:
            settings: the server's settings.
            account: the account to open.
            guard: the write fence; called before each change.
            budget: asked before each request.
        """
        self._url = settings.url
        self._guard = guard
        self._client = HttpClient(settings, account, PROFILES[settings.profile], budget=budget)
        self._library = CaldavLibrary(self._client)
        self._inbox: str | None = None

    def text(self) -> bytes | None:
        """Return the property; see `model.working_hours.AvailabilityStore.text`."""
        inbox = self._scheduling_inbox()
        answer = self._library.propfind(inbox, (elements.Availability,))
        if answer.status != 207:
            raise answer.error()
        own = next((one for one in answer.resources if folder(one.path) == inbox), None)
        if own is None:
            raise Garbage  # an answer about something else does not say that there is none
        tag = str(elements.Availability.tag)
        if tag in own.untold:
            raise Rejected(NOT_KEPT, "the server does not tell them")
        return own.text(tag).encode() or None

    def keep(self, text: bytes) -> None:
        """Set the property; see `model.working_hours.AvailabilityStore.keep`."""
        self._change(elements.keep_availability(text.decode()))

    def remove(self) -> None:
        """Remove the property; see `model.working_hours.AvailabilityStore.remove`."""
        self._change(elements.remove_availability())

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
        self._client.close()

    # -- internals

    def _scheduling_inbox(self) -> str:
        """Return the path of the scheduling inbox, of a server that says that it keeps the property."""
        if self._inbox is None:
            found = principal.principal(self._library, self._client, self._url, Kind.CALENDAR)
            if found.inbox is None:
                raise Rejected(NOT_KEPT, "the server has no scheduling inbox")
            answer = self._client.look("OPTIONS", found.inbox)
            words = answer.headers.get("dav", "").split(",")
            if FEATURE not in {word.strip().lower() for word in words}:
                raise Rejected(NOT_KEPT, "the server does not say that it keeps them")
            self._inbox = found.inbox
        return self._inbox

    def _change(self, body: bytes) -> None:
        """Send a change, which is the same if it is sent twice."""
        inbox = self._scheduling_inbox()

        def attempt() -> HttpAnswer:
            self._guard()
            return passing(self._client.ask("PROPPATCH", inbox, _XML, body))

        answer = self._client.patiently(attempt)
        if not answer.ok:
            raise Rejected(NOT_KEPT, "the server does not keep them").quoting(answer.words)
