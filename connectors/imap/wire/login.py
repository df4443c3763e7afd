"""Open a connection to an IMAP server and log in with imapclient; tell what a refusal means."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Callable

from imapclient import IMAPClient

from connectors.imap.settings import ImapSettings
from connectors.imap.wire.connection import LINE_MOST, READ_BUFFER, RESPONSE_CODES
from connectors.imap.wire.sasl import authenticate, plain, take_capabilities
from connectors.local_cause import local_cause, local_word
from connectors.server_settings import ServerSettings
from model.errors import Blocked, MigrationError, Transient
from model.server_words import NOTHING, ServerWords

LOGIN_MOST = 1 << 20
REFUSING = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED"})
"""Response codes that mean that a login is wrong. Source: RFC 5530, section 3."""
BUSY = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN", "TIMEOUT"})
_REPR = re.compile(r"\Ab(['\"])(.*)\1\Z", re.DOTALL)


class _Connection(imaplib.IMAP4):
    """Extend imaplib's connection: TCP_NODELAY from the first byte and a larger read buffer."""

    def __init__(self, settings: ImapSettings, opened: Callable[[socket.socket], None]) -> None:
        self._settings = settings
        self._opened = opened
        self.logging_in = True
        self._taken = 0
        super().__init__(settings.host, settings.port)
        del self._opened  # it belongs to the session, which must not live as long as the socket

    def _create_socket(self, timeout: float | None = None) -> socket.socket:  # noqa: ARG002 - imaplib's signature
        """Open the socket, with TLS when the settings ask for it, and report it to `opened`."""
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

    def _get_capabilities(self) -> None:
        """Take the capabilities that the greeting names; ask where it names none, and again within TLS."""
        named = take_capabilities(self)
        if named and not self._tls_established:
            self.capabilities = named
        else:
            super()._get_capabilities()  # type: ignore[misc]

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        """Connect; see imaplib."""
        super().open(host, port, timeout)
        self._buffer()

    def _buffer(self) -> None:
        """Create a reader with READ_BUFFER bytes; imaplib's has 8 KiB. Buffered bytes are dropped."""
        self._buffered = self.sock
        self._reader = self.sock.makefile("rb", READ_BUFFER)

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes, or fewer at the end of the input."""
        self._count_login_bytes(size)
        data: bytes = self._reader.read(size)
        return data

    def readline(self) -> bytes:
        """Read one line of at most LINE_MOST bytes."""
        if self.sock is not self._buffered:
            self._buffer()  # STARTTLS replaced the socket
        line: bytes = self._reader.readline(LINE_MOST + 1)
        self._count_login_bytes(len(line))
        return line

    def _count_login_bytes(self, size: int) -> None:
        """Bound the input during the login, because imaplib keeps all of it."""
        if self.logging_in:
            self._taken += size
            if self._taken > LOGIN_MOST:
                raise self.abort("too much before the login")

    def shutdown(self) -> None:
        """Close the reader and the socket."""
        self._reader.close()
        super().shutdown()


class Client(IMAPClient):  # type: ignore[misc]
    """Extend imapclient: our connection class, and no debug output."""

    def __init__(self, settings: ImapSettings, opened: Callable[[socket.socket], None]) -> None:
        self._settings = settings
        self._opened = opened
        super().__init__(settings.host, settings.port, ssl=False, timeout=settings.timeout_seconds)
        # level 5 writes every command to the log: addresses, folders, subjects
        self._imap.debug = 0

    def _create_IMAP4(self) -> _Connection:  # noqa: N802
        return _Connection(self._settings, self._opened)


def log_in(client: Client, login: str, password: str) -> None:
    """Log in with AUTHENTICATE PLAIN where the server has it, else with LOGIN.

    imaplib quotes the password of LOGIN alone; a backslash, a blank or a parenthesis of the login would end
    it, and a line end would begin another command.

    Raises:
        Blocked: `login-refused` for a login with a character that cannot be seen; it is not sent.
    """
    if not login.isprintable():
        raise Blocked("login-refused", "the login holds a character that cannot be seen")
    if "AUTH=PLAIN" in client._imap.capabilities:
        authenticate(client, "PLAIN", plain(login, password))
    else:
        client.login(client._imap._quote(login), password)


class connecting:  # noqa: N801 - used like a function
    """Translate errors that occur while connecting."""

    def __init__(self, settings: ServerSettings) -> None:
        self._endpoint = settings.endpoint

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        errors = [error] if error is not None else []
        local = local_cause(errors, self._endpoint.host, self._endpoint.port)
        word = local_word(errors)
        if isinstance(error, ssl.SSLError):
            failed = Blocked("tls-failed", "certificate or protocol not accepted")
            raise failed.with_local_cause(local).about(word) from None
        if isinstance(error, TimeoutError):
            raise Transient("timeout", "while connecting").with_local_cause(local).about(word) from None
        if isinstance(error, imaplib.IMAP4.error) and (farewell := _bye_error(str(error))) is not None:
            raise farewell.with_local_cause(local) from None
        if isinstance(error, (OSError, EOFError, imaplib.IMAP4.error)):
            raise (
                Transient("server-unreachable")
                .with_local_cause(local)
                .about(word)
                .quoting(_greeting_words(error))
            ) from None
        if isinstance(error, (ValueError, LookupError)):
            raise Transient("protocol-error", "the server's greeting makes no sense") from None


def _greeting_words(error: BaseException) -> ServerWords:
    """Return the server's text, where imaplib raised it instead of a greeting."""
    return _words_of(str(error)) if isinstance(error, imaplib.IMAP4.error) else NOTHING


def _words_of(text: str) -> ServerWords:
    """Return the server's text from imaplib's error: the repr of bytes, or text."""
    return ServerWords(_REPR.sub(r"\2", text))


def cut_off_error(client: Client) -> MigrationError:
    """Return the error for a connection that ended during the login.

    A BYE that reports a refused login counts as one: sending the same password again and again locks the
    account.
    """
    bye = client._imap.untagged_responses.get("BYE")
    if bye:
        text = str(bye[-1])
        if (code := _bracketed(text)) in REFUSING:
            return _refused_login(code).quoting(_words_of(text))
        return Transient("server-bye", "while logging in").about(_bracketed(text)).quoting(_words_of(text))
    return Transient("connection-lost", "while logging in")


def _bye_error(greeting: str) -> Transient | None:
    """Return the error for a BYE in place of a greeting, as imaplib raises it; None for other errors."""
    if not greeting.removeprefix("b'").startswith("* BYE"):
        return None
    error = Transient("server-bye", "instead of a greeting").about(_bracketed(greeting))
    return error.quoting(_words_of(greeting))


def _bracketed(text: str) -> str:
    """Return the first response code of RESPONSE_CODES in a text, or ""."""
    return next((code for code in re.findall(r"\[([A-Z]+)[ \]]", text.upper()) if code in RESPONSE_CODES), "")


def login_error(text: str) -> MigrationError:
    """Return the error for a refused login; only bracketed codes are considered (RFC 5530)."""
    return _refused_login(_bracketed(text)).quoting(_words_of(text))


def _refused_login(code: str) -> MigrationError:
    if code in BUSY:
        return Transient("server-busy", "login refused for now").about(code)
    if code == "AUTHORIZATIONFAILED":
        return Blocked("mailbox-missing", "no such account, or the master user may not open it").about(code)
    return Blocked("login-refused").about(code)
