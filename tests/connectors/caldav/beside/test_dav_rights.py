"""Rights to collections where people share them as in Nextcloud: the server says 200 to anything."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from dav_desk import CALENDAR, PASSWORD_ENV, SECOND, Desk
from servers.dav.sharing import Sharing

from connectors.caldav.rights import PUBLIC, DavRights
from connectors.caldav.settings import DavSettings
from connectors.catalogue.entries import connectors
from connectors.folder_rights.target import HREF, FolderRightsTarget
from connectors.settings import Account, Secret
from mappings.rights.right_item import right_digest
from model.errors import Blocked, LeaseLost, MigrationError, Rejected
from model.folder_rights import READ, READ_WRITE, FolderRight
from model.kinds import Kind
from model.protocols import Item, Stored
from practice.dav.proxy import Fate, Forward, Layer, Reply, Request

PEOPLE = ("bert", "Anna Maria", "o'neil@x.example", "müller", "team", "Ümit")
Open = Callable[..., DavRights]


def settings_of(desk: Desk, profile: str = "nextcloud") -> DavSettings:
    return DavSettings(
        kind="caldav",
        url=desk.proxy.url,
        profile=profile,  # type: ignore[arg-type]
        password=Secret(env=PASSWORD_ENV),
        patience_seconds=5,
        timeout_seconds=5,
    )


@pytest.fixture
def sharing(desk: Desk) -> Sharing:
    return Sharing((*PEOPLE, desk.user), groups=("team", "bauamt"))


@pytest.fixture
def rights(desk: Desk, sharing: Sharing) -> Iterator[Open]:
    opened: list[DavRights] = []

    def make(*layers: Layer, guard: Callable[[], None] = lambda: None) -> DavRights:
        desk.proxy.layers = (*layers, sharing)
        account = Account(login=desk.user, address=f"{desk.user}@example.org")
        opened.append(DavRights(settings_of(desk), account, guard, kind=Kind.CALENDAR))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def folder(desk: Desk) -> str:
    target = desk.open(profile="nextcloud")
    target.ensure(SECOND)
    return target.ensure(CALENDAR)


@pytest.mark.parametrize("who", PEOPLE)
def test_a_right_is_given_changed_and_taken_away(rights: Open, folder: str, who: str) -> None:
    store = rights()
    assert store.rights(folder) == {}
    for words in (READ, READ_WRITE, READ):
        store.grant(folder, who, words)
        assert store.rights(folder) == {who: words}
    assert {one: dict(held) for one, held in store.all_rights() if held} == {folder: {who: READ}}
    store.revoke(folder, who)
    store.revoke(folder, who)
    assert store.rights(folder) == {}


@pytest.mark.parametrize("who", ["nobody", "BERT", "groups/team", "bert/", "", "a\r\nx", "bauamt"])
def test_whom_the_server_skips_gets_nothing(rights: Open, folder: str, who: str) -> None:
    """Also under another case, which the server takes for the same person."""
    store = rights()
    with pytest.raises(Rejected, match="person-not-there"):
        store.grant(folder, who, READ)
    assert store.rights(folder) == {}


def test_another_case_takes_nobodys_right_away(rights: Open, folder: str) -> None:
    store = rights()
    store.grant(folder, "bert", READ)
    with pytest.raises(Rejected, match="person-not-there"):
        store.grant(folder, "BERT", READ_WRITE)
    assert store.rights(folder) == {"bert": READ}
    store.revoke(folder, "BERT")
    assert store.rights(folder) == {"bert": READ}


def test_the_owner_and_switched_off_sharing(rights: Open, folder: str, desk: Desk, sharing: Sharing) -> None:
    store = rights()
    for who in (desk.user, desk.user.upper()):
        with pytest.raises(Rejected, match="person-not-there"):
            store.grant(folder, who, READ)
    sharing.switched_off = True
    with pytest.raises(Rejected, match="person-not-there"):
        store.grant(folder, "bert", READ)
    assert store.identity().user == desk.user == desk.open(sharing, profile="nextcloud").identity().user


def test_groups_and_links_are_listed_and_stay(rights: Open, folder: str, sharing: Sharing) -> None:
    """A user named like the group is another."""
    store = rights()
    sharing.shares[folder] = {"principals/groups/team": "read-write"}
    sharing.public.add(folder)
    listed = {"principals/groups/team": READ_WRITE, PUBLIC: READ}
    assert store.rights(folder) == listed, "the owner, whom a public link adds, has no right"
    store.grant(folder, "team", READ)
    assert store.rights(folder) == {**listed, "team": READ}
    store.revoke(folder, "team")
    for who in listed:
        with pytest.raises(Rejected, match="refused-by-target"):
            store.revoke(folder, who)
        with pytest.raises(Rejected, match="person-not-there"):
            store.grant(folder, who, READ)
    assert store.rights(folder) == listed


def test_a_reply_that_was_lost_is_made_up_for(rights: Open, folder: str) -> None:
    lost = iter([True, False] * 2)

    def loses(request: Request, rest: Forward) -> Reply:
        answer = rest(request)
        return replace(answer, fate=Fate.LOST) if request.method == "POST" and next(lost) else answer

    store = rights(loses)
    store.grant(folder, "bert", READ_WRITE)
    assert store.rights(folder) == {"bert": READ_WRITE}
    store.revoke(folder, "bert")
    assert store.rights(folder) == {}


def test_a_lost_lease_sends_nothing(rights: Open, folder: str, desk: Desk) -> None:
    def lost() -> None:
        raise LeaseLost("lease-lost", "another worker has it")

    with pytest.raises(LeaseLost):
        rights(guard=lost).grant(folder, "bert", READ)
    assert desk.sent("POST") == []


def test_a_collection_that_is_not_the_accounts_own_has_no_rights(rights: Open, folder: str) -> None:
    store = rights()
    for elsewhere in ("/someone/else/", folder + "x/"):
        with pytest.raises(Rejected, match="vanished"):
            store.grant(elsewhere, "bert", READ)
        store.revoke(elsewhere, "bert")


@pytest.mark.parametrize("status", [403, 501])
def test_a_refusal_is_one(rights: Open, folder: str, status: int) -> None:
    def refuses(request: Request, rest: Forward) -> Reply:
        return replace(rest(request), status=status) if request.method == "POST" else rest(request)

    with pytest.raises(MigrationError):
        rights(refuses).grant(folder, "bert", READ)


def test_a_server_without_the_property_keeps_no_rights(desk: Desk, folder: str, rights: Open) -> None:
    store = rights()
    desk.proxy.layers = ()
    with pytest.raises(Blocked, match="no-rights-at-target"):
        store.rights(folder)


def test_only_products_that_share_keep_rights(desk: Desk) -> None:
    connector = connectors()["caldav"]
    assert connector.keeps_rights(settings_of(desk), Kind.TASKS)
    assert not connector.keeps_rights(settings_of(desk), Kind.CONTACTS)
    for other in ("radicale", "generic", "cyrus", "open-xchange"):
        assert not connector.keeps_rights(settings_of(desk, other), Kind.CALENDAR)


def test_the_target_gives_and_takes_back(rights: Open, folder: str, desk: Desk) -> None:
    target = FolderRightsTarget({Kind.CALENDAR: rights()}, kind=Kind.PERMISSIONS, digest=right_digest)
    assert desk.sent("POST") == []
    body = FolderRight(Kind.CALENDAR, folder, "o'neil@x.example", READ).text().encode()
    digest = right_digest(io.BytesIO(body))
    item = Item(Kind.PERMISSIONS, bytes(16), digest, len(body), lambda: io.BytesIO(body))
    (stored,) = target.write(HREF, [item])
    assert isinstance(stored, Stored)
    assert [one.href for one in target.listing(HREF)] == [stored.href]
    assert list(target.remove(HREF, [stored])) == [stored]
    assert list(target.listing(HREF)) == []
