"""`kogge failures --losses`: what arrived without something, on the screen, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest
from commands import run
from unanswered import TOML

from kogge.prepare.losses import SHOWN
from kogge.shown.item_lookup import UNREADABLE
from ledger.db.rows import ContainerRow, Phase
from ledger.leg.leg_session import LegLedger
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.errors import Blocked, CursorLost
from model.kinds import Kind
from model.protocols import Container, Item, Loss, Mapped, Page, Ref, Role, key_of
from reports.loss_texts import meaning

LETTERS = SHOWN + 7
BARE, NAMELESS, FLAT = Loss("body", "bare-lf"), Loss("name", "none-given"), Loss("name", "flattened")
DATE = datetime(2020, 2, 3, 4, 5, tzinfo=UTC)
INBOX = Container(Kind.MAIL, "folder-inbox", ("Posteingang",), Role.INBOX, 3)
BOOK = Container(Kind.CONTACTS, "folder-book", ("Kontakte", "Lieferanten " + 20 * "und Kunden "), None, 3)


@dataclass(frozen=True)
class Place:
    """A directory with a configuration whose servers do not answer, and the ids of two mailboxes: the first
    lost something, the second nothing."""

    directory: Path
    spoiled: str
    whole: str


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "kogge.toml").write_text(TOML)
    (tmp_path / "kogge-state").mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KOGGE_TEST_PASSWORD", "x")
    monkeypatch.setenv("COLUMNS", "100")
    with closing(Ledger(f"sqlite:///{tmp_path}/kogge-state/ledger.db")) as ledger:
        ledger.migrate()
        both = frozenset({Kind.MAIL, Kind.CONTACTS})
        rows = [
            PlannedMailbox(f"{name}@old.example", f"{name}@new.example", "w1", Phase.STAGING, both)
            for name in ("anna", "bert")
        ]
        spoiled, whole = map(str, ledger.add_mailboxes(rows))
        for leg in ledger.legs(mailbox=spoiled):
            lease = ledger.claim(leg.id, "worker", 60)
            assert lease is not None
            with ledger.session(lease, mirror=True) as session:
                fill(session, leg.workload)
    return Place(tmp_path, spoiled, whole)


def fill(session: LegLedger, kind: Kind) -> None:
    if kind is Kind.MAIL:
        lose(session, session.record_container(INBOX), [BARE] * LETTERS)
        return
    book = session.record_container(BOOK)
    lose(session, book, [NAMELESS])
    session.lose(book.id, None, [FLAT])


def lose(session: LegLedger, row: ContainerRow, losses: list[Loss]) -> None:
    """An item for each loss."""
    names = [f"{row.source_id}-{number}" for number in range(len(losses))]
    session.record_page(row.id, Page([Ref(name, "1") for name in names], "cursor"))
    session.close_inventory(bytes(32))
    session.begin(row.id, [key_of(name) for name in names], "7:1")
    session.intend(row.id, [poorer(key_of(name), loss) for name, loss in zip(names, losses, strict=True)])


def poorer(key: bytes, loss: Loss) -> Mapped:
    item = Item(Kind.MAIL, key, b"digest", 9, lambda: io.BytesIO(b""), frozenset(), DATE)
    return Mapped(item, (loss,))


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert run("failures", "--losses", "--json", *arguments) == 0
    rows: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return rows


def test_the_screen_shows_the_first_and_counts_all(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("failures", "--losses") == 0
    shown = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(place.spoiled) for line in shown) == SHOWN
    assert f"and {LETTERS + 2 - SHOWN} more: --json or --csv FILE lists them all" in "\n".join(shown)
    table = shown[: shown.index("")]
    assert max(map(len, table[:-1])) <= 100
    assert f"mail: body bare-lf ({LETTERS}, cosmetic): {meaning(Kind.MAIL, 'body', 'bare-lf')}" in shown
    assert f"contacts: name flattened (1, functional): {meaning(Kind.CONTACTS, 'name', 'flattened')}" in shown
    assert f"contacts: name none-given (1, cosmetic): {meaning(Kind.CONTACTS, 'name', 'none-given')}" in shown


def test_json_has_them_all(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    rows = found(capsys)
    assert len(rows) == LETTERS + 2
    assert {row["mailbox"] for row in rows} == {place.spoiled}
    folder, contact = (row for row in rows if row["workload"] == "contacts")
    assert (folder["field"], folder["reason"], folder["date"]) == ("name", "flattened", None)
    assert (contact["field"], contact["reason"], contact["class"]) == ("name", "none-given", "cosmetic")
    assert contact["date"] == "2020-02-03 04:05"
    assert contact["folder"] == " > ".join(BOOK.path)
    assert all(row["meaning"] for row in rows)


def test_csv_has_them_all_and_json_beside_it(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("failures", "--losses", "--csv", "lost.csv", "--json") == 0
    shown = capsys.readouterr()
    assert len(json.loads(shown.out)) == LETTERS + 2
    assert f"{LETTERS + 2} losses in lost.csv" in shown.err
    with (place.directory / "lost.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["reason"] for row in rows].count("bare-lf") == LETTERS
    assert "subject" not in rows[0]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--workload", "contacts"], 2),
        (["--code", "none-given"], 1),
        (["--code", "name"], 2),
        (["--code", "functional"], 1),
        (["--code", "content"], 0),
        (["--code", "name", "--code", "bare-lf"], LETTERS + 2),
        (["--code", "name", "--workload", "mail"], 0),
        (["--wave", "w1"], LETTERS + 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_choosing(place: Place, capsys: pytest.CaptureFixture[str], options: list[str], count: int) -> None:
    assert len(found(capsys, *options)) == count


def test_a_mailbox_that_lost_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("failures", "--losses", "--mailbox", place.whole) == 0
    assert capsys.readouterr().out == "No item lost anything.\n"
    assert run("failures", "--losses", "--mailbox", place.whole, "--csv", "lost.csv") == 0
    assert (place.directory / "lost.csv").read_text().startswith("mailbox,wave,workload,field,reason")


def test_a_code_that_nothing_has_is_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error must not read as "nothing was lost"."""
    assert run("failures", "--losses", "--code", "none-givn") == 2
    assert capsys.readouterr().err == "--code: unknown; did you mean none-given?\n"
    assert run("failures", "--code", "too-lage") == 2
    assert capsys.readouterr().err == (
        "--code: unknown; did you mean too-large, reply-too-large or too-large-to-read?\n"
    )
    assert run("failures", "--code", "nonsense") == 2
    assert capsys.readouterr().err == "--code: unknown; `kogge explain` lists every code\n"
    assert run("failures", "--losses", "--code", "nul-bytes") == 0
    assert capsys.readouterr().out == "No loss has that field, reason or class.\n"
    assert run("failures", "--code", "too-large") == 0
    unfinished = "4 workloads are not verified: kogge status"
    assert capsys.readouterr().out == f"No rejected item has that code so far; {unfinished}\n"


