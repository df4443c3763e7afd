"""Rights to folders of mail on a real Dovecot: given, listed, read back, seen by the other, taken back."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from connector_settings import dovecot_settings
from imapclient import IMAPClient
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot

from connectors.folder_rights.target import HREF, FolderRightsTarget
from connectors.imap.rights import ImapRights
from connectors.settings import Account
from mappings.rights.right_item import right_digest
from model.errors import Blocked, LeaseLost
from model.folder_rights import FolderRight, RightsForm
from model.kinds import Kind
from model.protocols import Failed, Item, Native, Stored
from practice.servers.pigeonhole import SHARED

pytestmark = pytest.mark.dovecot
PEOPLE = [f"{name}{number}" for number in range(30) for name in ("anna", "bert")]
dovecot = dovecot_fixture([*PEOPLE, "müller"], more=SHARED)
_numbers = iter(range(30))
FOLDER = "Büro & Co/Kinder"
Open = Callable[..., FolderRightsTarget]


@pytest.fixture
def number(dovecot: Dovecot) -> int:
    taken = next(_numbers)
    with IMAPClient(dovecot.host, port=dovecot.port, ssl=False) as client:
        client.login(f"anna{taken}", dovecot.user_password)
        for folder in ("Büro & Co", FOLDER, "Leer"):
            client.create_folder(folder)
    return taken


@pytest.fixture
def rights(dovecot: Dovecot, number: int, tmp_path: Path) -> Iterator[Open]:
    opened: list[FolderRightsTarget] = []

    def make(guard: Callable[[], None] = lambda: None, *, live: bool = False) -> FolderRightsTarget:
        account = Account(login=f"anna{number}", address=f"anna{number}@new.example")
        store = ImapRights(dovecot_settings(dovecot, tmp_path), account, guard)
        target = FolderRightsTarget({Kind.MAIL: store}, kind=Kind.PERMISSIONS, digest=right_digest, live=live)
        opened.append(target)
        return target

    yield make
    for target in opened:
        target.close()


def item(right: FolderRight, key: int = 1, replaces: Stored | None = None) -> Item:
    body = right.text().encode()
    name = key.to_bytes(16)
    digest = right_digest(io.BytesIO(body))
    return Item(Kind.PERMISSIONS, name, digest, len(body), lambda: io.BytesIO(body), replaces=replaces)


def given(target: FolderRightsTarget, *items: Item) -> list[Stored]:
    results = list(target.write(HREF, items))
    assert all(isinstance(one, Stored) for one in results), results
    return [one for one in results if isinstance(one, Stored)]


def refused(target: FolderRightsTarget, right: FolderRight) -> str:
    (result,) = target.write(HREF, [item(right)])
    assert isinstance(result, Failed)
    return result.error.code


def there(target: FolderRightsTarget) -> list[str]:
    return [one.href for one in target.listing(HREF)]


def seen_by(dovecot: Dovecot, person: str, owner: str) -> dict[str, str]:
    """What a person sees of an owner's folders, and may do there."""
    with IMAPClient(dovecot.host, port=dovecot.port, ssl=False) as client:
        client.login(person, dovecot.user_password)
        found = {}
        for flags, _, name in client.list_folders("", f"shared/{owner}*"):
            if not {b"\\Noselect", b"\\NonExistent"} & {*flags}:
                client._imap._simple_command("MYRIGHTS", client._normalise_folder(str(name)))
                (told,) = client._imap._untagged_response("OK", [None], "MYRIGHTS")[1]
                found[str(name)] = told.rpartition(b" ")[2].decode()
        return found


def test_a_right_is_given_read_back_and_seen_by_the_other(
    dovecot: Dovecot, rights: Open, number: int
) -> None:
    target = rights()
    bert = f"bert{number}"
    right = FolderRight(Kind.MAIL, FOLDER, bert, "eilprstw")
    (stored,) = given(target, item(right))
    assert there(target) == [stored.href]
    assert "/" not in stored.href
    ((_, back),) = target.read(HREF, [stored.href])
    assert isinstance(back, Native)
    assert back.body is not None
    with back.body() as stream:
        assert right_digest(stream) == stored.digest
    assert given(target, item(right)) == [stored]
    seen = seen_by(dovecot, bert, f"anna{number}")
    assert list(seen) == [f"shared/anna{number}/{FOLDER}"]
    assert {*seen[f"shared/anna{number}/{FOLDER}"]} - {*"cd"} == {*"eilprstw"}


def test_a_changed_right_takes_the_place_of_the_older_one(rights: Open, number: int) -> None:
    target = rights()
    wide = FolderRight(Kind.MAIL, FOLDER, f"bert{number}", "eilprstw")
    (older,) = given(target, item(wide))
    (newer,) = given(target, item(FolderRight(Kind.MAIL, FOLDER, wide.who, "lrs"), replaces=older))
    assert there(target) == [newer.href] == [older.href]
    moved = FolderRight(Kind.MAIL, "Leer", wide.who, "lrs")
    given(target, item(moved, replaces=newer))
    assert [one.split(":")[1] for one in there(target)] == ["Leer"]


