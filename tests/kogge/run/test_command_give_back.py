"""`kogge give-back` on two accounts of a real Dovecot, with hooks that are programs: a person works at the
source again, wherever their cutover stopped."""

from __future__ import annotations

import itertools
import json
import sys
from contextlib import closing
from pathlib import Path

import pytest
from commands import run
from town import Town, configure, dovecot
from walking import letter

from engine.config.load import load
from engine.control.ledger_access import opened_ledger
from engine.cutover.steps import UNDO
from kogge.run.rollback import Run
from ledger.db.rows import Phase
from ledger.db.schema import leg as leg_table
from ledger.db.schema import step as step_table
from ledger.leg.cutover_steps import BACK, Steps
from model.errors import Blocked

pytestmark = [
    pytest.mark.dovecot,
    # Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PROGRAM = """
import pathlib, sys
what, here = sys.argv[1], pathlib.Path(sys.argv[2])
with open(here / "hooks.log", "a") as log:
    log.write(what + "\\n")
sys.exit(4 if (here / f"fail-{what}").exists() else 0)
"""
HOOKS = """
[gate]
directory = "people.csv"
[approval]
required = 0
[[hooks.freeze]]
name = "redirect"
command = ["{python}", "{program}", "redirect", "{folder}"]
attempts = 1
undo = {{ command = ["{python}", "{program}", "undo", "{folder}"] }}
[[hooks.release]]
name = "open"
command = ["{python}", "{program}", "open", "{folder}"]
attempts = 1
"""
ITEMS = 3
BY = ("--by", "Night shift")
WHY = ("--reason", "cannot log in")
_fresh = itertools.count()
__all__ = ["dovecot"]


@pytest.fixture
def town(tmp_path: Path, dovecot, monkeypatch: pytest.MonkeyPatch) -> Town:
    program = tmp_path / "hook.py"
    program.write_text(PROGRAM)
    hooks = HOOKS.format(python=sys.executable, program=program, folder=tmp_path)
    configure(tmp_path, dovecot, monkeypatch, hooks)
    return Town.settled(tmp_path, dovecot, next(_fresh), {"anna": "pilot"}, ITEMS)


def phase(town: Town) -> Phase:
    with closing(town.ledger()) as ledger:
        return ledger.mailbox(town.ids["anna"]).phase


def hooks(town: Town) -> list[str]:
    log = town.folder / "hooks.log"
    return log.read_text().split() if log.exists() else []


def anna(town: Town) -> tuple[str, str]:
    return "-m", town.ids["anna"]


def fail(town: Town, what: str) -> Path:
    (town.folder / f"fail-{what}").write_text("")
    return town.folder / f"fail-{what}"


def test_somebody_live_is_given_back_and_keeps_what_is_theirs(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cutover", *anna(town), *BY) == 0
    town.deliver(town.targets["anna"], letter(70))
    capsys.readouterr()
    assert run("give-back", *anna(town), "--dry-run") == 0
    shown = capsys.readouterr()
    assert "what Kogge wrote is taken back, hooks undone, then staging" in " ".join(shown.out.split())
    assert "would be removed" in shown.out
    assert "not ours: it stays" in shown.out
    assert f"To do it: kogge give-back -m {town.ids['anna']} --by NAME --reason TEXT" in shown.err
    assert (phase(town), hooks(town), town.messages("anna")) == (Phase.LIVE, ["redirect", "open"], ITEMS + 1)
    assert run("give-back", *anna(town), *BY) == 2, "nobody approved a rollback"
    assert "--reason: is missing; nobody approved this rollback yet" in capsys.readouterr().err
    assert run("give-back", *anna(town), *BY, *WHY) == 0
    told = capsys.readouterr().err
    assert "given back; undone: redirect; it is in staging" in told
    assert "Undo by hand, it has no undo in the configuration: open (1 mailbox)" in told
    assert f"listed by: kogge rollback -m {town.ids['anna']} --csv stays.csv" in told
    first = (
        f"added may stay there: kogge approve target-not-empty -m {town.ids['anna']} --by NAME --reason TEXT"
    )
    assert f"{first}\nTo move them once more: kogge retry -m {town.ids['anna']} and" in told
    assert (phase(town), hooks(town)[-1], town.messages("anna")) == (Phase.STAGING, "undo", 1)
    assert run("rollback", *anna(town), "--csv", "stays.csv") == 0
    assert [line.split(",")[2] for line in Path("stays.csv").read_text().splitlines()[1:]] == ["added"]
    assert run("give-back", *anna(town), *BY) == 0
    assert "its user works at the source already" in capsys.readouterr().err
    with closing(town.ledger()) as ledger:
        ledger.verify_events()


def test_a_look_at_servers_that_are_down_leads_to_nothing(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cutover", *anna(town), *BY) == 0
    capsys.readouterr()
    town.lose_server()
    assert run("give-back", *anna(town), "--dry-run") == 3
    shown = capsys.readouterr()
    assert "unknown" in shown.out
    assert "0  would be removed" not in shown.out
    assert "server-unreachable (1): " in shown.out
    assert "\n  127.0.0.1:1: " in shown.out
    assert "To do it" not in shown.err
    assert "Nothing was done. What would be is not known in full." in shown.err


def test_an_undo_that_fails_is_begun_again_without_another_approval(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cutover", *anna(town), *BY) == 0
    fails = fail(town, "undo")
    assert run("give-back", *anna(town), *BY, *WHY) == 1
    told = capsys.readouterr()
    assert "not given back (hook-failed)" in told.err
    assert f"To go on: kogge give-back -m {town.ids['anna']} --by NAME" in told.err
    assert (phase(town), town.messages("anna")) == (Phase.LIVE, 0)
    fails.unlink()
    assert run("give-back", *anna(town), *BY, "--json") == 0
    (one,) = json.loads(capsys.readouterr().out)["mailboxes"]
    assert (one["phase"], one["way"], one["code"]) == ("staging", "undo", "")
    assert phase(town) is Phase.STAGING


@pytest.mark.parametrize(("fails", "left"), [("redirect", ITEMS), ("open", 0)])
def test_whose_hook_failed_is_given_back(
    town: Town, fails: str, left: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the release nothing is taken back; after it somebody may have worked there."""
    fail(town, fails)
    assert run("cutover", *anna(town), *BY) == 1
    before = hooks(town)
    capsys.readouterr()
    assert run("cutover", *anna(town), "--back", "--dry-run", "--json") == (1 if fails == "open" else 0)
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["way"], one["undo"]) == (("roll-back", []) if fails == "open" else ("undo", ["redirect"]))
    assert hooks(town) == before
    assert run("give-back", *anna(town), *BY, *WHY) == 0
    assert (phase(town), hooks(town)[-1], town.messages("anna")) == (Phase.STAGING, "undo", left)
    with closing(town.ledger()) as ledger:
        kinds = [event.kind for event in ledger.events("pilot")]
        (told,) = [event.detail for event in ledger.events("pilot") if event.kind == "cutover-taken-back"]
    assert (told["by"], told["reason"], told["mailboxes"]) == (BY[1], WHY[1], 1)
    ends = ["give-back-begun", "cutover-back-begun", "given-back", "cutover-taken-back"]
    assert [kind for kind in kinds if kind in ends] == ends


