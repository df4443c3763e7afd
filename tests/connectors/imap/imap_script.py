"""An IMAP server that answers by script."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable

from connectors.imap.session import ImapSettings
from connectors.imap.target import ImapTarget
from model.kinds import Kind
from model.protocols import Item

Script = Callable[[bytes, io.BufferedReader, socket.socket], bytes | None]
CAPABILITIES = b"IMAP4rev1 LITERAL+ MULTIAPPEND UIDPLUS"


class ScriptedServer:
    """Answers each command line by a function: the whole reply with TAG for the tag, or None to cut.
    Non-synchronising literals are read away; lines holds every command without its tag."""

    def __init__(
        self, script: Script, capabilities: bytes = CAPABILITIES, greeting: bytes = b"* OK hi"
    ) -> None:
        self._script = script
        self._capabilities = capabilities
        self._greeting = greeting
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.lines: list[bytes] = []
        self.cut = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                try:
                    connection.sendall(self._greeting + b"\r\n")
                    self._talk(connection, stream)
                except OSError:
                    continue

    def _talk(self, connection: socket.socket, stream: io.BufferedReader) -> None:
        while line := stream.readline():
            whole = line
            while line.endswith(b"+}\r\n"):
                size = int(line[line.rindex(b"{") + 1 : -4])
                if len(stream.read(size)) < size:
                    self.cut.set()
                    return
                line = stream.readline()
                whole += line
            tag, _, command = whole.partition(b" ")
            if not command.strip():  # a client that was cut off in the middle of a line
                self.cut.set()
                return
            self.lines.append(command)
            reply = self._basic(command) or self._script(command, stream, connection)
            if reply is None:
                return
            connection.sendall(reply.replace(b"TAG", tag))

    def _basic(self, command: bytes) -> bytes | None:
        verb = command.split()[0].upper()
        if verb == b"CAPABILITY":
            return b"* CAPABILITY " + self._capabilities + b"\r\nTAG OK done\r\n"
        if verb == b"SELECT" and b"INBOX" in command:
            flags = b"* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n"
            return b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n" + flags + b"TAG OK done\r\n"
        return b"TAG OK done\r\n" if verb == b"LOGIN" and self._script is not refusing_login else None

    def close(self) -> None:
        self._socket.close()


def refusing_login(command: bytes, stream: object, connection: object) -> bytes:
    return b"TAG NO [AUTHENTICATIONFAILED] anna@example.org may not\r\n"


Settings = Callable[..., ImapSettings]
Serve = Callable[..., ScriptedServer]


Open = Callable[..., ImapTarget]


def item(number: int, size: int = 40) -> Item:
    raw = b"x" * (size - 2) + b"\r\n"
    return Item(Kind.MAIL, bytes([number]) * 16, b"", size, lambda: io.BytesIO(raw))


def appending(*replies: bytes) -> Script:
    todo = iter(replies)
    return lambda command, *_: next(todo) if command.startswith(b"APPEND") else b"TAG OK done\r\n"
