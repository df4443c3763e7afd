"""A ledger that cannot be written says why, where and what to do; nobody is told to run the same again."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import run
from lonely import plan, settle
from memory.doubles import MemoryStore
from powerless import powerless
from servers.postgres import Postgres
from sqlalchemy import Connection, event, text
from walking import Trial, a_mailbox

from ledger.db.engine import reading, writing
from ledger.db.rows import LegState
from ledger.store import Ledger
from model.errors import Transient, Unwritable


@contextmanager
def full(ledger: Ledger) -> Iterator[None]:
    """No file of this SQLite database can grow meanwhile."""
    pages = [1]

    def limit(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages[0]}")

    event.listen(ledger.engine, "begin", limit)
    yield
    pages[0] = 2**30


def _folder(state: Path) -> None:
    for file in state.glob("ledger.db*"):
        file.unlink()
    (state / "ledger.db").mkdir()


def _closed_folder(state: Path) -> None:
    state.chmod(0o555)


def _closed_file(state: Path) -> None:
    (state / "ledger.db").chmod(0o400)


PAUSE = ("pause", "--wave", "pilot", "--by", "Nora")
MIGRATE = ("migrate", "--wave", "pilot")


@pytest.mark.migrates
@pytest.mark.parametrize(
    ("spoil", "cause", "command"),
    [
        (_folder, "there is a folder", ("status",)),
        (_folder, "there is a folder", MIGRATE),
        (_closed_folder, "the folder of the ledger's file cannot be written", ("status",)),
        (_closed_folder, "the folder of the ledger's file cannot be written", MIGRATE),
        (_closed_file, "the ledger's file cannot be written", PAUSE),
        (_closed_file, "the ledger's file cannot be written", MIGRATE),
    ],
)
def test_a_command_names_the_file_and_the_cause(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    cause: str,
    command: tuple[str, ...],
) -> None:
    plan(settle(tmp_path, monkeypatch))
    state = tmp_path / "kogge-state"
    spoil(state)
    try:
        with powerless():
            assert run(*command) == 2
    finally:
        state.chmod(0o700)
    said = capsys.readouterr().err
    assert "kogge: ledger-unwritable: " in said
    assert cause in said
    assert f"\n  {state}/ledger.db\n" in said
    assert "did not answer" not in said


def test_a_ledger_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(tmp_path, monkeypatch)
    (tmp_path / "kogge-state").mkdir(mode=0o555)
    with powerless():
        assert run("status") == 2
    said = capsys.readouterr().err
    assert f"is the folder writable?\n  {tmp_path}/kogge-state/ledger.db\n" in said


def test_a_state_directory_that_takes_no_logs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(settle(tmp_path, monkeypatch))
    (tmp_path / "kogge-state").chmod(0o555)
    held = Ledger(f"sqlite:///{tmp_path}/kogge-state/ledger.db")
    held.mailboxes()  # its -wal and -shm exist, so that it can be read
    with powerless():
        assert run("status") == 2
    (tmp_path / "kogge-state").chmod(0o700)
    held.close()
    said = capsys.readouterr().err
    assert said.startswith("[state] directory: the folder of the logs cannot be made there: ")
    assert f"\n  {tmp_path}/kogge-state/logs\n" in said


def test_a_full_disk_ends_a_command_as_wrong_input_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(settle(tmp_path, monkeypatch))
    # A limit below the present size is that size: nothing can be added.
    monkeypatch.setattr("ledger.db.engine._PRAGMAS", ("journal_mode=WAL", "max_page_count=1"))
    assert run("pause", "--wave", "pilot", "--by", "Nora", "--reason", "x" * 20_000) == 2
    said = capsys.readouterr().err
    assert "kogge: ledger-full: no space is left" in said
    assert f"\n  {tmp_path}/kogge-state/ledger.db\n" in said


def test_a_full_disk_says_so_to_a_leg_and_shows_no_path(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    with full(ledger), pytest.raises(Unwritable) as raised:
        ledger.event("w", "note", {"long": "x" * 20_000})
    assert (raised.value.code, str(tmp_path) in str(raised.value)) == ("ledger-full", False)
    assert raised.value.local == f"{tmp_path}/ledger.db"
    ledger.event("w", "note", {"long": "x" * 20_000})


def test_a_workload_waits_for_room_and_loses_nothing(tmp_path: Path) -> None:
    calm = Trial(_made(tmp_path / "calm"), a_mailbox(40), MemoryStore())
    assert calm.finish().state is LegState.VERIFIED
    short = Trial(_made(tmp_path / "short"), a_mailbox(40), MemoryStore())
    with full(short.ledger):
        result = short.run()
    assert (result.state, result.code) == (LegState.WAITING, "ledger-full")
    assert short.finish().state is LegState.VERIFIED
    assert short.store.snapshot() == calm.store.snapshot()


def test_a_lock_of_another_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.db.engine._PRAGMAS", ("busy_timeout=10",))
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Transient, match="ledger-unavailable") as raised:
        ledger.event("w", "note", {})
    assert not isinstance(raised.value, Unwritable)
    other.close()


@pytest.mark.postgres
def test_a_database_server_that_takes_nothing_is_told_from_a_damaged_one(postgres: Postgres) -> None:
    database = f"unwritable_{time.monotonic_ns()}"
    postgres.create(database)
    ledger = Ledger(postgres.url(database))
    ledger.migrate()
    with reading(ledger.engine) as connection:
        connection.execute(text(f"ALTER DATABASE {database} SET default_transaction_read_only = on"))
    ledger.close()
    with pytest.raises(Unwritable, match=r"ledger-unwritable.*only reads"):
        ledger.event("w", "note", {})
    ledger.close()
    no_room = text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '53100'; END $$")
    with pytest.raises(Unwritable, match=r"ledger-full.*server"), writing(ledger.engine) as connection:
        connection.execute(no_room)
    ledger.close()


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory
