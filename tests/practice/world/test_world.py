"""The world is deterministic, lazy, and tells every change."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.faulty.plan import FaultPlan, vanish

from practice.mail.letters import Correspondent
from practice.mail.recipes import ADDED, ODDITIES
from practice.world import population
from practice.world.folders import Change, Did, Folder
from practice.world.mailbox import Mailbox
from practice.world.messages import Message
from practice.world.people import Person
from practice.world.world import World

SEED = 7


def fingerprint(world: World, addresses: list[str]) -> str:
    """Everything a client could see, hashed."""
    seen = hashlib.blake2b()
    for address in addresses:
        mailbox = world.mailbox(address)
        for folder in mailbox.folders():
            seen.update(repr((folder.path, folder.id, folder.change_key, folder.unread)).encode())
            for item in folder.items:
                row = (item.id, item.change_key, item.size, item.subject, item.marks, item.is_read)
                seen.update(repr(row).encode() + item.mime() + item.mime(1))
    return seen.hexdigest()


@pytest.fixture
def world() -> World:
    return World(SEED, items=40, large=())


@pytest.fixture
def mailbox(world: World) -> Mailbox:
    return world.mailbox(world.addresses()[0])


@pytest.fixture
def inbox(mailbox: Mailbox) -> Folder:
    return mailbox.distinguished("inbox")


def dids(changes: list[Change]) -> list[tuple[Did, str]]:
    return [(change.did, change.id) for change in changes]


def test_the_same_seed_gives_the_same_bytes_in_any_order() -> None:
    one, two = World(SEED, items=30, large=()), World(SEED, items=30, large=())
    addresses = list(one.addresses())
    list(reversed([two.mailbox(address) for address in reversed(addresses)]))
    assert fingerprint(one, addresses) == fingerprint(two, addresses)
    assert fingerprint(World(SEED + 1, items=30, large=()), list(addresses)) != fingerprint(one, addresses)


def test_another_process_gives_the_same_bytes() -> None:
    """String hashing differs between processes: nothing may depend on it."""
    script = (
        "from tests.practice.world.test_world import fingerprint, World\n"
        "world = World(7, items=30, large=())\n"
        "print(fingerprint(world, world.addresses()[:2]))"
    )
    root = Path(__file__).parents[3]
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env={"PYTHONHASHSEED": "99", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    world = World(SEED, items=30, large=())
    assert found.stdout.strip() == fingerprint(world, list(world.addresses()[:2]))


def test_the_bytes_are_those_of_the_day_they_were_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other Pythons must give this too; a change of the generator changes it on purpose. Letters that people
    add to the data folder do not."""
    monkeypatch.setattr(population, "ODDITIES", tuple(name for name in ODDITIES if name not in ADDED))
    world = World(SEED, large=())
    assert fingerprint(world, list(world.addresses()))[:16] == "956bcb76af92dace"


def test_forty_thousand_mailboxes_cost_nothing_until_read() -> None:
    asked: list[int] = []

    def items(index: int) -> int:
        asked.append(index)
        return index % 7

    start = time.perf_counter()
    world = World(SEED, people=40_000, items=items, nasty=False)
    addresses = world.addresses()
    assert len(addresses) == 40_000
    last = addresses[-1]
    assert world.person(last).index == 39_999
    assert time.perf_counter() - start < 0.5
    assert asked == []
    assert len(list(world.mailbox(last).messages())) == 39_999 % 7
    assert asked == [39_999]


def test_every_address_is_found_again_and_belongs_to_one_person() -> None:
    world = World(SEED, people=500, nasty=False)
    addresses = list(world.addresses())
    assert len(set(addresses)) == 500
    for index, address in enumerate(addresses):
        person = world.person(address.upper())
        assert person.index == index
        assert all(world.person(proxy) == person for proxy in person.proxies)
        assert world.people.find_legacy(person.legacy_dn) == person


