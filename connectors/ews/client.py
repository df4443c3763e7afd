"""Talk SOAP over HTTP to one Exchange server for one mailbox, and wait when it asks to.

Retries concern this one mailbox: nothing is shared, so a busy mailbox delays no other. All requests only
read, so every request may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar
from xml.sax.saxutils import escape

from connectors.accepted_logins import APPLICATION, LOGINS, PERSON
from connectors.ews.auth import EwsLogin
from connectors.ews.errors import TOO_OLD, EwsRefusal, http_error, refusal_of, translated
from connectors.ews.requests import distinguished, get_folders
from connectors.ews.response_stream import EwsReply, ResponseMessage, not_soap
from connectors.ews.settings import EwsSettings
from connectors.exchange.client import ExchangeClient
from connectors.http.transport import Response
from connectors.retry import WrongServer
from connectors.settings import Account
from model.errors import Blocked, Transient

T = TypeVar("T")
SCHEMAS = ("Exchange2013_SP1", "Exchange2010_SP2")


class EwsClient(ExchangeClient[EwsSettings]):
    """Send requests and read replies. close() may be called from any thread.

    Its attribute `mailbox` is the address of the mailbox, and `version` is what the server stated in its last
    header.
    """

    def __init__(self, settings: EwsSettings, account: Account, spool: Path) -> None:
        wrong_server = WrongServer("not-soap", "the URL does not lead to an Exchange web service")
        super().__init__(settings, spool, wrong_server)
        self._login = EwsLogin(settings, account, self._transport)
        self._schema = SCHEMAS[0]
        self.mailbox = account.address or account.login
        self.version: dict[str, str] = {}

    @property
    def schema(self) -> str:
        """Return the schema version that requests name."""
        return self._schema

    def close(self) -> None:
        """End every request; safe from any thread and more than once."""
        super().close()
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

        def attempt() -> list[T]:
            try:
                return [read(_raise_refusal(message, strict)) for message in self.ask(body, answer)]
            except EwsRefusal as refusal:
                error = translated(refusal)
                if not isinstance(error, Transient) or error.code == "folder-vanished":
                    raise
                raise error from None

        return self._repeated(attempt)

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

    def _attempt(self, body: str, answer: str) -> Iterator[ResponseMessage]:
        """Send one request and yield its response messages."""
        # A reply that was read to its end has returned its connection; any other is dropped.
        with self._post(self._envelope(body)) as response:
            yield from self._messages(response, answer)

    def _messages(self, response: Response, answer: str) -> Iterator[ResponseMessage]:
        reply = EwsReply(response.chunks(decode=True), answer, self.sink)
        try:
            for message in reply.messages():
                if message.element.tag.endswith("}Fault"):
                    raise refusal_of(message.element) or EwsRefusal("ErrorUnknown")
                yield message
        except Transient as error:
            if error.code == "not-soap" and response.status >= 500:
                raise http_error(response.status, response.headers.get("retry-after")) from None
            raise
        finally:
            self.version = reply.version or self.version
        self._wrong_server.answered()

    def _post(self, envelope: bytes) -> Response:
        LOGINS.refuse_doubtful(self._login.name)
        response = self._send(envelope)
        if response.status == 401 and self._login.renewable:
            response.close()
            self._login_step(self._login.renew)
            response = self._send(envelope)
        status, kind = response.status, response.headers.get("content-type", "").lower()
        if status in {200, 500} and "html" not in kind:
            LOGINS.accepted(self._login.name)
            return response
        response.close()
        if status == 200:
            raise not_soap()
        error = http_error(status, response.headers.get("retry-after"))
        raise self._refused_login(error) if isinstance(error, Blocked) and status == 401 else error

    def _send(self, envelope: bytes) -> Response:
        self._refuse_again()
        self._transport.refuse_closed()
        self._login_step(self._login.prepare)
        try:
            return self._login.post(envelope)
        except Blocked as error:
            raise self._refused_login(error) if error.code == "login-refused" else error from None

    def _login_step(self, step: Callable[[], None]) -> None:
        """Get or renew what logs in; remember a refusal."""
        try:
            step()
        except Blocked as error:
            raise self._refused_login(error) from None

    def _refused_login(self, error: Blocked) -> Blocked | Transient:
        """Remember a refused login; only a refusal of an application is confirmed more than once."""
        return self._refusal(error, self._login.name, APPLICATION if self._login.renewable else PERSON)

    def _envelope(self, body: str) -> bytes:
        head = f'<t:RequestServerVersion Version="{self._schema}"/>'
        if self.settings.impersonation:
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
