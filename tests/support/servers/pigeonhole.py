"""A private Dovecot that keeps scripts in Sieve by ManageSieve, and runs them on mail that LMTP delivers."""

from __future__ import annotations

import smtplib
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from practice.servers import dovecot
from servers.dovecot import Dovecot

PIGEONHOLE = """\
protocols {{
  sieve = yes
  lmtp = yes
}}
ssl = yes
ssl_server_cert_file = {lab}/ca.pem
ssl_server_key_file = {lab}/key.pem
auth_username_format = %{{user}}
service managesieve-login {{
  chroot =
  restart_request_count = {logins}
  process_min_avail = 1
  inet_listener sieve {{
    port = {sieve}
  }}
}}
service managesieve {{
  restart_request_count = {logins}
  process_min_avail = 1
}}
service lmtp {{
  user = {user}
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
protocol lmtp {{
  auth_username_format = %{{user{name}}}
  mail_plugins {{
    sieve = yes
  }}
}}
lda_mailbox_autocreate = no
sieve_script personal {{
  driver = file
  path = %{{home}}/sieve
  active_path = %{{home}}/.dovecot.sieve
}}
sieve_quota_script_count = {scripts}
sieve_quota_storage_size = {storage}B
sieve_max_script_size = {largest}B
sieve_max_redirects = 7
"""
"""Its own settings of quotas: 0 for none."""
PROGRAMS = ("managesieve", "managesieve-login", "lmtp")


def available() -> bool:
    """Whether a Dovecot is installed with Pigeonhole, ManageSieve and LMTP."""
    folders = dovecot.LIBRARIES
    return dovecot.available() and all(any((place / one).exists() for place in folders) for one in PROGRAMS)


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
        self.more += PIGEONHOLE.format(
            lab=self.lab,
            logins=dovecot.LOGINS,
            sieve=self.sieve_port,
            lmtp=self.lmtp_port,
            user=self._account.pw_name,
            scripts=self.scripts,
            storage=self.storage,
            largest=self.largest,
            name="" if self.addresses else " | username",
        )
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
