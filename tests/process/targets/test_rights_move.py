"""Rights to folders move by the commands of a user, through kills, second runs, a cutover taken back and a
rollback: nobody has a right before the freeze, and nobody has more than before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from imapclient import IMAPClient
from proving import Place, accounted, asked, until
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot

from practice.exchange.server import ExchangeServer
from practice.servers.dovecot import USER_PASSWORD
from practice.servers.pigeonhole import SHARED
from practice.world.folders import Grant
from practice.world.mailbox import Mailbox
from practice.world.world import World

pytestmark = [
    pytest.mark.dovecot,
    pytest.mark.prefect,
    pytest.mark.timeout(600),
]
CUTOVER = ("cutover", "--wave", "pilot", "--by", "A. Engineer", "--json")
GIVEN = (
    "SELECT count(*) FROM item i JOIN container c ON c.id = i.container JOIN leg l ON l.id = c.leg "
    "WHERE l.workload = 'permissions' AND i.state = 5"
)
WORDS = ("--execute", "--by", "A. Auditor", "--reason", "the wrong people")
USERS = tuple(f"login{number}@new.example" for number in range(9))
_fresh = iter(USERS)
dovecot = dovecot_fixture(USERS, more=SHARED)


class Office:
    """An Exchange with three people, a Dovecot with ACL, and who moves: two now, one later."""

    def __init__(self, place: Place, server: Dovecot) -> None:
        self.place, self.server = place, server
        self.logins = list(place.pairs.values())
        self.rows("pilot", "pilot", "later")

    def rows(self, *waves: str) -> None:
        lines = [
            f"{one},{other},{wave}"
            for (one, other), wave in zip(self.place.pairs.items(), waves, strict=True)
        ]
        text = "\n".join(["source,target,wave", *lines]) + "\n"
        (self.place.directory / "mailboxes.csv").write_text(text)

    def sees(self, login: str) -> dict[str, set[str]]:
        """What a person finds of others in their own list of folders, and may do there."""
        with IMAPClient(self.server.host, port=self.server.port, ssl=False) as client:
            client.login(login, USER_PASSWORD)
            found = {}
            for flags, _, name in client.list_folders("", "shared/*"):
                if not {b"\\Noselect", b"\\NonExistent"} & {*flags}:
                    client._imap._simple_command("MYRIGHTS", client._normalise_folder(str(name)))
                    (told,) = client._imap._untagged_response("OK", [None], "MYRIGHTS")[1]
                    found[str(name)] = {*told.rpartition(b" ")[2].decode()} - {*"cd"}
            return found

    def kill_a_run(self, *words: str) -> None:
        """When the Exchange has answered sixty requests more."""
        with self.place.running(*words) as running:
            aim = asked(self.place.exchange) + 60
            until(lambda: asked(self.place.exchange) >= aim, running)


@pytest.fixture
def office(tmp_path: Path, environment: dict[str, str], dovecot: Dovecot) -> Iterator[Office]:
    world = World(seed=11, people=3, items=8, pim=0)
    pairs = {address: next(_fresh) for address in world.addresses()}
    with ExchangeServer(world) as exchange:
        place = Place(tmp_path / "place", exchange, dovecot.host, dovecot.port, pairs, environment)
        place.tables = {"target.permissions": {"kind": '"folder-rights"'}}
        place.configure()
        yield Office(place, dovecot)


def share(world: World, owner: Mailbox) -> None:
    """The owner's inbox is read by both others, and one of them looks after a folder of theirs."""
    _, second, third = (world.people.at(number) for number in range(3))
    inbox = next(folder for folder in owner.folders() if folder.role == "inbox")
    with world.lock:
        projects = owner.create_folder(owner.root, "Abteilung 7")
        owner.share(
            inbox, Grant(second.name, second.address, "Reviewer"), Grant(third.name, third.address, "Author")
        )
        owner.share(
            projects,
            Grant(second.name, second.address, "Editor"),
            Grant("Fremd", "stranger@elsewhere.example", "Owner"),
        )


