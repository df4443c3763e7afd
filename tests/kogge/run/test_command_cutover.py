"""`kogge cutover` as a command, with hooks that are programs, from one real Dovecot account to another; and
late mail after it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from commands import run
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prefect.settings import PREFECT_API_URL, temporary_settings
from scripted import serving
from servers.dovecot import Dovecot
from sqlalchemy import update
from town import MASTER, configure, dovecot
from town import Town as AnyTown
from walking import letter
from whole_tables import every_row

import engine.cutover.run_many
from engine.assembly import build_leg
from engine.config.load import Config, load
from engine.leg.run import Leg
from ledger.db.rows import LegState, Outcome, Phase
from ledger.db.schema import wave as wave_table
from ledger.leg.cutover_steps import CUTOVER_NAMED, GIVE_BACK_ENDED
from ledger.plan.waves import WaveRow, Waves
from model.signing_keys import line_of

pytestmark = [
    pytest.mark.dovecot,
    # Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PEOPLE = ("anna", "bert")
HOOKS = """
[gate]
directory = "people.csv"
[approval]
required = 0
[[hooks.freeze]]
name = "redirect"
command = ["{python}", "{program}", "redirect", "{{mailbox}}"]
attempts = 1
undo = {{ command = ["{python}", "{program}", "undo", "{{mailbox}}"] }}
[[hooks.release]]
name = "open"
command = ["{python}", "{program}", "open", "{{mailbox}}"]
attempts = 1
"""
PROGRAM = """
import os, pathlib, sys, time
what, mailbox = sys.argv[1:]
here = pathlib.Path({folder!r})
with open(here / "hooks.log", "a") as log:
    log.write(f"{{what}} {{os.environ['KOGGE_SOURCE']}}\\n")
print("a secret of", os.environ["KOGGE_TARGET"], flush=True)
while (here / f"slow-{{what}}").exists():
    time.sleep(0.05)
if (here / f"fail-{{what}}-{{mailbox}}").exists():
    sys.exit(4)
"""
STEPS = [
    "freeze:redirect", "frozen", "delta", "verification", "score", "release", "release:open", "live",
]  # fmt: skip
ITEMS = 3
_fresh = itertools.count()
BY = ("--by", "Cutover team")
__all__ = ["dovecot"]


class Town(AnyTown):
    """Two people of one wave, with hooks."""

    def phases(self) -> dict[str, Phase]:
        with closing(self.ledger()) as ledger:
            return {who: ledger.mailbox(number).phase for who, number in self.ids.items()}

    def hooks(self) -> list[str]:
        log = self.folder / "hooks.log"
        return log.read_text().splitlines() if log.exists() else []

    def put(self, name: str) -> Path:
        (self.folder / name).write_text("")
        return self.folder / name


@pytest.fixture
def town(tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Town:
    program = tmp_path / "hook.py"
    program.write_text(PROGRAM.format(folder=str(tmp_path)))
    configure(tmp_path, dovecot, monkeypatch, HOOKS.format(python=sys.executable, program=program))
    return Town.settled(tmp_path, dovecot, next(_fresh), dict.fromkeys(PEOPLE, "pilot"), ITEMS)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, object]]:
    """The steps of `kogge cutover --status`, by mailbox and step."""
    capsys.readouterr()
    assert run("cutover", "--wave", "pilot", "--status", "--json", *arguments) in (0, 1)
    told = json.loads(capsys.readouterr().out)
    return {one["mailbox"]: {step["step"]: step for step in one["steps"]} for one in told}


def test_mail_that_the_redirection_delivers_during_the_delta(
    town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two mails reach the new account while its delta is written; the other person gets none."""
    build = engine.cutover.run_many.build_leg
    town.deliver(town.sources["anna"], letter(50))
    waiting = [letter(60), letter(61)]

    def build_leg(config: Config, leg: int, *options: Any, **asked: Any) -> Leg:
        if waiting:
            town.deliver(town.targets["anna"], waiting.pop())
        return build(config, leg, *options, **asked)

    monkeypatch.setattr("engine.cutover.run_many.build_leg", build_leg)
    assert run("cutover", "-m", town.ids["anna"], *BY) == 0
    assert town.phases()["anna"] is Phase.LIVE
    assert town.messages("anna") == ITEMS + 3
    capsys.readouterr()
    assert run("report", "--wave", "pilot", "--json") in (0, 1)
    with closing(town.ledger()) as ledger:
        (leg,) = (one for one in ledger.summary("pilot") if one.mailbox == town.ids["anna"])
    assert leg.findings == {(Outcome.DELIVERED, ""): 2}


