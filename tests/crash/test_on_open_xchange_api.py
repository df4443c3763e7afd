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
from memory.records import LIST, team
from on_open_xchange import PASSWORD_ENV, OnOpenXchange
from walking import TARGET

from ledger.db.rows import LegState
from model.protocols import Kind
from practice.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate

LASTING = {"PUT", "DELETE", "MKCOL", "PROPPATCH"}
"""Of the API all changes are PUTs."""


class OnSuite(OnOpenXchange, OnServer):
    """Whose requests are steps."""

    api = True

    def contents(self) -> Counter[object]:
        """(address book, name, members) of everything that the person has."""
        context, cards = self.server.context, self.server.suite.cards
        return Counter(
            (book.title, card.contact.display_name, str(card.members))
            for book in context.own("contacts", context.users[TARGET])
            for card in cards.everything(book)
        )


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


@pytest.fixture
def ready(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], Begun]:
    """changed: a run before, and then changes. Every request is a step."""
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    every_request_is_a_step(monkeypatch)

    def prepared(changed: bool) -> Begun:
        @contextmanager
        def begun(name: str) -> Iterator[OnServer]:
            (quick_path / name).mkdir()
            trial = OnSuite(quick_path / name, with_lists(), MemoryShelf(kind=Kind.CONTACTS))
            with OpenXchangeServer({TARGET: "Anna Adler"}, rate=Rate(10**9)) as trial.server:
                if changed:
                    assert trial.run().state is LegState.VERIFIED
                    edit(trial.mailbox)
                yield trial

        return begun

    return prepared


@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
def test_dying_right_after_every_change_by_the_api(
    ready: Callable[[bool], Begun], monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    assert die_everywhere(ready(changed), LASTING, monkeypatch, every=False) > 3


@pytest.mark.soak
@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
def test_dying_at_every_request_by_the_api(
    ready: Callable[[bool], Begun], monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    assert die_everywhere(ready(changed), LASTING, monkeypatch, every=True) > 60
