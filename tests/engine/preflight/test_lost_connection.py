"""A check looks once more at a mailbox where nothing failed but a connection."""

from __future__ import annotations

from typing import Any

import pytest

from engine.identity.identity_gate import GateRules
from engine.planning.mailbox_list import Person
from engine.preflight import preflight
from engine.preflight.preflight import PreflightResult, examine_all
from model.kinds import Kind

ANNA = Person(2, "a@old.example", "a@new.example", "pilot", "a@old.example", "a@new.example")
LOST, CUT, REFUSED = ("gate", "connection-lost"), ("target", "connection-cut"), ("source", "login-refused")


class Run:
    mailboxes_at_once = 1


class Config:
    run = Run()


def looked(
    monkeypatch: pytest.MonkeyPatch, *found: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], int]:
    """What is found at last of one mailbox, and how many looks it took. found: the faults of each look."""
    looks = iter(found)
    seen = []

    def examine(_config: Any, person: Person, *_: Any, **__: Any) -> PreflightResult:
        seen.append(person)
        return PreflightResult(person, faults=next(looks))

    monkeypatch.setattr(preflight, "examine", examine)
    (result,) = examine_all(Config(), [ANNA], {Kind.MAIL: GateRules()}, lambda: None)  # type: ignore[arg-type]
    return result.faults, len(seen)


def test_a_lost_connection_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looked(monkeypatch, [LOST, CUT], []) == ([], 2)


def test_a_connection_that_is_lost_again_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looked(monkeypatch, [LOST], [LOST], []) == ([LOST], 2)


@pytest.mark.parametrize("faults", [[], [REFUSED], [LOST, REFUSED], [("source", "unreachable")]])
def test_nothing_else_is_tried_again(monkeypatch: pytest.MonkeyPatch, faults: list[tuple[str, str]]) -> None:
    """A refused login least of all: tried often, it locks a person out."""
    assert looked(monkeypatch, faults, []) == (faults, 1)
