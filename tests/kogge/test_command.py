"""The command line as a program: exit codes, messages, no traceback."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from commands import run
from interrupts import interruptible
from lonely import TOML
from typer.main import get_command

from flows.deploy import prefect_server, worker
from kogge.app import app
from kogge.command_table import COMMANDS as TABLE
from kogge.prepare import practice_servers
from ledger.plan.approvals import Check, keep_checks, plan_rows
from ledger.store import Ledger
from practice.world.cases import Case

GROUPS = {"audit", "keys", "ledger", "practice", "server"}
COMMANDS = (
    *(name for name in TABLE if name not in GROUPS),
    "plan diff", "audit seal", "audit show", "audit keys create", "audit keys export",
    "audit keys destroy", "keys new", "ledger upgrade", "practice up", "server up", "server down",
    "server status", "server environment",
)  # fmt: skip


def test_every_command_has_help_with_an_example_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        assert run(*command.split(), "--help") == 0
        shown = capsys.readouterr().out
        assert "Example: kogge" in shown, command
        assert command.startswith(("practice", "server", "keys")) or "Exit codes" in shown, command


def test_every_option_says_what_it_is() -> None:
    for command in COMMANDS:
        found: Any = get_command(app)
        for name in command.split():
            found = found.commands[name]
        assert [one.name for one in found.params if not one.help] == [], command


def test_what_it_moves_is_told_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Moves mailboxes and files from Exchange and Microsoft 365 to open systems" in shown


def test_the_list_of_commands_is_complete() -> None:
    assert set(get_command(app).commands) == {name.split()[0] for name in COMMANDS}  # type: ignore[attr-defined]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert re.fullmatch(r"kogge \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_init_writes_private_files_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init", str(tmp_path / "new")) == 0
    files = sorted((tmp_path / "new").iterdir())
    assert [file.name for file in files] == ["kogge.toml", "mailboxes.csv"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    before = [file.read_bytes() for file in files]
    (tmp_path / "new" / "kogge.toml").unlink()
    assert run("init", str(tmp_path / "new")) == 2
    assert f"\n{files[1]}: exists already" in capsys.readouterr().err
    assert not (tmp_path / "new" / "kogge.toml").exists(), "all or none"
    assert files[1].read_bytes() == before[1]


def test_practice_up_a_second_time_says_what_may_go(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("practice", "up", str(place)) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"{place / 'kogge.toml'}: exists already")
    assert "delete it, or choose another" in message


def test_practice_up_stays_away_from_a_ledger_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a configuration with a name of its own, in the same directory."""
    (tmp_path / "kogge-state").mkdir()
    assert run("practice", "up", str(tmp_path)) == 2
    assert "kogge-state: exists already" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["kogge-state"]


