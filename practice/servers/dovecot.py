"""Run a private Dovecot 2.4 for practice and tests: unprivileged, on a free loopback port.

It lies in a directory of its own that is removed at the end, and it ends with the process that started it.

Users are lines of a passwd-file, which Dovecot reads again when it changes: users may be added while it runs.
The master user logs in as anybody: `user*migrator`, or SASL PLAIN with an authzid. A caller that is root
drops to the system's account without rights; any other caller's own account runs the server.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from practice.harness.warden import Warden, watch_over

MASTER = "migrator"
MASTER_PASSWORD = "migratorpw"
USER_PASSWORD = "userpw"
START_SECONDS = 20.0
STOP_SECONDS = 10.0
REREAD_SECONDS = 1.1
LOGINS = 100
"""Connections that one process of Dovecot serves, one after the other: a new one for each is 16 ms of CPU."""

CONFIG = """\
dovecot_config_version = {version}
dovecot_storage_version = {version}
base_dir = {lab}/run
state_dir = {lab}/state
log_path = {lab}/dovecot.log
listen = 127.0.0.1
protocols {{
  imap = yes
}}
ssl = no
auth_allow_cleartext = yes
auth_mechanisms = plain login
auth_master_user_separator = *
auth_failure_delay = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = {first_uid}
first_valid_gid = 0
mail_uid = {user}
mail_gid = {group}
passdb master {{
  driver = passwd-file
  passwd_file_path = {lab}/master-users
  master = yes
  result_success = continue
}}
passdb users {{
  driver = passwd-file
  passwd_file_path = {lab}/users
}}
userdb users {{
  driver = passwd-file
  passwd_file_path = {lab}/users
}}
mail_driver = sdbox
mail_home = {lab}/mail/%{{user}}
mail_path = %{{home}}/sdbox
mailbox_list_layout = fs
namespace inbox {{
  inbox = yes
  separator = /
{special}}}
mail_attribute {{
  dict file {{
    path = %{{home}}/attributes
  }}
}}
protocol imap {{
  imap_metadata = yes
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  restart_request_count = {logins}
  process_min_avail = 1
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service imap {{
  restart_request_count = {logins}
  process_limit = 256
  process_min_avail = 1
}}
"""

SPECIAL = {"Sent": "Sent", "Drafts": "Drafts", "Trash": "Trash", "Junk": "Junk", "Archive": "Archive"}


D = TypeVar("D", bound="Dovecot")
LIBRARIES = (Path("/usr/lib/dovecot"), Path("/usr/libexec/dovecot"), Path("/usr/local/libexec/dovecot"))


def available() -> bool:
    """Return whether a Dovecot of series 2.4 is on the PATH, and serves IMAP.

    The configuration is for that series. Some distributions have IMAP in a package of its own.
    """
    return bool(_program()) and _serves_imap() and _version().startswith("2.4")


def _serves_imap() -> bool:
    """Return whether the program exists that a connection is handed to after its login."""
    place = Path(str(_program())).resolve().parent.parent
    folders = [place / name / "dovecot" for name in ("lib", "libexec")]
    return any(os.access(folder / "imap", os.X_OK) for folder in [*folders, *LIBRARIES])


def _program() -> str | None:
    return shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


def _version() -> str:
    done = subprocess.run([str(_program()), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[0].split("-")[0]


def free_port() -> int:
    """Return a port of loopback that no server uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Dovecot:
    """Hold a running private Dovecot; see start_dovecot.

    Attributes:
        keep: True if its files stay when it stops.
        special: True if it has folders for sent mail and the like, and marks them.
        more: further lines of its configuration; the last line about a setting counts.
    """

    lab: Path
    keep: bool = False
    special: bool = True
    more: str = ""
    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    security: str = "none"
    master_user: str = MASTER
    master_password: str = MASTER_PASSWORD
    user_password: str = USER_PASSWORD
    auth: str = "master-user"
    product: str = "dovecot"
    _users: set[str] = field(default_factory=set)
    _process: subprocess.Popen[bytes] | None = None
    _warden: Warden | None = None
    _written: int = field(default_factory=lambda: int(time.time()))

    @property
    def account(self) -> pwd.struct_passwd:
        """Return the system's account that runs the server."""
        return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())

    def add_users(self, users: Iterable[str]) -> None:
        """Let users log in from now on. Takes a second while the server runs."""
        self._users.update(users)
        self._write_users()

