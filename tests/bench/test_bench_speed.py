"""How fast mail moves, against what does less; and the client's CPU for a mail of an Exchange.

Runs alternate, and a ratio is of two runs next to each other: the machine's other work weighs on both.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from bench_board import Board
from bench_job import Taken
from bench_lab import Run, exchange
from bench_letters import deliver
from bench_references import References
from servers.dovecot import Dovecot

pytestmark = [pytest.mark.bench, pytest.mark.dovecot, pytest.mark.timeout(1800)]
MESSAGES, SIZE = 2_000, 8_192
ROUNDS = 5


def test_imap_to_imap(
    board: Board,
    dovecot: Dovecot,
    mbsync: str,
    imap: dict[str, object],
    copied: Run,
    users: Callable[[], str],
    tmp_path: Path,
) -> None:
    deliver(dovecot.host, dovecot.port, source := users(), dovecot.user_password, MESSAGES, SIZE)
    others = References(dovecot, dovecot.port, source, MESSAGES, tmp_path)
    copies, bares, mbsyncs, whole = [], [], [], []
    for _ in range(ROUNDS):
        taken = copied(imap, source, account := users())
        _assert_all(taken, MESSAGES)
        others.assert_arrived(account)
        copies.append(taken.copy.seconds)
        whole.append(taken.copy.seconds + taken.verify.seconds)
        bares.append(others.bare(users()))
        mbsyncs.append(others.mbsync(mbsync, users()))
    board.put("imap-vs-bare", *_rates(copies, bares))
    board.put("imap-vs-mbsync", *_rates(copies, mbsyncs))
    board.put("imap-verified-vs-mbsync", *_rates(whole, mbsyncs))
    board.notes.append(("CPU of the last IMAP copy", _shares(taken)))


def _rates(ours: list[float], reference: list[float]) -> tuple[float, float, float]:
    ratio = median(theirs / own for own, theirs in zip(ours, reference, strict=True))
    return MESSAGES / median(ours), MESSAGES / median(reference), ratio


def test_cpu_of_a_mail_from_exchange(board: Board, copied: Run, user: str) -> None:
    with exchange(str(MESSAGES), str(SIZE), "1") as (settings, mailbox):
        taken = copied(settings, mailbox, user)
    _assert_all(taken, MESSAGES)
    board.put("ews-cpu-ms-per-message", taken.copy.cpu / MESSAGES * 1000)
    verified = f"; verification {taken.verify.cpu / MESSAGES * 1000:.2f} ms"
    board.notes.append(("CPU of a message from EWS", _shares(taken) + verified))


def _shares(taken: Taken) -> str:
    parts = sorted(taken.parts.items(), key=lambda part: -part[1])
    return ", ".join(f"{name} {seconds / MESSAGES * 1000:.2f} ms" for name, seconds in parts)


def _assert_all(taken: Taken, count: int) -> None:
    assert (taken.state, taken.code) == ("verified", None)
    assert taken.states == {"VERIFIED": count}
