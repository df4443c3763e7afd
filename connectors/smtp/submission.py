"""Hand mails to a server, one after another, and say of each whether it was taken.

A mail is taken when the server confirms its end. If the connection breaks between its last byte and the
answer, nobody knows; such a mail is never handed over again by itself.

Source:
    RFC 5321 (SMTP), section 4.2.1 (replies) and 4.5.3.1.5 (their lines); RFC 6409 (submission); RFC 3207
    (STARTTLS)
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import suppress
from enum import StrEnum
from io import BufferedReader
from types import TracebackType
from typing import Any, Final, Self

from connectors.local_cause import local_cause, local_word
from connectors.smtp.settings import SmtpSettings
from model.errors import Blocked, MigrationError, Misconfigured, Transient

GREETING: Final = 220
REPLY_MOST: Final = 65_536
"""Bytes of one reply: a server may continue it for ever."""


class Delivery(StrEnum):
    """Name what became of a mail.

    sent     the server took it                 refused  for good: it will not take it
    deferred not now: another try may succeed   unsure   the connection broke before the answer
    """

    SENT = "sent"
    REFUSED = "refused"
    DEFERRED = "deferred"
    UNSURE = "unsure"


class _TooMuch(Exception):
    """Say that a reply has no end."""


FAULTS: Final = (OSError, _TooMuch)
"""What a connection may end with; smtplib's own errors are OSErrors, and it takes any other for a break."""


class _Replies:
    """Read lines, and no more than REPLY_MOST bytes of one reply."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self.taken = 0

    def readline(self, size: int = -1) -> bytes:
        line = self._file.readline(size)
        self.taken += len(line)
        if self.taken > REPLY_MOST:
            raise _TooMuch
        return line

    def close(self) -> None:
        self._file.close()


class _Client(smtplib.SMTP):
    """Extend smtplib: TLS from the first byte where it is asked for, and replies with an end."""

    file: Any

    def __init__(self, settings: SmtpSettings) -> None:
        """Take the settings; connect() follows."""
        self._settings = settings
        super().__init__(timeout=settings.timeout_seconds)
        self._host = settings.host  # starttls() asks the certificate for it

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        if self._settings.security != "tls":
            return plain
        try:
            return self._settings.tls.context("smtp").wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply; see smtplib."""
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock.makefile("rb"))
        if self.file is not None:
            self.file.taken = 0
        return super().getreply()


class Submission:
    """Hold a connection that is made when first needed, and again after it broke. Not thread-safe.

    Use it in a `with` block.
    """

    def __init__(self, settings: SmtpSettings) -> None:
        """Take the settings; nothing is connected yet."""
        self._settings = settings
        self._client: _Client | None = None

    def open(self) -> None:
        """Connect, begin TLS and log in, if there is no connection yet.

        Raises:
            Blocked: "login-refused", "tls-failed".
            Transient: "unreachable", "timeout", "connection-lost", "protocol-error", "server-busy".
            Misconfigured: the password or the authorities cannot be read.
        """
        self._live()

    def send(self, sender: str, recipient: str, message: bytes) -> Delivery:
        """Hand over one mail.

        Args:
            sender: the envelope's, an address.
            recipient: the one address that it goes to.
            message: as it is sent, with CRLF at the ends of lines.

        Returns:
            What became of it.

        Raises:
            Misconfigured: the server does not take mail of this sender.
            MigrationError: there is no connection, as open() says. The mail was not sent.
        """
        client = self._live()
        try:
            begun = self._begun(client, sender, recipient)
        except FAULTS as error:
            self.close()
            raise self._fault(error) from None
        if begun is not None:
            return begun
        return self._handed_over(client, message)

    def _live(self) -> _Client:
        if self._client is None:
            self._client = self._connected()
        return self._client

    def _begun(self, client: _Client, sender: str, recipient: str) -> Delivery | None:
        """Name sender and recipient. Return what became of the mail if the server takes either not."""
        options = []
        if not (sender + recipient).isascii():
            if not client.has_extn("smtputf8"):
                return Delivery.REFUSED
            options = ["SMTPUTF8", "BODY=8BITMIME"]
        code, _ = client.mail(sender, options)
        if 500 <= code < 600:
            self._forget(client)
            raise Misconfigured(
                "notify.sender", f"the mail server takes no mail of this sender (reply {code})"
            )
        if code < 400:
            code, _ = client.rcpt(recipient)
        if code < 400:
            return None
        self._forget(client)
        return _of(code)

    def _handed_over(self, client: _Client, message: bytes) -> Delivery:
        try:
            code, _ = client.data(message)
        except smtplib.SMTPDataError as error:  # it did not ask for the mail: nothing was sent
            self._forget(client)
            return _of(error.smtp_code)
        except FAULTS:
            self.close()
            return Delivery.UNSURE
        if code >= 400:
            self._forget(client)
        return Delivery.SENT if 200 <= code < 300 else _of(code)

    def _forget(self, client: _Client) -> None:
        """Take back what was named of a mail that the server did not take."""
        try:
            if client.rset()[0] != 250:
                self.close()
        except FAULTS:
            self.close()

    def _connected(self) -> _Client:
        settings = self._settings
        client = _Client(settings)
        try:
            code, greeting = client.connect(settings.host, settings.port)
            if code != GREETING:
                raise smtplib.SMTPConnectError(code, greeting)
            client.ehlo_or_helo_if_needed()
            if settings.security == "starttls":
                if not client.has_extn("starttls"):
                    raise Blocked("tls-failed", "the mail server offers no STARTTLS")
                client.starttls(context=settings.tls.context("smtp"))
                client.ehlo_or_helo_if_needed()
            if settings.username is not None and settings.password is not None:
                secret = settings.password.read(settings.username)
                client.login(settings.username, secret.get_secret_value())
        except FAULTS as error:
            client.close()
            raise self._fault(error) from None
        except MigrationError:
            client.close()
            raise
        return client

    def _fault(self, error: Exception) -> MigrationError:
        """Return the error for what smtplib or the system raised; nothing that the server said is in it."""
        host, port = self._settings.host, self._settings.port
        local, word = local_cause([error], host, port), local_word([error])
        found: MigrationError
        match error:
            case smtplib.SMTPAuthenticationError(smtp_code=code) if code < 500:
                found = Transient("server-busy", "login refused for now")
            case smtplib.SMTPAuthenticationError():
                found = Blocked("login-refused")
            case smtplib.SMTPNotSupportedError():
                found = Blocked("login-refused", "the mail server takes no login")
            case smtplib.SMTPServerDisconnected():
                found = Transient("connection-lost", "the mail server ended the connection")
            case smtplib.SMTPResponseException(smtp_code=code) if 400 <= code < 500:
                found = Transient("server-busy", "the mail server takes nothing for now")
            case smtplib.SMTPException() | _TooMuch():
                found = Transient("protocol-error", "that is no mail server, or it refuses everything")
            case ssl.SSLError():
                found = Blocked("tls-failed")
            case TimeoutError():
                found = Transient("timeout", "the mail server does not answer")
            case _:
                found = Transient("unreachable", "no connection to the mail server")
        return found.with_local_cause(local).about(word)

    def close(self) -> None:
        """End the connection, if there is one."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(*FAULTS):
                client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        client = self._client
        if client is not None and kind is None:
            with suppress(*FAULTS):
                client.quit()
        self.close()


def _of(code: int) -> Delivery:
    """Return what a reply that is no success means: 4xx may succeed later (RFC 5321, section 4.2.1)."""
    return Delivery.DEFERRED if 400 <= code < 500 else Delivery.REFUSED
