"""What Dovecot states of a folder is another text after each change in it, and after no change the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from imapclient import IMAPClient
from servers.dovecot import Dovecot

from connectors.imap.folders import state_of
from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget

MAIL = b"Subject: one\r\n\r\nbody\r\n"
CHANGES: dict[str, Callable[[IMAPClient], object]] = {
    "append": lambda person: person.append("Box", MAIL),
    "seen": lambda person: person.add_flags([1], [rb"\Seen"]),
    "unseen": lambda person: person.remove_flags([2], [rb"\Seen"]),
    "keyword": lambda person: person.add_flags([2], [b"$Later"]),
    "deleted": lambda person: person.add_flags([1], [rb"\Deleted"]),
    "expunged": lambda person: person.uid_expunge([1]),
    "copied": lambda person: person.copy([2], "Box"),
    "came and went": lambda person: (person.append("Box", MAIL), person.move([3], "INBOX")),
    "moved away": lambda person: person.move([2], "INBOX"),
}


@pytest.fixture
def person(dovecot: Dovecot, user: str) -> Iterator[IMAPClient]:
    """Somebody at work in the account, who knows of no modification sequences."""
    client = IMAPClient("127.0.0.1", dovecot.port, ssl=False)
    client.login(user, dovecot.user_password)
    client.create_folder("Box")
    client.append("Box", MAIL)
    client.append("Box", MAIL, [rb"\Seen"])
    client.select_folder("Box")
    yield client
    client.logout()


def state(open_side: Callable[[], ImapSource | ImapTarget]) -> str:
    """By a connection of its own."""
    side = open_side()
    (found,) = [folder.state for folder in side.containers() if folder.path == ("Box",)]
    side.close()
    assert found is not None
    return found


def test_each_change_gives_another_state_on_both_sides(
    person: IMAPClient, source: Callable[..., ImapSource], target: Callable[..., ImapTarget]
) -> None:
    states = [(state(source), state(target))]
    for change in CHANGES.values():
        change(person)
        states += [(state(source), state(target))] * 2
        assert (state(source), state(target)) == states[-1]
    assert all(one == other for one, other in states)
    assert len({one for one, _ in states}) == len(CHANGES) + 1


def test_reading_changes_no_state(person: IMAPClient, source: Callable[..., ImapSource]) -> None:
    before, side = state(source), source()
    (box,) = [folder for folder in side.containers() if folder.path == ("Box",)]
    refs = [ref for page in side.changes(box, None) for ref in page.refs]
    assert len(list(side.fetch(box, refs))) == 2
    assert not side.stateless()
    person.fetch([1, 2], ["FLAGS", "BODY.PEEK[]"])
    assert state(source) == before


def test_a_folder_made_anew_with_the_same_mail_has_another_state(
    person: IMAPClient, source: Callable[..., ImapSource]
) -> None:
    before = state(source)
    person.close_folder()
    person.delete_folder("Box")
    person.create_folder("Box")
    person.append("Box", MAIL)
    person.append("Box", MAIL, [rb"\Seen"])
    assert state(source) != before


STATUS = {"UIDVALIDITY": "7", "UIDNEXT": "12", "MESSAGES": "3", "HIGHESTMODSEQ": "40"}


@pytest.mark.parametrize(
    "without",
    [
        {"HIGHESTMODSEQ": ""},
        {"HIGHESTMODSEQ": "0"},
        {"HIGHESTMODSEQ": "none"},
        {"UIDNEXT": ""},
        {"MESSAGES": ""},
        {"UIDVALIDITY": ""},
    ],
)
def test_a_server_that_does_not_say_everything_states_nothing(without: dict[str, str]) -> None:
    assert state_of(STATUS) == "7:12:3:40"
    assert state_of(STATUS | without) is None


def test_a_server_without_condstore_states_nothing(
    person: IMAPClient, source: Callable[..., ImapSource], target: Callable[..., ImapTarget]
) -> None:
    person.noop()
    for side in (source(), target()):
        assert side.capabilities.states
        hidden = side._session.capabilities_ - {"CONDSTORE", "QRESYNC"}
        side._session.capabilities_ = hidden
        assert not side.capabilities.states
        assert {folder.state for folder in side.containers()} == {None}
        side.close()
