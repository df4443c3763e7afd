"""Run the private Dovecot with what people keep beside their mail: rules in Sieve, and rights to folders.

Rules come by ManageSieve (RFC 5804) and act on the mail that LMTP delivers. Rights are those of RFC 4314, and
people see in their lists what others share with them.
"""

from __future__ import annotations

import smtplib
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from practice.servers.dovecot import LIBRARIES, LOGINS, Dovecot, available, free_port, started

SIEVE = """\
protocols {{
  sieve = yes
  lmtp = yes
}}
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
sieve_max_redirects = 7
"""
ACL = """
mail_plugins {
  acl = yes
}
acl_driver = vfile
protocol imap {
  mail_plugins {
    imap_acl = yes
  }
}
"""
"""Switches on rights of folders (RFC 4314)."""
SHARED = (
    ACL
    + """
namespace shared {
  type = shared
  separator = /
  prefix = shared/$user/
  mail_path = %{owner_home}/sdbox
  mail_index_private_path = ~/shared/%{owner_user}
  list = children
  subscriptions = no
}
acl_sharing_map {
  dict file {
    path = %{home}/../../shared-mailboxes.db
  }
}
"""
)
"""And lets people see in their lists what others share with them."""
PROGRAMS = ("managesieve", "managesieve-login", "lmtp")


def has_rules() -> bool:
    """Return whether the installed Dovecot keeps rules, and delivers mail by them."""
    return available() and all(any((place / one).exists() for place in LIBRARIES) for one in PROGRAMS)


def sieve_lines(server: Dovecot, sieve: int, lmtp: int, *, addresses: bool) -> str:
    """Return the lines of the configuration for rules.

    Args:
        server: where they belong.
        sieve: the port of loopback of ManageSieve.
        lmtp: the port of loopback of LMTP.
        addresses: True if people log in by their whole addresses.
    """
    name = "" if addresses else " | username"
    account = server.account.pw_name
    return SIEVE.format(logins=LOGINS, sieve=sieve, lmtp=lmtp, user=account, name=name)


@dataclass
class Pigeonhole(Dovecot):
    """Hold a running one; see start_pigeonhole.

    Attributes:
        sieve_port: speaks ManageSieve.
        lmtp_port: takes mail.
    """

    sieve_port: int = field(default_factory=free_port)
    lmtp_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        """Add the lines of the configuration."""
        self.more += SHARED + sieve_lines(self, self.sieve_port, self.lmtp_port, addresses=True)


def start_pigeonhole(users: Iterable[str]) -> Pigeonhole:
    """Start one that knows users, by their addresses.

    Raises:
        RuntimeError: it cannot start.
    """
    return started(Pigeonhole(Path(tempfile.mkdtemp(prefix="kogge-pigeonhole-"))), users)


def deliver(server: Pigeonhole, address: str, message: bytes, sender: str) -> None:
    """Deliver a message as a mail server does: the script of the receiver that acts has its way.

    Raises:
        OSError, smtplib.SMTPException: the server takes it not.
    """
    with smtplib.LMTP(server.host, server.lmtp_port) as lmtp:
        lmtp.sendmail(sender, [address], message)
