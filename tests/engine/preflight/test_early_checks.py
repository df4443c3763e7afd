"""A check of a list without waves counts once its waves are planned: nobody's mailbox is opened twice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from lonely import settle

from engine.approvals.plan_approval import plan_of
from engine.config.load import Config, load
from engine.planning.load_plan import plan
from engine.planning.mailbox_list import Person
from engine.preflight.check_results import keep
from engine.preflight.preflight import PreflightResult
from ledger.db.engine import reading
from ledger.db.schema import early_check
from ledger.plan.approvals import PlanRow, plan_rows
from ledger.store import Ledger

HEAD = "source,target,wave\n"
ANNA = Person(2, "a@old.example", "a@new.example", "", "a@old.example", "a@new.example")
BERT = Person(3, "b@old.example", "b@new.example", "", "b@old.example", "b@new.example")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    settle(tmp_path, monkeypatch)
    return listed(tmp_path, "", "")


def listed(place: Path, *waves: str, target: str = "b@new.example") -> Config:
    """The configuration, with Anna and Bert in these waves."""
    pairs = ("a@old.example,a@new.example", f"b@old.example,{target}")
    rows = "".join(f"{pair},{wave}\n" for pair, wave in zip(pairs, waves, strict=True))
    (place / "mailboxes.csv").write_text(HEAD + rows)
    return load(place / "kogge.toml")


def checked_all(config: Config, looks: Sequence[PreflightResult]) -> None:
    keep(config, None, looks, all_listed=True)


def look(person: Person, level: str = "directory", *, faults: int = 0, passing: int = 0) -> PreflightResult:
    told = [("source", "login-refused")] * faults + [("target", "unreachable")] * passing
    return PreflightResult(person, level, items=7, bytes=700, faults=told, passing=passing)


def planned(config: Config, wave: str = "pilot") -> dict[str, PlanRow]:
    with closing(Ledger(config.ledger_url())) as ledger:
        plan(config, ledger, wave)
        return {row.source: row for row in sorted(plan_rows(ledger), key=lambda row: row.source)}


def waiting(config: Config) -> int:
    """Of how many mailboxes a result waits for a plan."""
    with closing(Ledger(config.ledger_url())) as ledger, reading(ledger.engine) as connection:
        return len(connection.execute(early_check.select()).all())


def test_a_check_counts_for_the_wave_that_is_planned_later(config: Config, tmp_path: Path) -> None:
    checked_all(config, [look(ANNA), look(BERT, faults=1)])
    rows = planned(listed(tmp_path, "pilot", "pilot"))
    assert [(row.level, row.code, row.items, row.bytes) for row in rows.values()] == [
        ("directory", None, 7, 700),
        ("directory", "login-refused", 7, 700),
    ]
    with closing(Ledger(config.ledger_url())) as ledger:
        assert plan_of(config, ledger, "pilot").unchecked == []
    assert waiting(config) == 0


def test_each_wave_takes_its_own(config: Config, tmp_path: Path) -> None:
    checked_all(config, [look(ANNA), look(BERT)])
    assert planned(listed(tmp_path, "pilot", "later"))["a@old.example"].at is not None
    assert waiting(config) == 1
    rows = planned(listed(tmp_path, "pilot", "later"), "later")
    assert {row.at is None for row in rows.values()} == {False}


def test_a_row_that_changed_since_is_to_be_checked_again(config: Config, tmp_path: Path) -> None:
    checked_all(config, [look(ANNA), look(BERT)])
    rows = planned(listed(tmp_path, "pilot", "pilot", target="c@new.example"))
    assert (rows["a@old.example"].at is None, rows["b@old.example"].at is None) == (False, True)


def test_what_did_not_get_through_leaves_the_earlier_result(config: Config, tmp_path: Path) -> None:
    checked_all(config, [look(ANNA), look(BERT)])
    checked_all(config, [look(ANNA, passing=1), look(BERT, level="asserted")])
    rows = planned(listed(tmp_path, "pilot", "pilot"))
    assert [row.level for row in rows.values()] == ["directory", "asserted"]


def test_nothing_is_kept_of_who_left_the_list(config: Config) -> None:
    checked_all(config, [look(ANNA), look(BERT)])
    checked_all(config, [look(ANNA)])
    assert waiting(config) == 1
    keep(config, None, [look(BERT)])
    assert waiting(config) == 2, "a check of some says nothing of the others"


def test_a_newer_check_of_a_planned_mailbox_stays(config: Config, tmp_path: Path) -> None:
    checked_all(config, [look(ANNA), look(BERT)])
    with_waves = listed(tmp_path, "pilot", "pilot")
    planned(with_waves)
    keep(with_waves, "pilot", [look(replace(ANNA, wave="pilot"), level="address")])
    assert planned(with_waves)["a@old.example"].level == "address"


def test_no_ledger_is_made_for_rows_that_have_a_wave(config: Config) -> None:
    assert config.ledger_file is not None
    assert not config.ledger_file.exists()
    checked_all(config, [look(replace(ANNA, wave="pilot"))])
    assert not config.ledger_file.exists()
