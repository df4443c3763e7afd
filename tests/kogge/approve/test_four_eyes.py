"""Which approval each command asks for that changes a person's account or phase: nobody walks around it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from commands import run
from configurations import SILENT, imap_sides
from sqlalchemy import update

from engine.approvals.pinned_settings import pin_at_start
from engine.approvals.plan_approval import START, refuse_unapproved_mailbox
from engine.config.load import load
from engine.control.ledger_access import opened_ledger
from engine.cutover.run_many import permit_mailbox
from engine.leg.repair_walk import Repair, What
from engine.repair import run as run_repair
from kogge.command_table import COMMANDS
from ledger.db.engine import writing
from ledger.db.rows import LegState, Phase
from ledger.db.schema import mailbox
from ledger.plan.approvals import Check, keep_checks
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.errors import Blocked
from model.kinds import Kind

SIGN = ("--reason", "as agreed", "--yes")
BY = ("--by", "One person")
WHY = (*BY, "--reason", "in a hurry")
NOBODY = "not-approved"
PERSON = "nobody approved this rollback yet"

ASKS: dict[str, tuple[tuple[str, ...], Phase, str]] = {
    "migrate": (("-w", "w"), Phase.STAGING, "the start of wave w has 0 of 2 approvals"),
    "repair": (
        ("flags", "-w", "w", "--execute", *WHY),
        Phase.STAGING,
        "the start of wave w has 0 of 2 approvals",
    ),
    "cutover": (("-w", "w", *BY), Phase.STAGING, "the cutover of wave w has 0 of 2 approvals"),
    "cutover of one": (("-m", "a@old.example", *BY), Phase.STAGING, "the cutover of wave w has 0 of 2"),
    "phase frozen": (("frozen", "-w", "w", *BY), Phase.STAGING, "the cutover of wave w has 0 of 2"),
    "phase live": (("live", "-w", "w", *WHY, "--yes"), Phase.FROZEN, "the cutover of wave w has 0 of 2"),
    "phase live from staging": (
        ("live", "-w", "w", *WHY, "--from-staging", "--yes"),
        Phase.STAGING,
        "the cutover of wave w has 0 of 2",
    ),
    "rollback": (("-w", "w", "--execute"), Phase.STAGING, PERSON),
    "rollback of what is live": (("-w", "w", "--execute"), Phase.LIVE, PERSON),
    "give-back of what is live": (("-m", "a@old.example", *BY), Phase.LIVE, PERSON),
}
"""What changes an account or a phase forward asks for the signatures of its stage. What gives back asks for
one person who answers for it, because it must be possible at night."""

FREE = {
    "phase staging": "what is frozen goes back; nothing is written",
    "cutover --back": "what is not released goes back; nothing that Kogge wrote is touched",
    "give-back of what is frozen": "as cutover --back",
    "retry": "only a queue; the next pass asks",
    "approve": "it is itself the approval",
    "approve-settings": "the signatures of the pinned approvers",
    "pause": "stops work",
    "resume": "the next pass asks",
    "ledger": "the schema alone",
    "check": "the invitation probe writes into the two accounts of [invitation_probe] alone",
    "routes": "a file of the mail proxy that follows from the phases",
    "practice": "invented people",
    "worker": "runs what is started, which asks",
    "setup": "nobody's account",
    "server": "nobody's account",
    "notify": "mails to people about their move; who sends them is recorded",
    "init": "new files alone",
    "keys": "new files alone",
    "audit": "evidence: its keys are destroyed with a name, a reason and a yes",
    "plan": "a file of waves; the list is signed",
}
"""What asks for no signature although it changes something, and why."""

LOOKS = {
    *("approvals", "completion", "discover", "explain", "failures", "links", "log", "metrics", "report"),
    *("score", "settings", "show", "status", "verify", "who"),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A checked and verified wave of two whose servers do not answer, and two approvers with keys."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("X", "x")
    lines = []
    for name in ("Anna", "Bernd"):
        assert run("keys", "new", name, "--out", f"{name}.pem") == 0
        lines.append(capsys.readouterr().out)
    systems = imap_sides("localhost", "localhost", SILENT)
    (tmp_path / "kogge.toml").write_text(f"[approval]\n[approval.approvers]\n{''.join(lines)}{systems}")
    rows = "".join(f"{one}@old.example,{one}@new.example,w\n" for one in "ab")
    (tmp_path / "mailboxes.csv").write_text(f"source,target,wave\n{rows}")
    with opened_ledger(load(tmp_path / "kogge.toml")) as ledger:
        moved(ledger)
    return tmp_path


def moved(ledger: Ledger) -> None:
    planned = [
        PlannedMailbox(f"{one}@old.example", f"{one}@new.example", "w", Phase.STAGING, frozenset({Kind.MAIL}))
        for one in "ab"
    ]
    ids = ledger.add_mailboxes(planned)
    keep_checks(ledger, [Check(str(one), "directory", None, 20, 3_000_000) for one in ids])
    for leg in ledger.legs():
        lease = ledger.claim(leg.id, "worker", 60)
        assert lease is not None
        ledger.release(lease, LegState.VERIFIED)


def opened(place: Path) -> Ledger:
    return Ledger(load(place / "kogge.toml").ledger_url())


def into(place: Path, phase: Phase) -> None:
    with closing(opened(place)) as ledger, writing(ledger.engine) as connection:
        connection.execute(update(mailbox).values(phase=phase.value))


def phases(place: Path) -> set[Phase]:
    with closing(opened(place)) as ledger:
        return {row.phase for row in ledger.mailboxes()}


def words(capsys: pytest.CaptureFixture[str]) -> str:
    told = capsys.readouterr()
    return " ".join((told.out + told.err).split())


def test_each_command_has_its_answer() -> None:
    """A command that comes later has to say what it asks for, or why it asks for nothing."""
    named = {name.split()[0] for name in (*ASKS, *FREE)}
    assert named | LOOKS == COMMANDS.keys()


@pytest.mark.parametrize("name", ASKS)
def test_one_person_alone_changes_nobodys_account_or_phase(
    place: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    options, phase, told = ASKS[name]
    into(place, phase)
    with closing(opened(place)) as ledger:
        before = [len(ledger.events("w")), ledger.legs()]
    assert run(name.split()[0], *options) in (1, 2)
    assert told in words(capsys)
    assert phases(place) == {phase}
    with closing(opened(place)) as ledger:
        assert [len(ledger.events("w")), ledger.legs()] == before


@pytest.mark.parametrize("name", [name for name, (_, _, told) in ASKS.items() if told != PERSON])
def test_a_configuration_that_asks_for_less_is_no_way_around(
    place: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    options, phase, _ = ASKS[name]
    with opened_ledger(load(place / "kogge.toml")) as ledger:
        pin_at_start(load(place / "kogge.toml"), ledger, "w")
    toml = (place / "kogge.toml").read_text()
    (place / "kogge.toml").write_text(toml.replace("[approval]\n", "[approval]\nrequired = 0\n", 1))
    into(place, phase)
    assert run(name.split()[0], *options) == 2
    assert "asks for less than this ledger is held to" in words(capsys)
    assert phases(place) == {phase}


def sign(*options: str) -> None:
    for name in ("Anna", "Bernd"):
        assert run("approve", "-w", "w", "--key", f"{name}.pem", *SIGN, *options) == 0


def test_live_is_asked_about_and_comes_after_frozen(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sign("--stage", "cutover")
    capsys.readouterr()
    live = ("phase", "live", "-w", "w", *BY, "--reason", "no hooks here")
    assert run(*live, "--yes") == 2
    told = words(capsys)
    assert "2 mailboxes are in staging" in told
    assert "or --from-staging, with a --reason" in told
    assert run("phase", "frozen", "-w", "w", *BY) == 0
    capsys.readouterr()
    assert run(*live) == 2
    assert "--yes: nobody can be asked here; give it to go live without a question" in words(capsys)
    assert phases(place) == {Phase.FROZEN}
    assert run(*live, "--yes") == 0
    assert phases(place) == {Phase.LIVE}


@pytest.mark.parametrize("answer", [True, False])
def test_at_a_terminal_somebody_says_yes(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("kogge.terminal.options.confirmed", lambda text: asked.append(text) or answer)
    sign("--stage", "cutover")
    into(place, Phase.FROZEN)
    assert run("phase", "live", "-w", "w", *BY, "--reason", "no hooks here") == (0 if answer else 2)
    assert asked == ["2 mailboxes go live, for good. Do they?"]
    assert phases(place) == {Phase.LIVE if answer else Phase.FROZEN}


def test_who_skips_the_freeze_says_why(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sign("--stage", "cutover")
    capsys.readouterr()
    leap = ("phase", "live", "-w", "w", *BY, "--from-staging", "--yes")
    assert run(*leap) == 2
    assert "--reason: is missing or empty; 2 mailboxes are in staging; an auditor will ask" in words(capsys)
    assert run(*leap, "--reason", "a pilot of two") == 0
    with closing(opened(place)) as ledger:
        moves = [event.detail for event in ledger.events("w") if event.kind == "phase"]
    assert [(one["phase"], one["reason"]) for one in moves] == [("live", "a pilot of two")] * 2


def test_a_phase_that_a_pass_found_is_a_fact_and_needs_no_signature(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a backup was put back, that somebody is live already has to be written down soon."""
    with closing(opened(place)) as ledger:
        found, other = (row.id for row in ledger.mailboxes("w"))
        ledger.event("w", "phase-behind", {"moves": 5}, subject=found)
    live = ("phase", "live", *WHY, "--yes", "-m")
    assert run(*live, other) == 1
    assert NOBODY in words(capsys)
    assert run(*live, found) == 0
    assert phases(place) == {Phase.STAGING, Phase.LIVE}