@pytest.mark.parametrize("address", ["nobody@practice.example", "juergen.weiss7@practice.example", "", "9@x"])
def test_an_unknown_address_is_a_key_error(world: World, address: str) -> None:
    with pytest.raises(KeyError):
        world.mailbox(address)


def test_two_people_have_one_name_but_not_one_mailbox(world: World) -> None:
    people = [world.person(address) for address in world.addresses()]
    (name, count), *_ = Counter(person.name for person in people).most_common(1)
    assert count == 2
    same: list[Person] = [person for person in people if person.name == name]
    assert world.mailbox(same[0].address).guid != world.mailbox(same[1].address).guid


def test_one_service_account_may_impersonate_and_one_may_not(world: World) -> None:
    assert sorted(account.may_impersonate for account in world.service_accounts.values()) == [False, True]
    assert world.service_accounts["migrator@practice.example"].may_impersonate


def test_ids_look_like_exchange_s_and_only_exact_ones_are_known(mailbox: Mailbox, inbox: Folder) -> None:
    item = inbox.items[0]
    assert (len(inbox.id), len(item.id), len(item.change_key)) == (120, 152, 40)
    assert mailbox.item(item.id) is item
    assert mailbox.folder(inbox.id) is inbox
    for wrong in (item.id.swapcase(), item.id[:-4], inbox.id, "", "é"):
        with pytest.raises(KeyError):
            mailbox.item(wrong)
    with pytest.raises(KeyError):
        mailbox.folder(item.id)


def test_some_item_ids_differ_only_by_case() -> None:
    world = World(SEED, items=600, nasty=False, folder_count=1)
    items = world.mailbox(world.addresses()[0]).distinguished("inbox").items
    assert len({item.id for item in items}) == 600
    assert len({item.id.lower() for item in items}) < 600


def test_the_owner_wrote_what_is_in_sent_items(world: World) -> None:
    for address in world.addresses():
        sent = world.mailbox(address).distinguished("sentitems").items
        assert sent
        mine = sum(item.sender.address == address for item in sent)
        assert mine > len(sent) / 2


def test_delivering_reading_and_marking_are_told(mailbox: Mailbox, inbox: Folder) -> None:
    start, unread = mailbox.change, inbox.unread
    item = mailbox.deliver(inbox, subject="Grüße", text="kurz")
    assert dids(inbox.changes(start)) == [(Did.CREATED, item.id)]
    assert "Grüße" in item.subject
    assert inbox.unread == unread + 1
    start, key = mailbox.change, item.change_key
    mailbox.mark_read(item)
    assert dids(inbox.changes(start)) == [(Did.READ, item.id)]
    assert inbox.unread == unread
    mailbox.flag(item, "Flagged")
    mailbox.categorize(item, "Eins", "Zwei")
    mailbox.verb(item, 102)
    assert dids(inbox.changes(start)) == [(Did.UPDATED, item.id)]
    assert (item.flag_status, item.categories, item.last_verb) == ("Flagged", ("Eins", "Zwei"), 102)
    assert item.change_key != key


def test_a_call_that_changes_nothing_is_not_told(mailbox: Mailbox, inbox: Folder) -> None:
    item, start = inbox.items[0], mailbox.change
    mailbox.mark_read(item, item.is_read)
    mailbox.flag(item, item.flag_status)
    assert mailbox.change == start


def test_a_move_gives_a_new_id_and_keeps_the_bytes(mailbox: Mailbox, inbox: Folder) -> None:
    item, archive = inbox.items[0], mailbox.distinguished("archive")
    start, old, mime = mailbox.change, item.id, item.mime()
    mailbox.move(item, archive)
    assert item.id != old
    assert item.mime() == mime
    assert dids(inbox.changes(start)) == [(Did.DELETED, old)]
    assert dids(archive.changes(start)) == [(Did.CREATED, item.id)]
    with pytest.raises(KeyError):
        mailbox.item(old)


def test_moving_what_the_owner_sent_does_not_rewrite_it(mailbox: Mailbox, inbox: Folder) -> None:
    item = mailbox.distinguished("sentitems").items[0]
    before = item.mime()
    mailbox.move(item, inbox)
    assert item.mime() == before


