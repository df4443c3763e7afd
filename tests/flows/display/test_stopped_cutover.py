"""A cutover whose process died does not leave a page that says that a run is at work."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.config.load import Config, load
from flows.display.cutover_page import WORKING
from flows.display.stopped_cutover import show_ended, stopped_waves
from ledger.db.rows import Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind

SIDES = '[source]\nkind = "imap"\nhost = "h"\nusername = "x"\npassword = { env = "X" }\n'
TOML = f"{SIDES}{SIDES.replace('source', 'target.mail')}"
PHASES = {"pilot": Phase.FROZEN, "later": Phase.STAGING, "early": Phase.LIVE}


class Prefect:
    """Takes artifacts."""

    def __init__(self) -> None:
        self.made: list[Any] = []

    async def create_artifact(self, artifact: Any) -> None:
        self.made.append(artifact)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A frozen mailbox at which nobody is at work, and two waves without any."""
    (tmp_path / "kogge.toml").write_text(TOML)
    (tmp_path / "kogge-state").mkdir()
    monkeypatch.setenv("KOGGE_CONFIG", str(tmp_path / "kogge.toml"))
    made = load(tmp_path / "kogge.toml")
    ledger = Ledger(made.ledger_url())
    ledger.migrate()
    mail = frozenset({Kind.MAIL})
    ledger.add_mailboxes(
        [PlannedMailbox(f"{wave}@a", f"{wave}@b", wave, phase, mail) for wave, phase in PHASES.items()]
    )
    ledger.close()
    return made


@pytest.mark.parametrize(("wave", "told"), [("pilot", [1]), ("later", []), ("early", [])])
def test_people_who_may_be_locked_out_are_counted_and_nobody_else_raises_an_alarm(
    config: Config, wave: str, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cutover of a wave died: with a frozen mailbox, before it froze any, after all were live."""
    heard: list[int] = []
    monkeypatch.setattr(
        "flows.display.stopped_cutover.tell",
        lambda kind, _wave, mailboxes: heard.append(mailboxes) if kind == "cutover.died" else None,
    )
    prefect: Any = Prefect()
    asyncio.run(show_ended(prefect, {"wave": wave, "configuration": ""}))
    assert heard == told


def test_its_page_says_who_is_locked_out_and_what_to_type(config: Config) -> None:
    prefect: Any = Prefect()
    asyncio.run(show_ended(prefect, {"wave": "pilot", "configuration": ""}))
    (page,) = prefect.made
    assert page.key == "cutover-pilot"
    assert WORKING not in page.data
    assert "`frozen-by-hand`" in page.data
    assert "    kogge cutover --wave pilot --by NAME" in page.data
    assert "pilot@" not in page.data


def test_only_waves_with_somebody_locked_out_get_one(config: Config) -> None:
    ledger = Ledger(config.ledger_url())
    assert stopped_waves(config, ledger) == ["pilot"]
    ledger.close()