def test_what_somebody_changed_stays(rights: Open, number: int) -> None:
    target = rights()
    right = FolderRight(Kind.MAIL, FOLDER, f"bert{number}", "lrs")
    (stored,) = given(target, item(right))
    given(target, item(FolderRight(Kind.MAIL, FOLDER, right.who, "eilprstw"), key=2))
    (kept,) = target.remove(HREF, [stored])
    assert isinstance(kept, Failed)
    assert kept.error.code == "changed-at-target"
    assert there(target) == [stored.href]
    given(target, item(right))
    assert list(target.remove(HREF, [stored])) == [stored]
    assert there(target) == []
    assert list(target.remove(HREF, [stored])) == [stored]


def test_in_live_a_right_is_added_and_none_is_changed(rights: Open, number: int) -> None:
    live = rights(live=True)
    right = FolderRight(Kind.MAIL, FOLDER, f"bert{number}", "lrs")
    (stored,) = given(live, item(right))
    assert refused(live, FolderRight(Kind.MAIL, FOLDER, right.who, "alrs")) == "changed-at-target"
    with pytest.raises(Blocked, match="live-phase"):
        list(live.remove(HREF, [stored]))
    assert there(live) == [stored.href]
    given(live, item(FolderRight(Kind.MAIL, "Leer", right.who, "lrs"), replaces=stored))
    assert len(there(live)) == 2, "what a folder lost would be a change"


@pytest.mark.parametrize(
    "who",
    [
        "anyone",
        "Authenticated",
        "owner",
        "-bert0",
        "$team",
        "#team",
        "group:x",
        "group=x",
        "!$x",
        " x",
        "",
        "a\r\nx",
    ],
)
def test_nobody_but_a_person_gets_a_right(who: str, rights: Open) -> None:
    target = rights()
    assert refused(target, FolderRight(Kind.MAIL, "INBOX", who, "lrs")) == "person-not-there"
    assert there(target) == []


def test_the_owner_keeps_their_own_right(rights: Open, number: int) -> None:
    target = rights()
    assert refused(target, FolderRight(Kind.MAIL, "INBOX", f"ANNA{number}", "lr")) == "person-not-there"


def test_a_folder_that_is_gone_refuses(rights: Open, number: int) -> None:
    target = rights()
    assert refused(target, FolderRight(Kind.MAIL, "Weg", f"bert{number}", "lrs")) == "vanished"
    assert refused(target, FolderRight(Kind.CALENDAR, "x/", "bert", "read")) == "refused-by-target"


def test_a_lost_lease_gives_nothing(rights: Open, number: int) -> None:
    def lost() -> None:
        raise LeaseLost("lease-lost", "another worker has it")

    with pytest.raises(LeaseLost):
        list(rights(lost).write(HREF, [item(FolderRight(Kind.MAIL, FOLDER, f"bert{number}", "lrs"))]))
    assert there(rights()) == []


def test_what_others_gave_is_listed_and_never_ours(dovecot: Dovecot, rights: Open, number: int) -> None:
    """A right that takes away, a group's and a misspelt one: verification names them."""
    with IMAPClient(dovecot.host, port=dovecot.port, ssl=False) as client:
        client.login(f"anna{number}", dovecot.user_password)
        for who in ("$team", "-bert0", "nobody-such", "müller"):
            client._command_and_check("setacl", client._normalise_folder(FOLDER), f'"{who}"'.encode(), b"lrs")
    target = rights()
    assert sorted(one.split(":")[2] for one in there(target)) == [
        "%24team", "-bert0", "m%C3%BCller", "nobody-such"
    ]  # fmt: skip
    assert target.identity().user == f"anna{number}"
    assert target.capabilities.rights == {Kind.MAIL: RightsForm.ACL}


def test_a_body_that_is_no_right_is_refused(rights: Open) -> None:
    target = rights()
    for body in (b"", b"{}", b"[]", b'{"folder":"x"}', b"\xff"):
        broken = Item(
            Kind.PERMISSIONS, bytes(16), sha256(body).digest(), len(body), lambda b=body: io.BytesIO(b)
        )  # type: ignore[misc]
        (result,) = target.write(HREF, [broken])
        assert isinstance(result, Failed)
        assert result.error.code == "refused-by-target"


def test_targets_without_rights_say_so() -> None:
    target = FolderRightsTarget({}, kind=Kind.PERMISSIONS, digest=right_digest)
    with pytest.raises(Blocked, match="no-rights-at-target"):
        target.identity()
    assert not target.capabilities.rights
