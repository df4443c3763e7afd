"""R8c: a phase changes only while nobody holds a leg of the mailbox, and is a part of every lease."""

from __future__ import annotations

import pytest
from ledger_world import planned

from ledger.db.rows import Lease, LegState, Phase
from ledger.leg.cutover_steps import Steps
from ledger.leg.phases import PhaseAcceptance
from ledger.store import Ledger
from model.errors import Blocked, LeaseLost
from model.kinds import Kind


def kinds(ledger: Ledger) -> list[str]:
    return [event.kind for event in ledger.events("w1")]


def test_a_held_mailbox_keeps_its_phase(ledger: Ledger, lease: Lease) -> None:
    with pytest.raises(Blocked) as raised:
        ledger.set_phase(lease.mailbox, Phase.LIVE, "somebody", answers=PhaseAcceptance(hooks={"by": "A"}))
    assert raised.value.code == "claimed-elsewhere"
    assert ledger.mailbox(lease.mailbox).phase is Phase.STAGING
    assert kinds(ledger) == []
    ledger.release(lease, LegState.VERIFIED)
    ledger.set_phase(lease.mailbox, Phase.LIVE, "somebody", answers=PhaseAcceptance(hooks={"by": "A"}))
    assert ledger.mailbox(lease.mailbox).phase is Phase.LIVE
    assert kinds(ledger) == ["hooks-not-run", "phase"]


def test_one_leg_is_enough(ledger: Ledger) -> None:
    (number,) = ledger.add_mailboxes([planned(workloads=frozenset({Kind.MAIL, Kind.FILES}))])
    assert ledger.claim(ledger.legs()[1].id, "worker", 60) is not None
    with pytest.raises(Blocked, match="claimed-elsewhere"):
        ledger.set_phase(str(number), Phase.FROZEN, "somebody")


def test_who_held_it_since_voids_what_was_looked_at(ledger: Ledger, lease: Lease) -> None:
    """A pass between the score and the phase may have found anything."""
    ledger.release(lease, LegState.VERIFIED)
    seen = {leg.id: leg.epoch for leg in ledger.legs()}
    again = ledger.claim(lease.leg, "worker-2", 60)
    assert again is not None
    ledger.release(again, LegState.DIFFERS)
    with pytest.raises(Blocked, match="claimed-elsewhere"):
        ledger.set_phase(lease.mailbox, Phase.LIVE, "somebody", epochs=seen)
    assert ledger.mailbox(lease.mailbox).phase is Phase.STAGING


def test_a_leg_is_claimed_by_the_rules_of_its_phase(ledger: Ledger, lease: Lease) -> None:
    """Both sides were opened for staging, and the mailbox went live before the claim."""
    assert lease.phase is Phase.STAGING
    ledger.release(lease, LegState.VERIFIED)
    ledger.set_phase(lease.mailbox, Phase.LIVE, "somebody")
    before = ledger.leg(lease.leg)
    with pytest.raises(LeaseLost) as raised:
        ledger.claim(lease.leg, "worker-2", 60, phase=Phase.STAGING)
    assert raised.value.code == "phase-changed"
    assert ledger.leg(lease.leg) == before
    assert ledger.claim(lease.leg, "worker-2", 60, phase=Phase.LIVE) is not None


def test_nothing_leads_back_from_live(ledger: Ledger) -> None:
    (number,) = ledger.add_mailboxes([planned()])
    ledger.set_phase(str(number), Phase.LIVE, "somebody")
    with pytest.raises(Blocked, match="live-phase"):
        ledger.set_phase(str(number), Phase.STAGING, "somebody")


def test_a_cutover_that_was_begun_is_not_passed_over(ledger: Ledger) -> None:
    (number,) = ledger.add_mailboxes([planned()])
    Steps(ledger).begin(str(number), "freeze:a")
    with pytest.raises(Blocked, match="claimed-elsewhere"):
        ledger.set_phase(str(number), Phase.FROZEN, "somebody")
