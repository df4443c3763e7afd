"""A server that marks folders when they are made (CREATE-SPECIAL-USE): a new one gets its use, once."""

from __future__ import annotations

import pytest
from imap_script import CAPABILITIES, Open, Serve

from model.kinds import Kind
from model.protocols import Container, Role

MARKS = CAPABILITIES + b" SPECIAL-USE LIST-EXTENDED"
SENT = Container(Kind.MAIL, "1", ("Gesendete Objekte",), Role.SENT)


def listing(lines: bytes) -> object:
    def script(command: bytes, *_: object) -> bytes:
        return (lines if command.startswith(b'LIST "" "*"') else b"") + b"TAG OK done\r\n"

    return script


@pytest.mark.parametrize(
    ("able", "listed", "sent"),
    [
        (b" CREATE-SPECIAL-USE", b"", b'CREATE "Gesendete Objekte" (USE (\\Sent))\r\n'),
        (b" CREATE-SPECIAL-USE", b'* LIST (\\Sent) "/" "Sent"\r\n', b'CREATE "Gesendete Objekte"\r\n'),
        (b"", b"", b'CREATE "Gesendete Objekte"\r\n'),
    ],
)
def test_a_new_folder_is_marked_where_the_server_can(
    serve: Serve, target: Open, able: bytes, listed: bytes, sent: bytes
) -> None:
    server = serve(listing(listed), capabilities=MARKS + able)
    assert target(server).ensure(SENT) == "Gesendete Objekte"
    assert [line for line in server.lines if line.startswith(b"CREATE")] == [sent]
