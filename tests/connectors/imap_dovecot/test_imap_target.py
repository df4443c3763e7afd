"""The IMAP target against a private Dovecot: writing and folders."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from imap_items import WORK, OpenTarget, item
from imapclient import IMAPClient
from servers.dovecot import Dovecot

from model.errors import Blocked, LeaseLost, Transient
from model.kinds import Kind
from model.protocols import Failed, Item, Native, Role, Stored

pytestmark = pytest.mark.dovecot


def test_quota_stores_what_fits_blocks_and_goes_on_after_a_raise(
    dovecot: Dovecot, user: str, target: OpenTarget
) -> None:
    dovecot.set_quota(user, 50_000)
    full = target()
    href = full.ensure(WORK)
    items = [item(number, 4_000) for number in range(30)]
    stored: list[Stored] = []
    with pytest.raises(Blocked, match="over-quota"):
        stored.extend(result for result in full.write(href, items) if isinstance(result, Stored))
    assert 10 <= len(stored) <= 12
    assert {one.href for one in full.listing(href)} == {one.href for one in stored}
    used = full.quota()
    assert used is not None
    assert 40_000 < used[0] <= used[1] < 51_200, "told in units of 1024 bytes"
    dovecot.set_quota(user, None)
    roomy = target()
    rest = list(roomy.write(href, items[len(stored) :]))
    assert all(isinstance(result, Stored) for result in rest)
    assert len(list(roomy.listing(href))) == 30


def test_a_restart_is_transient_and_loses_nothing_confirmed(dovecot: Dovecot, target: OpenTarget) -> None:
    opened = target()
    href = opened.ensure(WORK)
    first = list(opened.write(href, [item(1), item(2)]))
    dovecot.restart()
    with pytest.raises(Transient):
        list(opened.write(href, [item(3)]))
    list(opened.write(href, [item(4)]))
    listed = {one.href for one in opened.listing(href)}
    assert {one.href for one in first if isinstance(one, Stored)} < listed
    assert len(listed) == 3


def test_a_kill_in_the_middle_of_a_batch_leaves_whole_batches(dovecot: Dovecot, target: OpenTarget) -> None:
    opened = target(batch_items=20)
    href = opened.ensure(WORK)
    confirmed: list[str] = []

    def items() -> Iterator[Item]:
        for number in range(2000):
            if number == 110:
                dovecot.kill()
            yield item(number)

    with pytest.raises(Transient):
        confirmed.extend(one.href for one in opened.write(href, items()) if isinstance(one, Stored))
    dovecot.start()
    listed = [one.href for one in target().listing(href)]
    assert len(confirmed) >= 20
    assert set(confirmed) <= set(listed)
    assert len(listed) % 20 == 0


def test_a_lease_lost_in_a_long_literal_stores_nothing(target: OpenTarget) -> None:
    href = target().ensure(WORK)
    calls = iter(range(1000))

    def guard() -> None:
        if next(calls) >= 1:
            raise LeaseLost("lease-lost")

    with pytest.raises(LeaseLost):
        list(target(guard, spool_above=100_000).write(href, [item(1, 8_000_000)]))
    assert list(target().listing(href)) == []


def test_a_message_with_nul_and_bare_lf_costs_nobody_else(target: OpenTarget) -> None:
    opened = target()
    href = opened.ensure(WORK)
    odd = Item(Kind.MAIL, b"o" * 16, b"", 20, lambda: io.BytesIO(b"Subject: a\n\nx\0y\n"))
    results = list(opened.write(href, [item(1), odd, item(2)]))
    assert all(isinstance(result, Stored) for result in results)
    stored = {result.key: result for result in results if isinstance(result, Stored)}
    ((_, back),) = opened.read(href, [stored[odd.key].href])
    assert isinstance(back, Native)
    assert back.body is not None
    with back.body() as stream:
        assert stream.read() == b"Subject: a\r\n\r\nx\x80y\r\n"


def test_roles_are_the_servers_and_new_folders_are_subscribed(
    dovecot: Dovecot, user: str, target: OpenTarget
) -> None:
    opened = target()
    roles = {one.role: one.path for one in opened.containers()}
    assert roles[Role.SENT] == ("Sent",)
    assert set(roles) >= {Role.INBOX, Role.SENT, Role.DRAFTS, Role.TRASH, Role.JUNK, Role.ARCHIVE}
    opened.ensure(WORK)
    client = IMAPClient("127.0.0.1", dovecot.port, ssl=False)
    client.login(user, dovecot.user_password)
    assert "Work" in [name for _, _, name in client.list_sub_folders()]
    client.logout()


def test_totals_are_the_servers_own(target: OpenTarget) -> None:
    opened = target()
    href = opened.ensure(WORK)
    list(opened.write(href, [item(number) for number in range(3)]))
    work = next(one for one in opened.containers() if one.id == href)
    assert (work.total, work.size) == (3, 3000)


def test_a_folder_gone_under_our_feet_is_blocked(dovecot: Dovecot, user: str, target: OpenTarget) -> None:
    opened = target()
    href = opened.ensure(WORK)
    client = IMAPClient("127.0.0.1", dovecot.port, ssl=False)
    client.login(user, dovecot.user_password)
    client.delete_folder("Work")
    client.logout()
    with pytest.raises(Blocked, match="container-missing"):
        list(opened.write(href, [item(1)]))


def test_what_a_server_renumbered_is_not_said_to_be_gone(
    dovecot: Dovecot, user: str, target: OpenTarget
) -> None:
    opened = target()
    href = opened.ensure(WORK)
    written = [one for one in opened.write(href, [item(1)]) if isinstance(one, Stored)]
    opened.close()
    client = IMAPClient("127.0.0.1", dovecot.port, ssl=False)
    client.login(user, dovecot.user_password)
    client.rename_folder("Work", "Old")
    client.create_folder("Work")
    client.select_folder("Old")
    client.copy([1], "Work")
    client.logout()
    (failed,) = target().remove(href, written)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Transient)
    assert failed.error.code == "container-renumbered"
    assert len(list(target().listing(href))) == 1


def test_headers_as_they_are_of_everything_in_a_folder(
    dovecot: Dovecot, user: str, target: OpenTarget
) -> None:
    """Folded, twice, missing, or with bytes that no header should have; more than one window of them."""
    heads = [
        b"Message-ID:\r\n <folded@x.example>\r\nDate: Mon, 1 Feb 2027\r\n\t10:00:00 +0100\r\n",
        b"MESSAGE-id: <one@x.example>\r\nMessage-ID: <two@x.example>\r\n",
        b"Subject: without\r\n",
        b"Message-ID: <\xff\xfe@x.example>\r\n",
    ]
    with IMAPClient(dovecot.host, port=dovecot.port, ssl=False) as client:
        client.login(f"{user}*{dovecot.master_user}", dovecot.master_password)
        for head in [*heads, *(b"Message-ID: <%d@x.example>\r\n" % n for n in range(1100))]:
            client.append("INBOX", head + b"\r\ntext\r\n", [b"\\Seen"])
    opened = target()
    found = dict(opened.headers("INBOX", ("Message-ID", "Date")))
    assert list(found) == [one.href for one in opened.listing("INBOX")]
    lines = [head.replace(b"\r\n\r\n", b"\r\n") for head in list(found.values())[: len(heads)]]
    assert [head.strip() for head in lines] == [heads[0].strip(), heads[1].strip(), b"", heads[3].strip()]
    assert list(found.values())[-1].strip() == b"Message-ID: <1099@x.example>"


@pytest.mark.parametrize("use", ["\\ALL", "\\FLAGGED", "\\IMPORTANT"])
def test_a_folder_that_shows_what_lies_in_others_has_no_headers(
    target: OpenTarget, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    opened = target()
    href = opened.ensure(WORK)
    list(opened.write(href, [item(1)]))
    assert len(list(opened.headers(href, ("Date",)))) == 1
    known = {name: frozenset({use}) for name in opened._folder_attributes()}
    monkeypatch.setattr(opened, "_known", known)
    assert not list(opened.headers(href, ("Date",)))
