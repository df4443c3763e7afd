"""A private PostgreSQL for practice and tests: unprivileged, in a directory of its own that is removed
at the end and never longer there than who started it, on a Unix socket in there and on no TCP port at all.
Its data may be kept elsewhere, for the next time.

initdb refuses to run as root: a caller that is root drops to `postgres`, or `nobody` where there is no
such account; any other caller's own account runs the server. Nothing of it survives a power loss
(fsync is off): it is for trying things out.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from practice.harness.warden import watch_over

START_SECONDS = 30
# Where Debian keeps the programs of each major version; they are not on the PATH.
DEBIAN = Path("/usr/lib/postgresql")

SETTINGS = """\
listen_addresses = ''
port = 5432
unix_socket_directories = '{folder}'
fsync = off
shared_buffers = {buffers}MB
max_connections = 100
"""
INCLUDE = "\ninclude = 'practice.conf'\n"
BUFFERS_MB = 32


def find_programs() -> Path | None:
    """The directory of initdb and pg_ctl of the newest PostgreSQL there is; None when there is none."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = [path.parent for path in DEBIAN.glob("*/bin/initdb")]
    return max(found, key=lambda path: float(path.parent.name), default=None)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server. Its superuser is `kogge`, without a password: only the socket's directory,
    readable by the server's account and root, guards it."""

    folder: Path
    programs: Path

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://kogge@/{database}?host={self.folder}"

    def stop(self) -> None:
        """Ends it at once, as a kill does: nobody is asked, and what is under way is lost."""
        run(*self._control, "-m", "immediate", "stop")

    def start(self) -> None:
        run(*self._control, "-t", str(START_SECONDS), "-l", self.folder / "log", "start")

    @property
    def _control(self) -> tuple[str | Path, ...]:
        return (self.programs / "pg_ctl", "-D", self.folder / "data", "-w")

    def create(self, database: str) -> str:
        """A new, empty database; returns its URL."""
        run(self.programs / "createdb", "-h", self.folder, "-U", "kogge", database)
        return self.url(database)


@contextmanager
def serve(kept: Path | None = None, buffers: int = BUFFERS_MB) -> Iterator[Postgres]:
    """A server for the length of a with block; about two seconds to start, less to stop. kept: a directory
    where its data stay, and are found the next time. buffers: MB that it caches.

    Raises FileNotFoundError when PostgreSQL is not installed."""
    programs = find_programs()
    if programs is None:
        raise FileNotFoundError("PostgreSQL (initdb) is not installed")
    folder = Path(tempfile.mkdtemp(prefix="kogge-pg-"))
    data = (kept or folder) / "data"
    pid_file = data / "postmaster.pid"
    warden = watch_over(kept or folder, pid_file, signal.SIGQUIT, keep=kept is not None)
    try:
        _prepare(programs, folder, data, buffers)
        control = (programs / "pg_ctl", "-D", data, "-w", "-t", str(START_SECONDS))
        run(*control, "-l", data.parent / "log", "start")
        try:
            yield Postgres(folder, programs)
        finally:
            run(*control, "-m", "immediate" if kept is None else "fast", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        warden.release()


def _prepare(programs: Path, folder: Path, data: Path, buffers: int) -> None:
    """Makes the data where there are none yet; the socket lies in folder."""
    account = _account()
    if account is not None:
        for path in {folder, data.parent}:
            os.chown(path, account.pw_uid, account.pw_gid)
    if not (data / "PG_VERSION").exists():
        initdb = programs / "initdb"
        run(initdb, "-D", data, "-U", "kogge", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(INCLUDE)
    practice = data / "practice.conf"
    practice.write_text(SETTINGS.format(folder=folder, buffers=buffers))
    if account is not None:
        os.chown(practice, account.pw_uid, account.pw_gid)


def run(*command: str | Path) -> None:
    """Runs a program of PostgreSQL as the server's account. Raises CalledProcessError."""
    account = _account()
    who = {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    subprocess.run(  # type: ignore[call-overload]
        [str(part) for part in command],
        check=True,
        cwd="/",
        # pg_ctl's server inherits its output: a pipe would stay open for as long as it runs.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        **who,
    )


def _account() -> pwd.struct_passwd | None:
    """Who runs the server when the caller is root; None: the caller itself."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise FileNotFoundError("no unprivileged account to run PostgreSQL as")
