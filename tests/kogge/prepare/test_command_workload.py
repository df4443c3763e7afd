"""`--workload`: only what is asked for runs; and what a pass tells of its work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import run
from lonely import settle

from engine.config.load import load
from engine.config.template import write_new
from kogge.prepare.practice_servers import practising
from model.kinds import Kind

PIM = 4
EVERY = f"--workload: unknown; give {', '.join(sorted(Kind)[:-1])} or {sorted(Kind)[-1]}\n"
ZEROS = {"new": 0, "replaced": 0, "amended": 0, "withdrawn": 0, "shared": 0}


@pytest.mark.parametrize("command", ["migrate", "verify", "retry", "status", "failures", "failures --losses"])
@pytest.mark.parametrize(
    ("workload", "message"),
    [
        ("calender", "--workload: unknown; did you mean calendar?\n"),
        ("rights", EVERY),
        ("", EVERY),
        ("tasks", "--workload: no [target.tasks] is configured\n"),
    ],
)
def test_a_workload_that_cannot_be(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    workload: str,
    message: str,
) -> None:
    settle(tmp_path, monkeypatch)
    assert run(*command.split(), "--workload", "mail", "--workload", workload) == 2
    assert capsys.readouterr().err == message


def test_help_shows_brackets_that_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--help") == 0
    assert "two accounts of [invitation_probe]" in " ".join(capsys.readouterr().out.split())


def test_a_configuration_that_is_not_there_is_named_by_its_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "other" / "kogge.toml"
    assert run("check", "--config", str(missing)) == 2
    assert capsys.readouterr().err.startswith(f"{missing}: no such file")


@pytest.fixture
def place(tmp_path: Path, settle_prefect: Callable[[Path], Path]) -> Iterator[Path]:
    with practising(people=1, items=5, seed=7, pim=PIM, prefect_port=0) as stage:
        write_new(tmp_path, stage.files(required=0))
        settle_prefect(load(tmp_path / "kogge.toml").state_directory)
        yield tmp_path
        program(tmp_path, "server", "down")


def program(place: Path, *arguments: str) -> tuple[int, str]:
    """A process of its own, as an operator starts it: Prefect keeps threads of a process busy."""
    kogge = str(Path(sys.executable).with_name("kogge"))
    done = subprocess.run(
        [kogge, *arguments], cwd=place, capture_output=True, text=True, timeout=150, check=False
    )
    assert "Traceback" not in done.stderr
    sys.stderr.write(done.stderr)  # shown where a test fails
    return done.returncode, done.stdout


@pytest.mark.prefect
def test_only_that_workload_runs(place: Path) -> None:
    code, shown = program(place, "migrate", "--workload", "tasks", "--json")
    first = json.loads(shown)
    assert code == 0
    assert [leg["workload"] for leg in first["legs"]] == ["tasks"]
    assert first["pass"] == {**ZEROS, "new": PIM}
    states = {one["workload"]: one["state"] for one in status(place)}
    assert states.pop("tasks") == "verified"
    assert set(states.values()) == {"pending"}
    code, shown = program(place, "migrate", "--workload", "tasks")
    assert code == 0
    assert "this pass: 0 copied, 0 replaced, 0 amended, 0 withdrawn" in shown.splitlines()
    code, shown = program(place, "verify", "--workload", "tasks", "--json")
    verified = json.loads(shown)
    assert (code, verified["pass"]) == (0, None)
    assert [leg["workload"] for leg in verified["legs"]] == ["tasks"]


def status(place: Path) -> list[dict[str, str]]:
    _, shown = program(place, "status", "--json")
    ships: list[dict[str, str]] = json.loads(shown)["list"]
    return ships


def test_practice_up_without_people_s_calendars(tmp_path: Path) -> None:
    kogge = str(Path(sys.executable).with_name("kogge"))
    command = [kogge, "practice", "up", "run", "--people", "1", "--items", "3", "--pim", "0", "--plain", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        while not server.stdout.readline().startswith("configuration"):
            assert server.poll() is None, "it ended too early"
        code, shown = program(tmp_path / "run", "discover", "--json")
        looked, checked = program(tmp_path / "run", "check", "--json")
        server.terminate()
        server.wait(timeout=30)
    kinds = {"calendar": 0, "contacts": 0, "mail": 3, "notes": 0, "tasks": 0}
    assert (code, looked) == (0, 0)
    for one in [*json.loads(shown), *json.loads(checked)["mailboxes"]]:
        # Where Dovecot has Pigeonhole, rules and rights are there, too.
        assert {kind: count for kind, count in one["kinds"].items() if kind in kinds} == kinds
