"""Hooks as processes and requests: outcomes, what they are told, and what becomes of one that hangs."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine.config.hooks import Hook, HooksSettings, Undo
from engine.cutover.hooks import HookMailbox, filled, refuse_unreadable, run
from model.errors import Misconfigured

ANNA = HookMailbox("m-7f3a9c01", "anna+x@old.example", "anna@new.example", "pilot")


def command(code: str, **more: object) -> Hook:
    arguments = {"name": "hook", "attempts": 1, "timeout_seconds": 20, **more}
    return Hook.model_validate({"command": [sys.executable, "-c", code, "{mailbox}"], **arguments})


def go(hook: Hook, directory: Path) -> str | None:
    return run(hook, hook, ANNA, directory, sleep=lambda _seconds: None)


def output(directory: Path) -> Path:
    (found,) = (directory / "logs" / "hooks").iterdir()
    return found


def test_a_command_is_told_whose_mailbox_it_is(tmp_path: Path) -> None:
    code = (
        "import os,sys; print(sys.argv[1], *(os.environ['KOGGE_'+n] for n in"
        " ('MAILBOX','SOURCE','TARGET','WAVE')))"
    )
    assert go(command(code), tmp_path) is None
    told = output(tmp_path)
    assert told.read_text().startswith(f"{ANNA.mailbox} {ANNA.mailbox} {ANNA.source} {ANNA.target} pilot\n")
    assert stat.S_IMODE(told.stat().st_mode) == 0o600
    assert stat.S_IMODE(told.parent.stat().st_mode) == 0o700
    assert told.name == "m-7f3a9c01.hook.log"


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("raise SystemExit(3)", "exit-3"),
        ("import os; os.kill(os.getpid(), 9)", "killed-9"),
        ("print('x')", None),
    ],
)
def test_outcomes_of_a_command(code: str, outcome: str | None, tmp_path: Path) -> None:
    assert go(command(code), tmp_path) == outcome


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    hook = Hook(name="hook", command=(str(tmp_path / "missing"),), attempts=1)
    assert go(hook, tmp_path) == "not-started"


def test_a_command_that_hangs_ends_with_whatever_it_started(tmp_path: Path) -> None:
    """The child of the hook, which heeds no SIGTERM, is ended as well."""
    child = "import signal,time,sys; signal.signal(15, 1); print('up', flush=True); time.sleep(600)"
    code = (
        "import subprocess,sys,time;"
        f"c=subprocess.Popen([sys.executable,'-c',{child!r}],stdout=subprocess.PIPE);"
        f"c.stdout.readline(); open({str(tmp_path / 'pid')!r},'w').write(str(c.pid)); time.sleep(600)"
    )
    began = time.monotonic()
    assert go(command(code, timeout_seconds=3), tmp_path) == "timeout"
    assert time.monotonic() - began < 30
    pid = int((tmp_path / "pid").read_text())
    assert _ended(pid)


def _ended(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_hook_is_tried_as_often_as_it_says(tmp_path: Path) -> None:
    count = tmp_path / "count"
    code = (
        f"import pathlib; p=pathlib.Path({str(count)!r}); n=int(p.read_text()) if p.exists() else 0;"
        "p.write_text(str(n+1)); raise SystemExit(n < 2)"
    )
    assert go(command(code, attempts=3), tmp_path) is None
    assert count.read_text() == "3"
    assert output(tmp_path).read_text().count("-- exit-1") == 2


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Service:
    """Answers with the statuses it was given, then with 200; notes what it was asked."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.drip = 0.0
        service = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                service.asked.append((self.command, self.path, headers, self.rfile.read(length)))
                status = service.statuses.pop(0) if service.statuses else 200
                if service.drip:
                    self._dripped()
                    return
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", "4")
                self.end_headers()
                self.wfile.write(b"told")

            def _dripped(self) -> None:
                try:
                    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        time.sleep(service.drip)
                except OSError:
                    return

            do_POST = do_PUT = do_GET = _answer  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


def request(service: Service, **more: object) -> Hook:
    arguments = {"name": "hook", "attempts": 1, "timeout_seconds": 10, "url": f"{service.url}/open", **more}
    return Hook.model_validate(arguments)


