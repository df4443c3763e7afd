"""No meeting goes to a server of which nobody knows whether it invites people."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.caldav.settings import DavSettings
from connectors.settings import Secret
from engine.config.load import Config, InvitationProbeSettings
from engine.planning.mailbox_list import Person
from engine.preflight.invitation_probe import ProbeResult
from engine.preflight.preflight import PreflightResult, side_of
from engine.steps.beginning import invitation_policy
from kogge.prepare import check_invitations
from ledger.store import Ledger
from model.errors import Blocked, Misconfigured
from model.kinds import Kind

HOST, GUEST = "probe-a@n.example", "probe-b@n.example"
PERSON = Person(2, "a@o.example", "a@n.example", "w", "a@o.example", "a@n.example")


def settings(profile: str = "generic", url: str = "https://dav.example") -> DavSettings:
    return DavSettings(kind="caldav", url=url, profile=profile, password=Secret(env="X"))  # type: ignore[arg-type]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    found = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    found.migrate()
    return found


def config(profile: str = "generic", probe: bool = True) -> Any:
    targets = {Kind.CALENDAR: settings(profile), Kind.TASKS: settings(profile)}
    target = SimpleNamespace(of=targets.get, mail=None)
    both = InvitationProbeSettings(host=HOST, guest=GUEST) if probe else None
    return SimpleNamespace(target=target, workloads=(Kind.CALENDAR, Kind.TASKS), invitation_probe=both)


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> list[ProbeResult]:
    """What the invitation probes to come will show; each is used up."""
    shown: list[ProbeResult] = []
    monkeypatch.setattr(check_invitations, "prove_server", lambda *_, **__: shown.pop(0))
    return shown


def codes(given: Config, ledger: Ledger, *, again: bool = False) -> list[str | None]:
    return [one.code for one in check_invitations.listen(given, ledger, [PERSON], again=again)]


def refused(work_kind: Kind, silence_of: str | None, ledger: Ledger) -> str | None:
    target: Any = SimpleNamespace(silence=lambda: silence_of) if silence_of else SimpleNamespace()
    work: Any = SimpleNamespace(kind=work_kind, target=target)
    try:
        invitation_policy.refuse_unproven(work, lambda: invitation_policy.is_proven(ledger, settings()))
    except Blocked as error:
        return error.code
    return None


def test_an_unproven_server_is_refused_until_a_probe_stayed_silent(
    ledger: Ledger, proofs: list[ProbeResult]
) -> None:
    assert refused(Kind.CALENDAR, "unproven", ledger) == "silence-unproven"
    proofs.append(ProbeResult("silent", watched=1200))
    assert codes(config(), ledger) == [None, None]  # one probe serves both workloads of a server
    assert refused(Kind.CALENDAR, "unproven", ledger) is None
    assert codes(config(), ledger) == [None, None]  # and is remembered


@pytest.mark.parametrize(("kind", "known"), [(Kind.CONTACTS, "unproven"), (Kind.CALENDAR, "never-sends")])
def test_what_cannot_invite_needs_no_probe(kind: Kind, known: str, ledger: Ledger) -> None:
    assert refused(kind, known, ledger) is None
    assert refused(Kind.TASKS, None, ledger) is None


@pytest.mark.parametrize(
    ("outcome", "code"), [("not-silent", "silence-broken"), ("no-control", "silence-unproven")]
)
def test_what_a_probe_did_not_prove_stays_refused(
    outcome: Any, code: str, ledger: Ledger, proofs: list[ProbeResult]
) -> None:
    proofs += [ProbeResult("silent"), ProbeResult(outcome)]
    assert codes(config(), ledger) == [None, None]
    assert codes(config(), ledger, again=True) == [code, code]
    assert refused(Kind.CALENDAR, "unproven", ledger) == "silence-unproven"


def test_another_server_needs_another_probe(ledger: Ledger) -> None:
    invitation_policy.record(ledger, settings(), "silent", 1)
    assert not invitation_policy.is_proven(ledger, settings(url="https://other.example"))
    assert not invitation_policy.is_proven(ledger, settings("open-xchange"))


def test_a_probe_that_version_0_1_0_recorded_counts(ledger: Ledger) -> None:
    _, kind = invitation_policy.kinds_of(settings())
    assert kind.startswith("canary:")
    ledger.event(invitation_policy.CHAIN, kind, {"outcome": "silent", "watched": 120})
    assert invitation_policy.is_proven(ledger, settings())
    invitation_policy.record(ledger, settings(), "invited", 1)
    assert not invitation_policy.is_proven(ledger, settings())


def test_a_probe_is_believed_for_a_season(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    invitation_policy.record(ledger, settings(), "silent", 1)
    assert invitation_policy.is_proven(ledger, settings())
    later = time.time() + invitation_policy.BELIEVED + 1
    with monkeypatch.context() as put_ahead:  # the clock of one worker
        put_ahead.setattr(time, "time", lambda: later)
        assert invitation_policy.is_proven(ledger, settings())
    monkeypatch.setattr(Ledger, "clock", lambda _: datetime.fromtimestamp(later, UTC))
    assert not invitation_policy.is_proven(ledger, settings())


def test_without_accounts_for_it_an_unproven_server_is_named(ledger: Ledger) -> None:
    assert codes(config(probe=False), ledger) == ["silence-unproven"] * 2
    assert codes(config("radicale", probe=False), ledger) == []


def looked(word: str, kind: Kind = Kind.CALENDAR) -> PreflightResult:
    return PreflightResult(PERSON, facts={side_of(kind): {"silence": word}})


def test_a_server_that_contradicts_its_profile_needs_a_probe(
    ledger: Ledger, proofs: list[ProbeResult]
) -> None:
    said = check_invitations.said_by([PreflightResult(PERSON), looked("unproven"), looked("never-sends")])
    assert said == {Kind.CALENDAR: "unproven"}
    assert not check_invitations.concerned(config("radicale"), {})
    assert check_invitations.concerned(config("radicale"), said)
    proofs.append(ProbeResult("silent"))
    heard = check_invitations.listen(config("radicale"), ledger, [PERSON], again=False, said=said)
    assert [(one.workload, one.code) for one in heard] == [(Kind.CALENDAR, None)]
    (without,) = check_invitations.listen(
        config("nextcloud", probe=False), ledger, [PERSON], again=False, said=said
    )
    assert without.code == "silence-unproven"


def test_a_probe_is_nobodys_mailbox(ledger: Ledger) -> None:
    people = [Person(3, GUEST, GUEST, "w", GUEST, GUEST)]
    with pytest.raises(Misconfigured):
        check_invitations.listen(config(), ledger, people, again=False)


@pytest.mark.parametrize("outcome", ["silent", "not-silent", "no-control"])
def test_a_line_says_what_to_do(outcome: Any) -> None:
    heard = check_invitations.InvitationEvidence(
        Kind.CALENDAR, check_invitations.CODES[outcome], ProbeResult(outcome, ("mail",))
    )
    assert heard.line().plain.startswith("target.calendar: ")
    assert heard.document()["workload"] == "calendar"
