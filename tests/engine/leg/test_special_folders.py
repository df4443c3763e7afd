"""The folders for sent mail and its like: there is one of each, which the web client goes on using.

Against Dovecot 2.4, with folders that it marks (SPECIAL-USE) and without.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from connector_settings import dovecot_settings
from memory.doubles import MemoryMailbox, MemoryStore
from on_dovecot import OnDovecot
from pydantic import ValidationError
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot
from walking import SOURCE, letter

from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from connectors.settings import Account
from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState
from model.kinds import Kind
from model.protocols import Container, Role

pytestmark = pytest.mark.dovecot

USERS = tuple(f"user{number}" for number in range(12))
GERMAN: Mapping[Role, str] = {
    Role.INBOX: "Posteingang",
    Role.SENT: "Gesendete Elemente",
    Role.DRAFTS: "Entwürfe",
    Role.TRASH: "Gelöschte Elemente",
    Role.JUNK: "Junk-E-Mail",
}
_users = iter(USERS)

unmarked = dovecot_fixture(USERS, special=False)
marked = dovecot_fixture(USERS)


def german() -> MemoryMailbox:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    for number, (role, name) in enumerate(GERMAN.items()):
        mailbox.deliver(mailbox.create_folder((name,), role), letter(number))
    mailbox.deliver(mailbox.create_folder(("Sent",)), letter(90))
    return mailbox


def a_trial(server: Dovecot, path: Path, **more: Any) -> OnDovecot:
    trial = OnDovecot(path, german(), MemoryStore())
    trial.server, trial.user, trial.more = server, next(_users), more
    return trial


def moved(trial: OnDovecot) -> dict[str, int]:
    """The account's folders with the number of messages in each, after two passes and a verification."""
    for copy in (True, True, False):
        result = trial.run(task=Task(Level.TARGET, copy=copy))
        assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    return folders(trial)


def folders(trial: OnDovecot) -> dict[str, int]:
    with trial.client() as client:
        names = [name for flags, _, name in client.list_folders() if b"\\Noselect" not in flags]
        return {name: client.folder_status(name, ["MESSAGES"])[b"MESSAGES"] for name in names}


def first_login(trial: OnDovecot, names: tuple[str, ...]) -> None:
    """What App Suite does at a user's first login: a folder of a name that is not there is created."""
    with trial.client() as client:
        have = {name.casefold() for _, _, name in client.list_folders()}
        for name in names:
            if name.casefold() not in have:
                client.create_folder(name)


def test_german_sent_mail_is_in_the_folder_that_the_web_client_calls_so(
    unmarked: Dovecot, quick_path: Path
) -> None:
    trial = a_trial(unmarked, quick_path, folder_language="de_DE")
    listed = moved(trial)
    first_login(trial, ("Gesendete Objekte", "Entwürfe", "Papierkorb", "Spam"))
    assert (
        folders(trial)
        == listed
        == {
            "INBOX": 1,
            "Gesendete Objekte": 1,
            "Entwürfe": 1,
            "Papierkorb": 1,
            "Spam": 1,
            "Sent": 1,
        }
    )


def test_english_names_are_given_one_by_one(unmarked: Dovecot, quick_path: Path) -> None:
    names = {"sent": "Sent", "drafts": "Drafts", "trash": "Trash", "junk": "Spam"}
    trial = a_trial(unmarked, quick_path, special_folders=names)
    listed = moved(trial)
    first_login(trial, tuple(names.values()))
    assert folders(trial) == listed
    assert listed == {"INBOX": 1, "Sent": 1, "Sent (2)": 1, "Drafts": 1, "Trash": 1, "Spam": 1}


def test_what_the_web_client_has_made_before_is_used_in_its_own_spelling(
    unmarked: Dovecot, quick_path: Path
) -> None:
    trial = a_trial(unmarked, quick_path, folder_language="de_DE", special_folders={"junk": "Müll/Spam"})
    first_login(trial, ("gesendete objekte", "Müll/Spam"))
    listed = moved(trial)
    assert listed["gesendete objekte"] == listed["Müll/Spam"] == 1
    assert "Gesendete Objekte" not in listed


def test_a_folder_that_the_server_marks_comes_first(marked: Dovecot, quick_path: Path) -> None:
    trial = a_trial(marked, quick_path, folder_language="de_DE")
    listed = moved(trial)
    assert (listed["Sent"], listed["Sent (2)"], listed["Trash"], listed["Junk"]) == (1, 1, 1, 1)
    assert not {"Gesendete Objekte", "Gesendete Elemente", "Papierkorb"} & listed.keys()


def test_without_names_a_folder_keeps_the_name_of_the_source(unmarked: Dovecot, quick_path: Path) -> None:
    assert moved(a_trial(unmarked, quick_path))["Gesendete Elemente"] == 1


def test_a_check_tells_where_the_server_marks_other_folders(
    marked: Dovecot, unmarked: Dovecot, tmp_path: Path
) -> None:
    said = {}
    for server in (marked, unmarked):
        settings = dovecot_settings(
            server, tmp_path, folder_language="de_DE", special_folders={"trash": "Trash"}
        )
        with closing(ImapTarget(settings, Account(login=USERS[0]), lambda: None, tmp_path)) as target:
            said[server.port] = target.capabilities.facts.get("marked-elsewhere")
    assert said == {marked.port: "sent drafts junk", unmarked.port: None}


def test_a_source_that_marks_nothing_has_them_by_name(unmarked: Dovecot, tmp_path: Path) -> None:
    user = next(_users)
    settings = dovecot_settings(unmarked, tmp_path, special_folders={"sent": "Gesendete Elemente"})
    with closing(ImapTarget(settings, Account(login=user), lambda: None, tmp_path)) as target:
        target.ensure(Container(Kind.MAIL, "", ("Gesendete Elemente",)))
    with closing(ImapSource(settings, Account(login=user), tmp_path)) as source:
        roles = {container.path[-1]: container.role for container in source.containers()}
    assert roles == {"INBOX": Role.INBOX, "Gesendete Elemente": Role.SENT}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"special_folders": {"sent": "INBOX"}}, "the inbox is no folder for anything else"),
        ({"special_folders": {"sent": "a//b"}}, 'with "/" between levels'),
        ({"special_folders": {"sent": "Mail", "trash": "mail"}}, "two roles have the same folder"),
        ({"special_folders": {"inbox": "Eingang"}}, "special_folders.inbox"),
        ({"folder_language": "de"}, "there are: cs_CZ, de_DE"),
        (
            {"folder_language": "de_DE", "special_folders": {"archive": "Spam"}},
            "two roles have the same folder",
        ),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path: Path, more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        dovecot_settings(Dovecot(tmp_path), tmp_path, **more)
