"""The IMAP source against a private Dovecot."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from imap_items import WORK, OpenSource, OpenTarget, item
from imapclient import IMAPClient
from servers.dovecot import Dovecot

from model.errors import Blocked, CursorLost, MigrationError, Transient
from model.kinds import Kind
from model.protocols import Container, Failed, Native, Ref, Stored

pytestmark = pytest.mark.dovecot


def test_close_unblocks_a_reader_at_once(source: OpenSource, target: OpenTarget) -> None:
    writer = target()
    href = writer.ensure(WORK)
    list(writer.write(href, [item(number, 50_000) for number in range(100)]))
    reader = source(batch_items=1)
    container = next(one for one in reader.containers() if one.path == ("Work",))
    refs = [ref for page in reader.changes(container, None) for ref in page.refs]
    under_way = threading.Event()
    ended: list[MigrationError] = []

    def work() -> None:
        try:
            while True:
                for _ in reader.fetch(container, refs):
                    under_way.set()
        except MigrationError as error:
            ended.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    assert under_way.wait(20)
    reader.close()
    worker.join(10)
    assert not worker.is_alive()
    assert [error.code for error in ended] == ["connection-closed"]


def test_a_renamed_folder_keeps_its_id_and_cursor(source: OpenSource, target: OpenTarget) -> None:
    writer = target()
    href = writer.ensure(WORK)
    list(writer.write(href, [item(1)]))
    reader = source()
    before = next(one for one in reader.containers() if one.path == ("Work",))
    cursor = list(reader.changes(before, None))[-1].cursor
    writer.rename(href, Container(Kind.MAIL, "x", ("Büro", "Neu")))
    after = next(one for one in reader.containers() if one.path == ("Büro", "Neu"))
    assert after.id == before.id
    assert [page.refs for page in reader.changes(after, cursor)] == [()]


def test_a_thousand_and_more_come_in_pages_and_go_on_after_a_cut(
    source: OpenSource, target: OpenTarget
) -> None:
    writer = target(batch_items=500)
    href = writer.ensure(WORK)
    written = writer.write(href, [item(n, 200) for n in range(2300)])
    # Several connections write at once, in no order.
    hrefs = (one.href for one in written if isinstance(one, Stored))
    stored = sorted(hrefs, key=lambda each: int(each.rpartition(":")[2]))
    list(writer.remove(href, [Stored(b"", one) for one in stored[500:700]]))
    reader = source()
    work = next(one for one in reader.containers() if one.path == ("Work",))
    pages = list(reader.changes(work, None))
    assert [len(page.refs) for page in pages] == [1000, 1000, 100, 0]
    rest = list(reader.changes(work, pages[0].cursor))
    assert [len(page.refs) for page in rest] == [1000, 100, 0]
    assert not any(page.full for page in rest)
    list(writer.remove(href, [Stored(b"", one) for one in stored[:2]]))
    later = list(reader.changes(work, rest[-1].cursor))
    assert sorted(ref.id for page in later for ref in page.refs if ref.deleted) == sorted(stored[:2])
    mark = stored[2000]
    assert [one.href for one in writer.listing(href, mark)] == stored[2000:]


def test_a_listing_stays_right_while_others_delete(source: OpenSource, target: OpenTarget) -> None:
    writer = target(batch_items=500)
    href = writer.ensure(WORK)
    stored = [
        one for one in writer.write(href, [item(n, 200) for n in range(1500)]) if isinstance(one, Stored)
    ]
    reader = source()
    work = next(one for one in reader.containers() if one.path == ("Work",))
    pages = reader.changes(work, None)
    seen = [ref.id for ref in next(pages).refs]
    list(writer.remove(href, stored[:600]))
    seen += [ref.id for page in pages for ref in page.refs]
    assert set(seen) >= {one.href for one in stored[600:]}
    assert len(seen) == len(set(seen))


def test_a_re_created_folder_loses_its_cursor(dovecot: Dovecot, user: str, source: OpenSource) -> None:
    client = IMAPClient("127.0.0.1", dovecot.port, ssl=False)
    client.login(user, dovecot.user_password)
    client.create_folder("Work")
    reader = source()
    work = next(one for one in reader.containers() if one.path == ("Work",))
    cursor = list(reader.changes(work, None))[-1].cursor
    client.delete_folder("Work")
    client.create_folder("Work")
    client.logout()
    with pytest.raises(CursorLost):
        list(reader.changes(work, cursor))
    with pytest.raises(CursorLost):
        list(reader.changes(work, "nonsense"))


def test_a_folder_removed_since_it_was_listed_is_listed_anew(
    dovecot: Dovecot, user: str, source: OpenSource
) -> None:
    client = IMAPClient("127.0.0.1", dovecot.port, ssl=False)
    client.login(user, dovecot.user_password)
    client.create_folder("Work")
    reader = source()
    work = next(one for one in reader.containers() if one.path == ("Work",))
    client.delete_folder("Work")
    client.logout()
    with pytest.raises(Transient, match="folder-vanished"):
        list(reader.changes(work, None))
    with pytest.raises(Transient, match="folder-vanished"):
        list(reader.fetch(work, [Ref("1:1", "v")]))


def test_what_arrived_after_the_folder_was_opened_is_not_taken_for_vanished(
    source: OpenSource, target: OpenTarget
) -> None:
    writer = target()
    href = writer.ensure(WORK)
    reader, lister = source(), source()
    work = next(one for one in reader.containers() if one.path == ("Work",))
    assert list(reader.changes(work, None))[-1].refs == ()
    list(writer.write(href, [item(1), item(2)]))
    refs = [ref for page in lister.changes(work, None) for ref in page.refs]
    fetched = list(reader.fetch(work, refs))
    assert [getattr(result, "error", None) for result in fetched] == [None, None]


def test_who_sent_the_sent_items(source: OpenSource, target: OpenTarget) -> None:
    list(target().write("Sent", [item(1), item(2)]))
    assert source().sent_from(50) == ["anna@example.org"] * 2
    assert source().sent_from(1) == ["anna@example.org"]


@pytest.mark.parametrize("kind", ["full", "unusable"])
def test_a_body_that_cannot_be_spooled_needs_a_person(
    source: OpenSource, target: OpenTarget, full_disk: AbstractContextManager[None], tmp_path: Path, kind: str
) -> None:
    writer = target()
    href = writer.ensure(WORK)
    list(writer.write(href, [item(1), item(2, 3_000_000)]))
    reader = source(spool_above=65_536)
    if kind == "unusable":
        reader._spool = tmp_path / "a-file" / "below"
        (tmp_path / "a-file").write_text("in the way")
    work = next(one for one in reader.containers() if one.path == ("Work",))
    refs = [ref for page in reader.changes(work, None) for ref in page.refs]
    with full_disk, pytest.raises(Blocked) as caught:
        list(reader.fetch(work, refs))
    assert caught.value.code == f"spool-{kind}"
    (tmp_path / "a-file").unlink(missing_ok=True)
    assert all(isinstance(one, Native) for one in reader.fetch(work, refs))


def test_fetch_of_an_id_from_another_life_is_vanished(source: OpenSource, target: OpenTarget) -> None:
    writer = target()
    href = writer.ensure(WORK)
    list(writer.write(href, [item(1)]))
    reader = source()
    work = next(one for one in reader.containers() if one.path == ("Work",))
    (ref,) = [ref for page in reader.changes(work, None) for ref in page.refs]
    validity, _, uid = ref.id.partition(":")
    old = type(ref)(f"{int(validity) - 1}:{uid}", ref.version)
    (result,) = reader.fetch(work, [old])
    assert isinstance(result, Failed)
    assert result.error.code == "vanished"


def test_a_total_counts_what_a_listing_names_also_in_the_folder_that_is_open(
    source: OpenSource, target: OpenTarget, dovecot: Dovecot, user: str
) -> None:
    """Marked as deleted, or come or gone since the folder was opened."""
    writer = target()
    href = writer.ensure(WORK)
    list(writer.write(href, [item(number) for number in range(5)]))
    client = IMAPClient("127.0.0.1", dovecot.port, ssl=False)
    client.login(user, dovecot.user_password)
    client.select_folder("Work")
    client.delete_messages([2])
    reader = source()
    for expected in (5, 7, 6):
        work = next(one for one in reader.containers() if one.path == ("Work",))
        listed = sum(len(page.refs) for page in reader.changes(work, None))
        assert (work.total, listed) == (expected, expected)
        if expected == 5:
            list(writer.write(href, [item(number) for number in range(5, 7)]))
        else:
            client.expunge()
    client.logout()
