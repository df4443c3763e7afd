"""`kogge show`: one page about one mailbox, found by id, address or line; `kogge who` for a whole wave."""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
import re
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from commands import run
from unanswered import TOML

from kogge.shown import mailbox_page
from ledger.db.audit_log import Event
from ledger.db.rows import LegState, Phase
from ledger.leg.cutover_steps import Steps
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind
from model.protocols import Container, Item, Loss, Mapped, Page, Ref, Role, key_of

INBOX = Container(Kind.MAIL, "inbox", ("Posteingang Geheimrat",), Role.INBOX, 3)
NAMES = ("anna", "bert")
SECRET = ("anna@", "bert@", "Geheimrat")
STATED = "proven by the address that the target itself states"


@pytest.fixture
def ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two mailboxes. Of the first, one message lost something and one was rejected; contacts are blocked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KOGGE_TEST_PASSWORD", "x")
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "kogge.toml").write_text(TOML)
    rows = "".join(f"{name}@old.example,{name}@new.example,w1\n" for name in NAMES)
    (tmp_path / "mailboxes.csv").write_text(f"source,target,wave\n{rows}")
    (tmp_path / "kogge-state").mkdir(mode=0o700)
    with closing(Ledger(f"sqlite:///{tmp_path}/kogge-state/ledger.db")) as ledger:
        ledger.migrate()
        both = frozenset({Kind.MAIL, Kind.CONTACTS})
        planned = [
            PlannedMailbox(f"{name}@old.example", f"{name}@new.example", "w1", Phase.STAGING, both)
            for name in NAMES
        ]
        found = [str(one) for one in ledger.add_mailboxes(planned)]
        fill(ledger, found[0])
        ledger.event("w1", "retried", {"by": "Night shift", "legs": 1}, subject=found[0])
        ledger.event("w1", "bound", {"level": "directory"}, subject=found[0])
    return found


def fill(ledger: Ledger, number: str) -> None:
    for leg in ledger.legs(mailbox=number):
        lease = ledger.claim(leg.id, "worker", 60)
        assert lease is not None
        if leg.workload is Kind.CONTACTS:
            ledger.release(lease, LegState.BLOCKED, "no-permission", "NOPERM")
            continue
        with ledger.session(lease, mirror=True) as session:
            row = session.record_container(INBOX)
            session.record_page(row.id, Page([Ref("one", "1"), Ref("two", "1")], "cursor"))
            session.close_inventory(bytes(32))
            one, two = key_of("one"), key_of("two")
            session.begin(row.id, [one, two], "7:1")
            item = Item(Kind.MAIL, one, b"digest", 9, lambda: io.BytesIO(b""), frozenset())
            session.intend(row.id, [Mapped(item, (Loss("flags", "follow-up-completed"),))])
            session.settle(row.id, [], rejected=[(two, "too-large")])
        ledger.release(lease, LegState.WAITING, "server-bye")


def events(kind: str) -> list[Event]:
    with closing(Ledger(f"sqlite:///{Path.cwd()}/kogge-state/ledger.db")) as ledger:
        return [one for one in ledger.events("w1") if one.kind == kind]


def page(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run("show", *arguments) == 0
    return capsys.readouterr().out


def test_all_about_one_mailbox_stands_on_one_page(ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    shown = page(capsys, ids[0])
    for said in (
        f"{ids[0]}  (line 2 of mailboxes.csv)",
        "staging",
        "nothing is proven yet",
        "never checked",
        "no-permission (NOPERM)",
        "contacts. The target forbids this",
        "1 item of mail rejected. Raise the target's message size limit",
        "1 message: A follow-up flag was marked as completed",
        "Asked: source 127.0.0.1:1, mail localhost:1.",
        "retried by Night shift (legs: 1)",
        "localhost:1",
        f"kogge failures -m {ids[0]}",
        f"kogge retry -m {ids[0]}",
        f"kogge migrate -m {ids[0]}",
    ):
        assert said in shown, said
    assert "bound (level" not in shown
    assert not [one for one in SECRET if one in shown]
    assert events("who") == []


@pytest.mark.parametrize(
    ("level", "identity", "told"),
    [
        ("address", None, f"{STATED}, when they were last checked; not bound yet"),
        ("address", "account-7", f"{STATED}; bound"),
        (None, None, "nothing is proven yet; not bound yet"),
    ],
)
def test_a_proof_of_the_last_check_is_told_as_that(
    level: str | None, identity: str | None, told: str
) -> None:
    """A run may have refused these accounts since: its code stands below."""
    row = SimpleNamespace(source_identity=identity)
    shown = SimpleNamespace(level=level, named=SimpleNamespace(row=row))
    assert mailbox_page._accounts(shown) == told  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ('kind = "imap"\nhost = "127.0.0.1"\nport = 1', False),
        ('kind = "ews"\nurl = "https://old.example/ews"\nusername = "u"', True),
    ],
)
def test_links_are_named_where_the_source_s_vendor_has_what_they_lead_to(
    ids: list[str], capsys: pytest.CaptureFixture[str], source: str, named: bool
) -> None:
    path = Path("kogge.toml")
    table = f'[source]\n{source}\npassword = {{ env = "KOGGE_TEST_PASSWORD" }}\n\n'
    path.write_text(re.sub(r"(?ms)^\[source\]$.*?(?=^\[)", table, path.read_text()))
    assert ("links into OneDrive and SharePoint" in page(capsys, ids[0])) is named


