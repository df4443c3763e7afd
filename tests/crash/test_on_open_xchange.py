"""The same on an Open-Xchange whose listings show a year: a worker dies at the requests to it, and at the
ledger's commits; the next run must lead to the same calendars, though no listing shows any of the events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from calendars import a_calendar, edit_calendar
from dying_requests import Begun, OnServer, die_everywhere, every_request_is_a_step
from memory.doubles import MemoryMailbox, MemoryShelf
from memory.records import APPOINTMENT, event
from on_open_xchange import PASSWORD_ENV, Colleague, OnOpenXchange
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate
from walking import SOURCE, TARGET

from engine.leg.leg_result import LegResult
from ledger.db.rows import LegState
from model.protocols import Role

LASTING = {"PUT", "DELETE", "MKCALENDAR", "PROPPATCH", "POST"}


@pytest.fixture(autouse=True)
def requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    every_request_is_a_step(monkeypatch)


class OnSuite(OnOpenXchange, OnServer):
    """Whose requests are steps."""


class WithFiles(OnSuite):
    """Two events, one with attachments that are added by themselves."""

    @classmethod
    def mailbox_of(cls) -> MemoryMailbox:
        mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=4)
        home = mailbox.create_folder(("Kalender",), Role.CALENDAR)
        files = {"eins.pdf": 300_000, "zwei.pdf": 400_000, "klein.pdf": 1_000}
        mailbox.deliver(home, event("files", "Mit Dateien", 5, files=files), APPOINTMENT)
        mailbox.deliver(home, event("plain", "Ohne", 6), APPOINTMENT)
        return mailbox

    def contents(self) -> Counter[Any]:
        """(title, names and bytes of its attachments) of every event."""
        owner, suite = self.server.context.users[self.user], self.server.suite
        return Counter(
            (part.value("SUMMARY"), tuple(sorted(suite.attachments.contents(part))))
            for folder in self.server.context.own("calendar", owner)
            for one in suite.events.all(folder)
            for part in [one.rows[0].part]
        )


Ready = Callable[[bool], Begun]


@pytest.fixture
def ready(quick_path: Path) -> Ready:
    """changed: a run before, and then changes."""

    def prepared(changed: bool) -> Begun:
        @contextmanager
        def begun(name: str) -> Iterator[OnServer]:
            (quick_path / name).mkdir()
            trial = OnSuite(quick_path / name, a_calendar(2), MemoryShelf())
            with OpenXchangeServer({TARGET: "Anna Adler"}, rate=Rate(10**9)) as trial.server:
                if changed:
                    assert trial.run().state is LegState.VERIFIED
                    edit_calendar(trial.mailbox)
                yield trial

        return begun

    return prepared


@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
def test_dying_right_after_every_change(ready: Ready, monkeypatch: pytest.MonkeyPatch, changed: bool) -> None:
    assert die_everywhere(ready(changed), LASTING, monkeypatch, every=False) > 4


def edit_files(mailbox: MemoryMailbox) -> None:
    (home,) = mailbox.folders
    files = {"zwei.pdf": 400_000, "drei.pdf": 500_000}
    first = next(iter(mailbox.folders[home].messages))
    mailbox.edit(first, event("files", "Mit anderen Dateien", 7, files=files))


@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
def test_dying_around_every_attachment(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    """Between PUT and POST, between two POSTs, and after the last one: each is there once."""

    @contextmanager
    def begun(name: str) -> Iterator[OnServer]:
        (quick_path / name).mkdir()
        trial = WithFiles(quick_path / name, WithFiles.mailbox_of(), MemoryShelf())
        with OpenXchangeServer({TARGET: "Anna Adler"}, rate=Rate(10**9)) as trial.server:
            if changed:
                assert trial.run().state is LegState.VERIFIED
                edit_files(trial.mailbox)
            yield trial
            assert len(trial.sent("POST")) == (3 if changed else 2)

    assert die_everywhere(begun, {"PUT", "POST"}, monkeypatch, every=False) == (2 if changed else 4)


@pytest.mark.soak
@pytest.mark.parametrize("changed", [False, True], ids=["first-run", "delta"])
def test_dying_at_every_request_and_commit(
    ready: Ready, monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    assert die_everywhere(ready(changed), LASTING, monkeypatch, every=True) > 70


ANNA, BERT = "anna@old.example", "bert@old.example"
CALLED = ("a", ANNA, BERT), ("b", BERT, ANNA)
"""UID, organizer and guest."""


class Inviting(Colleague, OnServer):
    """One of two people. A run of the first is one of each in turns, the last its own.

    turns: True for the other one's.
    """

    other: Inviting | None = None
    turns: tuple[bool, ...] = (False, True, False)

    def run(self, *given: object, **named: object) -> LegResult:
        if self.other is None:
            return super().run(*given, **named)  # type: ignore[arg-type]
        for others in self.turns[:-1]:
            (self.other if others else super()).run()
        return super().run()

    def contents(self) -> Counter[tuple[str, bytes]]:
        return super().contents() + (self.other.contents() if self.other is not None else Counter())


def calendar_of(person: str) -> list[bytes]:
    records = []
    for day, (uid, organizer, guest) in enumerate(CALLED, 1):
        answer = "Organizer" if person == organizer else "NoResponseReceived"
        said = f"<t:MyResponseType>{answer}</t:MyResponseType></t:CalendarItem>".encode()
        raw = event(uid, "Sitzung", day, [guest]).replace(b"</t:CalendarItem>", said)
        records.append(raw.replace(b"chair@old.example", organizer.encode()))
    return records


@pytest.fixture
def inviting(quick_path: Path) -> Begun:
    @contextmanager
    def begun(name: str) -> Iterator[OnServer]:
        (quick_path / name).mkdir()
        with OpenXchangeServer({ANNA: "Anna Adler", BERT: "Bert Bach"}, rate=Rate(10**9)) as server:
            first = Inviting.of(server, quick_path / name, ANNA, calendar_of(ANNA))
            first.other = Inviting.of(
                server, quick_path / name, BERT, calendar_of(BERT), first.ledger, "later"
            )
            yield first

    return begun


def test_dying_after_every_change_of_two_who_invite_each_other(
    inviting: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them has both meetings, once."""
    assert die_everywhere(inviting, LASTING, monkeypatch, every=False) >= 4


@pytest.fixture
def latecomer(quick_path: Path) -> Begun:
    """The organizer comes into the plan when the guest's copy is there."""

    @contextmanager
    def begun(name: str) -> Iterator[OnServer]:
        (quick_path / name).mkdir()
        with OpenXchangeServer({ANNA: "Anna Adler", BERT: "Bert Bach"}, rate=Rate(10**9)) as server:
            guest = Inviting.of(server, quick_path / name, ANNA, calendar_of(ANNA)[1:])
            guest.run()
            assert guest.fates() == {("VERIFIED", None): 1}
            guest.turns = (True, False, True, False)
            guest.other = Inviting.of(
                server, quick_path / name, BERT, calendar_of(BERT)[1:], guest.ledger, "later"
            )
            yield guest

    return begun


def test_dying_after_every_change_while_a_guest_gives_way(
    latecomer: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert die_everywhere(latecomer, LASTING, monkeypatch, every=False) >= 3


@pytest.mark.soak
def test_dying_at_every_step_of_two_who_invite_each_other(
    inviting: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert die_everywhere(inviting, LASTING, monkeypatch, every=True) > 70
