"""Send questions before their answers are needed, and give each answer to the one who asks the same then.

A question that waits for the answer to another one costs a round trip. What a session will ask next is often
known: then everything goes out at once. Only commands that read may be asked ahead. An answer is as old as
its question, so nothing that is asked ahead outlives a command that was not foreseen.

A server may answer such questions in any order, and even at the same time, as Dovecot 2.4.1 does with two
FETCH commands (RFC 9051, section 5.5). So an untagged response belongs to every question that waits for an
answer, and whoever asks must know from its content whether it is about the question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from connectors.imap.wire.connection import ImapConnection, Parts, TaggedReply
from connectors.imap.wire.pipelining import PIPELINING, Use

Sink = Callable[[Parts], None]


@dataclass(slots=True)
class _Question:
    """Hold a question, and what the server said since it was sent.

    Attributes:
        tag: the tag of its command.
        in_folder: True if it is about the folder that was open.
        responses: the untagged responses.
        reply: the tagged reply; None until it came.
    """

    tag: bytes
    in_folder: bool
    responses: list[Parts] = field(default_factory=list)
    reply: TaggedReply | None = None


@dataclass(slots=True)
class AskedAhead:
    """Hold the questions that one connection has sent and that nobody has asked for yet.

    Attributes:
        connection: the connection that carries them.
        server: "host:port".
        heard: receives every untagged response once, when it arrives.
        most: the most bytes of answers that are kept.
    """

    connection: ImapConnection
    server: str
    heard: Sink
    most: int
    _questions: dict[bytes, _Question] = field(default_factory=dict)
    _held: int = 0
    _since: float = 0.0
    _at_once: int = 0

    def ask(self, commands: Iterable[bytes], *, in_folder: bool) -> None:
        """Send commands that only read, without waiting for an answer.

        Args:
            commands: without tag and line end. One that was asked already is not sent again.
            in_folder: True if they are about the open folder.

        Raises:
            Transient: the connection broke.
        """
        if not self._waiting():
            self._held, self._since = 0, PIPELINING.clock()
            self._at_once = 1 if in_folder else 0  # the command that opens the folder
        for command in commands:
            if command not in self._questions:
                self._questions[command] = _Question(self.connection.queue(command), in_folder)
                self._at_once += 1
        self.connection.flush()

    def has(self, command: bytes) -> bool:
        """Return True if a command was asked, and its answer was not given to anybody yet."""
        return command in self._questions

    def answer(self, command: bytes, sink: Sink) -> TaggedReply | None:
        """Return the reply to a command that was asked ahead.

        A server may refuse a command because it takes one at a time: a refusal counts only of a command that
        was sent alone.

        Args:
            command: without tag and line end.
            sink: receives every untagged response since the command was sent.

        Returns:
            None if the command has to be sent: it was not asked ahead, or it was refused. Then everything is
                forgotten.

        Raises:
            Transient: the connection broke.
        """
        question = self._questions.get(command)
        if question is None:
            self.forget()
            return None
        while question.reply is None:
            self._read()
        if not question.reply.ok:
            self.forget()
            return None
        del self._questions[command]
        for response in question.responses:
            self.connection.feed(sink, response)
        return question.reply

    def settle(self) -> None:
        """Read all answers, so that another folder can be opened; keep those that are about no folder.

        Raises:
            Transient: the connection broke.
        """
        while self._waiting():
            self._read()
        self._questions = {
            command: question for command, question in self._questions.items() if not question.in_folder
        }

    def forget(self) -> None:
        """Read all answers and drop them.

        Raises:
            Transient: the connection broke.
        """
        self.settle()
        self._questions.clear()

    def _waiting(self) -> dict[bytes, _Question]:
        """Return the questions that are not answered yet, by tag."""
        return {question.tag: question for question in self._questions.values() if question.reply is None}

    def _read(self) -> None:
        """Read until one of the questions is answered."""
        waiting = self._waiting()

        def note(parts: Parts) -> None:
            self.heard(parts)
            self._held += sum(map(len, parts))
            if self._held > self.most:
                raise ValueError("more than any answer has")
            for question in waiting.values():
                question.responses.append(parts)

        with self.watched(done=len(waiting) == 1):
            reply = self.connection.finish_any(waiting, note)
        waiting[reply.tag].reply = reply

    def watched(self, *, done: bool = False) -> AbstractContextManager[None]:
        """Note how it goes to read an answer beside these; nothing where it is the only one.

        Args:
            done: True if it is the last one.
        """
        waiting = self._waiting()
        if self._at_once < 2 or not waiting:
            return nullcontext()
        in_folder = any(question.in_folder for question in waiting.values())
        return PIPELINING.trying(
            self.server, Use.FOLDER if in_folder else Use.ACCOUNT, self._since, done=done
        )
