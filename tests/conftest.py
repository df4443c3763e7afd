"""What every test may use."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
import ready_prefect
import ready_schema
import samples
import worker_count
from hypothesis import settings
from judges.court import SCHEMAS, Court
from servers.faulty.tap import TAPS, listen
from servers.postgres import Postgres, serve
from services import need_postgres

from connectors.accepted_logins import LOGINS
from flows.deploy.server_login import CLIENT_AUTH_STRING
from ledger import migrations, store
from model.masking import SECRETS

os.environ[CLIENT_AUTH_STRING] = ready_prefect.LOGIN  # before anything loads Prefect's settings
MEMORY = Path("/dev/shm")

settings.register_profile("kogge", deadline=None)
settings.load_profile("kogge")
"""No example fails by the clock: a machine may be busy."""


def pytest_configure(config: pytest.Config) -> None:
    if samples.promised() and not samples.BASE.is_dir():
        raise pytest.UsageError(f"{samples.VARIABLE} names {samples.BASE}, which is no directory")


def pytest_xdist_auto_num_workers() -> int:
    return worker_count.of_this_machine()


LONG = ("process", "rehearsal", "practice/test_demo", "crash", "machine", "hostile", "faults")
"""What takes longest, mostly by waiting: it begins first, so that nobody waits for it alone at the end."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector: all that is made lives to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = str(Path(__file__).parent)

    def rank(item: pytest.Item) -> int:
        where = os.path.relpath(item.path, tests)
        return next((number for number, one in enumerate(LONG) if where.startswith(one)), len(LONG))

    items.sort(key=rank)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.get_closest_marker("samples"):
        samples.refuse_skip(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says once what did not run, and why: a machine without the samples is no fault of the project's."""
    skipped = terminalreporter.stats.get("skipped", [])
    without = sum(samples.ABSENT in str(report.longrepr) for report in skipped)
    if without:
        terminalreporter.write_line(f"NOT RUN: {without} tests of recorded samples: {samples.ABSENT}")


@pytest.fixture(scope="session")
def court() -> Iterator[Court | None]:
    """Judges every exchange of a practice server of this process; None without Microsoft's schemas."""
    if not SCHEMAS.is_dir():
        yield None
        return
    listen()
    TAPS.append(sitting := Court())
    yield sitting
    TAPS.remove(sitting)
    assert sitting.verdict() == []


@pytest.fixture(autouse=True)
def exchanges_are_valid(court: Court | None) -> Iterator[None]:
    """What a connector sends and what a practice server answers is valid by Microsoft's schemas."""
    yield
    wrong = [] if court is None else court.verdict()
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


@pytest.fixture(autouse=True)
def no_login_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins like a process that has logged in nowhere."""
    monkeypatch.setattr(LOGINS, "_accepted", set())
    monkeypatch.setattr(LOGINS, "_doubts", {})


@pytest.fixture(autouse=True)
def nothing_is_to_be_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The passwords of one test are plain words of the next."""
    monkeypatch.setattr(SECRETS, "_known", OrderedDict())


@pytest.fixture(autouse=True)
def ledgers_are_copies(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new ledger is a copy of an empty one, but where the migrations themselves are tested (`migrates`)."""
    if request.node.get_closest_marker("migrates") is None:
        monkeypatch.setattr(migrations, "upgrade", ready_schema.upgrade)
        monkeypatch.setattr(store, "make_engine", ready_schema.engine)


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A directory in memory where there is one: for thousands of small ledgers. Removed afterwards."""
    base = MEMORY if os.access(MEMORY, os.W_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="kogge-", dir=base))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL for all; each test makes a database or a schema of its own."""
    need_postgres()
    with serve() as server:
        yield server


@pytest.fixture(scope="session")
def settle_prefect(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Give a state directory the database of a Prefect server, and return the directory.

    A first start without it takes ten seconds of a processor. test_guides_run.py and test_demo.py have one.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    return lambda state: ready_prefect.settle(state, shared)


@pytest.fixture(scope="session")
def prefect_state(
    tmp_path_factory: pytest.TempPathFactory, settle_prefect: Callable[[Path], Path]
) -> Callable[[], Path]:
    """Make a new state directory, in which a Prefect server finds its database ready."""
    return lambda: settle_prefect(tmp_path_factory.mktemp("prefect"))


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What was printed since it was asked last, as one line."""

    def words() -> str:
        told = capsys.readouterr()
        return " ".join((told.out + told.err).split())

    return words
