"""A database that stops answering: all ends in bounded time, says why, loses and doubles nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from commands import run
from lonely import TOML, settle
from memory.doubles import MemoryStore
from servers.postgres import Postgres
from silent_proxy import SilentProxy, silent_proxy, to_socket
from sqlalchemy import Connection, event, literal, select, text
from walking import Trial, a_mailbox

from ledger.db import postgresql
from ledger.db.engine import reading, snapshot, writing
from ledger.db.readers import streamed
from ledger.db.rows import LegState
from ledger.store import Ledger
from model.errors import Transient

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]
SHOWN = text(
    "SELECT current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
)
ONE, SLOW = text("SELECT 1"), text("SELECT pg_sleep(3)")


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[SilentProxy]:
    with silent_proxy(to_socket(postgres.folder)) as made:
        yield made


@pytest.fixture
def opened(
    postgres: Postgres, proxy: SilentProxy, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Ledger]]:
    """New ledgers behind the proxy, with these limits."""
    monkeypatch.setattr(postgresql, "MARGIN_SECONDS", 0.2)
    made: list[Ledger] = []

    def make(**limits: int) -> Ledger:
        made.append(Ledger(proxy.url(_database(postgres), **limits)))
        made[-1].migrate()
        return made[-1]

    yield make
    for ledger in made:
        ledger.close()


def _database(postgres: Postgres) -> str:
    name = f"silence_{time.monotonic_ns()}"
    postgres.create(name)
    return name


def test_a_command_ends_with_a_sentence_when_the_server_says_nothing(
    proxy: SilentProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(tmp_path, monkeypatch)
    url = f"postgresql+psycopg://kogge@127.0.0.1:{proxy.port}/kogge"
    (tmp_path / "kogge.toml").write_text(f'{TOML}\n[ledger]\nurl = "{url}"\nconnect_seconds = 2\n')
    proxy.all_silent = True
    assert run("status") == 3
    said = " ".join("".join(capsys.readouterr()).split())
    assert "ledger-unavailable" in said
    assert "connect_seconds" in said
    assert "Traceback" not in said


def test_a_connection_that_goes_silent_in_a_statement_is_given_up(
    opened: Callable[..., Ledger], proxy: SilentProxy
) -> None:
    ledger = opened(statement_seconds=1)

    def ask() -> None:
        with reading(ledger.engine) as connection:
            connection.execute(ONE)
            proxy.silent_at = proxy.sent + 1
            connection.execute(ONE)

    with pytest.raises(Transient, match=r"ledger-unavailable.*did not answer"):
        ask()
    assert proxy.went_silent.is_set()
    assert ledger.mailboxes() == [], "another connection answers"


def test_a_kept_connection_that_went_silent_is_replaced(
    opened: Callable[..., Ledger], proxy: SilentProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = opened(statement_seconds=600)
    proxy.silent_at = proxy.sent + 1
    monkeypatch.setattr(postgresql, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(postgresql, "QUIET_SECONDS", 0.0)
    assert ledger.mailboxes() == []
    assert proxy.went_silent.is_set()


def test_a_server_that_takes_too_long_ends_the_statement_itself(opened: Callable[..., Ledger]) -> None:
    ledger = opened(statement_seconds=1)
    with pytest.raises(Transient, match="statement_seconds"), reading(ledger.engine) as connection:
        connection.execute(SLOW)
    assert ledger.mailboxes() == []


def test_who_stands_still_in_a_transaction_holds_nothing_for_long(opened: Callable[..., Ledger]) -> None:
    ledger = opened(idle_seconds=1)
    lock = text("LOCK TABLE leg IN EXCLUSIVE MODE")

    def stand_still() -> None:
        with writing(ledger.engine) as connection:
            connection.execute(lock)
            with writing(ledger.engine) as other:
                other.execute(lock)  # waits until the server has taken it from who does nothing
            connection.execute(ONE)

    with pytest.raises(Transient, match="ledger-unavailable"):
        stand_still()
    assert ledger.mailboxes() == []


def test_what_is_known_to_take_long_may(opened: Callable[..., Ledger]) -> None:
    ledger = opened(statement_seconds=1, idle_seconds=7)
    with snapshot(ledger.engine), reading(ledger.engine) as connection:
        assert tuple(connection.execute(SHOWN).one()) == ("1h", "1h")
        assert connection.execute(SLOW).one() is not None
    with reading(ledger.engine) as connection:
        assert tuple(connection.execute(SHOWN).one()) == ("1s", "7s")
        assert list(streamed(connection, select(literal(1)))) == [(1,)]
        assert tuple(connection.execute(SHOWN).one()) == ("1h", "1h")


@pytest.mark.migrates
def test_an_upgrade_has_no_limit(postgres: Postgres) -> None:
    limits: set[str] = set()

    def note(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().startswith("CREATE TABLE item"):
            raw = connection.connection.driver_connection
            limits.add(str(getattr(raw, "limit", "unknown")))
            with connection.connection.cursor() as cursor:
                cursor.execute("SHOW statement_timeout")
                limits.update(map(str, cursor.fetchone() or ()))

    ledger = Ledger(postgres.url(_database(postgres)))
    event.listen(ledger.engine, "before_cursor_execute", note)
    ledger.migrate()
    ledger.close()
    assert limits == {"0", "None"}


def test_a_server_without_a_free_connection_is_named(postgres: Postgres) -> None:
    database = _database(postgres)
    with psycopg.connect(postgres.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {database} CONNECTION LIMIT 0")
        connection.execute(f"CREATE ROLE plain_{database} LOGIN")
    ledger = Ledger(postgres.url(database).replace("kogge@", f"plain_{database}@"))
    with pytest.raises(Transient, match="max_connections"):
        ledger.revision()


def trial(ledger: Ledger, directory: Path) -> Trial:
    directory.mkdir()
    return Trial(directory, a_mailbox(3), MemoryStore(atomic=True), shares=ledger)


@pytest.mark.parametrize("lost", ["question", "answer", "question and end"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_worker_whose_database_goes_silent_loses_and_doubles_nothing(
    opened: Callable[..., Ledger], proxy: SilentProxy, tmp_path: Path, lost: str, share: float
) -> None:
    calm = trial(opened(), tmp_path / "calm")
    before = proxy.sent
    assert calm.finish().code is None
    asked = proxy.sent - before
    cut = trial(opened(statement_seconds=5), tmp_path / "cut")
    # What the server does not know to be closed keeps its locks.
    proxy.loses_answer, proxy.hides_end = lost == "answer", 2.0 if "end" in lost else 0.0
    proxy.silent_at = proxy.sent + int(asked * share)
    with suppress(Transient):
        cut.run()
    assert proxy.went_silent.is_set()
    result = cut.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert cut.store.snapshot() == calm.store.snapshot()
    assert cut.states() == calm.states()
