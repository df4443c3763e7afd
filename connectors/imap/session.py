"""IMAP, shared by source and target: settings, connecting, logging in, folders, error translation."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from imapclient import IMAPClient
from imapclient.exceptions import CapabilityError, LoginError

from connectors.accepted_logins import LOGINS, login_of
from connectors.http.deadline import Deadline
from connectors.imap.connection import (
    LINE_MOST,
    LITERAL_MOST,
    READ_BUFFER,
    REPLY_MOST,
    RESPONSE_CODES,
    ImapConnection,
    Parts,
    TaggedReply,
    cut,
    free,
    quoted,
    response_code,
    status_of,
    tokens,
)
from connectors.imap.product_dovecot import BY_NAME, PLAIN, Quirks
from connectors.imap.settings import ImapSettings
from connectors.local_cause import local_cause, local_word
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.server_words import NOTHING, ServerWords

__all__ = ["ImapSettings", "Selected", "Session", "error_of", "raise_for"]

LOGIN_MOST = 1 << 20
REFUSING = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED"})
"""Response codes that say of a login that it is wrong (RFC 5530)."""
_REPR = re.compile(r"\Ab(['\"])(.*)\1\Z", re.DOTALL)
BUSY = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN", "TIMEOUT"})


class _Connection(imaplib.IMAP4):
    """imaplib's connection with TCP_NODELAY from the first byte and a read buffer of our size."""

    def __init__(self, settings: ImapSettings, opened: Callable[[socket.socket], None]) -> None:
        self._settings = settings
        self._opened = opened
        self.logging_in = True
        self._taken = 0
        super().__init__(settings.host, settings.port)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:  # noqa: ARG002 - imaplib's signature
        settings = self._settings
        raw = socket.create_connection((settings.host, settings.port), settings.timeout_seconds)
        try:
            # Nagle's algorithm holds an APPEND's last segment back: 69 -> 17 messages a second at 5 ms
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._opened(raw)
            if settings.security != "tls":
                return raw
            secured = settings.tls.context("imap").wrap_socket(raw, server_hostname=settings.host)
        except BaseException:
            raw.close()
            raise
        self._opened(secured)
        return secured

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        super().open(host, port, timeout)
        self._buffer()

    def _buffer(self) -> None:
        """A reader of our own: imaplib's has 8 KiB. What an old one held is dropped."""
        self._buffered = self.sock
        self._reader = self.sock.makefile("rb", READ_BUFFER)

    def read(self, size: int) -> bytes:
        self._take(size)
        data: bytes = self._reader.read(size)
        return data

    def readline(self) -> bytes:
        if self.sock is not self._buffered:
            self._buffer()  # STARTTLS replaced the socket
        line: bytes = self._reader.readline(LINE_MOST + 1)
        self._take(len(line))
        return line

    def _take(self, size: int) -> None:
        """imaplib keeps whatever comes while it logs in."""
        if self.logging_in:
            self._taken += size
            if self._taken > LOGIN_MOST:
                raise self.abort("too much before the login")

    def shutdown(self) -> None:
        self._reader.close()
        super().shutdown()


class _Client(IMAPClient):  # type: ignore[misc]
    def __init__(self, settings: ImapSettings, opened: Callable[[socket.socket], None]) -> None:
        self._settings = settings
        self._opened = opened
        super().__init__(settings.host, settings.port, ssl=False, timeout=settings.timeout_seconds)
        # level 5 writes every command to the log: addresses, folders, subjects
        self._imap.debug = 0

    def _create_IMAP4(self) -> _Connection:  # noqa: N802
        return _Connection(self._settings, self._opened)


