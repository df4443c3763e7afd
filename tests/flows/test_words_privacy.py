"""A real run against servers that talk: what they said is in words/, and nowhere else: not in Prefect, not in
a log, not in the ledger, a report or evidence."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from engine.config.load import Config, load
from engine.control.server_words_file import FOLDER
from flows.deploy import prefect_server
from kogge.prepare.practice_servers import Stage, practising

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = [
    pytest.mark.prefect,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MAIL, DAV = "Kuendigungsgrund-Angst", "Geburtstagsliste-Angst"
"""Words that nothing else in the world says."""


class TalkingImap(StreamRequestHandler):
    """Refuses every login, and says with what."""

    def handle(self) -> None:
        self.wfile.write(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n")
        while line := self.rfile.readline():
            tag, _, command = line.strip().partition(b" ")
            if command.upper().startswith(b"CAPABILITY"):
                self.wfile.write(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n" + tag + b" OK done\r\n")
                continue
            if command.upper() == b"AUTHENTICATE PLAIN":
                self.wfile.write(b"+ \r\n")
                command = self.rfile.readline().strip()
            told = b"[AUTHENTICATIONFAILED] " + MAIL.encode() + b" " + command
            self.wfile.write(tag + b" NO " + told + b"\r\n")


class TalkingDav(BaseHTTPRequestHandler):
    """Forbids everything, and says why."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):
            return self._forbidden
        raise AttributeError(name)

    def _forbidden(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = (
            '<?xml version="1.0"?><d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns">'
            f"<s:message>{DAV} for {self.headers.get('Authorization')}</s:message></d:error>"
        ).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


class Imaps(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def serving(made: ThreadingTCPServer | ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield int(made.server_address[1])
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def stage() -> Iterator[Stage]:
    with practising(people=2, items=6, seed=3, prefect_port=0) as running:
        yield running


@pytest.fixture
def config(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settle_prefect: Callable[[Path], Path]
) -> Iterator[Config]:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    dav = ThreadingHTTPServer(("127.0.0.1", 0), TalkingDav)
    dav.daemon_threads, dav.block_on_close = True, False
    with serving(Imaps(("127.0.0.1", 0), TalkingImap)) as imap_port, serving(dav) as dav_port:
        for name, text in stage.files(required=0).items():
            changed = text.replace(f"port = {stage.imap_port}\n", f"port = {imap_port}\n")
            changed = changed.replace(stage.dav, f"http://127.0.0.1:{dav_port}")
            (tmp_path / name).write_text(changed)
        loaded = load(tmp_path / "kogge.toml")
        settle_prefect(loaded.state_directory)
        yield loaded
        prefect_server.down(loaded.state_directory)


def kogge(config: Config, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-c", "from kogge.app import main; main()", *arguments]
    done = subprocess.run(command, cwd=config.path.parent, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_what_servers_say_stays_in_words(config: Config) -> None:
    shown = [
        kogge(config, "migrate", "--wave", "pilot", "--workload", one)[1] for one in ("contacts", "mail")
    ]
    shown += [kogge(config, *one)[1] for one in (("status",), ("failures", "--json"), ("log", "pilot"))]
    shown.append(kogge(config, "report", "--wave", "pilot")[1])
    told = subprocess.run(
        [
            sys.executable, "-c", "from kogge.app import main; main()",
            "failures", "--server-words", "--by", "A. Auditor", "--json",
        ],
        cwd=config.path.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = json.loads(told.stdout)
    words = {(row["workload"], row["code"]): row["words"] for row in rows}
    assert words["mail", "login-refused"] == f"[AUTHENTICATIONFAILED] {MAIL} ***"
    assert words["contacts", "no-dav-access"] == f"{DAV} for Basic ***"
    assert {row["item"] for row in rows} == {""}
    files = [path for path in config.path.parent.rglob("*") if path.is_file()]
    assert any(path.name == "prefect.db" for path in files)
    kept = [path for path in files if MAIL.encode() in path.read_bytes() or DAV.encode() in path.read_bytes()]
    assert kept
    assert {path.parent for path in kept} == {config.state_directory / FOLDER}
    assert [text for text in shown if MAIL in text or DAV in text] == []
