"""Tasks move to an Open-Xchange, which stores them by their UID, also those that an earlier Kogge wrote under
another name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from memory.doubles import MemoryMailbox, MemoryShelf
from memory.records import TASK, task
from on_open_xchange import PASSWORD_ENV, OnOpenXchange
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate
from walking import SOURCE, TARGET, verified

from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState, Phase, State
from model.kinds import Kind
from model.protocols import Role


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenXchangeServer]:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    with OpenXchangeServer({TARGET: "Anna Adler"}, rate=Rate(10**9)) as running:
        yield running


@pytest.fixture
def trial(quick_path: Path, server: OpenXchangeServer) -> OnOpenXchange:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=4)
    home = mailbox.create_folder(("Aufgaben",), Role.TASKS)
    for number in range(5):
        mailbox.deliver(home, task(f"Aufgabe {number}", 1 + number), TASK)
    made = OnOpenXchange(quick_path, mailbox, MemoryShelf(kind=Kind.TASKS))
    made.server = server
    return made


def named_as_before(trial: OnOpenXchange) -> None:
    """The ledger as an earlier Kogge left it: with the names that its PUTs had."""
    with trial.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE item SET href = 'k-' || lower(hex(key)) || '.ics'")


def titles(trial: OnOpenXchange) -> list[str]:
    owner, tasks = trial.server.context.users[TARGET], trial.server.suite.tasks
    lists = trial.server.context.own("tasks", owner)
    return sorted(one.part.value("SUMMARY") for folder in lists for one in tasks.all(folder))


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.LIVE])
def test_tasks_under_their_former_names_are_ours(trial: OnOpenXchange, phase: Phase) -> None:
    verified(trial)
    before, sent = titles(trial), len(trial.sent("PUT", "DELETE"))
    named_as_before(trial)
    if phase is not Phase.STAGING:
        trial.ledger.set_phase(trial.id, phase, "somebody")
    result = trial.run()
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert trial.findings() == []
    assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.VERIFIED
    assert (titles(trial), len(trial.sent("PUT", "DELETE"))) == (before, sent)
    assert trial.states()[State.VERIFIED] == 5


def test_what_was_refused_under_its_former_name_is_found(trial: OnOpenXchange) -> None:
    """An earlier Kogge wrote it again, was refused (409), and called it rejected; `kogge retry` finds it."""
    verified(trial)
    before, sent = titles(trial), len(trial.sent("PUT"))
    named_as_before(trial)
    with trial.ledger.engine.begin() as connection:
        statement = "UPDATE item SET state = ?, code = 'refused-by-target'"
        connection.exec_driver_sql(statement, (State.REJECTED.value,))
    trial.ledger.requeue(states=set(LegState), rejected=True)
    result = trial.finish()
    assert (result.state, trial.findings()) == (LegState.VERIFIED, [])
    assert titles(trial) == before
    assert len(trial.sent("PUT")) == sent  # each is looked at, and is there


def test_what_changes_after_an_upgrade_is_replaced(trial: OnOpenXchange) -> None:
    verified(trial)
    named_as_before(trial)
    (home,) = trial.mailbox.folders.values()
    trial.mailbox.edit(next(iter(home.messages)), task("Aufgabe 0, verschoben", 20))
    verified(trial)
    assert titles(trial) == ["Aufgabe 0\\, verschoben", *(f"Aufgabe {number}" for number in range(1, 5))]
    assert trial.findings() == []
