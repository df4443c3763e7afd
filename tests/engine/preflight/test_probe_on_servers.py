"""An invitation probe against Dovecot and the practice Open-Xchange, while they restart, reset and mail."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from connector_settings import dovecot_settings
from imapclient import IMAPClient
from probe_clock import NOW, Clock
from server_fixtures import dovecot_fixture, radicale_fixture, sink_fixture
from servers.dav.scheduling import start_scheduling
from servers.dovecot import Dovecot
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer
from servers.slow_proxy import DrippingProxy
from servers.smtp_sink import SmtpSink

from connectors.caldav.settings import DavSettings
from connectors.imap.target import ImapTarget
from connectors.settings import Account, Secret
from engine.preflight.invitation_probe import ProbeResult
from engine.preflight.probe_run import OutsideGuest, prove_server
from engine.preflight.probe_state import LedgerMemory, ProbeState
from ledger.store import Ledger
from practice.dav.proxy import Forward, Layer, Reply, Request
from practice.dav.radicale import RadicaleServer

HOST, GUEST = "probe-a@new.example", "probe-b@new.example"
OUTSIDE = "probe-b+outside@new.example"
SILENCE = ("Scheduling", "Schedule-Reply")

dovecot = dovecot_fixture([GUEST], scope="function")
sink = sink_fixture()
radicale = radicale_fixture(["anna", "bert"], provisioned=True)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_PASSWORD", USER_PASSWORD)


def deaf_to(word: str) -> Layer:
    """A server that does not hear that it is to be silent, for meetings with this guest alone."""

    def layer(request: Request, rest: Forward) -> Reply:
        is_external = "-external-" in request.path
        if "probe-" not in request.path or is_external != (word == "external"):
            return rest(request)
        headers = httpx.Headers([one for one in request.headers.multi_items() if one[0] not in LOWER])
        return rest(replace(request, headers=headers))

    return layer


LOWER = {name.lower() for name in SILENCE}


@dataclass
class Office:
    """Open-Xchange, Dovecot behind it, and a postman between them who comes when time passes."""

    dav: OpenXchangeServer
    mail: Dovecot
    sink: SmtpSink
    folder: Path
    clock: Clock = field(default_factory=Clock)
    carried: int = 0
    port: int | None = None
    phases: list[tuple[str, float, float]] = field(default_factory=list)

    def carry(self) -> None:
        with IMAPClient(self.mail.host, port=self.mail.port, ssl=False) as client:
            client.login(f"{GUEST}*{self.mail.master_user}", self.mail.master_password)
            new = self.sink.mails[self.carried :]
            self.carried += len(new)
            for one in new:
                assert one.recipient in (GUEST, OUTSIDE)
                client.append("INBOX", one.message.as_bytes())

    def run(self) -> ProbeResult:
        settings = DavSettings(
            kind="caldav",
            url=self.dav.url,
            profile="open-xchange",
            password=Secret(env="PROBE_PASSWORD"),
            patience_seconds=5,
        )
        imap = dovecot_settings(self.mail, self.folder)
        if self.port is not None:
            imap = imap.model_copy(update={"port": self.port})
        host, guest = (Account(login=name, address=name) for name in (HOST, GUEST))
        return prove_server(
            settings,
            host,
            guest,
            partial(ImapTarget, imap, guest, bool, self.folder),
            outside=OutsideGuest(OUTSIDE),
            arrival=60.0,
            times=self.clock.times,
            progress=lambda *one: self.phases.append(one),
        )

    def probes_left(self) -> int:
        owner = self.dav.context.users[HOST]
        return sum(
            len(list(self.dav.suite.events.all(folder))) for folder in self.dav.context.own("calendar", owner)
        )


@pytest.fixture
def office(dovecot: Dovecot, sink: SmtpSink, tmp_path: Path) -> Iterator[Office]:
    people = {HOST: "Probe A", GUEST: "Probe B"}
    with OpenXchangeServer(people, sink=sink, now=NOW) as server:
        made = Office(server, dovecot, sink, tmp_path)
        made.clock.then = made.carry
        yield made


def test_both_guests_get_their_control_and_nothing_else(office: Office) -> None:
    result = office.run()
    assert (result.outcome, result.unheard, result.tidy) == ("silent", (), True)
    assert set(result.control) == {"mail", "mail of the external guest"}
    assert 600.0 <= result.watched < 660.0  # this product sends its notifications at once
    assert {mail.recipient: mail.method for mail in office.sink.mails} == {GUEST: None, OUTSIDE: "REQUEST"}
    assert office.probes_left() == 0


@pytest.mark.parametrize("guest", ["internal", "external"])
def test_a_server_that_mails_one_of_them_alone(office: Office, guest: str) -> None:
    office.dav.layers = (deaf_to(guest),)
    result = office.run()
    assert result.outcome == "not-silent"
    assert {one.startswith("mail of the external") for one in result.heard} == {guest == "external"}
    assert office.probes_left() == 0


def at_times(office: Office, moments: list[float], act: Callable[[], None]) -> None:
    """Acts when so many seconds have passed, and carries the mail afterwards."""

    def then() -> None:
        if moments and office.clock.over >= moments[0]:
            moments.pop(0)
            act()
        office.carry()

    office.clock.then = then


def test_a_mail_server_restarts_in_the_middle(office: Office) -> None:
    at_times(office, [1.0, 100.0, 300.0], office.mail.restart)
    result = office.run()
    assert (result.outcome, result.tidy, len(office.sink.mails)) == ("silent", True, 2)
    assert any(phase == "away" for phase, _, _ in office.phases)


def test_a_leak_is_heard_although_the_mail_server_restarted(office: Office) -> None:
    office.dav.layers = (deaf_to("external"),)
    at_times(office, [1.0], office.mail.restart)
    assert office.run().outcome == "not-silent"


class ResettingProxy(DrippingProxy):
    """Passes everything on until it resets all connections."""

    resets = 0

    def reset(self) -> None:
        self.resets += 1
        while self._sockets:
            one = self._sockets.pop()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            try:
                one.shutdown(socket.SHUT_RD)
            except OSError:  # the other side was reset before
                continue
            finally:
                one.close()


def test_a_proxy_resets_the_connections_to_the_mail_server(office: Office) -> None:
    with ResettingProxy(office.mail.port) as proxy:
        office.port = proxy.port
        at_times(office, [1.0, 30.0, 60.0, 200.0, 500.0], proxy.reset)
        result = office.run()
    assert proxy.resets == 5
    assert (result.outcome, result.tidy, len(office.sink.mails)) == ("silent", True, 2)


PROCESS = """
import sys
from connectors.caldav.settings import DavSettings
from connectors.settings import Account, Secret
from engine.preflight.probe_run import prove_server
from engine.preflight.probe_state import LedgerMemory
from ledger.store import Ledger

