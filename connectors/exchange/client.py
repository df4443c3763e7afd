"""Wait, repeat, spool and remember a refused login, alike for EWS and for Graph.

All requests to a source only read, so every request may be repeated. Nothing is shared between mailboxes: a
busy one delays no other.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from connectors.accepted_logins import LOGINS, UNCONFIRMED
from connectors.http.base64_spool import BodySink
from connectors.http.transport import Send, Transport, TransportSettings
from connectors.retry import RetryPolicy, WrongServer, repeated
from model.errors import Blocked, MigrationError, Transient

T = TypeVar("T")
CONNECTIONS = 4
"""The most connections to one server that are kept open."""
PAUSES = {"source-closed": 0, UNCONFIRMED: 0, "server-error": 4}
"""The most retries, by error code, for faults that rarely pass by waiting."""
WRONG_SERVER_PAUSES = 2
"""The most retries for an answer in another protocol."""


class ClientSettings(TransportSettings, Protocol):
    """Describe a source's server and how long to wait for it, as the settings state it."""

    @property
    def patience_seconds(self) -> float:
        """Return how long passing faults are retried, in seconds."""
        ...

    @property
    def spool_above(self) -> int:
        """Return the bytes above which a body goes to a file."""
        ...


S = TypeVar("S", bound=ClientSettings)


class ExchangeClient(Generic[S]):
    """Do what the clients of EWS and Graph have in common. close() may be called from any thread.

    Attributes:
        settings: the settings of the source.
        spool: the folder for spool files.
    """

    def __init__(self, settings: S, spool: Path, wrong_server: WrongServer, send: Send | None = None) -> None:
        """Prepare the client; nothing is sent before the first request.

        Args:
            settings: the server and how long to wait for it.
            spool: the folder for spool files.
            wrong_server: judges a server that answers in another protocol.
            send: replaces the network, for tests; None for the network.
        """
        self.settings = settings
        self.spool = spool
        self._transport = Transport(settings, closed, CONNECTIONS, send=send)
        self._wrong_server = wrong_server
        self._refused: Blocked | Transient | None = None

    def close(self) -> None:
        """End every request; safe from any thread and more than once."""
        self._transport.close()

    def trouble(self) -> str | None:
        """Return the code of the fault that the call under way met; see `SupportsTrouble`."""
        return self._transport.trouble

    def wait(self, seconds: float) -> None:
        """Sleep; raise Transient("source-closed") as soon as the source is closed."""
        self._transport.wait(seconds)

    def sink(self, above: int | None = None) -> BodySink:
        """Return a new sink for one body: in memory up to `above` bytes, in a spool file beyond.

        Args:
            above: bytes; None: the configured limit.
        """
        return BodySink(self.spool, self.settings.spool_above if above is None else above)

    def patience(self) -> RetryPolicy:
        """Return a new retry policy."""
        pauses = {**PAUSES, self._wrong_server.code: WRONG_SERVER_PAUSES}
        return RetryPolicy(self.settings.patience_seconds, self.wait, pauses)

    def pause(self, patience: RetryPolicy, error: Transient) -> None:
        """Wait before the next attempt.

        Args:
            patience: the retry policy.
            error: the fault of the last attempt.

        Raises:
            Transient: the retries are used up.
            Blocked: the code of the wrong server, when it answered until the retries were used up twice.
        """
        self._wrong_server.pause(patience, error)

    def _repeated(self, attempt: Callable[[], T]) -> T:
        """Return the result of `attempt`; repeat it while it raises Transient and retries are left."""
        patience = self.patience()
        return repeated(attempt, lambda error: self.pause(patience, error))

    def _refuse_again(self) -> None:
        """Raise the refusal of the login, if there was one: a further attempt may lock the account."""
        if self._refused is not None:
            raise self._refused

    def _refusal(self, error: Blocked, login: bytes, confirmations: int) -> Blocked | Transient:
        """Remember a refused login, so that this source sends no further request, and return what it means.

        Args:
            error: the refusal.
            login: see `connectors.accepted_logins.login_of`.
            confirmations: how often it must be confirmed.
        """
        counted = error.code == "login-refused"
        self._refused = LOGINS.refused(login, error, confirmations) if counted else error
        return self._refused


def closed() -> MigrationError:
    """Return the error after close()."""
    return Transient("source-closed", "the connection was closed on purpose")
