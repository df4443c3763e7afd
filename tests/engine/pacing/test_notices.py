"""What a person is told of servers that are not well, and of waves that wait."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nights import NIGHTS
from sqlalchemy import update
from typer.testing import CliRunner

from engine.config.load import load
from engine.pacing.server_notices import notices, servers, unwell
from kogge.app import app
from ledger.db import schema
from ledger.db.rows import Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.plan.wave_control import set_paused
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from ledger.views.server_health import Health, leave, newest, report
from model.kinds import Kind

WELL = Health("source.imap", "one", 40, 0, 0.05, 1.0, 4)
SLOW = Health("target.files", "one", 10, 0, 2.0, 0.5, 2)
SLOWER = Health("target.files", "two", 10, 1, 2.6, 0.5, 3)
HALTED = Health("target.mail", "one", 0, 0, 0.0, 0.0, 1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    (tmp_path / "kogge.toml").write_text(NIGHTS + "\n[approval]\nrequired = 0\n")
    made = Ledger(load(tmp_path / "kogge.toml").ledger_url())
    made.migrate()
    made.add_mailboxes(
        [PlannedMailbox("a@x.example", "a@y.example", "w", Phase.STAGING, frozenset({Kind.MAIL}))]
    )
    yield made
    made.close()


def test_what_workers_say_is_told_together() -> None:
    assert unwell([HALTED, SLOW, WELL, SLOWER]) == [
        "target.files: slowed to 50 %, 2.3 s a call, 1 of 20 failed",
        "target.mail: halted (target-unwell), tried now and then, no call just now",
    ]
    assert [(one["system"], one["workers"], one["legs"]) for one in servers([SLOW, WELL, SLOWER])] == [
        ("source.imap", 1, 4),
        ("target.files", 2, 5),
    ]


def test_a_worker_replaces_what_it_said_and_what_is_old_is_not_told(ledger: Ledger) -> None:
    report(ledger, [SLOW, WELL])
    report(ledger, [Health("target.files", "one", 1, 0, 3.0, 0.25, 1), SLOWER])
    assert [(row.system, row.worker, row.pace) for row in newest(ledger)] == [
        ("source.imap", "one", 1.0),
        ("target.files", "one", 0.25),
        ("target.files", "two", 0.5),
    ]
    with ledger.engine.begin() as connection:
        old = update(schema.health).where(schema.health.c.worker == "one")
        connection.execute(old.values(at=schema.health.c.at - 60))
    assert newest(ledger) == [SLOWER]
    leave(ledger, "two")
    assert newest(ledger) == []


def test_status_says_what_slows_or_stops_a_wave(ledger: Ledger, tmp_path: Path) -> None:
    config = load(tmp_path / "kogge.toml")
    assert notices(config, ledger) == []
    report(ledger, [SLOW])
    Waves(ledger).put([WaveRow("w", starts=(datetime.now(UTC) + timedelta(days=9)).timestamp())])
    assert notices(config, ledger) == ["target.files: slowed to 50 %, 2.0 s a call"]
    waits, _slow = notices(config, ledger, "w")
    assert waits.startswith("wave w may run from ")
    set_paused(ledger, "w", True, "night shift")
    shown = CliRunner().invoke(app, ["status", "-c", str(tmp_path / "kogge.toml")])
    assert "wave w is paused; `kogge resume --wave w --by NAME` lets it go on" in shown.output
    assert "target.files: slowed to 50 %, 2.0 s a call" in shown.output
    told = CliRunner().invoke(app, ["status", "--json", "-c", str(tmp_path / "kogge.toml")])
    assert '"system": "target.files"' in told.output


def test_pausing_is_a_command(ledger: Ledger, tmp_path: Path) -> None:
    path = str(tmp_path / "kogge.toml")

    def kogge(*words: str) -> tuple[int, str]:
        ended = CliRunner().invoke(app, [*words, "-c", path])
        return ended.exit_code, ended.output

    said = kogge("pause", "--wave", "w", "--by", "night shift", "--reason", "storage")
    assert said[0] == 0
    assert "wave w is paused" in said[1]
    assert "wave w was paused already" in kogge("pause", "--wave", "w", "--by", "night shift")[1]
    assert Waves(ledger).read("w").paused
    assert "reason: storage" in kogge("log", "w")[1]
    assert "wave w is not paused" in kogge("resume", "--wave", "w", "--by", "day shift")[1]
    assert not Waves(ledger).read("w").paused
