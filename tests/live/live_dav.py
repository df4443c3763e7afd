"""A real CalDAV or CardDAV server, as the environment names it. Without an address its tests are skipped:

KOGGE_LIVE_CALDAV_URL, KOGGE_LIVE_CARDDAV_URL  the server
KOGGE_LIVE_DAV_PROFILE                         nextcloud, open-xchange, cyrus, radicale or generic
KOGGE_LIVE_DAV_LOGIN, KOGGE_LIVE_DAV_PASSWORD  of an account made for tests: collections are made in it, and
                                               items written, replaced and removed
KOGGE_LIVE_DAV_AUTH, KOGGE_LIVE_DAV_APP_ID     "appapi" and the app, where the password is an app's secret

What has attendees is written only if there is also a second account, which is invited:

KOGGE_LIVE_DAV_GUEST_LOGIN, KOGGE_LIVE_DAV_GUEST_PASSWORD
KOGGE_LIVE_SMTP_PORT                           where on 127.0.0.1 the server delivers its mail, if it mails
"""

from __future__ import annotations

import io
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest

from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.settings import Account
from mappings.compare.semantic_digest import calendar_digest, card_digest
from model.kinds import Kind
from model.protocols import Container, Failed, Item, Native, Stored, key_of

NOT_AFTER = datetime(2026, 1, 1, tzinfo=UTC)
RUN = secrets.token_hex(4)
STAMPS = "DTSTAMP:20210304T050607Z\r\nSUMMARY:{title}\r\n"
EVENT = (
    f"UID:{{uid}}\r\n{STAMPS}DTSTART:20210304T050607Z\r\nDTEND:20210304T060607Z\r\n"
    "RRULE:FREQ=WEEKLY;COUNT=5\r\n"
)
TASK = f"UID:{{uid}}\r\n{STAMPS}DUE:20210304T060607Z\r\n"
CARD = "UID:{uid}\r\nN:{title};Anna;;;\r\nFN:Anna {title}\r\nEMAIL;TYPE=WORK:anna@example.org\r\n"


def calendar(component: str, lines: str) -> str:
    head = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Kogge//Live//EN\r\nBEGIN:{component}\r\n"
    return f"{head}{lines}END:{component}\r\nEND:VCALENDAR\r\n"


BODIES = {
    Kind.CALENDAR: calendar("VEVENT", EVENT),
    Kind.TASKS: calendar("VTODO", TASK),
    Kind.CONTACTS: f"BEGIN:VCARD\r\nVERSION:3.0\r\n{CARD}END:VCARD\r\n",
}


def settings(kind: Kind, who: str = "") -> DavSettings:
    """Skips where the environment names no such server. who: "GUEST_" for the invited account."""
    protocol = "carddav" if kind is Kind.CONTACTS else "caldav"
    for name in (f"KOGGE_LIVE_{protocol.upper()}_URL", f"KOGGE_LIVE_DAV_{who}LOGIN"):
        if not os.environ.get(name):
            pytest.skip(f"{name} is not given")
    return DavSettings.model_validate(
        {
            "kind": protocol,
            "url": os.environ[f"KOGGE_LIVE_{protocol.upper()}_URL"],
            "profile": os.environ.get("KOGGE_LIVE_DAV_PROFILE", "generic"),
            "auth": os.environ.get("KOGGE_LIVE_DAV_AUTH", "basic"),
            "app_id": os.environ.get("KOGGE_LIVE_DAV_APP_ID"),
            "password": {"env": f"KOGGE_LIVE_DAV_{who}PASSWORD"},
        }
    )


def account(who: str = "") -> Account:
    return Account(login=os.environ[f"KOGGE_LIVE_DAV_{who}LOGIN"])


def opened(kind: Kind, spool: Path, *, live: bool = False) -> DavTarget:
    return DavTarget(
        settings(kind),
        account(),
        lambda: None,
        spool,
        kind=kind,
        digest=lambda stream: digest(kind, stream),
        live=live,
    )


def digest(kind: Kind, stream: BinaryIO) -> bytes:
    return (card_digest if kind is Kind.CONTACTS else calendar_digest)(stream, NOT_AFTER)


def made(kind: Kind, uid: str, text: str, replaces: Stored | None = None) -> Item:
    raw = text.encode()
    return Item(
        kind=kind,
        key=key_of(uid),
        digest=digest(kind, io.BytesIO(raw)),
        size=len(raw),
        body=lambda: io.BytesIO(raw),
        uid=uid,
        replaces=replaces,
    )


def text_of(kind: Kind, number: int, title: str = "Kogge") -> str:
    return BODIES[kind].format(uid=uid_of(number), title=f"{title} {number}")


def uid_of(number: int) -> str:
    return f"kogge-live-{RUN}-{number}"


def item(kind: Kind, number: int, title: str = "Kogge", replaces: Stored | None = None) -> Item:
    return made(kind, uid_of(number), text_of(kind, number, title), replaces)


def container(kind: Kind, name: str = "") -> Container:
    """One for each run and name: a server may allow few."""
    return Container(kind, f"live-{RUN}-{name}", (f"Kogge {RUN} {name}".strip(),))


def written(target: DavTarget, href: str, *items: Item) -> list[Stored]:
    results = list(target.write(href, items))
    assert [one.error.code for one in results if isinstance(one, Failed)] == []
    return [one for one in results if isinstance(one, Stored)]


def codes(target: DavTarget, href: str, *items: Item) -> list[str]:
    return [one.error.code if isinstance(one, Failed) else "" for one in target.write(href, items)]


def meanings(kind: Kind, target: DavTarget, href: str, stored: list[Stored]) -> dict[bytes, bytes]:
    """The digest of each by its key, as the server gives it back."""
    keys = {one.href: one.key for one in stored}
    found = {}
    for name, one in target.read(href, keys):
        assert isinstance(one, Native)
        assert one.body is not None
        with one.body() as stream:
            found[keys[name]] = digest(kind, stream)
    return found