def test_json_has_the_same(ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(page(capsys, ids[0], "--json"))
    states = {one["workload"]: (one["state"], one["code"]) for one in found["workloads"]}
    assert states == {"contacts": ("blocked", "no-permission"), "mail": ("waiting", "server-bye")}
    assert found["rejected"] == [{"workload": "mail", "code": "too-large", "items": 1}]
    assert found["losses"][0]["reason"] == "follow-up-completed"
    assert found["servers"]["contacts"] == "127.0.0.1:1"
    assert found["next"][-1] == f"kogge migrate -m {ids[0]}"
    assert not [one for one in SECRET if one in json.dumps(found)]


def test_a_cutover_that_stopped_is_told_with_its_step_and_the_way_back(
    ids: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(Ledger(f"sqlite:///{tmp_path}/kogge-state/ledger.db")) as ledger:
        for leg in ledger.legs(mailbox=ids[1]):
            lease = ledger.claim(leg.id, "worker", 60)
            assert lease is not None
            ledger.release(lease, LegState.VERIFIED, None)
        Steps(ledger).begin(ids[1], "freeze:redirect")
        Steps(ledger).finish(ids[1], "freeze:redirect", "failed", "exit-4")
    shown = page(capsys, ids[1])
    assert "The cutover stopped at freeze:redirect (exit-4), and its user may be locked out." in _flat(shown)
    assert "every item is accounted for" not in shown
    assert shown.endswith(
        f"Next: kogge cutover -m {ids[1]} --by NAME; kogge give-back -m {ids[1]} --by NAME\n"
    )
    assert run("status", "-m", ids[1], "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["cutovers_stopped"], found["codes"]) == (1, {"hook-failed": 1})
    assert found["by_mailbox"][0]["cutover_stopped"]["step"] == "freeze:redirect"


def _flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", ["3", "BERT@old.example", "bert@new.example"])
def test_a_mailbox_has_three_names(ids: list[str], capsys: pytest.CaptureFixture[str], name: str) -> None:
    found = json.loads(page(capsys, name, "--by", "Night shift", "--json"))
    assert (found["mailbox"], found["line"]) == (ids[1], 3)
    asked = [(one.subject, one.detail["by"]) for one in events("who")]
    assert asked == ([(ids[1], "Night shift")] if "@" in name else [])
    assert ("source" in found) == ("@" in name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("4", "line 4 of mailboxes.csv has no mailbox; its mailboxes are in lines 2 to 3"),
        (
            "bret@old.example",
            "no mailbox of the ledger has this address; compare its spelling with mailboxes.csv\n",
        ),
        ("x@y.z", "no mailbox of the ledger has this address; compare its spelling with mailboxes.csv\n"),
        ("nothing", "unknown; give an id, an address or a line of mailboxes.csv (2 mailboxes: kogge status)"),
    ],
)
def test_what_names_no_mailbox_gets_a_hint_without_an_address(
    ids: list[str], capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    assert run("show", name, "--by", "me") == 2
    told = capsys.readouterr().err
    assert message in told
    assert not [one for one in SECRET if one in told]


def test_a_mistyped_id_is_told_the_nearest(ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", ids[0][:-1]) == 2
    assert f"MAILBOX: unknown; did you mean {ids[0]}" in capsys.readouterr().err


def test_a_line_that_is_not_planned_yet(ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with Path("mailboxes.csv").open("a") as file:
        file.write("carl@old.example,carl@new.example,w1\n")
    assert run("show", "4") == 2
    assert "line 4 of mailboxes.csv is not in the ledger yet" in capsys.readouterr().err


def test_a_list_that_cannot_be_read_hides_no_mailbox(
    ids: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mailboxes.csv").write_text("nonsense")
    assert "(line" not in page(capsys, ids[0])


# Who asks

LOGIN = SimpleNamespace(pw_name="nora")


def test_who_asks_is_the_name_given_or_the_shift_or_the_login(
    ids: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: LOGIN)
    assert run("who", ids[0]) == 0
    monkeypatch.setenv("KOGGE_BY", "Night shift")
    assert run("who", ids[0]) == 0
    assert run("who", ids[0], "--by", "Day shift") == 0
    assert [one.detail["by"] for one in events("who")] == ["nora (login)", "Night shift", "Day shift"]


@pytest.mark.parametrize(("variable", "message"), [(None, "--by: is missing"), (" ", "KOGGE_BY: is missing")])
def test_root_names_nobody(
    ids: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str | None,
    message: str,
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    if variable is not None:
        monkeypatch.setenv("KOGGE_BY", variable)
    assert run("who", ids[0]) == 2
    assert message in capsys.readouterr().err
    assert events("who") == []


def test_a_whole_wave_is_resolved_and_recorded_once(
    ids: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("who", "--wave", "w1", "--csv", "who.csv", "--by", "Help desk") == 0
    with Path("who.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["line"], row["mailbox"]) for row in rows] == [("2", ids[0]), ("3", ids[1])]
    assert [row["source"] for row in rows] == [f"{name}@old.example" for name in NAMES]
    assert Path("who.csv").stat().st_mode & 0o777 == 0o600
    (event,) = events("who")
    assert (event.subject, dict(event.detail)) == ("wave:w1", {"by": "Help desk", "mailboxes": 2})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "who: give either ID|ADDRESS or --wave"),
        (("m-1", "--wave", "w1"), "who: give either"),
        (("m-1", "--csv", "x.csv"), "--csv: is for whole waves: give --wave, or neither"),
        (("--wave", "w2"), "--wave: unknown; there is only w1"),
    ],
)
def test_what_who_cannot_do(
    ids: list[str], capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert run("who", *arguments, "--by", "me") == 2
    assert message in capsys.readouterr().err
    assert events("who") == []
