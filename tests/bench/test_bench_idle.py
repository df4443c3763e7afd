"""What a pass costs in which nothing is new: a large mailbox against mbsync, and many small ones.

The passes alternate with mbsync's, and a ratio is of two runs next to each other.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from bench_board import Board
from bench_lab import HERE, environment
from bench_letters import deliver
from imapclient import IMAPClient
from servers.dovecot import Dovecot, start_dovecot

pytestmark = [pytest.mark.bench, pytest.mark.dovecot, pytest.mark.timeout(3600)]
FOLDERS, MESSAGES, SIZE = 40, 1_250, 1_500
SMALL = 40
ROUNDS = 5
WARM = 2
"""Passes before one is measured: the copy, and one that finds nothing new."""
MAIL_FOLDERS = ("INBOX", "F0", "F1", "F2", "F3", "F4")
"""Five more are Dovecot's own: eleven in all."""
CONFIG = """\
[source]
{side}
[target.mail]
{side}
[gate]
directory = "directory.csv"

[approval]
required = 0

[ledger]
url = "sqlite:///ledger.db"
"""
SIDE = """\
kind = "imap"
host = "{host}"
port = {port}
security = "none"
auth = "master-user"
username = "{master}"
password = {{ file = "password" }}
"""
STORE = """\
IMAPStore {name}
Host {host}
Port {port}
User {user}*{master}
Pass {password}
TLSType None
AuthMechs PLAIN

"""
CHANNEL = """\
Channel bench
Far :one:
Near :other:
Patterns *
Create Near
Sync Pull
Expunge Near
CopyArrivalDate yes
SyncState {folder}/
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    """Its own: no other bench's mail is in these accounts."""
    small = [f"{side}{number}" for number in range(SMALL) for side in ("from", "to")]
    found = start_dovecot(["large", "ours", "theirs", *small])
    yield found
    found.stop()


@dataclass(slots=True)
class Passes:
    """Passes over some accounts by bench_idle.py, one for each call of next()."""

    process: subprocess.Popen[str]
    legs: int

    def next(self, copied: int = 0) -> dict[str, Any]:
        """What the next one cost; every leg of it is verified, and so many mails were written."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert (found["ends"], found["copied"]) == ({"verified:None": self.legs}, copied)
        return found


@contextmanager
def passes(server: Dovecot, folder: Path, people: list[tuple[str, str]]) -> Iterator[Passes]:
    """A configuration that moves these accounts, and a process that walks them."""
    folder.mkdir()
    side = SIDE.format(host=server.host, port=server.port, master=server.master_user)
    (folder / "kogge.toml").write_text(CONFIG.format(side=side))
    (folder / "password").write_text(server.master_password + "\n")
    (folder / "password").chmod(0o600)
    rows = [(f"{one}@old.example", f"{other}@new.example", one, other) for one, other in people]
    listed = "".join(f"{source},{target},w,{one},{other}\n" for source, target, one, other in rows)
    (folder / "mailboxes.csv").write_text("source,target,wave,source_login,target_login\n" + listed)
    named = "".join(f"{source}|{one},{target}|{other}\n" for source, target, one, other in rows)
    (folder / "directory.csv").write_text("source,target\n" + named)
    command = [sys.executable, str(HERE / "bench_idle.py"), "kogge.toml", str(WARM + ROUNDS)]
    with subprocess.Popen(
        command, cwd=folder, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Passes(process, len(people))
        finally:
            process.terminate()


def mbsync_of(program: str, server: Dovecot, folder: Path) -> list[str]:
    """The command that syncs the large account to another one, with the same effect as a pass."""
    own = {"host": server.host, "port": server.port, "master": server.master_user}
    stores = [
        STORE.format(name=name, user=user, password=server.master_password, **own)
        for name, user in (("one", "large"), ("other", "theirs"))
    ]
    folder.mkdir()
    config = folder / "mbsyncrc"
    config.write_text("".join(stores) + CHANNEL.format(folder=folder / "state"))
    config.chmod(0o600)
    (folder / "state").mkdir()
    return [program, "-q", "-c", str(config), "bench"]


def seconds_of(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


def test_a_large_mailbox(board: Board, server: Dovecot, mbsync: str, tmp_path: Path) -> None:
    for number in range(FOLDERS):
        folder = "INBOX" if number == 0 else f"Folder {number:02}"
        deliver(server.host, server.port, "large", server.user_password, MESSAGES, SIZE, folder)
    command = mbsync_of(mbsync, server, tmp_path / "mbsync")
    for _ in range(WARM):
        seconds_of(command)
    assert_arrived(server, "theirs")
    ours, theirs = [], []
    with passes(server, tmp_path / "large", [("large", "ours")]) as walk:
        walk.next(FOLDERS * MESSAGES)
        walk.next()
        for _ in range(ROUNDS):
            theirs.append(seconds_of(command))
            ours.append(last := walk.next())
    assert_arrived(server, "ours")
    seconds = [one["seconds"] for one in ours]
    ratio = median(other / own for own, other in zip(seconds, theirs, strict=True))
    board.put("imap-idle-vs-mbsync", 1 / median(seconds), 1 / median(theirs), ratio)
    board.notes.append((f"A pass over {FOLDERS * MESSAGES:,} mails with nothing new", counts(last)))


def test_many_small_mailboxes(board: Board, server: Dovecot, tmp_path: Path) -> None:
    people = [(f"from{number}", f"to{number}") for number in range(SMALL)]
    for source, _ in people:
        for folder in MAIL_FOLDERS[:5]:
            deliver(server.host, server.port, source, server.user_password, 1, 8_192, folder)
        with opened(server, source) as client:
            client.create_folder(MAIL_FOLDERS[5])
    with passes(server, tmp_path / "small", people) as walk:
        walk.next(5 * SMALL)
        walk.next()
        found = [walk.next() for _ in range(ROUNDS)]
    board.put("idle-mailbox-cpu-ms", median(one["cpu"] for one in found) / SMALL * 1000)
    board.notes.append((f"{SMALL} small mailboxes with nothing new", counts(found[-1])))


def counts(cost: dict[str, Any]) -> str:
    commands = sum(cost["commands"].values())
    return (
        f"{cost['cpu'] * 1000:.0f} ms of CPU, {cost['statements']} statements, "
        f"{cost['transactions']} transactions, {commands} IMAP commands"
    )


def opened(server: Dovecot, user: str) -> IMAPClient:
    client = IMAPClient(server.host, server.port, ssl=False)
    client.plain_login(user, server.user_password)
    return client


def assert_arrived(server: Dovecot, user: str) -> None:
    with opened(server, user) as client:
        names = [name for _, _, name in client.list_folders()]
        found = sum(client.folder_status(name, [b"MESSAGES"])[b"MESSAGES"] for name in names)
    assert found == FOLDERS * MESSAGES
