"""Make the practice world: people and their mailboxes, from a seed. Nothing exists until it is read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from practice.mail.mime_habits import MimeHabits
from practice.world.diary import remove
from practice.world.folders import Change, Did, Folder, FolderChange
from practice.world.mailbox import Mailbox
from practice.world.messages import Marks, Message
from practice.world.people import DOMAIN, Addresses, Directory, Person, ServiceAccount
from practice.world.population import Measure, populate

__all__ = [
    "Change",
    "Did",
    "Folder",
    "FolderChange",
    "Mailbox",
    "Marks",
    "Message",
    "Person",
    "ServiceAccount",
    "World",
]


class World:
    """Hold a practice world. Thread-safe where a reader holds `lock`.

    Attributes:
        people: how many mailboxes.
        items: mails in each, or a function of the person's index.
        nasty: True for every oddity a real archive has, or a function of the person's index.
        folder_count: the mails lie in so many folders (Inbox first) instead of a realistic tree.
        message_size: plain mails of about so many bytes, for benches.
        large: sizes of the large messages; the first mailbox has them, when nasty.
        pim: so many events, contacts, tasks and notes each; from 50 on every mailbox has all oddities due to
            it, and five neighbours all there are. 0: none, and no folder for them but the distinguished ones.
        held: so many mailboxes are held at once, and made again when they are read again, but for those that
            changed since; None: all.
        mime: how the servers of this world render the MIME of a mail.
    """

    def __init__(
        self,
        seed: int,
        people: int = 5,
        items: int | Callable[[int], int] = 120,
        nasty: bool | Callable[[int], bool] = True,
        folder_count: int | None = None,
        message_size: int | None = None,
        large: tuple[int, ...] = (30_000_000,),
        pim: int = 0,
        held: int | None = None,
    ) -> None:
        self.seed = seed
        self.people = Directory(seed, people)
        self.lock = threading.RLock()
        self.mime = MimeHabits()
        self.service_accounts: Mapping[str, ServiceAccount] = {
            account.address: account
            for account in (
                ServiceAccount(f"migrator@{DOMAIN}", "practice-migrator", True),
                ServiceAccount(f"reader@{DOMAIN}", "practice-reader", False),
            )
        }
        self._items = items
        self._nasty = nasty
        self._measure = Measure(True, folder_count, message_size, large, pim)
        self._held = held
        self._mailboxes: dict[int, Mailbox] = {}
        self._fresh: dict[int, int] = {}

    def addresses(self) -> Sequence[str]:
        """Return every primary address, each computed when read."""
        return Addresses(self.people)

    def person(self, address: str) -> Person:
        """Return a person by primary or proxy address, any case.

        Raises:
            KeyError: there is none.
        """
        return self.people.find(address)

    def mailbox(self, address: str) -> Mailbox:
        """Return a mailbox by primary or proxy address; it is made at the first call.

        Raises:
            KeyError: there is none.
        """
        person = self.person(address)
        with self.lock:
            mailbox = self._mailboxes.pop(person.index, None) or self._make(person)
            self._mailboxes[person.index] = mailbox
            if self._held is not None and len(self._mailboxes) > self._held:
                self._forget(len(self._mailboxes) - self._held)
            return mailbox

    def _forget(self, count: int) -> None:
        """Forget the mailboxes that were read longest ago, as far as they would be made the same again.

        The newest stays, as somebody is about to change it.
        """
        older = list(self._mailboxes.items())[:-1]
        unchanged = [index for index, one in older if one.change == self._fresh[index]]
        for index in unchanged[:count]:
            del self._mailboxes[index], self._fresh[index]

    def vanish(self, address: str, item_id: str) -> None:
        """Delete an item for good, if it is there."""
        with self.lock:
            try:
                mailbox = self.mailbox(address)
                remove(mailbox, mailbox.item(item_id))
            except KeyError:
                return

    def _make(self, person: Person) -> Mailbox:
        mailbox = Mailbox(self.seed, person, self.people, self._measure.message_size)
        count = self._items(person.index) if callable(self._items) else self._items
        nasty = self._nasty(person.index) if callable(self._nasty) else self._nasty
        populate(mailbox, count, replace(self._measure, nasty=nasty))
        self._fresh[person.index] = mailbox.change
        return mailbox