def test_an_edited_draft_keeps_its_id_and_changes_its_bytes(mailbox: Mailbox) -> None:
    drafts = mailbox.distinguished("drafts")
    written = mailbox.deliver(drafts, subject="Entwurf", text="erste Fassung")
    generated = mailbox.deliver(drafts)
    with_file = mailbox.deliver(drafts, recipe="attachment")
    for item in (written, generated, with_file):
        assert item.is_draft
        before = (item.id, item.change_key, item.mime())
        mailbox.edit_draft(item)
        assert item.id == before[0]
        assert item.change_key != before[1]
        assert item.mime() != before[2]


def test_a_given_sender_wrote_it(mailbox: Mailbox, inbox: Folder) -> None:
    sender = Correspondent("Amt", "amt@kreis.example")
    item = mailbox.deliver(inbox, sender=sender)
    assert item.sender == sender
    assert b"<amt@kreis.example>" in item.mime()
    assert item.subject


def test_what_a_fault_lets_vanish_is_gone(world: World, mailbox: Mailbox, inbox: Folder) -> None:
    item_id = inbox.items[0].id
    plan = FaultPlan(on_vanish=world.vanish)
    plan.afflict(vanish(item_id))
    for _ in range(2):
        assert plan.draw("GetItem", mailbox.address, [item_id]) == [vanish(item_id)]
    with pytest.raises(KeyError):
        mailbox.item(item_id)


def test_deleting_goes_to_the_bin_or_for_good(mailbox: Mailbox, inbox: Folder) -> None:
    first, second = inbox.items[:2]
    mailbox.delete(first)
    assert first.folder.role == "deleteditems"
    start, gone = mailbox.change, second.id
    mailbox.delete(second, hard=True)
    assert dids(inbox.changes(start)) == [(Did.DELETED, gone)]
    assert second not in list(mailbox.messages())


def test_what_came_and_went_since_is_not_told(mailbox: Mailbox, inbox: Folder) -> None:
    start = mailbox.change
    mailbox.delete(mailbox.deliver(inbox), hard=True)
    assert inbox.changes(start) == []


def pages(folder: Folder, since: int, limit: int) -> Iterator[list[Change]]:
    """As a server pages: newest first below a fixed upper end, then anew until nothing is left."""
    while True:
        high, before = folder.mailbox.change, folder.mailbox.change + 1
        fresh = False
        while found := folder.changes(since, before, limit):
            fresh = True
            yield found
            before = found[-1].number
        since = high
        if not fresh and folder.mailbox.change == high:
            return


def test_paging_while_the_mailbox_is_used_ends_with_the_truth(mailbox: Mailbox, inbox: Folder) -> None:
    """Whatever happens between two pages, a client that applies them holds what the folder holds."""
    known: dict[str, bool] = {}
    archive = mailbox.distinguished("archive")
    for step, page in enumerate(pages(inbox, 0, 3)):
        for change in page:
            if change.item is None:
                known.pop(change.id, None)
            else:
                assert change.did is Did.CREATED or change.id in known
                known[change.id] = change.item.is_read
        if step < 12:
            _use(mailbox, inbox, archive, step)
    assert known == {item.id: item.is_read for item in inbox.items}


def _use(mailbox: Mailbox, inbox: Folder, archive: Folder, step: int) -> None:
    items: list[Message] = inbox.items
    mailbox.deliver(inbox)
    mailbox.mark_read(items[step % len(items)], step % 2 == 0)
    mailbox.flag(items[(step * 5) % len(items)], "Flagged")
    mailbox.move(items[(step * 3) % len(items)], archive)


