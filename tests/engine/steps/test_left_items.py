"""Rights are given from the freeze on, and what waits or is left is asked about again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from engine.context.leg_context import LegContext
from engine.steps.copying.left_items import (
    ACTS_WHEN_FROZEN,
    UNTIL_FROZEN,
    ask_again,
    left_now,
    take_back_left,
)
from engine.steps.following.remove import _withdraw
from ledger.db.rows import ContainerRow, ItemRow, Phase, State
from mappings.hours.hours_item import CODES as HOURS_CODES
from mappings.rights.right_item import CODES
from mappings.rules.reply_item import CODES as REPLY_CODES
from model.errors import Rejected
from model.kinds import KINDS, Kind
from model.protocols import Failed, Mapped, Stored
from model.working_hours import HOURS

ROW = cast(ContainerRow, SimpleNamespace(id=7, href="rights", source_id="rights"))
OF_HOURS = cast(ContainerRow, SimpleNamespace(id=8, href="rights", source_id=HOURS))


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
    facts = {"check": lambda: None, "mirror": phase is not Phase.LIVE, "allowed": frozenset}
    found = SimpleNamespace(traits=traits, mailbox=mailbox, ledger=both, target=both, **facts)
    return cast(LegContext, found)


def entry(left: str = "") -> Mapped:
    return cast(Mapped, SimpleNamespace(left=left))


@pytest.mark.parametrize("phase", Phase)
def test_the_phase_decides_when_a_right_is_given(phase: Phase) -> None:
    waits = UNTIL_FROZEN if phase is Phase.STAGING else ""
    assert left_now(leg(phase), ROW, entry()) == waits
    assert left_now(leg(phase), ROW, entry("person-later")) == "person-later"
    assert left_now(leg(phase, Kind.MAIL), ROW, entry()) == ""


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


class Rules:
    """A ledger of rules at the target, of which the first sends mail out."""

    def __init__(self) -> None:
        self.again = list[bytes]()

    def reconsider(self, _code: str) -> int:
        return 0

    def rows(self, _container: int, _states: Iterable[State]) -> Iterator[SimpleNamespace]:
        yield from (SimpleNamespace(key=one, digest=b"digest" + one) for one in (b"1", b"2"))

    def recheck(self, _container: int, keys: Iterable[bytes], *, counted: bool) -> None:
        assert not counted
        self.again += keys


@pytest.mark.parametrize(
    ("allowed", "mirror", "again"),
    [
        (b"digest1", True, [b"1", b"2"]),
        (b"digest1", False, []),
        (b"digest3", True, []),
    ],
    ids=["allowed since", "live", "another rule"],
)
def test_rules_that_a_person_allowed_are_written_again(
    allowed: bytes, mirror: bool, again: list[bytes]
) -> None:
    """All of the mailbox, since those behind may be said otherwise."""
    phase = Phase.FROZEN if mirror else Phase.LIVE
    rules = Rules()
    facts = {"traits": KINDS[Kind.SETTINGS], "mailbox": SimpleNamespace(phase=phase), "mirror": mirror}
    found = SimpleNamespace(ledger=rules, allowed=lambda: frozenset({allowed}), **facts)
    ask_again(cast(LegContext, found), [ROW])
    assert rules.again == again


class Items:
    """A ledger of rights and the target that has them: rows by key, each with state, href and code."""

    def __init__(self, *rows: tuple[State, str, str]) -> None:
        facts = {"target_version": None, "digest": b"d", "size": 1, "date": None, "mid": None, "place": None}
        self.items = [
            SimpleNamespace(key=bytes([number]), state=state, href=href, code=code or None, **facts)
            for number, (state, href, code) in enumerate(rows)
        ]
        self.removed: list[str] = []
        self.changed: set[str] = set()
        self.tally = SimpleNamespace(add=lambda _: None)
        self.gone: list[bytes] = []

    def rows(self, _container: int, states: Iterable[State]) -> Iterator[SimpleNamespace]:
        yield from [one for one in self.items if one.state in states]

    def reconsider(self, code: str, *, held: bool = False) -> int:
        for one in self.items:
            if one.code == code and (held or one.href is None):
                one.state, one.code = State.CHANGED if one.href else State.SEEN, None
        return 0

    def remove(self, _href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        for one in stored:
            if one.href in self.changed:
                yield Failed(one.key, Rejected("changed-at-target"))
            else:
                self.removed.append(one.href)
                yield one

    def rewrite(self, _container: int, keys: Iterable[bytes]) -> None:
        for one in self.items:
            if one.key in {*keys}:
                assert one.state is State.CHANGED
                one.state, one.href = State.SEEN, None

    def withdrawn(self, _container: int, keys: Iterable[bytes], **_how: object) -> None:
        self.gone += keys

    def event(self, *_: object) -> None:
        raise AssertionError("nothing is left at the target")


def walk(items: Items, phase: Phase = Phase.FROZEN, kind: Kind = Kind.PERMISSIONS) -> LegContext:
    mirror = phase is not Phase.LIVE
    context = SimpleNamespace(target=SimpleNamespace(shares_events=False))
    return cast(
        LegContext,
        SimpleNamespace(
            traits=KINDS[kind],
            mirror=mirror,
            ledger=items,
            target=items,
            context=context,
            check=lambda: None,
            is_ours=lambda _: True,
        ),
    )


def test_a_right_that_is_left_now_is_taken_back() -> None:
    """It would be wider than what the source has; what the person has by another entry stays."""
    items = Items(
        (State.SKIPPED, "mail:a:bert", "right-unsaid"),
        (State.SKIPPED, "mail:b:bert", "right-named-twice"),
        (State.VERIFIED, "mail:b:bert", ""),
        (State.SKIPPED, "mail:c:bert", "right-denied"),
    )
    items.changed = {"mail:c:bert"}
    assert take_back_left(walk(items), ROW) == 3
    assert items.removed == ["mail:a:bert"]
    assert [one.state for one in items.items] == [State.SEEN, State.SEEN, State.VERIFIED, State.SEEN]
    assert take_back_left(walk(items), ROW) == 0


def test_nothing_is_taken_back_from_a_live_mailbox() -> None:
    items = Items((State.SKIPPED, "mail:a:bert", "right-unsaid"))
    assert take_back_left(walk(items, Phase.LIVE), ROW) == 0
    assert take_back_left(walk(items, kind=Kind.MAIL), ROW) == 0
    assert items.removed == []


def test_a_right_that_another_entry_gives_stays_when_the_first_is_gone() -> None:
    items = Items((State.LEAVING, "mail:a:bert", ""), (State.WRITTEN, "mail:a:bert", ""))
    items.items.append(SimpleNamespace(**{**vars(items.items[0]), "key": b"x", "href": "mail:b:bert"}))
    leaving = cast(list[ItemRow], [*items.rows(7, (State.LEAVING,))])
    removed, failed = _withdraw(walk(items), ROW, leaving)
    assert [one.href for one in removed] == items.removed == ["mail:b:bert"]
    assert failed == []
    assert sorted(items.gone) == [b"\0", b"x"]


@pytest.mark.parametrize("phase", Phase)
def test_working_hours_are_written_from_the_freeze_on_and_rules_before(phase: Phase) -> None:
    settings = leg(phase, Kind.SETTINGS)
    assert left_now(settings, OF_HOURS, entry()) == (ACTS_WHEN_FROZEN if phase is Phase.STAGING else "")
    assert left_now(settings, OF_HOURS, entry("hours-unsaid")) == "hours-unsaid"
    assert left_now(settings, ROW, entry()) == ""


@pytest.mark.parametrize("phase", Phase)
def test_only_working_hours_are_taken_back_with_the_cutover(phase: Phase) -> None:
    rights = Rights(given=1)
    ask_again(leg(phase, Kind.SETTINGS, rights), [ROW, OF_HOURS])
    staging = phase is Phase.STAGING
    assert rights.again == ([b"\0"] if staging else [])
    assert {*rights.asked} == {*REPLY_CODES, *HOURS_CODES, *([] if staging else [ACTS_WHEN_FROZEN])}
