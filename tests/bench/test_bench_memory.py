"""The most memory the copying process ever holds, copying and verifying; and the ledger's size."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bench_board import Board
from bench_lab import Run, exchange
from bench_letters import deliver
from servers.dovecot import Dovecot

pytestmark = [pytest.mark.bench, pytest.mark.dovecot, pytest.mark.timeout(1800)]
MANY, SMALL = 100_000, 600
LARGE = 150_000_000


def test_a_folder_of_100000_messages(
    board: Board, dovecot: Dovecot, imap: dict[str, object], copied: Run, users: Callable[[], str]
) -> None:
    source = users()
    deliver(dovecot.host, dovecot.port, source, dovecot.user_password, MANY, SMALL)
    taken = copied(imap, source, users())
    assert (taken.state, taken.states) == ("verified", {"VERIFIED": MANY})
    board.put("memory-100k-folder-mb", taken.peak_mb)
    rates = f"copied {MANY / taken.copy.seconds:,.0f}/s, verified {MANY / taken.verify.seconds:,.0f}/s"
    board.notes.append(("100,000 small messages", rates))


def test_a_message_of_150_mb(board: Board, copied: Run, user: str) -> None:
    with exchange("3", "0", "1", str(LARGE)) as (settings, mailbox):
        taken = copied(settings, mailbox, user)
    assert (taken.state, taken.states) == ("verified", {"VERIFIED": 4})
    board.put("memory-150mb-message-mb", taken.peak_mb)
    board.notes.append(
        ("150 MB", f"copied in {taken.copy.seconds:.1f} s, verified in {taken.verify.seconds:.1f} s")
    )
