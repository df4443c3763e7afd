"""A TCP proxy before any practice server, whose answers drip: a byte now and then, for ever.

It stands for a server, or a line, that never meets a read timeout and never ends an answer.
"""

from __future__ import annotations

import contextlib
import socket
import threading

EVERY_SECONDS = 0.05


class DrippingProxy:
    """Passes everything on to 127.0.0.1:port. Once drip is set, what the server sends comes byte by byte
    after the first `after` bytes of each connection. Use as a context manager."""

    def __init__(self, port: int, after: int = 0) -> None:
        self._to = port
        self._after = after
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port: int = self._listening.getsockname()[1]
        self.drip = threading.Event()
        self._stopped = threading.Event()

    def __enter__(self) -> DrippingProxy:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for one in (self._listening, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()

    def _begin(self, work: object, *given: object) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self._sockets += [client, server]
            self._begin(self._pass, client, server)
            self._begin(self._answer, server, client)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                free = len(data) if not self.drip.is_set() else max(0, self._after - passed)
                client.sendall(data[:free])
                passed += len(data)
                for number in range(free, len(data)):
                    if self._stopped.wait(EVERY_SECONDS):
                        return
                    client.sendall(data[number : number + 1])
            client.shutdown(socket.SHUT_WR)
