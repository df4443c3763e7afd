"""Write, for a Dovecot that is a proxy, to which server each person's mail clients are sent.

A file for each protocol, as a passwd-file of Dovecot: people who are not cut over go to the old server, the
others to the new one, under the login that they have there. Both servers check the password themselves:
the proxy takes any (`nopassword`) and hands it on. So a proxy must keep no mailboxes: a line that leads it to
itself is refused by Dovecot ("Proxying loops to itself").

What is written follows from the ledger alone, so that it may be written again at any time and in any order.
Writers wait for each other, and read the ledger when it is their turn. A file is replaced as a whole. A
ledger that sends many people back to the old server at once may be an old copy: a person has to say so.

Source:
    https://doc.dovecot.org/2.4.1/core/config/auth/proxies.html,
    https://doc.dovecot.org/2.4.1/core/config/auth/databases/passwd_file.html
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.config.load import Config
from engine.config.mail_routes import MailRoutesSettings, MailServer, MailServers
from ledger.leg.mail_routes import RouteRow, mail_routes
from ledger.store import Ledger
from model.errors import Misconfigured
from model.private_files import make_directory, open_private

SECTION = "mail_routes"
SECURITY = {"tls": " ssl=yes", "starttls": " starttls=yes", "none": ""}
LOCK = ".lock"
BACK_MOST, BACK_SHARE = 20, 0.1
"""How many names may go back to the old server in one writing; the share is of those at the new one."""


@dataclass(frozen=True, slots=True)
class WrittenRoutes:
    """Say what became of a protocol's file.

    Attributes:
        protocol: Dovecot's name of it.
        old: how many people are sent to the old server.
        new: how many to the new one.
        changed: how many lines differ from those that were there.
        written: False in a dry run, and if nothing differs.
    """

    protocol: str
    old: int
    new: int
    changed: int
    written: bool


def write_mail_routes(
    config: Config, ledger: Ledger, *, dry_run: bool = False, many_back: bool = False
) -> list[WrittenRoutes]:
    """Write the files of [mail_routes], those that change. Idempotent.

    Args:
        config: the configuration.
        ledger: the ledger.
        dry_run: True to write nothing.
        many_back: True to let any number of people go back to the old server.

    Raises:
        Misconfigured: without [mail_routes]; if the ledger knows nobody whose mail moves; if two people have
            one login, or a login cannot stand in such a file; if many go back; if the directory cannot be
            written.
    """
    settings = config.mail_routes
    if settings is None:
        raise Misconfigured(SECTION, "is not there: docs/mail-proxy.md says what it is for")
    directory = config.file(settings.directory)
    try:
        with _alone(directory, dry_run=dry_run):
            return _written(
                directory, mail_routes(ledger), settings, write=not dry_run, many_back=many_back or dry_run
            )
    except OSError as error:
        why = error.strerror or "no directory"
        raise Misconfigured(f"{SECTION}.directory", f"cannot be written ({why})") from None


@contextmanager
def _alone(directory: Path, *, dry_run: bool) -> Iterator[None]:
    """Wait until no other process writes here. A dry run makes nothing, and waits for nobody."""
    if dry_run:
        yield
        return
    make_directory(directory)
    with open(directory / LOCK, "wb", opener=open_private) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _written(
    directory: Path, rows: Sequence[RouteRow], settings: MailRoutesSettings, *, write: bool, many_back: bool
) -> list[WrittenRoutes]:
    """Write all files, or none if something is refused."""
    if not rows:
        raise Misconfigured(SECTION, "the ledger knows nobody whose mail moves: is it the right one?")
    files = {
        directory / protocol: (route_lines(rows, servers), servers)
        for protocol, servers in settings.protocols()
    }
    before = {file: file.read_text().splitlines() if file.exists() else [] for file in files}
    for file, (lines, servers) in files.items():
        if not many_back:
            _refuse_many_back(before[file], lines, servers)
    moved = sum(row.moved for row in rows)
    outcomes = []
    for file, (lines, _) in files.items():
        changed = len(set(lines) ^ set(before[file]))
        if changed and write:
            _write(file, "".join(f"{line}\n" for line in lines))
        outcomes.append(WrittenRoutes(file.name, len(rows) - moved, moved, changed, bool(changed) and write))
    return outcomes


def _refuse_many_back(before: Iterable[str], lines: Iterable[str], servers: MailServers) -> None:
    """Raise Misconfigured if many who were sent to the new server would no longer be."""
    was, now = (
        {line.partition(":")[0] for line in text if f"{_where(servers.new)} " in f"{line} "}
        for text in (before, lines)
    )
    if len(was - now) > max(BACK_MOST, BACK_SHARE * len(was)):
        raise Misconfigured(
            SECTION,
            f"{len(was - now):,} of {len(was):,} logins would go back to the old server. Is this the newest"
            " ledger? If they are to go back: kogge routes --many-back",
        )


def route_lines(rows: Sequence[RouteRow], servers: MailServers) -> list[str]:
    """Return the lines of a file, sorted: one for each name under which a client may log in.

    A person is listed under the names of the old server. Those of the new one come with their cutover, and
    stay while it is taken back. Before it nobody needs them, and at the old server one may be the login of
    somebody who is in no plan. They are left out where another person of the plan may have that name at the
    old server, and where people who share it are not all sent to one place.

    Raises:
        Misconfigured: if two people have one name at the old server, or if a name cannot be written. Only the
            mailboxes' ids are named.
    """
    owners: dict[str, RouteRow] = {}
    for row in rows:
        for name in map(_typed, row.source):
            if owners.setdefault(name, row) is not row:
                raise Misconfigured(SECTION, f"{owners[name].mailbox} and {row.mailbox} have one login")
    lines = {name: _line(name, row, servers) for name, row in owners.items()}
    for name, claims in _claims(rows).items():
        said = {_line(name, row, servers) for row in claims}
        if name not in lines and len(said) == 1 and all(_may_type(name, row) for row in claims):
            lines[name] = said.pop()
    return sorted(lines.values())


def _claims(rows: Sequence[RouteRow]) -> dict[str, list[RouteRow]]:
    """Return the people by each name that they have at the new server."""
    claims: dict[str, list[RouteRow]] = {}
    for row in rows:
        for name in set(map(_typed, row.target)):
            claims.setdefault(name, []).append(row)
    return claims


def _may_type(name: str, row: RouteRow) -> bool:
    """Return True if a name at the new server means a person who is cut over or is being taken back."""
    return (row.moved or row.returned) and name not in map(_typed, row.others)


def _typed(name: str) -> str:
    """Return a name as the proxy looks for it: %{user | lower} makes only ASCII letters small."""
    return name.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def _line(name: str, row: RouteRow, servers: MailServers) -> str:
    server, names = (servers.new, row.target) if row.moved else (servers.old, row.source)
    known = name in map(_typed, names)
    login = names[0] if row.moved or not known else name
    for text in (name, login):
        if ":" in text or text.startswith("#") or "%{" in text or not text.isprintable() or " " in text:
            raise Misconfigured(SECTION, f"a login of {row.mailbox} cannot stand in a passwd-file")
    user = "" if _typed(login) == name else f" destuser={login}"
    return f"{name}:::::::nopassword=yes proxy=yes{_where(server)}{user}"


def _where(server: MailServer) -> str:
    return f" host={server.host} port={server.port}{SECURITY[server.security]}"


def _write(file: Path, text: str) -> None:
    """Replace a file as a whole; it is on the disk before it has its name.

    Dovecot reads it again when its time differs in whole seconds, so each is a second newer than the last.
    """
    newer = max(int(time.time()), int(file.stat().st_mtime) + 1 if file.exists() else 0)
    fresh = file.with_name(f".{file.name}.new")
    with open(fresh, "w", encoding="utf-8", opener=open_private) as output:
        output.write(text)
        output.flush()
        os.utime(output.fileno(), (newer, newer))
        os.fsync(output.fileno())
    fresh.replace(file)
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