def test_who_was_given_back_is_left_out_until_a_cutover_names_them(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(town, "redirect")
    assert run("cutover", "--wave", "pilot", *BY) == 1
    assert run("give-back", *anna(town), *BY) == 0
    assert f"their time has come: kogge cutover -m {town.ids['anna']} --by NAME" in capsys.readouterr().err
    (town.folder / "fail-redirect").unlink()
    begun = hooks(town)
    assert run("cutover", "--wave", "pilot", "--dry-run", "--json") == 1
    assert json.loads(capsys.readouterr().out)["mailboxes"][0]["code"] == "given-back"
    assert run("cutover", "--wave", "pilot", *BY) == 1
    assert "given-back (1): " in capsys.readouterr().out
    assert (phase(town), hooks(town)) == (Phase.STAGING, begun)
    assert run("cutover", *anna(town), "--dry-run") == 0
    assert run("cutover", *anna(town), *BY) == 0
    assert phase(town) is Phase.LIVE
    assert run("give-back", *anna(town), *BY) == 2, "without a reason nothing is given back"
    capsys.readouterr()
    assert run("cutover", "--wave", "pilot", *BY) == 0, "and nobody is left out for it"


def test_a_give_back_that_was_interrupted_is_named_until_it_has_ended(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cutover", *anna(town), *BY) == 0
    fails = fail(town, "undo")
    assert run("give-back", *anna(town), *BY, *WHY) == 1
    with closing(town.ledger()) as ledger:  # as a kill leaves it, before the first undo was begun
        steps = Steps(ledger)
        undone = [one.name for one in steps.all(town.ids["anna"]) if one.name.startswith((BACK, UNDO))]
        steps.forget(town.ids["anna"], undone)
    capsys.readouterr()
    assert run("status") == 1
    told = capsys.readouterr().out
    assert "kogge give-back" in told
    assert "kogge retry" not in told, "what was taken back must not come back while its hooks are in force"
    assert_stopped(town, "giving-back", capsys)
    assert run("show", town.ids["anna"]) == 0
    shown = capsys.readouterr().out
    assert "giving-back" in shown
    assert f"kogge give-back -m {town.ids['anna']} --by NAME" in " ".join(shown.split())
    assert run("retry", *anna(town)) == 1, "what Kogge wrote must not come back meanwhile"
    assert "giving-back" in capsys.readouterr().err
    assert run("retry", "--wave", "pilot") == 0
    assert town.messages("anna") == 0
    fails.unlink()
    assert run("give-back", *anna(town), *BY) == 0
    assert run("retry", *anna(town)) == 0


def assert_stopped(town: Town, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every screen of a cutover names it, and ends with 1."""
    for whose in (("--wave", "pilot"), anna(town)):
        for options in (("--status",), ("--dry-run",), BY):
            assert run("cutover", *whose, *options) == 1, options
            shown = capsys.readouterr()
            assert code in shown.out
            assert "To go on: " not in shown.err
        assert f"kogge give-back -m {town.ids['anna']} --by NAME" in shown.err


def test_a_rollback_of_somebody_live_that_was_interrupted_is_no_cutover_that_ended(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cutover", *anna(town), *BY) == 0
    for code in ("rolling-back", "rolled-back"):
        with closing(town.ledger()) as ledger, ledger.engine.begin() as connection:
            connection.execute(leg_table.update().values(state="blocked", code=code))
        capsys.readouterr()
        assert_stopped(town, code, capsys)
        assert run("status") == 1


def test_nothing_is_taken_back_while_hooks_could_not_be_undone(
    town: Town, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that a hook needs is missing: the account must not be emptied and stay redirected."""
    assert run("cutover", *anna(town), *BY) == 0
    config = Path("kogge.toml")
    settings = config.read_text()
    config.write_text(settings + '[hooks]\nenvironment = ["IDM_TOKEN"]\n')
    assert run("give-back", *anna(town), *BY, *WHY) == 2
    assert "hooks.environment: is not set here: IDM_TOKEN" in capsys.readouterr().err
    assert (phase(town), town.messages("anna")) == (Phase.LIVE, ITEMS)
    config.write_text(settings.replace('name = "redirect"', 'name = "reroute"'))
    assert run("give-back", *anna(town), "--dry-run", "--json") == 0
    (one,) = json.loads(capsys.readouterr().out)["mailboxes"]
    assert (one["undo"], one["by_hand"]) == ([], ["open", "redirect"]), "nobody forgets what was begun"


@pytest.mark.parametrize("back", [False, True])
def test_nothing_is_told_or_recorded_as_done_for_who_is_live(
    planned: str, capsys: pytest.CaptureFixture[str], back: bool
) -> None:
    config = load(Path("kogge.toml"))
    with opened_ledger(config) as ledger:
        ledger.set_phase(planned, Phase.LIVE, "tester")
        before = [event.kind for event in ledger.events("pilot")]
    assert run("cutover", "--wave", "pilot", *BY, *(["--back"] if back else [])) == (1 if back else 0)
    told = capsys.readouterr()
    assert "mailbox go" not in told.err
    assert "Nothing goes back:" in told.err if back else "Nothing goes over:" in told.err
    assert "live-phase" in told.out if back else "1 live" in told.out
    with opened_ledger(config) as ledger:
        assert [event.kind for event in ledger.events("pilot")] == before


def test_a_cutover_that_nobody_is_at_ends_its_status_with_1(
    planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cutover", "--wave", "pilot", "--status") == 0
    with opened_ledger(load(Path("kogge.toml"))) as ledger:
        ledger.set_phase(planned, Phase.FROZEN, "tester")
        Steps(ledger).begin(planned, "delta", "a worker that is gone")
    with opened_ledger(load(Path("kogge.toml"))) as ledger, ledger.engine.begin() as connection:
        connection.execute(step_table.update().values(at=0.0))
    capsys.readouterr()
    for whose in (("--wave", "pilot"), ("-m", planned)):
        assert run("cutover", *whose, "--status") == 1
        shown = capsys.readouterr().out
        row = next(line for line in shown.splitlines() if planned in line)
        assert row.split()[-1] == "cutover-stopped"
        assert "cutover-stopped (1): Nobody is at work on its cutover: go on (`kogge cutover`)" in shown
    assert run("cutover", "--wave", "pilot", "--status", "--json") == 1
    (one,) = json.loads(capsys.readouterr().out)
    assert one["stop"] == {"code": "cutover-stopped", "step": "delta", "detail": None, "locked": True}


def test_a_give_back_that_removed_nothing_is_recorded_as_begun_alone(
    planned: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kogge.run.give_back.run_rollback", lambda *_: Run([], 1, (), None))
    config = load(Path("kogge.toml"))
    with opened_ledger(config) as ledger:
        ledger.set_phase(planned, Phase.LIVE, "tester")
    for _ in range(2):
        assert run("give-back", "-m", planned, *BY, *WHY) == 130
    capsys.readouterr()
    assert run("show", planned) == 0
    shown = capsys.readouterr().out
    assert shown.count("give-back-begun by Night shift") == 1
    assert "given-back" not in shown


@pytest.mark.parametrize("before", [False, True])
def test_a_reason_is_used_by_nobody_else_if_nothing_was_begun(
    planned: str, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """What somebody approved before stays approved."""

    def refused(*_: object) -> Run:
        raise Blocked("claimed-elsewhere", "a hook runs")

    monkeypatch.setattr("kogge.run.give_back.run_rollback", refused)
    config = load(Path("kogge.toml"))
    with opened_ledger(config) as ledger:
        ledger.set_phase(planned, Phase.LIVE, "tester")
        if before:
            ledger.approve(planned, "rollback", "Anna", "the wrong account")
    assert run("give-back", "-m", planned, *BY, *WHY) == 1
    with opened_ledger(config) as ledger:
        assert ledger.approved(planned, "rollback") is before
    assert run("give-back", "-m", planned, *BY) == (1 if before else 2)


def test_a_decision_takes_no_line(planned: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("give-back", "-m", "1", *BY, *WHY) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        "--mailbox: takes an id or an address here, no line, as lines change; `kogge show 1`"
    )


@pytest.mark.parametrize("options", [(), ("-m", "m-00000000", *BY), BY])
def test_giving_back_is_of_somebody_by_somebody(planned: str, options: tuple[str, ...]) -> None:
    assert run("give-back", *options) == 2
    assert run("give-back", "-m", planned) == 2
    assert run("give-back", "-m", planned, *BY) == 0, "nothing was begun"