@dataclass(slots=True)
class Selected:
    """The mailbox that is open, as SELECT or EXAMINE told it."""

    name: bytes
    readonly: bool
    exists: int = 0
    uidvalidity: int = 0
    uidnext: int = 0
    modseq: int | None = None
    permanent: frozenset[str] | None = None
    shifted: int = 0
    """EXPUNGE and VANISHED responses seen: sequence numbers moved that often."""

    def note(self, parts: Parts) -> None:
        """Takes an untagged response into account."""
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
    """A connection made when first needed and again after it broke, until close().

    Not thread-safe, except close(). Raises Blocked("login-refused", "mailbox-missing", "tls-failed"),
    Transient and Misconfigured.
    """

    settings: ImapSettings
    account: Account
    capabilities_: frozenset[str] = frozenset()
    server_name: str = ""
    selected: Selected | None = None
    qresync: bool = False
    _connection: ImapConnection | None = None
    _sockets: list[socket.socket] = field(default_factory=list)
    _closed: bool = False
    _user: int = 0
    _refused: Blocked | Transient | None = None

    @property
    def connection(self) -> ImapConnection:
        """The connection, made anew when there is none that works."""
        self._user = threading.get_ident()
        if self._connection is not None and not self._connection.broken:
            return self._connection
        self._discard()
        self._connection = self._connect()
        return self._connection

    @property
    def capabilities(self) -> frozenset[str]:
        """Upper-case capability names, as announced after login."""
        self.connection  # noqa: B018 - connects
        return self.capabilities_

    def has(self, name: str) -> bool:
        return name in self.capabilities

    @property
    def quirks(self) -> Quirks:
        self.connection  # noqa: B018 - connects
        return BY_NAME.get(self.server_name, PLAIN)

    def close(self) -> None:
        """From any thread: unblocks the thread that uses the session, which then gets Transient."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()
        self._cut()
        if self._user == threading.get_ident():
            # from another thread the descriptors stay until the using thread lets go of them: a
            # number freed under its feet could be somebody else's socket a moment later
            self._discard()

    def _discard(self) -> None:
        connection, self._connection = self._connection, None
        self.selected = None
        self.qresync = False
        self._sockets.clear()
        if connection is not None:
            connection.dispose()

    # -- connecting

    def _connect(self) -> ImapConnection:
        if self._closed:
            raise Transient("connection-closed", "closed from our side")
        if self._refused is not None:
            raise self._refused
        with Deadline(self._cut).waiting():
            return self._greeted()

    def _cut(self) -> None:
        for each in list(self._sockets):
            cut(each)

    def _greeted(self) -> ImapConnection:
        """A connection that is logged in."""
        client = self._opened()
        try:
            with _connecting(self.settings):
                self._secure(client)
            self._login(client)
            client._imap.logging_in = False
            connection = self._wired(client)
            self._greet(connection)
            if self._closed:
                raise Transient("connection-closed", "closed from our side")
        except BaseException:
            free(client._imap)
            raise
        return connection

    def _wired(self, client: _Client) -> ImapConnection:
        """RFC822.SIZE is an estimate on some servers: what was asked for may be some times as large."""
        literal = max(LITERAL_MOST, 4 * self.settings.spool_above)
        return ImapConnection(client._imap, literal, max(REPLY_MOST, 4 * self.settings.batch_bytes))

    def _opened(self) -> _Client:
        with _connecting(self.settings):
            return _Client(self.settings, self._sockets.append)

    def _secure(self, client: _Client) -> None:
        if self.settings.security == "starttls":
            try:
                client.starttls(self.settings.tls.context("imap"))
            except CapabilityError:
                raise Blocked("tls-failed", "the server offers no STARTTLS") from None
            client._cached_capabilities = None  # those from before TLS prove nothing (RFC 9051, 6.2.1)
            self._sockets.append(client._imap.sock)

    def _login(self, client: _Client) -> None:
        settings, login = self.settings, self.account.login
        secret = settings.password.read(login=login, address=self.account.address).get_secret_value()
        server, known = f"{settings.host}:{settings.port}", "" if settings.auth == "xoauth2" else secret
        who = login_of(server, settings.auth, settings.username or "", login, known)  # a token changes
        LOGINS.refuse_doubtful(who)
        try:
            if settings.auth == "xoauth2":
                client.oauth2_login(login, secret)
            elif settings.auth == "plain-authzid":
                client.plain_login(settings.username, secret, login)
            elif settings.auth == "master-user":
                _authenticate(client, f"{login}{settings.master_separator}{settings.username}", secret)
            else:
                _authenticate(client, login, secret)
        except imaplib.IMAP4.abort:
            raise self._refusal(_cut_off(client), who) from None
        except (LoginError, imaplib.IMAP4.error) as error:
            if isinstance(error.__context__, imaplib.IMAP4.abort):  # imapclient calls each a refusal
                raise self._refusal(_cut_off(client), who) from None
            raise self._refusal(_login_error(str(error)), who) from None
        except (OSError, EOFError, ValueError):
            raise Transient(
                "connection-closed" if self._closed else "connection-lost", "while logging in"
            ) from None
        LOGINS.accepted(who)

    def _refusal(self, error: MigrationError, who: bytes) -> MigrationError:
        """A refused login is not repeated by this session: repeated, it locks the account."""
        if not isinstance(error, Blocked) or error.code != "login-refused":
            return error
        self._refused = LOGINS.refused(who, error)
        return self._refused

    def _greet(self, connection: ImapConnection) -> None:
        found: list[str] = []
        named: list[str] = []

        def note(parts: Parts) -> None:
            head = parts[0].decode("latin-1")
            if head.upper().startswith("* CAPABILITY "):
                found.extend(head.upper().split()[2:])
            elif head.upper().startswith("* ID ("):
                fields = tokens(parts)[1]
                pairs = iter(fields if isinstance(fields, list) else [])
                named.extend(
                    str(v, "latin-1")
                    for k, v in zip(pairs, pairs, strict=False)
                    if k == b"name" and isinstance(v, bytes)
                )

        connection.run(b"CAPABILITY", note)
        if "ID" in found:
            connection.run(b"ID NIL", note)
        self.capabilities_ = frozenset(found)
        self.server_name = named[0] if named else ""

    # -- commands

    def run(self, command: bytes, sink: Callable[[Parts], None] | None = None) -> TaggedReply:
        """Runs a command; untagged responses also keep `selected` up to date."""
        connection = self.connection
        selected = self.selected

        def note(parts: Parts) -> None:
            if selected is not None:
                selected.note(parts)
            if sink is not None:
                sink(parts)

        return connection.run(command, note)

    def done(self, command: bytes, sink: Callable[[Parts], None] | None = None) -> None:
        """Runs a command that must succeed."""
        reply = self.run(command, sink)
        if not reply.ok:
            raise_for(reply)

    def select(self, name: bytes, *, readonly: bool, fresh: bool = False) -> Selected:
        """Opens a mailbox (its encoded name) unless it is open already; fresh: anew in any case."""
        now = self.selected
        if now is not None and now.name == name and now.readonly == readonly and not fresh:
            return now
        verb = b"EXAMINE " if readonly else b"SELECT "
        self.connection  # noqa: B018 - connecting resets `selected`
        self.selected = None
        opening = Selected(name, readonly)
        condstore = b" (CONDSTORE)" if "CONDSTORE" in self.capabilities_ else b""
        reply = self.connection.run(verb + quoted(name) + condstore, opening.note)
        if not reply.ok:
            raise_for(reply)
        self.selected = opening
        return opening

    def look(self, name: bytes, sink: Callable[[Parts], None]) -> None:
        """Opens a mailbox (its encoded name) anew, for reading; what the server tells of it goes to sink."""
        self.connection  # noqa: B018 - connecting resets `selected`
        self.selected = None
        self.done(b"EXAMINE " + quoted(name), sink)

    def status(self, name: bytes, *items: str) -> dict[str, str]:
        """STATUS of a mailbox (its encoded name). Raises Blocked("container-missing")."""
        found: dict[str, str] = {}

        def note(parts: Parts) -> None:
            found.update(status_of(parts))

        self.done(b"STATUS " + quoted(name) + b" (" + " ".join(items).encode() + b")", note)
        return found


def _authenticate(client: _Client, login: str, password: str) -> None:
    if client.has_capability("AUTH=PLAIN"):
        client.plain_login(login, password)
    else:
        client.login(login, password)


class _connecting:  # noqa: N801 - used like a function
    """Translates what may go wrong while connecting."""

    def __init__(self, settings: ImapSettings) -> None:
        self._settings = settings

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        errors = [error] if error is not None else []
        local = local_cause(errors, self._settings.host, self._settings.port)
        word = local_word(errors)
        if isinstance(error, ssl.SSLError):
            failed = Blocked("tls-failed", "certificate or protocol not accepted")
            raise failed.found(local).about(word) from None
        if isinstance(error, TimeoutError):
            raise Transient("timeout", "while connecting").found(local).about(word) from None
        if isinstance(error, imaplib.IMAP4.error) and (farewell := _farewell(str(error))) is not None:
            raise farewell.found(local) from None
        if isinstance(error, (OSError, EOFError, imaplib.IMAP4.error)):
            raise Transient("server-unreachable").found(local).about(word).said(_said(error)) from None
        if isinstance(error, (ValueError, LookupError)):
            raise Transient("protocol-error", "the server's greeting makes no sense") from None


def _said(error: BaseException) -> ServerWords:
    """What the server said, where imaplib raised it instead of a greeting."""
    return _words_of(str(error)) if isinstance(error, imaplib.IMAP4.error) else NOTHING


def _words_of(text: str) -> ServerWords:
    """What the server said, as imaplib tells it: the repr of bytes, or text."""
    return ServerWords(_REPR.sub(r"\2", text))


def _cut_off(client: _Client) -> MigrationError:
    """The error for a connection that ended during the login. What a BYE calls a refused login is one: the
    same password, sent again and again, locks the account."""
    bye = client._imap.untagged_responses.get("BYE")
    if bye:
        text = str(bye[-1])
        if (code := _bracketed(text)) in REFUSING:
            return _refused_login(code).said(_words_of(text))
        return Transient("server-bye", "while logging in").about(_bracketed(text)).said(_words_of(text))
    return Transient("connection-lost", "while logging in")


def _farewell(greeting: str) -> Transient | None:
    """The error for a greeting of BYE, as imaplib raises it; None where it is another."""
    if not greeting.removeprefix("b'").startswith("* BYE"):
        return None
    error = Transient("server-bye", "instead of a greeting").about(_bracketed(greeting))
    return error.said(_words_of(greeting))


def _bracketed(text: str) -> str:
    """The first response code of RESPONSE_CODES in a text; "" where there is none."""
    return next((code for code in re.findall(r"\[([A-Z]+)[ \]]", text.upper()) if code in RESPONSE_CODES), "")


def _login_error(text: str) -> MigrationError:
    """Only bracketed codes of a server's refusal are looked at (RFC 5530)."""
    return _refused_login(_bracketed(text)).said(_words_of(text))


def _refused_login(code: str) -> MigrationError:
    if code in BUSY:
        return Transient("server-busy", "login refused for now").about(code)
    if code == "AUTHORIZATIONFAILED":
        return Blocked("mailbox-missing", "no such account, or the master user may not open it").about(code)
    return Blocked("login-refused").about(code)


def error_of(reply: TaggedReply) -> MigrationError:
    """The error of a refused command that is about the account, the folder or the server."""
    return _error_of(reply.reason).about(reply.known).said(reply.said)


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
    raise error_of(reply)
