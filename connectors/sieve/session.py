"""Log in to a ManageSieve server, read its limits, and keep, read and choose scripts.

Source:
    RFC 5804 (ManageSieve), sections 1.7 (capabilities) and 2 (commands)
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from connectors.accepted_logins import LOGINS, login_of
from connectors.http.deadline import Deadline
from connectors.imap.wire.connection import cut
from connectors.imap.wire.login import connecting
from connectors.imap.wire.sasl import plain, xoauth2
from connectors.settings import Account
from connectors.sieve.settings import SieveSettings
from connectors.sieve.wire import NOT_MANAGESIEVE, Answer, Wire
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.protocols import Guard
from model.sieve_limits import SieveLimits

PAUSES: Final = (0.5, 1.5, 3.0)
"""Seconds before a change is tried again that the server refused without a reason: it may be unwell."""
SIZES: Final = tuple(1 << power for power in range(20, 11, -1))
SIZE_CODES: Final = frozenset({"QUOTA", "QUOTA/MAXSIZE", "QUOTA/MAXSTORAGE"})
HARMLESS: Final = b"keep;\r\n"
PROBED: Final = b"kogge-probe"
"""Sizes, and a name, for which the server is asked whether it has room."""
sleep = time.sleep


@dataclass(frozen=True, slots=True)
class Script:
    """Name a script on the server.

    Attributes:
        name: its name.
        active: True for the one that acts.
    """

    name: str
    active: bool


@dataclass(slots=True)
class Session:
    """Hold a connection that is made when first needed and again after it broke, until close().

    Not thread-safe, except close(). Every command may raise Blocked("login-refused", "tls-failed",
    "not-managesieve"), Transient and Misconfigured. After Transient a change may have happened.

    Attributes:
        settings: the server's settings.
        account: the account to open.
        guard: called before each change of the server, and again before the last bytes of a long script.
    """

    settings: SieveSettings
    account: Account
    guard: Guard
    _wire: Wire | None = None
    _sockets: list[socket.socket] = field(default_factory=list)
    _closed: bool = False
    _user: int = 0
    _refused: Blocked | Transient | None = None
    _strange: bool = False

    @property
    def server(self) -> str:
        """Return host and port."""
        return f"{self.settings.host}:{self.settings.port}"

    @property
    def limits(self) -> SieveLimits:
        """Return what the server takes, as it states it after the login."""
        stated = self._live().capabilities
        redirects = stated.get("MAXREDIRECTS", "")
        return SieveLimits(
            extensions=frozenset(stated.get("SIEVE", "").split()),
            script_bytes=self._largest(),
            redirects=int(redirects) if redirects.isascii() and redirects.isdigit() else None,
        )

    @property
    def product(self) -> str:
        """Return what the server calls itself; "" if it does not say."""
        return self._live().capabilities.get("IMPLEMENTATION", "")

    @property
    def owner(self) -> str:
        """Return whose scripts they are, by the server's own word (RFC 5804, 1.7); "" if it does not say."""
        return self._live().capabilities.get("OWNER", "")

    def close(self) -> None:
        """Close from any thread; the thread that uses the session then gets Transient."""
        self._closed = True
        self._cut()
        if self._user in (0, threading.get_ident()):
            # the using thread frees its own descriptors: a number could be another socket's a moment later
            self._discard()

    # -- scripts

    def scripts(self) -> tuple[Script, ...]:
        """List the scripts."""
        found = []
        for row in self._done("LISTSCRIPTS").rows:
            name = row[0]
            if not isinstance(name, bytes):
                raise Transient("protocol-error", "a script without a name")
            found.append(Script(_text(name), "ACTIVE" in row[1:]))
        return tuple(found)

    def read(self, name: str) -> bytes | None:
        """Return the text of a script; None if there is none of this name."""
        answer = self._run("GETSCRIPT", name.encode())
        if answer.code == "NONEXISTENT" or (not answer.ok and not self._lists(name)):
            return None
        _require(answer)
        if len(answer.rows) != 1 or len(answer.rows[0]) != 1 or not isinstance(answer.rows[0][0], bytes):
            raise Transient("protocol-error", "no script in the answer")
        return answer.rows[0][0]

    def accepts(self, text: bytes) -> Answer:
        """Ask whether the server could run a script; nothing is kept.

        A refusal without a reason counts only while the server takes a script that cannot be wrong. A server
        from before CHECKSCRIPT (RFC 5804, 1.7, VERSION) cannot be asked: it checks at PUTSCRIPT.

        Raises:
            Transient: "server-busy": it refuses every script.
            Blocked: "sieve-quota".
        """
        if "VERSION" not in self._live().capabilities:
            return Answer("OK")
        answer = self._run("CHECKSCRIPT", text)
        if not answer.ok and answer.known:
            raise _refusal(answer)
        if not answer.ok and not self._run("CHECKSCRIPT", HARMLESS).ok:
            raise Transient("server-busy", "it refuses every script").quoting(answer.said)
        return answer

    def room(self, name: str, size: int) -> None:
        """Ask whether there is room for a script.

        Raises:
            Blocked: "sieve-quota".
        """
        _require(self._run("HAVESPACE", name.encode(), size))

    def put(self, name: str, text: bytes) -> None:
        """Keep a script; one of the same name is replaced, as a whole or not at all.

        Raises:
            Blocked: "sieve-quota"; "scripts-refused": the server says no each time, or takes no such text.
        """
        self._change("PUTSCRIPT", name.encode(), text)

    def activate(self, name: str) -> None:
        """Let a script act, and no other one; "" for none.

        Raises:
            Blocked: "scripts-refused".
            Rejected: "changed-at-target": there is none of this name.
        """
        self._change("SETACTIVE", name.encode())

    def delete(self, name: str) -> None:
        """Delete a script. Idempotent.

        Raises:
            Blocked: "scripts-refused".
            Rejected: "changed-at-target": it acts.
        """
        self._change("DELETESCRIPT", name.encode(), fine="NONEXISTENT")

    def rename(self, old: str, new: str) -> None:
        """Rename a script. Not idempotent: after Transient, list the scripts.

        Raises:
            Blocked: "scripts-refused".
            Rejected: "changed-at-target": there is none of this name, or one has the new name.
        """
        self._change("RENAMESCRIPT", old.encode(), new.encode())

    # -- commands

    def _largest(self) -> int | None:
        """Return a size of scripts that the server takes; None if it takes the largest of SIZES.

        No capability states it. The answer is on the safe side: the limit is less than twice as much.
        """
        for size in SIZES:
            answer = self._run("HAVESPACE", PROBED, size)
            if answer.ok or answer.code not in SIZE_CODES:
                return None if size == SIZES[0] else size
        return SIZES[-1]

    def _lists(self, name: str) -> bool:
        """Return True if there is a script of this name; not every server says NONEXISTENT."""
        return any(script.name == name for script in self.scripts())

    def _done(self, command: str, *arguments: bytes | int) -> Answer:
        return _require(self._run(command, *arguments))

    def _run(self, command: str, *arguments: bytes | int, changing: bool = False) -> Answer:
        wire = self._live()
        try:
            with Deadline(self._cut).waiting():
                return wire.run(command, *arguments, before_last=self.guard if changing else None)
        except Transient as error:
            raise self._closing(error) from None

    def _change(self, command: str, *arguments: bytes, fine: str = "OK") -> None:
        """Run a command that changes the account; try again for a while what is refused without a reason."""
        for pause in (*PAUSES, None):
            self._live()
            self.guard()
            answer = self._run(command, *arguments, changing=True)
            if answer.ok or answer.code == fine:
                return
            if answer.known:
                break
            if command == "PUTSCRIPT" and not (checked := self.accepts(arguments[-1])).ok:
                raise Blocked("scripts-refused", "it takes no such script").quoting(checked.said)
            if pause is not None:
                sleep(pause)
        raise _refusal(answer)

    # -- connecting

    def _live(self) -> Wire:
        """Return the connection; connect again when it is broken."""
        self._user = threading.get_ident()
        if self._wire is not None and not self._wire.broken and not self._closed:
            return self._wire
        self._discard()
        if self._closed:
            raise Transient("connection-closed", "closed from our side")
        if self._refused is not None:
            raise self._refused
        with Deadline(self._cut).waiting():
            self._wire = self._connect()
        return self._wire

    def _connect(self) -> Wire:
        """Return a new connection that is logged in."""
        wire = None
        try:
            with connecting(self.settings):
                wire = Wire(self._open())
                self._greet(wire)
                if self.settings.security == "starttls":
                    self._sockets.append(
                        wire.starttls(self.settings.tls.context("sieve"), self.settings.host)
                    )
            self._login(wire)
            wire.ask_capabilities()
        except BaseException as error:
            if wire is not None:
                wire.free()
            if isinstance(error, Transient):
                raise self._closing(error) from None
            raise
        return wire

    def _greet(self, wire: Wire) -> None:
        """Read the greeting. What speaks another protocol twice in a row is no passing fault."""
        try:
            wire.greet()
        except Transient as error:
            if error.code != NOT_MANAGESIEVE:
                raise
            if self._strange:
                raise Blocked(NOT_MANAGESIEVE, "see host and port of the section") from None
            self._strange = True
            raise
        self._strange = False

    def _open(self) -> socket.socket:
        settings = self.settings
        raw = socket.create_connection((settings.host, settings.port), settings.timeout_seconds)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(raw)
            if settings.security == "tls":
                raw = settings.tls.context("sieve").wrap_socket(raw, server_hostname=settings.host)
                self._sockets.append(raw)
        except BaseException:
            raw.close()
            raise
        if self._closed:
            cut(raw)
        return raw

    def _login(self, wire: Wire) -> None:
        """Log in by the configured method; remember refused logins."""
        settings, login = self.settings, self.account.login
        secret = settings.password.read(login=login, address=self.account.address).get_secret_value()
        stable_secret = "" if settings.auth == "xoauth2" else secret  # a token changes
        who = login_of(self.server, settings.auth, settings.username or "", login, stable_secret)
        LOGINS.refuse_doubtful(who)
        if settings.auth == "xoauth2":
            answer = wire.authenticate("XOAUTH2", xoauth2(login, secret))
        elif settings.auth == "plain-authzid":
            answer = wire.authenticate("PLAIN", plain(settings.username or "", secret, login))
        elif settings.auth == "master-user":
            master = f"{login}{settings.master_separator}{settings.username}"
            answer = wire.authenticate("PLAIN", plain(master, secret))
        else:
            answer = wire.authenticate("PLAIN", plain(login, secret))
        if answer.ok:
            LOGINS.accepted(who)
            return
        if answer.status == "BYE":
            raise (Transient("server-bye", "while logging in").about(answer.known).quoting(answer.said))
        if answer.code == "TRYLATER":
            raise (Transient("server-busy", "login refused for now").about(answer.code).quoting(answer.said))
        self._refused = LOGINS.refused(who, Blocked("login-refused").about(answer.known).quoting(answer.said))
        raise self._refused

    def _closing(self, error: Transient) -> Transient:
        return Transient("connection-closed", "closed from our side") if self._closed else error

    def _cut(self) -> None:
        for each in list(self._sockets):
            cut(each)

    def _discard(self) -> None:
        wire, self._wire = self._wire, None
        self._sockets.clear()
        if wire is not None:
            wire.free()