def test_folders_are_told_and_keep_their_ids(mailbox: Mailbox) -> None:
    start = mailbox.change
    made = mailbox.create_folder(mailbox.root, "Neu")
    assert [(c.did, c.id) for c in mailbox.folder_changes(start)] == [(Did.CREATED, made.id)]
    start, folder_id = mailbox.change, made.id
    mailbox.rename(made, "Älter")
    mailbox.move_folder(made, mailbox.distinguished("archive"))
    assert [(c.did, c.id) for c in mailbox.folder_changes(start)] == [(Did.UPDATED, folder_id)]
    assert made.path == ("Archiv", "Älter")
    with pytest.raises(ValueError, match="below itself"):
        mailbox.move_folder(mailbox.distinguished("archive"), made)


def test_a_folder_goes_to_the_bin_or_for_good_with_all_below(mailbox: Mailbox) -> None:
    parent = mailbox.create_folder(mailbox.root, "Eltern")
    child = mailbox.create_folder(parent, "Kind")
    mailbox.deliver(child)
    mailbox.delete_folder(parent)
    assert child.path == ("Gelöschte Elemente", "Eltern", "Kind")
    start = mailbox.change
    mailbox.delete_folder(parent, hard=True)
    assert [c.did for c in mailbox.folder_changes(start)] == [Did.DELETED, Did.DELETED]
    with pytest.raises(KeyError):
        mailbox.folder(child.id)


def test_a_re_created_mailbox_has_other_ids_and_the_same_mail(mailbox: Mailbox, inbox: Folder) -> None:
    items = list(mailbox.messages())
    before = (mailbox.guid, inbox.id, {item.id for item in items}, items[0].mime())
    mailbox.recreate()
    assert mailbox.guid != before[0]
    assert inbox.id != before[1]
    assert before[2].isdisjoint(item.id for item in mailbox.messages())
    assert items[0].mime() == before[3]
    assert sum(1 for _ in mailbox.messages()) == len(items)
    assert len(inbox.changes()) == inbox.total
    with pytest.raises(KeyError):
        mailbox.folder(before[1])
    mailbox.recreate(content=False)
    assert list(mailbox.messages()) == []


def test_shrinking_and_emptying_are_told(mailbox: Mailbox, inbox: Folder) -> None:
    count, start, held = sum(1 for _ in mailbox.messages()), mailbox.change, inbox.total
    assert mailbox.shrink(0.5) == count // 2
    assert sum(1 for _ in mailbox.messages()) == count - count // 2
    mailbox.empty()
    assert list(mailbox.messages()) == []
    assert [change.did for change in inbox.changes(start)] == [Did.DELETED] * held


def test_what_is_nobody_s_mail_is_beside_it(mailbox: Mailbox, inbox: Folder) -> None:
    assert [item.item_class for item in inbox.associated] == ["IPM.Microsoft.FolderDesign.NamedView"]
    kinds = {folder.kind for folder in mailbox.folders()}
    assert kinds == {"normal", "search", "hidden"}
    search = next(folder for folder in mailbox.folders() if folder.kind == "search")
    assert search.total == sum(not item.is_read for item in mailbox.messages()) > 0
    assert all(folder.total for folder in mailbox.folders() if folder.kind == "hidden")
    assert mailbox.distinguished("recoverableitemsdeletions") not in list(mailbox.folders())


def test_a_bench_world_has_plain_mail_of_the_size_asked() -> None:
    world = World(SEED, people=1, items=60, folder_count=3, message_size=8192)
    mailbox = world.mailbox(world.addresses()[0])
    assert sorted(folder.total for folder in mailbox.folders() if folder.total) == [20, 20, 20]
    sizes = [len(item.mime()) for item in mailbox.messages()]
    assert all(7000 < size < 9500 for size in sizes)
    assert {item.recipe for item in mailbox.messages()} == {"plain"}


def test_a_folder_of_many_messages_is_cheap() -> None:
    world = World(SEED, people=1, items=5_000, folder_count=1, message_size=8192)
    tracemalloc.start()
    try:
        mailbox = world.mailbox(world.addresses()[0])
        for item in mailbox.distinguished("inbox").items[:500]:
            item.mime()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / 5_000 < 600
