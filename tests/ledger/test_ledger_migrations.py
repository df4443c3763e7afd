from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from ledger_world import dump, planned
from sqlalchemy import inspect, text

import ledger.migrations
from connectors.errors import Corrupt, Misconfigured
from ledger.schema import metadata
from ledger.store import Ledger

MIGRATE = """
import sys
from ledger.store import Ledger
ledger = Ledger(sys.argv[1])
ledger.migrate()
print(len(ledger.mailboxes()))
"""


def test_migrations_make_exactly_the_schema(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        (partial,) = [
            index for index in inspect(connection).get_indexes("item") if index["name"] == "item_open"
        ]
        condition = partial["dialect_options"][f"{connection.dialect.name}_where"]
    assert "state < 4" in str(condition)


def test_migrating_again_changes_nothing(ledger: Ledger) -> None:
    ledger.add_mailboxes([planned()])
    before = dump(ledger)
    ledger.migrate()
    assert dump(ledger) == before


def test_processes_may_migrate_at_the_same_time(url: str) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, url], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [worker.communicate(timeout=60)[0].strip() for worker in workers] == ["0", "0", "0"]


def test_a_migration_that_fails_leaves_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Ledger(url)
    monkeypatch.setattr(
        "alembic.operations.Operations.create_index",
        lambda *_, **__: (_ for _ in ()).throw(RuntimeError("crash")),
    )
    with pytest.raises(RuntimeError, match="crash"):
        opened.migrate()
    with opened.engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    monkeypatch.undo()
    opened.migrate()
    assert opened.legs() == []
    opened.close()


def test_a_newer_ledger_is_refused(ledger: Ledger) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Misconfigured, match="newer version"):
        ledger.migrate()


def test_a_database_without_tables_says_so(url: str) -> None:
    opened = Ledger(url)
    with pytest.raises(Misconfigured, match="migrate"):
        opened.legs()
    opened.close()


def test_the_migrations_are_one_line_and_inside_the_package() -> None:
    folder = Path(ledger.migrations.__file__).parent
    scripts = ScriptDirectory(str(folder))
    assert len(scripts.get_heads()) == 1
    assert {path.name for path in folder.iterdir()} >= {"env.py", "script.py.mako", "versions"}


def test_a_ledger_file_is_private(tmp_path: Path) -> None:
    opened = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    assert not list(tmp_path.iterdir())
    opened.migrate()
    opened.add_mailboxes([planned()])
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm"), "0o600")
    opened.close()


def test_a_commit_survives_a_power_loss(tmp_path: Path) -> None:
    opened = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    opened.migrate()
    with opened.engine.connect() as connection:
        asked = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    opened.close()


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db", "sqlite://", "sqlite:///:memory:"])
def test_an_address_that_cannot_be_a_ledger(url: str) -> None:
    with pytest.raises(Misconfigured):
        Ledger(url)


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    Ledger(f"sqlite:///{tmp_path}/absent/ledger.db").migrate()
    assert (tmp_path / "absent").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(Misconfigured, match="cannot be created"):
        Ledger(f"sqlite:///{tmp_path}/file/ledger.db").migrate()


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("This is a letter to Anna, not a database. " * 100)
    opened = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    with pytest.raises(Corrupt) as raised:
        opened.migrate()
    assert raised.value.code == "ledger-damaged"


def test_no_password_is_ever_shown() -> None:
    opened = Ledger("postgresql://kogge:s3cret@127.0.0.1:1/none")
    assert "s3cret" not in repr(opened)
    with pytest.raises(Exception, match="ledger-unavailable") as raised:
        opened.migrate()
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None
