"""How fast mail moves when both servers are 30 ms away: every wait for an answer shows here.

imapsync is in no package of Debian's, so mbsync, a bare loop and one that fetches ahead are what it is
measured against. Runs alternate, and a ratio is of two runs next to each other.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from bench_board import Board
from bench_lab import Run, delayed
from bench_letters import deliver
from bench_references import References
from servers.dovecot import Dovecot

pytestmark = [pytest.mark.bench, pytest.mark.dovecot, pytest.mark.timeout(1800)]
MESSAGES, SIZE = 2_000, 8_192
ONE_WAY = 15.0
"""Milliseconds; a question and its answer need twice as long."""
ROUNDS = 3


def test_imap_to_imap_from_afar(
    board: Board,
    dovecot: Dovecot,
    mbsync: str,
    imap: dict[str, object],
    copied: Run,
    users: Callable[[], str],
    tmp_path: Path,
) -> None:
    deliver(dovecot.host, dovecot.port, source := users(), dovecot.user_password, MESSAGES, SIZE)
    found: dict[str, list[float]] = {"copy": [], "bare": [], "simple": [], "mbsync": []}
    with delayed(dovecot.port, ONE_WAY) as port:
        others = References(dovecot, port, source, MESSAGES, tmp_path)
        afar = imap | {"port": port}
        for _ in range(ROUNDS):
            taken = copied(afar, source, account := users(), afar)
            assert (taken.state, taken.states) == ("verified", {"VERIFIED": MESSAGES})
            others.assert_arrived(account)
            found["copy"].append(taken.copy.seconds)
            found["bare"].append(others.pipelined(users()))
            found["simple"].append(others.bare(users()))
            found["mbsync"].append(others.mbsync(mbsync, users()))
    for name in ("bare", "simple", "mbsync"):
        ratio = median(theirs / own for own, theirs in zip(found["copy"], found[name], strict=True))
        board.put(
            f"imap-30ms-vs-{name}", MESSAGES / median(found["copy"]), MESSAGES / median(found[name]), ratio
        )
    board.notes.append(("verification, 30 ms away", f"{MESSAGES / taken.verify.seconds:,.0f} messages/s"))
