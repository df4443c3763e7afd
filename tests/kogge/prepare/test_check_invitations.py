"""What `kogge check` configures, announces and says of an invitation probe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.imap.target import ImapTarget
from connectors.settings import Account
from engine.config.load import Config, load
from engine.pacing.server_notices import clock_time
from engine.planning.mailbox_list import Person
from engine.preflight.invitation_probe import OUTAGE_SECONDS, ProbeResult
from engine.preflight.probe_state import LedgerMemory
from engine.steps.beginning import invitation_policy
from kogge.prepare import check_invitations
from kogge.prepare.check_invitations import InvitationEvidence
from ledger.store import Ledger
from model.errors import Blocked, Misconfigured, Transient
from model.kinds import Kind

TOML = """\
[source]
kind = "imap"
host = "imap.example.org"
password = { env = "X" }
[target.calendar]
kind = "caldav"
url = "https://ox.example.net"
profile = "open-xchange"
password = { env = "X" }
"""
MAIL = '[target.mail]\nkind = "imap"\nhost = "imap.example.net"\npassword = { env = "X" }\n'
PROBE = '[invitation_probe]\nhost = "probe-a@n.example"\nguest = "probe-b@n.example"\n'
PERSON = Person(2, "a@o.example", "a@n.example", "w", "a@o.example", "a@n.example")


def configured(folder: Path, *parts: str) -> Config:
    (folder / "kogge.toml").write_text(TOML + "".join(parts))
    return load(folder / "kogge.toml")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the probes were given."""
    calls: list[dict[str, Any]] = []

    def prove(*_: object, **named: Any) -> ProbeResult:
        calls.append(named)
        return ProbeResult("silent", watched=600.0, guests=("internal", "external"))

    monkeypatch.setattr(check_invitations, "prove_server", prove)
    return calls


def listened(config: Config, folder: Path, people: list[Person]) -> list[InvitationEvidence]:
    ledger = Ledger(f"sqlite:///{folder}/ledger.db")
    ledger.migrate()
    found = check_invitations.listen(config, ledger, people, again=False)
    ledger.close()
    return found


LOGINS = 'host_login = "Probe A"\nguest_login = "probe-b"\n'


def test_a_login_stands_beside_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nextcloud's AppAPI knows user ids only, letter by letter."""
    given: list[tuple[Account, Account]] = []

    def prove(_settings: object, host: Account, guest: Account, *_: object, **__: object) -> ProbeResult:
        given.append((host, guest))
        return ProbeResult("silent", watched=600.0, guests=("internal",))

    monkeypatch.setattr(check_invitations, "prove_server", prove)
    (heard,) = listened(configured(tmp_path, PROBE, LOGINS), tmp_path, [PERSON])
    assert heard.code is None
    (accounts,) = given
    assert [(one.login, one.address) for one in accounts] == [
        ("Probe A", "probe-a@n.example"),
        ("probe-b", "probe-b@n.example"),
    ]


@pytest.mark.parametrize("login", ["Probe A", "probe-b"])
def test_no_login_of_the_probe_is_a_persons(tmp_path: Path, given: list[dict[str, Any]], login: str) -> None:
    with pytest.raises(Misconfigured, match="nobody's"):
        listened(configured(tmp_path, PROBE, LOGINS), tmp_path, [replace(PERSON, target_login=login)])
    assert given == []


@pytest.mark.parametrize("logins", ['host_login = ""', 'guest_login = "probe-a@n.example"'])
def test_two_accounts_have_two_logins(tmp_path: Path, logins: str) -> None:
    with pytest.raises(Misconfigured, match="invitation_probe"):
        configured(tmp_path, PROBE, logins)


def test_the_mail_of_a_guest_outside_arrives_at_the_guests_mailbox(
    tmp_path: Path, given: list[dict[str, Any]]
) -> None:
    config = configured(tmp_path, MAIL, PROBE, 'external = "Probe-B+x@n.example"\n')
    (heard,) = listened(config, tmp_path, [PERSON])
    assert heard.code is None
    (call,) = given
    assert (call["outside"].address, call["outside"].mail) == ("probe-b+x@n.example", None)
    assert isinstance(call["memory"], LedgerMemory)
    assert call["budget"] is not None


