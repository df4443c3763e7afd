"""Rights are given from the freeze on, and what waits or is left is asked about again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from engine.context.leg_context import LegContext
from engine.steps.copying.left_items import UNTIL_FROZEN, ask_again, left_now
from ledger.db.rows import ContainerRow, Phase, State
from mappings.rights.right_item import CODES
from model.kinds import KINDS, Kind
from model.protocols import Mapped, Stored

ROW = cast(ContainerRow, SimpleNamespace(id=7, href="rights"))


class Rights:
    """A ledger and a target of rights, of which one was given."""

    def __init__(self, given: int = 1) -> None:
        self.given, self.asked, self.removed, self.again = given, list[str](), list[Stored](), list[bytes]()

    def reconsider(self, code: str) -> int:
        self.asked.append(code)
        return 0

    def rows(self, _container: int, states: Iterable[State]) -> Iterator[SimpleNamespace]:
        assert State.VERIFIED in states
        for number in range(self.given):
            facts = {"target_version": None, "digest": b"d", "size": 1, "date": None, "mid": None}
            yield SimpleNamespace(key=bytes([number]), href="mail:a:b", **facts)

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored]:
        assert href == "rights"
        for one in stored:
            self.removed.append(one)
            yield one

    def rewrite(self, _container: int, keys: Iterable[bytes]) -> None:
        self.again += keys


def leg(phase: Phase, kind: Kind = Kind.PERMISSIONS, rights: Rights | None = None) -> LegContext:
    both = rights or Rights()
    mailbox = SimpleNamespace(phase=phase)
    traits = KINDS[kind]
    found = SimpleNamespace(traits=traits, mailbox=mailbox, ledger=both, target=both, check=lambda: None)
    return cast(LegContext, found)


def entry(left: str = "") -> Mapped:
    return cast(Mapped, SimpleNamespace(left=left))


@pytest.mark.parametrize("phase", Phase)
def test_the_phase_decides_when_a_right_is_given(phase: Phase) -> None:
    waits = UNTIL_FROZEN if phase is Phase.STAGING else ""
    assert left_now(leg(phase), entry()) == waits
    assert left_now(leg(phase), entry("person-later")) == "person-later"
    assert left_now(leg(phase, Kind.MAIL), entry()) == ""


@pytest.mark.parametrize("phase", [Phase.FROZEN, Phase.LIVE])
def test_from_the_freeze_on_everything_left_is_asked_about_again(phase: Phase) -> None:
    rights = Rights()
    ask_again(leg(phase, rights=rights), [ROW])
    assert {*rights.asked} == {*CODES, UNTIL_FROZEN}
    assert rights.removed == []


def test_a_cutover_that_is_taken_back_takes_the_rights_back() -> None:
    rights = Rights(given=2)
    ask_again(leg(Phase.STAGING, rights=rights), [ROW])
    assert [one.href for one in rights.removed] == ["mail:a:b", "mail:a:b"]
    assert rights.again == [b"\0", b"\1"]
    assert rights.asked == []


def test_other_kinds_are_left_alone() -> None:
    rights = Rights()
    for phase in Phase:
        ask_again(leg(phase, Kind.MAIL, rights), [ROW])
    assert rights.asked == []
    assert rights.removed == []
