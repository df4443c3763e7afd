"""Who else may read the folders of a target: by script as Cyrus answers, and a real Dovecot with its ACL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from connector_settings import dovecot_settings
from imap_script import CAPABILITIES, Open, Serve
from imapclient import IMAPClient
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot

from connectors.imap.target import ImapTarget
from connectors.settings import Account
from model.kinds import Kind
from model.protocols import Container
from model.readers import Readers
from practice.servers.pigeonhole import ACL

OWNER = b"anna lrswipkxtecdan"
dovecot = dovecot_fixture(["anna", "bert"], more=ACL)


def rights(told: dict[bytes, bytes | None]) -> Callable[..., bytes]:
    """A Cyrus whose folders have these rights; None: it does not tell them."""

    def script(command: bytes, *_: object) -> bytes:
        if command.startswith(b"GETACL"):
            name = command.split(b" ", 1)[1].strip().strip(b'"')
            if (said := told[name]) is None:
                return b"TAG NO Permission denied\r\n"
            return b"* ACL %s %s\r\nTAG OK Completed\r\n" % (name, said)
        listed = b"".join(b'* LIST () "/" "%s"\r\n' % name for name in told)
        return (listed if command.startswith(b"LIST") else b"") + b"TAG OK done\r\n"

    return script


@pytest.mark.parametrize(
    ("said", "is_open"),
    [
        (OWNER, False),
        (OWNER + b" bert lrs", True),
        (OWNER + b" bert l", True),
        (OWNER + b" anyone p", False),
        (OWNER + b" -bert lrs", False),
        (OWNER + b" cyrus lra backup lrs", False),
        (b"anna@new.example lrswipkxtecdan", False),
        (b"u4711 lrswipkxtecdan", False),
        (b"u4711 lrswipkxtecdan bert lrs", True),
        (b"u4711 lrswipkxtecdan bert lrswipkxtea", True),
        (OWNER + b' "b{\xc3\xbc}" lrs', True),
    ],
)
def test_somebody_beside_the_owner_is_noticed(said: bytes, is_open: bool, serve: Serve, target: Open) -> None:
    server = serve(rights({b"INBOX": said, b"Sent": OWNER}), capabilities=CAPABILITIES + b" ACL")
    opened = target(server, administrators=["cyrus", "Backup"])
    assert opened.readers(None) == Readers(open=frozenset({"INBOX"} if is_open else ()))


def test_what_is_not_told_is_no_answer(serve: Serve, target: Open) -> None:
    told = {b"INBOX": OWNER, b"Sent": None, b"Drafts": OWNER + b" bert lrs"}
    server = serve(rights(told), capabilities=CAPABILITIES + b" ACL")
    found = target(server).readers(["INBOX", "Sent", "Drafts"])
    assert found == Readers(open=frozenset({"Drafts"}), untold=frozenset({"Sent"}))


def test_a_server_without_rights_is_not_asked(serve: Serve, target: Open) -> None:
    server = serve(rights({b"INBOX": OWNER}))
    assert target(server).readers(None) == Readers()
    assert not [line for line in server.lines if line.startswith((b"GETACL", b"LIST"))]


@pytest.fixture
def anna(dovecot: Dovecot, tmp_path: Path) -> Iterator[ImapTarget]:
    settings = dovecot_settings(dovecot, tmp_path)
    opened = ImapTarget(settings, Account(login="anna", address="a@new.example"), lambda: None, tmp_path)
    yield opened
    opened.close()


@pytest.mark.dovecot
def test_a_folder_of_dovecot_has_the_rights_of_the_one_it_is_in(dovecot: Dovecot, anna: ImapTarget) -> None:
    assert anna.readers(None) == Readers()
    with IMAPClient(dovecot.host, port=dovecot.port, ssl=False) as client:
        client.login("anna", dovecot.user_password)
        client.create_folder("Büro")
        client.setacl("INBOX", "bert", "lrs")
        client.setacl("Büro", "bert", "lrs")
    made = [
        anna.ensure(Container(Kind.MAIL, str(number), path))
        for number, path in enumerate([("Büro", "Kinder"), ("INBOX", "Kinder"), ("Neu",)])
    ]
    assert anna.readers(made) == Readers(open=frozenset({"Büro/Kinder", "INBOX/Kinder"}))
    assert anna.readers(None).open == {"INBOX", "Büro", "Büro/Kinder", "INBOX/Kinder"}
