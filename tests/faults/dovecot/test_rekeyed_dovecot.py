"""A real Dovecot as the source: its folders get another UIDVALIDITY, as those of a restored server do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from on_dovecot import Walk
from server_fixtures import dovecot_with_and_without
from servers.dovecot import Dovecot
from walking import letter

from ledger.db.rows import LegState, Phase

pytestmark = pytest.mark.dovecot
dovecot = dovecot_with_and_without("QRESYNC", [f"user{number}" for number in range(20)])
ITEMS = 40
DAY = datetime(2021, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("phase", list(Phase))
def test_another_uidvalidity_at_the_source(
    quick_path: Path, dovecot: Dovecot, phase: Phase, request: pytest.FixtureRequest
) -> None:
    """Together with a message that is new, one that is gone, and one that was read."""
    user = f"user{list(Phase).index(phase)}"
    trial = Walk(quick_path, dovecot, user, MemoryStore(batch=50))
    with trial.client() as client:
        for number in range(ITEMS):
            client.append("INBOX", letter(number), [b"\\Flagged"] if number % 3 else [], DAY)
        client.append("INBOX", letter(1), [b"\\Flagged"], DAY)
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, phase, "somebody")
    before = trial.store.snapshot()

    dovecot.admin("mailbox", "update", "--uid-validity", "777777", "-u", user, "INBOX")
    result = trial.run()
    assert (result.state, result.code, result.tally.new) == (LegState.VERIFIED, None, 0)
    assert trial.store.snapshot() == before

    dovecot.admin("mailbox", "update", "--uid-validity", "888888", "-u", user, "INBOX")
    with trial.client() as client:
        assert client.folder_status("INBOX", ["UIDVALIDITY"])[b"UIDVALIDITY"] == 888888
        gone, read, *_ = client.search()
        client.delete_messages([gone])
        client.expunge([gone])
        client.add_flags([read], [b"\\Seen"])
        client.append("INBOX", letter(500), (), DAY)
    result = trial.run()
    assert (result.state, result.code, result.tally.new) == (LegState.VERIFIED, None, 1)
    after = trial.store.snapshot()
    if phase is Phase.LIVE:
        assert not before - after
        assert after.total() == ITEMS + 2
    else:
        assert after.total() == ITEMS + 1
        assert sum("\\Seen" in flags for _, _, flags, _ in after) == 1
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot() == after
