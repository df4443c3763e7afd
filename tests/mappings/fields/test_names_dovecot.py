"""Planned names are names that Dovecot takes, each as a folder of its own."""

from __future__ import annotations

import imaplib

import pytest
from servers.dovecot import start_dovecot
from services import need_dovecot

from mappings.fields.folder_names import modified_utf7, plan_names
from model.kinds import Kind
from model.protocols import Capabilities, Container, Role
from practice.servers.dovecot import USER_PASSWORD

NASTY = (
    "a/b", "a\u2215b", "~x", ".", "..", "...", "inbox", "100 %", "a*b", " lead", "trail ", "a\tb", "a\x7fb",
    "a\x85b", "a\u2028b", "e\u0301", "é", 'q"q', "a\\b", "a&b", "&", "😀" * 60, "ü" * 250, "x" * 300,
    "", "\0",
)  # fmt: skip


def quoted(path: tuple[str, ...]) -> str:
    name = modified_utf7("/".join(path)).decode()
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


@pytest.mark.dovecot
def test_dovecot_takes_every_planned_name() -> None:
    need_dovecot()
    containers = [
        Container(Kind.MAIL, f"{parent}{number}", (*parent, name))
        for parent in ((), ("INBOX",), ("Projekte",))
        for number, name in enumerate(NASTY)
    ]
    containers += [
        Container(Kind.MAIL, "i", ("INBOX",), Role.INBOX),
        Container(Kind.MAIL, "p", ("Projekte",)),
    ]
    containers += [Container(Kind.MAIL, f"deep{n}", tuple("ö" * 100 for _ in range(n))) for n in range(1, 20)]
    plan = plan_names(containers, Capabilities(frozenset({Kind.MAIL})), {}, {})
    server = start_dovecot(["names"])
    try:
        client = imaplib.IMAP4("127.0.0.1", server.port)
        client.login("names", USER_PASSWORD)
        places = [placement.path for placement in plan.values() if placement.path != ("INBOX",)]
        for path in sorted(places, key=len):
            assert client.create(quoted(path))[0] == "OK", path
            assert client.select(quoted(path))[0] == "OK", path
        client.shutdown()
    finally:
        server.stop()
