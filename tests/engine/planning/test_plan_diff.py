"""`kogge plan diff` as a person runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import run
from plan_place import NAMES, TOML, begin, document, ledger, listed, place

from engine.config.load import load
from engine.planning.load_plan import plan as take_over
from ledger.plan.waves import Waves
from ledger.store import Ledger

__all__ = ["ledger", "place"]


def test_nothing_changed(place: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "--write", "--force") == 0
    take_over(load(place / "kogge.toml"), ledger)
    nothing = {"changes": [], "counts": {}, "waves": {}, "guessed": 0, "elsewhere": {}}
    assert document(capsys, "plan", "diff") == nothing
    assert run("plan", "diff") == 0
    assert "the ledger's plan is what the files say" in capsys.readouterr().out


def test_without_a_ledger_all_is_new_and_none_is_made(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, "plan", "diff", code=1)
    assert found["counts"] == {"added": 7}
    assert not (place / "kogge-state").exists()


def test_every_change_is_told_by_line(
    place: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {name: f"{name}@old.example;{name}@new.example;w1" for name in NAMES[:5]}
    listed(place, *rows.values())
    config = load(place / "kogge.toml")
    (place / "waves.csv").write_text("wave,date,canary\nw1,2027-01-01,carl@old.example\n")
    take_over(config, ledger)
    begun = begin(ledger, "anna@old.example")
    ids = {row.source.partition("@")[0]: row.id for row in ledger.mailboxes()}
    rows["anna"] = "anna@old.example;other@new.example;w1"
    rows["bert"] = rows["bert"].replace("w1", "w2")
    del rows["dora"]
    rows["fred"] = "fred@old.example;fred@new.example;w2"
    listed(place, *rows.values())
    (place / "waves.csv").write_text("wave,date,canary\nw1,2027-02-01,emil@old.example\n")
    found = document(capsys, "plan", "diff", code=1)
    told = [
        (one["change"], one["line"], one["mailbox"], one["was"], one["now"], one["refused"])
        for one in found["changes"]
    ]
    assert told == [
        ("target", 2, begun, None, None, True),
        ("moved", 3, ids["bert"], "w1", "w2", False),
        ("added", 6, None, None, "w2", False),
        ("removed", None, ids["dora"], "w1", None, False),
        ("wave's starts", 2, None, "2027-01-01 00:00 UTC", "2027-02-01 00:00 UTC", False),
        ("wave's canary", 2, None, ids["carl"], ids["emil"], False),
    ]
    assert found["waves"]["w2"]["mailboxes"] == {"was": 0, "now": 2}
    assert found["waves"]["w1"]["mailboxes"] == {"was": 5, "now": 3}
    assert found["waves"]["w2"]["bytes"]["now"] > 0
    assert run("plan", "diff") == 1
    shown = capsys.readouterr().out
    assert "refused: begun" in shown
    assert "example" not in shown


def test_another_list_with_the_same_ledger_is_left_alone(
    place: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "cloud.toml").write_text(
        'mailboxes = "cloud.csv"\n' + TOML.replace("[plan]", '[plan]\nwaves = "dates.csv"')
    )
    listed(place, "anna@old.example;anna@new.example;w1", "bert@old.example;bert@new.example;w1")
    (place / "cloud.csv").write_text(
        (place / "mailboxes.csv").read_text().replace("w1", "cloud").replace("@", ".c@")
    )
    (place / "waves.csv").write_text("wave,date\nw1,2027-01-01\n")
    (place / "dates.csv").write_text("wave,date\ncloud,2027-02-01\n")
    lists = [load(place / name) for name in ("kogge.toml", "cloud.toml")]
    for config in (*lists, *lists):
        take_over(config, ledger)
    begin(ledger, "anna.c@old.example")
    take_over(lists[0], ledger)
    assert {row.wave for row in ledger.mailboxes()} == {"w1", "cloud"}
    assert not any(leg.withheld for leg in ledger.legs())
    assert Waves(ledger).read("cloud").starts == 1_801_440_000.0
    found = document(capsys, "plan", "diff")
    assert (found["changes"], found["elsewhere"]) == ([], {"cloud": 2})
    assert document(capsys, "plan", "diff", "-c", "cloud.toml")["changes"] == []
    assert run("plan", "diff") == 0
    assert "cloud (2)" in capsys.readouterr().out


def test_a_wave_that_lost_its_last_row_to_another_is_still_the_lists(
    place: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load(place / "kogge.toml")
    listed(place, "anna@old.example;anna@new.example;w1", "bert@old.example;bert@new.example;w1")
    take_over(config, ledger)
    listed(place, "anna@old.example;anna@new.example;w2")
    assert document(capsys, "plan", "diff", code=1)["counts"] == {"moved": 1, "removed": 1}
    take_over(config, ledger)
    assert [row.source for row in ledger.mailboxes()] == ["anna@old.example"]
    listed(place, "carl@old.example;carl@new.example;w3")
    take_over(config, ledger)
    assert len(ledger.mailboxes("w2")) == 1, "nothing of the list has to do with it any more"
    take_over(config, ledger, "w2")
    assert not ledger.mailboxes("w2")


def test_what_was_withdrawn_and_comes_back_is_added(
    place: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    row = "anna@old.example;anna@new.example;w1"
    other = "bert@old.example;bert@new.example;w1"
    config = load(place / "kogge.toml")
    listed(place, row, other)
    take_over(config, ledger)
    begun = begin(ledger, "anna@old.example")
    listed(place, other)
    take_over(config, ledger)
    assert document(capsys, "plan", "diff")["changes"] == []
    listed(place, row, other)
    (change,) = document(capsys, "plan", "diff", code=1)["changes"]
    assert (change["change"], change["line"], change["mailbox"]) == ("added", 2, begun)


def test_a_workload_that_is_new_is_a_change(
    place: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(place, "anna@old.example;anna@new.example;w1")
    take_over(load(place / "kogge.toml"), ledger)
    notes = TOML.partition("[target.mail]")[2].partition("[plan]")[0]
    (place / "kogge.toml").write_text(TOML.replace("[plan]", f"[target.notes]{notes}[plan]"))
    (change,) = document(capsys, "plan", "diff", code=1)["changes"]
    assert (change["change"], change["now"]) == ("workloads", "notes")


def test_another_priority_is_a_change_until_it_is_taken_over(
    place: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load(place / "kogge.toml")
    head, row = "source,target,wave,priority\n", "anna@old.example,anna@new.example,w1,"
    (place / "mailboxes.csv").write_text(f"{head}{row}\n")
    take_over(config, ledger)
    (place / "mailboxes.csv").write_text(f"{head}{row}9\n")
    (change,) = document(capsys, "plan", "diff", code=1)["changes"]
    assert (change["change"], change["line"], change["was"], change["now"]) == ("priority", 2, "0", "9")
    take_over(config, ledger)
    assert document(capsys, "plan", "diff")["changes"] == []
