"""A source with a rate limit shares its budget among all workers, as a target does."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.catalogue.connector import SourceRequest
from connectors.catalogue.entries import connectors
from connectors.http.rate_limit import NO_BUDGET, RateLimit
from connectors.imap.settings import ImapSettings
from connectors.settings import Account
from engine.config.load import Config, load
from engine.config.sources import Sources
from engine.control.stop_signal import Stop
from engine.opening.open_sides import open_source
from engine.pacing.admission import Admission
from engine.pacing.server_notices import notices
from engine.pacing.shared_budget import StoppableBudget, budget_of
from kogge.prepare.announced_waits import waits
from ledger.store import Ledger
from model.kinds import Kind

LETTERS = Account(login="anna", address="anna@old.example")
TOML = """\
[source]
kind = "imap"
host = "imap.old.example"
password = { env = "X" }
[source.mail]
kind = "imap"
host = "limited.old.example"
password = { env = "X" }
[target.mail]
kind = "imap"
host = "imap.new.example"
password = { env = "X" }
"""


class Limited(ImapSettings):
    """A source of which the host takes ninety requests an hour."""

    @property
    def limit(self) -> RateLimit:
        return RateLimit(90, 3600.0)

    @property
    def counted_as(self) -> str:
        return self.host


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "kogge.toml"
    path.write_text(TOML)
    found = load(path)
    own = Limited.model_validate(found.source_of(Kind.MAIL).model_dump())
    Ledger(found.ledger_url()).migrate()
    return found.model_copy(update={"source": Sources(found.source.whole, {Kind.MAIL: own})})


def test_whoever_opens_a_source_gets_its_budget(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[SourceRequest] = []

    def spy(_settings: object, request: SourceRequest) -> Any:
        asked.append(request)

    described: Any = connectors()
    monkeypatch.setitem(described, "imap", replace(described["imap"], open_source=spy))
    kinds, stop = frozenset({Kind.MAIL}), Stop()
    open_source(config, LETTERS, kinds)
    open_source(config, LETTERS, kinds, stop=stop)
    open_source(config, LETTERS, kinds, side="source")
    budget = budget_of(config, config.source_of(Kind.MAIL))
    assert budget is not None
    assert [one.budget for one in asked] == [budget, StoppableBudget(budget, stop), NO_BUDGET]


def test_legs_wait_for_a_source_and_people_are_told(config: Config) -> None:
    ledger = Ledger(config.ledger_url())
    admission = Admission(config, ledger)
    entry = admission.join(Kind.MAIL)
    assert list(entry.budgets) == ["source.imap"]
    assert admission.join(Kind.MAIL, source=False).budgets == {}
    budget = entry.budgets["source.imap"]
    assert admission.begin(entry)
    assert admission.rate_limited() == {}
    with suppress(TimeoutError):
        for _ in range(91):
            budget.take(_refuse_to_wait(budget))
    assert entry.limited
    assert list(admission.rate_limited()) == ["source.imap"]
    assert list(waits(config)) == ["source.imap"]
    assert not admission.begin(admission.join(Kind.MAIL)), "another leg would only wait"
    assert any(line.startswith("source.imap: waits for its rate limit") for line in notices(config, ledger))


def _refuse_to_wait(budget: Any) -> Any:
    def pause(_seconds: float) -> None:
        if budget.spent:
            raise TimeoutError

    return pause
