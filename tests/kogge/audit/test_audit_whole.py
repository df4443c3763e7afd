"""From a sealed wave to an auditor's desk: what Kogge writes, held against what was made after the format's
description alone, and against the verifier."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from commands import run
from packs import folder_name, mid, tree
from sealing import WAVE, Office, settled, stated
from services import NEEDS_OPENSSL
from stamping import authority
from walking import letter

from engine.config.load import Config
from kogge.shown.item_lookup import Spot
from ledger.store import Ledger
from ledger.views.reports import Rejection
from mappings.fields.message_id import message_id
from model.kinds import Kind
from model.signing_keys import line_of, read_key

__all__ = ["settled"]
SEAL = ("audit", "seal", "--wave", WAVE, "--key", "operator.pem", "--out", "evidence")
PACK = f"evidence/wave-{WAVE}"


@pytest.fixture
def place(settled: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Whose wave is sealed, and who keeps the operator's public key."""
    office = settled.copy(tmp_path / "office")
    monkeypatch.chdir(office.place)
    monkeypatch.setenv("COLUMNS", "200")
    assert run(*SEAL) == 0
    Path("operator.pub").write_text(line_of(read_key(Path("operator.pem"))) + "\n")
    return office


@pytest.fixture
def key(place: Office) -> bytes:
    """Of the mailbox with mail, in anna.key; Berta has files alone."""
    ledger = place.ledger()
    (anna,) = [row.id for row in ledger.mailboxes(WAVE) if row.source.startswith("anna")]
    ledger.close()
    assert run("audit", "keys", "export", "--mailbox", anna, "--out", "anna.key", "--by", "An Auditor") == 0
    return bytes.fromhex(json.loads(Path("anna.key").read_text())["key"])


def lines(folder: str) -> dict[str, list[list[bytes]]]:
    """By mailbox, section by section, without a line of the program."""
    found: dict[str, list[list[bytes]]] = {}
    for path in sorted(Path(PACK, "data", folder).iterdir()):
        sections: list[list[bytes]] = []
        for line in gzip.decompress(path.read_bytes()).split(b"\n")[:-1]:
            if line.startswith(b'{"section"'):
                sections.append([])
            sections[-1].append(line)
        found[path.name.partition(".")[0]] = sections
    return found


def test_the_roots_are_those_of_the_definition(place: Office) -> None:
    rows = Path(PACK, "data/roots.jsonl").read_bytes().split(b"\n")[:-1]
    listed, results = lines("inventory"), lines("results")
    made = [
        (mailbox, tree(one).hex(), tree(other).hex())
        for mailbox in dict.fromkeys(json.loads(row)["mailbox"] for row in rows)
        for one, other in zip(listed[mailbox], results[mailbox], strict=True)
    ]
    told = [json.loads(row) for row in rows]
    assert [(row["mailbox"], row["inventory"], row["results"]) for row in told] == made
    assert tree(rows).hex() == stated(Path(PACK))["root"]
    assert len(rows) >= 4


def test_the_verifier_is_content(place: Office, said: Callable[[], str]) -> None:
    verify = ("audit", "verify", PACK, "--pubkey", "operator.pub")
    assert run(*verify) == 3
    assert run(*verify, "--root", stated(Path(PACK))["root"]) == 3
    said()
    assert run("audit", "show", PACK, "--json") == 0
    statement = json.loads(said())["statement"]
    assert run(*verify, "--root", statement) == 0
    assert run(*SEAL, "--correct", "another look") == 0
    root = stated(Path(f"{PACK}-seal-2"))["root"]
    assert run("audit", "verify", "evidence", "--pubkey", "operator.pub", "--root", root) == 3
    said()
    assert run("audit", "show", f"{PACK}-seal-2", "--json") == 0
    newest = json.loads(said())["statement"]
    assert run("audit", "verify", "evidence", "--pubkey", "operator.pub", "--root", newest) == 0


