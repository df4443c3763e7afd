"""Requests to eXo's agenda, and what its answers mean.

Paths and parameters are of the agenda's REST services, as its source has them (master of October 2024). What
is refused because of what was sent is 500 with "field:agenda.key"; a calendar of somebody else's is 401.
"""

from __future__ import annotations

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
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Rejected, Transient

EVENTS = "/v1/agenda/events"
PEOPLE = "/v1/social/identities/organization/"
UTC = "UTC"
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
ROUNDS = 4
"""Answers 500 without a reason, in a row, before the event itself is suspected."""

_REASON = re.compile(rb'"?\w{1,60}:agenda\.\w{1,80}"?\s*')
_ITEM = frozenset({400, 405, 406, 409, 411, 413, 414, 415, 422})


@dataclass(frozen=True, slots=True)
class Habits:
    writers: int = 1
    user_agent: str = "Kogge"


class AgendaWire:
    """One person's conversation. Methods that ask may raise Transient and Blocked."""

    def __init__(self, settings: AgendaSettings, account: Account) -> None:
        self._client = HttpClient(settings, account, Habits())
        self._login = settings.user(account)
        self._base = urlsplit(settings.url).path.rstrip("/") + settings.rest
        self._person: Mapping[str, Any] | None = None

    @property
    def origin(self) -> str:
        return str(self._client.origin)

    @property
    def login(self) -> str:
        return self._login

    def close(self) -> None:
        self._client.close()

    def person(self) -> Mapping[str, Any]:
        """Who the account's owner is, by eXo's own word; asked once. Raises Blocked("no-agenda-access")."""
        if self._person is None:
            answer = self._look(PEOPLE + quote(self._login, safe=""), {})
            found = self._json(answer) if answer.status not in GONE else {}
            if not isinstance(found, dict) or not str(found.get("id", "")).isalnum():
                raise Blocked(
                    "no-agenda-access", "nothing answers as eXo's agenda: correct url, rest or the login"
                )
            self._person = found
        return self._person

    def within(self, start: str, end: str) -> list[Json]:
        """Every event, and every occurrence of a series, of a span of time in UTC."""
        owner = str(self.person()["id"])
        asked = {"ownerIds": owner, "start": start, "end": end, "timeZoneId": UTC}
        return _events(self._json(self._look(EVENTS, asked)), "events")

    def event(self, number: str) -> Json | None:
        """None: it is not there."""
        answer = self._look(f"{EVENTS}/{number}", {"expand": "all", "timeZoneId": UTC})
        return None if answer.status in GONE or not answer.body.strip() else _event(self._json(answer))

    def changed(self, number: str) -> list[Json]:
        """What stands beside a series."""
        path = f"{EVENTS}/{number}/exceptionalOccurrences"
        return _events(self._json(self._look(path, {"expand": "all", "timeZoneId": UTC})), "")

    def occurrence(self, number: str, moment: str) -> Json | None:
        """What eXo makes of a series on that day."""
        path = f"{EVENTS}/occurrence/{number}/{quote(moment, safe='')}"
        answer = self._look(path, {"timeZoneId": UTC})
        return None if answer.status in GONE else _event(self._json(answer))

    def create(self, event: Json) -> str:
        """The number it has now. Raises Rejected when it is refused, and Transient whenever it may be there
        all the same; what is certainly not there is tried again."""
        mine = {**event, "calendar": {"owner": self._owner()}, "attendees": [self._attendee()]}
        body = json.dumps(mine).encode()
        patience = self._client.patience()
        for _ in range(ROUNDS):
            answer = self._ask("POST", EVENTS, {"timeZoneId": UTC}, JSON, body)
            if answer.ok:
                return str(_event(self._json(answer))["id"])
            error = _refusal(answer)
            if not isinstance(error, Transient) or self._may_be_there(event):
                raise error
            patience.pause(error)
        raise Rejected("refused-by-target", "the server fails whenever it is asked to keep this one")

    def rename(self, number: str, title: str) -> None:
        """Sets an event's title, and nothing else: what stands beside a series stays."""
        asked = {"updateAllOccurrences": "false", "sendInvitations": "false", "timeZoneId": UTC}
        answer = self._ask("PATCH", f"{EVENTS}/{number}", asked, FORM, urlencode({"summary": title}).encode())
        if not answer.ok:
            raise _refusal(answer)

    def delete(self, number: str) -> None:
        """At once, with all that stands beside it; one that is gone is none the less gone."""
        answer = self._client.patiently(lambda: self._passing("DELETE", f"{EVENTS}/{number}"))
        if not answer.ok and answer.status not in GONE:
            raise _refusal(answer)

    # -- internals

    def _owner(self) -> Json:
        return {"providerId": "organization", "remoteId": self._login}

    def _attendee(self) -> Json:
        """eXo shows people what they take part in. Nobody else ever does: there is nobody to invite."""
        return {"identity": self._owner(), "response": "ACCEPTED"}

    def _may_be_there(self, event: Json) -> bool:
        """Whether something of this title begins where it would: then the ledger must say whose it is."""
        first = str(event["start"])
        zone = "" if event["allDay"] else event["timeZoneId"]
        asked = {"ownerIds": str(self.person()["id"]), "timeZoneId": zone or UTC}
        asked |= {"start": f"{first[:10]}T00:00:00", "end": f"{first[:10]}T23:59:59"}
        found = _events(self._json(self._look(EVENTS, asked)), "events")
        return any(one.get("summary") == event["summary"] for one in found)

    def _look(self, path: str, asked: Mapping[str, str]) -> HttpAnswer:
        return self._client.patiently(lambda: self._passing("GET", path, asked))

    def _passing(self, method: str, path: str, asked: Mapping[str, str] | None = None) -> HttpAnswer:
        answer = self._ask(method, path, asked or {"timeZoneId": UTC}, {"Accept": "application/json"})
        error = _refusal(answer) if not answer.ok and answer.status not in GONE else None
        if isinstance(error, Transient):
            raise error
        return answer

    def _ask(
        self, method: str, path: str, asked: Mapping[str, str], headers: Mapping[str, str], body: bytes = b""
    ) -> HttpAnswer:
        query = f"?{urlencode(asked)}" if asked else ""
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
        return item_error(answer.status).said(answer.words)
    return answer.error()


def _events(told: object, name: str) -> list[Json]:
    found = told.get(name) if name and isinstance(told, dict) else told
    return [_event(one) for one in found] if isinstance(found, list) else []


def _event(told: object) -> Json:
    if not isinstance(told, dict) or "id" not in told:
        raise Transient("not-agenda", "something answered that is not eXo's agenda")
    return told
