"""A practice eXo Platform for calendars, in a thread of this process: the REST services of its agenda.

with ExoAgenda(["anna"]) as exo:
    exo.url            # http://127.0.0.1:PORT
    exo.agenda.events  # what is there, everybody's
    exo.agenda.mails   # whom it told of what; empty where nobody notices
    exo.requests

Logins are Basic with USER_PASSWORD. Nobody writes into another one's calendar: 401. What is refused because
of what was sent is 500 with "field:agenda.key". The same event twice is two events. Layers stand in front, as
those of practice.dav.proxy: servers.dav.faults among them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from urllib.parse import parse_qs, parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import httpx

from practice.dav.proxy import Fronted, Layer, Reply, Request, reply, stack
from practice.nextcloud.files import FilesHandler
from servers.exo.events import Agenda, Json, Refused, window

USER_PASSWORD = "userpw"
REST = "/rest/private"
EVENTS = f"{REST}/v1/agenda/events"
PEOPLE = f"{REST}/v1/social/identities/organization/"
FIELDS = {"summary", "description", "location", "color"}


class ExoAgenda(Fronted):
    """See the module. The layers may be replaced while it runs."""

    def __init__(self, users: Iterable[str]) -> None:
        self.agenda = Agenda({user: str(number) for number, user in enumerate(users, 7)})
        self.layers: tuple[Layer, ...] = ()
        self.requests: list[Request] = []
        self.user_password = USER_PASSWORD
        self._lock = threading.RLock()
        super().__init__(FilesHandler)

    def answer(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
        return stack(self.layers, self._answered)(request)

    # -- internals

    def _answered(self, request: Request) -> Reply:
        user = request.user
        if user not in self.agenda.people or not _proven(request, self.user_password):
            return Reply(401, httpx.Headers({"WWW-Authenticate": 'Basic realm="exo"'}))
        try:
            with self._lock:
                told = self._routed(str(user), request)
        except Refused as refused:
            return reply(refused.status, refused.words)
        return reply(200, json.dumps(told), kind="application/json")

    def _routed(self, user: str, request: Request) -> object:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(request.target).query).items()}
        zone = ZoneInfo(asked.get("timeZoneId", "UTC"))
        if request.path.startswith(PEOPLE) and request.method == "GET":
            return self._person(request.path.removeprefix(PEOPLE))
        if request.path == EVENTS:
            return self._collection(user, request, asked, zone)
        if request.path.startswith(f"{EVENTS}/"):
            return self._one(user, request, request.path.removeprefix(f"{EVENTS}/").split("/"), zone)
        raise Refused(404)

    def _person(self, name: str) -> Json:
        if name not in self.agenda.people:
            raise Refused(404)
        email = name if "@" in name else f"{name}@example.org"
        return {"id": self.agenda.people[name], "remoteId": name, "profile": {"email": email}}

    def _collection(self, user: str, request: Request, asked: dict[str, str], zone: ZoneInfo) -> object:
        agenda = self.agenda
        if request.method == "GET":
            if not asked.get("start") or not asked.get("timeZoneId"):
                raise Refused(400, "Start datetime is mandatory")
            if asked.get("ownerIds") != agenda.people[user]:
                raise Refused(401)
            start, end = (window(asked[name], zone) for name in ("start", "end"))
            return {"events": agenda.listed(user, start, end, zone)}
        told = json.loads(request.body)
        if request.method == "POST":
            return agenda.shown(agenda.create(user, told), zone)
        if request.method == "PUT":
            return agenda.shown(agenda.replace(user, told), zone)
        raise Refused(405)

    def _one(self, user: str, request: Request, names: list[str], zone: ZoneInfo) -> object:
        agenda = self.agenda
        if names[0] == "occurrence":
            kept = agenda.mine(user, int(names[1]))
            return agenda.occurrence(kept, window(names[2], ZoneInfo("UTC")), zone)
        kept = agenda.mine(user, int(names[0]))
        if names[1:] == ["exceptionalOccurrences"]:
            return [agenda.shown(one, zone) for one in agenda.beside(kept.number)]
        if request.method == "DELETE":
            return agenda.shown(agenda.remove(user, kept.number), zone)
        if request.method == "PATCH":
            fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
            if not fields or fields.keys() - FIELDS:
                raise Refused(500, "event:agenda.eventFieldsMandatory")
            kept.told.update(fields)
        return agenda.shown(kept, zone)


def _proven(request: Request, password: str) -> bool:
    expected = httpx.BasicAuth(str(request.user), password)
    made = next(expected.auth_flow(httpx.Request("GET", "http://localhost")))
    return str(request.headers.get("authorization")) == made.headers["authorization"]
