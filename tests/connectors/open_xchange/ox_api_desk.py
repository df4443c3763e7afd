"""What the tests of the HTTP API work with: an account on a practice Open-Xchange, opened with its API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import httpx
from servers.open_xchange.server import OpenXchangeServer
from servers.smtp_sink import SmtpSink

from connectors.caldav.principal import Principal
from connectors.caldav.products import PROFILES
from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.open_xchange.client import ApiClient
from connectors.open_xchange.target import OpenXchangeTarget
from connectors.settings import Account
from mappings.registry import ITEM_FORMS
from model.kinds import Kind
from model.protocols import Guard
from practice.dav.proxy import Forward, Reply, Request

PASSWORD_ENV = "KOGGE_OX_API_TEST_PASSWORD"
ANNA, BERT = "anna@ox.test", "bert@ox.test"
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def free() -> None:
    """A guard that lets everything through."""


@dataclass
class Misbehaving:
    """A layer that stands in front of the API. answers: what it says instead, one after the other; a callable
    is asked with the request, and with what comes behind it. what: which requests it is about."""

    answers: list[Any] = field(default_factory=list)
    what: str = "/ajax/"

    def __call__(self, request: Request, rest: Forward) -> Reply:
        if not self.answers or self.what not in f"{request.path}?{request.query}":
            return rest(request)
        answer = self.answers.pop(0)
        return answer(request, rest) if callable(answer) else answer  # type: ignore[no-any-return]


def lost(request: Request, rest: Forward) -> Reply:
    """The request is carried out, and its answer is lost."""
    rest(request)
    return Reply(502, httpx.Headers(), b"")


@dataclass
class ApiDesk:
    server: OpenXchangeServer
    spool: Path
    layer: Misbehaving
    sink: SmtpSink
    opened: list[Any] = field(default_factory=list)

    def settings(self, kind: Kind = Kind.CALENDAR, **more: object) -> DavSettings:
        return DavSettings.model_validate(
            {
                "kind": "carddav" if kind is Kind.CONTACTS else "caldav",
                "url": self.server.url,
                "api": f"{self.server.url}/ajax",
                "profile": "open-xchange",
                "password": {"env": PASSWORD_ENV},
                "patience_seconds": 5,
                **more,
            }
        )

    def client(self, login: str = ANNA, **more: object) -> ApiClient:
        settings, account = self.settings(**more), Account(login=login)
        made = ApiClient(settings, account, PROFILES["open-xchange"], lambda: self.owner(login))
        self.opened.append(made)
        return made

    def owner(self, login: str = ANNA) -> Principal:
        """What DAV says of an account."""
        user = self.server.context.users[login]
        path = f"/principals/users/{user.number}/"
        addresses, urns = frozenset({user.address}), frozenset({f"urn:uuid:{user.uuid}"})
        return Principal(path, frozenset({path}), ("/caldav/",), addresses, stated=True, urns=urns)

    def without_api(self, kind: Kind, login: str = ANNA) -> DavTarget:
        settings = self.settings(kind, api=None)
        account, digest = Account(login=login), ITEM_FORMS[kind].digest
        made = DavTarget(
            settings, account, free, self.spool, kind=kind, digest=lambda stream: digest(stream, MOMENT)
        )
        self.opened.append(made)
        return made

    def target(
        self, kind: Kind, login: str = ANNA, *, live: bool = False, guard: Guard = free, **more: object
    ) -> OpenXchangeTarget:
        form = ITEM_FORMS[kind]

        def digest(stream: BinaryIO) -> bytes:
            return form.digest(stream, MOMENT)

        account = Account(login=login)
        made = OpenXchangeTarget(
            self.settings(kind, **more), account, guard, self.spool, kind=kind, digest=digest, live=live
        )
        self.opened.append(made)
        return made

    def asked(self, words: str) -> list[Request]:
        """Requests to the API whose address has these words."""
        return [one for one in self.server.requests if words in f"{one.path}?{one.query}"]

    def put(self, path: str, body: str, user: str = ANNA, kind: str = "text/calendar") -> None:
        """By the account's owner, with a client of their own, who invites nobody."""
        headers = {"Content-Type": kind, "Scheduling": "none"}
        auth = (user, self.server.user_password)
        answer = httpx.put(self.server.url + path, content=body, headers=headers, auth=auth)
        answer.raise_for_status()
