"""A meeting that its organizer, in staging, moves to another calendar after a guest has gone live."""

from __future__ import annotations

import pytest
from memory.records import event
from test_organizer_first import ANNA, CHRISTA, DONE, Join, answer, called, invited, join, once, server

from engine.leg.run import Task
from ledger.db.rows import LegState, Phase

__all__ = ["join", "server"]


@pytest.mark.parametrize(
    ("answered", "fate"),
    [(False, ("SKIPPED", "duplicate-uid")), (True, ("REJECTED", "uid-conflict"))],
    ids=["as-copied", "answered-since"],
)
def test_it_stays_where_it_was(join: Join, answered: bool, fate: tuple[str, str]) -> None:
    """The guest's answer stays with it. The copy in the other calendar is not written, and named."""
    anna = join(ANNA, invited("m", ANNA, by=CHRISTA))
    christa = join(CHRISTA, called("m", ANNA, by=CHRISTA), event("x", "Anderes", 5), wave="later")
    meeting, _ = christa.items
    other = christa.mailbox.create_folder(("Arbeit",))
    for person in (christa, anna):
        person.run()
    anna.ledger.set_phase(anna.id, Phase.LIVE, "somebody")
    if answered:
        answer(anna, "DECLINED")
    before = anna.texts("m")
    christa.mailbox.move(meeting, other)
    for _ in range(2):
        christa.run()
        assert christa.fates() == {DONE: 1, ("GONE", "stays-for-guests"): 1, fate: 1}
    result = christa.run(task=Task(copy=False))
    assert (result.state, christa.findings()) == (LegState.VERIFIED, [])
    assert once("m", anna)
    assert anna.texts("m") == before