url, address = sys.argv[1:]
settings = DavSettings(kind="caldav", url=url, profile="nextcloud", password=Secret(env="PROBE_PASSWORD"))
anna, bert = (Account(login=one, address=f"{one}@practice.test") for one in ("anna", "bert"))
result = prove_server(
    settings,
    anna,
    bert,
    None,
    arrival=2.0,
    gathers=8.0,
    progress=lambda *one: print(*one, flush=True),
    memory=LedgerMemory(Ledger(address), "probe"),
)
print("outcome", result.outcome, round(result.watched, 1))
"""


def test_a_probe_is_killed_and_started_again(
    radicale: RadicaleServer, sink: SmtpSink, tmp_path: Path
) -> None:
    """With SIGKILL, in the middle of its listening."""
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    with start_scheduling(radicale, "nextcloud", sink) as server:
        command = [sys.executable, "-c", PROCESS, server.url, f"sqlite:///{tmp_path}/ledger.db"]
        with (tmp_path / "first").open("wb") as output:
            first = subprocess.Popen(command, stdout=output, env=os.environ)
        waited = await_listening(ledger, first)
        first.send_signal(signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
        second = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
        quiet = [line.split() for line in second.stdout.splitlines() if line.startswith("quiet")]
        assert float(quiet[0][1]) >= waited  # it goes on where the first one was
        assert second.stdout.splitlines()[-1].startswith("outcome silent")
        controls = [one for one in server.requests if one.method == "PUT" and "control" in one.path]
        assert len(controls) == 1
        assert len({one.path for one in server.requests if one.method == "PUT"}) == 3
    assert LedgerMemory(ledger, "probe").load() == ""
    ledger.close()


def await_listening(ledger: Ledger, process: subprocess.Popen[bytes]) -> float:
    """Until a part of the silence is over; returns how much."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None
        state = ProbeState.read(LedgerMemory(ledger, "probe").load())
        if state is not None and state.over.get("quiet", 0.0) >= 2.0:
            return state.over["quiet"]
        time.sleep(0.05)
    raise AssertionError("it does not listen")
