"""The position right after a write: taken from what was stored, and asked again after anything else."""

from __future__ import annotations

import pytest
from imap_items import WORK, OpenTarget, item
from imapclient import IMAPClient
from servers.dovecot import Dovecot

from connectors.imap.append import position
from model.errors import Blocked
from model.protocols import Stored

pytestmark = pytest.mark.dovecot


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the server was asked for the position of."""
    seen: list[str] = []

    def ask(session: object, raw: bytes) -> str:
        seen.append(raw.decode())
        return position(session, raw)  # type: ignore[arg-type]

    monkeypatch.setattr("connectors.imap.target.position", ask)
    return seen


@pytest.mark.parametrize("count", [1, 250])
def test_the_position_after_a_write_is_the_servers_own(
    target: OpenTarget, asked: list[str], count: int
) -> None:
    opened, other = target(), target()
    href = opened.ensure(WORK)
    assert len(list(opened.write(href, [item(number) for number in range(count)]))) == count
    assert opened.position(href) == other.position(href)
    assert asked == [href], "the other one asked"


def test_it_is_below_everything_that_is_written_later_whoever_delivered_meanwhile(
    dovecot: Dovecot, user: str, target: OpenTarget
) -> None:
    opened = target()
    href = opened.ensure(WORK)
    list(opened.write(href, [item(1)]))
    with IMAPClient(dovecot.host, dovecot.port, ssl=False) as client:
        client.plain_login(user, dovecot.user_password)
        client.append(href, b"Subject: from somebody else\r\n\r\n")
    mark = opened.position(href)
    (result,) = opened.write(href, [item(2)])
    assert isinstance(result, Stored)
    assert result.href in {listed.href for listed in opened.listing(href, mark)}


def test_after_anything_else_the_server_is_asked(target: OpenTarget, asked: list[str]) -> None:
    opened = target()
    href = opened.ensure(WORK)
    list(opened.write(href, [item(1)]))
    assert opened.position("INBOX") != opened.position(href)
    assert asked == ["INBOX", href]
    list(opened.write(href, [item(2)]))
    list(opened.listing(href))
    opened.position(href)
    assert asked == ["INBOX", href, href]


def test_a_write_that_failed_says_nothing(
    dovecot: Dovecot, user: str, target: OpenTarget, asked: list[str]
) -> None:
    dovecot.set_quota(user, 20_000)
    opened = target()
    href = opened.ensure(WORK)
    list(opened.write(href, [item(1, 4_000)]))
    with pytest.raises(Blocked, match="over-quota"):
        list(opened.write(href, [item(number, 4_000) for number in range(2, 10)]))
    opened.position(href)
    assert asked == [href]
    dovecot.set_quota(user, None)