    def start(self) -> None:
        """Start, and wait until it answers.

        Raises:
            RuntimeError: it does not; the text has Dovecot's log.
        """
        self._write_configuration()
        if self._warden is None:
            pid_file = self.lab / "run" / "master.pid"
            self._warden = watch_over(self.lab, pid_file, signal.SIGTERM, keep=self.keep)
        owner = self.account
        drop = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        with (self.lab / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [str(_program()), "-F", "-c", str(self.lab / "dovecot.conf")],
                stdout=output,
                stderr=output,
                cwd=self.lab,
                **drop,  # type: ignore[call-overload]
            )
        self._await_greeting()

    def stop(self) -> None:
        """Stop, and remove everything, or what does not stay. Safe to call again."""
        self.end(signal.SIGTERM)
        if not self.keep:
            shutil.rmtree(self.lab, ignore_errors=True)
        if self._warden is not None:
            self._warden.release()

    def log(self) -> str:
        """Return Dovecot's own log and output."""
        parts = [self.lab / "dovecot.log", self.lab / "output"]
        return "".join(part.read_text(errors="replace") for part in parts if part.exists())

    def _children(self) -> list[int]:
        if self._process is None:
            return []
        listing = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in listing.read_text().split()] if listing.exists() else []

    def end(self, number: signal.Signals) -> None:
        """Send a signal to the server and its processes, and wait for it."""
        children = self._children()
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for child in children:  # sessions outlive their master for a while
            _signal(child, number)

    def _await_greeting(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                with socket.create_connection((self.host, self.port), timeout=2) as probe:
                    if probe.recv(4) == b"* OK":
                        return
            except OSError:
                time.sleep(0.05)
        log = self.log()
        self.end(signal.SIGKILL)
        raise RuntimeError(f"Dovecot does not start: {log[-2000:]}")

    def _write_configuration(self) -> None:
        owner = self.account
        boxes = "".join(_mailbox(name, use) for name, use in SPECIAL.items() if self.special)
        text = CONFIG.format(
            version=_version(),
            lab=self.lab,
            user=owner.pw_name,
            group=_group(owner.pw_gid),
            first_uid=min(500, owner.pw_uid),
            port=self.port,
            special=boxes,
            logins=LOGINS,
        )
        self._own(self.lab / "dovecot.conf", text + self.more)
        self._own(self.lab / "master-users", f"{MASTER}:{{PLAIN}}{MASTER_PASSWORD}::::::\n")
        self._write_users()
        for name in ("run", "state", "mail"):
            (self.lab / name).mkdir(exist_ok=True)
            self._chown(self.lab / name)
        self._chown(self.lab)

    def _write_users(self) -> None:
        owner = self.account
        lines = [
            f"{user}:{{PLAIN}}{USER_PASSWORD}:{owner.pw_uid}:{owner.pw_gid}:"
            f":{self.lab}/mail/{user}::{self._more_of(user)}\n"
            for user in sorted(self._users)
        ]
        fresh = self.lab / "users.new"
        self._own(fresh, "".join(lines))
        # the file is read again when its time differs, in whole seconds, and looked at once a second
        self._written += 1
        os.utime(fresh, (self._written, self._written))
        fresh.replace(self.lab / "users")
        if self._process is not None:
            time.sleep(REREAD_SECONDS)

    def _more_of(self, user: str) -> str:
        """Return further fields of a user."""
        del user
        return ""

    def _own(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o600)
        self._chown(path)

    def _chown(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)


def _mailbox(name: str, use: str) -> str:
    return f'  mailbox {name} {{\n    special_use = "\\\\{use}"\n    auto = subscribe\n  }}\n'


def _group(gid: int) -> str:
    import grp

    return grp.getgrgid(gid).gr_name


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def start_dovecot(users: Iterable[str]) -> Dovecot:
    """Start a private Dovecot that knows users.

    Raises:
        RuntimeError: it cannot start.
    """
    return started(Dovecot(Path(tempfile.mkdtemp(prefix="kogge-dovecot-"))), users)


def started(server: D, users: Iterable[str]) -> D:
    """Start a server with these users, and return it; remove everything if it does not start.

    Raises:
        RuntimeError: it cannot start.
    """
    server.add_users(users)
    try:
        server.start()
    except BaseException:
        server.stop()
        raise
    return server
