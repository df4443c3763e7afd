"""What DAV does not hold moves to an Open-Xchange by its HTTP API, and is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from calendars import an_address_book, edit_address_book, folder
from memory.mailbox import MemoryMailbox
from memory.records import ALL_DAYS, CARD, LIST, TASK, TUESDAYS, contact, team, todo
from memory.shelf import MemoryShelf
from on_open_xchange import PASSWORD_ENV, OnOpenXchange
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate
from servers.smtp_sink import SmtpSink
from undoing import undone
from walking import SOURCE, TARGET, Died, verified

from connectors.http.client import HttpClient
from engine.context.leg_context import LegContext
from engine.leg.run import Task
from engine.steps.settling import reconcile
from engine.verify.compare import Level
from ledger.db.rows import LegState, Phase, State
from model.kinds import Kind
from model.protocols import Loss, Role

PEOPLE = ("a@x.example", "b@x.example")
Lists = list[tuple[str, str, list[str]]]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenXchangeServer]:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    with SmtpSink() as sink:
        with OpenXchangeServer({TARGET: "Anna Adler"}, sink=sink, rate=Rate(10**9)) as running:
            yield running
        assert sink.mails == []


def with_lists() -> MemoryMailbox:
    """Two lists in one book, one in another."""
    mailbox = an_address_book(4)
    home, work = folder(mailbox, "Kontakte"), folder(mailbox, "Firma")
    mailbox.deliver(home.id, team("Nord", PEOPLE, notes="Nur dienstags"), LIST)
    mailbox.deliver(home.id, team("Süd", PEOPLE[:1]), LIST)
    mailbox.deliver(work.id, team("Nord", PEOPLE), LIST)
    return mailbox


@pytest.fixture
def trial(quick_path: Path, server: OpenXchangeServer) -> OnOpenXchange:
    trial = OnOpenXchange(quick_path, with_lists(), MemoryShelf(kind=Kind.CONTACTS))
    trial.server, trial.api = server, True
    return trial


def lists(server: OpenXchangeServer) -> Lists:
    """(address book, list, members) of the person."""
    books = server.context.own("contacts", server.context.users[TARGET])
    return sorted(
        (book.title, card.contact.display_name, sorted(str(one["mail"]) for one in card.members))
        for book in books
        for card in server.suite.cards.everything(book)
        if card.members is not None
    )


EXPECTED: Lists = [
    ("Contacts", "Nord", list(PEOPLE)),
    ("Contacts", "Süd", list(PEOPLE[:1])),
    ("Firma", "Nord", list(PEOPLE)),
]


def test_lists_arrive_once_and_every_level_of_verification_agrees(trial: OnOpenXchange) -> None:
    verified(trial)
    assert lists(trial.server) == EXPECTED
    sent = len(trial.sent("PUT", "DELETE"))
    for level in (Level.COUNTS, Level.TARGET, Level.BOTH):
        assert trial.run(task=Task(level, copy=False)).state is LegState.VERIFIED, trial.findings()
    result = trial.run()
    assert (result.state, result.tally.new, result.tally.replaced) == (LegState.VERIFIED, 0, 0)
    assert len(trial.sent("PUT", "DELETE")) == sent
    losses = {loss for leg in trial.ledger.legs() for _, _, loss in trial.ledger.losses(leg.id)}
    assert Loss("list", "name-and-members-only") in losses


def test_lists_go_to_no_other_person(trial: OnOpenXchange) -> None:
    """The API of a copy of the server knows the same login as another person."""
    people = {"carl@new.example": "Carl Cron", TARGET: "Somebody Else"}
    with OpenXchangeServer(people, rate=Rate(10**9)) as copy:
        trial.api_server = copy
        result = trial.run()
        assert (result.state, result.code) == (LegState.BLOCKED, "api-of-another")
        assert lists(copy) == lists(trial.server) == []


def test_lists_are_rejected_without_the_api_and_arrive_once_it_is_there(trial: OnOpenXchange) -> None:
    trial.api = False
    verified(trial)
    assert lists(trial.server) == []
    assert trial.states()[State.REJECTED] == 3
    trial.api = True
    trial.ledger.requeue(states=(LegState.VERIFIED,), rejected=True)
    verified(trial)
    assert lists(trial.server) == EXPECTED
    assert trial.states()[State.REJECTED] == 0


def test_lists_that_land_late_are_taken_away(trial: OnOpenXchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker died while it sent them; they land when the next one has written its own."""
    sent, sweep, landed = HttpClient._send, reconcile.sweep, list[str]()

    def dies(client: HttpClient, method: str, path: str, *rest: Any) -> Any:
        if "action=new" in path:
            raise Died
        return sent(client, method, path, *rest)

    def lands(leg: LegContext, href: str) -> int:
        suite = trial.server.suite
        (book,) = [one for one in suite.context.folders.values() if f"/carddav/{one.segment}/" == href]
        if book.title not in landed:
            landed.append(book.title)
            for card in suite.cards.everything(book):
                if card.members is not None:
                    suite.cards.add_list(book, card.uid, card.contact.display_name, card.members)
        return sweep(leg, href)

    with monkeypatch.context() as patch:
        patch.setattr(HttpClient, "_send", dies)
        with pytest.raises(Died):
            trial.run()
    monkeypatch.setattr(reconcile, "sweep", lands)
    verified(trial)
    assert "Contacts" in landed
    assert lists(trial.server) == EXPECTED


