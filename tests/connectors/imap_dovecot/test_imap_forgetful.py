"""Dovecot without indexes on disk states a HIGHESTMODSEQ that says nothing: opening a folder tells."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from imapclient import IMAPClient
from server_fixtures import dovecot_fixture
from servers.dovecot import FORGETFUL, Dovecot

from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget

MAIL = b"Subject: one\r\n\r\nbody\r\n"
dovecot = dovecot_fixture(["anna", "bert"], more=FORGETFUL)


@pytest.fixture
def user() -> str:
    return "anna"


def work(dovecot: Dovecot, flag: bytes) -> None:
    """Somebody gives a mail a flag, in a session of their own."""
    client = IMAPClient("127.0.0.1", dovecot.port, ssl=False)
    client.login("anna", dovecot.user_password)
    if not client.folder_exists("Büro"):
        client.create_folder("Büro")
        client.append("Büro", MAIL)
    client.select_folder("Büro")
    client.add_flags([1], [flag])
    client.logout()


def test_a_folder_that_was_opened_is_known_to_keep_no_modification_sequences(
    dovecot: Dovecot, source: Callable[..., ImapSource], target: Callable[..., ImapTarget]
) -> None:
    states = []
    for flag in (rb"\Seen", rb"\Flagged"):
        work(dovecot, flag)
        for side in (source(), target()):
            (box,) = [one for one in side.containers() if one.path == ("Büro",)]
            states.append(box.state)
            assert box.id not in side.stateless()
            if isinstance(side, ImapSource):
                assert [len(page.refs) for page in side.changes(box, None)] == [1, 0]
            else:
                assert len(list(side.listing(box.id, None))) == 1
            assert box.id in side.stateless()
    assert len({*states}) == 1, "else this Dovecot is no example"
