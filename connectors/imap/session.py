"""Connect to IMAP servers, log in, open mailboxes and translate errors; shared by source and target."""

from __future__ import annotations

import imaplib
import socket
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import NoReturn

from imapclient.exceptions import CapabilityError, LoginError

from connectors.accepted_logins import LOGINS, login_of
from connectors.http.deadline import Deadline
from connectors.imap.product_dovecot import BY_NAME, PLAIN, Quirks
from connectors.imap.settings import ImapSettings
from connectors.imap.wire.asked_ahead import AskedAhead
from connectors.imap.wire.connecting_ahead import ConnectingAhead
from connectors.imap.wire.connection import (
    LITERAL_MOST,
    REPLY_MOST,
    ImapConnection,
    Parts,
    TaggedReply,
    cut,
    free,
    named_in,
    quoted,
    response_code,
    status_command,
    status_of,
    tokens,
)
from connectors.imap.wire.login import BUSY, Client, connecting, cut_off_error, log_in, login_error
from connectors.imap.wire.pipelining import PIPELINING, Use
from connectors.imap.wire.sasl import authenticate, plain, take_capabilities, xoauth2
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Rejected, Transient

__all__ = ["ImapSettings", "Selected", "Session", "error_of", "raise_for"]

HELD_MOST = 128 << 20
"""Bytes of answers to questions that were asked ahead; more only where batches are larger."""
LITERAL_MINUS = 4096
REFUSAL_SECONDS = 5.0
"""How long the answer to a login is waited for that nobody needs any more."""


@dataclass(slots=True)
class Selected:
    """Hold the state of the open mailbox, as SELECT or EXAMINE reported it.

    Attributes:
        name: its encoded name.
        readonly: True after EXAMINE.
        exists: the number of messages.
        uidvalidity: UIDVALIDITY; 0 when the server gave none.
        uidnext: UIDNEXT; 0 when the server gave none.
        modseq: HIGHESTMODSEQ; None when the server gave none.
        permanent: PERMANENTFLAGS; None when the server gave none.
        shifted: the number of EXPUNGE and VANISHED responses; sequence numbers moved that often.
    """

    name: bytes
    readonly: bool
    exists: int = 0
    uidvalidity: int = 0
    uidnext: int = 0
    modseq: int | None = None
    permanent: frozenset[str] | None = None
    shifted: int = 0

    def note(self, parts: Parts) -> None:
        """Update the state from an untagged response."""
        head = parts[0]
        name, value = response_code(parts)
        if name == "UIDVALIDITY":
            self.uidvalidity = int(value)
        elif name == "UIDNEXT":
            self.uidnext = int(value)
        elif name == "HIGHESTMODSEQ":
            self.modseq = int(value)
        elif name == "PERMANENTFLAGS":
            self.permanent = frozenset(value.strip("()").split())
        elif head.endswith(b" EXISTS"):
            self.exists = int(head[2:-7])
        elif head.endswith(b" EXPUNGE"):
            self.exists = max(0, self.exists - 1)
            self.shifted += 1
        elif head.startswith(b"* VANISHED ") and not head.startswith(b"* VANISHED (EARLIER)"):
            self.shifted += 1