@pytest.mark.parametrize("error", [Blocked("login-refused", ""), CursorLost("cursor-lost"), KeyError("anna")])
def test_subjects_of_a_source_that_does_not_open(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr("kogge.shown.item_lookup.open_source", refuse)
    rows = found(capsys, "--subjects", "--by", " Night shift ", "--workload", "contacts")
    assert [row["subject"] for row in rows] == ["", UNREADABLE], "a folder has none"
    with closing(Ledger(f"sqlite:///{place.directory}/kogge-state/ledger.db")) as ledger:
        (event,) = (one for one in ledger.events("w1") if one.kind == "subjects")
    told = (event.kind, event.subject, event.detail)
    assert told == ("subjects", place.spoiled, {"by": "Night shift", "items": 1})


@pytest.mark.parametrize("by", [[], ["--by", " "]])
@pytest.mark.parametrize("losses", [[], ["--losses"]])
def test_nobody_reads_subjects_unnamed(
    place: Place, capsys: pytest.CaptureFixture[str], losses: list[str], by: list[str]
) -> None:
    assert run("failures", *losses, "--subjects", *by) == 2
    assert capsys.readouterr().err == "--by: is missing or empty; who reads subjects is recorded\n"


def test_where_the_file_cannot_be_written(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("failures", "--losses", "--csv", "none/lost.csv") == 2
    assert capsys.readouterr().err == "--csv none/lost.csv: cannot be written (No such file or directory)\n"


def test_a_loss_of_another_version_has_no_meaning() -> None:
    assert meaning(Kind.FILES, "name", "of-old") == ""
    assert meaning(Kind.MAIL, "body", "bare-lf") != ""
