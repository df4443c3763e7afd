"""The practice Exchange in its second dialect."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from ews_asking import (
    INBOX,
    MIME,
    NS,
    Asker,
    changes,
    codes,
    distinguished,
    get_folder,
    get_items,
    sync_items,
)
from exchangelib import BASIC, IMPERSONATION, Account, Configuration, Credentials
from exchangelib.protocol import CachingProtocol

from practice.exchange.server import ExchangeServer
from practice.world.folders import Folder
from practice.world.world import Mailbox, World


def test_gromox_stamps_have_nine_digits(gromox: Asker, inbox: Folder) -> None:
    assert gromox.post(get_folder(INBOX)).headers["Content-Type"] == "text/xml"
    root = gromox.ask(sync_items(INBOX))
    stamps = [each.text or "" for each in root.iterfind(".//t:DateTimeReceived", NS)]
    assert len(stamps) == len([item for item in inbox.items if item.received or item.created])
    assert all(len(each.partition(".")[2]) == 10 for each in stamps)


def test_gromox_resyncs_silently(gromox: Asker, inbox: Folder) -> None:
    root = gromox.ask(sync_items(INBOX, "bogus"))
    assert codes(root) == ["NoError"]
    assert [kind for kind, _ in changes(root)] == ["Create"] * len(inbox.items)


@pytest.mark.parametrize("operation", ["GetServerTimeZones", "PlayOnPhone"])
def test_gromox_does_not_know(gromox: Asker, operation: str) -> None:
    response = gromox.post(f"<m:{operation}/>")
    assert response.status_code == 500
    assert f"Unknown request '{operation}'".encode() in response.content


def test_gromox_has_no_archive(gromox: Asker) -> None:
    for role in ("archivemsgfolderroot", "recoverableitemsroot"):
        assert codes(gromox.ask(get_folder(distinguished(role)))) == ["ErrorFolderNotFound"]


def test_gromox_offers_basic_only(gromox: Asker) -> None:
    token = gromox.server.tokens.issue(next(iter(gromox.server.world.service_accounts)))
    gromox.http.auth = None
    gromox.http.headers["Authorization"] = f"Bearer {token}"
    response = gromox.post(get_folder(INBOX))
    assert response.status_code == 401
    assert "Bearer" not in response.headers["WWW-Authenticate"]


def test_gromox_wraps_calendar_objects(gromox: Asker, mailbox: Mailbox) -> None:
    """MimeContent of an appointment is a message around the iCalendar object, not the bare object."""
    data = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    item = mailbox.deliver(mailbox.distinguished("calendar"), mime=data)
    assert item.made is not None
    item.made = replace(item.made, item_class="IPM.Appointment")
    root = gromox.ask(get_items(item.id, shape=MIME))
    content = base64.b64decode(root.findtext(".//t:CalendarItem/t:MimeContent", namespaces=NS) or "")
    head, _, body = content.partition(b"\r\n\r\n")
    assert b"text/calendar" in head
    assert body == data


def test_exchangelib_believes_gromox_too(world: World, mailbox: Mailbox, inbox: Folder) -> None:
    client = next(iter(world.service_accounts.values()))
    with ExchangeServer(world, dialect="gromox") as server:
        config = Configuration(
            service_endpoint=server.url,
            credentials=Credentials(client.address, client.password),
            auth_type=BASIC,
        )
        account = Account(mailbox.address, config=config, access_type=IMPERSONATION, autodiscover=False)
        found = {item.id: item.mime_content for item in account.inbox.all().only("mime_content")}
        assert found == {item.id: item.mime() for item in inbox.items}
        assert {folder.id for folder in account.root.walk()} >= {folder.id for folder in mailbox.folders()}
        CachingProtocol.clear_cache()
