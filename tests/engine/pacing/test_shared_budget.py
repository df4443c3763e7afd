"""The budget of one server, over ledgers on SQLite and PostgreSQL, with real threads."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from servers.postgres import Postgres

from connectors.caldav.products import PROFILES
from connectors.caldav.settings import DavSettings
from connectors.http.client import HttpClient
from connectors.http.rate_limit import NO_BUDGET, RateLimit
from connectors.settings import Account, Secret
from engine.config.load import Config, load
from engine.control.stop_signal import Stop
from engine.pacing.request_budget import BudgetLease, BudgetRules, BudgetState
from engine.pacing.shared_budget import (
    RATE_LIMITED,
    SharedBudget,
    StoppableBudget,
    budget_of,
    name_of,
    request_budget,
    waits_until,
)
from ledger.db.shared_values import change_value, drop_value, read_value
from ledger.store import Ledger
from model.errors import Transient
from model.kinds import Kind

NUMBER = itertools.count()
HOUR = RateLimit(90, 3600.0)
"""What is taken in a test is not free again before its end."""
TOML = """\
[source]
kind = "imap"
host = "imap.example.org"
auth = "master-user"
username = "m"
password = { env = "X" }
[target.calendar]
kind = "caldav"
url = "https://ox.example.net/caldav"
profile = "open-xchange"
password = { env = "X" }
[target.contacts]
kind = "carddav"
url = "https://ox.example.net/carddav"
profile = "open-xchange"
password = { env = "X" }
"""


class Closed(Exception):
    """The connection was closed."""


def until_it_waits(budget: SharedBudget) -> Callable[[float], None]:
    """Closes the connection as soon as a request waits."""

    def pause(_seconds: float) -> None:
        if budget.waits_until is not None:
            raise Closed

    return pause


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.create(f"budget_{next(NUMBER)}")


@pytest.fixture
def ledgers(url: str) -> Iterator[list[Ledger]]:
    """As of three processes."""
    made = [Ledger(url) for _ in range(3)]
    made[0].migrate()
    yield made
    for one in made:
        one.close()


def shared(ledger: Ledger, limit: RateLimit = HOUR) -> SharedBudget:
    return SharedBudget(BudgetRules(limit), lambda change: change_value(ledger, "requests:x", change))


def taken(budget: SharedBudget) -> int:
    """How many requests it admits until one has to wait."""
    count = 0
    try:
        while True:
            budget.take(until_it_waits(budget))
            count += 1
    except Closed:
        return count


def test_workers_together_take_the_whole_limit_and_no_more(ledgers: list[Ledger]) -> None:
    budgets = [shared(ledger) for ledger in ledgers]
    with ThreadPoolExecutor(9) as threads:
        counts = list(threads.map(taken, 3 * budgets))
    assert sum(counts) == HOUR.requests
    text, at = read_value(ledgers[0], "requests:x")
    state = BudgetState.read(text)
    assert sum(block.requests for block in state.blocks) == HOUR.requests
    assert BudgetRules(HOUR).waits_until(state, at) == min(block.ends for block in state.blocks)


def test_values_are_changed_one_after_the_other(ledgers: list[Ledger]) -> None:
    def count(ledger: Ledger) -> None:
        for _ in range(20):
            change_value(ledger, "counter", lambda text, _at: (str(int(text or 0) + 1), None))

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(count, ledgers))
    assert read_value(ledgers[0], "counter")[0] == "60"
    drop_value(ledgers[1], "counter")
    drop_value(ledgers[1], "counter")
    assert read_value(ledgers[0], "counter")[0] == ""


def test_requests_go_in_the_order_in_which_they_were_asked_for() -> None:
    """However many wait, none is overtaken: legs of one process share fairly."""
    permits: list[None] = []

    def exchange(_change: object) -> BudgetLease:
        if not permits:
            return BudgetLease(0, 0.01, 1.0)
        permits.pop()
        return BudgetLease(1, 3600.0)

    budget, order = SharedBudget(BudgetRules(HOUR), exchange), list[int]()

    def ask(number: int) -> None:
        budget.take(lambda _: None)
        order.append(number)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(6)]
    for number, thread in enumerate(threads, start=1):
        thread.start()
        wait_for(lambda: len(budget._queue) == number)  # noqa: B023 (it is called at once)
    for number in range(6):
        permits.append(None)
        wait_for(lambda: len(order) == number + 1)  # noqa: B023
    assert order == sorted(order)
    for thread in threads:
        thread.join(10)


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_refusal_halts_the_other_workers_too(ledgers: list[Ledger]) -> None:
    one, other = shared(ledgers[0]), shared(ledgers[1])
    one.take(lambda _: None)
    one.refused(300.0)
    assert (taken(one), taken(other)) == (0, 0)
    assert other.waits_until is not None
    assert other.waits_until > read_value(ledgers[0], "requests:x")[1] + 200
    assert other.spent
    assert other.waited_within(3600.0) is False  # it was closed before it waited


def test_a_leg_that_is_to_stop_does_not_wait_on(ledgers: list[Ledger]) -> None:
    budget, stop = shared(ledgers[0]), Stop()
    assert taken(budget) == HOUR.requests
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    with pytest.raises(Transient) as caught:
        StoppableBudget(budget, stop).take(lambda _: None)
    assert caught.value.code == RATE_LIMITED
    assert budget.waited_within(3600.0)
    timer.join()


def test_a_ledger_that_does_not_answer_admits_nothing(tmp_path: Path) -> None:
    def away(_change: object) -> BudgetLease:
        raise Transient("ledger-unavailable", "it does not answer")

    budget = SharedBudget(BudgetRules(HOUR), away)
    for _ in range(2):
        with pytest.raises(Transient, match="ledger-unavailable"):
            budget.take(lambda _: None)
    assert not budget._queue


# the settings


def configured(folder: Path, more: str = "") -> Config:
    (folder / "kogge.toml").write_text(TOML + more)
    return load(folder / "kogge.toml")


def test_all_workloads_of_a_server_share_one_budget(tmp_path: Path) -> None:
    config = configured(tmp_path)
    calendar, contacts = (config.target.of(kind) for kind in (Kind.CALENDAR, Kind.CONTACTS))
    assert budget_of(config, calendar) is budget_of(config, contacts)
    assert budget_of(config, config.source_of(Kind.MAIL)) is None
    assert request_budget(config, config.source_of(Kind.MAIL)) is NO_BUDGET
    assert isinstance(request_budget(config, calendar, Stop()), StoppableBudget)


def test_a_command_that_looks_makes_no_ledger(tmp_path: Path) -> None:
    config = configured(tmp_path)
    budget = budget_of(config, config.target.of(Kind.CALENDAR))
    assert budget is not None
    budget.take(lambda _: None)
    assert config.ledger_file is not None
    assert not config.ledger_file.exists()


def test_the_ledger_keeps_it_once_there_is_one(tmp_path: Path) -> None:
    config = configured(tmp_path)
    Ledger(config.ledger_url()).migrate()
    settings = config.target.of(Kind.CALENDAR)
    budget = budget_of(config, settings)
    assert budget is not None
    assert waits_until(config, settings) is None
    budget.refused(300.0)
    assert taken(budget) == 0
    assert waits_until(config, settings) is not None
    assert waits_until(config, config.source_of(Kind.MAIL)) is None


def test_what_the_profile_knows_and_what_the_configuration_says(tmp_path: Path) -> None:
    def limit(profile: str, **more: object) -> RateLimit | None:
        return dav(profile=profile, **more).limit

    assert limit("open-xchange") == RateLimit(1500, 300.0)
    assert limit("open-xchange", rate_limit=20_000) == RateLimit(20_000, 300.0)
    assert limit("open-xchange", rate_limit=0) is None
    assert limit("nextcloud") is None
    assert limit("nextcloud", rate_limit=600) == RateLimit(600, 60.0)
    assert limit("nextcloud", rate_limit=600, rate_limit_seconds=10) == RateLimit(600, 10.0)


def test_another_user_agent_or_address_has_a_budget_of_its_own() -> None:
    names = [
        name_of(dav()),
        name_of(dav(user_agent="Other")),
        name_of(dav(own_address=True)),
        name_of(dav(url="https://other.example.net")),
    ]
    assert len(set(names)) == 4
    assert name_of(dav(url="https://ox.example.net/dav")) == names[0]


def dav(**more: object) -> DavSettings:
    known = {"kind": "caldav", "url": "https://ox.example.net", "profile": "open-xchange"}
    return DavSettings.model_validate({**known, "password": Secret(env="X"), **more})


def test_a_write_that_waits_is_not_sent_once_the_lease_is_lost(
    ledgers: list[Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connections are closed then, as when the process would have sent it at once."""
    monkeypatch.setenv("X", "a password")
    budget = shared(ledgers[0])
    assert taken(budget) == HOUR.requests
    client = HttpClient(dav(), Account(login="anna"), PROFILES["open-xchange"], budget=budget)
    caught: list[Transient] = []

    def put() -> None:
        try:
            client.ask("PUT", "/caldav/1/k.ics", body=b"BEGIN:VCALENDAR")
        except Transient as error:
            caught.append(error)

    writing = threading.Thread(target=put)
    writing.start()
    wait_for(lambda: len(budget._queue) == 1)
    client.close()
    writing.join(30)
    assert [error.code for error in caught] == ["connection-closed"]
    assert not budget._queue
