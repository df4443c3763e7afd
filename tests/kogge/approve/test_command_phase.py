"""`kogge phase` while workers are at work: nobody's mailbox becomes live under them."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from commands import run
from lonely import TOML, settle
from memory.doubles import MemoryStore
from servers.postgres import Postgres
from walking import Trial, a_mailbox, edit

from ledger.db.rows import LegState, Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind

MANY = {"sqlite": 300, "postgresql": 80}
"""Each is a transaction of several statements."""
_numbers = itertools.count()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{quick_path}/ledger.db"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.create(f"phase_{next(_numbers)}")
    settle(quick_path, monkeypatch)
    (quick_path / "kogge.toml").write_text(f'{TOML}[ledger]\nurl = "{url}"\n')
    return url


@pytest.fixture
def ledger(place: str) -> Iterator[Ledger]:
    with closing(Ledger(place)) as opened:
        opened.migrate()
        yield opened


class Claimer(threading.Thread):
    """Claims one leg after the other as workers do, by the phase it read before, and gives none back."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(daemon=True)
        self.ledger = ledger
        self.held: dict[str, Phase] = {}
        self.end = threading.Event()
        self.begun = threading.Event()

    def run(self) -> None:
        legs = self.ledger.legs()
        for number, leg in enumerate(legs[::7]):
            if self.end.is_set():
                return
            lease = self.ledger.claim(leg.id, f"worker-{number}", 600)
            if lease is not None:
                self.held[lease.mailbox] = lease.phase
            self.begun.set()


def test_no_mailbox_is_moved_under_a_worker(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    many = MANY[ledger.engine.dialect.name]
    rows = [
        PlannedMailbox(f"a{n}@old.example", f"a{n}@new.example", "w", Phase.STAGING, frozenset({Kind.MAIL}))
        for n in range(many)
    ]
    ledger.add_mailboxes(rows)
    claimer = Claimer(ledger)
    claimer.start()
    claimer.begun.wait()
    said = ("--from-staging", "--yes", "--reason", "nothing to move")
    code = run("phase", "live", "--wave", "w", "--by", "A", *said)
    claimer.end.set()
    claimer.join()
    phases = {row.id: row.phase for row in ledger.mailboxes()}
    assert {number: phases[number] for number in claimer.held} == claimer.held
    kept = {number for number, phase in phases.items() if phase is Phase.STAGING}
    told = capsys.readouterr()
    assert f"{many - len(kept)} mailboxes are live now" in told.out
    assert set(re.findall(r"m-[0-9a-f]{8}", told.err)) == kept
    assert (code, bool(kept)) == (1, True)
    moved = {event.subject for event in ledger.events("w") if event.kind == "phase"}
    answered = {event.subject for event in ledger.events("w") if event.kind == "approved:score-low"}
    assert moved == answered == phases.keys() - kept
    ledger.verify_events()


def test_a_walk_finds_no_live_mailbox_under_it(tmp_path: Path) -> None:
    """Whatever a walk of staging is about to do, at each of its steps: nobody can make the mailbox live, and
    what it removes and amends is done in staging."""
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    trial.finish()
    edit(trial.mailbox)
    trial.approve("source-shrunk")
    refused = 0

    def to_live(name: str = "") -> None:
        nonlocal refused
        if name in ("target.remove", "target.amend"):
            with pytest.raises(Exception, match="claimed-elsewhere"):
                trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
            refused += 1

    assert trial.run(to_live).state is LegState.VERIFIED
    assert refused
    assert trial.ledger.mailbox(trial.id).phase is Phase.STAGING
