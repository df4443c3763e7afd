"""`kogge approve`, `kogge phase`, `kogge who`: what is decided is recorded, what nothing asks for refused."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path

import pytest
from commands import run
from lonely import TOML

from kogge.approve.decisions import APPROVABLE
from ledger.db.rows import LegState, Phase
from ledger.leg.cutover_steps import Steps
from ledger.plan.approvals import Check, keep_checks
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind
from model.protocols import Container, Identity, Loss, Page, Ref, key_of


def test_approve_and_log(place: Path, planned: str, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "kogge.toml").write_text(f'{TOML}[gate]\ncontrol = "nobody@old.example"\n')
    by = ("--by", "Auditor", "--reason", "seen")
    assert run("approve", "asserted", "--mailbox", planned, *by) == 0
    assert f"approved asserted for {planned}" in capsys.readouterr().out
    assert run("approve", "control-mailbox", "--wave", "pilot", *by) == 0
    capsys.readouterr()
    assert run("log", "pilot", "--json") == 0
    events = json.loads(capsys.readouterr().out)
    assert [(event["kind"], event["subject"], event["detail"]["by"]) for event in events] == [
        ("approved:asserted", planned, "Auditor"),
        ("approved:control-mailbox", "wave:pilot", "Auditor"),
    ]
    assert run("log", "pilot") == 0
    assert "2 decisions; the chain is intact" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["assertd", "--wave", "pilot", "--by", "A", "--reason", "r"], "did you mean asserted?"),
        (["asserted", "--by", "A", "--reason", "r"], "give either --mailbox or --wave"),
        (["asserted", "--wave", "pilot", "--mailbox", "m", "--by", "A", "--reason", "r"], "give either"),
        (["asserted", "--wave", "pilot", "--by", " ", "--reason", "r"], "--by: is missing or empty"),
        (["asserted", "--wave", "pilot", "--by", "A", "--reason", ""], "--reason: is missing or empty"),
        (["control-mailbox", "--wave", "pilot", "--by", "A", "--reason", "r"], "no control mailbox is set"),
        (["tenant-wide", "--wave", "pilot", "--by", "A", "--reason", "r"], "only Microsoft 365 tells"),
        (["may-write", "--mailbox", "a@old.example", "--by", "A", "--reason", "r"], "give --wave"),
        (["source-shrunk", "--wave", "pilot", "--by", "A", "--reason", "r"], "no mailbox is stopped by it"),
    ],
)
def test_approvals_that_are_refused(
    place: Path, planned: str, capsys, arguments: list[str], message: str
) -> None:
    assert run("approve", *arguments) == 2
    assert message in capsys.readouterr().err
    assert run("log", "pilot", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("code", "level", "state", "stopped", "refused"),
    [
        ("asserted", "directory", LegState.VERIFIED, None, True),
        ("asserted", "asserted", LegState.VERIFIED, None, False),
        ("asserted", "directory", LegState.BLOCKED, "identity-not-proven", False),
        ("sent-items", "address", LegState.VERIFIED, None, True),
        ("sent-items", "address", LegState.BLOCKED, "sent-items-implausible", False),
        ("target-not-empty", "address", LegState.VERIFIED, None, True),
        ("target-not-empty", "address", LegState.BLOCKED, "target-not-empty", False),
        ("target-not-empty", "address", LegState.DIFFERS, "verification-differs", False),
        ("source-shrunk", "address", LegState.BLOCKED, "source-shrunk", False),
        ("source-rekeyed", "address", LegState.VERIFIED, None, True),
        ("changed-before-check", "address", LegState.VERIFIED, None, True),
        ("changed-before-check", "address", LegState.DIFFERS, "changed-before-check", False),
        ("organizer-first", "address", LegState.VERIFIED, "organizer-first", False),
        ("organizer-first", "address", LegState.VERIFIED, None, True),
    ],
)
def test_an_approval_that_nothing_asks_for(
    place: Path,
    planned: str,
    capsys,
    code: str,
    level: str,
    state: LegState,
    stopped: str | None,
    refused: bool,
) -> None:
    with closing(Ledger(f"sqlite:///{place}/kogge-state/ledger.db")) as ledger:
        lease = ledger.claim(ledger.legs()[0].id, "somebody", 60.0)
        assert lease is not None
        ledger.bind(lease, Identity("ews", "1"), Identity("imap", "2"), level)
        with ledger.session(lease, mirror=True) as session:
            row = session.record_container(Container(Kind.MAIL, "inbox", ("Inbox",)))
            session.record_page(row.id, Page((Ref("one", "1"),), "c"))
            session.close_inventory(bytes(32))
            session.begin(row.id, [key_of("one")], "1:1")
            session.settle(row.id, [], rejected=[(key_of("one"), "too-large")])
        ledger.release(lease, state, stopped)
    for of in (["--mailbox", planned], ["--wave", "pilot"]):
        assert run("approve", code, *of, "--by", "A", "--reason", "r") == (2 if refused else 0)
        assert (f"CODE: nothing asks for {code}: " in capsys.readouterr().err) == refused


@pytest.mark.parametrize(("level", "refused"), [("directory", True), ("asserted", False), (None, False)])
def test_a_check_says_what_no_run_has_said_yet(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str], level: str | None, refused: bool
) -> None:
    with closing(Ledger(f"sqlite:///{place}/kogge-state/ledger.db")) as ledger:
        keep_checks(ledger, [Check(planned, level, None, 20, 3_000_000)])
    words = ("approve", "asserted", "--mailbox", planned, "--by", "A", "--reason", "r")
    assert run(*words) == (2 if refused else 0)
    assert ("CODE: nothing asks for asserted: " in capsys.readouterr().err) == refused


def test_what_the_gate_asks_for_can_be_approved() -> None:
    """Every code that a preflight calls approvable, and every code the flows ask about, is on offer."""
    from engine.preflight.preflight import NEEDS_APPROVAL

    engine = Path(__file__).parents[3] / "engine"
    asked = {
        code
        for path in engine.rglob("*.py")
        for code in re.findall(r'approved\((?:[^()"]*, )?"([a-z-]+)"\)', path.read_text())
    }
    assert asked >= {"asserted", "sent-items"}
    assert asked | set(NEEDS_APPROVAL.values()) <= APPROVABLE.keys()


def test_phases_are_set_and_recorded(place: Path, planned: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("phase", "live", *WHY, "--wave", "pilot", "--by", "Cutover") == 0
    assert capsys.readouterr().out == "1 mailbox is live now; 0 were already\n"
    assert run("phase", "live", "--mailbox", planned, "--by", "Cutover") == 0
    assert capsys.readouterr().out == "0 mailboxes are live now; 1 was already\n"
    assert run("log", "pilot", "--json") == 0
    events = json.loads(capsys.readouterr().out)
    assert [(one["kind"], one["subject"], one["detail"].get("phase")) for one in events] == [
        ("approved:score-low", planned, None),
        ("phase", planned, "live"),
    ]


def test_shares_that_wait_for_somebody_are_told_before_they_are_the_user_s(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    later, other = [Loss("share", "person-later")], [Loss("share", "external")]
    with closing(Ledger(f"sqlite:///{place}/kogge-state/ledger.db")) as ledger:
        files = frozenset({Kind.FILES})
        (number,) = ledger.add_mailboxes([PlannedMailbox("b@old", "b@new", "files", Phase.FROZEN, files)])
        (leg,) = ledger.legs(mailbox=str(number))
        lease = ledger.claim(leg.id, "worker", 60)
        assert lease is not None
        with ledger.session(lease, mirror=True) as session:
            row = session.record_container(Container(Kind.FILES, "drive", ("",)))
            session.shares.lose(row.id, {b"": later, key_of("1"): [*later, *other]})
        ledger.release(lease, LegState.VERIFIED)
    for phase, told in (("frozen", False), ("live", True), ("live", False)):
        assert run("phase", phase, "--wave", "files", "--by", "A", "--yes") == 0
        assert ("2 shares were not made" in capsys.readouterr().err) is told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["life", "--wave", "pilot", "--by", "A"], "give one of staging, frozen, live"),
        (["live", "--by", "A"], "give either --mailbox or --wave"),
        (["live", "--wave", "pilot", "--by", " "], "who decides is recorded"),
    ],
)
def test_phases_that_are_refused(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run("phase", *arguments) == 2
    assert message in capsys.readouterr().err


def test_there_is_no_way_back_from_live(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("phase", "live", *WHY, "--mailbox", planned, "--by", "A") == 0
    assert run("phase", "staging", "--mailbox", planned, "--by", "A") == 2
    assert "a live mailbox is its user's" in capsys.readouterr().err
    with closing(Ledger(f"sqlite:///{place}/kogge-state/ledger.db")) as ledger:
        assert ledger.mailbox(planned).phase is Phase.LIVE


def test_a_mailbox_at_work_keeps_its_phase(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(Ledger(f"sqlite:///{place}/kogge-state/ledger.db")) as ledger:
        assert ledger.claim(ledger.legs()[0].id, "somebody", 60.0) is not None
    assert run("phase", "live", *WHY, "--mailbox", planned, "--by", "A") == 1
    told = capsys.readouterr()
    assert told.out == "0 mailboxes are live now; 0 were already\n"
    assert f"1 mailbox keeps its phase (claimed-elsewhere):\n  {planned}\n" in told.err
    assert "`kogge migrate --mailbox m-" in told.err
    assert "end first" in told.err
    assert run("log", "pilot", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [], "nobody answered for what was not done"


WHY = ("--from-staging", "--yes", "--reason", "nothing to move")
HOOKS = """
[[hooks.freeze]]
name = "redirect"
command = ["/bin/redirect"]
[[hooks.release]]
name = "open"
command = ["/bin/open"]
"""


def test_what_a_cutover_would_run_is_told_and_answered_for(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "kogge.toml").write_text(TOML + HOOKS)
    by = ("--wave", "pilot", "--by", "Cutover")
    assert run("phase", "frozen", *by) == 0
    assert (
        "Not run: the hooks freeze:redirect (1 mailbox). `kogge cutover --wave pilot`"
        in capsys.readouterr().err
    )
    assert run("phase", "live", *by) == 2
    told = capsys.readouterr().err
    assert "kogge cutover" in told
    assert "freeze:redirect, release:open (1 mailbox)" in told
    ledger = Ledger(f"sqlite:///{place}/kogge-state/ledger.db")
    with closing(ledger):
        assert ledger.mailbox(planned).phase is Phase.FROZEN
        for name in ("freeze:redirect", "release:open"):
            Steps(ledger).begin(planned, name)
        Steps(ledger).finish(planned, "freeze:redirect", "done")
        assert run("phase", "live", *by, "--reason", "opened by hand", "--yes") == 0
        (event,) = [one for one in ledger.events("pilot") if one.kind == "hooks-not-run"]
        told_of = {"by": "Cutover", "reason": "opened by hand", "hooks": "release:open"}
        assert (event.subject, dict(event.detail)) == (planned, told_of)
        assert ledger.mailbox(planned).phase is Phase.LIVE
    assert "Not run: the hooks release:open" in capsys.readouterr().err
    assert run("phase", "live", *by) == 0, "it is live already"


def test_who_is_recorded(place: Path, planned: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("who", "A@old.example", "--by", "Night shift", "--json") == 0
    assert json.loads(capsys.readouterr().out)["mailbox"] == planned
    assert run("who", planned, "--by", "Night shift") == 0
    assert "a@new.example" in capsys.readouterr().out
    assert run("who", "m-00000000", "--by", "Night shift") == 2
    assert "the ledger has no such mailbox" in capsys.readouterr().err
    assert run("log", "pilot", "--json") == 0
    assert [event["detail"] for event in json.loads(capsys.readouterr().out)] == [{"by": "Night shift"}] * 2


def test_who_writes_the_mailboxes_of_every_wave(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(Ledger(f"sqlite:///{place}/kogge-state/ledger.db")) as ledger:
        ledger.add_mailboxes(
            [PlannedMailbox("z@old.example", "z@new.example", "two", Phase.STAGING, frozenset({Kind.MAIL}))]
        )
    assert run("who", "--by", "Night shift") == 2
    assert "with --csv FILE neither" in capsys.readouterr().err
    assert run("who", "--csv", "who.csv", "--by", "Night shift") == 0
    written = (place / "who.csv").read_text()
    assert "a@old.example" in written
    assert "z@old.example,z@new.example,two" in written
    for wave in ("pilot", "two"):
        capsys.readouterr()
        assert run("log", wave, "--json") == 0
        told = [event["detail"] for event in json.loads(capsys.readouterr().out) if event["kind"] == "who"]
        assert told == [{"by": "Night shift", "mailboxes": 1}]


def test_who_breaks_no_address(
    place: Path, planned: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a narrow terminal, too, an address can be copied."""
    long = "thomas.mueller-luedenscheidt.the.second@practice.example"
    with closing(Ledger(f"sqlite:///{place}/kogge-state/ledger.db")) as ledger:
        ledger.add_mailboxes(
            [PlannedMailbox(long, f"new.{long}", "pilot", Phase.STAGING, frozenset({Kind.MAIL}))]
        )
    monkeypatch.setattr("kogge.terminal.options.WIDTH", 80)
    monkeypatch.setenv("COLUMNS", "80")
    assert run("who", "--wave", "pilot", "--by", "Night shift") == 0
    words = capsys.readouterr().out.split()
    assert words.count(long) == words.count(f"new.{long}") == 1
    assert words.count("a@old.example") == 1


