"""Talk SOAP over HTTP to one Exchange server for one mailbox, and wait when it asks to.

Retries concern this one mailbox: nothing is shared, so a busy mailbox delays no other. All requests only
read, so every request may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar
from xml.sax.saxutils import escape

import requests
import urllib3
from spnego.exceptions import SpnegoError

from connectors.accepted_logins import APPLICATION, LOGINS, PERSON
from connectors.ews.auth import CONNECT_SECONDS, EwsLogin, closed_error, handshake_error
from connectors.ews.errors import TOO_OLD, EwsRefusal, http_error, refusal_of, translated
from connectors.ews.requests import distinguished, get_folders
from connectors.ews.response_stream import EwsReply, ResponseMessage, not_soap
from connectors.ews.settings import EwsSettings
from connectors.http.base64_spool import BodySink
from connectors.http.deadline import Deadline
from connectors.http.errors import network_error
from connectors.http.sockets import Sockets
from connectors.retry import RetryPolicy, WrongServer
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Transient

T = TypeVar("T")
CHUNK = 1 << 17
SCHEMAS = ("Exchange2013_SP1", "Exchange2010_SP2")
PAUSES = {"source-closed": 0, "login-unconfirmed": 0, "not-soap": 2, "server-error": 4}
"""The most retries, by error code, for faults that rarely pass by waiting."""
_SENDING = (
    urllib3.exceptions.HTTPError,
    requests.RequestException,
    OSError,
    SpnegoError,
    ValueError,  # this and the next: a malformed NTLM challenge
    LookupError,
)


class EwsClient:
    """Send requests and read replies. close() may be called from any thread.

    Its attribute `mailbox` is the address of the mailbox, and `version` is what the server stated in its last
    header.
    """

    def __init__(self, settings: EwsSettings, account: Account, spool: Path) -> None:
        self._settings = settings
        self._spool = spool
        self._sockets = Sockets()
        self._login = EwsLogin(settings, account, self._sockets)
        self._refused: Blocked | Transient | None = None
        self._wrong_server = WrongServer("not-soap", "the URL does not lead to an Exchange web service")
        self._schema = SCHEMAS[0]
        self.mailbox = account.address or account.login
        self.version: dict[str, str] = {}

    @property
    def schema(self) -> str:
        """Return the schema version that requests name."""
        return self._schema

    def patience(self) -> RetryPolicy:
        """Return a new retry policy."""
        return RetryPolicy(self._settings.patience_seconds, self.wait, PAUSES)

    def wait(self, seconds: float) -> None:
        """Sleep; raise Transient("source-closed") as soon as the source is closed."""
        if self._sockets.closed.wait(seconds):
            raise closed_error()

    def sink(self, above: int | None = None) -> BodySink:
        """Return a new sink for one body: in memory up to `above` bytes, in a spool file beyond.

        Args:
            above: bytes; None: the configured limit.
        """
        return BodySink(self._spool, self._settings.spool_above if above is None else above)

    def close(self) -> None:
        """End every request; safe from any thread and more than once."""
        self._sockets.shut()
        self._login.close()

    def ask(self, body: str, answer: str) -> Generator[ResponseMessage]:
        """Send one request, once, and yield its response messages as they arrive, errors included.

        A server that is too old for the newest schema is asked again in the older one. Messages that were
        yielded before an error are complete.

        Args:
            body: the request's XML.
            answer: the local name of the ResponseMessage elements.

        Raises:
            EwsRefusal: a SOAP fault.
            Transient: busy, or the connection broke.
            Blocked: the login is refused.
        """
        try:
            yield from self._attempt(body, answer)
        except EwsRefusal as refusal:
            if refusal.code not in TOO_OLD or self._schema == SCHEMAS[-1]:
                raise
            self._schema = SCHEMAS[-1]
            yield from self._attempt(body, answer)

    def collect(
        self, body: str, answer: str, read: Callable[[ResponseMessage], T], *, strict: bool = True
    ) -> list[T]:
        """Send a request and return what `read` makes of every response message.

        Busy answers and cut connections are waited out.

        Args:
            body: the request's XML.
            answer: the local name of the ResponseMessage elements.
            read: converts one response message.
            strict: True to raise for the first message that is an error.

        Raises:
            EwsRefusal: a fault; with `strict`, also an error message.
            Transient: the retries are used up.
            Blocked: the login is refused.
        """
        patience = self.patience()
        while True:
            try:
                return [read(_raise_refusal(message, strict)) for message in self.ask(body, answer)]
            except Transient as error:
                self.pause(patience, error)
            except EwsRefusal as refusal:
                passing = translated(refusal)
                if not isinstance(passing, Transient) or passing.code == "folder-vanished":
                    raise
                self.pause(patience, passing)

    def gather(self, body: str, answer: str, read: Callable[[ResponseMessage], T]) -> list[T]:
        """Do the same as `collect` and translate every refusal.

        Args:
            body: the request's XML.
            answer: the local name of the ResponseMessage elements.
            read: converts one response message.

        Raises:
            Transient, Blocked, CursorLost: see `connectors.ews.errors.translated`.
        """
        try:
            return self.collect(body, answer, read)
        except EwsRefusal as refusal:
            raise translated(refusal) from None

    def probe(self) -> None:
        """Check that the server answers a simple request, so that no item is blamed for an outage.

        Raises:
            Transient, Blocked: the server does not answer.
        """
        request = get_folders([distinguished("msgfolderroot", self.mailbox)])
        self.gather(request, "GetFolderResponseMessage", lambda _: None)

    def pause(self, patience: RetryPolicy, error: Transient) -> None:
        """Wait before the next attempt.

        Args:
            patience: the retry policy.
            error: the fault of the last attempt.

        Raises:
            Transient: the retries are used up.
            Blocked: "not-soap" when something that is not Exchange answered until the retries were used up
                twice.
        """
        self._wrong_server.pause(patience, error)

    def _attempt(self, body: str, answer: str) -> Iterator[ResponseMessage]:
        """Send one request and yield its response messages."""
        response = self._post(self._envelope(body))
        try:
            yield from self._messages(response, answer)
        finally:
            # A reply that was read to its end has returned its connection; any other is dropped.
            response.close()

    def _messages(self, response: requests.Response, answer: str) -> Iterator[ResponseMessage]:
        reply = EwsReply(self._chunks(response), answer, self.sink)
        try:
            for message in reply.messages():
                if message.element.tag.endswith("}Fault"):
                    raise refusal_of(message.element) or EwsRefusal("ErrorUnknown")
                yield message
        except Transient as error:
            if error.code == "not-soap" and response.status_code >= 500:
                raise http_error(response.status_code, response.headers.get("Retry-After")) from None
            raise
        finally:
            self.version = reply.version or self.version
        self._wrong_server.answered()

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        deadline = Deadline(self._sockets.cut)
        try:
            yield from deadline.paced(response.raw.stream(CHUNK, decode_content=True))
        except (urllib3.exceptions.HTTPError, requests.RequestException, OSError, ValueError) as error:
            raise self._network(error) from None

    def _post(self, envelope: bytes) -> requests.Response:
        LOGINS.refuse_doubtful(self._login.name)
        response = self._send(envelope)
        if response.status_code == 401 and self._login.renewable:
            response.close()
            self._renew()
            response = self._send(envelope)
        status, kind = response.status_code, response.headers.get("Content-Type", "").lower()
        if status in {200, 500} and "html" not in kind:
            LOGINS.accepted(self._login.name)
            return response
        response.close()
        if status == 200:
            raise not_soap()
        error = http_error(status, response.headers.get("Retry-After"))
        raise self._refusal(error) if isinstance(error, Blocked) and status == 401 else error

    def _refusal(self, error: Blocked) -> Blocked | Transient:
        """Remember a refused login, which this source never repeats: that would lock the account.

        Only a refusal of an application is confirmed more than once.
        """
        if error.code == "login-refused":
            self._refused = LOGINS.refused(
                self._login.name, error, APPLICATION if self._login.renewable else PERSON
            )
        else:
            self._refused = error
        return self._refused

    def _renew(self) -> None:
        try:
            self._login.renew()
        except Blocked as error:
            raise self._refusal(error) from None

    def _send(self, envelope: bytes) -> requests.Response:
        if self._refused is not None:
            raise self._refused
        if self._sockets.closed.is_set():
            raise closed_error()
        session = self._session()
        try:
            with Deadline(self._sockets.cut).waiting():
                return session.post(
                    self._settings.url,
                    data=envelope,
                    timeout=(
                        min(CONNECT_SECONDS, self._settings.timeout_seconds),
                        self._settings.timeout_seconds,
                    ),
                    allow_redirects=False,
                    stream=True,
                )
        except _SENDING as error:
            refused = handshake_error(error)
            if refused is not None:
                raise self._refusal(refused) from None
            raise self._network(error) from None

    def _session(self) -> requests.Session:
        try:
            return self._login.session()
        except Blocked as error:
            raise self._refusal(error) from None

    def _network(self, error: Exception) -> MigrationError:
        return closed_error() if self._sockets.closed.is_set() else network_error(error, self._settings.url)

    def _envelope(self, body: str) -> bytes:
        head = f'<t:RequestServerVersion Version="{self._schema}"/>'
        if self._settings.impersonation:
            head += (
                "<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>"
                f"{escape(self.mailbox)}"
                "</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>"
            )
        return (
            '<?xml version="1.0" encoding="utf-8"?>'
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
            ' xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
            ' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">'
            f"<s:Header>{head}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
        ).encode()


def _raise_refusal(message: ResponseMessage, strict: bool) -> ResponseMessage:
    """Return the message; raise its refusal if it is one that counts."""
    refusal = refusal_of(message.element)
    if refusal is not None and (strict or refusal.busy):
        raise refusal
    return message
