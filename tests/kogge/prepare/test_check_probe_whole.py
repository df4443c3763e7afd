"""`kogge check` with an invitation probe, against the practice Open-Xchange and a real Dovecot."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from commands import run
from imapclient import IMAPClient
from server_fixtures import dovecot_fixture, sink_fixture
from servers.dovecot import Dovecot
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer
from servers.smtp_sink import SmtpSink

from connectors.caldav.products import PROFILES
from engine.preflight import invitation_probe
from ledger.db.shared_values import read_value
from ledger.store import Ledger

ANNA, HOST, GUEST = "anna@new.example", "probe-a@new.example", "probe-b@new.example"
OUTSIDE = "probe-b+outside@new.example"
TOML = """\
[source]
kind = "imap"
host = "{mail.host}"
port = {mail.port}
security = "none"
auth = "master-user"
username = "{mail.master_user}"
password = {{ env = "MASTER" }}
[target.mail]
kind = "imap"
host = "{mail.host}"
port = {mail.port}
security = "none"
auth = "master-user"
username = "{mail.master_user}"
password = {{ env = "MASTER" }}
[target.calendar]
kind = "caldav"
url = "{dav.url}"
profile = "open-xchange"
password = {{ env = "PERSON" }}
[invitation_probe]
host = "probe-a@new.example"
guest = "probe-b@new.example"
external = "probe-b+outside@new.example"
arrival_seconds = 1
[approval]
required = 0
"""

dovecot = dovecot_fixture([ANNA, "anna@old.example", GUEST], scope="function")
sink = sink_fixture()


@pytest.fixture
def server(
    dovecot: Dovecot, sink: SmtpSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenXchangeServer]:
    """A postman carries its mail to Dovecot."""
    quick = replace(PROFILES["open-xchange"], gathers=8.0)
    monkeypatch.setitem(PROFILES, "open-xchange", quick)  # type: ignore[arg-type]
    monkeypatch.setenv("MASTER", dovecot.master_password)
    monkeypatch.setenv("PERSON", USER_PASSWORD)
    monkeypatch.chdir(tmp_path)
    ended = threading.Event()

    def carry() -> None:
        carried = 0
        while not ended.wait(0.1):
            for mail in sink.mails[carried:]:
                carried += 1
                with IMAPClient(dovecot.host, port=dovecot.port, ssl=False) as client:
                    client.login(f"{GUEST}*{dovecot.master_user}", dovecot.master_password)
                    client.append("INBOX", mail.message.as_bytes())

    postman = threading.Thread(target=carry)
    with OpenXchangeServer({ANNA: "Anna", HOST: "Probe A", GUEST: "Probe B"}, sink=sink) as running:
        (tmp_path / "kogge.toml").write_text(TOML.format(mail=dovecot, dav=running))
        (tmp_path / "mailboxes.csv").write_text("source,target,wave\nanna@old.example,anna@new.example,w\n")
        postman.start()
        yield running
        ended.set()
        postman.join()


def controls(server: OpenXchangeServer) -> list[str]:
    return [one.path for one in server.requests if one.method == "PUT" and "control" in one.path]


def test_a_check_is_interrupted_and_the_next_one_goes_on(
    server: OpenXchangeServer,
    sink: SmtpSink,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def interrupted(phase: str, over: float, _most: float) -> None:
        if phase == "quiet" and over > 1.0:
            raise KeyboardInterrupt

    with monkeypatch.context() as impatient:
        whole = invitation_probe._Probe.__post_init__

        def hurried(probe: invitation_probe._Probe) -> None:
            whole(probe)
            probe.progress = interrupted

        impatient.setattr(invitation_probe._Probe, "__post_init__", hurried)
        assert run("check", "--wave", "w") == 130
    assert len(controls(server)) == 2
    capfd.readouterr()
    run("check", "--wave", "w", "--json")
    told = capfd.readouterr()
    (evidence,) = json.loads(told.out)["invitations"]
    assert (evidence["code"], evidence["guests"]) == (None, ["internal", "external"])
    assert evidence["watched_seconds"] >= 8
    assert "invitation probe: listens until " in told.err
    assert len(controls(server)) == 2  # no second invitation
    assert sorted(mail.recipient for mail in sink.mails) == [OUTSIDE, GUEST]
    ledger = Ledger("sqlite:///kogge-state/ledger.db")
    with ledger.engine.connect() as connection:
        names = connection.exec_driver_sql("SELECT name FROM meta WHERE name LIKE 'invitation%'").all()
    assert names == []
    (budget,) = budgets(ledger)
    assert json.loads(read_value(ledger, budget)[0])["blocks"]  # the probe's requests count, too
    ledger.close()


def budgets(ledger: Ledger) -> list[str]:
    with ledger.engine.connect() as connection:
        query = "SELECT name FROM meta WHERE name LIKE 'requests:%'"
        return list(connection.exec_driver_sql(query).scalars())