@dataclass(slots=True)
class Session:
    """Hold a connection that is made when first needed and again after it broke, until close().

    Not thread-safe, except close(). Every command may raise Blocked("login-refused", "mailbox-missing",
    "tls-failed"), Transient and Misconfigured.

    Attributes:
        settings: the server's settings.
        account: the account to open.
        capabilities_: the capability names of the present connection.
        server_name: the name from ID; "" when the server gives none.
        selected: the open mailbox; None when none is open.
        qresync: True once QRESYNC is enabled on this connection.
        uncounted: the encoded names of the mailboxes that were opened and keep no modification sequences.
    """

    settings: ImapSettings
    account: Account
    capabilities_: frozenset[str] = frozenset()
    server_name: str = ""
    selected: Selected | None = None
    qresync: bool = False
    uncounted: set[bytes] = field(default_factory=set)
    _connection: ImapConnection | None = None
    _sockets: list[socket.socket] = field(default_factory=list)
    _closed: bool = False
    _user: int = 0
    _refused: Blocked | Transient | None = None
    _ahead: AskedAhead | None = None
    _coming: ConnectingAhead | None = None

    @property
    def connection(self) -> ImapConnection:
        """Return the connection, which carries no unread answers; connect again when it is broken."""
        connection = self._live()
        if self._ahead is not None:
            self._ahead.forget()
        return connection

    def _live(self) -> ImapConnection:
        """Return the connection as `connection` does, and keep the answers."""
        coming = self._coming
        if coming is None or not coming.is_this_thread:
            self._user = threading.get_ident()
            if coming is not None:
                self._wait_for(coming)
        if self._connection is not None and not self._connection.broken:
            return self._connection
        self._discard()
        self._connection = self._connect()
        return self._connection

    def _wait_for(self, coming: ConnectingAhead) -> None:
        """Wait for the thread that connects; it keeps the session as long as it goes on."""
        try:
            coming.wait()
        finally:
            if not coming.goes_on:
                self._coming = None

    def connect_ahead(self, questions: Callable[[], Iterable[bytes]]) -> None:
        """Begin to connect in another thread, unless this was begun; whoever needs the connection waits.

        Args:
            questions: returns the commands that will be the first ones, see `ask_ahead`; called in that
                thread once it is connected.
        """
        if self._connection is None and self._coming is None and not self._closed:

            def connect() -> None:
                try:
                    self._connection = self._connect()
                    self.ask_ahead(questions())
                finally:
                    if self._closed:
                        self._discard()

            self._coming = ConnectingAhead(connect)
            self._coming.start()

    def refused_ahead(self) -> Blocked | None:
        """Return the refusal of the login that `connect_ahead` met, unless it was raised."""
        error = None if self._coming is None else self._coming.error(REFUSAL_SECONDS)
        return error if isinstance(error, Blocked) and error.code == "login-refused" else None

    def ask_ahead(self, commands: Iterable[bytes], *, in_folder: bool = False) -> None:
        """Send commands whose answers `run` will be asked for soon; see connectors.imap.wire.asked_ahead.

        Nothing is sent to a server that takes one command at a time.

        Args:
            commands: commands that only read, without tag and line end.
            in_folder: True if they are about the open mailbox.

        Raises:
            Transient: the connection broke.
        """
        connection = self._live()
        if not PIPELINING.allows(self.server):
            return
        if self._ahead is None:
            most = max(HELD_MOST, 4 * self.settings.batch_bytes)  # a size is an estimate on some servers
            self._ahead = AskedAhead(connection, self.server, self._heard, most)
        self._ahead.ask(commands, in_folder=in_folder)

    def drop_answers(self) -> None:
        """Read and drop the answers that were asked ahead: they are old, or about a folder that is not open.

        Raises:
            Transient: the connection broke.
        """
        if self._ahead is not None:
            self._ahead.forget()

    @property
    def server(self) -> str:
        """Return "host:port"."""
        return f"{self.settings.host}:{self.settings.port}"

    @property
    def person(self) -> str | None:
        """Return the name of the person whose password opens the account; None if another secret does."""
        return self.account.login.lower() if self.settings.auth == "password" else None

    def _heard(self, parts: Parts) -> None:
        """Update the state of the open mailbox from an untagged response."""
        if self.selected is not None:
            self.selected.note(parts)

    @property
    def capabilities(self) -> frozenset[str]:
        """Return the upper-case capability names as announced after login."""
        self._live()
        return self.capabilities_

    def has(self, name: str) -> bool:
        """Return True if the server announces this capability (upper case)."""
        return name in self.capabilities

    def takes_literal(self, size: int) -> bool:
        """Return True if a literal of so many bytes may be sent without waiting for the server.

        Source:
            RFC 7888 (LITERAL+, LITERAL-).
        """
        return self.has("LITERAL+") or (self.has("LITERAL-") and size <= LITERAL_MINUS)

    @property
    def quirks(self) -> Quirks:
        """Return the facts about this server's product."""
        self._live()
        return BY_NAME.get(self.server_name, PLAIN)

    def close(self) -> None:
        """Close from any thread; the thread that uses the session then gets Transient."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()
        self._cut()
        if self._coming is not None and self._coming.goes_on:
            return  # its connection is cut, and freed by that thread
        if self._user in (0, threading.get_ident()):
            # another thread must not free the descriptors while the using thread has them: the number could
            # belong to another socket a moment later
            self._discard()

    def _discard(self) -> None:
        connection, self._connection = self._connection, None
        self._ahead = None
        self.selected = None
        self.qresync = False
        self._sockets.clear()
        if connection is not None:
            connection.dispose()

    # -- connecting

    def _connect(self) -> ImapConnection:
        """Connect and log in, unless the session is closed or its login was refused."""
        if self._closed:
            raise Transient("connection-closed", "closed from our side")
        if self._refused is not None:
            raise self._refused
        with Deadline(self._cut).waiting():
            return self._connect_and_log_in()

    def _cut(self) -> None:
        for each in list(self._sockets):
            cut(each)

    def _connect_and_log_in(self) -> ImapConnection:
        """Return a new connection that is logged in."""
        client = self._open_client()
        try:
            with connecting(self.settings):
                self._secure(client)
            take_capabilities(client._imap)  # those from before the login, or before TLS, prove nothing
            self._login(client)
            client._imap.logging_in = False
            connection = self._connection_of(client)
            self._greet(connection, client._imap.capabilities, take_capabilities(client._imap))
            if self._closed:
                raise Transient("connection-closed", "closed from our side")
        except BaseException:
            free(client._imap)
            raise
        return connection

    def _connection_of(self, client: Client) -> ImapConnection:
        """Return the connection with its bounds.

        RFC822.SIZE is an estimate on some servers: a body may be several times as large.
        """
        literal = max(LITERAL_MOST, 4 * self.settings.spool_above)
        return ImapConnection(client._imap, literal, max(REPLY_MOST, 4 * self.settings.batch_bytes))

    def _open_client(self) -> Client:
        with connecting(self.settings):
            return Client(self.settings, self._opened)

    def _opened(self, sock: socket.socket) -> None:
        """Note a new socket; cut it at once if the session was closed meanwhile."""
        self._sockets.append(sock)
        if self._closed:
            cut(sock)

    def _secure(self, client: Client) -> None:
        """Start TLS when the settings ask for STARTTLS."""
        if self.settings.security == "starttls":
            try:
                client.starttls(self.settings.tls.context("imap"))
            except CapabilityError:
                raise Blocked("tls-failed", "the server offers no STARTTLS") from None
            client._cached_capabilities = None  # those from before TLS prove nothing (RFC 9051, 6.2.1)
            self._sockets.append(client._imap.sock)

    def _login(self, client: Client) -> None:
        """Log in by the configured method; remember refused logins."""
        settings, login = self.settings, self.account.login
        secret = settings.password.read(login=login, address=self.account.address).get_secret_value()
        stable_secret = "" if settings.auth == "xoauth2" else secret  # a token changes
        who = login_of(self.server, settings.auth, settings.username or "", login, stable_secret)
        LOGINS.refuse_doubtful(who)
        try:
            if settings.auth == "xoauth2":
                authenticate(client, "XOAUTH2", xoauth2(login, secret))
            elif settings.auth == "plain-authzid":
                authenticate(client, "PLAIN", plain(settings.username or "", secret, login))
            elif settings.auth == "master-user":
                log_in(client, f"{login}{settings.master_separator}{settings.username}", secret)
            else:
                log_in(client, login, secret)
        except imaplib.IMAP4.abort:
            raise self._refusal(cut_off_error(client), who) from None
        except (LoginError, imaplib.IMAP4.error) as error:
            if isinstance(error.__context__, imaplib.IMAP4.abort):  # imapclient calls each a refusal
                raise self._refusal(cut_off_error(client), who) from None
            raise self._refusal(login_error(str(error)), who) from None
        except (OSError, EOFError, ValueError):
            raise Transient(
                "connection-closed" if self._closed else "connection-lost", "while logging in"
            ) from None
        LOGINS.accepted(who)

    def _refusal(self, error: MigrationError, who: bytes) -> MigrationError:
        """Remember a refused login, because repeating it would lock the account."""
        if self._closed and isinstance(error, Transient):
            return Transient("connection-closed", "closed from our side")
        if not isinstance(error, Blocked) or error.code != "login-refused":
            return error
        self._refused = LOGINS.refused(who, error)
        return self._refused

    def _greet(self, connection: ImapConnection, known: Collection[str], named: Collection[str]) -> None:
        """Ask for the capabilities, unless the login named them, and for the server's name.

        known: the capabilities from before the login; where ID is one, both are asked at once.
        named: the capabilities that the answer to the login named; () if it named none.
        """
        capabilities: list[str] = [*named]
        names: list[str] = []

        def note(parts: Parts) -> None:
            head = parts[0].decode("latin-1")
            if head.upper().startswith("* CAPABILITY "):
                capabilities.extend(head.upper().split()[2:])
            elif head.upper().startswith("* ID ("):
                fields = tokens(parts)[1]
                pairs = iter(fields if isinstance(fields, list) else [])
                names.extend(
                    str(v, "latin-1")
                    for k, v in zip(pairs, pairs, strict=False)
                    if k == b"name" and isinstance(v, bytes)
                )

        commands = [] if named else [b"CAPABILITY"]
        at_once = "ID" in (named or known) and (bool(named) or PIPELINING.allows(self.server))
        if at_once:
            commands.append(b"ID NIL")
        since = PIPELINING.clock()
        tags = [connection.queue(command) for command in commands]
        connection.flush()
        with PIPELINING.trying(self.server, Use.LOGIN, since) if len(tags) > 1 else nullcontext():
            for tag in tags:
                connection.finish(tag, note)
        if "ID" in capabilities and not at_once:
            connection.run(b"ID NIL", note)
        self.capabilities_ = frozenset(capabilities)
        self.server_name = names[0] if names else ""

    # -- commands

    def is_asked(self, command: bytes) -> bool:
        """Return True if a command was asked ahead, and its answer was not taken yet."""
        self._live()
        return self._ahead is not None and self._ahead.has(command)

    def run(self, command: bytes, sink: Callable[[Parts], None] | None = None) -> TaggedReply:
        """Run a command and return its tagged reply; untagged responses also update `selected`.

        A command that was asked ahead is not sent again.

        Args:
            command: the command without tag and line end.
            sink: receives every untagged response; None drops them.

        Raises:
            Transient: the connection broke. The command may have taken effect.
        """
        connection = self._live()

        def note(parts: Parts) -> None:
            self._heard(parts)
            if sink is not None:
                sink(parts)

        reply = self._ahead.answer(command, sink or _drop) if self._ahead is not None else None
        return connection.run(command, note) if reply is None else reply

    def done(self, command: bytes, sink: Callable[[Parts], None] | None = None) -> None:
        """Run a command that must succeed.

        Args:
            command: the command without tag and line end.
            sink: receives every untagged response; None drops them.

        Raises:
            Blocked, Rejected, Transient: the server refused; see `error_of`.
        """
        reply = self.run(command, sink)
        if not reply.ok:
            raise_for(reply)

    def select(
        self, name: bytes, *, readonly: bool, fresh: bool = False, then: Sequence[bytes] = ()
    ) -> Selected:
        """Open a mailbox unless it is open already, and return its state.

        Args:
            name: its encoded name.
            readonly: True for EXAMINE.
            fresh: True to open it again in any case.
            then: commands that only read it and will be next: see `ask_ahead`.

        Raises:
            Blocked: "container-missing" and the other errors of `error_of`.
        """
        current = self.selected
        if current is not None and current.name == name and current.readonly == readonly and not fresh:
            return current
        connection = self._settled()
        self.selected = None
        opening = Selected(name, readonly)
        tag = connection.queue(self.opening(name, readonly=readonly))
        self.ask_ahead(then, in_folder=True)
        connection.flush()
        with self._ahead.watched() if then and self._ahead is not None else nullcontext():
            reply = connection.finish(tag, opening.note)
        if not reply.ok:
            self.drop_answers()
            raise_for(reply)
        self.note_opened(opening)
        self.selected = opening
        return opening

    def opening(self, name: bytes, *, readonly: bool) -> bytes:
        """Return the command that opens a mailbox (its encoded name)."""
        verb = b"EXAMINE " if readonly else b"SELECT "
        return verb + quoted(name) + (b" (CONDSTORE)" if "CONDSTORE" in self.capabilities_ else b"")

    def note_opened(self, opened: Selected) -> None:
        """Remember a mailbox that keeps no modification sequences."""
        if not opened.modseq:
            self.uncounted.add(opened.name)

    def _settled(self) -> ImapConnection:
        """Return the connection once all answers are read.

        To open a folder changes nothing of what was asked about the account.
        """
        connection = self._live()
        if self._ahead is not None:
            self._ahead.settle()
        return connection

    def look(self, name: bytes, sink: Callable[[Parts], None]) -> None:
        """Open a mailbox again for reading.

        Args:
            name: its encoded name.
            sink: receives every untagged response.

        Raises:
            Blocked: "container-missing" and the other errors of `error_of`.
        """
        self.connection  # noqa: B018 - connecting resets `selected`
        self.selected = None
        self.done(b"EXAMINE " + quoted(name), sink)

    def status(self, name: bytes, *items: str) -> dict[str, str]:
        """Return STATUS items of a mailbox (its encoded name), by upper-case name.

        Raises:
            Blocked: "container-missing".
        """
        found: dict[bytes, dict[str, str]] = {}

        def note(parts: Parts) -> None:
            if status := status_of(parts):
                found.setdefault(named_in(parts), {}).update(status)

        self.done(status_command(name, *items), note)
        if len(found) == 1:
            return found.popitem()[1]
        return found.get(b"INBOX" if name.upper() == b"INBOX" else name, {})


def _drop(_parts: Parts) -> None:
    """Ignore an untagged response."""


def error_of(reply: TaggedReply) -> MigrationError:
    """Return the error of a refused command that concerns the account, the folder or the server.

    Blocked codes: over-quota, container-missing, no-permission. Transient: server-busy. Rejected:
    refused-by-server.

    Source:
        RFC 5530, section 3.
    """
    return _error_of(reply.reason).about(reply.known).quoting(reply.said)


def _error_of(reason: str) -> MigrationError:
    if reason in BUSY:
        return Transient("server-busy")
    if reason == "OVERQUOTA":
        return Blocked("over-quota", "raise the quota, then resume")
    if reason in ("NONEXISTENT", "TRYCREATE"):
        return Blocked("container-missing", "a folder we wrote to is gone")
    if reason in ("NOPERM", "AUTHORIZATIONFAILED", "EXPIRED"):
        return Blocked("no-permission")
    return Rejected("refused-by-server")


def raise_for(reply: TaggedReply) -> NoReturn:
    """Raise `error_of` this reply."""
    raise error_of(reply)