def test_who_was_left_out_of_an_approval_is_not_cut_over(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(opened(place)) as ledger:
        out, _ = (row.id for row in ledger.mailboxes("w"))
        keep_checks(ledger, [Check(out, "directory", "login-refused", 20, 3_000_000)])
    sign("--stage", "cutover", "--accept-not-ready")
    capsys.readouterr()
    assert run("phase", "frozen", "-m", out, *BY) == 1
    assert "it was not ready when its wave was approved" in words(capsys)
    config = load(place / "kogge.toml")
    with closing(opened(place)) as ledger:
        for row in ledger.mailboxes("w"):
            if row.id != out:
                permit_mailbox(config, ledger, row)
        with pytest.raises(Blocked, match="was not ready"):
            permit_mailbox(config, ledger, ledger.mailbox(out))


def test_each_leg_of_a_repair_asks_for_itself(place: Path) -> None:
    """Whoever starts it: what a repair finds at the source it writes to the target."""
    config = load(place / "kogge.toml")
    with closing(opened(place)) as ledger:
        numbers = [leg.id for leg in ledger.legs("w")]
    order = Repair(What.FLAGS, execute=True)
    run_repair(config, numbers[0], order)
    assert order.code == NOBODY
    sign()
    with closing(opened(place)) as ledger:
        assert refuse_unapproved_mailbox(config, ledger, ledger.mailboxes("w")[0], START) is not None


def test_a_check_says_that_it_is_not_what_was_signed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sign()
    capsys.readouterr()
    with closing(opened(place)) as ledger:
        first = ledger.mailboxes("w")[0].id
        keep_checks(ledger, [Check(first, None, "tls-failed", 20, 3_000_000)])
    run("check", "-w", "w")
    told = words(capsys)
    assert "wave w: this is not what Anna and Bernd signed, so no run of it begins." in told
    assert run("migrate", "-w", "w") == 1
    assert "only by what a check found" in words(capsys)
    with closing(opened(place)) as ledger:
        keep_checks(ledger, [Check(first, "directory", None, 20, 3_000_000)])
    run("check", "-w", "w")
    assert "this is not what" not in words(capsys)
    assert run("approvals", "-w", "w") == 0, "they count again"


@pytest.mark.parametrize("phase", ["frozen", "live"])
@pytest.mark.parametrize("required", [2, 0])
@pytest.mark.parametrize(
    "command", [("check", "-w", "w"), ("migrate", "-w", "w"), ("approve", "-w", "w", "--list", "plan.json")]
)
def test_a_list_moves_nobody_to_where_a_cutover_leads(
    place: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], required: int, phase: str
) -> None:
    """Whoever writes the list could have the mail proxy lead a person to an empty account: nobody signs a
    phase. required: of the configuration; the ledger is held to 2."""
    config = place / "kogge.toml"
    with closing(opened(place)) as ledger:
        pin_at_start(load(config), ledger, "w")
    config.write_text(config.read_text().replace("[approval]\n", f"[approval]\nrequired = {required}\n", 1))
    known = f"a@old.example,a@new.example,w,{phase}\nb@old.example,b@new.example,w,\n"
    new = f"c@old.example,c@new.example,w,{phase}\n"
    (place / "mailboxes.csv").write_text(f"source,target,wave,phase\n{known}{new}")
    capsys.readouterr()
    code, told = run(*command), words(capsys)
    refused = "mailboxes.csv:4: phase: frozen and live take the approvals of the stage cutover"
    assert code == 2
    assert refused in told or (command[0] == "migrate" and not required and "asks for less" in told)
    assert "mailboxes.csv:2" not in told, "of a mailbox that is known the column is not read"
    with closing(opened(place)) as ledger:
        assert [row.phase for row in ledger.mailboxes()] == [Phase.STAGING] * 2
