"""Refused logins: a look at many mailboxes stops, and a person's own password is not tried elsewhere."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from connectors.ews.source import EwsSettings
from connectors.imap.session import ImapSettings
from connectors.settings import name_fields
from engine.config.sources import Sources
from engine.identity.identity_gate import GateRules
from engine.pacing.login_breaker import REFUSALS_MOST, LoginBreaker
from engine.planning.mailbox_list import Person
from engine.preflight import preflight, source_inventory
from model.errors import Blocked, Misconfigured, Transient
from model.kinds import Kind
from model.protocols import Container, Identity

PEOPLE = [Person(n, f"u{n}@o.example", f"u{n}@n.example", "w", f"u{n}", f"u{n}") for n in range(1, 41)]
SETTINGS = {
    side: ImapSettings.model_validate({"kind": "imap", "host": f"{side}.example", "password": {"env": "X"}})
    for side in ("source", "target.mail")
}
for number, (side, settings) in enumerate(SETTINGS.items(), 1):
    name_fields(settings, f"kogge.toml:{number}: {side}.{{}}".format)
CONFIG: Any = SimpleNamespace(
    run=SimpleNamespace(mailboxes_at_once=4),
    gate=SimpleNamespace(control=None),
    workloads=(Kind.MAIL,),
    source=Sources(SETTINGS["source"], {}),
    target=SimpleNamespace(of=lambda kind: SETTINGS[f"target.{kind}"]),
)


class Side:
    """A side that refuses some logins."""

    tries: ClassVar[Counter[str]] = Counter()

    def __init__(self, side: str, refuses: bool) -> None:
        self.side, self.refuses = side, refuses

    def identity(self) -> Identity:
        Side.tries[self.side] += 1
        if self.refuses:
            raise Blocked("login-refused")
        raise Blocked("mailbox-missing")

    def close(self) -> None:
        Side.tries["closed"] += 1


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    monkeypatch.setattr(Side, "tries", Counter())
    monkeypatch.setattr(source_inventory, "open_source", lambda *_, **__: Side("source", refuses=True))
    monkeypatch.setattr(preflight, "open_source", lambda *_, **__: Side("source of a check", refuses=False))
    monkeypatch.setattr(preflight, "open_target", lambda *_, **__: Side("target", refuses=True))
    return Side.tries


def nothing() -> None:
    return


def test_a_check_stops_at_the_third_refusal(tries: Counter[str]) -> None:
    with pytest.raises(Misconfigured) as raised:
        preflight.examine_all(CONFIG, PEOPLE, {Kind.MAIL: GateRules()}, nothing)
    assert raised.value.where == "kogge.toml:2: target.mail.password"
    assert f"password: target.mail.example:993 refused {REFUSALS_MOST} mailboxes" in raised.value.advice
    assert tries["target"] == REFUSALS_MOST


def test_an_inventory_stops_at_the_third_refusal(tries: Counter[str]) -> None:
    with pytest.raises(Misconfigured) as raised:
        source_inventory.take_all(CONFIG, PEOPLE, nothing)
    assert raised.value.where == "kogge.toml:1: source.password"
    assert tries["source"] == REFUSALS_MOST


def test_only_an_accepted_login_ends_a_row() -> None:
    breaker, numbers = LoginBreaker(), itertools.count()
    script = [Blocked("login-refused"), Blocked("login-refused"), Blocked("tls-failed"), None] * 3
    for fault in script:
        attempt(breaker, fault, f"u{next(numbers)}")
    for _ in range(REFUSALS_MOST - 1):
        attempt(breaker, Blocked("login-refused"), f"u{next(numbers)}")
        attempt(breaker, Transient("timeout"), f"u{next(numbers)}")
    with pytest.raises(Misconfigured):
        attempt(breaker, Blocked("login-refused"), f"u{next(numbers)}")
    with pytest.raises(Misconfigured), breaker.login("source", "another"):
        pytest.fail("nothing more is tried")
    attempt(breaker, None, "another", "target")


def test_a_mailbox_counts_once_and_is_not_tried_again() -> None:
    breaker, tried = LoginBreaker(), []
    for kind in ("calendar", "contacts", "tasks", "files"):
        with suppress(Blocked), breaker.login(f"target.{kind}", "u1"):
            tried.append(kind)
            raise Blocked("login-refused")
    assert tried == ["calendar"]
    attempt(breaker, None, "u1")


def attempt(breaker: LoginBreaker, fault: Exception | None, mailbox: str, side: str = "source") -> None:
    with suppress(Blocked, Transient), breaker.login(side, mailbox):
        if fault is not None:
            raise fault


def imap(auth: str, **more: Any) -> ImapSettings:
    secret = more.pop("password", {"env": "X"})
    return ImapSettings.model_validate({"host": "h", "auth": auth, "password": secret, **more})


def ews(**more: Any) -> EwsSettings:
    return EwsSettings.model_validate(
        {"url": "https://h/EWS/Exchange.asmx", "password": {"env": "X"}, **more}
    )


@pytest.mark.parametrize(
    ("settings", "shared"),
    [
        (imap("password"), False),
        (imap("password", password={"file": "all-the-same"}), False),
        (imap("master-user", username="master"), True),
        (imap("plain-authzid", username="master"), True),
        (imap("xoauth2"), True),
        (imap("xoauth2", password={"command": "token {login}"}), False),
        (ews(username="service"), True),
        (ews(), False),
        (ews(username="service", password={"env": "X_{login}"}), False),
        (ews(auth="kerberos"), True),
    ],
)
def test_the_control_mailbox_is_tried_with_shared_credentials_alone(
    settings: Any, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.is_shared is shared
    gate = SimpleNamespace(control="Chief@old.example")
    config: Any = SimpleNamespace(
        gate=gate,
        source=Sources(settings, {}),
        target=SimpleNamespace(of=lambda _: imap("password")),
        workloads=(Kind.MAIL,),
        path=Path("kogge.toml"),
    )
    opened = []
    monkeypatch.setattr(
        preflight, "open_source", lambda *_, **__: opened.append(1) or Side("source", refuses=True)
    )
    source, target = preflight.powers(config)
    assert (len(opened), source.opens) == ((1, False) if shared else (0, None))
    assert (target.opens, target.tried) == (None, False)


class Scoped(Side):
    """Microsoft 365 by RBAC: the directory tells of everybody, and the mailbox is closed."""

    def identity(self) -> Identity:
        return Identity("graph", "somebody")

    def containers(self) -> Iterator[Container]:
        if self.refuses:
            raise Blocked("access-denied")
        yield from ()


@pytest.mark.parametrize("refuses", [True, False])
def test_who_knows_the_control_mailbox_has_not_opened_it(
    refuses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SimpleNamespace(of=lambda _: imap("password"))
    gate = SimpleNamespace(control="Chief@old.example")
    source = imap("master-user", username="master")
    config: Any = SimpleNamespace(
        gate=gate, source=Sources(source, {}), target=settings, workloads=(Kind.MAIL,)
    )
    monkeypatch.setattr(preflight, "open_source", lambda *_, **__: Scoped("source", refuses))
    assert preflight.powers(config)[0].opens is not refuses


def test_a_wave_asks_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(preflight, "_answers", {})
    monkeypatch.setattr(
        preflight, "powers", lambda _config: asked.append(1) or [preflight.Power("source", opens=True)]
    )
    ledger: Any = SimpleNamespace(approved=lambda *_: False)
    config: Any = SimpleNamespace(path=Path("kogge.toml"), gate=SimpleNamespace(control="c@o.example"))
    monkeypatch.setattr(preflight, "refuse_excess", lambda *_: None)
    for _ in range(3):
        with pytest.raises(Blocked) as raised:
            preflight.refuse_power(config, ledger, "w")
        assert raised.value.code == "control-mailbox"
    assert len(asked) == 1
