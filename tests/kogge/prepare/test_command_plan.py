"""`kogge plan` as a person runs it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from commands import run
from plan_place import NAMES, TOML, begin, document, ledger, listed, place, waves

from engine.config.load import load
from engine.planning.load_plan import plan as take_over
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger

__all__ = ["ledger", "place"]


def test_a_plan_is_shown_and_nothing_is_written(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(place.iterdir())
    assert run("plan") == 0
    shown = capsys.readouterr()
    rows = [line.split() for line in shown.out.splitlines()]
    names = ["wave", "mailboxes", "items", "size", "time", "date", "until", "canary", "because"]
    assert rows[0] == names
    assert rows[1][:2] == ["pilot", "1"]
    assert rows[1][-5:] == ["2027-01-16", "01-16", "00:00", "line", "3"]
    assert [row[0] for row in rows[2:4]] == ["wave-001", "wave-002"]
    assert "guessed: line 7" in shown.out
    assert "Next: kogge plan --write" in shown.err
    assert sorted(place.iterdir()) == before


def test_what_decides_is_told_where_it_is_not_the_rate(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(place, "anna@old.example;anna@new.example;w1", "bert@old.example;bert@new.example;w1")
    assert run("plan") == 0
    assert "its slowest mailbox" in capsys.readouterr().out  # 300 items of one, 200 of the other, at once
    (place / "kogge.toml").write_text(TOML.replace("[plan]", "[plan]\nsource_requests = 0.1"))
    assert run("plan") == 0
    shown = capsys.readouterr()
    assert "the source's throttle" in shown.out
    assert "Next: kogge plan diff" in shown.err


NIGHTS = """
[windows.nights]
spans = ["mon-fri 22:00-06:00"]
timezone = "Europe/Berlin"
"""


def test_a_wave_is_done_when_its_nights_are_long_enough(
    place: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """200 and 300 mails, two requests each: the ten hours are what is left of Thursday's night, and four of
    Friday's."""
    listed(place, "anna@old.example;anna@new.example;w1", "dora@old.example;dora@new.example;w1")
    rate = 2 * 500 / (10 * 3600)
    settings = TOML.replace("[plan]", f'[plan]\nsource_requests = {rate}\nwindow = "nights"')
    (place / "kogge.toml").write_text(settings.replace("2027-01-16", "2027-01-15") + NIGHTS)
    (one,) = document(capsys, "plan")["waves"]
    assert (one["date"], one["until"], one["window"]) == ("2027-01-15T00:00", "2027-01-16T02:00", "nights")
    assert run("plan", "--write", "--force") == 0
    take_over(load(place / "kogge.toml"), ledger)
    row = Waves(ledger).read("w1")
    assert (row.starts, row.window) == (1_799_967_600.0, "nights")  # midnight in Berlin


