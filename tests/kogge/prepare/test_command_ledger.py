"""An older ledger: who only looks leaves it as it is, and `kogge ledger upgrade` says and does it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from commands import run
from lonely import settle
from sqlalchemy import text

import ledger.migrations
from ledger.db.engine import writing
from ledger.migrations import newest
from ledger.store import Ledger

pytestmark = pytest.mark.migrates

OLD = "0014"
LOOKS = (
    ("status",),
    ("failures",),
    ("score",),
    ("report", "--wave", "pilot"),
    ("log", "pilot"),
    ("approvals", "--wave", "pilot"),
    ("who", "m-1", "--by", "A"),
    ("phase", "live", "--wave", "pilot", "--by", "A"),
    ("verify", "--wave", "pilot"),
    ("migrate", "--wave", "pilot", "--dry-run"),
    ("cutover", "--wave", "pilot", "--status"),
    ("rollback", "--wave", "pilot"),
    ("retry",),
    ("pause", "--wave", "pilot", "--by", "A"),
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settle(tmp_path, monkeypatch)
    (tmp_path / "kogge-state").mkdir(mode=0o700)
    return tmp_path


@pytest.fixture
def old(place: Path) -> Ledger:
    """As an older version left it, with one mailbox."""
    opened = Ledger(f"sqlite:///{place}/kogge-state/ledger.db")
    with closing(opened), writing(opened.engine) as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(ledger.migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, OLD)
        for statement in (
            "INSERT INTO mailbox (id, wave, phase, source, target)"
            " VALUES ('m-1', 'pilot', 'staging', 'a@old.example', 'a@new.example')",
            "INSERT INTO leg (mailbox, workload, state) VALUES ('m-1', 'mail', 'pending')",
        ):
            connection.execute(text(statement))
    return opened


def hold(opened: Ledger, seconds: float) -> None:
    until = opened.clock().timestamp() + seconds
    with writing(opened.engine) as connection:
        connection.execute(text("UPDATE leg SET owner = 'w', lease_until = :until"), {"until": until})


@pytest.mark.parametrize("arguments", LOOKS, ids=lambda arguments: arguments[0])
def test_who_only_looks_or_decides_upgrades_nothing(
    old: Ledger, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert run(*arguments) == 2
    assert "`kogge ledger upgrade`" in capsys.readouterr().err
    assert old.revision() == OLD


def test_an_upgrade_is_looked_at_first(old: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ledger", "upgrade", "--check") == 1
    told = capsys.readouterr().out
    assert f"the ledger has schema {OLD}; this version needs {newest()}" in told
    assert "nobody is at work on it. Next: kogge ledger upgrade" in told
    assert old.revision() == OLD
    assert run("ledger", "upgrade") == 0
    assert capsys.readouterr().out == f"the ledger has schema {newest()} now; it had {OLD}\n"
    assert run("ledger", "upgrade", "--check") == 0
    assert "has this version's schema" in capsys.readouterr().out
    assert run("status") == 1, "it is read again: something is to be done"


@pytest.mark.parametrize(
    "command", [("ledger", "upgrade"), ("migrate", "--wave", "pilot")], ids=["upgrade", "migrate"]
)
def test_an_upgrade_is_refused_while_others_are_at_work(
    old: Ledger, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    hold(old, 3600)
    assert run("ledger", "upgrade", "--check") == 1
    assert "1 workload is held by workers, the last until" in capsys.readouterr().out
    assert run(*command) == 3
    told = capsys.readouterr().err
    assert "ledger-in-use: workers of an older version hold 1 of its workloads" in told
    assert "let them end, then `kogge ledger upgrade`" in told
    assert old.revision() == OLD


def test_there_is_nothing_to_upgrade_yet(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ledger", "upgrade") == 0
    assert "there is no ledger yet" in capsys.readouterr().out
    assert list((place / "kogge-state").iterdir()) == []


def test_a_newer_ledger_is_told(old: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    old.migrate()
    with writing(old.engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for arguments in (("ledger", "upgrade", "--check"), ("ledger", "upgrade"), ("status",)):
        assert run(*arguments) == 2
        assert "newer version" in capsys.readouterr().err
