"""What is read of one moment, while others write."""

from __future__ import annotations

import threading

import pytest
from ledger_world import page, planned, ref, write

from ledger.db.engine import snapshot
from ledger.db.rows import ContainerRow, Lease, State
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from ledger.views.scores import absent_of, counts_of


def test_what_others_commit_meanwhile_is_not_seen(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, lease: Lease
) -> None:
    write(session, inbox.id, ["a", "b"])
    with snapshot(ledger.engine):
        assert absent_of(ledger, [lease.mailbox]) == {}
        session.record_page(inbox.id, page(ref("a", "v2")))
        ledger.add_mailboxes([planned("berta@old.example")])
        assert absent_of(ledger, [lease.mailbox]) == {}
        (counts,) = counts_of(ledger, [lease.mailbox], [{("name", "trimmed")}]).values()
        assert sum(part.states[State.WRITTEN] for part in counts.parts.values()) == 2
        assert len(ledger.mailboxes()) == 1
        seen: list[int] = []
        other = threading.Thread(target=lambda: seen.append(len(ledger.mailboxes())))
        other.start()
        other.join()
        assert seen == [2], "another thread reads what there is"
    assert [one.state for one in absent_of(ledger, [lease.mailbox])[lease.mailbox]] == [State.CHANGED]
    assert len(ledger.mailboxes()) == 2


def test_it_ends_where_an_error_does(ledger: Ledger, lease: Lease) -> None:
    def broken() -> None:
        with snapshot(ledger.engine):
            raise RuntimeError(f"after {len(ledger.mailboxes())}")

    with pytest.raises(RuntimeError, match="after 1"):
        broken()
    ledger.add_mailboxes([planned("berta@old.example")])
    assert len(ledger.mailboxes()) == 2
