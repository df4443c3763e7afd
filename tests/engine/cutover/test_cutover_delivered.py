"""Mail that a redirection delivers to the target in the middle of a cutover is nothing amiss."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from calendars import calendar_trial
from cutting import Rig
from memory.doubles import MemoryShelf, MemoryStore
from sqlalchemy import update
from walking import letter

from ledger.db.engine import writing
from ledger.db.rows import LegState, Phase
from ledger.db.schema import container

INBOX = ("INBOX",)
DELIVERED, UNKNOWN = (">", ""), ("-", "unknown")


def store(rig: Rig) -> MemoryStore:
    assert isinstance(rig.trial.store, MemoryStore)
    return rig.trial.store


def deliver(rig: Rig, number: int) -> None:
    store(rig).append(INBOX, letter(number), frozenset(), None)


@pytest.mark.parametrize("moment", ["hook redirect", "hook close done", "target.write done"])
def test_what_is_delivered_while_it_is_cut_over_does_not_stop_it(rig: Rig, moment: str) -> None:
    waiting = [300, 301]

    def redirected(name: str) -> None:
        if name == moment and waiting:
            deliver(rig, waiting.pop())

    assert rig.cut(redirected).code is None
    assert rig.phase is Phase.LIVE
    arrived = 2 - len(waiting)
    assert arrived
    assert rig.trial.findings() == [DELIVERED] * arrived
    (leg,) = rig.trial.ledger.summary()
    assert leg.state is LegState.VERIFIED


def test_what_lay_there_before_is_still_a_stranger_s(rig: Rig) -> None:
    """In staging nobody writes to the target but Kogge: this may be the wrong account."""
    deliver(rig, 300)
    assert rig.trial.run().code == "verification-differs"
    rig.trial.ledger.set_phase(rig.trial.id, Phase.FROZEN, "somebody")
    deliver(rig, 301)
    assert rig.trial.run().code == "verification-differs"
    assert Counter(rig.trial.findings()) == {UNKNOWN: 1, DELIVERED: 1}


def test_a_folder_that_was_never_looked_at_in_staging_has_no_measure(rig: Rig) -> None:
    with writing(rig.trial.ledger.engine) as connection:
        connection.execute(update(container).values(surveyed=None))
    rig.trial.ledger.set_phase(rig.trial.id, Phase.FROZEN, "somebody")
    deliver(rig, 300)
    assert rig.trial.run().code == "verification-differs"
    assert rig.trial.findings() == [UNKNOWN]


def test_a_late_write_of_ours_is_none_that_was_delivered(rig: Rig) -> None:
    """What a killed worker's write leaves above the position has one of our digests: it is swept."""
    trial = rig.trial
    trial.ledger.set_phase(trial.id, Phase.FROZEN, "somebody")
    assert trial.run().state is LegState.VERIFIED
    before = store(rig).snapshot()
    deliver(rig, 300)
    store(rig).duplicate(INBOX, max(store(rig).folders[INBOX].messages) - 1)
    assert trial.finish().state is LegState.VERIFIED
    assert trial.findings() == [DELIVERED]
    assert (store(rig).snapshot() - before).total() == 1, "what was delivered stays, the copy is gone"


def test_an_invitation_that_reaches_a_frozen_calendar(quick_path: Path) -> None:
    """Objects have no order: what a clean look in staging did not see came since."""
    trial = calendar_trial(quick_path)
    assert trial.run().state is LegState.VERIFIED
    assert isinstance(trial.store, MemoryShelf)
    trial.ledger.set_phase(trial.id, Phase.FROZEN, "somebody")
    trial.store.place("/dav/default/", "invited.ics", b"BEGIN:VCALENDAR\r\nUID:invited\r\nEND:VCALENDAR\r\n")
    assert trial.run().state is LegState.VERIFIED
    assert trial.findings() == [DELIVERED]


def test_what_was_delivered_to_a_folder_that_is_renumbered_then(rig: Rig) -> None:
    """It cannot be known again: the code says what to do, and that is the way on."""
    trial = rig.trial
    trial.ledger.set_phase(trial.id, Phase.FROZEN, "somebody")
    deliver(rig, 300)
    assert trial.run().state is LegState.VERIFIED
    assert trial.findings() == [DELIVERED]
    store(rig).renumber(INBOX)
    result = trial.run()
    assert (result.state, result.code) == (LegState.DIFFERS, "target-renumbered")
    assert trial.findings() == [("-", "target-renumbered")]
    trial.approve("target-not-empty")
    assert trial.run().state is LegState.VERIFIED
    assert trial.findings() == []
