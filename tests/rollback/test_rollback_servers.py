"""Rolling back on a real Dovecot and a real Radicale, looked at by clients that are not ours."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest
from calendars import a_calendar
from memory.doubles import MemoryShelf, MemoryStore, Step
from on_dovecot import OnDovecot
from server_fixtures import dovecot_fixture, radicale_fixture
from servers.dovecot import Dovecot
from undoing import Undoing, undone
from walking import Trial, a_mailbox, letter

from connectors.caldav.settings import DavSettings
from connectors.caldav.target import DavTarget
from connectors.imap.delete_mailbox import aside_of
from connectors.imap.target import ImapTarget
from connectors.settings import Account, Secret
from ledger.db.rows import LegState, Phase
from mappings.registry import ITEM_FORMS
from model.kinds import Kind
from model.protocols import Guard, Target
from practice.dav.radicale import USER_PASSWORD, RadicaleServer

PROVISIONED = {"Archive", "Drafts", "Junk", "Sent", "Trash", "INBOX"}
USERS = [f"user{number}" for number in range(20)]
PASSWORD_ENV = "KOGGE_TEST_ROLLBACK"
_fresh = itertools.count()
_HREF = re.compile(r"<href>([^<]+)</href>")


class MailOnDovecot(OnDovecot):
    def folders(self) -> dict[str, int]:
        """Messages by folder; without the empty ones that each new account has."""
        with self.client() as client:
            names = [name for _, _, name in client.list_folders()]
            found = {name: client.folder_status(name, ["MESSAGES"])[b"MESSAGES"] for name in names}
        return {name: count for name, count in found.items() if count or name not in PROVISIONED}


dovecot = dovecot_fixture(USERS)


@pytest.fixture
def mail(quick_path: Path, dovecot: Dovecot) -> MailOnDovecot:
    trial = MailOnDovecot(quick_path, a_mailbox(6), MemoryStore())
    trial.server, trial.user = dovecot, USERS[next(_fresh)]
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    return trial


def use(trial: MailOnDovecot) -> None:
    """Its user reads and answers a mail, files it in a folder of their own, and has mail of their own."""
    with trial.client() as client:
        client.create_folder("Privat")
        client.select_folder("INBOX")
        unread = client.search("UNSEEN")[0]
        client.add_flags([unread], [b"\\Seen", b"\\Answered", b"$Forwarded"])
        client.move([unread], "Privat")
        client.append("INBOX", letter(300), [])


@pytest.mark.dovecot
def test_mail_goes_and_what_its_user_did_stays(mail: MailOnDovecot) -> None:
    before = mail.folders()
    use(mail)
    told = Undoing(mail).look()
    undoing = undone(mail)
    assert undoing.counts == told
    assert (told["ours"], told["gone"], told["added"]) == (sum(before.values()) - 1, 1, 1)
    assert mail.folders() == {"INBOX": 1, "Privat": 1}
    with mail.client() as client:
        assert {name for _, _, name in client.list_sub_folders()} <= {*PROVISIONED, "Privat"}


@pytest.mark.dovecot
def test_a_recall_finds_what_was_filed_away(mail: MailOnDovecot) -> None:
    use(mail)
    undoing = undone(mail, recall=True)
    marks = {name: undoing.counts[name] for name in ("read", "answered", "forwarded")}
    assert marks == {"read": 1, "answered": 1, "forwarded": 1}
    assert mail.folders() == {"INBOX": 1, "Privat": 0}


@pytest.mark.dovecot
def test_another_mailbox_s_mail_is_untouched_and_moving_again_is_the_same(
    mail: MailOnDovecot, dovecot: Dovecot, quick_path: Path
) -> None:
    (quick_path / "other").mkdir()
    other = MailOnDovecot(quick_path / "other", a_mailbox(3), MemoryStore())
    other.server, other.user = dovecot, USERS[next(_fresh)]
    assert other.run().state is LegState.VERIFIED
    theirs, ours = other.folders(), mail.folders()
    undone(mail)
    assert other.folders() == theirs
    mail.ledger.requeue()
    assert mail.finish().state is LegState.VERIFIED
    assert mail.folders() == ours


@pytest.mark.dovecot
def test_a_folder_that_was_on_its_way_out_when_a_worker_died_goes(mail: MailOnDovecot) -> None:
    """Between its new name and its end; and one that somebody filed something in meanwhile stays."""
    target = mail.open_target(lambda: None, lambda _: None, datetime.now().astimezone(), live=False)
    assert isinstance(target, ImapTarget)
    with mail.client() as client:
        full = aside_of(b"Voll", b"/").decode()
        client.create_folder(aside_of(b"Weg", b"/").decode())
        client.create_folder(full)
        client.append(full, letter(301), [])
    assert target.clear("Weg")
    assert not target.clear("Voll")
    target.close()
    folders = mail.folders()
    assert folders["Voll"] == 1
    assert not [name for name in folders if "leaving" in name or name == "Weg"]


@pytest.mark.dovecot
@pytest.mark.parametrize("above", ["", "Projekte/"])
def test_a_folder_whose_name_is_as_long_as_may_be_goes(mail: MailOnDovecot, above: str) -> None:
    name = above + "x" * 255
    target = mail.open_target(lambda: None, lambda _: None, datetime.now().astimezone(), live=False)
    assert isinstance(target, ImapTarget)
    with mail.client() as client:
        client.create_folder(name)
    assert target.clear(name)
    target.close()
    assert name not in mail.folders()


class OnRadicale(Trial):
    server: RadicaleServer
    user: str

    def open_target(self, guard: Guard, step: Step, moment: datetime, *, live: bool) -> Target:
        settings = DavSettings(
            kind="caldav", url=self.server.url, profile="radicale", password=Secret(env=PASSWORD_ENV)
        )

        def digest(stream: BinaryIO) -> bytes:
            return ITEM_FORMS[Kind.CALENDAR].digest(stream, moment)

        account = Account(login=self.user)
        return DavTarget(
            settings, account, guard, self.directory, kind=Kind.CALENDAR, digest=digest, live=live
        )

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=self.server.url, auth=(self.user, USER_PASSWORD)) as client:
            yield client

    def paths(self) -> list[str]:
        """Of every collection and object."""
        with self.client() as client:
            found = self._below(client, f"/{self.user}/")
            return sorted([*found, *(path for one in found for path in self._below(client, one))])

    def _below(self, client: httpx.Client, path: str) -> list[str]:
        body = b'<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
        answer = client.request("PROPFIND", path, headers={"Depth": "1"}, content=body)
        return [href for href in _HREF.findall(answer.text) if href != path]


radicale = radicale_fixture(USERS)


@pytest.fixture
def calendar(quick_path: Path, radicale: RadicaleServer, monkeypatch: pytest.MonkeyPatch) -> OnRadicale:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    trial = OnRadicale(quick_path, a_calendar(3), MemoryShelf())
    trial.server, trial.user = radicale, USERS[next(_fresh)]
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    return trial


def test_calendars_go(calendar: OnRadicale) -> None:
    before = calendar.paths()
    assert undone(calendar).counts["containers"] == 2
    assert calendar.paths() == []
    calendar.ledger.requeue()
    assert calendar.finish().state is LegState.VERIFIED
    assert calendar.paths() == before


def test_an_event_that_its_user_moved_to_another_day_stays(calendar: OnRadicale) -> None:
    event = next(path for path in calendar.paths() if path.endswith(".ics"))
    with calendar.client() as client:
        raw = client.get(event).raise_for_status().text
        client.put(event, content=raw.replace("SUMMARY:", "SUMMARY:Verlegt ")).raise_for_status()
    undoing = undone(calendar)
    assert (undoing.counts["changed"], undoing.counts["containers"]) == (1, 1)
    assert [path for path in calendar.paths() if path.endswith(".ics")] == [event]
