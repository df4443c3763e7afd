"""A private Cyrus IMAP server from unpacked Debian packages, without installing them.

Debian's packages of Cyrus and Dovecot exclude each other. Unpack Cyrus anywhere (`apt-get download
cyrus-common cyrus-imapd libwrap0 libxapian30 libical3t64 libpcre2-posix3`, then `dpkg -x` of each into one
directory) and name the directory in KOGGE_CYRUS_ROOT. It runs on a free port of 127.0.0.1 with Debian's own
settings (no altnamespace, unixhierarchysep), lets everybody in with any password, and keeps its mail in a
directory of ours.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from imaplib import IMAP4
from pathlib import Path

VARIABLE = "KOGGE_CYRUS_ROOT"
ADMIN, PASSWORD = "cyrus", "any"
START_SECONDS, STOP_SECONDS = 30.0, 10.0
DIRECTORIES = ("db", "socket", "proc", "log", "msg", "ptclient", "user", "quota", "lock", "backup")

IMAPD = """\
configdirectory: {place}/config
partition-default: {place}/spool
defaultpartition: default
proc_path: {place}/config/proc
sievedir: {place}/sieve
admins: cyrus
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN
allowplaintext: yes
unixhierarchysep: yes
altnamespace: no
virtdomains: no
cyrus_user: {user}
"""
MASTER = """\
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {place}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {place}/imapd.conf" listen="127.0.0.1:{port}" prefork=0
}}
EVENTS {{
}}
"""


def root() -> Path | None:
    """Where the unpacked packages are; None where the environment names no such place."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named and (Path(named) / "usr/sbin/cyrmaster").is_file() else None


@dataclass
class CyrusServer:
    """A running Cyrus; any password opens any account."""

    port: int
    _process: subprocess.Popen[bytes]

    def admin(self) -> IMAP4:
        """A connection of the administrator's."""
        client = IMAP4("127.0.0.1", self.port, timeout=START_SECONDS)
        client.authenticate("PLAIN", lambda _: f"\0{ADMIN}\0{PASSWORD}".encode())
        return client

    def stop(self) -> None:
        """Ends it and waits for its end."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def start_cyrus(unpacked: Path, place: Path, users: Iterable[str]) -> CyrusServer:
    """Starts it with an account for each user. unpacked: see root(). place: an empty directory with a short
    name. Raises RuntimeError when it does not start."""
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    port = _free_port()
    for name in ("spool", "sieve", *(f"config/{one}" for one in DIRECTORIES)):
        (place / name).mkdir(parents=True)
    binaries = unpacked / "usr/lib/cyrus/bin"
    (place / "imapd.conf").write_text(IMAPD.format(place=place, user=user))
    (place / "cyrus.conf").write_text(MASTER.format(place=place, bin=binaries, port=port))
    if os.geteuid() == 0:
        for path in (place, *place.rglob("*")):
            shutil.chown(path, user)
    libraries = ":".join(str(one) for one in (unpacked / "usr/lib").glob("*-linux-gnu*"))
    process = subprocess.Popen(
        [unpacked / "usr/sbin/cyrmaster", "-D", "-C", place / "imapd.conf", "-M", place / "cyrus.conf",
         "-p", place / "master.pid"],
        env={"LD_LIBRARY_PATH": libraries, "PATH": "/usr/bin:/bin"},
        user=user if os.geteuid() == 0 else None,
        group=pwd.getpwnam(user).pw_gid if os.geteuid() == 0 else None,
        extra_groups=[] if os.geteuid() == 0 else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    server = CyrusServer(port, process)
    try:
        _fill(server, users)
    except (OSError, IMAP4.error, RuntimeError):
        server.stop()
        raise RuntimeError("Cyrus does not start") from None
    return server


def _fill(server: CyrusServer, users: Iterable[str]) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            client = server.admin()
            break
        except (OSError, IMAP4.error):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
    for user in users:
        if client.create(f"user/{user}")[0] != "OK":
            raise RuntimeError(user)
    client.logout()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
