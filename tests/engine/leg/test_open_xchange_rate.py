"""A server that takes so many requests in a window, and answers 429 to more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from calendars import a_calendar, an_address_book, edit_address_book, edit_calendar, folder
from memory.doubles import MemoryShelf
from memory.records import LIST, team
from on_open_xchange import PASSWORD_ENV, OnOpenXchange
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate
from servers.smtp_sink import SmtpSink
from walking import TARGET, verified

from connectors.http.rate_limit import RateLimit
from engine.context.leg_context import BatchLimits
from engine.leg.run import Task
from engine.pacing.request_budget import BudgetRules
from engine.pacing.shared_budget import SharedBudget
from engine.planning.target_rates import REQUESTS_OF_ITEM, REQUESTS_OF_LEG
from engine.verify.compare import Level
from ledger.db.rows import LegState
from ledger.db.shared_values import change_value
from model.kinds import Kind
from practice.dav.proxy import Forward, Reply, Request, reply


@dataclass
class Counted(Rate):
    """refused: how many requests it refused."""

    refused: int = 0

    def refuses(self, request: Request, now: datetime, *, counts: bool) -> bool:
        refused = super().refuses(request, now, counts=counts)
        self.refused += refused
        return refused


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenXchangeServer]:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    with SmtpSink() as sink, OpenXchangeServer({TARGET: "Anna Adler"}, sink=sink, rate=Counted(10**9)) as one:
        yield one
        assert sink.mails == []


def a_trial(
    directory: Path, server: OpenXchangeServer, items: int, kind: Kind = Kind.CALENDAR
) -> OnOpenXchange:
    if kind is Kind.CONTACTS:
        trial = OnOpenXchange(directory, an_address_book(items), MemoryShelf(kind=kind))
    else:
        trial = OnOpenXchange(directory, a_calendar(items), MemoryShelf())
    trial.server = server
    return trial


def test_the_limit_is_never_exceeded(quick_path: Path, server: OpenXchangeServer) -> None:
    """The server's window is a little shorter than ours: this machine may be slow."""
    server.rate = rate = Counted(60, 2.5)
    trial = a_trial(quick_path, server, 60)
    rules = BudgetRules(RateLimit(60, 4.0))
    trial.budget = SharedBudget(rules, lambda change: change_value(trial.ledger, "requests:x", change))
    verified(trial)
    assert len(server.requests) > 60
    assert rate.refused == 0
    assert trial.slept == []


def test_a_refusal_in_spite_of_it_is_waited_out_in_the_middle_of_a_batch(
    quick_path: Path, server: OpenXchangeServer
) -> None:
    """Something else uses the same address. The server asks for more than a request's patience."""
    server.rate = rate = Counted(60, 8.0, 7)
    trial = a_trial(quick_path, server, 40)
    rules = BudgetRules(RateLimit(10_000, 60.0))
    trial.budget = SharedBudget(rules, lambda change: change_value(trial.ledger, "requests:x", change))
    verified(trial)
    assert rate.refused > 0
    assert len(trial.slept) <= 1  # a second refusal in a row outlasts the patience: the leg goes on, once


class Slept(list[float]):
    """Time passes at the server when a leg sleeps."""

    def __init__(self, server: OpenXchangeServer) -> None:
        super().__init__()
        self.clock = server.clock

    def append(self, seconds: float) -> None:
        self.clock.set(self.clock.now() + timedelta(seconds=seconds))
        super().append(seconds)


def test_refusals_again_and_again_count_against_no_item(quick_path: Path, server: OpenXchangeServer) -> None:
    """Nothing but the walk's first requests and a few items fits into a window."""
    trial = a_trial(quick_path, server, 30)
    server.rate = rate = Counted(36)
    trial.slept = Slept(server)
    verified(trial)
    edit_calendar(trial.mailbox)
    verified(trial)
    assert rate.refused > 3
    assert {item.code for _, _, item in trial.ledger.rejected()} == {"start-missing"}  # no mapping takes it
    with trial.ledger.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM incident WHERE deaths > 0").scalar_one() == 0


def of_reads(request: Request) -> bool:
    return request.method in ("PROPFIND", "REPORT", "GET")


def of_writes(request: Request) -> bool:
    return request.method == "PUT"


@dataclass
class Sometimes:
    """A layer that refuses several requests in a row, after each run of so many that it lets through."""

    answer: Reply
    at: Callable[[Request], bool]
    others: int
    row: int
    seen: int = 0
    refused: int = 0

    def __call__(self, request: Request, rest: Forward) -> Reply:
        if not self.at(request) or request.path.endswith("/login"):
            return rest(request)
        self.seen += 1
        if self.seen % (self.others + self.row) < self.others:
            return rest(request)
        self.refused += 1
        return self.answer


BUSY = {"plain": reply(429), "at-once": reply(429), "later": reply(429)}
BUSY["at-once"].headers["Retry-After"], BUSY["later"].headers["Retry-After"] = "0", "300"


@pytest.mark.parametrize("wait", BUSY)
@pytest.mark.parametrize("at", [of_reads, of_writes])
@pytest.mark.parametrize("kind", [Kind.CALENDAR, Kind.CONTACTS])
def test_several_refusals_in_a_row_blame_no_item(
    quick_path: Path,
    server: OpenXchangeServer,
    monkeypatch: pytest.MonkeyPatch,
    wait: str,
    at: Callable[[Request], bool],
    kind: Kind,
) -> None:
    """Of reads and of writes, of DAV and of the API; with a time to wait, also one that outlasts the
    patience, and without one."""
    monkeypatch.setattr("connectors.retry.FIRST_WAIT", 0.001)
    trial = a_trial(quick_path, server, 6, kind)
    trial.api = True
    if kind is Kind.CONTACTS:
        for name in ("Nord", "Süd"):
            trial.mailbox.deliver(folder(trial.mailbox, "Kontakte").id, team(name, ("a@x.example",)), LIST)
    trial.slept = Slept(server)
    others = 30 if wait == "later" and at is of_reads else 5  # a walk that begins anew needs as many
    refuses = Sometimes(BUSY[wait], at, others, 3)
    server.layers = (refuses,)
    verified(trial)
    (edit_calendar if kind is Kind.CALENDAR else edit_address_book)(trial.mailbox)
    verified(trial)
    assert refuses.refused > 2
    assert {item.code for _, _, item in trial.ledger.rejected()} <= {"start-missing"}  # no mapping takes it
    server.layers = ()
    result = trial.run()
    assert (result.state, result.tally.new, result.tally.replaced) == (LegState.VERIFIED, 0, 0)
    assert trial.run(task=Task(Level.BOTH, copy=False)).state is LegState.VERIFIED


@pytest.mark.parametrize("kind", [Kind.CALENDAR, Kind.CONTACTS])
def test_what_an_item_costs(quick_path: Path, server: OpenXchangeServer, kind: Kind) -> None:
    """The estimate of `kogge check` rests on it: written and verified, a little more than its PUT. The
    batches are as large as they are in a real run."""
    trial = a_trial(quick_path, server, 600, kind)
    trial.pace = replace(trial.pace, batch=BatchLimits().batch)
    verified(trial)
    items = sum(trial.states().values())
    assert items < len(server.requests) <= items * REQUESTS_OF_ITEM + REQUESTS_OF_LEG