def test_changed_and_deleted_lists_follow(trial: OnOpenXchange) -> None:
    verified(trial)
    edit_address_book(trial.mailbox)
    home = folder(trial.mailbox, "Kontakte")
    (nord,) = [one for one, each in home.messages.items() if each.marks.item_class == LIST.item_class]
    trial.mailbox.edit(nord, team("Nord", ("c@x.example",)))
    trial.mailbox.deliver(home.id, contact("Noch eine"), CARD)
    verified(trial)
    assert ("Contacts", "Nord", ["c@x.example"]) in lists(trial.server)
    assert not [name for _, name, _ in lists(trial.server) if name == "Süd"]


def test_what_its_owner_changed_of_a_list_is_mended_in_staging(trial: OnOpenXchange) -> None:
    verified(trial)
    cards = trial.server.suite.cards
    (book,) = [
        one
        for one in trial.server.context.own("contacts", trial.server.context.users[TARGET])
        if one.title == "Firma"
    ]
    (card,) = [one for one in cards.everything(book) if one.members is not None]
    cards.change_list(book, card, "Anders", [])
    assert trial.run(task=Task(Level.TARGET, copy=False)).state is not LegState.VERIFIED
    verified(trial)
    assert lists(trial.server) == EXPECTED


def test_a_rollback_takes_its_own_lists_and_no_others(trial: OnOpenXchange) -> None:
    verified(trial)
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    home = trial.server.context.default("contacts", trial.server.context.users[TARGET])
    trial.server.suite.cards.add_list(home, "eigene", "Eigene", [])
    nord = next(
        one for one in trial.server.suite.cards.everything(home) if one.contact.display_name == "Nord"
    )
    trial.server.suite.cards.change_list(home, nord, "Nord, geändert", [])
    undone(trial)
    assert lists(trial.server) == [("Contacts", "Eigene", []), ("Contacts", "Nord, geändert", [])]


def test_an_account_that_holds_a_list_only_is_not_empty(trial: OnOpenXchange) -> None:
    home = trial.server.context.default("contacts", trial.server.context.users[TARGET])
    trial.server.suite.cards.add_list(home, "eigene", "Eigene", [])
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "target-not-empty")


@pytest.mark.parametrize("api", [False, True])
def test_an_account_of_another_language_keeps_one_address_book(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, api: bool
) -> None:
    """Its language changes between two passes, and its owner makes a book of a name that would be next."""
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    with OpenXchangeServer({TARGET: "Anna Adler"}, rate=Rate(10**9), locale="de_DE") as server:
        trial = OnOpenXchange(quick_path, with_lists(), MemoryShelf(kind=Kind.CONTACTS))
        trial.server, trial.api = server, api
        context, cards = server.context, server.suite.cards
        anna = context.users[TARGET]
        verified(trial)
        there = cards_of(server)
        assert {title for title, _ in there} == {"Kontakte", "Firma"}
        context.speaks(anna, "it_IT")
        own = context.make("contacts", anna, "Kontakte (2)")
        assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.VERIFIED, trial.findings()
        result = trial.run()
        assert (result.state, result.tally.new, result.tally.replaced) == (LegState.VERIFIED, 0, 0)
        edit_address_book(trial.mailbox)
        verified(trial)
        assert {title for title, _ in cards_of(server)} == {"Kontakte", "Verein"}
        trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
        undone(trial)
        assert cards_of(server) == []
        titles = [book.title for book in context.own("contacts", anna)]
        assert titles == ["Kontakte", "Gesammelte Adressen", "Verein", own.title]
        assert cards.all(own) == []


