"""What a command says to type next: it repeats what was given, and it works."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from commands import run
from lonely import TOML, plan

from engine.config.hints import next_command
from engine.config.load import load
from engine.planning.mailbox_list_checks import mailboxes
from engine.planning.size_estimates import fingerprint
from ledger.store import Ledger


def test_outside_of_a_command_it_is_the_words_alone(place: Path) -> None:
    assert next_command(Path("kogge.toml"), "migrate --wave a") == "kogge migrate --wave a"
    assert next_command(Path("a b.toml"), "plan") == "kogge plan -c 'a b.toml'"


def test_a_plan_with_an_inventory_is_written_with_it(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the option the next plan would be another one, of guesses."""
    (place / "mailboxes.csv").write_text("source,target\na@old.example,a@new.example\n")
    (place / "sizes.csv").write_text("line,items,bytes,code,mail\n2,5,900,,5\n")
    assert run("plan", "--inventory", "sizes.csv") == 0
    shown = capsys.readouterr()
    assert "Next: kogge plan --write --inventory sizes.csv" in shown.err
    assert "blind" not in shown.out


def test_a_plan_of_nobody_s_size_says_so_first(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "mailboxes.csv").write_text("source,target\na@old.example,a@new.example\n")
    assert run("plan") == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("blind: ")
    assert "kogge discover --csv inventory.csv" in first
    (place / "inventory.csv").write_text("article,items\nchair,4\n")
    assert run("plan") == 0, "somebody else's file"
    assert capsys.readouterr().out.startswith("blind: ")


def test_the_inventory_beside_the_list_is_found(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "mailboxes.csv").write_text("source,target\na@old.example,a@new.example\n")
    (person,) = mailboxes(load(place / "kogge.toml"), unplanned=True)
    row = f"2,5,900,,{fingerprint(person)},5"
    (place / "inventory.csv").write_text(f"line,items,bytes,code,mailbox,mail\n{row}\n")
    assert run("plan") == 0
    shown = capsys.readouterr()
    assert "sizes: as inventory.csv says" in shown.err
    assert "items: 5;" in shown.out
    assert "blind" not in shown.out


def test_what_was_chosen_is_chosen_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = plan(place)
    refused(place)
    assert run("retry", "--wave", "pilot", "--workload", "mail") == 0
    assert "Next: kogge migrate --wave pilot --workload mail\n" in capsys.readouterr().err
    refused(place)
    assert run("retry", "-m", "a@old.example") == 0
    assert f"Next: kogge migrate -m {number}\n" in capsys.readouterr().err


def refused(place: Path) -> None:
    """The mailbox is blocked."""
    with closing(Ledger(f"sqlite:///{place}/kogge-state/ledger.db")) as ledger:
        (leg,) = ledger.legs()
        assert ledger.block(leg.id, "login-refused")


BY = ("--by", "A. Auditor", "--reason", "seen both accounts")


def test_what_check_found_is_approved_before_the_first_run(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order that `kogge check` suggests: check, approve, migrate."""
    assert run("approve", "asserted", "--wave", "pilot", *BY) == 0
    assert "Next: kogge migrate --wave pilot\n" in capsys.readouterr().err
    with closing(Ledger(f"sqlite:///{place}/kogge-state/ledger.db")) as ledger:
        (row,) = ledger.mailboxes()
        assert ledger.approved(row.id, "asserted") or ledger.approved("wave:pilot", "asserted")
    refused(place)
    assert run("approve", "asserted", "-m", row.id, *BY) == 0
    assert f"Next: kogge retry -m {row.id}\n" in capsys.readouterr().err


def second_list(place: Path, more: str = "") -> None:
    """Another source with its own list, in the same directory and ledger."""
    (place / "other.toml").write_text('mailboxes = "other.csv"\n' + TOML + more)
    (place / "other.csv").write_text("source,target,wave\nb@old.example,b@new.example,cloud\n")


def test_two_lists_share_waves_csv(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second_list(place)
    (place / "waves.csv").write_text("wave,date\npilot,2027-01-16\ncloud,2027-02-01\n")
    for config in ("kogge.toml", "other.toml"):
        assert run("plan", "diff", "-c", config) == 1
        assert "waves.csv" not in capsys.readouterr().err
    (place / "waves.csv").write_text("wave,date\npilot,2027-01-16\npilott,2027-02-01\n")
    assert run("plan", "diff", "-c", "other.toml") == 2
    said = capsys.readouterr().err
    assert said.startswith("waves.csv:3: wave: no row of other.csv has this wave;")
    assert "waves of [plan]" in said


def test_planning_one_list_keeps_the_waves_of_the_other(place: Path) -> None:
    second_list(place)
    (place / "waves.csv").write_text("wave,date,window\npilot,2027-01-16,\ncloud,2027-02-01,\n")
    assert run("plan", "-c", "other.toml", "--write", "--force") == 0
    lines = (place / "waves.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [["cloud", "2027-02-01"], ["pilot", "2027-01-16"]]


def test_a_configuration_beside_it_that_is_none_is_no_matter(place: Path) -> None:
    second_list(place)
    (place / "broken.toml").write_text("[[[")
    (place / "strange.toml").write_text("plan = 7\nmailboxes = 'none.csv'\n")
    (place / "waves.csv").write_text("wave\npilot\ncloud\n")
    assert run("plan", "diff") == 1