def whole(session: Session, change: Callable[[], None], done: Callable[[], bool]) -> None:
    """Make a change whose answer may get lost, and look whether it happened.

    Args:
        session: the session.
        change: changes the server.
        done: asks the server whether it is changed.

    Raises:
        Transient: the connection broke, and the change did not happen.
        Blocked: "scripts-refused": the server says it did it, and did not.
    """
    try:
        change()
    except Transient as error:
        if session._closed or not done():
            raise error from None
        return
    if not done():
        raise Blocked("scripts-refused", "it says yes, and keeps nothing")


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise Transient("protocol-error", "the name of a script is no UTF-8") from None


def _require(answer: Answer) -> Answer:
    if not answer.ok:
        raise _refusal(answer)
    return answer


def _refusal(answer: Answer) -> MigrationError:
    """Return the error of a refused command (RFC 5804, section 1.3)."""
    return _error_of(answer.code).about(answer.known).quoting(answer.said)


def _error_of(code: str) -> MigrationError:
    if code == "TRYLATER":
        return Transient("server-busy")
    if code.startswith("QUOTA"):
        return Blocked("sieve-quota", "raise the limit of the scripts, then retry")
    if code in ("NONEXISTENT", "ALREADYEXISTS", "ACTIVE"):
        return Rejected("changed-at-target", "somebody changed the scripts meanwhile")
    return Blocked("scripts-refused")
