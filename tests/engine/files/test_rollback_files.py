"""Taking files and their shares back from a practice Nextcloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from memory.doubles import Step
from share_office import BERND, CARLA, Office, opened
from undoing import Undoing, undone
from walking import PACE, SOURCE, TARGET

from connectors.settings import Account
from engine.context.leg_context import BatchLimits
from engine.identity.identity_gate import GateRules, Pair
from engine.steps.beginning.ledger_generation import Generations
from ledger.db.rows import LegState, Phase
from ledger.store import Ledger
from model.protocols import Guard, Target
from practice.drive.drive_shares import user


@dataclass
class Desk:
    """An undoing.Undoable of the office."""

    office: Office
    id: str
    ledger: Ledger
    rules: GateRules
    pace: BatchLimits = PACE
    generations: Generations | None = None

    def pair(self) -> Pair:
        own = (Account(login=address, address=address) for address in (SOURCE, TARGET))
        return Pair(*own)

    def open_target(self, guard: Guard, step: Step, moment: datetime, *, live: bool) -> Target:
        del step, moment
        return self.office.target(guard, live=live)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with opened(tmp_path, monkeypatch) as made:
        made.drive.share(made.plain, user(made.people[1]))
        made.drive.share(made.box, user(made.people[2], write=True))
        made.verified()
        made.ledger.set_phase(made.id, Phase.LIVE, "somebody")
        yield made


def desk(office: Office) -> Desk:
    return Desk(office, office.id, office.ledger, GateRules())


def files(office: Office) -> dict[str, bytes]:
    base = office.cloud.shelves["anna"].real(())
    return {
        path.relative_to(base).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in base.rglob("*")
    }


def test_shares_files_and_folders_of_ours_go(office: Office) -> None:
    assert {who for _, _, who, _, _ in office.shares.stated()} == {BERND, CARLA}
    undoing = undone(desk(office))
    assert (undoing.counts["shares"], undoing.counts["ours"], undoing.counts["containers"]) == (2, 2, 1)
    assert files(office) == {}
    assert office.shares.stated() == []


def test_what_people_made_of_it_stays_and_is_shared_no_more_by_us(office: Office) -> None:
    base = office.cloud.shelves["anna"].real(())
    (base / "Plan.txt").write_bytes(b"another plan")
    (base / "Amt" / "Meins.txt").write_bytes(b"mine")
    undoing = undone(desk(office))
    assert (undoing.counts["changed"], undoing.counts["added"]) == (1, 1)
    assert files(office) == {"Plan.txt": b"another plan", "Amt": b"", "Amt/Meins.txt": b"mine"}
    assert office.shares.stated() == []


def test_a_look_leaves_all_of_it(office: Office) -> None:
    before, shares = files(office), office.shares.stated()
    told = Undoing(desk(office)).look()
    assert (told["shares"], told["ours"], told["containers"]) == (2, 2, 1)
    assert (files(office), office.shares.stated()) == (before, shares)
    (leg,) = office.ledger.legs(mailbox=office.id)
    assert leg.state is LegState.VERIFIED
