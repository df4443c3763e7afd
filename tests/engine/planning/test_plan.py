"""mailboxes.csv is the word: what it no longer says is not migrated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from plan_place import SIDES
from walking import SOURCE, TARGET, Trial, a_mailbox

from connectors.settings import Account
from engine.config.load import Config, load
from engine.planning.load_plan import plan, renew
from flows import batches
from flows.process.parameters import BatchParameters, VerifyParameters, WaveParameters
from ledger.db.rows import LegState, Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind
from model.protocols import Identity


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "kogge.toml").write_text(SIDES)
    return load(tmp_path / "kogge.toml")


@pytest.fixture
def ledger(config: Config) -> Iterator[Ledger]:
    config.state_directory.mkdir(mode=0o700)
    ledger = Ledger(config.ledger_url())
    ledger.migrate()
    yield ledger
    ledger.close()


def listed(config: Config, *rows: str) -> None:
    config.file(config.mailboxes).write_text("\n".join(["source,target,wave", *rows]) + "\n")


def bind(ledger: Ledger, source: str) -> str:
    number = next(row.id for row in ledger.mailboxes() if row.source == source)
    (leg,) = ledger.legs(mailbox=number)
    lease = ledger.claim(leg.id, f"binds {number}", 60)
    assert lease is not None
    ledger.bind(lease, Identity("m", number), Identity("m", number), "directory")
    ledger.release(lease, LegState.WAITING)
    return number


def test_a_corrected_row_replaces_the_wrong_mailbox(config: Config, ledger: Ledger) -> None:
    listed(config, "bernd@old.example,anna@new.example,w")
    plan(config, ledger, "w")
    listed(config, "anna@old.example,anna@new.example,w")
    renew(config, ledger, "w")
    assert [row.source for row in ledger.mailboxes()] == ["anna@old.example"]
    assert len(ledger.legs()) == 1


def test_what_the_list_no_longer_says_is_not_run_but_may_be_verified(config: Config, ledger: Ledger) -> None:
    rows = [f"{name}@old.example,{name}@new.example,w" for name in ("anna", "bert", "carl")]
    listed(config, *rows)
    plan(config, ledger)
    anna, bert = (bind(ledger, f"{name}@old.example") for name in ("anna", "bert"))
    listed(config, "anna@old.example,else@new.example,w", rows[2])
    planned = plan(config, ledger)
    assert [(one.mailbox, one.field) for one in planned.conflicts] == [(anna, "target")]
    legs = {leg.mailbox: leg for leg in ledger.legs()}
    assert {legs[anna].code, legs[bert].code} == {"plan-changed", "not-in-plan"}
    verified = replace(legs[anna], state=LegState.VERIFIED)
    assert not batches.runs(verified, WaveParameters(wave="w"))
    assert not batches.runs(verified, BatchParameters(wave="w", mailboxes=[anna], number=1, of=1))
    assert batches.runs(verified, VerifyParameters(wave="w"))
    assert [leg.mailbox for leg in legs.values() if batches.runs(leg, WaveParameters(wave="w"))] == list(
        planned.ids
    )


def test_without_a_list_the_ledger_is_the_plan(config: Config, ledger: Ledger) -> None:
    listed(config, "anna@old.example,anna@new.example,w")
    plan(config, ledger)
    config.file(config.mailboxes).unlink()
    renew(config, ledger, "w")
    assert len(ledger.mailboxes()) == 1


def test_a_withheld_leg_touches_nothing(tmp_path: Path) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    bind(trial.ledger, SOURCE)
    trial.ledger.add_mailboxes([], whole=True)
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "not-in-plan")
    assert not any(folder.messages for folder in trial.store.folders.values())
    trial.discard()


def test_a_row_changed_before_the_claim_is_not_run_as_it_was(tmp_path: Path) -> None:
    trial = Trial(tmp_path, a_mailbox(), MemoryStore())
    workloads = frozenset({Kind.MAIL})
    row = PlannedMailbox(SOURCE, TARGET, "w", Phase.STAGING, workloads, source_login="somebody-else")
    trial.ledger.add_mailboxes([row])
    assert trial.ledger.planned(trial.id).source_login != Account(login=SOURCE, address=SOURCE).login
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "plan-changed")
    assert not any(folder.messages for folder in trial.store.folders.values())
    trial.discard()


def test_whose_calendar_moves_in_a_later_wave_is_known_before(config: Config, ledger: Ledger) -> None:
    """Their meetings are waited for."""
    target = (
        "[target.calendar]",
        'kind = "caldav"',
        'url = "https://dav.example"',
        'profile = "open-xchange"',
    )
    config.path.write_text("\n".join([SIDES, *target, 'password = { env = "PASSWORD" }', ""]))
    calendars = load(config.path)
    listed(config, "anna@old.example,anna@new.example,w", "bert@old.example,bert@new.example,later")
    plan(calendars, ledger, "w")
    assert [row.source for row in ledger.mailboxes()] == ["anna@old.example"]
    (leg,) = (one for one in ledger.legs() if one.workload is Kind.CALENDAR)
    lease = ledger.claim(leg.id, "worker", 60)
    assert lease is not None
    with ledger.session(lease, mirror=True) as session:
        known = session.meetings.callers({"bert@old.example", "bert@new.example", "carl@old.example"})
    assert known.keys() == {"bert@old.example", "bert@new.example"}


def test_what_waits_for_organizers_is_of_the_rest(config: Config, ledger: Ledger) -> None:
    listed(config, "anna@old.example,anna@new.example,w")
    plan(config, ledger, "w")
    verified = replace(ledger.legs()[0], state=LegState.VERIFIED)
    rest = WaveParameters(wave="w", rest=True)
    assert not batches.runs(verified, rest)
    assert batches.runs(replace(verified, code="organizer-first"), rest)