def test_a_wave_that_is_not_done_before_the_next_is_told(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    (place / "kogge.toml").write_text(TOML.replace("[plan]", "[plan]\nsource_requests = 0.001"))
    assert run("plan") == 0
    assert capsys.readouterr().out.count("not done before the next begins") == 1


def test_a_window_that_is_not_configured_is_refused(
    place: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "kogge.toml").write_text(TOML.replace("[plan]", '[plan]\nwindow = "night"') + NIGHTS)
    assert run("plan") == 2
    assert capsys.readouterr().err == "plan.window: unknown; did you mean nights?\n"
    (place / "waves.csv").write_text("wave,window\nw1,night\n")
    listed(place, "anna@old.example;anna@new.example;w1")
    assert run("migrate") == 2
    assert capsys.readouterr().err.startswith("waves.csv:2: window: unknown; did you mean nights?")


def test_the_document_tells_every_line_and_no_address(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(capsys, "plan")
    assert [one["wave"] for one in found["waves"]] == ["pilot", "wave-001", "wave-002"]
    assert sorted(line for one in found["waves"] for line in one["lines"]) == [2, 3, 4, 5, 6, 7, 8]
    (together,) = [one["lines"] for one in found["waves"] if 2 in one["lines"]]
    assert 8 in together
    assert [one["date"] for one in found["waves"]] == [
        "2027-01-16T00:00",
        "2027-01-23T00:00",
        "2027-01-30T00:00",
    ]
    assert found["notices"] == [{"code": "guessed", "lines": [7]}]
    assert {one["state"] for one in found["waves"]} == {"new"}
    assert found["parallel"] == 4


def test_what_is_written_lies_beside_the_list_and_is_private(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (place / "mailboxes.csv").read_text()
    assert run("plan", "--write") == 0
    assert "mv mailboxes.planned.csv mailboxes.csv" in capsys.readouterr().err
    assert (place / "mailboxes.csv").read_text() == before
    planned, other = place / "mailboxes.planned.csv", place / "waves.planned.csv"
    assert all(waves(planned))
    assert {stat.S_IMODE(path.stat().st_mode) for path in (planned, other)} == {0o600}
    planned.write_text("changed by hand")
    assert run("plan", "--write") == 2
    assert "mailboxes.planned.csv: is there already" in capsys.readouterr().err
    assert planned.read_text() == "changed by hand"


def test_forced_the_files_are_those_that_a_run_reads(place: Path, ledger: Ledger) -> None:
    assert run("plan", "--write", "--force") == 0
    assert set(waves(place / "mailboxes.csv")) == {"pilot", "wave-001", "wave-002"}
    assert stat.S_IMODE((place / "mailboxes.csv").stat().st_mode) == 0o600
    take_over(load(place / "kogge.toml"), ledger)
    pilot = Waves(ledger).read("pilot")
    ids = {row.source: row.id for row in ledger.mailboxes()}
    assert pilot == WaveRow("pilot", 1_800_057_600.0, None, ids["bert@old.example"])


def test_force_alone_is_no_order(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "--force") == 2
    assert "--force: goes with --write" in capsys.readouterr().err


def test_the_rest_of_the_list_stays_as_it_is(place: Path) -> None:
    text = (
        '\n"target";source;source_login\n\na@new.example;a@old.example;"A;B"\nb@new.example;b@old.example\n'
    )
    (place / "mailboxes.csv").write_text(text)
    assert run("plan", "--write") == 0
    assert (place / "mailboxes.planned.csv").read_text() == (
        '\ntarget;source;source_login;wave\n\na@new.example;a@old.example;"A;B";pilot\n'
        "b@new.example;b@old.example;;wave-001\n"
    )


def test_planned_again_nothing_moves(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "--write", "--force") == 0
    files = [(place / name).read_text() for name in ("mailboxes.csv", "waves.csv")]
    assert run("plan", "--write", "--force") == 0
    assert [(place / name).read_text() for name in ("mailboxes.csv", "waves.csv")] == files
    assert {one["state"] for one in document(capsys, "plan")["waves"]} == {"planned"}


def test_dates_that_were_changed_stay_and_new_waves_come_after_them(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(place, *(f"{name}@old.example;{name}@new.example;w1" for name in NAMES[:3]), "h@old.example;h@x;")
    (place / "waves.csv").write_text("wave,date,window,priority,canary\nw1,2027-03-01,,2,carl@old.example\n")
    first, second = document(capsys, "plan")["waves"]
    assert (first["wave"], first["date"], first["priority"], first["canary"]) == (
        "w1",
        "2027-03-01T00:00",
        2,
        4,
    )
    assert (second["wave"], second["date"]) == ("pilot", "2027-03-08T00:00")


def test_a_wave_that_nobody_has_any_more_is_left_out(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed(place, "anna@old.example;anna@new.example;w1")
    (place / "waves.csv").write_text("wave,date\nw1,2027-03-01\nw7,2027-04-01\n")
    found = document(capsys, "plan")
    assert {"code": "empty-wave", "lines": [3]} in found["notices"]
    assert [one["wave"] for one in found["waves"]] == ["w1"]


def test_the_difference_tells_the_sizes_that_the_plan_tells(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `kogge discover` wrote beside the list counts for both, also where nothing names it."""
    toml = place / "kogge.toml"
    toml.write_text("".join(f"{one}\n" for one in toml.read_text().splitlines() if "inventory" not in one))
    head, *rows = (place / "inventory.csv").read_text().splitlines()
    (place / "inventory.csv").write_text("\n".join([f"{head},mailbox", *(f"{row}," for row in rows)]))
    listed(place, *(f"{name}@old.example;{name}@new.example;w1" for name in NAMES))
    (planned,) = document(capsys, "plan")["waves"]
    differs = document(capsys, "plan", "diff", code=1)
    assert differs["waves"]["w1"]["bytes"]["now"] == planned["bytes"]
    assert differs["guessed"] == 1, "the listing of one broke off"
    (place / "inventory.csv").unlink()
    assert document(capsys, "plan", "diff", code=1)["guessed"] == len(NAMES)
    assert run("plan", "diff") == 1
    shown = capsys.readouterr().out
    assert f"sizes that are guessed: {len(NAMES)}" in shown
    assert f"w1 is a new wave, of {len(NAMES)} mailboxes" in shown
    assert "mailboxes.csv:" not in shown, "a row of a new wave says nothing more"


def test_what_has_begun_never_moves(place: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    listed(place, *(f"{name}@old.example;{name}@new.example;w1" for name in NAMES))
    take_over(load(place / "kogge.toml"), ledger)
    begin(ledger, "bert@old.example")
    listed(place, *(f"{name}@old.example;{name}@new.example;w2" for name in NAMES))
    found = document(capsys, "plan")
    assert [(one["wave"], one["state"], one["lines"]) for one in found["waves"]] == [
        ("w2", "planned", [2, 4, 5, 6, 7, 8]),
        ("w1", "begun", [3]),
    ]
    assert {"code": "bound", "lines": [3]} in found["notices"]
    anew = document(capsys, "plan", "--again")
    assert [one["wave"] for one in anew["waves"]] == ["wave-001", "wave-002", "w1"]
    assert anew["waves"][-1]["lines"] == [3]


def test_what_the_ledger_listed_goes_before_the_inventory(
    place: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(place, "anna@old.example;anna@new.example;w1")
    take_over(load(place / "kogge.toml"), ledger)
    (one,) = document(capsys, "plan")["waves"]
    assert one["items"] == 200
    begin(ledger, "anna@old.example")
    (one,) = document(capsys, "plan")["waves"]
    assert (one["items"], one["hours"]) == (0, 0)


def test_migrate_refuses_rows_without_a_wave(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("migrate") == 2
    assert "mailboxes.csv:2: wave: is empty; `kogge plan --write` fills it in" in capsys.readouterr().err


def test_faults_of_the_files_are_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "waves.csv").write_text("wave,date\nw1,soon\n")
    assert run("plan") == 2
    assert capsys.readouterr().err.startswith("waves.csv:2: date: give a day like")
    assert run("plan", "--inventory", "none.csv") == 2
    assert capsys.readouterr().err.startswith("none.csv: no such file; it is the inventory")
    (place / "relations.csv").write_text("person,delegates\nanna@old.example,gina\n")
    assert run("plan") == 2
    assert capsys.readouterr().err.startswith("relations.csv:2: delegates: not e-mail addresses")


# What a plan takes over of waves.csv


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("w9,2027-01-01,,", "waves.csv:2: wave: no row of mailboxes.csv has this wave"),
        ("w1,,,bert@old.example", "waves.csv:2: canary: is no source of this wave"),
    ],
)
def test_waves_that_the_list_does_not_have_are_refused(
    place: Path, capsys: pytest.CaptureFixture[str], rows: str, told: str
) -> None:
    listed(place, "anna@old.example;anna@new.example;w1", "bert@old.example;bert@new.example;w2")
    (place / "waves.csv").write_text(f"wave,date,window,canary\n{rows}\n")
    assert run("migrate") == 2
    assert capsys.readouterr().err.startswith(told)


def test_one_waves_plan_leaves_the_others(place: Path, ledger: Ledger) -> None:
    listed(place, "anna@old.example;anna@new.example;w1", "bert@old.example;bert@new.example;w2")
    config = load(place / "kogge.toml")
    (place / "waves.csv").write_text("wave,date\nw1,2027-01-01\nw2,2027-02-01\n")
    take_over(config, ledger)
    (place / "waves.csv").write_text("wave,priority\nw1,7\nw2,8\n")
    take_over(config, ledger, "w2")
    first, second = Waves(ledger).all()
    assert (first.starts, first.priority, second.starts, second.priority) == (1_798_761_600.0, 0, None, 8)
    (place / "waves.csv").unlink()
    take_over(config, ledger)
    assert Waves(ledger).all() == [first, second]


# What is left


def test_status_tells_how_long_a_wave_still_takes(
    place: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(place, "anna@old.example;anna@new.example;w1", "bert@old.example;bert@new.example;w2")
    take_over(load(place / "kogge.toml"), ledger)
    begin(ledger, "bert@old.example")  # copied, and empty
    found = document(capsys, "status", code=1)["left"]
    assert found == {
        "w1": {
            "mailboxes": 1, "items": 200, "bytes": 2000, "hours": 0.01, "by": "rate", "one_mailbox": False,
        }
    }  # fmt: skip
    assert run("status") == 1
    assert "wave w1: about 20s left, 200 items of 1 mailbox" in capsys.readouterr().out
    (place / "inventory.csv").write_text("broken")
    assert document(capsys, "status", code=1)["codes"] == {}