def test_rights_are_given_from_the_freeze_on(office: Office) -> None:
    place, (first, second, third) = office.place, office.logins
    world = place.exchange.world
    owner = world.mailbox(next(iter(place.pairs)))
    share(world, owner)
    office.kill_a_run("migrate", "--wave", "pilot")
    done = place.migrate()
    assert done.code == 0, done
    accounted(place)
    assert office.sees(second) == {}, "nobody has a right while the mailbox is filled"

    office.kill_a_run(*CUTOVER)
    for _ in range(2):
        done = place.run(*CUTOVER)
        assert done.code == 0, done
    given = {f"shared/{first}": {*"lrs"}, f"shared/{first}/Abteilung 7": {*"eilprstw"}}
    assert office.sees(second) == given
    assert office.sees(third) == {}
    assert place.query(GIVEN) == [(2,)]
    codes = {str(code) for (code,) in place.query("SELECT DISTINCT code FROM item WHERE state = 6")}
    assert {"person-later", "right-of-unknown"} <= codes
    done = place.run("settings", "-m", first, "--by", "Help desk", "--json")
    assert done.code == 0, done
    shown = {one["source"]: one for one in json.loads(done.out)}
    editor = shown[f"{world.people.at(1).address}: Editor, in Abteilung 7"]
    assert (editor["target"], editor["effect"]) == (f"{second}: eilprstw, in Abteilung 7", "there")
    later = shown[
        f"{world.people.at(2).address}: Author, in {world.mailbox(owner.address).distinguished('inbox').name}"
    ]
    assert (later["target"], later["effect"], later["code"]) == ("", "not there", "person-later")

    done = place.run("migrate", "--wave", "later", "--json")
    assert done.code == 0, done
    done = place.migrate()
    assert done.code == 0, done
    assert office.sees(third) == {f"shared/{first}": {*"ilprs"}}, "a later pass of a live mailbox gives it"
    assert office.sees(second) == given


def test_a_rollback_takes_back_what_was_given(office: Office) -> None:
    """But for what somebody changed since."""
    place, (first, second, _) = office.place, office.logins
    world = place.exchange.world
    share(world, world.mailbox(next(iter(place.pairs))))
    assert place.migrate().code == 0
    done = place.run(*CUTOVER)
    assert done.code == 0, done
    assert len(office.sees(second)) == 2
    with IMAPClient(office.server.host, port=office.server.port, ssl=False) as client:
        client.login(first, USER_PASSWORD)
        client.setacl("INBOX", second, "lr")
    undone = place.run("rollback", "--wave", "pilot", *WORDS, "--json")
    assert undone.code == 0, undone
    assert office.sees(second) == {f"shared/{first}": {*"lr"}}


def test_an_administrators_list_gives_what_the_source_does_not_tell(office: Office) -> None:
    """A list with a fault is refused before anything is written; full access comes to each folder."""
    place, (first, second, third) = office.place, office.logins
    world = place.exchange.world
    share(world, world.mailbox(next(iter(place.pairs))))
    owner, reader, later = place.pairs
    place.tables = {"target.permissions": {"kind": '"folder-rights"', "export": '"permissions.csv"'}}
    place.configure()
    office.rows("pilot", "pilot", "later")
    export = place.directory / "permissions.csv"
    for text, told in (("", "names no right"), (f"{owner},/Inbox,{reader},Editr\n", "did you mean Editor")):
        export.write_text(f"mailbox,folder,user,rights\n{text}")
        for words in (("migrate", "--wave", "pilot"), ("check",)):
            done = place.run(*words)
            assert done.code == 2, done
            assert told in done.err + done.out
    export.write_text(
        "mailbox,folder,user,rights\n"
        f"{owner},,{reader},FullAccess\n"
        f"{owner},,{reader},SendAs\n"
        f"{reader},,{later},FullAccess\n"
        f"other@old.example,,{reader},FullAccess\n"
    )
    done = place.run("check", "--wave", "pilot")
    assert "permissions.csv: line 5: no mailbox" in done.out + done.err
    done = place.run("migrate", "--wave", "pilot", "--json")
    assert done.code == 0, done
    assert office.sees(second) == {}, "nobody has a right while the mailbox is filled"
    office.kill_a_run(*CUTOVER)
    done = place.run(*CUTOVER)
    assert done.code == 0, done
    whole = {*"eiklprstw"}
    seen = office.sees(second)
    assert seen[f"shared/{first}"] == seen[f"shared/{first}/Abteilung 7"] == whole
    assert len(seen) > 4, "all folders of the owner"
    assert office.sees(third) == {}, "moves later"
    codes = {str(code) for (code,) in place.query("SELECT DISTINCT code FROM item WHERE state = 6")}
    assert {"send-as", "person-later"} <= codes
    undone = place.run("rollback", "--wave", "pilot", *WORDS, "--json")
    assert undone.code == 0, undone
    assert office.sees(second) == {}
