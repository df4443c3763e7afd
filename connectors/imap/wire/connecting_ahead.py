"""Connect in another thread, so that both sides of a mailbox log in at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from model.errors import MigrationError


class ConnectingAhead:
    """Hold a thread that connects, and the error that it met."""

    def __init__(self, connect: Callable[[], None]) -> None:
        """Prepare the thread.

        Args:
            connect: connects.
        """
        self._connect = connect
        self._error: MigrationError | None = None
        self._thread = threading.Thread(target=self._run, name="connect-ahead", daemon=True)

    def start(self) -> None:
        """Start connecting. Call it once."""
        self._thread.start()

    @property
    def is_this_thread(self) -> bool:
        """Return True in the thread that connects."""
        return threading.current_thread() is self._thread

    @property
    def goes_on(self) -> bool:
        """Return True until the thread has ended."""
        return self._thread.is_alive()

    def error(self, seconds: float) -> MigrationError | None:
        """Return what kept it from connecting, as far as that is known within these seconds."""
        self._thread.join(seconds)
        return self._error

    def wait(self) -> None:
        """Wait until it is connected.

        Raises:
            MigrationError: what kept it from that.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._connect()
        except MigrationError as error:  # it belongs to the thread that needs the connection
            self._error = error
