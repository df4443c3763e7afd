"""What the DAV tests work with: objects, and an account opened through layers that misbehave."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import httpx
from results import stored
from servers.dav.dav_proxy import DavProxy

from connectors.caldav.target import DavSettings, DavTarget
from connectors.settings import Account, Secret
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Container, Guard, Item, Native, Role, Stored, key_of
from practice.dav.proxy import Layer, Request
from practice.dav.radicale import RadicaleServer

PASSWORD_ENV = "KOGGE_DAV_TEST_PASSWORD"
CALENDAR = Container(Kind.CALENDAR, "source-1", ("Kalender",), Role.CALENDAR)
SECOND = Container(Kind.CALENDAR, "source-2", ("Zweiter",))


def event(number: int, uid: str | None = None, text: str = "", size: int = 0) -> bytes:
    filler = "\r\n ".join("x" * 70 for _ in range(size // 73))
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//Test//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid or f'uid-{number}'}\r\nDTSTAMP:20210304T050607Z\r\nDTSTART:20210304T050607Z\r\n"
        f"SUMMARY:Number {number}{text}\r\nDESCRIPTION:{filler or '-'}\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def card(number: int) -> bytes:
    return (
        f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:uid-{number}\r\nN:Number {number};Anna;;;\r\n"
        f"FN:Anna Number {number}\r\nEND:VCARD\r\n"
    ).encode()


def meaning(stream: BinaryIO) -> bytes:
    """Enough of one for these tests: the title. Raises Rejected for what has none."""
    lines = stream.read().replace(b"\r\n", b"\n").split(b"\n")
    titles = [line for line in lines if line.startswith((b"SUMMARY", b"FN:"))]
    if not titles:
        raise Rejected("malformed-calendar")
    return hashlib.blake2b(titles[0], digest_size=16).digest()


def item(
    number: int,
    raw: bytes | None = None,
    *,
    uid: str | None = None,
    replaces: Stored | None = None,
    kind: Kind = Kind.CALENDAR,
) -> Item:
    data = event(number, uid) if raw is None else raw
    return Item(
        kind=kind,
        key=key_of(f"item-{number}"),
        digest=meaning(io.BytesIO(data)),
        size=len(data),
        body=lambda: io.BytesIO(data),
        uid=uid or f"uid-{number}",
        replaces=replaces,
    )


@dataclass
class Desk:
    """One user's account. open() gives a target that goes through layers; proxy.requests is what it sent."""

    radicale: RadicaleServer
    user: str
    spool: Path
    proxy: DavProxy
    opened: list[DavTarget] = field(default_factory=list)

    def open(
        self,
        *layers: Layer,
        profile: str = "radicale",
        kind: Kind = Kind.CALENDAR,
        live: bool = False,
        guard: Guard = lambda: None,
        patience: float = 5.0,
        **settings: Any,
    ) -> DavTarget:
        self.proxy.layers = layers
        made = DavSettings.model_validate(
            {
                "kind": "carddav" if kind is Kind.CONTACTS else "caldav",
                "url": self.proxy.url,
                "profile": profile,
                "password": Secret(env=PASSWORD_ENV),
                "patience_seconds": patience,
                "timeout_seconds": 5,
                **settings,
            }
        )
        account = Account(login=self.user, address=f"{self.user}@example.org")
        target = DavTarget(made, account, guard, self.spool, kind=kind, digest=meaning, live=live)
        self.opened.append(target)
        return target

    def sent(self, *methods: str) -> list[Request]:
        return [one for one in self.proxy.requests if one.method in methods]

    @property
    def owner(self) -> httpx.Client:
        """The account's owner, with a client of their own."""
        return httpx.Client(base_url=self.radicale.url, auth=(self.user, self.radicale.user_password))

    def put(self, path: str, raw: bytes) -> None:
        kind = "text/vcard" if raw.startswith(b"BEGIN:VCARD") else "text/calendar"
        with self.owner as client:
            client.put(path, content=raw, headers={"Content-Type": kind}).raise_for_status()

    def get(self, path: str) -> bytes | None:
        with self.owner as client:
            answer = client.get(path)
        return answer.content if answer.status_code == 200 else None

    def close(self) -> None:
        for target in self.opened:
            target.close()


def written(target: DavTarget, href: str, *items: Item) -> list[Stored]:
    """In the order of items."""
    found = {one.key: one for one in stored(target.write(href, items))}
    return [found[one.key] for one in items]


def bodies(target: DavTarget, href: str, names: Sequence[str]) -> dict[str, bytes]:
    found = {}
    for name, result in target.read(href, names):
        assert isinstance(result, Native), result
        assert result.body is not None
        with result.body() as stream:
            found[name] = stream.read()
    return found
