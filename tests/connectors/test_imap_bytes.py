"""What servers really do to line ends and NUL, for every short sequence: the digests of what was sent and of
what comes back must be equal, or verification would cry wolf."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from services import need_dovecot

from connectors.imap.settings import ImapSettings
from connectors.imap.target import ImapTarget
from connectors.settings import Account, Secret
from mappings.mail.digest import canonical
from model.kinds import Kind
from model.protocols import Item, Native, Stored
from practice.servers.imap import ImapServer, start_imap


@pytest.fixture(scope="module", params=["pymap", pytest.param("dovecot", marks=pytest.mark.dovecot)])
def server(request: pytest.FixtureRequest) -> Iterator[ImapServer]:
    dovecot = request.param == "dovecot"
    if dovecot:
        need_dovecot()
    started = start_imap(["bytes"], prefer_dovecot=dovecot)
    yield started
    started.stop()


def sequences() -> list[bytes]:
    """Every sequence of up to four of the bytes that matter, in the middle, at the end, and in headers that
    no empty line ends."""
    inside = [bytes(s) for n in range(1, 5) for s in itertools.product(b"a\r\n\0", repeat=n)]
    return (
        [b"S: x\r\n\r\nb" + s + b"e\r\n" for s in inside]
        + [b"S: x\n\nb" + s for s in inside]
        + [b"S: x\r\nT: y\r\n"]
    )


def test_every_short_sequence_comes_back_with_the_same_digest(server: ImapServer, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(server.master_password)
    settings = ImapSettings(
        kind="imap",
        host=server.host,
        port=server.port,
        security="none",
        auth=server.auth,
        username=server.master_user,
        password=Secret(file=str(tmp_path / "password")),
    )
    target = ImapTarget(settings, Account(login="bytes"), lambda: None, tmp_path)
    sent = sequences()
    items = [_item(number, raw) for number, raw in enumerate(sent)]
    stored = [result for result in target.write("INBOX", items) if isinstance(result, Stored)]
    assert len(stored) == len(sent)
    wanted = {one.href: items[int.from_bytes(one.key, "big")].digest for one in stored}
    for href, native in target.read("INBOX", list(wanted)):
        assert isinstance(native, Native)
        assert native.body is not None
        assert canonical(native.body()).digest == wanted.pop(href)
    assert not wanted
    target.close()


def _item(number: int, raw: bytes) -> Item:
    digested = canonical(io.BytesIO(raw))
    key = number.to_bytes(16, "big")
    return Item(Kind.MAIL, key, digested.digest, digested.size, lambda: io.BytesIO(raw))
