"""What a copy of an INBOX is measured against: a bare loop, a pipelined one, and mbsync; and what arrived.

Each is a process of its own that logs in, copies source to a new user, and ends.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench_lab import script
from imapclient import IMAPClient
from servers.dovecot import Dovecot

MBSYNC = """\
IMAPStore one
Host {host}
Port {port}
User {source}*{master}
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


@dataclass(frozen=True, slots=True)
class References:
    """Copies of source's INBOX to new users of one server, each in seconds.

    port: where they find the server; count: the mails of that INBOX; folder: for what mbsync keeps.
    """

    dovecot: Dovecot
    port: int
    source: str
    count: int
    folder: Path

    def bare(self, user: str) -> float:
        return self._by_script("bench_bare.py", user)

    def pipelined(self, user: str) -> float:
        return self._by_script("bench_pipelined.py", user)

    def _by_script(self, name: str, user: str) -> float:
        server = self.dovecot
        address = (server.host, str(self.port), server.master_user, server.master_password)
        seconds = float(script(name, *address, self.source, user))
        self.assert_arrived(user)
        return seconds

    def mbsync(self, program: str, user: str) -> float:
        config, state = self.folder / f"{user}.mbsyncrc", self.folder / user
        server = self.dovecot
        config.write_text(
            MBSYNC.format(
                host=server.host,
                port=self.port,
                master=server.master_user,
                password=server.master_password,
                source=self.source,
                user=user,
                folder=state,
            )
        )
        config.chmod(0o600)
        state.mkdir()
        began = time.perf_counter()
        subprocess.run([program, "-q", "-c", str(config), "bench"], check=True)
        seconds = time.perf_counter() - began
        self.assert_arrived(user)
        return seconds

    def assert_arrived(self, user: str) -> None:
        with IMAPClient(self.dovecot.host, self.dovecot.port, ssl=False) as client:
            client.plain_login(user, self.dovecot.user_password)
            assert client.folder_status("INBOX", [b"MESSAGES"])[b"MESSAGES"] == self.count
