"""What a pass tells of its work: copied, replaced, amended, withdrawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from calendars import HOME, calendar_trial, folder
from memory.doubles import Marks, MemoryStore
from memory.records import event
from walking import Died, Trial, a_mailbox, letter

from ledger.db.rows import LegState, Tally


@pytest.fixture
def mail(quick_path: Path) -> Trial:
    return Trial(quick_path, a_mailbox(), MemoryStore())


@pytest.fixture
def calendar(quick_path: Path) -> Trial:
    return calendar_trial(quick_path)


def test_the_first_pass_copies_and_the_second_does_nothing(mail: Trial) -> None:
    assert mail.run().tally == Tally(new=mail.store.snapshot().total())
    assert mail.run().tally == Tally()


def test_mail_that_changed(mail: Trial) -> None:
    first = mail.run().tally.new
    inbox = folder(mail.mailbox, "Posteingang")
    read, gone = [one for one, message in inbox.messages.items() if not message.marks.read][:2]
    mail.mailbox.mark(read, Marks(read=True))
    mail.mailbox.delete(gone)
    drafts = folder(mail.mailbox, "Entwürfe")
    mail.mailbox.edit(next(iter(drafts.messages)), letter(88, "the text has changed"))
    mail.mailbox.deliver(inbox.id, letter(300))
    assert mail.run().tally == Tally(new=1, replaced=1, amended=1, withdrawn=1)
    assert mail.store.snapshot().total() == first


def test_what_the_target_lost_is_replaced(mail: Trial) -> None:
    mail.run()
    uids = next(iter(mail.store.folders.values())).messages
    uids.pop(next(iter(uids)))
    repaired = mail.run()
    assert (repaired.state, repaired.tally) == (LegState.VERIFIED, Tally(replaced=1))


def test_an_event_that_changed_is_replaced_where_it_is(calendar: Trial) -> None:
    assert calendar.run().tally == Tally(new=calendar.store.snapshot().total())
    first = next(iter(folder(calendar.mailbox, *HOME).messages))
    calendar.mailbox.edit(first, event("uid-1", "Termin 1, verlegt", 20))
    assert calendar.run().tally == Tally(replaced=1)
    assert calendar.run().tally == Tally()


def test_what_a_dead_worker_wrote_is_counted_by_who_settles_it(mail: Trial) -> None:
    def die(name: str) -> None:
        if name == "target.write":
            raise Died

    with pytest.raises(Died):
        mail.run(die)
    assert mail.run().tally == Tally(new=mail.store.snapshot().total())