def test_practice_up_names_what_is_wrong_in_its_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def broken(*_: object, **_options: object) -> Iterator[None]:
        raise Case(Path("contacts/mine.toml"), "ada", {}).error("surnam", "is no field")
        yield

    monkeypatch.setattr(practice_servers, "practising", broken)
    assert run("practice", "up", str(tmp_path / "new")) == 2
    assert "contacts/mine.toml: ada.surnam: is no field" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_init_where_nothing_can_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run("init", str(tmp_path / "file")) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["check", "discover", "migrate", "status", "verify", "failures", "retry", "log pilot"]
)
def test_a_missing_configuration(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*command.split()) == 2
    assert (
        capsys.readouterr().err
        == "kogge.toml: no such file; it is the configuration; `kogge init` writes one\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["check", "discover", "migrate"])
def test_a_wrong_list_writes_nothing(command: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "mailboxes.csv").write_text("source,target,wave\na@x,b@y,1\na@x,c@y,1\n")
    assert run(command) == 2
    assert capsys.readouterr().err == "mailboxes.csv:3: source: the same source as in line 2\n"
    ledger = place / "kogge-state" / "ledger.db"
    assert not ledger.exists() or not Ledger(f"sqlite:///{ledger}").mailboxes()


def test_check_of_servers_that_do_not_answer(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--json") == 3
    (mailbox,) = json.loads(capsys.readouterr().out)["mailboxes"]
    assert mailbox["line"] == 2
    assert [fault["code"] for fault in mailbox["faults"]] == ["server-unreachable"] * 2
    assert run("check") == 3
    shown = capsys.readouterr().out
    assert "0 of 1 mailbox " in shown
    assert "a@old.example" not in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert not (place / "kogge-state" / "ledger.db").exists(), "a preflight leaves no plan behind"


def test_check_says_what_a_rate_limit_means(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONTACTS", "secret")
    section = '[target.contacts]\nkind = "carddav"\nurl = "http://127.0.0.1:1"\nprofile = "open-xchange"\n'
    with (place / "kogge.toml").open("a") as file:
        file.write(section + 'password = { env = "CONTACTS" }\n')
    assert run("check") == 3
    shown = " ".join(capsys.readouterr().out.split())
    assert "target.contacts: 1,500 requests in 300 s from all workers together. To be faster" in shown
    assert "com.openexchange.servlet.maxRate" in shown
    assert run("check", "--json") == 3
    (limit,) = json.loads(capsys.readouterr().out)["rate_limits"]
    assert limit == {
        "workloads": ["contacts"],
        "requests": 1500,
        "window_seconds": 300.0,
        "hours_at_least": 0.0,
    }


def test_check_names_a_secret_that_everybody_may_read(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    everybodys = "kogge.toml:4: source.password"
    monkeypatch.setattr("engine.preflight.exposed_secrets.exposed_secrets", lambda _config: [everybodys])
    assert run("check") == 3
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{everybodys}: every account of this machine may read this file: take that right away" in shown
    assert run("check", "--json") == 3
    assert json.loads(capsys.readouterr().out)["exposed_secrets"] == [everybodys]


def test_check_names_entries_of_the_deny_list_that_deny_nobody(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "deny.txt").write_text("# judges\njudge@court.example\njugde@court.example\n@court.exampel\n")
    (place / "directory.csv").write_text("source,target\njudge@court.example,judge@new.example\n")
    toml = place / "kogge.toml"
    toml.write_text(toml.read_text() + '\n[gate]\ndeny = "deny.txt"\n')
    run("check", "--json")
    assert json.loads(capsys.readouterr().out)["unmet_denials"] == []  # nobody can say
    toml.write_text(toml.read_text() + 'directory = "directory.csv"\n')
    run("check", "--json")
    assert json.loads(capsys.readouterr().out)["unmet_denials"] == [3, 4]
    run("check")
    shown = " ".join(capsys.readouterr().out.split())
    assert "deny.txt: lines 3, 4: nobody of the directory export" in shown
    assert "court" not in shown


def test_a_check_that_does_not_get_through_leaves_the_one_before(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(Ledger(f"sqlite:///{place}/kogge-state/ledger.db")) as ledger:
        keep_checks(ledger, [Check(planned, "directory", None, 12, 3400)])
        before = plan_rows(ledger, "pilot")
        assert run("check") == 3
        assert "1 mailbox keeps the result of an earlier check" in " ".join(capsys.readouterr().out.split())
        assert run("check", "--json") == 3
        (mailbox,) = json.loads(capsys.readouterr().out)["mailboxes"]
        assert mailbox["earlier_result_stands"] is True
        assert plan_rows(ledger, "pilot") == before


def test_a_first_check_has_no_earlier_result(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check") == 3
    assert "earlier check" not in capsys.readouterr().out


def test_an_inventory_of_nothing_does_not_replace_one(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "out.csv").write_text("what was found yesterday\n")
    assert run("discover", "--csv", "out.csv") == 3
    assert "out.csv: stays as it was" in capsys.readouterr().err
    assert (place / "out.csv").read_text() == "what was found yesterday\n"


def test_check_without_a_password(place: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.delenv("KOGGE_TEST_PASSWORD")
    (place / "kogge.toml").write_text(TOML.replace("port = 1\n", f"port = {free_port()}\n"))
    assert run("check") in (2, 3)
    assert "Traceback" not in capsys.readouterr().err


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_discover_of_a_source_that_does_not_answer(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("discover", "--csv", "out.csv") == 3
    assert "server-unreachable" in capsys.readouterr().out
    assert (place / "out.csv").read_text().splitlines()[1].startswith("2,pilot,0,0")


def test_options_that_choose_nothing(place: Path, planned: str, capsys: pytest.CaptureFixture[str]) -> None:
    by = ("--by", "A")
    for command in (
        ("check",), ("discover",), ("migrate",), ("status",), ("verify",), ("failures",), ("links",),
        ("retry",), ("failures", "--losses"), ("phase", "live", *by),
        ("approve", "asserted", *by, "--reason", "r"),
    ):  # fmt: skip
        assert run(*command, "--wave", "pilto") == 2
        assert capsys.readouterr().err == "--wave: unknown; did you mean pilot?\n", command
        assert run(*command, "--wave", "zzz") == 2
        assert capsys.readouterr().err == "--wave: unknown; there is only pilot\n", command
    for name in ("check", "discover", "status", "failures", "links", "retry", "verify"):
        assert run(name, "-m", planned, "-m", "z@z.example", "-m", "m-7f3a9c01") == 2
        message = capsys.readouterr().err
        assert message.startswith("--mailbox: not in "), name
        assert message.endswith(
            ": number 2 of those given, m-7f3a9c01; give an id, an address or a line of mailboxes.csv\n"
        ), name


def test_a_log_of_no_wave(place: Path, planned: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("log", "pilto") == 2
    assert capsys.readouterr().err == "WAVE: unknown; did you mean pilot?\n"
    assert run("log", "pilot") == 0
    assert "0 decisions; the chain is intact" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    ["failures", "links", "verify", "retry", "log pilot", "status --wave pilot", "failures --losses"],
)
def test_an_empty_ledger_is_not_well(place: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run(*command.split()) == 2
    message = "the ledger: has no mailbox yet; `kogge check` plans them\n"
    assert capsys.readouterr().err == message


def test_status(place: Path, planned: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status") == 1
    shown = capsys.readouterr().out
    assert planned in shown
    assert "pending" in shown
    assert "@" not in shown
    assert run("status", "--json", "--wave", "pilot", "--mailbox", "a@old.example") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["mailboxes"] == 1
    assert document["list"][0]["mailbox"] == planned
    assert "@" not in json.dumps(document)


def test_status_of_an_empty_ledger(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status") == 1
    assert "`kogge check` plans them" in capsys.readouterr().out
    assert stat.S_IMODE((place / "kogge-state").stat().st_mode) == 0o700


def test_failures_of_nothing(place: Path, planned: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("failures") == 0
    unfinished = "1 workload is not verified: kogge status"
    assert capsys.readouterr().out.strip() == f"No rejected items so far; {unfinished}"
    assert run("failures", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_retry(place: Path, planned: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("retry", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"requeued": 0, "rejected": 0}


def test_a_ledger_that_is_no_database(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "kogge-state").mkdir()
    (place / "kogge-state" / "ledger.db").write_text("not a database, but long enough to be looked at" * 30)
    assert run("status") == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert f"{place}/kogge-state/ledger.db" in said
    assert "ledger.url" in said, "it may be a slip of the pen, and no damage"


def test_server_status_without_one(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("server", "status", "--json") == 1
    assert json.loads(capsys.readouterr().out) == {"running": False, "api": None}
    assert run("server", "down") == 0
    (place / "kogge.toml").write_text(TOML + '[prefect]\napi_url = "http://127.0.0.1:1/api"\n')
    assert run("server", "up") == 2
    assert run("server", "status") == 1


def test_server_status_says_where_its_login_is(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = prefect_server.Server(1, 4210, 0.0)
    monkeypatch.setattr(prefect_server, "status", lambda state: running)
    assert run("server", "status") == 0
    told = capsys.readouterr()
    assert told.out == "Prefect answers at http://127.0.0.1:4210/api\n"
    assert f"the login that stands in {place}/kogge-state/prefect/login" in told.err
    assert run("server", "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["running"] is True


@pytest.mark.parametrize(
    "arguments", [["nosuch"], ["status", "--nosuch"], ["approve"], ["verify", "--level", "most"]]
)
def test_usage_errors_exit_2(place: Path, arguments: list[str]) -> None:
    assert run(*arguments) == 2


def program(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("kogge")), *arguments],
        cwd=cwd,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_program_itself(tmp_path: Path) -> None:
    assert program("init", cwd=tmp_path).returncode == 0
    (tmp_path / "kogge.toml").write_text("[source\n")
    broken = program("status", cwd=tmp_path)
    assert broken.returncode == 2
    assert broken.stderr.startswith("kogge.toml:1: not TOML: ")
    assert len(broken.stderr.splitlines()) == 1
    assert broken.stdout == ""


def test_what_lies_where_an_operator_stands_shadows_nothing(tmp_path: Path) -> None:
    """Names such as `flows` and `config` are common."""
    trap = "raise SystemExit('this is not Kogge')\n"
    for name in ("flows", "engine", "model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(trap)
    (tmp_path / "config.py").write_text(trap)
    done = program("init", cwd=tmp_path)
    assert (done.returncode, "not Kogge" in done.stderr) == (0, False)
    command = [sys.executable, "-c", "import flows.migrate; print(flows.migrate.__file__)"]
    for environment in (prefect_server.environment(tmp_path, 4321), {**os.environ, **worker.own()}):
        found = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stderr
        assert not found.stdout.startswith(str(tmp_path))


def test_practice_without_its_extra_says_what_is_missing(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None; from kogge.app import main; main(['practice', 'up', 'x'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "uvicorn is missing" in done.stderr
    assert "extra `practice`" in done.stderr
    assert not (tmp_path / "x").exists()


def test_help_is_quick(tmp_path: Path) -> None:
    """It loads neither Prefect nor exchangelib nor SQLAlchemy."""
    heavy = "{'prefect', 'exchangelib', 'sqlalchemy', 'imapclient'}"
    code = f"import sys; from kogge.app import app; print({heavy} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert shown.stdout.strip() == "set()"


def test_a_reader_that_leaves_early(place: Path, planned: str) -> None:
    kogge = str(Path(sys.executable).with_name("kogge"))
    shown = subprocess.run(
        f"{kogge} status --json | true",
        shell=True,
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in shown.stderr


def test_a_screen_and_a_document_at_once(
    place: Path, planned: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("status", "--watch", "--json") == 2
    told = capsys.readouterr()
    assert (told.out, told.err.startswith("--watch: ")) == ("", True)


def test_interrupting_a_watch(place: Path, planned: str) -> None:
    command = [str(Path(sys.executable).with_name("kogge")), "status", "--watch"]
    pipe = subprocess.PIPE
    with interruptible(), subprocess.Popen(command, cwd=place, stdout=pipe, stderr=pipe) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline(), "it ended too early"
        watch.send_signal(2)
        _, errors = watch.communicate(timeout=20)
    assert (watch.returncode, errors) == (130, b"kogge: interrupted\n")


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("migrate", "--wave", "a", "-w", "b"), "--wave"),
        (("audit", "seal", "--wave", "a", "--wave", "b"), "--wave"),
        (("server", "up", "--config", "a", "--config", "a"), "--config"),
    ],
)
def test_an_option_with_one_value_is_given_once(
    words: tuple[str, ...], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first value would be dropped without a word."""
    assert run(*words) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"{option} is given 2 times, and takes one value" in told


def test_what_may_be_repeated_may_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("migrate", "-m", "1", "-m", "2", "--json", "--json") == 2
    assert "kogge.toml: no such file" in capsys.readouterr().err
