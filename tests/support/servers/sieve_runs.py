"""What Pigeonhole does with a mail by a script: its own program says so, without a server."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

CONFIG = """\
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
mail_driver = sdbox
mail_home = {lab}/home
mail_path = {lab}/home/sdbox
log_path = /dev/stderr
ssl = no
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 0
namespace inbox {{
  inbox = yes
  separator = /
}}
"""
EXTENSIONS = frozenset(
    {
        *(
            "fileinto",
            "reject",
            "envelope",
            "encoded-character",
            "vacation",
            "subaddress",
            "relational",
            "regex",
        ),
        *(
            "comparator-i;ascii-numeric",
            "imap4flags",
            "copy",
            "include",
            "body",
            "variables",
            "enotify",
            "date",
        ),
        *("environment", "mailbox", "index", "ihave", "duplicate", "mime", "foreverypart", "extracttext"),
    }
)
"""What a Pigeonhole of Dovecot 2.4.1 announces, as it is delivered."""


def available() -> bool:
    """Whether Pigeonhole's program is installed."""
    return shutil.which("sieve-test") is not None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a mail went.

    Attributes:
        folders: sorted.
        flags: those that it got, sorted and in lower case.
        redirects: to whom it was sent on, in the order of the script.
    """

    folders: tuple[str, ...]
    flags: tuple[str, ...] = ()
    redirects: tuple[str, ...] = ()


class SieveRuns:
    """Compiles scripts and runs them on mail, in a directory of its own."""

    def __init__(self) -> None:
        self.lab = Path(tempfile.mkdtemp(prefix="kogge-sieve-"))
        owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        import grp

        group = grp.getgrgid(owner.pw_gid).gr_name
        (self.lab / "home").mkdir()
        self._config = self.lab / "dovecot.conf"
        self._config.write_text(CONFIG.format(lab=self.lab, user=owner.pw_name, group=group))
        for path in (self.lab, self.lab / "home"):
            if os.geteuid() == 0:
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def close(self) -> None:
        shutil.rmtree(self.lab, ignore_errors=True)

    def outcome(self, script: str, mail: str) -> Outcome:
        """What the script does with the mail; RuntimeError if it is no script, or fails."""
        source, letter = self.lab / "rule.sieve", self.lab / "mail.eml"
        source.write_text(script, encoding="utf-8", newline="")
        letter.write_bytes(mail.replace("\n", "\r\n").encode())
        done = subprocess.run(
            ["sieve-test", "-C", "-c", str(self._config), str(source), str(letter)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or "final result: success" not in done.stderr:
            raise RuntimeError(f"sieve-test: {done.stderr[-2000:]}")
        return _read(done.stdout)


def _read(said: str) -> Outcome:
    folders = re.findall(r"^ \* store message in folder: (.+)$", said, re.MULTILINE)
    flags = re.findall(r"^ +\+ add IMAP flags: (.+)$", said, re.MULTILINE)
    redirects = re.findall(r"^ \* redirect message to: <?([^>\s]+)>?$", said, re.MULTILINE)
    each = {flag.lower() for line in flags for flag in line.split()}
    return Outcome(tuple(sorted(folders)), tuple(sorted(each)), tuple(redirects))
