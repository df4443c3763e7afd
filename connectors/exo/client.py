"""Send requests to eXo's agenda and read its answers.

Paths and parameters follow the source code of the agenda's REST services (master of October 2024). A request
that is refused because of its content gives a 500 with "field:agenda.key"; another person's calendar gives a
401.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from connectors import json_answer
from connectors.accepted_logins import UNCONFIRMED
from connectors.exo.convert import Json
from connectors.exo.settings import AgendaSettings
from connectors.http.client import HttpAnswer, HttpClient
from connectors.http.dav_errors import GONE, item_error
from connectors.http.suspects import FAULT, Suspects, answers_well
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Transient

EVENTS = "/v1/agenda/events"
PEOPLE = "/v1/social/identities/organization/"
UTC = "UTC"
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}

_REASON = re.compile(rb'"?\w{1,60}:agenda\.\w{1,80}"?\s*')
_ITEM = frozenset({400, 405, 406, 409, 411, 413, 414, 415, 422})


@dataclass(frozen=True, slots=True)
class Habits:
    """Describe the requests to eXo; see `connectors.http.client.RequestHabits`."""

    writers: int = 1
    user_agent: str = "Kogge"


class AgendaClient:
    """Talk to the agenda of one person. Every method that asks may raise Transient and Blocked."""

    def __init__(self, settings: AgendaSettings, account: Account) -> None:
        self._client = HttpClient(settings, account, Habits())
        self._suspects = Suspects(str(self._client.origin))
        self._login = settings.user(account)
        self._base = urlsplit(settings.url).path.rstrip("/") + settings.rest
        self._person: Mapping[str, Any] | None = None

    @property
    def origin(self) -> str:
        """Return scheme, host and port."""
        return str(self._client.origin)

    @property
    def login(self) -> str:
        """Return the user name."""
        return self._login

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
        self._client.close()

    def trouble(self) -> str | None:
        """Return the code of the fault that the call under way met; see `SupportsTrouble`."""
        return self._client.trouble()

    def person(self) -> Mapping[str, Any]:
        """Return the account's owner as eXo states it; asks once.

        Raises:
            Blocked: "no-agenda-access".
        """
        if self._person is None:
            answer = self._look(self._own_page(), {})
            profile = self._json(answer) if answer.status not in GONE else {}
            if not isinstance(profile, dict) or not str(profile.get("id", "")).isalnum():
                raise Blocked(
                    "no-agenda-access", "nothing answers as eXo's agenda: correct url, rest or the login"
                )
            self._person = profile
        return self._person

    def within(self, start: str, end: str) -> list[Json]:
        """Return every event, and every occurrence of a series, of a span of time.

        Args:
            start: the first moment, as "2024-01-01T00:00:00Z".
            end: the last moment, in the same form.

        Raises:
            Transient: the retries are used up; "not-agenda", "reply-too-large".
            Blocked: "no-permission", "no-agenda-access".
        """
        owner = str(self.person()["id"])
        options = {"ownerIds": owner, "start": start, "end": end, "timeZoneId": UTC}
        return _events(self._json(self._look(EVENTS, options)), "events")

    def event(self, number: str) -> Json | None:
        """Return an event by its number; None when it does not exist."""
        answer = self._look(f"{EVENTS}/{number}", {"expand": "all", "timeZoneId": UTC})
        is_empty = answer.ok and answer.has_end and not answer.body.strip()
        return None if answer.status in GONE or is_empty else _event(self._json(answer))

    def changed(self, number: str) -> list[Json]:
        """Return the changed occurrences of a series."""
        path = f"{EVENTS}/{number}/exceptionalOccurrences"
        return _events(self._json(self._look(path, {"expand": "all", "timeZoneId": UTC})), "")

    def occurrence(self, number: str, moment: str) -> Json | None:
        """Return the occurrence of a series, as eXo expands it; None when there is none.

        Args:
            number: the number of the series.
            moment: the start of the occurrence, as "2024-01-01T00:00:00Z".

        Raises:
            Transient, Blocked: as in `within`.
        """
        path = f"{EVENTS}/occurrence/{number}/{quote(moment, safe='')}"
        answer = self._look(path, {"timeZoneId": UTC})
        return None if answer.status in GONE else _event(self._json(answer))

    def create(self, event: Json) -> str:
        """Create an event and return its number. Not idempotent.

        An event that certainly does not exist after a failure is sent again.

        Args:
            event: the event's JSON.

        Raises:
            Rejected: "refused-by-target" when the server refuses it.
            SuspectedError: the server fails at it, and it is to be written again after the others.
            Transient: the event may exist.
            Blocked: "no-permission".
        """
        mine = {**event, "calendar": {"owner": self._owner()}, "attendees": [self._attendee()]}
        body = json.dumps(mine).encode()
        patience = self._client.patience()
        suspicion = self._suspects.of(hashlib.sha256(body).digest(), self._is_well)
        while True:
            suspicion.sending()
            answer = self._ask("POST", EVENTS, {"timeZoneId": UTC}, JSON, body)
            if answer.ok:
                suspicion.carried_out()
                return str(_event(self._json(answer))["id"])
            error = _refusal(answer)
            if not isinstance(error, Transient) or self._may_exist(event):
                raise error
            if answer.status == FAULT and suspicion.failed():
                suspicion.judge(answer.words)
            suspicion.pause(patience, error)

    def rename(self, number: str, title: str) -> None:
        """Set an event's title, and nothing else: changed occurrences stay. Idempotent.

        Args:
            number: the number of the event.
            title: the new title.

        Raises:
            Transient: the outcome is unknown.
            Rejected, Blocked: the server refuses.
        """
        options = {"updateAllOccurrences": "false", "sendInvitations": "false", "timeZoneId": UTC}
        answer = self._ask(
            "PATCH", f"{EVENTS}/{number}", options, FORM, urlencode({"summary": title}).encode()
        )
        if not answer.ok:
            raise _refusal(answer)

    def delete(self, number: str) -> None:
        """Remove an event with all its changed occurrences. Idempotent.

        Args:
            number: the number of the event.

        Raises:
            Transient: the retries are used up; the event may be gone.
            Rejected, Blocked: the server refuses.
        """
        answer = self._client.patiently(lambda: self._ask_passing("DELETE", f"{EVENTS}/{number}"))
        if not answer.ok and answer.status not in GONE:
            raise _refusal(answer)

    # -- internals

    def _own_page(self) -> str:
        return PEOPLE + quote(self._login, safe="")

    def _owner(self) -> Json:
        return {"providerId": "organization", "remoteId": self._login}

    def _attendee(self) -> Json:
        """Return the owner as attendee: eXo shows people what they take part in. No one else is invited."""
        return {"identity": self._owner(), "response": "ACCEPTED"}

    def _is_well(self) -> bool:
        """Return True if the server says at once who the owner is."""
        return answers_well(lambda: self._ask("GET", self._own_page(), {}, {"Accept": "application/json"}))

    def _may_exist(self, event: Json) -> bool:
        """Return True if an event of this title begins at the same time; then the ledger must decide."""
        first = str(event["start"])
        zone = "" if event["allDay"] else event["timeZoneId"]
        options = {"ownerIds": str(self.person()["id"]), "timeZoneId": zone or UTC}
        options |= {"start": f"{first[:10]}T00:00:00", "end": f"{first[:10]}T23:59:59"}
        same_day = _events(self._json(self._look(EVENTS, options)), "events")
        return any(other.get("summary") == event["summary"] for other in same_day)

    def _look(self, path: str, options: Mapping[str, str]) -> HttpAnswer:
        """Send a request that changes nothing, with retries."""
        return self._client.patiently(lambda: self._ask_passing("GET", path, options))

    def _ask_passing(self, method: str, path: str, options: Mapping[str, str] | None = None) -> HttpAnswer:
        """Send one request; raise the error of a fault that passes."""
        answer = self._ask(method, path, options or {"timeZoneId": UTC}, {"Accept": "application/json"})
        error = _refusal(answer) if not answer.ok and answer.status not in GONE else None
        if isinstance(error, Transient):
            raise error
        return answer

    def _ask(
        self,
        method: str,
        path: str,
        options: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> HttpAnswer:
        """Send one request."""
        query = f"?{urlencode(options)}" if options else ""
        try:
            return self._client.ask(method, self._base + path + query, headers, body)
        except (Blocked, Transient) as error:
            if error.code in {"login-refused", UNCONFIRMED} and self._person is not None:
                raise Blocked(
                    "no-permission", "the server lets this account write into no calendar"
                ) from None
            raise

    def _json(self, answer: HttpAnswer) -> object:
        if not answer.ok:
            raise _refusal(answer)
        try:
            return json_answer.read(answer.body)
        except ValueError:
            raise Transient("not-agenda", "something answered that is not eXo's agenda") from None


def _refusal(answer: HttpAnswer) -> MigrationError:
    if answer.status in _ITEM or (answer.status == 500 and _REASON.fullmatch(answer.body)):
        return item_error(answer.status).quoting(answer.words)
    return answer.error()


def _events(content: object, name: str) -> list[Json]:
    """Return the events of an answer."""
    rows = content.get(name) if name and isinstance(content, dict) else content
    return [_event(row) for row in rows] if isinstance(rows, list) else []


def _event(value: object) -> Json:
    """Check that a value is an event."""
    if not isinstance(value, dict) or "id" not in value:
        raise Transient("not-agenda", "something answered that is not eXo's agenda")
    return value
