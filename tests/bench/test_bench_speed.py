"""How fast mail moves, against what does less; and the client's CPU for a mail of an Exchange.

Runs alternate, and a ratio is of two runs next to each other: the machine's other work weighs on both.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from bench_board import Board
from bench_job import Taken
from bench_lab import Run, exchange, script
from bench_letters import deliver
from imapclient import IMAPClient

from practice.servers.dovecot import Dovecot

pytestmark = [pytest.mark.bench, pytest.mark.dovecot, pytest.mark.timeout(1800)]
MESSAGES, SIZE = 2_000, 8_192
ROUNDS = 5
MBSYNC = """\
IMAPStore one
Host {host}
Port {port}
User source*{master}
Pass {password}
TLSType None
AuthMechs PLAIN

IMAPStore other
Host {host}
Port {port}
User {user}*{master}
Pass {password}
TLSType None
AuthMechs PLAIN

Channel bench
Far :one:
Near :other:
Patterns INBOX
Sync PullNew
CopyArrivalDate yes
SyncState {folder}/
"""


def test_imap_to_imap(
    board: Board,
    dovecot: Dovecot,
    mbsync: str,
    imap: dict[str, object],
    copied: Run,
    users: Callable[[], str],
    tmp_path: Path,
) -> None:
    deliver(dovecot.host, dovecot.port, "source", dovecot.user_password, MESSAGES, SIZE)
    copies, bares, mbsyncs, whole = [], [], [], []
    for _ in range(ROUNDS):
        taken = copied(imap, "source", accounts := users())
        _assert_all(taken, MESSAGES)
        _assert_arrived(dovecot, accounts)
        copies.append(taken.copy.seconds)
        whole.append(taken.copy.seconds + taken.verify.seconds)
        bares.append(_bare(dovecot, users()))
        mbsyncs.append(_mbsync(mbsync, dovecot, users(), tmp_path))
    board.put("imap-vs-bare", *_rates(copies, bares))
    board.put("imap-vs-mbsync", *_rates(copies, mbsyncs))
    board.put("imap-verified-vs-mbsync", *_rates(whole, mbsyncs))
    board.notes.append(("CPU of the last IMAP copy", _shares(taken)))


def _rates(ours: list[float], reference: list[float]) -> tuple[float, float, float]:
    ratio = median(theirs / own for own, theirs in zip(ours, reference, strict=True))
    return MESSAGES / median(ours), MESSAGES / median(reference), ratio


def _bare(dovecot: Dovecot, user: str) -> float:
    address = (dovecot.host, str(dovecot.port), dovecot.master_user, dovecot.master_password)
    seconds = float(script("bench_bare.py", *address, "source", user))
    _assert_arrived(dovecot, user)
    return seconds


def _mbsync(program: str, dovecot: Dovecot, user: str, folder: Path) -> float:
    config = folder / f"{user}.mbsyncrc"
    config.write_text(
        MBSYNC.format(
            host=dovecot.host,
            port=dovecot.port,
            master=dovecot.master_user,
            password=dovecot.master_password,
            user=user,
            folder=folder / user,
        )
    )
    config.chmod(0o600)
    (folder / user).mkdir()
    began = time.perf_counter()
    subprocess.run([program, "-q", "-c", str(config), "bench"], check=True)
    seconds = time.perf_counter() - began
    _assert_arrived(dovecot, user)
    return seconds


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


def _assert_arrived(dovecot: Dovecot, user: str) -> None:
    with IMAPClient(dovecot.host, dovecot.port, ssl=False) as client:
        client.plain_login(user, dovecot.user_password)
        assert client.folder_status("INBOX", [b"MESSAGES"])[b"MESSAGES"] == MESSAGES
