from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from ledger_world import KEK, dump, planned
from sqlalchemy import inspect, text

import ledger.migrations
from ledger.db.encoding import pack_id
from ledger.db.engine import reading, writing
from ledger.db.schema import metadata
from ledger.inventory.inventory import sections
from ledger.store import Ledger
from model.errors import Corrupt, Misconfigured
from model.protocols import key_of

pytestmark = pytest.mark.migrates

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


OLDER = (
    "INSERT INTO mailbox (id, wave, phase, source, target) VALUES ('m-1', 'w1', 'staging', 'a@x', 'a@y')",
    "INSERT INTO leg (mailbox, workload, state, epoch, took_over, items, done, bytes)"
    " VALUES ('m-1', 'mail', 'copied', 0, false, 2, 1, 9)",
    "INSERT INTO container (leg, key, kind, source_id, path, complete, gone, made)"
    " VALUES (1, :box, 'mail', :source, '[\"Inbox\"]', true, false, true)",
    "INSERT INTO item (container, key, state, version, attempts, size, source_id, href)"
    " VALUES (1, :one, 5, 1, 1, 9, :source, '7:1'), (1, :two, 0, 1, 0, 9, :source, NULL)",
)
"""A ledger before there was evidence: an item is copied, another one is not."""


def test_a_ledger_from_before_the_evidence_goes_on(url: str) -> None:
    opened = Ledger(url)
    with writing(opened.engine) as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(ledger.migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        keys = {name: key_of(name) for name in ("box", "one", "two")}
        for statement in OLDER:
            connection.execute(text(statement), {**keys, "source": pack_id("box")})
    opened.migrate()
    (leg,) = opened.legs()
    lease = opened.claim(leg.id, "worker", 60)
    assert lease is not None
    with opened.session(lease, mirror=True) as session:
        (place,) = session.containers()
        with pytest.raises(Corrupt, match="inventory-open"):
            session.begin(place.id, [key_of("two")], "7:1")
        assert session.close_inventory(KEK) == 1
        session.begin(place.id, [key_of("two")], "7:1")
    with reading(opened.engine) as connection:
        (section,) = sections(connection, "m-1")
    header = json.loads(section.header)
    assert (section.n, header["earlier"], len(header["folders"])) == (0, 2, 1)
    opened.close()


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
    with pytest.raises(Misconfigured, match="there is no ledger yet"):
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
    assert "the ledger's file is no database of SQLite" in str(raised.value)
    assert raised.value.local == str(tmp_path / "ledger.db")


def test_no_password_is_ever_shown() -> None:
    opened = Ledger("postgresql://kogge:s3cret@127.0.0.1:1/none")
    assert "s3cret" not in repr(opened)
    with pytest.raises(Exception, match="ledger-unavailable") as raised:
        opened.migrate()
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None
