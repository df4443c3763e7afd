"""Which folders count as made by us, where the target has some under names of its own."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from engine.steps.listing.placement import place
from ledger.leg.containers import Placed
from model.errors import Rejected, Transient
from model.kinds import Kind
from model.protocols import Container, Loss, key_of

OWN, NEW = "/cal/default/", "/cal/work/"
SOURCE = {name: Container(Kind.CALENDAR, name, (name,)) for name in ("Calendar", "Work")}


@dataclass
class Desk:
    """Ledger and target at once: a server whose default calendar, called otherwise, takes the source's."""

    fails: bool = True
    ours: dict[int, bool] = field(default_factory=dict)
    hrefs: dict[int, str | None] = field(default_factory=dict)

    @property
    def folders(self) -> Desk:
        return self

    def made(self) -> frozenset[int]:
        return frozenset(one for one, ours in self.ours.items() if ours)

    def making(self, *containers: int) -> None:
        self.ours |= dict.fromkeys(containers, True)

    def set_hrefs(self, placed: list[Placed]) -> None:
        for one in placed:
            self.hrefs[one.container] = one.href
            if one.ours is not None:
                self.ours[one.container] = one.ours

    def ensure(self, container: Container) -> str:
        if container.id == "Work" and self.fails:
            raise Transient("connection-cut")
        return OWN if container.id == "Calendar" else NEW


@pytest.mark.parametrize("order", [("Work", "Calendar"), ("Calendar", "Work")])
def test_a_default_calendar_is_not_ours_though_the_first_attempt_failed(order: tuple[str, ...]) -> None:
    desk, found = Desk(), [SOURCE[name] for name in order]
    target = SimpleNamespace(files=None)
    work: Any = SimpleNamespace(
        mirror=True, ledger=desk, target=desk, context=SimpleNamespace(target=target), check=lambda: None
    )
    plan: Any = {one.id: SimpleNamespace(path=one.path, losses=()) for one in found}
    for _ in range(2):
        rows: Any = [
            SimpleNamespace(id=number, href=desk.hrefs.get(number)) for number, _ in enumerate(found)
        ]
        existing = {OWN: Container(Kind.CALENDAR, OWN, ("Personal",))}
        with suppress(Transient):
            place(work, found, rows, plan, existing)
        desk.fails = False
    made = {order[number]: ours for number, ours in desk.ours.items()}
    assert made == {"Work": True, "Calendar": False}
    assert {order[number]: href for number, href in desk.hrefs.items()} == {"Calendar": OWN, "Work": NEW}


@dataclass
class Picky(Desk):
    """A server that refuses what Cyrus refuses in names; takes what it has already."""

    made_there: list[tuple[str, ...]] = field(default_factory=list)
    lost: dict[int, list[str]] = field(default_factory=dict)

    def ensure(self, container: Container) -> str:
        if set("".join(container.path)) & set('%*"\\&'):
            raise Rejected("name-not-allowed")
        self.made_there.append(container.path)
        return "/".join(container.path)

    def placed(self) -> dict[int, tuple[str, ...]]:
        return {}

    def lose(self, container: int, key: None, losses: list[Loss]) -> None:
        self.lost[container] = [one.reason for one in losses]


def test_a_name_that_a_server_refuses_is_spelled_with_look_alikes() -> None:
    desk = Picky()
    names = ['quote"d', "back\\slash", "100%", "Dr. A & C%", "100\N{FULLWIDTH PERCENT SIGN}"]
    found = [Container(Kind.MAIL, name, (name,)) for name in names]
    found.append(Container(Kind.MAIL, "child", ("100%", "1&2")))
    target = SimpleNamespace(files=None)
    work: Any = SimpleNamespace(
        mirror=True,
        ledger=desk,
        target=desk,
        context=SimpleNamespace(target=target),
        check=lambda: None,
        heard=lambda _failures: None,
    )
    plan: Any = {one.id: SimpleNamespace(path=one.path, losses=()) for one in found}
    rows: Any = [SimpleNamespace(id=number, href=None) for number, _ in enumerate(found)]
    place(work, found, rows, plan, {})
    percent = f"100\N{FULLWIDTH PERCENT SIGN} - {key_of('100%').hex()[:8]}"
    assert desk.made_there == [
        ("quote\N{MODIFIER LETTER DOUBLE PRIME}d",),
        ("back\N{REVERSE SOLIDUS OPERATOR}slash",),
        (percent,),
        ("Dr. A \N{FULLWIDTH AMPERSAND} C\N{FULLWIDTH PERCENT SIGN}",),
        ("100\N{FULLWIDTH PERCENT SIGN}",),
        (percent, "1\N{FULLWIDTH AMPERSAND}2"),
    ]
    assert desk.lost == {number: ["characters-replaced"] for number in (0, 1, 2, 3, 5)}
