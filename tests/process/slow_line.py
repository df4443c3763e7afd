"""A TCP line to a server that can hold what the client sends, and let it go much later."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

PIECE = 16_384
FEW = 4


class Line:
    """Forwards both ways. After hold_after(n), the first connection that carries more than n bytes from the
    client holds the rest until release() or the next hold_after(); buffered: it takes everything from the
    client meanwhile."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.limit: int | None = None
        self.buffered = False
        self.released = threading.Event()
        self.held: Way | None = None
        self._open: list[socket.socket] = []

    def hold_after(self, count: int, *, buffered: bool = False) -> None:
        self.released.set()
        self.released = threading.Event()
        self.limit, self.buffered, self.held = count, buffered, None

    def release(self) -> None:
        self.released.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        for one in (self._listener, *self._open):
            _end(one)

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self._open += (client, server)
                way = Way(self, client, server)
                for work in (way.take, way.give, way.answer):
                    threading.Thread(target=work, daemon=True).start()


class Way:
    """One connection. received: bytes taken from the client; sent: bytes given to the server."""

    def __init__(self, line: Line, client: socket.socket, server: socket.socket) -> None:
        self._line, self._client, self._server = line, client, server
        self._pieces: queue.Queue[bytes] = queue.Queue(0 if line.buffered else FEW)
        self.received = 0
        self.sent = 0

    def take(self) -> None:
        for piece in _pieces(self._client):
            self.received += len(piece)
            self._pieces.put(piece)
        self._pieces.put(b"")

    def give(self) -> None:
        with suppress(OSError):  # the server hung up
            while piece := self._pieces.get():
                self._wait(len(piece))
                self._server.sendall(piece)
                self.sent += len(piece)
        _end(self._server)

    def answer(self) -> None:
        with suppress(OSError):  # the client hung up
            for piece in _pieces(self._server):
                self._client.sendall(piece)
        _end(self._client)

    def _wait(self, size: int) -> None:
        line = self._line
        if line.limit is not None and line.held in (None, self) and self.sent + size > line.limit:
            line.held = self
            line.released.wait()


def _pieces(one: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):  # cut: the same as an end
        while piece := one.recv(PIECE):
            yield piece


def _end(one: socket.socket) -> None:
    with suppress(OSError):  # ended already
        one.shutdown(socket.SHUT_RDWR)
    one.close()
