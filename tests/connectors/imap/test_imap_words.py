"""What an IMAP server says of a refusal goes with the error, whatever was refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from imap_script import Open, Serve, Settings, appending, item, refusing_login

from connectors.imap.source import ImapSource
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.kinds import Kind
from model.protocols import Container, Failed, Ref

SAID = "Anna Angst's mailbox says no"
NO = b"TAG NO [CANNOT] Anna Angst's mailbox says no\r\n"


def shows_nothing(error: MigrationError) -> bool:
    return "Anna" not in f"{error!r} {error} {error.words!r} {vars(error)}"


def test_an_append_that_is_refused(serve: Serve, target: Open) -> None:
    opened = target(serve(appending(NO)))
    (failed,) = opened.write("INBOX", [item(1)])
    assert isinstance(failed, Failed)
    assert (failed.error.code, failed.error.words.spoken()) == ("refused-by-target", f"[CANNOT] {SAID}")
    assert shows_nothing(failed.error)


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        (b"TAG NO [OVERQUOTA] over by 3 MB\r\n", Blocked, "[OVERQUOTA] over by 3 MB"),
        (b"TAG NO [NOPERM] ask Anna\r\n", Blocked, "[NOPERM] ask Anna"),
        (b"TAG NO [UNAVAILABLE] disk of Anna\r\n", Transient, "[UNAVAILABLE] disk of Anna"),
        (b"* BYE shut down by Anna\r\n", Transient, "shut down by Anna"),
    ],
)
def test_what_concerns_everything(
    serve: Serve, target: Open, reply: bytes, kind: type[MigrationError], said: str
) -> None:
    left = iter((reply,))  # the connection ends when there is nothing left to say
    opened = target(
        serve(lambda command, *_: next(left, None) if command.startswith(b"APPEND") else b"TAG OK x\r\n")
    )
    with pytest.raises(kind) as caught:
        list(opened.write("INBOX", [item(1)]))
    assert caught.value.words.spoken() == said
    assert shows_nothing(caught.value)


def test_a_folder_that_is_refused(serve: Serve, target: Open) -> None:
    opened = target(serve(lambda command, *_: NO if command.startswith(b"CREATE") else b"TAG OK x\r\n"))
    with pytest.raises(Rejected, match="name-not-allowed") as caught:
        opened.ensure(Container(Kind.MAIL, "id", ("Work",)))
    assert SAID in caught.value.words.spoken()


def test_a_login_that_is_refused(serve: Serve, target: Open) -> None:
    with pytest.raises(Blocked, match="login-refused") as caught:
        target(serve(refusing_login)).identity()
    assert caught.value.words.spoken() == "[AUTHENTICATIONFAILED] anna@example.org may not"
    assert "anna" not in f"{caught.value!r}{caught.value}{caught.value.words!r}"


def test_a_server_that_greets_with_bye(serve: Serve, target: Open) -> None:
    with pytest.raises(Transient) as caught:
        target(serve(refusing_login, greeting=b"* BYE Anna has too many connections")).identity()
    assert "Anna has too many connections" in caught.value.words.spoken()


def test_a_message_that_the_source_does_not_give(serve: Serve, settings: Settings, tmp_path: Path) -> None:
    server = serve(lambda command, *_: NO if b"FETCH" in command else b"TAG OK x\r\n")
    source = ImapSource(settings(server.port), Account(login="anna"), tmp_path)
    (failed,) = source.fetch(Container(Kind.MAIL, "INBOX", ("INBOX",)), [Ref("0:1", "", size=10)])
    source.close()
    assert isinstance(failed, Failed)
    assert (failed.error.code, failed.error.words.spoken()) == ("item-refused", f"[CANNOT] {SAID}")
