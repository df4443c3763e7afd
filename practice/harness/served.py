"""Serve the practice Exchange and the practice Graph over HTTP, in a thread of this process."""

from __future__ import annotations

import asyncio
import queue
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Protocol, Self

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from practice.harness.lent_folder import LentFolder
from practice.harness.tls import make_certificate

START_SECONDS = 10.0
LAST_TURNS = 3


class Answering(Protocol):
    """Answer the requests of a server."""

    requests: Counter[str]

    def app(self) -> Starlette:
        """Return the application that answers."""


class AbruptServer(uvicorn.Server):
    """End connections that are half closed.

    After its grace period uvicorn leaves the loop with such connections; here they are aborted, and the loop
    gets the turns that it needs to forget them.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down, and abort what is still open."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        for _ in range(LAST_TURNS):
            await asyncio.sleep(0)


class Served:
    """Serve on loopback what answers.

    Attributes:
        port: 0 until start(), unless one was asked for.
        around: what is put around each application that starts from now on, whose server's name it gets.
    """

    around: ClassVar[list[Callable[[ASGIApp, str], ASGIApp]]] = []

    def __init__(self, name: str, answering: Answering, port: int, https: bool) -> None:
        self._name = name
        self._answering = answering
        self._https = https
        self._folder: LentFolder | None = None
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.ca_file: Path | None = None
        self.port = port

    @property
    def requests(self) -> Counter[str]:
        """Return how often each operation was called."""
        return self._answering.requests

    @property
    def _base(self) -> str:
        return f"{'https' if self._https else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start, and return when the server accepts connections.

        After stop() it may be started again, on the same port.
        """
        self._socket = _listening(self.port)
        self.port = self._socket.getsockname()[1]
        self._server = AbruptServer(self._config())
        self._thread = threading.Thread(target=self._run, name=f"practice-{self._name.lower()}", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"the practice {self._name} did not start")
            time.sleep(0.005)
        return self

    def _app(self) -> ASGIApp:
        app: ASGIApp = self._answering.app()
        for wrap in self.around:
            app = wrap(app, self._name)
        return app

    def _config(self) -> uvicorn.Config:
        ca = key = None
        if self._https:
            self._folder = self._folder or LentFolder("kogge-practice-")
            if self.ca_file is None:
                self.ca_file = make_certificate(self._folder.path).ca
            ca, key = str(self.ca_file), str(self.ca_file.with_name("key.pem"))
        return uvicorn.Config(
            self._app(),
            log_config=None,
            log_level="critical",  # a connection cut on purpose is an error to uvicorn
            access_log=False,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="none",
            timeout_keep_alive=60,
            timeout_graceful_shutdown=1,
            ssl_certfile=ca,
            ssl_keyfile=key,
        )

    def _run(self) -> None:
        if self._server is not None and self._socket is not None:
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Close every connection. Safe to call again."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        if self._socket is not None:
            self._socket.close()
        self._server = self._thread = self._socket = None

    def close(self) -> None:
        """Stop for good, and remove the certificate."""
        self.stop()
        if self._folder is not None:
            self._folder.close()
            self._folder = self.ca_file = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _listening(port: int) -> socket.socket:
    """Return a listening socket that names IPPROTO_TCP.

    asyncio turns Nagle's algorithm off only on sockets that name it, and with the algorithm on every request
    takes 40 ms more.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


class Signalled:
    """Wait for SIGTERM or SIGINT, which end nothing by themselves from now on.

    An Event would not do: a signal that comes while the main thread is about to wait for it, and holds its
    lock, would wait for that lock for ever.
    """

    def __init__(self) -> None:
        self._came: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _: self._came.put(got))

    def wait(self) -> None:
        """Wait until a signal comes."""
        self._came.get()