def test_a_request_is_told_whose_mailbox_it_is(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "Bearer hunter2")
    hook = request(
        service,
        url=f"{service.url}/of/{{source}}?wave={{wave}}",
        method="PUT",
        headers={"authorization": {"env": "HOOK_TOKEN"}, "x-kogge": "1"},
        body={"account": "{target}", "list": ["{mailbox}", 1, None], "brace": "{"},
    )
    assert go(hook, tmp_path) is None
    ((method, path, headers, body),) = service.asked
    assert (method, path) == ("PUT", "/of/anna%2Bx%40old.example?wave=pilot")
    assert headers["authorization"] == "Bearer hunter2"
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {"account": ANNA.target, "list": [ANNA.mailbox, 1, None], "brace": "{"}
    kept = output(tmp_path).read_text()
    assert "told" in kept
    assert "hunter2" not in kept


def test_a_server_that_fails_once(service: Service, tmp_path: Path) -> None:
    service.statuses = [500]
    assert go(request(service, attempts=2, body="{mailbox}"), tmp_path) is None
    assert [one[3] for one in service.asked] == [ANNA.mailbox.encode()] * 2


@pytest.mark.parametrize("status", [302, 404, 500])
def test_statuses_that_are_no_success(status: int, service: Service, tmp_path: Path) -> None:
    service.statuses = [status]
    assert go(request(service), tmp_path) == f"http-{status}"
    assert len(service.asked) == 1, "no redirect is followed"


def test_a_server_that_drips_its_answer_times_out(service: Service, tmp_path: Path) -> None:
    service.drip = 0.05
    began = time.monotonic()
    assert go(request(service, timeout_seconds=1), tmp_path) == "timeout"
    assert time.monotonic() - began < 15


def test_what_was_done_counts_although_the_disk_is_full(service: Service, tmp_path: Path) -> None:
    """The output cannot be kept. To repeat the hook, or to call it a defect, would do it twice."""
    logs = tmp_path / "logs" / "hooks"
    logs.mkdir(parents=True, mode=0o700)
    (logs / f"{ANNA.mailbox}.hook.log").symlink_to("/dev/full")
    assert go(request(service, attempts=3), tmp_path) is None
    assert len(service.asked) == 1


def test_nobody_answers(tmp_path: Path) -> None:
    hook = Hook.model_validate({"name": "hook", "url": "http://127.0.0.1:1/x", "attempts": 1})
    assert go(hook, tmp_path) == "unreachable"


def test_a_secret_that_is_missing_is_told_before_anything_is_frozen(service: Service) -> None:
    hook = request(service, headers={"authorization": {"env": "HOOK_TOKEN_MISSING"}})
    assert "HOOK_TOKEN_MISSING" not in os.environ
    with pytest.raises(Misconfigured, match="HOOK_TOKEN_MISSING"):
        refuse_unreadable(HooksSettings(freeze=(hook,)))


