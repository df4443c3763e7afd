"""What `kogge check` advises first: a wrong row, from which other faults follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.load import load
from engine.planning.mailbox_list import Person
from engine.preflight.preflight import PreflightResult
from kogge.prepare.check import _check_row, _fault_lines, _show_check


def look(line: int, *faults: tuple[str, str]) -> PreflightResult:
    who = f"u{line}@old.example"
    return PreflightResult(Person(line, who, who, "w", who, who), faults=list(faults))


def test_a_wrong_row_comes_before_what_follows_from_it() -> None:
    missing = ("source", "mailbox-missing"), ("target", "mailbox-missing")
    refused = ("target.notes", "login-refused"), ("target.tasks", "login-refused")
    lines = list(
        _fault_lines([look(2, *missing, *refused, ("target.calendar", "login-refused"))], "list.csv")
    )
    assert lines[0].startswith("mailbox-missing (2): ")
    follows = "what is refused there (login-refused) probably follows from it"
    assert lines[1] == f"  line 2 of list.csv: correct this first; {follows}"
    assert lines[2].startswith("login-refused (3): ")


def test_a_refused_login_alone_is_no_wrong_row() -> None:
    lines = list(_fault_lines([look(2, ("target", "login-refused"))], "list.csv"))
    assert [line.partition(" ")[0] for line in lines] == ["login-refused"]


def test_a_wrong_row_alone_names_its_line() -> None:
    lines = list(_fault_lines([look(3, ("source", "mailbox-missing"))], "list.csv"))
    assert lines[1] == "  line 3 of list.csv: correct this first"


def test_this_screen_does_not_send_to_itself() -> None:
    (line,) = _fault_lines([look(2, ("target", "tls-failed"))], "list.csv")
    assert "kogge check" not in line
    assert line.endswith(".")


def test_the_target_of_mail_has_the_name_of_its_table() -> None:
    result = _check_row(look(2, ("target", "tls-failed"), ("target.calendar", "tls-failed")))[-1]
    assert str(result) == "target.mail: tls-failed\ntarget.calendar: tls-failed"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "could not be opened"),
        ({"source": {}}, "it says nothing of itself"),
        ({"source": {"product": "Dovecot"}}, "product Dovecot"),
    ],
)
def test_what_a_side_says_of_itself(
    place: Path, capsys: pytest.CaptureFixture[str], facts: dict[str, dict[str, str]], said: str
) -> None:
    look = PreflightResult(Person(1, "a@b.example", "a@b.example", "w", "a", "a"), facts=facts)
    _show_check(load(place / "kogge.toml"), [look], [], [])
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("source: ")]
    assert line == f"source: {said}"
