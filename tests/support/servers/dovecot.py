"""A private Dovecot with what only tests ask of one: quotas, TLS, fewer capabilities, deaths and doveadm."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from practice.harness.tls import make_certificate
from practice.servers import dovecot

FORGETFUL = "mail_driver = maildir\nmail_path = %{home}/Maildir\nmail_index_path = MEMORY\n"
"""Further lines for a server that forgets its indexes, and so its modification sequences, at each logout."""
QUOTA = """\
mail_plugins {
  quota = yes
}
protocol imap {
  mail_plugins {
    quota = yes
    imap_quota = yes
  }
}
quota mailbox {
  quota_storage_grace = 0
}
"""
TLS = """\
ssl = yes
ssl_server_cert_file = {lab}/ca.pem
ssl_server_key_file = {lab}/key.pem
service imap-login {{
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
"""


@dataclass
class Dovecot(dovecot.Dovecot):
    """A running private Dovecot; see start_dovecot.

    Attributes:
        hide: capabilities that it shall not announce.
        tls: True for STARTTLS on port, and TLS on tls_port; a client must trust ca_file.
    """

    hide: tuple[str, ...] = ()
    tls: bool = False
    tls_port: int = 0
    _quotas: dict[str, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        hidden = "".join(f'    "{name}" = no\n' for name in self.hide)
        lines = f"protocol imap {{\n  imap_capability {{\n{hidden}  }}\n}}\n" if hidden else ""
        if self.tls:
            self.tls_port = dovecot.free_port()
            lines += TLS.format(lab=self.lab, port=self.tls_port)
        self.more = QUOTA + lines + self.more

    @property
    def pid(self) -> int:
        """The process id of the running server; 0 when there is none."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    @property
    def ca_file(self) -> Path:
        """The certificate that a client must trust."""
        return self.lab / "ca.pem"

    def add_users(self, users: Iterable[str], quota: int | None = None) -> None:
        """Let users log in from now on, with a quota in bytes. Takes a second while the server runs."""
        names = list(users)
        self._quotas.update(dict.fromkeys(names, quota))
        super().add_users(names)

    def set_quota(self, user: str, quota: int | None) -> None:
        """Set a quota; it takes effect at the user's next login, and after a second."""
        self.add_users([user], quota)

    def remove_user(self, user: str) -> None:
        """Remove an account and its mail; adding the user again makes a new mailbox."""
        self._users.remove(user)
        self._write_users()
        shutil.rmtree(self.lab / "mail" / user, ignore_errors=True)

    def start(self) -> None:
        if self.tls and not self.ca_file.exists():
            made = make_certificate(self.lab)
            self._chown(made.ca)
            self._chown(made.key)
        super().start()

    def restart(self) -> None:
        """Stop, cutting every session, and start again on the same port with the same mail."""
        self.end(signal.SIGTERM)
        self.start()

    def kill(self) -> None:
        """Send SIGKILL to the server and every process of it, as in a power cut; start() brings it back."""
        self.end(signal.SIGKILL)

    def admin(self, *words: str) -> str:
        """What doveadm prints when it is called with these words; RuntimeError if it fails."""
        program = shutil.which("doveadm") or shutil.which("doveadm", path="/usr/bin:/usr/sbin") or "doveadm"
        command = [program, "-c", str(self.lab / "dovecot.conf"), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"doveadm: {done.stderr[-500:]}")
        return done.stdout

    def _more_of(self, user: str) -> str:
        quota = self._quotas.get(user)
        return "" if quota is None else f"userdb_quota_storage_size={quota}B"


def start_dovecot(
    users: Iterable[str],
    quota: int | None = None,
    hide: tuple[str, ...] = (),
    *,
    tls: bool = False,
    special: bool = True,
    more: str = "",
) -> Dovecot:
    """Start a private Dovecot that knows users, each with this quota.

    Args:
        users: who may log in.
        quota: in bytes; None for no limit.
        hide: capabilities that it shall not announce.
        tls: True to offer TLS.
        special: True for folders for sent mail and the like.
        more: further lines of its configuration.
    """
    lab = Path(tempfile.mkdtemp(prefix="kogge-dovecot-"))
    server = Dovecot(lab=lab, hide=hide, tls=tls, special=special, more=more)
    names = list(users)
    server.add_users(names, quota)
    return dovecot.started(server, [])
