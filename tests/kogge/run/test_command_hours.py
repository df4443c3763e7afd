"""`kogge rollback`, `repair` and `cutover` out of their wave's window, and the flows; on a real Dovecot."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from commands import run
from prefect.settings import PREFECT_API_URL, temporary_settings
from servers.dovecot import Dovecot
from town import Town, configure, dovecot

from engine.config.maintenance_windows import DAYS
from engine.pacing.admission import Admission
from ledger.db.rows import Phase
from ledger.plan.wave_control import OUTSIDE, OVERRIDDEN, set_paused
from ledger.plan.waves import WaveRow, Waves
from ledger.views.server_health import newest

pytestmark = [
    pytest.mark.dovecot,
    # Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
MORE = """
[gate]
directory = "people.csv"
[approval]
required = 0
[windows.another-day]
spans = ["{day} 00:00-24:00"]
"""
ITEMS = 2
BY = ("--by", "Night shift")
WORDS = (*BY, "--reason", "wrong people")
_fresh = itertools.count()
__all__ = ["dovecot"]


@pytest.fixture
def town(tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Town:
    """Of two waves, of which "pilot" has a window that is closed."""
    day = DAYS[(datetime.now(UTC) + timedelta(days=3)).weekday()]
    configure(tmp_path, dovecot, monkeypatch, MORE.format(day=day))
    town = Town.settled(tmp_path, dovecot, next(_fresh), {"anna": "pilot", "bert": "other"}, ITEMS)
    with closing(town.ledger()) as ledger:
        Waves(ledger).put([WaveRow("pilot", window="another-day")])
    return town


def recorded(town: Town) -> list[dict[str, str | int]]:
    with closing(town.ledger()) as ledger:
        events = ledger.events("pilot")
    assert not [event for event in events if event.kind == OVERRIDDEN], "another command may not, for it"
    return [dict(event.detail) for event in events if event.kind == OUTSIDE]


def pause(town: Town, wave: str) -> None:
    with closing(town.ledger()) as ledger:
        set_paused(ledger, wave, True, "day shift")


def phase(town: Town, who: str) -> Phase:
    with closing(town.ledger()) as ledger:
        return ledger.mailbox(town.ids[who]).phase


def test_a_rollback_out_of_its_window_waits_or_is_recorded(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("rollback", "--wave", "pilot") == 0, "to look is always possible"
    assert run("rollback", "--wave", "pilot", "--execute", *WORDS) == 3
    assert "window-closed: wave pilot may run from" in capsys.readouterr().err
    assert town.messages("anna") == ITEMS
    assert run("rollback", "--wave", "pilot", "--execute", "--now") == 2
    assert run("rollback", "--wave", "pilot", "--now", *WORDS) == 2
    with closing(town.ledger()) as ledger:
        assert not ledger.approved("wave:pilot", "rollback"), "what is refused approves nothing"
    assert recorded(town) == []
    assert run("rollback", "--wave", "pilot", "--execute", "--now", *WORDS) == 0
    assert town.messages("anna") == 0
    assert recorded(town) == [{"by": "Night shift", "what": "rollback"}]


def test_of_several_waves_those_that_are_closed_are_left_out(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    both = [part for number in town.ids.values() for part in ("-m", number)]
    assert run("rollback", *both, "--execute", *WORDS) == 3
    assert "left out: window-closed: wave pilot" in capsys.readouterr().err
    assert (town.messages("anna"), town.messages("bert")) == (ITEMS, 0)


def test_a_paused_wave_is_rolled_back_only_when_that_is_said(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    """Misdirected mail: it is paused at once, and to resume it would only do more harm."""
    pause(town, "other")
    assert run("rollback", "--wave", "other", "--recall") == 0
    assert run("rollback", "--wave", "other", "--recall", "--execute", *WORDS) == 3
    told = capsys.readouterr().err
    ui = 'in Prefect the deployment "resume other"'
    assert f"paused; `kogge resume --wave other --by NAME` lets it go on, {ui}" in told
    assert "then start it again; or with --now" in told
    assert run("rollback", "--wave", "other", "--recall", "--execute", "--now", *WORDS) == 0
    assert town.messages("bert") == 0


def test_a_repair_goes_by_the_window_too(town: Town) -> None:
    assert run("repair", "flags", "--wave", "pilot") == 0
    assert run("repair", "flags", "--wave", "pilot", "--execute", *WORDS) == 3
    assert run("repair", "flags", "--wave", "pilot", "--now") == 2
    assert run("repair", "flags", "--wave", "pilot", "--execute", "--now", *WORDS) == 0
    assert recorded(town) == [{"by": "Night shift", "what": "repair"}]


def test_a_cutover_goes_by_the_window_too(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cutover", "--wave", "pilot", "--dry-run") == 1
    assert "may run from" in capsys.readouterr().err
    assert run("cutover", "--wave", "pilot", "--dry-run", "--now") == 0
    assert run("cutover", "--wave", "pilot", *BY) == 3
    assert phase(town, "anna") is Phase.STAGING
    assert run("cutover", "--wave", "pilot", "--back", "--now", *BY) == 2
    assert run("cutover", "--wave", "pilot", "--back", *BY) == 0, "back is always possible"
    assert recorded(town) == []
    assert run("cutover", "--wave", "pilot", "--now", *BY) == 0
    assert phase(town, "anna") is Phase.LIVE
    assert recorded(town) == [{"by": "Night shift", "what": "cutover"}]


def test_a_pause_is_stronger_than_a_cutover_that_is_to_run_now(town: Town) -> None:
    pause(town, "other")
    assert run("cutover", "--wave", "other", "--now", *BY) == 3
    assert phase(town, "bert") is Phase.STAGING
    assert run("cutover", "--wave", "other", "--back", *BY) == 0


@pytest.mark.parametrize(
    "order",
    [
        ("rollback", "--wave", "other"),
        ("rollback", "--wave", "other", "--execute", *WORDS),
        ("repair", "flags", "--wave", "other"),
        ("cutover", "--wave", "other", *BY),
    ],
    ids=["look", "rollback", "repair", "cutover"],
)
def test_the_servers_are_measured(
    town: Town, order: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each worker found is in the ledger while it works: looked at after each of its periods."""
    seen: dict[str, int] = {}
    measure = Admission.period

    def note(held: Admission) -> None:
        measure(held)
        with closing(town.ledger()) as ledger:
            for row in newest(ledger):
                seen[row.system] = max(seen.get(row.system, 0), row.calls)

    monkeypatch.setattr(Admission, "period", note)
    monkeypatch.setattr(Admission, "close", note)
    monkeypatch.setattr("engine.pacing.admission.PERIOD_SECONDS", 3600.0)
    assert run(*order) == 0
    assert seen.get("target.mail", 0) >= ITEMS
    assert ("source.imap" in seen) is (order[0] != "rollback")


def test_the_flows_are_put_off_in_prefect(town: Town, api: str, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cutover import CutoverParameters, cutover
    from flows.rollback import RollbackParameters, rollback

    given = {"KOGGE_CONFIG": str(town.folder / "kogge.toml")}
    assert run("approve", "rollback", "--wave", "pilot", *WORDS) == 0
    with temporary_settings({PREFECT_API_URL: api}), patch.dict(os.environ, given):
        ended = asyncio.run(rollback(RollbackParameters(wave="pilot"), return_state=True))
        assert (ended.name, ended.is_cancelled()) == ("Closed", True)
        live = asyncio.run(cutover(CutoverParameters(wave="pilot"), return_state=True))
        assert (live.name, live.is_cancelled()) == ("Closed", True)
    assert town.messages("anna") == ITEMS
    assert phase(town, "anna") is Phase.STAGING
    capsys.readouterr()
    assert run("status", "--wave", "pilot", "--json") == 0
    assert json.loads(capsys.readouterr().out)
