"""Change a mailbox as a person does while it moves: for rehearsals of deltas, cutovers and late mail.

Hold World.lock while a server runs. Everything but the time of new mail depends on the seed and on what was
done before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from model.plural import many
from practice.calendar.appointments import Event
from practice.calendar.event_desk import at, timed
from practice.contacts.cards import Contact
from practice.contacts.groups import DistributionList
from practice.harness.dice import Dice
from practice.tasks.chores import Chore
from practice.tasks.stickies import note
from practice.world import diary
from practice.world.desk import Desk
from practice.world.folders import Folder
from practice.world.mailbox import Mailbox
from practice.world.messages import Message

Done = Counter[str]
"""How often each of DEEDS was done."""

DEEDS: Mapping[str, tuple[str, str]] = {
    "received": ("mail received", "mails received"),
    "read": ("mail marked as read or unread", "mails marked as read or unread"),
    "flagged": ("mail flagged", "mails flagged"),
    "moved": ("mail moved", "mails moved"),
    "deleted": ("mail deleted", "mails deleted"),
    "shifted": ("event put off by an hour", "events put off by an hour"),
    "rewritten": ("event rewritten", "events rewritten"),
    "added": ("event added", "events added"),
    "edited": ("contact edited", "contacts edited"),
    "removed": ("contact deleted", "contacts deleted"),
    "completed": ("task completed", "tasks completed"),
    "noted": ("note written", "notes written"),
}
"""The words after the number of each deed, for one and for several."""

MAILS = 3
LATE_MAILS = 2


def work(mailbox: Mailbox) -> Done:
    """Do what a person does in a minute. What the mailbox has nothing for is left out."""
    done = receive(mailbox, MAILS)
    for part in (_sort_mail, _keep_calendar, _keep_contacts, _complete_task, _write_note):
        done.update(part(mailbox))
    return done


def receive(mailbox: Mailbox, count: int = LATE_MAILS) -> Done:
    """New mail arrives in the inbox, dated now. After a cutover this is late mail."""
    inbox, now = mailbox.distinguished("inbox"), datetime.now(UTC)
    for number in range(1, count + 1):
        stamp = f"{now:%H:%M:%S}, {number}"
        mailbox.deliver(inbox, subject=f"News of {stamp}", text=f"This arrived at {stamp}.\r\n")
    return Counter(received=count)


def in_words(done: Done) -> str:
    """Return what was done, for people."""
    words = [many(done[name], *words) for name, words in DEEDS.items() if done[name]]
    return ", ".join(words) or "nothing"


def _sort_mail(mailbox: Mailbox) -> Done:
    inbox = mailbox.distinguished("inbox")
    others = [one for one in mailbox.folders() if _takes_mail(one) and one is not inbox]
    dice, left = _dice(mailbox), list(inbox.items)[:-MAILS]
    deeds: dict[str, Callable[[Message], object]] = {
        "read": lambda item: mailbox.mark_read(item, not item.is_read),
        "flagged": lambda item: mailbox.flag(
            item, "NotFlagged" if item.marks.flag == "Flagged" else "Flagged"
        ),
        "moved": lambda item: mailbox.move(item, dice.pick(others)),
        "deleted": lambda item: mailbox.delete(item, hard=True),
    }
    done: Done = Counter()
    for name, deed in deeds.items():
        if left and (name != "moved" or others):
            deed(left.pop(dice.below(len(left))))
            done[name] += 1
    return done


def _takes_mail(folder: Folder) -> bool:
    return folder.kind == "normal" and folder.folder_class == "IPF.Note" and folder.role in (None, "archive")


def _keep_calendar(mailbox: Mailbox) -> Done:
    """Change two of the owner's own appointments that have no guests, and add one."""
    calendar, dice = mailbox.distinguished("calendar"), _dice(mailbox)
    own = [item for item in calendar.items if _is_own(item)]
    done: Done = Counter()
    if own:
        diary.shift(mailbox, own.pop(dice.below(len(own))), timedelta(hours=1))
        done["shifted"] += 1
    if own:
        body = f"Now with another agenda, {mailbox.change}.\r\n"
        diary.rewrite(mailbox, own.pop(dice.below(len(own))), body=body)
        done["rewritten"] += 1
    desk = Desk(mailbox.seed, mailbox.owner.index, f"work/{mailbox.change}")
    tomorrow = date.today() + timedelta(days=1)
    mailbox.put(calendar, timed(desk, f"New appointment {mailbox.change}", at(tomorrow, dice.between(8, 16))))
    done["added"] += 1
    return done


def _is_own(item: Message) -> bool:
    event = item.record
    return isinstance(event, Event) and event.recurrence is None and not (event.meeting or event.cancelled)


def _keep_contacts(mailbox: Mailbox) -> Done:
    folder, dice = mailbox.distinguished("contacts"), _dice(mailbox)
    left = _in_no_list(folder.items)
    done: Done = Counter()
    if left:
        item = left.pop(dice.below(len(left)))
        if isinstance(item.record, Contact):
            office = f"Room {dice.between(1, 400)}"
            mailbox.replace(item, replace(item.record, office=office))
            done["edited"] += 1
    if left:
        mailbox.delete(left.pop(dice.below(len(left))), hard=True)
        done["removed"] += 1
    return done


def _in_no_list(items: Collection[Message]) -> list[Message]:
    """Return the items that no list names: a list changes silently when a contact of it is gone."""
    lists = [item.record for item in items if isinstance(item.record, DistributionList)]
    named = {member.key for one in lists for member in one.members}
    return [item for item in items if isinstance(item.record, Contact) and item.record.key not in named]


def _complete_task(mailbox: Mailbox) -> Done:
    for item in mailbox.distinguished("tasks").items:
        chore = item.record
        if isinstance(chore, Chore) and chore.repeat is None and chore.status != "Completed":
            now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            mailbox.replace(item, replace(chore, status="Completed", percent=100, completed=now))
            return Counter(completed=1)
    return Counter()


def _write_note(mailbox: Mailbox) -> Done:
    mailbox.put(mailbox.distinguished("notes"), note(f"work/{mailbox.change}", "Bring the keys back"))
    return Counter(noted=1)


def _dice(mailbox: Mailbox) -> Dice:
    return Dice(mailbox.seed, mailbox.address, "work", mailbox.change)
