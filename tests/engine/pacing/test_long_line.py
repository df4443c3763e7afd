"""A batch has hundreds of mailboxes in line: what their asking costs while a server takes no more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.config.load import Config, load
from engine.pacing import leg_slots
from engine.pacing.admission import Admission, AdmissionEntry
from engine.pacing.leg_slots import LegSlot, Slots
from ledger.store import Ledger
from model.protocols import Kind

TOML = """
[source]
kind = "imap"
host = "mail.example.org"
username = "x"
password = { env = "X" }
[target.mail]
kind = "imap"
host = "imap.example.net"
username = "x"
password = { env = "X" }
[run]
mailboxes_at_once = 4
[admission]
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    made.migrate()
    yield made
    made.close()


def configured(folder: Path, at_once: int) -> Config:
    (folder / "kogge.toml").write_text(f"{TOML}source_at_once = {at_once}\n")
    return load(folder / "kogge.toml")


def test_a_long_line_before_a_full_server_is_not_gone_through_by_each_that_stands_in_it(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each asks again and again, and went through all that stand before it."""
    held = Admission(configured(tmp_path, 4), ledger)
    line = [held.join(Kind.MAIL) for _ in range(250)]
    held.period()
    assert sum(held.begin(one) for one in line[:6]) == 4
    looked: list[AdmissionEntry] = []
    room = Admission._has_room
    monkeypatch.setattr(
        Admission, "_has_room", lambda own, entry, before: looked.append(entry) or room(own, entry, before)
    )
    assert sum(held.begin(one) for one in line[4:]) == 0
    assert not looked
    held.leave(line[0])
    assert sum(held.begin(one) for one in line[4:6]) == 1
    assert looked == line[4:5]


@dataclass
class Places:
    """What a LegSlot needs of whoever runs the legs."""

    admission: Admission
    slots: Slots
    shut: bool = False


def test_who_stands_far_back_in_line_asks_more_seldom_and_all_have_their_turn(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Admission(configured(tmp_path, 2), ledger)
    asked: list[AdmissionEntry] = []
    begin = Admission.begin
    monkeypatch.setattr(Admission, "begin", lambda own, entry: asked.append(entry) or begin(own, entry))
    monkeypatch.setattr(leg_slots, "TICK_SECONDS", 0.02)
    monkeypatch.setattr(leg_slots, "PAUSE_MOST", 0.5)

    async def work() -> int:
        places = Places(held, Slots(4))
        line = [LegSlot(places, Kind.MAIL, (0, place)) for place in range(250)]
        waiting = [asyncio.create_task(slot.acquire()) for slot in line]
        await asyncio.sleep(0)
        held.period()
        await asyncio.sleep(1.0)
        assert [one.done() for one in waiting] == [True, True] + 248 * [False]
        seen = len(asked)
        monkeypatch.setattr(leg_slots, "PAUSE_MOST", 0.02)
        for slot, one in zip(line, waiting, strict=True):
            await asyncio.wait_for(one, 30)
            slot.release()
        return seen

    assert 250 < asyncio.run(work()) < 4000  # 12,500 if each asked at every tick
