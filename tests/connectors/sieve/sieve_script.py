"""A ManageSieve server that answers by script."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable

Script = Callable[[bytes], bytes | None]
GREETING = b'"IMPLEMENTATION" "Odd"\r\n"SASL" "PLAIN"\r\n"SIEVE" "fileinto"\r\n"VERSION" "1.0"\r\nOK "hi"\r\n'


class OddServer:
    """Answers each command by a function: the whole answer, or None to cut. It takes each login, and keeps
    no script. lines holds every command with its literals."""

    def __init__(self, script: Script, greeting: bytes = GREETING) -> None:
        self._script = script
        self._greeting = greeting
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.lines: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                try:
                    connection.sendall(self._greeting)
                    self._talk(connection, stream)
                except OSError:
                    continue

    def _talk(self, connection: socket.socket, stream: io.BufferedReader) -> None:
        while line := stream.readline():
            whole = line
            while line.endswith(b"+}\r\n"):
                whole += stream.read(int(line[line.rindex(b"{") + 1 : -4]))
                line = stream.readline()
                whole += line
            self.lines.append(whole)
            answer = self._script(whole)
            if answer is None:
                answer = basic(whole)
            if not answer:
                return
            connection.sendall(answer)

    def close(self) -> None:
        self._socket.close()


def basic(command: bytes) -> bytes:
    """What a server answers that takes everything, and keeps nothing."""
    verb = command.split()[0].upper()
    if verb == b"CAPABILITY":
        return GREETING
    if verb == b"GETSCRIPT":
        return b'NO (NONEXISTENT) "none"\r\n'
    return b"OK\r\n"