def test_or_at_a_server_of_its_own(tmp_path: Path, given: list[dict[str, Any]]) -> None:
    more = 'external_mail = { kind = "imap", host = "imap.elsewhere.example", password = { env = "X" } }\n'
    config = configured(tmp_path, PROBE, 'external = "eve@elsewhere.example"\n', more)
    listened(config, tmp_path, [PERSON])
    opened = given[0]["outside"].mail()
    assert isinstance(opened.close.__self__, ImapTarget)
    opened.close()


def test_mail_that_nobody_could_read_proves_nothing(tmp_path: Path, given: list[dict[str, Any]]) -> None:
    config = configured(tmp_path, PROBE, 'external = "eve@elsewhere.example"\n')
    with pytest.raises(Misconfigured, match="external_mail"):
        listened(config, tmp_path, [PERSON])
    assert given == []


def test_the_guest_outside_is_nobodys_mailbox(tmp_path: Path, given: list[dict[str, Any]]) -> None:
    config = configured(tmp_path, MAIL, PROBE, 'external = "a@o.example"\n')
    with pytest.raises(Misconfigured, match="nobody's"):
        listened(config, tmp_path, [PERSON])
    assert given == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('external = "probe-b@n.example"\n', "external must be no account"),
        ('external = "eve"\n', "full e-mail address"),
        ('external_mail = { host = "x", kind = "imap", password = { env = "X" } }\n', "needs external"),
    ],
)
def test_a_wrong_guest_outside(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        configured(tmp_path, PROBE, more)


def test_progress_is_announced_once_and_when_it_moves(capsys: pytest.CaptureFixture[str]) -> None:
    now = [1_000_000.0]
    announcements = check_invitations._Announcements(lambda: now[0])
    quiet = "invitation probe: listens until "
    assert announcements.text("quiet", 0.0, 600.0) == (quiet + clock_time(1_000_600.0), True)
    now[0] += 30.0
    assert announcements.text("quiet", 30.0, 600.0)[1] is False
    line, is_news = announcements.text("away", 0.0, OUTAGE_SECONDS)
    assert is_news
    assert line == "invitation probe: a server is away; it is tried until " + clock_time(1_000_930.0)
    now[0] += 300.0
    assert announcements.text("quiet", 60.0, 600.0) == (quiet + clock_time(1_000_870.0), True)
    with check_invitations._shown() as report:
        report("control", 0.0, 120.0)
        report("control", 0.1, 120.0)
    shown = capsys.readouterr().err
    assert shown.count("waits for its control meetings until") == 1


@pytest.mark.parametrize(
    "fault", [Transient("server-bye", "it left"), Blocked("login-refused", "it refuses")]
)
def test_a_probe_that_a_fault_ends_is_a_line_of_the_check_and_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Transient | Blocked
) -> None:
    def prove(*_: object, **__: object) -> ProbeResult:
        raise fault

    monkeypatch.setattr(check_invitations, "prove_server", prove)
    config = configured(tmp_path, MAIL, PROBE)
    (heard,) = listened(config, tmp_path, [PERSON])
    assert (heard.code, heard.passing) == (fault.code, isinstance(fault, Transient))
    assert heard.line().plain.startswith(f"target.calendar: {fault.code}: {fault.advice}. ")
    assert heard.document()["code"] == fault.code
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    assert not invitation_policy.is_proven(ledger, config.target.of(Kind.CALENDAR))
    ledger.close()


def test_a_line_names_the_guest_whom_nothing_reached() -> None:
    result = ProbeResult("no-control", unheard=("external",), guests=("internal", "external"))
    evidence = InvitationEvidence(Kind.CALENDAR, check_invitations.CODES["no-control"], result)
    assert "silence-unproven (no control for the external guest)" in evidence.line().plain
    assert evidence.document()["unheard"] == ["external"]


def test_a_line_says_that_nobody_outside_was_tried() -> None:
    alone, both = (ProbeResult("silent", watched=600.0, guests=names) for names in GUESTS)
    lines = [InvitationEvidence(Kind.CALENDAR, None, result).line().plain for result in (alone, both)]
    assert ["set external in [invitation_probe]" in line for line in lines] == [True, False]
    assert all("nothing was heard for 10 min" in line for line in lines)


GUESTS: Any = (("internal",), ("internal", "external"))
