"""An SMTP server, in a thread of this process, that answers what a test has set, and may hang up anywhere.

with StubbornSmtp(RCPT="550 no such person") as server:
    ...               # something mails to 127.0.0.1, server.port
    server.mails      # what it took
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

HANG_UP = "hang up"
ENDLESS = "endless"


class StubbornSmtp:
    """answers: by the command, or "GREETING" and "END" (of a mail): a reply, HANG_UP, or ENDLESS. A list is
    used up, one for each time; then the ordinary reply follows."""

    def __init__(self, **answers: str | list[str]) -> None:
        self.answers = answers
        self.mails: list[str] = []
        self.recipients: list[str] = []
        self.connections = 0
        self.commands: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            with client, contextlib.suppress(OSError):
                client.settimeout(10)
                self._serve(client)

    def _reply(self, client: socket.socket, to: str, ordinary: str) -> bool:
        """Whether the connection goes on."""
        found = self.answers.get(to, ordinary)
        if isinstance(found, list):
            found = found.pop(0) if found else ordinary
        if found == HANG_UP:
            return False
        while found == ENDLESS:
            client.sendall(b"250-more\r\n" * 1000)
        client.sendall(f"{found}\r\n".encode())
        return True

    def _serve(self, client: socket.socket) -> None:
        if not self._reply(client, "GREETING", "220 practice"):
            return
        lines = client.makefile("rb")
        for line in lines:
            words = line.decode().strip()
            verb = words.partition(" ")[0].upper()
            self.commands.append(verb)
            ordinary = {"DATA": "354 go on", "QUIT": "221 bye", "AUTH": "235 welcome"}.get(verb, "250 fine")
            if verb == "EHLO":
                ordinary = "250-practice\r\n250 AUTH PLAIN"
            if not self._reply(client, verb, ordinary) or verb == "QUIT":
                return
            if verb == "RCPT":
                self.recipients.append(words.partition("<")[2].partition(">")[0])
            if verb == "DATA" and "DATA" not in self.answers:
                mail = b"".join(iter(lines.readline, b".\r\n")).decode()
                if not self._reply(client, "END", "250 taken"):
                    return
                self.mails.append(mail)
