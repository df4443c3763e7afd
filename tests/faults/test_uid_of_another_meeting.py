"""A colleague who knows the UID of another person's meeting uses it for an event of their own."""

from __future__ import annotations

import pytest
from memory.records import event
from test_organizer_first import ANNA, BERT, CHRISTA, DONE, Join, called, invited, join, once, server

from ledger.db.rows import LegState, Phase

__all__ = ["join", "server"]

PARTNER = "partner@extern.example"
REFUSED = ("REJECTED", "uid-conflict")


@pytest.mark.parametrize("caller", [PARTNER, CHRISTA], ids=["outside", "a colleague"])
@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.FROZEN, Phase.LIVE])
@pytest.mark.parametrize("guests", [(PARTNER, BERT), (PARTNER,)], ids=["invites him", "does not"])
def test_a_verified_meeting_stays(join: Join, caller: str, phase: Phase, guests: tuple[str, ...]) -> None:
    """The server would show both as one that is empty, if the other event came into that calendar, too."""
    bert = join(BERT, invited("u", BERT, by=caller, title="Vertrag"))
    christa = join(CHRISTA, event("other", "Etwas anderes", 3))
    for person in (christa, bert, christa, bert):
        person.run()
    assert bert.fates() == {DONE: 1}
    before, written = bert.texts("u"), len(bert.sent("PUT"))
    if phase is not Phase.STAGING:
        bert.ledger.set_phase(bert.id, phase, "somebody")
    anna = join(ANNA, called("u", *guests, by=ANNA, title="Von Anna erfunden"))
    for _ in range(2):
        anna.run()
        result = bert.run()
        assert (result.state, result.code, bert.fates()) == (LegState.VERIFIED, None, {DONE: 1})
        assert bert.texts("u") == before
    assert anna.fates() == {REFUSED if BERT in guests else DONE: 1}
    assert anna.sent("DELETE") == []
    assert len(anna.sent("PUT")) == written + (BERT not in guests)


@pytest.mark.parametrize("address", [BERT, "other-name-of-bert@old.example"], ids=["by the plan", "unknown"])
def test_an_event_that_invites_him_later(join: Join, address: str) -> None:
    """By whatever address of the people here: nobody knows all that lead to him."""
    bert = join(BERT, invited("u", BERT, by=PARTNER))
    anna = join(ANNA, called("u", PARTNER, by=ANNA))
    for person in (bert, anna):
        person.run()
        assert person.fates() == {DONE: 1}
    anna.mailbox.edit(anna.items[0], called("u", PARTNER, address, by=ANNA))
    anna.run()
    assert anna.fates() == {REFUSED: 1}
    assert once("u", bert)


def test_an_event_that_was_there_first(join: Join) -> None:
    """What is in his calendar already is not taken out of it. His own is named."""
    anna = join(ANNA, called("u", BERT, by=ANNA))
    bert = join(BERT, invited("u", BERT, by=PARTNER))
    for _ in range(2):
        for person in (anna, bert):
            person.run()
    assert (anna.fates(), bert.fates()) == ({DONE: 1}, {REFUSED: 1})
    assert once("u", anna, bert)
