"""exchangelib believes the practice Exchange, in both access types and by every way of authentication."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from exchangelib import (
    BASIC,
    DELEGATE,
    IMPERSONATION,
    OAUTH2,
    Account,
    Configuration,
    Credentials,
    OAuth2Credentials,
)
from exchangelib.errors import (
    ErrorImpersonateUserDenied,
    ErrorNameResolutionNoResults,
    ErrorNonExistentMailbox,
    UnauthorizedError,
)
from exchangelib.folders import Messages
from exchangelib.protocol import CachingProtocol
from exchangelib.version import EXCHANGE_2019
from practice_fixtures import exchange_fixture, mailbox_fixture, world_fixture

from practice.exchange.server import ExchangeServer
from practice.world.people import ServiceAccount
from practice.world.rules import RULES
from practice.world.world import Mailbox, World

PEOPLE = 3


world = world_fixture(seed=7, people=PEOPLE, items=150, nasty=True, large=(1_500_000,))
server = exchange_fixture()


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    yield
    CachingProtocol.clear_cache()


mailbox = mailbox_fixture(0)


def accounts(world: World) -> list[ServiceAccount]:
    return list(world.service_accounts.values())


def configuration(server: ExchangeServer, account: ServiceAccount) -> Configuration:
    credentials = Credentials(account.address, account.password)
    return Configuration(service_endpoint=server.url, credentials=credentials, auth_type=BASIC)


def opened(server: ExchangeServer, address: str, access_type: str = IMPERSONATION) -> Account:
    config = configuration(server, accounts(server.world)[0])
    return Account(address, config=config, access_type=access_type, autodiscover=False)


def test_version_is_guessed(server: ExchangeServer, mailbox: Mailbox) -> None:
    account = opened(server, mailbox.address)
    assert account.version.build >= EXCHANGE_2019


@pytest.mark.parametrize("access_type", [IMPERSONATION, DELEGATE])
def test_walk_finds_every_folder(server: ExchangeServer, mailbox: Mailbox, access_type: str) -> None:
    account = opened(server, mailbox.address, access_type)
    found = {folder.id: folder for folder in account.root.walk()}
    expected = {folder.id: folder for folder in mailbox.store.walk()}
    assert set(found) == set(expected)
    for folder_id, folder in found.items():
        assert folder.total_count == expected[folder_id].total
        if expected[folder_id].role != "msgfolderroot":
            assert folder.name == expected[folder_id].name
    assert account.inbox.id == mailbox.distinguished("inbox").id
    assert account.sent.id == mailbox.distinguished("sentitems").id


def inbox_of(server: ExchangeServer, mailbox: Mailbox) -> Messages:
    return opened(server, mailbox.address).inbox


def test_all_pages_are_found_once(server: ExchangeServer, mailbox: Mailbox) -> None:
    inbox = inbox_of(server, mailbox)
    query = inbox.all().only("subject")
    query.page_size = 7
    found = [item.id for item in query]
    assert sorted(found) == sorted(item.id for item in mailbox.distinguished("inbox").items)


def test_order(server: ExchangeServer, mailbox: Mailbox) -> None:
    found = list(inbox_of(server, mailbox).all().order_by("-size").only("size"))
    sizes = [item.size for item in found]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) > 1


def test_mime_is_the_message(server: ExchangeServer, mailbox: Mailbox) -> None:
    account = opened(server, mailbox.address)
    items = {item.id: item for item in mailbox.messages()}
    wanted = [(item.id, item.change_key) for item in items.values()]
    fetched = list(account.fetch(wanted, only_fields=["mime_content"], chunk_size=20))
    assert len(fetched) == len(items)
    for item in fetched:
        assert item.mime_content == items[item.id].mime()


def test_every_property_can_be_asked_for(server: ExchangeServer, mailbox: Mailbox) -> None:
    account = opened(server, mailbox.address)
    items = {item.id: item for item in mailbox.distinguished("inbox").items}
    fetched = list(account.fetch([(item.id, item.change_key) for item in items.values()]))
    assert len(fetched) == len(items)
    for got in fetched:
        assert not isinstance(got, Exception), got
        item = items[got.id]
        assert got.item_class == item.item_class
        assert got.is_read == item.is_read
        assert got.size == item.size
        assert tuple(got.categories or ()) == item.categories
        assert got.importance == item.importance
        assert got.sender.email_address == item.sender.address
        assert [person.email_address for person in got.to_recipients or ()] == [
            person.address for person in item.to
        ]


def test_attachments_are_fetched(server: ExchangeServer, mailbox: Mailbox) -> None:
    account = opened(server, mailbox.address)
    item = next(item for item in mailbox.messages() if item.attachments)
    (got,) = account.fetch([(item.id, item.change_key)], only_fields=["attachments"])
    contents = [one.content for one in got.attachments if hasattr(one, "content")]
    assert contents == [one.content for one in item.attachments if one.item_class is None]
    assert [one.name for one in got.attachments] == [one.name for one in item.attachments]


def test_sync_follows_the_owner(server: ExchangeServer, world: World) -> None:
    mailbox = world.mailbox(world.addresses()[1])
    inbox = inbox_of(server, mailbox)
    first = list(inbox.sync_items(only_fields=["size"], max_changes_returned=9))
    assert [kind for kind, _ in first] == ["create"] * mailbox.distinguished("inbox").total
    with world.lock:
        folder = mailbox.distinguished("inbox")
        read, flagged, gone, moved = folder.items[:4]
        read_id, flagged_id, gone_id, moved_id = read.id, flagged.id, gone.id, moved.id
        mailbox.mark_read(read, not read.is_read)
        mailbox.categorize(flagged, "Blau")
        mailbox.delete(gone, hard=True)
        mailbox.move(moved, mailbox.distinguished("sentitems"))
        new = mailbox.deliver(folder, subject="neu", text="x")
    changes = list(inbox.sync_items(only_fields=["size"]))
    told = {(kind, item[0].id if isinstance(item, tuple) else item.id) for kind, item in changes}
    assert told == {
        ("read_flag_change", read_id),
        ("update", flagged_id),
        ("delete", gone_id),
        ("delete", moved_id),
        ("create", new.id),
    }
    assert list(inbox.sync_items(only_fields=["size"])) == []


def test_impersonation_needs_the_right(server: ExchangeServer, world: World, mailbox: Mailbox) -> None:
    config = configuration(server, accounts(world)[1])
    account = Account(mailbox.address, config=config, access_type=IMPERSONATION, autodiscover=False)
    with pytest.raises(ErrorImpersonateUserDenied):
        account.inbox.refresh()


def test_unknown_mailbox(server: ExchangeServer) -> None:
    with pytest.raises(ErrorNonExistentMailbox):
        opened(server, "niemand.9999@practice.example").inbox.refresh()


def test_wrong_password(server: ExchangeServer, world: World, mailbox: Mailbox) -> None:
    login = accounts(world)[0].address
    config = configuration(server, ServiceAccount(login, "falsch", True))
    config.version = opened(server, mailbox.address).version
    CachingProtocol.clear_cache()
    before = server.gatekeeper.refused[login]
    with pytest.raises(UnauthorizedError):
        Account(mailbox.address, config=config, autodiscover=False).inbox.refresh()
    assert server.gatekeeper.refused[login] > before


def test_a_person_reads_their_own_mailbox(server: ExchangeServer, mailbox: Mailbox) -> None:
    owner = mailbox.owner
    config = configuration(server, ServiceAccount(owner.address, owner.password, False))
    account = Account(owner.address, config=config, access_type=DELEGATE, autodiscover=False)
    assert account.inbox.total_count == mailbox.distinguished("inbox").total


def test_names_are_resolved(server: ExchangeServer, world: World, mailbox: Mailbox) -> None:
    account = opened(server, mailbox.address)
    assert account.version, "asking for it makes exchangelib find out"
    protocol = account.protocol
    person = world.people.at(1)
    for entry in (person.address, person.proxies[1], person.legacy_dn, f"{person.family}"):
        found = list(protocol.resolve_names([entry], return_full_contact_data=True))
        assert found[0][0].email_address == person.address
        assert f"SMTP:{person.address}" in [one.email for one in found[0][1].email_addresses]
    (nobody,) = protocol.resolve_names(["niemand"])
    assert isinstance(nobody, ErrorNameResolutionNoResults)


def test_settings_of_people(server: ExchangeServer, world: World, mailbox: Mailbox) -> None:
    account = opened(server, mailbox.address)
    assert [rule.display_name for rule in account.rules] == [rule.name for rule in RULES]
    (delegate,) = account.delegates
    assert delegate.user_id.primary_smtp_address == world.people.at(1).address


class PracticeTokens(OAuth2Credentials):
    """Client credentials from the practice server instead of Microsoft's."""

    url = ""

    @property
    def token_url(self) -> str:
        return self.url


def test_bearer_and_expiry(world: World, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExchangeServer(world, https=True, token_seconds=3600) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca_file))
        client = accounts(world)[0]
        credentials = PracticeTokens(client.address, client.password, tenant_id="practice")
        credentials.url = server.token_url
        config = Configuration(service_endpoint=server.url, credentials=credentials, auth_type=OAUTH2)
        account = Account(mailbox.address, config=config, access_type=IMPERSONATION, autodiscover=False)
        assert account.inbox.total_count == mailbox.distinguished("inbox").total
        issued = server.requests["token"]
        assert issued >= 1
        server.tokens.revoke_all()
        with pytest.raises(UnauthorizedError):
            account.inbox.refresh()
        CachingProtocol.clear_cache()
        again = Account(mailbox.address, config=config, access_type=IMPERSONATION, autodiscover=False)
        assert again.inbox.total_count == mailbox.distinguished("inbox").total
        assert server.requests["token"] > issued
        CachingProtocol.clear_cache()
