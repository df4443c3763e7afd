"""`kogge failures --server-words`: who may read them, what is shown, and that it is recorded."""

from __future__ import annotations

import csv
import json
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from unanswered import TOML

from engine.control.server_words_file import FOLDER, Words, failure_words
from kogge.app import main
from ledger.db.rows import Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.errors import MigrationError, Rejected
from model.kinds import Kind
from model.server_words import ServerWords

SAID = "Folder Kündigungen of anna@old.example is locked"
BY = ("--server-words", "--by", "Night shift")
NOW = datetime.now(UTC)
DESTROY = ("audit", "keys", "destroy", "--by", "D. P. Officer", "--reason", "Art. 17", "--unsealed", "--yes")


@dataclass(frozen=True)
class Place:
    state: Path
    anna: str
    bert: str

    def events(self) -> list[tuple[str, str | None, dict[str, object]]]:
        with closing(Ledger(f"sqlite:///{self.state}/ledger.db")) as ledger:
            return [
                (one.kind, one.subject, one.detail)
                for wave in ("w1", "w2")
                for one in ledger.events(wave)
                if one.kind == "server-words"
            ]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "kogge.toml").write_text(TOML)
    state = tmp_path / "kogge-state"
    state.mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KOGGE_TEST_PASSWORD", "x")
    monkeypatch.setenv("COLUMNS", "160")
    both = frozenset({Kind.MAIL, Kind.CONTACTS})
    with closing(Ledger(f"sqlite:///{state}/ledger.db")) as ledger:
        ledger.migrate()
        rows = [
            PlannedMailbox(f"{name}@old.example", f"{name}@new.example", wave, Phase.STAGING, both)
            for name, wave in (("anna", "w1"), ("bert", "w2"))
        ]
        anna, bert = map(str, ledger.add_mailboxes(rows))
    words = Words(state, lambda: NOW)
    words.keep(anna, Kind.MAIL, [failure_words(b"\x0a\x0b", spoken("refused-by-target", SAID))])
    words.keep(
        anna, Kind.CONTACTS, [failure_words(None, spoken("server-busy", "=cmd|' /C calc'!A0 \x1b[2J\u202e"))]
    )
    return Place(state, anna, bert)


def spoken(code: str, text: str) -> MigrationError:
    return Rejected(code).quoting(ServerWords(text))


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["failures", *arguments])
    return int(ended.value.code or 0)


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert run(*BY, *arguments, "--json") == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_a_person_reads_them(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*BY) == 0
    shown = capsys.readouterr().out
    for word in (place.anna, "refused-by-target", "0a0b", SAID, "server-busy", f"{NOW:%Y-%m-%dT%H:%M:%S}"):
        assert word in shown
    assert place.bert not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_that_they_did_is_recorded_without_a_word(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*BY) == 0
    assert place.events() == [("server-words", place.anna, {"by": "Night shift", "lines": 2})]
    assert run(*BY, "--mailbox", place.bert) == 0
    assert len(place.events()) == 1, "nothing of this mailbox was there to read"
    for kept in place.state.rglob("*"):
        if kept.is_file() and kept.parent.name != FOLDER:
            assert SAID.encode() not in kept.read_bytes()


def test_for_scripts(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys)
    assert found[0] == {
        "mailbox": place.anna,
        "wave": "w1",
        "time": NOW.isoformat(timespec="seconds"),
        "workload": "mail",
        "code": "refused-by-target",
        "item": "0a0b",
        "words": SAID,
    }


@pytest.mark.parametrize(
    ("options", "workloads"),
    [
        (("--wave", "w1"), ["mail", "contacts"]),
        (("--wave", "w2"), []),
        (("--workload", "contacts"), ["contacts"]),
        (("--code", "refused-by-target"), ["mail"]),
        (("--mailbox", "anna@old.example"), ["mail", "contacts"]),
    ],
)
def test_the_same_choice_as_of_failures(
    place: Place, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], workloads: list[str]
) -> None:
    assert [one["workload"] for one in rows(capsys, *options)] == workloads


def test_a_table_for_a_spreadsheet_holds_no_formula(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*BY, "--csv", "words.csv") == 0
    path = place.state.parent / "words.csv"
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open(newline="") as file:
        head, *lines = csv.reader(file)
    assert head == ["mailbox", "wave", "time", "workload", "code", "item", "words"]
    assert [line[-1] for line in lines] == [SAID, "'=cmd|' /C calc'!A0 ?[2J?"]


@pytest.mark.parametrize("by", [[], ["--by", " "]])
def test_nobody_reads_them_unnamed(place: Place, capsys: pytest.CaptureFixture[str], by: list[str]) -> None:
    assert run("--server-words", *by) == 2
    found = capsys.readouterr()
    assert found.err == "--by: is missing or empty; who reads servers' words is recorded\n"
    assert SAID not in found.out
    assert place.events() == []


@pytest.mark.parametrize("other", ["--losses", "--subjects"])
def test_one_view_at_a_time(place: Place, capsys: pytest.CaptureFixture[str], other: str) -> None:
    assert run(*BY, other) == 2
    assert capsys.readouterr().err == f"--server-words: give it or {other}, not both\n"


def test_where_nothing_is_kept(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*BY, "--mailbox", place.bert) == 0
    assert "No server said anything about a failure that is kept in" in capsys.readouterr().out


def test_a_code_that_does_not_exist(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*BY, "--code", "refused-by-targt") == 2
    assert "did you mean refused-by-target" in capsys.readouterr().err


def test_no_other_view_shows_them(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    for options in ((), ("--json",), ("--losses",)):
        run(*options)
        shown = capsys.readouterr()
        assert "Kündigungen" not in shown.out + shown.err


def test_who_is_erased_leaves_no_words(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    Words(place.state, lambda: NOW).keep(place.bert, Kind.MAIL, [failure_words(None, spoken("busy", "wait"))])
    with pytest.raises(SystemExit) as ended:
        main([*DESTROY, "--mailbox", place.anna])
    assert ended.value.code == 0
    assert [one.name for one in (place.state / FOLDER).iterdir()] == [f"{place.bert}.jsonl"]


def test_words_that_cannot_be_erased_are_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """Then the key stays too, and the command can be given again."""
    folder = place.state / FOLDER
    folder.rename(place.state / "elsewhere")
    folder.symlink_to(place.state / "elsewhere")
    with pytest.raises(SystemExit) as ended:
        main([*DESTROY, "--mailbox", place.anna])
    assert ended.value.code == 2
    assert f"{place.anna} cannot be removed from it" in capsys.readouterr().err
    with closing(Ledger(f"sqlite:///{place.state}/ledger.db")) as ledger:
        assert "evidence-key-destroyed" not in [one.kind for one in ledger.events("w1")]
