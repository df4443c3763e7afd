"""Stands between a program and PostgreSQL, and stops forwarding: it acknowledges all, and answers nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Connect = Callable[[], socket.socket]


def to_socket(folder: Path) -> Connect:
    """To a server of this machine, by the folder of its socket."""

    def connect() -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(folder / ".s.PGSQL.5432"))
        return made

    return connect


class SilentProxy:
    """Counts what the program sends.

    silent_at: with what is sent by this number, its connection becomes silent. loses_answer: that arrives,
    and the answer is lost; else it is lost itself. hides_end: for so many seconds the server does not
    hear that the program has closed the silent connection. all_silent: every connection is."""

    def __init__(self, connect: Connect) -> None:
        self.sent = 0
        self.silent_at: int | None = None
        self.loses_answer = False
        self.hides_end = 0.0
        self.all_silent = False
        self.went_silent = threading.Event()
        self._connect = connect
        self._open: list[socket.socket] = []
        self._mute: set[socket.socket] = set()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, database: str, **query: object) -> str:
        extra = "".join(f"&{name}={value}" for name, value in query.items())
        return f"postgresql+psycopg://kogge@127.0.0.1:{self.port}/{database}?connect_timeout=20{extra}"

    def close(self) -> None:
        for one in (self._socket, *self._open):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._socket.accept()
            except OSError:
                return
            far = self._connect()
            self._open += [near, far]
            for way in ((near, far, near, True), (far, near, near, False)):
                threading.Thread(target=self._forward, args=way, daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, near: socket.socket, asks: bool) -> None:
        try:
            while data := source.recv(65_536):
                passes = self._passes(near) if asks else not (self.all_silent or near in self._mute)
                if passes:
                    sink.sendall(data)
        except OSError:
            pass
        if near in self._mute:
            time.sleep(self.hides_end)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _passes(self, near: socket.socket) -> bool:
        """Whether what the program sends now arrives."""
        self.sent += 1
        if near in self._mute or self.all_silent:
            return False
        if self.sent != self.silent_at:
            return True
        self._mute.add(near)
        self.went_silent.set()
        return self.loses_answer


@contextmanager
def silent_proxy(connect: Connect) -> Iterator[SilentProxy]:
    proxy = SilentProxy(connect)
    try:
        yield proxy
    finally:
        proxy.close()