@NEEDS_OPENSSL
def test_its_request_is_stamped_by_a_real_authority(place: Office, tmp_path: Path) -> None:
    tsa = authority(tmp_path / "tsa")
    Path(PACK, "wave.tsr").write_bytes(tsa.answer(Path(PACK, "wave.tsq").absolute()))
    verify = ("audit", "verify", PACK, "--pubkey", "operator.pub", "--tsa-root")
    assert run(*verify, str(tsa.root_file())) == 0
    other = authority(tmp_path / "other")
    assert run(*verify, str(other.root_file())) == 1


def test_a_message_is_proven(place: Office, key: bytes, said: Callable[[], str]) -> None:
    own = message_id(letter(1))
    assert own is not None
    results = [json.loads(line) for one in lines("results")[anna()] for line in one[1:]]
    assert mid(key, own) in {one["mid"] for one in results}
    said()
    prove = ("audit", "prove", PACK, "--keys", "anna.key", "--message-id")
    assert run(*prove, own, "--out", "proof.json") == 0
    assert "arrived (UIDVALIDITY:UID" in said()
    check = ("audit", "prove", "--check", "proof.json", "--pubkey", "operator.pub")
    assert run(*check, "--root", stated(Path(PACK))["root"], "--message-id", own, "--keys", "anna.key") == 0
    twins = message_id(letter(77))
    assert twins is not None
    said()
    assert run(*prove, twins) == 0
    assert said().count("arrived (UIDVALIDITY:UID") == 3
    assert run(*prove, "<nobody@x.example>") == 1
    assert "Of 17 mails 1 are recorded without one" in said()


def anna() -> str:
    return str(json.loads(Path("anna.key").read_text())["mailbox"])


def headers(number: int) -> list[dict[str, Any]]:
    found = [json.loads(one[0]) for one in lines("inventory")[anna()]]
    return [one for one in found if one["pass"] == number]


def test_the_folders_are_those_of_an_export(place: Office, key: bytes, said: Callable[[], str]) -> None:
    paths = ("/Posteingang", "/Posteingang/Bücher\uf0222020", "/Entwürfe", "/Sync Issues")
    folders = {one["name"]: one for header in headers(1) for one in header["folders"]}
    names = [folder_name(key, path.replace("\uf022", "/")) for path in paths]
    assert set(names) == set(folders)
    counts = [folders[name]["listed"] for name in names]
    assert (sum(counts), counts[3]) == (13, 0)
    with Path("anna.csv").open("w", encoding="utf-16", newline="") as file:
        writer = csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL)
        writer.writerow(("Identity", "FolderPath", "ItemsInFolder"))
        for path, count in zip(paths, [*counts[:3], 1], strict=True):
            writer.writerow((f"anna{path}".replace("/", "\\"), path, count))
    said()
    assert run("audit", "reconcile", PACK, "anna.csv", "--keys", "anna.key") == 0
    shown = said()
    assert "folders: 3 agrees, 1 omitted" in shown
    assert "hidden" in shown
    Path("anna.csv").write_text("FolderPath,ItemsInFolder\n/Posteingang,1\n")
    assert run("audit", "reconcile", PACK, "anna.csv", "--keys", "anna.key") == 1


def test_a_mailbox_without_mail_has_no_message(place: Office) -> None:
    ledger = place.ledger()
    (berta,) = [row.id for row in ledger.mailboxes(WAVE) if row.source.startswith("berta")]
    ledger.close()
    run("audit", "keys", "export", "--mailbox", berta, "--out", "berta.key", "--by", "An Auditor")
    assert run("audit", "prove", PACK, "--keys", "berta.key", "--message-id", "<1@x.example>") == 1
    assert Kind.FILES.value in Path(PACK, "data/roots.jsonl").read_text()


