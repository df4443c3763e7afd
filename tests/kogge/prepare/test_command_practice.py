"""The commands against practice servers: what an operator sees of real mailboxes."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from commands import run
from servers.dovecot import start_dovecot
from services import need_dovecot

from engine.config.load import load
from engine.config.template import write_new
from engine.control.ledger_access import opened_ledger
from engine.opening.open_sides import open_source
from engine.planning.load_plan import plan
from engine.planning.mailbox_list import read_mailboxes
from engine.planning.size_estimates import read_inventory
from kogge.prepare.practice_servers import ODD_MOST, Stage, mails_of, practising
from kogge.shown.item_lookup import UNREADABLE, subjects_of
from ledger.db.rows import ContainerRow, ItemRow, State
from ledger.plan.source_extras import extras_of
from model.protocols import Ref, key_of

OTHERS = ("calendar", "contacts", "tasks", "notes")


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with practising(people=3, items=12, seed=7, prefect_port=0) as running:
        yield running


@pytest.fixture
def place(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_new(tmp_path, stage.files(required=0))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def add(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def set_in_gate(path: Path, line: str) -> None:
    path.write_text(path.read_text().replace("[gate]\n", f"[gate]\n{line}", 1))


def result(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    document: dict[str, object] = json.loads(capsys.readouterr().out)
    return document


def test_check_finds_all_ready(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--json") == 0
    document = result(capsys)
    assert [(one["line"], one["proof"], one["items"]) for one in document["mailboxes"]] == [
        (2, "directory", 12),
        (3, "directory", 12),
        (4, "directory", 12),
    ]
    assert document["servers"]["source"]["product"] == "Exchange 2019 or SE"
    assert document["control"] == {}


def test_check_on_the_screen_names_nobody(
    place: Path, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check") == 0
    shown = capsys.readouterr().out
    assert "3 of 3 mailboxes" in shown
    assert "@" not in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_the_embedded_target_serves_where_dovecot_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr("practice.servers.imap.available", lambda: False)
    monkeypatch.chdir(tmp_path)
    with practising(people=2, items=3, seed=7, prefect_port=0) as running:
        assert running.imap_product == "pymap"
        write_new(tmp_path, running.files(required=0))
        assert run("check", "--json") == 0
        assert [one["proof"] for one in result(capsys)["mailboxes"]] == ["directory"] * 2
        assert run("practice", "work", "-m", "2", "--target") == 0
        assert re.match(r"line 2 \(m-\w+\): 1 mail received, 1 event added", capsys.readouterr().out)
        assert run("check", "--json") == 1
        one, other = result(capsys)["mailboxes"]
        assert (one["ready"], other["ready"]) == (False, True)
        assert "target-not-empty" in str(one)


@pytest.mark.dovecot
def test_a_quota_that_is_too_small(place: Path, stage: Stage, capsys) -> None:
    need_dovecot()
    server = start_dovecot(stage.addresses, quota=1_024)
    try:
        text = (place / "kogge.toml").read_text()
        (place / "kogge.toml").write_text(text.replace(f"port = {stage.imap_port}", f"port = {server.port}"))
        assert run("check", "--json", "--mailbox", stage.addresses[0]) == 1
    finally:
        server.stop()
    (one,) = result(capsys)["mailboxes"]
    assert [fault["code"] for fault in one["faults"]] == ["quota-too-small"]
    assert one["free"] <= 1_024 < one["bytes"]


def test_one_mailbox_failing_does_not_stop_the_others(place: Path, stage: Stage, capsys) -> None:
    add(place / "mailboxes.csv", "nobody@practice.example,nobody@practice.example,pilot\n")
    assert run("check", "--json") == 1
    *others, last = result(capsys)["mailboxes"]
    assert [one["faults"] for one in others] == [[]] * 3
    sides = {"source", "target", *(f"target.{kind}" for kind in OTHERS)}
    assert {fault["side"] for fault in last["faults"]} == sides
    assert all(fault["advice"] for fault in last["faults"])


def test_without_a_directory_an_approval_is_asked_for(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (place / "kogge.toml").read_text()
    (place / "kogge.toml").write_text(text.replace('directory = "directory.csv"', ""))
    assert run("check", "--json") == 1
    for one in result(capsys)["mailboxes"]:
        assert [warning["code"] for warning in one["warnings"]] == ["identity-not-proven"]


def test_the_deny_list_is_asked_before_anything_is_opened(place: Path, stage: Stage, capsys) -> None:
    set_in_gate(place / "kogge.toml", 'deny = "deny.txt"\n')
    (place / "deny.txt").write_text(stage.addresses[1] + "\n")
    assert run("check", "--json", "--mailbox", stage.addresses[1]) == 1
    (one,) = result(capsys)["mailboxes"]
    assert [fault["code"] for fault in one["faults"]] == ["denied"]
    assert one["items"] is None


def test_a_credential_with_too_much_power(
    place: Path, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    set_in_gate(place / "kogge.toml", f'control = "{stage.addresses[2]}"\n')
    assert run("check", "--json", "--mailbox", stage.addresses[0]) == 1
    powers = {"source", "target", *(f"target.{kind}" for kind in OTHERS)}
    assert result(capsys)["control"] == dict.fromkeys(powers, True)
    assert run("migrate", "--wave", "pilot") == 1
    assert (
        "control-mailbox: a credential opens the control mailbox; not approved for pilot"
        in capsys.readouterr().err
    )
    assert run("check", "--wave", "pilot") == 1
    assert run("approve", "control-mailbox", "-w", "pilot", "--by", "A. Auditor", "--reason", "lab") == 0
    capsys.readouterr()
    assert run("check", "--wave", "pilot", "--json") == 0
    assert result(capsys)["accepted"] == ["control-mailbox"]


def test_what_was_approved_is_ready(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (place / "kogge.toml").read_text()
    (place / "kogge.toml").write_text(text.replace('directory = "directory.csv"', ""))
    assert run("check", "--wave", "pilot") == 1
    assert "identity-not-proven" in capsys.readouterr().out
    assert run("approve", "asserted", "-w", "pilot", "--by", "A. Auditor", "--reason", "seen them") == 0
    capsys.readouterr()
    assert run("check", "--wave", "pilot", "--json") == 0
    for one in result(capsys)["mailboxes"]:
        assert [(warning["code"], warning["accepted"]) for warning in one["warnings"]] == [
            ("identity-not-proven", True)
        ]
        assert (one["proof"], one["ready"]) == ("asserted", True)


def test_a_wrong_password(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "target-password").write_text("mistyped\n")
    assert run("check", "--mailbox", read_mailboxes(place / "mailboxes.csv")[0].source) == 1
    shown = capsys.readouterr().out
    assert "target.mail: login-refused" in shown
    assert "mistyped" not in shown


def test_discover(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("discover", "--json", "--csv", "inventory.csv") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["items"] for one in found] == [12, 12, 11]  # a rule leaves one of the last out
    assert all(one["bytes"] >= one["largest"] > 0 and one["code"] is None for one in found)
    assert "search-folder" in found[0]["stays"]
    with (place / "inventory.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["items"]) for row in rows] == [12, 12, 11]
    assert int(rows[0]["search-folder"]) == found[0]["stays"]["search-folder"]
    read = read_inventory(place / "inventory.csv", read_mailboxes(place / "mailboxes.csv"))
    sizes = [(one["items"], one["bytes"]) for one in found]
    assert [(one.all_items, one.all_bytes) for one in read.values()] == sizes


def test_discover_keeps_what_lies_beside_all_folders_for_reports(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("discover", "--json") == 0
    stays = {one["line"]: one["stays"] for one in json.loads(capsys.readouterr().out)}
    config = load(Path("kogge.toml"))
    people = {one.line: one.source for one in read_mailboxes(place / "mailboxes.csv")}
    with opened_ledger(config) as ledger:
        kept = extras_of(ledger, people.values())
    assert set(kept) == set(people.values()), "the ledger is made for it: no plan is there yet"
    for line, source in people.items():
        counted = {code: count for code, count in kept[source].items() if count is not None}
        assert counted.items() <= stays[line].items()


def test_discover_on_the_screen(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("discover") == 0
    shown = capsys.readouterr().out
    assert "3 mailboxes, 35 items" in shown
    assert "What will not move" in shown
    heads = [line.split() for line in shown.splitlines() if line.startswith("what ")]
    assert heads[:2] == [["what", "count", "mailboxes", "why"], ["what", "count", "mailboxes"]]
    assert max(map(len, shown.splitlines())) <= 100


def test_subjects_of_failures_are_read_from_the_source(place: Path, stage: Stage, capsys) -> None:
    """Two items are marked rejected in the ledger; their subjects come from the source, on demand."""
    config = load(Path("kogge.toml"))
    person = read_mailboxes(place / "mailboxes.csv")[0]
    with closing(open_source(config, person.source_account, frozenset(config.workloads))) as source:
        container = max((one for one in source.containers() if not one.omit), key=lambda one: one.total or 0)
        ref = next(ref for page in source.changes(container, None) for ref in page.refs)
    row = ContainerRow(
        1, container.kind, container.id, container.path, container.role, None, None, True, 1, None, False
    )
    with opened_ledger(config) as ledger:
        plan(config, ledger)
        box = next(one for one in ledger.mailboxes() if one.source == person.source)
        rejected = [(box, row, item(one)) for one in (ref, Ref("AAMk-gone", "1"))]
        first, second = subjects_of(config, ledger, rejected).values()
    assert first != UNREADABLE
    assert second == UNREADABLE


def item(ref: Ref) -> ItemRow:
    key = key_of(ref.id)
    return ItemRow(key, ref.id, ref.version, State.REJECTED, 1, 1, "too-large", None, None, None, None, None)


def program(place: Path, *arguments: str) -> tuple[int, str]:
    """A process of its own, as an operator starts it: Prefect keeps threads of a process busy."""
    kogge = str(Path(sys.executable).with_name("kogge"))
    done = subprocess.run(
        [kogge, *arguments], cwd=place, capture_output=True, text=True, timeout=280, check=False
    )
    assert "Traceback" not in done.stderr
    sys.stderr.write(done.stderr)  # shown where a test fails
    return done.returncode, done.stdout


def test_practice_up_ends_with_a_signal_and_overwrites_nothing(tmp_path: Path) -> None:
    kogge = str(Path(sys.executable).with_name("kogge"))
    command = [kogge, "practice", "up", str(tmp_path / "run"), "--people", "2", "--items", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        lines = []
        while not lines or not lines[-1].startswith("configuration"):
            lines.append(server.stdout.readline())
            assert lines[-1], "it ended too early"
        assert program(tmp_path / "run", "check", "--json")[0] == 0
        server.terminate()
        _, errors = server.communicate(timeout=30)
    assert server.returncode == 0
    assert "Traceback" not in errors
    code, _ = program(tmp_path, "practice", "up", str(tmp_path / "run"))
    assert code == 2


@pytest.mark.prefect
@pytest.mark.timeout(900)
def test_migrate_to_the_end(place: Path, stage: Stage, settle_prefect: Callable[[Path], Path]) -> None:
    """A dry run writes nothing, a run moves everything, and status agrees."""
    settle_prefect(load(place / "kogge.toml").state_directory)
    one = ("--wave", "pilot", "--mailbox", stage.addresses[0])
    try:
        code, shown = program(place, "migrate", *one, "--dry-run", "--json")
        assert (code, json.loads(shown)["bytes"]) == (0, 0)
        code, shown = program(place, "migrate", *one, "--json")
        done = json.loads(shown)
        assert (code, done["accounted_for"], done["mailboxes"]) == (0, True, 1)
        assert sum(done["fates"].values()) == 12
        code, shown = program(place, "status", "--mailbox", stage.addresses[0])
        assert code == 0
        assert "every item is accounted for" in shown
        assert program(place, "status")[0] == 1, "the others are still pending"
    finally:
        assert run("server", "down") == 0


def test_odd_mailboxes_stay_small_so_that_what_they_lose_stops_their_cutover() -> None:
    assert [mails_of(index, 2, 2, 600) for index in range(5)] == [ODD_MOST, ODD_MOST, 600, 600, 600]
    assert [mails_of(index, 2, 2, 60) for index in range(5)] == [60] * 5
    assert mails_of(0, 2, 0, 600) == 600, "without plain ones there is no wave `odd`"
