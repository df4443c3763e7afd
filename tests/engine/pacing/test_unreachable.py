"""A server that cannot be reached at all is waited for once, not once for every mailbox."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from connectors.imap.session import ImapSettings
from engine.config.sources import Sources
from engine.identity.identity_gate import GateRules
from engine.pacing.login_breaker import AWAY_MOST, AWAY_SECONDS, LoginBreaker
from engine.planning.mailbox_list import Person
from engine.preflight import preflight, source_inventory
from engine.preflight.preflight import Power, unreachable_sides
from model.errors import Blocked, Transient
from model.kinds import Kind

PEOPLE = [Person(n, f"u{n}@o.example", f"u{n}@n.example", "w", f"u{n}", f"u{n}") for n in range(1, 21)]
CONFIG: Any = SimpleNamespace(
    run=SimpleNamespace(mailboxes_at_once=4),
    gate=SimpleNamespace(control=None),
    workloads=(Kind.MAIL,),
    source=Sources(None, {}),
)
RULES = {Kind.MAIL: GateRules()}
CAUSE = "mail.example:443: Connection refused"


class Away:
    """A side that cannot be reached; it counts how often somebody tried."""

    def __init__(self, tries: Counter[str], side: str, code: str) -> None:
        self._tries, self._side, self._code = tries, side, code

    def identity(self) -> NoReturn:
        self._tries[self._side] += 1
        raise Transient(self._code).about("ECONNREFUSED").with_local_cause(CAUSE)

    def close(self) -> None:
        self._tries["closed"] += 1


def away(monkeypatch: pytest.MonkeyPatch, code: str = "unreachable") -> Counter[str]:
    tries: Counter[str] = Counter()
    for module in (preflight, source_inventory):
        monkeypatch.setattr(module, "open_source", lambda *_, **__: Away(tries, "source", code))
    monkeypatch.setattr(preflight, "open_target", lambda *_, **__: Away(tries, "target", code))
    return tries


def nothing() -> None:
    return


@pytest.mark.parametrize("code", ["unreachable", "server-unreachable"])
def test_a_check_asks_each_side_once(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = away(monkeypatch, code)
    looks = preflight.examine_all(CONFIG, PEOPLE, RULES, nothing)
    assert (tries["source"], tries["target"]) == (1, 1)
    assert [look.faults for look in looks] == [[("source", code), ("target", code)]] * len(PEOPLE)
    assert {look.passing for look in looks} == {2}
    assert [look.causes for look in looks] == [{f"{code}: {CAUSE}"}] * len(PEOPLE)
    assert unreachable_sides(looks) == {"source", "target"}


def test_an_inventory_asks_the_source_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = away(monkeypatch)
    found = source_inventory.take_all(CONFIG, PEOPLE, nothing)
    assert tries["source"] == 1
    assert {(one.code, one.passing) for one in found} == {("unreachable", True)}


def asked(breaker: LoginBreaker, fault: Exception | None, mailbox: str, side: str = "source") -> bool:
    """Whether the side was asked for this mailbox."""
    requests = []
    with suppress(Transient, Blocked), breaker.login(side, mailbox):
        requests.append(mailbox)
        if fault is not None:
            raise fault
    return bool(requests)


def test_once_a_side_has_answered_each_mailbox_is_asked() -> None:
    breaker = LoginBreaker()
    assert asked(breaker, None, "u1")
    assert asked(breaker, Transient("unreachable"), "u2")
    assert asked(breaker, None, "u3")


def test_a_side_that_goes_away_in_the_middle_is_asked_now_and_then() -> None:
    now = [0.0]
    breaker = LoginBreaker(lambda: now[0])
    fault = Transient("unreachable")
    assert asked(breaker, None, "u1")
    assert [asked(breaker, fault, f"u{n}") for n in range(2, 8)] == [True] * AWAY_MOST + [False] * 3
    assert asked(breaker, None, "u8", "target")
    now[0] += AWAY_SECONDS
    assert [asked(breaker, fault, f"u{n}") for n in range(9, 12)] == [True, False, False]
    now[0] += AWAY_SECONDS
    assert [asked(breaker, None, f"u{n}") for n in range(12, 15)] == [True, True, True]
    assert asked(breaker, fault, "u15")
    assert asked(breaker, None, "u16"), "one fault alone says nothing"


@pytest.mark.parametrize("examined", [True, False])
def test_a_check_and_an_inventory_do_not_wait_for_it_at_each_mailbox(
    examined: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = away(monkeypatch)
    first = Away(tries, "source", "unreachable")
    monkeypatch.setattr(first, "identity", lambda: tries.update(["answered"]), raising=False)
    sides = iter([first])
    for module in (preflight, source_inventory):
        monkeypatch.setattr(
            module, "open_source", lambda *_, **__: next(sides, None) or Away(tries, "source", "unreachable")
        )
    if examined:
        looks = preflight.examine_all(CONFIG, PEOPLE, RULES, nothing)
        assert sum(("source", "unreachable") in look.faults for look in looks) == len(PEOPLE) - 1
    else:
        found = source_inventory.take_all(CONFIG, PEOPLE, nothing)
        assert [one.code for one in found].count("unreachable") == len(PEOPLE) - 1
    assert AWAY_MOST <= tries["source"] < AWAY_MOST + CONFIG.run.mailboxes_at_once


def test_another_fault_says_nothing_about_the_others() -> None:
    breaker = LoginBreaker()
    assert asked(breaker, Transient("busy"), "u1")
    assert asked(breaker, Transient("timeout"), "u2")
    assert asked(breaker, Transient("unreachable"), "u3")
    assert asked(breaker, None, "u4"), "the server is there"


def test_another_side_is_another_server() -> None:
    breaker = LoginBreaker()
    assert asked(breaker, Transient("unreachable"), "u1")
    assert not asked(breaker, None, "u2")
    assert asked(breaker, None, "u2", "target")


def test_a_server_that_refused_a_login_is_there() -> None:
    breaker = LoginBreaker()
    assert asked(breaker, Blocked("login-refused"), "u1")
    assert asked(breaker, Transient("unreachable"), "u2")
    assert asked(breaker, None, "u3")


def test_the_power_of_a_credential_is_not_tried_at_a_side_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = away(monkeypatch)
    shared = ImapSettings.model_validate(
        {"host": "h", "auth": "master-user", "username": "master", "password": {"env": "X"}}
    )
    config: Any = SimpleNamespace(
        gate=SimpleNamespace(control="Chief@old.example"),
        source=Sources(shared, {}),
        target=SimpleNamespace(of=lambda _: shared),
        workloads=(Kind.MAIL,),
    )
    assert preflight.powers(config, frozenset({"source"})) == [Power("source", None), Power("target", None)]
    assert (tries["source"], tries["target"]) == (0, 1)