def drawn(place: Office) -> list[dict[str, str]]:
    """The rows of a sample of all that arrived, in sample.csv."""
    if not Path("sample.csv").exists():
        assert run("audit", "sample", PACK, "--n", "100", "--pubkey", "operator.pub") == 3
    with Path("sample.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def located(*more: str) -> list[dict[str, str]]:
    assert run("audit", "locate", "sample.csv", "--csv", "places.csv", "--by", "A. Clerk", *more) == 0
    assert Path("places.csv").stat().st_mode & 0o777 == 0o600
    with Path("places.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_each_drawn_item_is_found_on_both_sides(place: Office, key: bytes) -> None:
    sheet, places = drawn(place), located()
    assert [row["number"] for row in places] == [row["number"] for row in sheet]
    for row, own in zip(sheet, places, strict=True):
        if row["workload"] == "mail":
            uid = row["what to ask for"].partition("UID ")[2].partition(" ")[0]
            assert own["place at target"].endswith(f":{uid}")
            assert own["source account"].startswith("anna")
    assert {row["workload"] for row in places} >= {"mail", "files"}
    names = {one["name"] for header in headers(1) for one in header["folders"]}
    assert len({folder_name(key, own["folder at source"]) for own in places} & names) == 2  # one was renamed
    ledger = place.ledger()
    asked = [one for one in ledger.events(WAVE) if one.kind == "who"]
    ledger.close()
    assert len(asked) == len({row["mailbox"] for row in sheet})


def test_subjects_are_read_and_that_is_recorded(place: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn(place)
    monkeypatch.setattr("kogge.shown.item_lookup.subjects_of", titled)
    assert {row["subject"] for row in located("--subjects")} == {"mail", "files"}
    ledger = place.ledger()
    recorded = [one.kind for one in ledger.events(WAVE)]
    ledger.close()
    assert (recorded.count("subjects"), recorded.count("who")) == (2, 2)


def titled(config: Config, ledger: Ledger, found: Sequence[Rejection]) -> dict[Spot, str]:
    """In place of a source: each item's workload."""
    return {(row.id, item.key): str(row.kind) for _, row, item in found}


def test_a_sheet_that_a_spreadsheet_wrote_again_is_read(place: Office) -> None:
    whole = drawn(place)
    with Path("sample.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(whole[0]), delimiter=";")
        writer.writeheader()
        writer.writerows({**row, "remarks": "looked\nat"} for row in whole)
    assert len(located()) == len(whole)
    held = Path("places.csv").read_bytes()
    assert held.startswith(b"\xef\xbb\xbfnumber,")
    assert run("audit", "locate", "sample.csv", "--csv", "places.csv", "--by", "A. Clerk") == 2
    assert Path("places.csv").read_bytes() == held


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("item", "0" * 32, "that this ledger does not have"),
        ("line", "99999", "that this ledger does not have"),
        ("pass", "7", "that this ledger does not have"),
        ("mailbox", "m-99999999", "that this ledger does not have"),
        ("workload", "letters", "is no row of a work sheet"),
        ("line", "-1", "is no row of a work sheet"),
        ("mailbox", "<script>", "is no row of a work sheet"),
    ],
)
def test_a_sheet_of_another_ledger_or_a_changed_one_is_refused(
    place: Office, said: Callable[[], str], column: str, value: str, told: str
) -> None:
    rows = drawn(place)
    rows[0][column] = value
    with Path("sample.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    said()
    assert run("audit", "locate", "sample.csv", "--csv", "places.csv", "--by", "A. Clerk") == 2
    assert told in said()
    assert not Path("places.csv").exists()


@pytest.mark.parametrize("text", ["", "number,mailbox\n1,m-1\n", "a;b\n1;2\n", '"\n', "\0\n"])
def test_what_is_no_sheet_is_refused(place: Office, said: Callable[[], str], text: str) -> None:
    Path("sample.csv").write_text(text)
    said()
    assert run("audit", "locate", "sample.csv", "--csv", "places.csv", "--by", "A. Clerk") == 2
    assert "Traceback" not in said()
