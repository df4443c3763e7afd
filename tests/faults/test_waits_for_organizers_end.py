"""A copy of a meeting waits for an organizer who turns out to have none: the wait ends, whoever runs when."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from cutting import Rig
from memory.records import event
from test_organizer_first import (
    ANNA,
    BERT,
    CHRISTA,
    DONE,
    WAITS,
    Join,
    called,
    invited,
    join,
    once,
    server,
    settle,
)  # fmt: skip

from engine.config.hooks import HooksSettings
from engine.context.leg_context import LegContext
from engine.steps.copying import organizer_first
from ledger.db.rows import ContainerRow, Phase

__all__ = ["join", "server"]


def of_years_ago(raw: bytes) -> bytes:
    made = b"<t:DateTimeCreated>2019-05-01T08:00:00Z</t:DateTimeCreated></t:CalendarItem>"
    return raw.replace(b"</t:CalendarItem>", made)


def test_a_meeting_of_years_ago_that_the_organizer_has_no_more(join: Join) -> None:
    """Any pass of theirs would have listed it, also one that ended before."""
    anna = join(ANNA, of_years_ago(invited("m", ANNA, by=CHRISTA)))
    christa = join(CHRISTA, event("other", "Etwas anderes", 3))
    anna.run()
    assert anna.fates() == {WAITS: 1}
    christa.run()
    settle(anna, christa, runs=1)
    assert once("m", anna)
    bert = join(BERT, of_years_ago(invited("n", BERT, by=CHRISTA)))
    bert.run()
    assert bert.fates() == {DONE: 1}
    assert bert.lost() == ["organizer/stays-behind"]


@pytest.mark.parametrize(("passes", "long_ago"), [(2, True), (3, False)])
def test_a_wave_whose_people_run_at_once(
    join: Join, monkeypatch: pytest.MonkeyPatch, passes: int, long_ago: bool
) -> None:
    """The guest's whole pass lies within the organizer's, each time."""
    copy = invited("m", ANNA, by=CHRISTA)
    anna = join(ANNA, of_years_ago(copy) if long_ago else copy)
    christa = join(CHRISTA, event("other", "Etwas anderes", 3))
    ask_again, at_work, ended = organizer_first.ask_again, Event(), Event()

    def within(leg: LegContext, containers: Iterable[ContainerRow]) -> None:
        if leg.mailbox.id == christa.id:
            at_work.set()
            assert ended.wait(60)
        ask_again(leg, containers)

    monkeypatch.setattr(organizer_first, "ask_again", within)
    for number in range(passes):
        assert anna.fates() == ({WAITS: 1} if number else {})
        christa.mailbox.edit(christa.items[0], event("other", f"Anders {number}", 3))
        at_work.clear()
        ended.clear()
        with ThreadPoolExecutor(1) as pool:
            organizer = pool.submit(christa.run)
            assert at_work.wait(60)
            anna.run()
            ended.set()
            organizer.result()
    assert anna.fates() == {DONE: 1}
    assert anna.lost() == ["organizer/stays-behind"]


def test_a_cutover_need_not_wait_for_an_organizer_without_the_meeting(join: Join) -> None:
    """Each of them is cut over while the other is in staging, the guest first."""
    anna = join(ANNA, of_years_ago(invited("m", ANNA, by=CHRISTA)))
    christa = join(CHRISTA, event("other", "Etwas anderes", 3))
    for person in (anna, christa):
        person.run()
    rig = Rig(anna, HooksSettings())
    assert (rig.cut().code, rig.phase) == ("organizer-first", Phase.STAGING)
    anna.run()
    assert (rig.cut().code, rig.phase, anna.fates()) == (None, Phase.LIVE, {DONE: 1})


@pytest.mark.parametrize("has_it", [True, False])
def test_who_goes_live_with_a_copy_that_waits_gets_the_meeting(join: Join, has_it: bool) -> None:
    """As whoever approves it is told."""
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    theirs = called("m", ANNA, by=CHRISTA) if has_it else event("other", "Etwas anderes", 3)
    christa = join(CHRISTA, theirs, wave="later")
    anna.run()
    anna.approve("organizer-first")
    anna.run()
    anna.ledger.set_phase(anna.id, Phase.LIVE, "somebody")
    christa.run()
    anna.run()
    assert anna.fates() == {DONE: 1}
    assert once("m", anna)
