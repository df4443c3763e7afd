"""A worker dies at the requests to an Open-Xchange's DAV and HTTP API, and at the ledger's commits; the next
run must lead to the same address books, with every distribution list once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from calendars import an_address_book, folder
from dying_requests import Begun, OnServer, die_everywhere, every_request_is_a_step
from memory.doubles import MemoryShelf
from memory.mailbox import MemoryMailbox
from memory.records import ALL_DAYS, LIST, TASK, TUESDAYS, team, todo
from on_open_xchange import PASSWORD_ENV, OnOpenXchange
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate
from walking import SOURCE, TARGET

from ledger.db.rows import LegState
from model.kinds import Kind
from model.protocols import Role

LASTING = {"PUT", "DELETE", "MKCOL", "PROPPATCH"}
"""Of the API all changes are PUTs."""


class OnSuite(OnOpenXchange, OnServer):
    """Whose requests are steps."""

    api = True

    def contents(self) -> Counter[object]:
        """(folder, name, members or recurrence) of everything that the person has."""
        context, suite = self.server.context, self.server.suite
        own = context.users[TARGET]
        cards = (
            (book.title, card.contact.display_name, str(card.members))
            for book in context.own("contacts", own)
            for card in suite.cards.everything(book)
        )
        tasks = (
            (home.title, task.part.value("SUMMARY"), str(task.recurrence))
            for home in context.own("tasks", own)
            for task in suite.tasks.everything(home)
        )
        return Counter([*cards, *tasks])


def with_lists() -> MemoryMailbox:
    mailbox = an_address_book(1)
    home = folder(mailbox, "Kontakte")
    for name in ("Nord", "Nord", "Süd"):
        mailbox.deliver(home.id, team(name, (f"{name.lower()}@x.example",)), LIST)
    return mailbox


def edit(mailbox: MemoryMailbox) -> None:
    home = folder(mailbox, "Kontakte")
    first, second, _ = [
        one for one, each in home.messages.items() if each.marks.item_class == LIST.item_class
    ]
    mailbox.edit(first, team("Nord", ("neu@x.example",)))
    mailbox.delete(second)
    mailbox.move(first, folder(mailbox, "Firma").id)
    mailbox.deliver(home.id, team("West", ()), LIST)


def with_series() -> MemoryMailbox:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=4)
    home = mailbox.create_folder(("Aufgaben",), Role.TASKS)
    for title, rule in (("Bericht", TUESDAYS), ("Bericht", TUESDAYS), ("Einmal", ""), ("Zweimal", "")):
        mailbox.deliver(home, todo(title, rule), TASK)
    return mailbox


def edit_series(mailbox: MemoryMailbox) -> None:
    """One comes back no more, another begins to, one is gone."""
    first, second, once, _ = folder(mailbox, "Aufgaben").messages
    mailbox.edit(first, todo("Bericht", ""))
    mailbox.edit(once, todo("Einmal", ALL_DAYS))
    mailbox.delete(second)


MAILBOXES = {Kind.CONTACTS: (with_lists, edit), Kind.TASKS: (with_series, edit_series)}
Ready = Callable[[Kind, bool], Begun]


@pytest.fixture
def ready(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ready:
    """changed: a run before, and then changes. Every request is a step."""
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    every_request_is_a_step(monkeypatch)

    def prepared(kind: Kind, changed: bool) -> Begun:
        make, change = MAILBOXES[kind]

        @contextmanager
        def begun(name: str) -> Iterator[OnServer]:
            (quick_path / name).mkdir()
            trial = OnSuite(quick_path / name, make(), MemoryShelf(kind=kind))
            with OpenXchangeServer({TARGET: "Anna Adler"}, rate=Rate(10**9)) as trial.server:
                if changed:
                    assert trial.run().state is LegState.VERIFIED
                    change(trial.mailbox)
                yield trial

        return begun

    return prepared


@pytest.mark.parametrize("kind", MAILBOXES)
@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
def test_dying_right_after_every_change_by_the_api(
    ready: Ready, monkeypatch: pytest.MonkeyPatch, kind: Kind, changed: bool
) -> None:
    assert die_everywhere(ready(kind, changed), LASTING, monkeypatch, every=False) > 3


@pytest.mark.soak
@pytest.mark.parametrize("kind", MAILBOXES)
@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
def test_dying_at_every_request_by_the_api(
    ready: Ready, monkeypatch: pytest.MonkeyPatch, kind: Kind, changed: bool
) -> None:
    assert die_everywhere(ready(kind, changed), LASTING, monkeypatch, every=True) > 60
