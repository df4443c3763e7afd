"""Send questions before their answers are needed, and give each answer to the one who asks the same then.

A question that waits for the answer to another one costs a round trip. What a session will ask next is often
known: then everything goes out at once. Only commands that read may be asked ahead. An answer is as old as
its question, so nothing that is asked ahead outlives a command that was not foreseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from connectors.imap.connection import ImapConnection, Parts, TaggedReply

Sink = Callable[[Parts], None]


@dataclass(slots=True)
class AskedAhead:
    """Hold the questions that one connection has sent, in their order, and answers that were read early.

    Attributes:
        connection: the connection that carries them.
    """

    connection: ImapConnection
    _waiting: dict[bytes, bytes] = field(default_factory=dict)
    _answers: dict[bytes, tuple[list[Parts], TaggedReply]] = field(default_factory=dict)
    _in_folder: set[bytes] = field(default_factory=set)

    def ask(self, commands: Iterable[bytes], *, in_folder: bool) -> None:
        """Send commands that only read, without waiting for an answer.

        Args:
            commands: without tag and line end. One that was asked already is not sent again.
            in_folder: True if they are about the open folder.

        Raises:
            Transient: the connection broke.
        """
        for command in commands:
            if not self.has(command):
                self._waiting[command] = self.connection.queue(command)
                if in_folder:
                    self._in_folder.add(command)
        self.connection.flush()

    def has(self, command: bytes) -> bool:
        """Return True if a command was asked, and its answer was not given to anybody yet."""
        return command in self._waiting or command in self._answers

    def answer(self, command: bytes, sink: Sink) -> TaggedReply | None:
        """Return the reply to a command that was asked ahead; forget everything if it was not.

        Args:
            command: without tag and line end.
            sink: receives every untagged response of its answer.

        Raises:
            Transient: the connection broke.
        """
        if not self.has(command):
            self.forget()
            return None
        while command not in self._answers and next(iter(self._waiting)) != command:
            self._read_first()
        if command in self._answers:
            responses, reply = self._answers.pop(command)
            for response in responses:
                self.connection.feed(sink, response)
            return reply
        return self.connection.finish(self._waiting.pop(command), sink)

    def settle(self) -> None:
        """Read all answers, so that another folder can be opened; keep those that are about no folder.

        Raises:
            Transient: the connection broke.
        """
        while self._waiting:
            self._read_first()
        for command in self._in_folder:
            self._answers.pop(command, None)
        self._in_folder.clear()

    def forget(self) -> None:
        """Read all answers and drop them.

        Raises:
            Transient: the connection broke.
        """
        self._answers.clear()
        self._in_folder.clear()
        while self._waiting:
            self.connection.finish(self._waiting.pop(next(iter(self._waiting))))

    def _read_first(self) -> None:
        command, tag = next(iter(self._waiting.items()))
        del self._waiting[command]
        responses: list[Parts] = []
        self._answers[command] = responses, self.connection.finish(tag, responses.append)
