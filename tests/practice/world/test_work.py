"""What practice people do, so that a delta, a cutover and late mail can be rehearsed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from practice.servers.people_at_work import FAULT, LATE, REFUSED, TARGET, UNKNOWN, WORK, PeopleAtWork
from practice.servers.pymap_server import PymapServer
from practice.world.mailbox import Mailbox
from practice.world.work import DEEDS, in_words, receive, work
from practice.world.world import World


def mailbox(*, items: int = 40, pim: int = 14, nasty: bool = False) -> Mailbox:
    world = World(seed=5, people=2, items=items, pim=pim, nasty=nasty, large=())
    return world.mailbox(world.addresses()[1])


@pytest.mark.parametrize("nasty", [False, True])
def test_a_minute_of_work_has_every_deed(nasty: bool) -> None:
    box = mailbox(nasty=nasty)
    before = {item.number: item.revision for item in box.messages()}
    done = work(box)
    assert set(done) == set(DEEDS)
    after = {item.number: item.revision for item in box.messages()}
    new = after.keys() - before.keys()
    assert len(new) == 3 + 1 + 1 + 1, "mails, a moved one, an event, a note"
    assert len(before.keys() - after.keys()) == 1 + 1 + 1, "a mail deleted, one moved, a contact deleted"
    changed = [number for number in before.keys() & after.keys() if before[number] != after[number]]
    assert len(changed) == 2 + 1 + 1, "events, a contact, a task"


def test_a_day_of_work_finds_something_to_do_to_its_end() -> None:
    box = mailbox(items=5, pim=3)
    for _ in range(30):
        assert work(box)["received"] == 3
    uids = [item.record.uid for item in box.distinguished("calendar").items if hasattr(item.record, "uid")]
    assert len(uids) == len(set(uids))


def test_what_an_empty_mailbox_has_nothing_for_is_left_out() -> None:
    assert set(work(mailbox(items=1, pim=0))) <= {"received", "read", "added", "noted"}


def test_mail_that_arrives_is_dated_now() -> None:
    box = mailbox()
    assert receive(box) == {"received": 2}
    newest = list(box.distinguished("inbox").items)[-1]
    assert abs(datetime.now(UTC) - newest.letter.received) < timedelta(hours=1)


def test_what_was_done_is_said_in_words() -> None:
    assert in_words(receive(mailbox(), 1)) == "1 mail received"
    assert in_words(receive(mailbox(), 2)) == "2 mails received"


def test_people_are_asked_by_address() -> None:
    world = World(seed=5, people=1, items=5, nasty=False)
    imap = PymapServer(1, None)  # type: ignore[arg-type]  # nothing listens at port 1
    people = PeopleAtWork(world, imap, "http://127.0.0.1:1", "secret")
    (address,) = world.addresses()
    assert people.answer({"what": WORK, "address": address})["received"] == 3
    assert people.answer({"what": LATE, "address": address}) == {"received": 2}
    assert people.answer({"what": WORK, "address": "nobody@practice.example"}) == {FAULT: UNKNOWN}
    assert people.answer({"what": TARGET, "address": address}) == {FAULT: REFUSED}


def test_some_mailboxes_are_plain_and_others_are_not() -> None:
    world = World(seed=5, people=2, items=30, nasty=lambda index: index == 0, large=())
    odd, plain = (
        {item.recipe for item in world.mailbox(address).messages()} for address in world.addresses()
    )
    assert len(odd) > 3
    assert plain <= {"plain", "draft"}
