"""The EWS source against the practice Exchange, in both dialects, while people use the mailbox."""

from __future__ import annotations

from typing import Literal

import pytest
from ews_truth import LARGE, Open, body_digest, copied, digest, inbox, listing, truth
from servers.faulty.exchange import FaultyExchange
from servers.faulty.plan import FaultPlan, poison_item

from connectors.ews.source import EwsSource
from connectors.settings import Tls
from model.errors import Blocked
from model.kinds import Kind
from model.protocols import Container, Failed, Native, Role, key_of
from practice.world.mailbox import Mailbox
from practice.world.world import World


@pytest.mark.parametrize("dialect", ["exchange", "gromox"])
def test_every_byte_of_a_mailbox(source: Open, dialect: Literal["exchange", "gromox"]) -> None:
    nasty = World(seed=7, people=3, items=150, large=(LARGE,))
    mailbox = nasty.mailbox(nasty.addresses()[0])
    expected = truth(mailbox)
    assert any(mailbox.letter(item).size > LARGE / 2 for item in mailbox.messages())
    with FaultyExchange(nasty, dialect=dialect) as server:
        assert copied(source(server, mailbox.address, spool_above=100_000)) == expected


def test_marks_and_dates(server: FaultyExchange, source: Open, mailbox: Mailbox) -> None:
    one = source(server)
    items = {item.id: item for item in mailbox.messages()}
    seen = 0
    for container, refs in listing(one).values():
        for native in one.fetch(container, refs.values(), bodies=False):
            assert isinstance(native, Native)
            item, found = items[native.ref.id], native.properties
            letter = mailbox.letter(item)
            seen += 1
            assert native.body is None
            assert native.ref.version == item.change_key == refs[item.id].version
            assert found["ItemClass"] == letter.item_class
            assert found["IsRead"] == item.is_read
            assert found["IsDraft"] == item.marks.draft
            assert found["Categories"] == item.marks.categories
            assert found["Importance"] == item.marks.importance
            assert found["Flag"] == item.marks.flag
            assert found["LastVerb"] == item.marks.verb
            assert found["IsReadReceiptRequested"] == item.marks.read_receipt
            assert found["MessageId"] == letter.message_id
            if letter.received is not None:
                assert found["Received"] is not None
    assert seen == len(items)


def test_folders_have_their_paths_roles_and_totals(
    server: FaultyExchange, source: Open, mailbox: Mailbox
) -> None:
    found = {one.id: one for one in source(server).containers()}
    expected = {folder.id: folder for folder in mailbox.folders()}
    assert found.keys() == expected.keys()
    for id_, folder in expected.items():
        assert found[id_].path[-1] == folder.name
        above = folder.parent
        assert found[id_].path[:-1] == (found[above.id].path if above and above.id in found else ())
        if folder.kind == "search":
            assert found[id_].omit == "search-folder"
        elif folder.kind == "hidden":
            assert found[id_].omit == "hidden"
        else:
            assert found[id_].total == len(folder.items)
            assert found[id_].total == _listed(source(server), found[id_])
    roles = {one.role for one in found.values()}
    assert roles >= {Role.INBOX, Role.SENT, Role.DRAFTS, Role.TRASH, Role.JUNK, Role.OUTBOX}
    assert all(one.kind in Kind for one in found.values())


def test_who_owns_the_mailbox(server: FaultyExchange, source: Open, world: World, mailbox: Mailbox) -> None:
    one = source(server)
    first = one.identity()
    assert first == source(server).identity()
    assert mailbox.address in first.addresses
    other = source(server, world.addresses()[1]).identity()
    assert other.id != first.id
    assert mailbox.address not in other.addresses
    with world.lock:
        mailbox.recreate()
    assert source(server).identity().id != first.id
    senders = one.sent_from()
    assert senders
    assert max(set(senders), key=senders.count) in first.addresses