def test_a_wave_goes_live(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    town.deliver(town.sources["anna"], letter(50))
    assert run("cutover", "--wave", "pilot", "--dry-run") == 0
    assert "would go on" in capsys.readouterr().out
    assert not town.hooks()
    assert run("cutover", "--wave", "pilot", *BY) == 0
    told = capsys.readouterr()
    assert "2 live" in told.out
    assert "Next: kogge migrate --wave pilot brings late mail" in told.err
    assert set(town.phases().values()) == {Phase.LIVE}
    assert town.messages("anna") == ITEMS + 1
    for who in PEOPLE:
        assert [one for one in town.hooks() if town.sources[who] in one] == [
            f"redirect {town.sources[who]}",
            f"open {town.sources[who]}",
        ]
    steps = shown(capsys)[town.ids["anna"]]
    assert list(steps) == STEPS
    assert steps["score"]["code"] == "perfect"
    assert run("cutover", "--wave", "pilot", "--status") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    (anna,) = (row for row in rows if row[:1] == [town.ids["anna"]])
    assert (anna[1], anna[3], anna[-2:]) == ("live", "done", ["perfect", "0"])
    assert run("cutover", "-m", town.ids["anna"], "--status") == 0
    one = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert all([name, "done"] in one for name in STEPS)
    assert run("cutover", "-m", town.ids["anna"], "--back", *BY) == 1
    assert f"kogge give-back -m {town.ids['anna']} --dry-run looks" in capsys.readouterr().err
    with closing(town.ledger()) as ledger:
        ledger.verify_events()
        assert "cutover" in [event.kind for event in ledger.events("pilot")]


def test_all_missing_secrets_are_named_before_anybody_is_frozen(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    file = town.folder / "kogge.toml"
    whole = file.read_text()
    own = f'{{ env = "{MASTER}" }}'
    file.write_text(
        whole.replace(own, '{ env = "KOGGE_TEST_OLD" }', 1).replace(own, '{ env = "KOGGE_TEST_NEW" }')
    )
    capsys.readouterr()
    assert run("cutover", "--wave", "pilot", *BY) == 2
    told = capsys.readouterr().err
    assert "source.password: secret from env KOGGE_TEST_OLD is not set; " in told
    assert "target.mail.password: secret from env KOGGE_TEST_NEW is not set" in told
    assert not town.hooks()
    assert set(town.phases().values()) == {Phase.STAGING}
    file.write_text(whole)
    assert run("cutover", "--wave", "pilot", *BY) == 0


def test_secrets_of_hooks_are_named_with_those_of_servers(
    town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(MASTER)
    with (town.folder / "kogge.toml").open("a") as file:
        for name in ("ONE", "TWO"):
            header = f'headers = {{ Authorization = {{ env = "KOGGE_TEST_{name}" }} }}'
            file.write(f'[[hooks.release]]\nname = "{name.lower()}"\nurl = "https://h.example/"\n{header}\n')
    capsys.readouterr()
    assert run("cutover", "--wave", "pilot", *BY) == 2
    told = capsys.readouterr().err
    assert [name in told for name in ("KOGGE_TEST_ONE", "KOGGE_TEST_TWO", MASTER)] == [True] * 3
    assert told.count(MASTER) == 2
    assert not town.hooks()


def test_what_a_hook_says_stays_in_its_file(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cutover", "--wave", "pilot", *BY) == 0
    told = capsys.readouterr()
    assert "secret" not in told.out + told.err
    logs = town.folder / "kogge-state" / "logs" / "hooks"
    own = logs / f"{town.ids['anna']}.redirect.log"
    assert f"a secret of {town.targets['anna']}" in own.read_text()
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert stat.S_IMODE(logs.stat().st_mode) == 0o700
    with closing(town.ledger()) as ledger:
        assert "secret" not in str([dict(event.detail) for event in ledger.events("pilot")])


def test_a_hook_that_fails_stops_one_mailbox(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    fails = town.put(f"fail-redirect-{town.ids['anna']}")
    assert run("cutover", "--wave", "pilot", *BY) == 1
    told = capsys.readouterr()
    assert "hook-failed (1): A hook of its cutover" in told.out
    assert "To go on: kogge cutover --wave pilot --by 'Cutover team'\n" in told.err
    assert "--back" not in told.err, "nothing is frozen"
    assert town.phases() == {"anna": Phase.STAGING, "bert": Phase.LIVE}
    step = shown(capsys)[town.ids["anna"]]["freeze:redirect"]
    assert (step["state"], step["code"]) == ("failed", "exit-4")
    fails.unlink()
    assert run("cutover", "--wave", "pilot", *BY) == 0
    assert town.phases()["anna"] is Phase.LIVE


def test_what_froze_it_is_undone(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    town.put(f"fail-open-{town.ids['bert']}")
    town.put(f"fail-redirect-{town.ids['anna']}")
    assert run("cutover", "--wave", "pilot", *BY) == 1
    assert town.phases() == {"anna": Phase.STAGING, "bert": Phase.FROZEN}
    back = "Or back, what is frozen and not released: kogge cutover --wave pilot --back --by 'Cutover team'"
    told = capsys.readouterr().err
    assert back in told
    assert f"Or back, released or not: kogge give-back -m {town.ids['bert']} --dry-run" in told
    assert run("status", "--json") == 1, "all is verified, and two cutovers have stopped"
    assert json.loads(capsys.readouterr().out)["cutovers_stopped"] == 2
    assert run("cutover", "-m", town.targets["anna"], "--back", *BY) == 0
    told = capsys.readouterr().err
    assert f"Next: kogge migrate -m {town.ids['anna']} brings what changed" in told
    assert "cutover begins anew" in told
    assert town.hooks()[-1] == f"undo {town.sources['anna']}"
    assert run("cutover", "-m", town.ids["bert"], "--back", *BY) == 1, "what was released goes on"
    told = capsys.readouterr().err
    assert f"kogge cutover -m {town.ids['bert']} --by NAME" in told
    assert f"kogge give-back -m {town.ids['bert']} --dry-run" in told
    assert town.phases() == {"anna": Phase.STAGING, "bert": Phase.FROZEN}


def test_a_process_that_dies_in_a_hook_is_followed_at_once(town: Town) -> None:
    """The hook that nobody saw the end of is run again, without waiting for its time to be over."""
    slow = town.put("slow-redirect")
    command = [sys.executable, "-c", "from kogge.app import main; main()"]
    process = subprocess.Popen([*command, "cutover", "-m", town.ids["anna"], *BY], start_new_session=True)
    for _ in range(600):
        if town.hooks():
            break
        time.sleep(0.1)
    assert town.hooks() == [f"redirect {town.sources['anna']}"]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert town.phases()["anna"] is Phase.STAGING
    slow.unlink()
    began = time.monotonic()
    assert run("cutover", "-m", town.ids["anna"], *BY) == 0
    assert time.monotonic() - began < 45
    assert [one.split()[0] for one in town.hooks()] == ["redirect", "redirect", "open"]


def test_nothing_begins_without_the_second_approval(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    config = town.folder / "kogge.toml"
    line = line_of(Ed25519PrivateKey.generate())
    named = f'[approval]\nrequired = 1\n[approval.approvers]\nAnna = "{line}"\n'
    config.write_text(config.read_text().replace("[approval]\nrequired = 0\n", named))
    assert run("cutover", "--wave", "pilot", *BY) == 1
    assert "--stage cutover" in capsys.readouterr().err
    assert not town.hooks()
    assert set(town.phases().values()) == {Phase.STAGING}
    assert shown(capsys) == {number: {} for number in town.ids.values()}


@pytest.mark.parametrize(
    "wrong", [(), ("--wave", "pilot"), ("--wave", "pilot", "--back", "--status"), ("--wave", "x", *BY)]
)
def test_what_cannot_be_meant(town: Town, wrong: tuple[str, ...]) -> None:
    assert run("cutover", *wrong) == 2
    assert not town.hooks()


def test_a_paused_wave_does_not_begin(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(town.ledger()) as ledger:
        Waves(ledger).put([WaveRow("pilot")])
        with ledger.engine.begin() as connection:
            connection.execute(update(wave_table).values(paused=True))
    assert run("cutover", "--wave", "pilot", "--dry-run") == 1
    assert run("cutover", "--wave", "pilot", *BY) == 3
    assert "kogge resume --wave pilot" in capsys.readouterr().err
    assert not town.hooks()


@pytest.fixture(scope="module")
def prefect(prefect_state: Callable[[], Path]) -> Iterator[tuple[str, Path]]:
    """A local Prefect server's API, and its database."""
    state = prefect_state()
    with serving(state) as running:
        yield running.api, state


def flow(town: Town, api: str, *mailboxes: str) -> tuple[str, str]:
    """The name and message of the state in which the flow ends for the wave, or for these mailboxes of it."""
    from flows.cutover import CutoverParameters, cutover

    given = {"KOGGE_CONFIG": str(town.folder / "kogge.toml")}
    with temporary_settings({PREFECT_API_URL: api}), patch.dict(os.environ, given):
        form = CutoverParameters(wave="pilot", mailboxes=list(mailboxes))
        ended = asyncio.run(cutover(form, return_state=True))
    return str(ended.name), str(ended.message)


def test_the_flow_and_what_prefect_knows_of_it(town: Town, prefect: tuple[str, Path]) -> None:
    api, state = prefect
    fails = town.put(f"fail-redirect-{town.ids['anna']}")
    name, message = flow(town, api)
    assert name == "Incomplete"
    assert message.startswith("1 of 2 mailboxes is not live: hook-failed. 1 mailbox is frozen: ")
    assert f"minutes): {town.ids['anna']}. Next: kogge cutover --wave pilot --status; then: " in message
    assert message.endswith("Or back: kogge cutover --wave pilot --back --by NAME")
    fails.unlink()
    assert flow(town, api) == ("Completed", "1 mailbox is live")
    assert set(town.phases().values()) == {Phase.LIVE}
    assert flow(town, api)[0] == "Failed", "nothing is left to do"
    (database,) = state.rglob("prefect.db")
    name, until = f"{town.ids['anna']}/cutover", time.monotonic() + 60
    while not any(name in row for row in every_row(database)):
        assert time.monotonic() < until  # Prefect records task runs a while after they ended
        time.sleep(0.5)
    rows = list(every_row(database))
    for secret in (*town.sources.values(), *town.targets.values(), "a secret of"):
        assert not [row for row in rows if secret in row]


def test_a_run_of_prefect_lets_nobody_in_again_who_was_given_back(
    town: Town, prefect: tuple[str, Path]
) -> None:
    """Whoever may start runs may name anybody; a person who decides is named by a command."""
    anna = town.ids["anna"]
    with closing(town.ledger()) as ledger:
        ledger.event("pilot", GIVE_BACK_ENDED, {"by": "ada"}, subject=anna)
    name, message = flow(town, prefect[0], anna)
    assert (name, message.startswith("1 of 1 mailbox is not live: given-back")) == ("Incomplete", True)
    with closing(town.ledger()) as ledger:
        assert CUTOVER_NAMED not in [one.kind for one in ledger.events("pilot")]
    assert town.phases()["anna"] is Phase.STAGING
    assert run("cutover", "-m", anna, *BY) == 0
    assert town.phases()["anna"] is Phase.LIVE


def twice(number: int, by: str) -> bytes:
    """One mail as one of two servers received it."""
    head = f"Received: by {by}\r\nMessage-ID:\r\n <both-{number}@x.example>\r\nSubject: {number}\r\n"
    return f"{head}Date: Mon, 1 Feb 2027 10:00:00 +0100\r\n\r\ntext\r\n".encode()


def test_late_mail_that_both_were_delivered_is_there_once(town: Town) -> None:
    assert run("cutover", "-m", town.ids["anna"], *BY) == 0
    town.deliver(town.targets["anna"], twice(1, "new"), folder="Moved by a rule")
    for number in (1, 2):
        town.deliver(town.sources["anna"], twice(number, "old"))
    config = load(Path("kogge.toml"))
    with closing(town.ledger()) as ledger:
        (leg,) = ledger.legs(mailbox=town.ids["anna"])
        for _ in range(2):
            result = build_leg(config, leg.id).run()
            assert (result.state, result.code) == (LegState.VERIFIED, None)
            assert town.messages("anna") == ITEMS + 1
            (summary,) = [one for one in ledger.summary() if one.mailbox == town.ids["anna"]]
            assert summary.skips == {"delivered-already": 1}


def test_a_source_account_that_is_gone(town: Town) -> None:
    assert run("cutover", "-m", town.ids["bert"], *BY) == 0
    town.server.remove_user(town.sources["bert"])
    with closing(town.ledger()) as ledger:
        (leg,) = ledger.legs(mailbox=town.ids["bert"])
        result = build_leg(load(Path("kogge.toml")), leg.id).run()
    assert (result.state, result.code) == (LegState.VERIFIED, "source-gone")
    assert town.messages("bert") == ITEMS


def test_a_live_person_goes_back_to_the_source(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    """What is rolled back stays live, and redirected: that is said, and undone when it is asked for."""
    anna, why = town.ids["anna"], ("--reason", "wrong department")
    assert run("cutover", "-m", anna, *BY) == 0
    assert run("cutover", "-m", anna, "--back", *BY) == 1, "somebody works there"
    capsys.readouterr()
    assert run("rollback", "-m", anna, "--execute", *BY, *why) == 0
    told = capsys.readouterr().err
    assert "1 mailbox is rolled back and still frozen or live; in force: open, redirect." in told
    assert f"kogge give-back -m {anna} --by NAME" in told
    assert "undo " not in " ".join(town.hooks())
    assert run("rollback", "-m", anna, "--execute", "--undo-hooks", *BY, *why) == 0
    told = capsys.readouterr().err
    assert "Nothing of ours is left there: 1 mailbox." in told
    assert f"{anna}: its hooks are undone, it is in staging" in told
    assert "Undo by hand, it has no undo in the configuration: open (1 mailbox)" in told
    assert town.hooks()[-1] == f"undo {town.sources['anna']}"
    assert (town.phases()["anna"], town.messages("anna")) == (Phase.STAGING, 0)
    assert run("retry", "-m", anna) == 0
    assert run("cutover", "-m", anna, *BY) == 1


def test_a_second_rollback_finds_nothing_and_asks_for_no_approval(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    order = ("rollback", "-m", town.ids["anna"], "--execute")
    assert run(*order, *BY, "--reason", "wrong people") == 0
    capsys.readouterr()
    assert run(*order) == 0
    shown = capsys.readouterr()
    assert "Nothing of ours is left there: 1 mailbox." in shown.err
    assert "not-approved" not in shown.out + shown.err


@pytest.mark.parametrize("options", [("--undo-hooks",), ("--undo-hooks", "--execute")])
def test_hooks_are_undone_by_somebody_and_in_earnest(town: Town, options: tuple[str, ...]) -> None:
    assert run("rollback", "-m", town.ids["anna"], *options) == 2