@pytest.mark.parametrize("command", ["status", "retry", "give-back --dry-run"])
def test_a_mailbox_is_named_by_its_line(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert run(*command.split(), "-m", "3") == 2
    assert "not in the ledger: line 3; give an id, an address or a line" in capsys.readouterr().err
    run(*command.split(), "-m", "2")
    assert "not in the ledger" not in capsys.readouterr().err


BY = "--by A --reason x"


@pytest.mark.parametrize(
    "command",
    [
        f"audit keys destroy {BY} --yes",
        f"approve asserted {BY}",
        "phase live --by A",
        "cutover --by A",
        "cutover --back --by A",
        f"give-back {BY}",
        f"rollback --execute {BY}",
        f"repair dates --execute {BY}",
        "report --wave pilot --with-folders --by A",
    ],
)
def test_nothing_is_decided_or_removed_by_a_line(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """The line is another person's once a row was added above it."""
    assert run(*command.split(), "-m", "2") == 2
    told = capsys.readouterr().err
    assert "takes an id or an address here, no line, as lines change; `kogge show 2`" in told
    assert "`kogge show 2` says the id" in told


def test_who_needs_a_name(place: Path, planned: str) -> None:
    assert run("who", planned, "--by", " ") == 2


def test_a_cutover_that_was_begun_is_taken_back_by_itself(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the next one would take its hooks and its final delta for done."""
    with closing(Ledger(f"sqlite:///{place}/kogge-state/ledger.db")) as ledger:
        Steps(ledger).move(planned, Phase.FROZEN, "frozen", "A")
    assert run("phase", "staging", "--wave", "pilot", "--by", "A") == 2
    assert "kogge cutover --back" in capsys.readouterr().err
    with closing(Ledger(f"sqlite:///{place}/kogge-state/ledger.db")) as ledger:
        assert ledger.mailbox(planned).phase is Phase.FROZEN