def test_an_address_is_not_a_template() -> None:
    assert filled("{source} {x} {", {"source": "{target}", "target": "t"}) == "{target} {x} {"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "hook"},
        {"name": "hook", "command": ["/bin/true"], "url": "https://x.example"},
        {"name": "hook", "command": ["true"]},
        {"name": "hook", "command": ["/bin/true", "{address}"]},
        {"name": "hook", "command": []},
        {"name": "hook", "command": ["/bin/true"], "body": "x"},
        {"name": "hook", "url": "http://far.example/x"},
        {"name": "hook", "url": "https://user:x@far.example/x"},
        {"name": "hook", "url": "https://{target}/x"},
        {"name": "hook", "url": "https://x.example", "body": {"a": ["{login}"]}},
        {"name": "Anna B.", "command": ["/bin/true"]},
        {"name": "hook", "command": ["/bin/true"], "timeout_seconds": 0},
    ],
)
def test_hooks_that_cannot_be_meant(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Hook.model_validate(wrong)


def test_names_are_unique_where_what_is_done_is_kept_under_them() -> None:
    one = {"name": "a", "command": ["/bin/true"]}
    undo = {**one, "undo": {"command": ["/bin/true"]}}
    for stage in ("freeze", "release"):
        with pytest.raises(ValidationError):
            HooksSettings.model_validate({stage: [one, one]})
    with pytest.raises(ValidationError, match="have the same name, and each has an undo"):
        HooksSettings.model_validate({"freeze": [undo], "release": [undo]})
    for freeze, release in ((undo, one), (one, undo)):
        HooksSettings.model_validate({"freeze": [freeze], "release": [release]})


@pytest.mark.parametrize(
    "command",
    [
        ["/bin/sh", "-c", "redirect {source}"],
        ["/usr/bin/env", "bash", "-ec", "redirect '{target}'"],
        ["/bin/busybox", "sh", "-lc", "redirect {mailbox} {source}"],
        ["/usr/bin/fish", "--command", "redirect {target}"],
        ["/usr/bin/perl", "-e", "redirect('{source}')"],
        ["/usr/bin/ruby", "-ne", "redirect('{source}')"],
        ["/usr/bin/ssh", "mx.example", "redirect", "{source}"],
        ["/usr/bin/sudo", "/usr/bin/ssh", "mx.example", "redirect {target}"],
        ["/usr/bin/su", "mail", "--", "{source}"],
    ],
)
def test_no_address_becomes_part_of_a_script(command: list[str]) -> None:
    with pytest.raises(ValidationError, match=r"KOGGE_SOURCE"):
        Hook.model_validate({"name": "a", "command": command})


@pytest.mark.parametrize(
    "command",
    [
        ["/bin/sh", "-c", 'redirect "$KOGGE_SOURCE" {mailbox} {wave}'],
        ["/bin/sh", "-c", 'redirect "$1"', "sh", "{source}"],
        ["/bin/redirect", "{source}", "-c", "file"],
    ],
)
def test_addresses_as_arguments_of_their_own(command: list[str]) -> None:
    assert Hook.model_validate({"name": "a", "command": command}).command == tuple(command)


KILLED = """
import sys
from pathlib import Path
from engine.cutover.hooks import HookMailbox, run
from engine.config.hooks import Hook
command = ("/bin/sh", "-c", sys.argv[2], "sh", sys.argv[1])
hook = Hook(name="hook", attempts=1, timeout_seconds=20, command=command)
run(hook, hook, HookMailbox("m-7f3a9c01", "a@old.example", "a@new.example", "pilot"), Path(sys.argv[1]))
"""


@pytest.mark.parametrize("undo", [False, True])
def test_what_outlives_its_run_is_waited_for(tmp_path: Path, undo: bool) -> None:
    """Kogge is killed; its hook's command goes on, and would be done after what undoes it."""
    told = tmp_path / "told"
    first = "echo begun >> $1/told; sleep 2; echo ended >> $1/told"
    killed = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), first])
    while not told.exists():
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    action = Undo(command=("/bin/sh", "-c", f"echo again >> {told}"))
    hook = Hook(name="hook", attempts=1, timeout_seconds=20, command=action.command, undo=action)
    assert run(hook, action if undo else hook, ANNA, tmp_path) is None
    assert told.read_text().split() == ["begun", "ended", "again"]


def test_a_hook_never_runs_beside_what_an_earlier_run_left_behind(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    code = (
        f"import subprocess; open({str(runs)!r}, 'a').write('run ');"
        "c = subprocess.Popen(['sleep', '600'], close_fds=False);"
        f"open({str(runs)!r} + '.pid', 'w').write(str(c.pid))"
    )
    hook = command(code, timeout_seconds=1.5)
    assert go(hook, tmp_path) is None
    assert go(hook, tmp_path) == "still-running"
    assert runs.read_text() == "run "
    os.kill(int(Path(f"{runs}.pid").read_text()), 9)
    again = command("print('again')", timeout_seconds=20)
    assert go(again, tmp_path) is None


def test_a_command_is_given_no_secret_but_what_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KOGGE_SOURCE_PASSWORD", "ANY_NAME", "IDM_TOKEN"):
        monkeypatch.setenv(name, "hunter2")
    hook = command(
        "import os; print(sorted(n for n, v in os.environ.items() if v == 'hunter2'), os.environ['PATH'])"
    )
    assert run(hook, hook, ANNA, tmp_path, environment=("IDM_TOKEN",)) is None
    assert output(tmp_path).read_text().startswith(f"['IDM_TOKEN'] {os.environ['PATH']}")


def test_a_variable_that_is_not_set_is_told_before_anything_is_frozen() -> None:
    with pytest.raises(Misconfigured, match="IDM_TOKEN"):
        refuse_unreadable(HooksSettings(environment=("IDM_TOKEN",)))
    with pytest.raises(ValidationError):
        HooksSettings(environment=("IDM_TOKEN=hunter2",))
