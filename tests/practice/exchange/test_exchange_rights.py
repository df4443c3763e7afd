"""Who may do what at the practice Exchange, and what it says to requests that are none."""

from __future__ import annotations

import time

import pytest
import requests
from ews_asking import (
    IDS_ONLY,
    INBOX,
    Asker,
    asking,
    codes,
    distinguished,
    envelope,
    get_folder,
    get_items,
)
from lxml import etree

from practice.exchange.server import ExchangeServer
from practice.world.world import Mailbox, World


def test_a_person_cannot_open_another_mailbox(server: ExchangeServer, world: World) -> None:
    owner = world.people.at(0)
    with asking(server, None) as asker:
        asker.http.auth = (owner.address, owner.password)
        assert codes(asker.ask(get_folder(INBOX))) == ["NoError"]
        other = distinguished("inbox", world.addresses()[1])
        assert codes(asker.ask(get_folder(other))) == ["ErrorAccessDenied"]
        item = world.mailbox(world.addresses()[1]).distinguished("inbox").items[0]
        assert codes(asker.ask(get_items(item.id))) != ["NoError"]


def test_impersonation_is_of_one_mailbox(asker: Asker, world: World) -> None:
    other = distinguished("inbox", world.addresses()[0])
    assert codes(asker.ask(get_folder(other))) == ["ErrorAccessDenied"]


@pytest.mark.parametrize(
    ("account", "whom", "code"),
    [
        (1, "{address}", "ErrorImpersonateUserDenied"),
        (0, "niemand@practice.example", "ErrorNonExistentMailbox"),
        (0, "{proxy}", "ErrorNonPrimarySmtpAddress"),
    ],
)
def test_impersonation_refused(
    server: ExchangeServer, world: World, account: int, whom: str, code: str
) -> None:
    person = world.people.at(0)
    with asking(server, whom.format(address=person.address, proxy=person.proxies[0])) as asker:
        chosen = list(world.service_accounts.values())[account]
        asker.http.auth = (chosen.address, chosen.password)
        response = asker.post(get_folder(INBOX))
    assert response.status_code == 500
    assert etree.fromstring(response.content).findtext(".//{*}ResponseCode") == code


def test_an_account_without_mailbox_must_say_whose(server: ExchangeServer) -> None:
    with asking(server, None) as asker:
        assert codes(asker.ask(get_folder(INBOX))) == ["ErrorMissingEmailAddress"]


def test_unauthenticated_is_challenged(server: ExchangeServer) -> None:
    response = requests.post(server.url, data=envelope(get_folder(INBOX)), timeout=10)
    assert response.status_code == 401
    assert "Basic" in response.headers["WWW-Authenticate"]
    assert "Bearer" in response.headers["WWW-Authenticate"]


def test_tokens_expire(world: World, mailbox: Mailbox) -> None:
    client = next(iter(world.service_accounts.values()))
    with ExchangeServer(world, token_seconds=1) as server, asking(server, mailbox.address) as asker:
        form = {"grant_type": "client_credentials", "client_id": client.address}
        assert requests.post(server.token_url, data=form, timeout=10).status_code == 401
        granted = requests.post(server.token_url, data=form | {"client_secret": client.password}, timeout=10)
        asker.http.auth = None
        asker.http.headers["Authorization"] = f"Bearer {granted.json()['access_token']}"
        assert codes(asker.ask(get_folder(INBOX))) == ["NoError"]
        time.sleep(1.1)
        assert asker.post(get_folder(INBOX)).status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "ErrorSchemaValidation"),
        (b"<a>", 400, "ErrorSchemaValidation"),
        (envelope("<m:PlayOnPhone/>"), 500, "ErrorInvalidOperation"),
        (envelope("<t:GetItem/>"), 500, "ErrorSchemaValidation"),
        (envelope("<m:GetItem/>"), 500, "ErrorSchemaValidation"),
        (envelope(f"<m:GetItem>{IDS_ONLY}<m:ItemIds/></m:GetItem>"), 500, "ErrorSchemaValidation"),
    ],
)
def test_bad_requests(server: ExchangeServer, world: World, body: bytes, status: int, code: str) -> None:
    with asking(server, None) as asker:
        response = asker.raw(body)
    assert response.status_code == status
    assert etree.fromstring(response.content).findtext(".//{*}ResponseCode") == code


def _finding(inner: str) -> str:
    folders = f"<m:ParentFolderIds>{INBOX}</m:ParentFolderIds>"
    return f'<m:FindItem Traversal="Shallow">{IDS_ONLY}{inner}{folders}</m:FindItem>'


@pytest.mark.parametrize(
    "inner",
    [
        '<m:IndexedPageItemView MaxEntriesReturned="0" Offset="0" BasePoint="Beginning"/>',
        '<m:IndexedPageItemView MaxEntriesReturned="5" Offset="-1" BasePoint="Beginning"/>',
    ],
)
def test_bad_searches(asker: Asker, inner: str) -> None:
    response = asker.post(_finding(inner))
    assert response.status_code == 500
    assert b"ErrorSchemaValidation" in response.content


def test_conditions_are_refused(asker: Asker) -> None:
    response = asker.post(_finding("<m:Restriction/>"))
    assert response.status_code == 500
    assert b"ErrorInvalidOperation" in response.content


def test_entities_are_not_resolved(server: ExchangeServer) -> None:
    """A request cannot make the server read its own files."""
    bomb = (
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
        + envelope("<m:GetInboxRules>&a;</m:GetInboxRules>").split(b"?>", 1)[1]
    )
    with asking(server, None) as asker:
        assert b"root:" not in asker.raw(bomb).content
