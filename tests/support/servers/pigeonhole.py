"""A private Dovecot that keeps scripts in Sieve by ManageSieve, and runs them on mail that LMTP delivers."""

from __future__ import annotations

import smtplib
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from practice.servers import dovecot
from practice.servers.pigeonhole import sieve_lines
from servers.dovecot import Dovecot

QUOTAS = """\
sieve_quota_script_count = {scripts}
sieve_quota_storage_size = {storage}B
sieve_max_script_size = {largest}B
"""
"""Its own settings of quotas: 0 for none."""


@dataclass
class Pigeonhole(Dovecot):
    """A running one; see start_pigeonhole.

    Attributes:
        scripts, storage, largest: limits of a person's scripts: how many, bytes of all, bytes of one.
        addresses: True if people log in by their whole addresses.
        sieve_port: speaks ManageSieve, with STARTTLS.
        lmtp_port: takes mail.
    """

    scripts: int = 0
    storage: int = 0
    largest: int = 1_000_000
    addresses: bool = False
    sieve_port: int = field(default_factory=dovecot.free_port)
    lmtp_port: int = field(default_factory=dovecot.free_port)

    def __post_init__(self) -> None:
        self.tls = True
        self.more += sieve_lines(self, self.sieve_port, self.lmtp_port, addresses=self.addresses)
        limits = {"scripts": self.scripts, "storage": self.storage, "largest": self.largest}
        self.more += QUOTAS.format(**limits)
        super().__post_init__()

    def home(self, user: str) -> Path:
        """The folder in which the scripts of a person lie."""
        return self.lab / "mail" / user

    def put_file(self, path: Path, text: bytes) -> None:
        """Put a file in place that the server may read and write."""
        path.write_bytes(text)
        self._chown(path)

    def deliver(self, user: str, message: str, sender: str = "sender@old.example") -> None:
        """Deliver a message, as a mail server does: the active script acts."""
        with smtplib.LMTP(self.host, self.lmtp_port) as lmtp:
            receiver = user if self.addresses else f"{user}@new.example"
            lmtp.sendmail(sender, [receiver], message)

    def subjects(self, user: str, folder: str) -> list[str]:
        """The subjects of the messages in a folder; [] if there is none of this name."""
        try:
            text = self.admin("fetch", "-u", user, "hdr.subject", "mailbox", folder)
        except RuntimeError:
            return []
        return [line.partition(": ")[2] for line in text.splitlines() if line.startswith("hdr.subject")]


def start_pigeonhole(
    users: Iterable[str],
    *,
    scripts: int = 0,
    storage: int = 0,
    largest: int = 1_000_000,
    addresses: bool = False,
    submission: int = 0,
) -> Pigeonhole:
    """Start one that knows users. The limits are those of each person's scripts; 0 for none.

    submission: the port of loopback to which it sends mail; 0 if it sends none.
    """
    lab = Path(tempfile.mkdtemp(prefix="kogge-pigeonhole-"))
    more = f"submission_host = 127.0.0.1:{submission}\n" if submission else ""
    server = Pigeonhole(
        lab=lab, more=more, scripts=scripts, storage=storage, largest=largest, addresses=addresses
    )
    names = list(users)
    server.add_users(names)
    return dovecot.started(server, [])