def cards_of(server: OpenXchangeServer) -> list[tuple[str, str]]:
    """(address book, name) of every card and list of the person."""
    return sorted(
        (book.title, card.contact.display_name)
        for book in server.context.own("contacts", server.context.users[TARGET])
        for card in server.suite.cards.everything(book)
    )


@pytest.fixture
def of_tasks(quick_path: Path, server: OpenXchangeServer) -> OnOpenXchange:
    """Two series and a task that does not come back, in one list; a series in another."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=4)
    home, other = mailbox.create_folder(("Aufgaben",), Role.TASKS), mailbox.create_folder(("Haus",))
    for title, rule in (("Bericht", TUESDAYS), ("Bericht", TUESDAYS), ("Einmal", "")):
        mailbox.deliver(home, todo(title, rule), TASK)
    mailbox.deliver(other, todo("Lüften", ALL_DAYS), TASK)
    trial = OnOpenXchange(quick_path, mailbox, MemoryShelf(kind=Kind.TASKS))
    trial.server, trial.api = server, True
    return trial


def tasks(server: OpenXchangeServer) -> Lists:
    """(task list, title, how it comes back) of the person."""
    return sorted(
        (home.title, task.part.value("SUMMARY"), [str((task.recurrence or {}).get("recurrence_type", 0))])
        for home in server.context.own("tasks", server.context.users[TARGET])
        for task in server.suite.tasks.everything(home)
    )


SERIES: Lists = [
    ("Haus", "Lüften", ["1"]),
    ("Tasks", "Bericht", ["2"]),
    ("Tasks", "Bericht", ["2"]),
    ("Tasks", "Einmal", ["0"]),
]


def test_recurring_tasks_arrive_once_and_follow_the_source(of_tasks: OnOpenXchange) -> None:
    verified(of_tasks)
    assert tasks(of_tasks.server) == SERIES
    assert of_tasks.run(task=Task(Level.BOTH, copy=False)).state is LegState.VERIFIED
    result = of_tasks.run()
    assert (result.tally.new, result.tally.replaced) == (0, 0)
    home = folder(of_tasks.mailbox, "Aufgaben")
    first, second, once = home.messages
    of_tasks.mailbox.edit(first, todo("Bericht", ""))
    of_tasks.mailbox.edit(once, todo("Einmal", ALL_DAYS))
    of_tasks.mailbox.delete(second)
    verified(of_tasks)
    assert tasks(of_tasks.server) == [
        ("Haus", "Lüften", ["1"]),
        ("Tasks", "Bericht", ["0"]),
        ("Tasks", "Einmal", ["1"]),
    ]
    assert of_tasks.run(task=Task(Level.BOTH, copy=False)).state is LegState.VERIFIED


def test_without_the_api_the_current_task_arrives(of_tasks: OnOpenXchange) -> None:
    of_tasks.api = False
    verified(of_tasks)
    assert {kind for _, _, (kind,) in tasks(of_tasks.server)} == {"0"}


def test_with_the_api_later_tasks_begin_to_come_back(of_tasks: OnOpenXchange) -> None:
    """A wave went before the host allowed the API: the tasks are written anew, in place, once."""
    of_tasks.api = False
    verified(of_tasks)
    of_tasks.api = True
    for one in list(folder(of_tasks.mailbox, "Aufgaben").messages)[:2]:
        of_tasks.mailbox.edit(one, todo("Bericht, neu", TUESDAYS))
    verified(of_tasks)
    titles = [(title, kind) for _, title, (kind,) in tasks(of_tasks.server)]
    assert titles.count(("Bericht\\, neu", "2")) == 2
    assert len(titles) == 4


def test_a_rollback_takes_its_own_series_and_no_others(of_tasks: OnOpenXchange) -> None:
    verified(of_tasks)
    of_tasks.ledger.set_phase(of_tasks.id, Phase.LIVE, "somebody")
    home = of_tasks.server.context.default("tasks", of_tasks.server.context.users[TARGET])
    of_tasks.server.suite.tasks.add_by_api(home, "eigene", {"title": "Eigene", "recurrence_type": 1})
    undone(of_tasks)
    assert tasks(of_tasks.server) == [("Tasks", "Eigene", ["1"])]