def test_an_item_the_server_fails_on_hides_no_sender(
    server: FaultyExchange, source: Open, mailbox: Mailbox
) -> None:
    """One poison item in Sent Items must not keep the whole mailbox from being proven."""
    senders = source(server).sent_from()
    poisoned = mailbox.distinguished("sentitems").items[0]
    server.faults = FaultPlan()
    server.faults.afflict(poison_item(poisoned.id))
    assert len(source(server).sent_from()) == len(senders) - 1


def test_a_day_in_a_mailbox(server: FaultyExchange, source: Open, world: World, mailbox: Mailbox) -> None:
    one = source(server)
    box = inbox(one)
    folder = mailbox.folder(box.id)
    *_, last = one.changes(box, None)
    with world.lock:
        items = list(folder.items)
        unread = next(item for item in items if not item.is_read)
        old_key = unread.change_key
        others = [item for item in items if item is not unread]
        moved_from = others[0].id
        deleted_id = others[1].id
        mailbox.mark_read(unread)
        mailbox.move(others[0], mailbox.distinguished("junkemail"))
        mailbox.delete(others[1], hard=True)
        mailbox.flag(others[2])
        new = mailbox.deliver(folder, subject="Neu", text="Hallo")
    refs = {ref.id: ref for page in one.changes(box, last.cursor) for ref in page.refs}
    assert refs.keys() == {unread.id, moved_from, deleted_id, others[2].id, new.id}
    assert refs[moved_from].deleted
    assert refs[deleted_id].deleted
    assert refs[unread.id].version != old_key
    assert refs[others[2].id].version == others[2].change_key
    assert not any(page.full for page in one.changes(box, last.cursor))
    fetched = {n.ref.id: n for n in one.fetch(box, [refs[new.id], refs[unread.id]]) if isinstance(n, Native)}
    assert fetched[unread.id].properties["IsRead"] is True
    assert body_digest(fetched[new.id]) == digest(mailbox.letter(new).mime())


def test_pages_each_have_a_cursor_to_go_on_from(server: FaultyExchange, source: Open) -> None:
    one = source(server, sync_items=3)
    box = inbox(one)
    pages = list(one.changes(box, None))
    assert len(pages) > 2
    assert all(len(page.refs) <= 3 for page in pages)
    for number, page in enumerate(pages):
        again = [ref.id for later in one.changes(box, page.cursor) for ref in later.refs]
        assert again == [ref.id for later in pages[number + 1 :] for ref in later.refs]


def test_what_vanished_is_said_to_have(server: FaultyExchange, source: Open, mailbox: Mailbox) -> None:
    one = source(server)
    box = inbox(one)
    refs = [ref for page in one.changes(box, None) for ref in page.refs]
    gone = mailbox.item(refs[1].id)
    mailbox.delete(gone, hard=True)
    found = {r.key: r.error.code for r in one.fetch(box, refs) if isinstance(r, Failed)}
    assert found == {key_of(refs[1].id): "vanished"}


def test_trust_is_the_operators_choice(world: World, source: Open) -> None:
    with FaultyExchange(world, https=True) as server:
        with pytest.raises(Blocked) as caught:
            source(server).identity()
        assert caught.value.code == "tls-failed"
        trusted = source(server, tls=Tls(ca_file=str(server.ca_file)))
        assert trusted.identity().addresses


def test_what_will_not_move_is_counted_or_not_offered(server: FaultyExchange, source: Open) -> None:
    opened = source(server)
    found = dict(opened.extras())
    assert list(found) == [
        "archive-mailbox", "recoverable-items", "public-folders", "inbox-rules", "delegates", "holds",
    ]  # fmt: skip
    assert all(count is None or count >= 0 for count in found.values())
    delegates = opened.delegates()
    assert (None if delegates is None else len(delegates)) == found["delegates"]
    assert all("@" in address for address in delegates or ())


def _listed(source: EwsSource, container: Container) -> int:
    """How many items a listing names: what a total must be."""
    pages = source.changes(container, None)
    return len({ref.id for page in pages for ref in page.refs if not ref.deleted})
