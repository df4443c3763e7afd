"""`kogge practice work`: who works, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from commands import run

from engine.config.load import load
from engine.control.ledger_access import opened_ledger
from engine.planning.load_plan import plan
from kogge.prepare import practice as command
from kogge.prepare.practice_servers import CONTROL, Stage
from ledger.db.rows import Phase
from practice.harness.control import controlled
from practice.servers.people_at_work import PeopleAtWork
from practice.servers.pymap_server import PymapServer
from practice.world.world import World

PEOPLE = 3


@pytest.fixture
def world() -> World:
    return World(seed=7, people=PEOPLE, items=40, pim=5, nasty=False)


@pytest.fixture
def place(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of a practice world that has no servers but the one that is asked."""
    monkeypatch.chdir(tmp_path)
    imap = PymapServer(1, None)  # type: ignore[arg-type]  # nothing listens at port 1
    with controlled(PeopleAtWork(world, imap, "http://127.0.0.1:1", "secret").answer) as socket:
        one, two, three = world.addresses()
        stage = Stage(
            "http://127.0.0.1:1/EWS", "a", "b", "127.0.0.1", 1, "master-user", "dovecot", "c", "d",
            "http://127.0.0.1:1", "e", [three], plain=[one, two], control=socket,
        )  # fmt: skip
        for name, text in stage.files(required=0).items():
            (tmp_path / name).write_text(text)
        yield tmp_path


def changes(world: World) -> list[int]:
    return [world.mailbox(address).change for address in world.addresses()]


def test_plain_people_are_the_pilot_and_odd_ones_a_wave_of_their_own(place: Path) -> None:
    rows = [line.split(",")[2] for line in (place / "mailboxes.csv").read_text().splitlines()]
    assert rows == ["wave", "pilot", "pilot", "odd"]


def test_a_world_without_plain_people_has_one_wave() -> None:
    stage = Stage("", "", "", "", 1, "", "pymap", "", "", "", "", ["a@x.example"])
    assert stage.waves == {"pilot": ["a@x.example"]}
    assert replace(stage, plain=["b@x.example"], addresses=[]).waves == {"pilot": ["b@x.example"]}
    assert stage.embedded
    assert any("1 mailbox, from a@x.example on" in line for line in stage.lines())


def test_everybody_of_a_wave_works(place: Path, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    before = changes(world)
    assert run("practice", "work", "--wave", "pilot") == 0
    first, second, third = (after - was for after, was in zip(changes(world), before, strict=True))
    assert min(first, second) > 10
    assert third == 0
    shown = capsys.readouterr()
    assert [line.partition(":")[0] for line in shown.out.splitlines()] == ["line 2", "line 3"]
    assert "in 2 mailboxes" in shown.err
    assert "Next: kogge migrate --wave pilot carries over what changed" in shown.err
    assert "@" not in shown.out + shown.err


def test_one_is_named_by_line_id_or_address(
    place: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load(Path("kogge.toml"))
    with opened_ledger(config, upgrade=True) as ledger:
        plan(config, ledger)
        ids = {row.source: row.id for row in ledger.mailboxes()}
    for name in ("3", ids[world.addresses()[1]], world.addresses()[1]):
        before = changes(world)
        assert run("practice", "work", "-m", name, "--late") == 0
        assert [after - was for after, was in zip(changes(world), before, strict=True)] == [0, 2, 0]
        assert f"line 3 ({ids[world.addresses()[1]]}): 2 mails received" in capsys.readouterr().out


def test_who_is_live_does_not_work_in_the_old_account(
    place: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load(Path("kogge.toml"))
    with opened_ledger(config, upgrade=True) as ledger:
        plan(config, ledger)
        for row in ledger.mailboxes("odd"):
            ledger.set_phase(row.id, Phase.LIVE, "somebody")
    assert run("practice", "work", "-m", "2") == 0
    assert "--late" not in capsys.readouterr().err
    assert run("practice", "work", "-m", "4") == 0
    assert "Say --late for mail that still arrives there" in capsys.readouterr().err


def test_they_go_on_for_a_while(
    place: Path, world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 5))
    monkeypatch.setattr(command.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(command.time, "sleep", lambda _: None)
    assert run("practice", "work", "--late", "--for", "1m") == 0
    lines = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert len(lines) > 2 * PEOPLE
    assert lines[:4] == ["line 2", "line 3", "line 4", "line 2"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--for", "soon"), "--for: is no time; give one like 60s, 5m or 1h"),
        (("--wave", "x"), "--wave: nobody in the list has it; known there: odd, pilot"),
        (("-m", "9"), "--mailbox: not in mailboxes.csv: line 9; give an id, an address"),
        (("--late", "--target"), "--late: is mail at the old server"),
        (("--target", "-m", "2"), "line 2: has no new account that answers"),
    ],
)
def test_what_cannot_be_done_is_said(
    place: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], told: str
) -> None:
    assert run("practice", "work", *options) == 2
    assert told in capsys.readouterr().err


def test_somebody_who_is_not_of_the_world(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (place / "mailboxes.csv").open("a") as file:
        file.write("new@x.example,new@y.example,pilot\n")
    assert run("practice", "work", "-m", "5") == 2
    assert "line 5: has no mailbox in the practice world" in capsys.readouterr().err


@pytest.mark.parametrize("text", [None, "{", json.dumps({"socket": "/nowhere/socket"})])
def test_the_servers_have_ended(place: Path, capsys: pytest.CaptureFixture[str], text: str | None) -> None:
    (place / CONTROL).unlink()
    if text is not None:
        (place / CONTROL).write_text(text)
    assert run("practice", "work", "-m", "2") == 2
    assert "`kogge practice up DIRECTORY` starts new ones" in capsys.readouterr().err
