"""A Dovecot without indexes on disk states a number for the changes of flags that says nothing.

What changes there is found by the next pass all the same.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from on_dovecot import OnDovecot
from server_fixtures import dovecot_fixture
from servers.dovecot import FORGETFUL, Dovecot
from walking import a_mailbox, verified

pytestmark = pytest.mark.dovecot
dovecot = dovecot_fixture(["anna"], more=FORGETFUL)


def flags(trial: OnDovecot) -> list[tuple[bytes, ...]]:
    with trial.client() as client:
        client.select_folder("INBOX", readonly=True)
        return [tuple(sorted(one)) for one in client.get_flags(client.search()).values()]


def test_flags_that_somebody_changed_at_the_target_are_put_right(quick_path: Path, dovecot: Dovecot) -> None:
    trial = OnDovecot(quick_path, a_mailbox(), MemoryStore())
    trial.server, trial.user = dovecot, "anna"
    verified(trial)
    before = flags(trial)
    with trial.client() as client:
        client.select_folder("INBOX")
        client.add_flags([1], [rb"\Answered"])
    assert flags(trial) != before
    for _ in range(2):
        trial.run()
    assert flags(trial) == before
    verified(trial)
