"""Speak ManageSieve: send commands, read answers within bounds, start TLS and log in.

Source:
    RFC 5804 (ManageSieve); RFC 5804, section 4 (the grammar of answers)
"""

from __future__ import annotations

import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.imap.wire.connection import cut
from model.errors import Blocked, Transient
from model.server_words import NOTHING, ServerWords, of_line

LINE_MOST: Final = 16_384
LITERAL_MOST: Final = 16 << 20
ANSWER_MOST: Final = 32 << 20
ROWS_MOST: Final = 10_000
"""Bounds of one answer: bytes of a line, of a literal and of all of it, and lines."""
QUOTED_MOST: Final = 1024
"""Bytes of a string that is sent in quotes: a server need not take longer ones (RFC 5804, section 4)."""
READ: Final = 65_536
STATUSES: Final = frozenset({"OK", "NO", "BYE"})
NOT_MANAGESIEVE: Final = "not-managesieve"
KNOWN: Final = frozenset(
    {
        *("AUTH-TOO-WEAK", "ENCRYPT-NEEDED", "QUOTA", "QUOTA/MAXSCRIPTS", "QUOTA/MAXSIZE", "SASL", "TAG"),
        *("QUOTA/MAXSTORAGE", "REFERRAL", "TRANSITION-NEEDED", "TRYLATER", "ACTIVE", "NONEXISTENT"),
        *("ALREADYEXISTS", "WARNINGS"),
    }
)
"""Response codes of RFC 5804, section 1.3: they may be shown."""
_TOKEN = re.compile(
    rb'[ \t]*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|\{(?P<size>\d{1,10})\+?\}\Z|(?P<bracket>[()])'
    rb'|(?P<atom>[^\s"(){}\\]+))'
)
_ESCAPED = re.compile(rb"\\(.)")

Row = tuple[bytes | str, ...]
"""One line of data: strings as bytes, atoms as text in upper case."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold the answer to a command.

    Attributes:
        status: "OK" or "NO"; "BYE" where the server ends the connection.
        code: its response code in upper case, such as "QUOTA/MAXSIZE"; "" if it has none.
        rows: the lines of data before it.
        said: the server's own words for people.
    """

    status: str
    code: str = ""
    rows: tuple[Row, ...] = ()
    said: ServerWords = NOTHING

    @property
    def ok(self) -> bool:
        """Whether the command was done."""
        return self.status == "OK"

    @property
    def known(self) -> str:
        """The response code if it may be shown, else ""."""
        return self.code if self.code in KNOWN else ""


class Wire:
    """Hold one connection. Not thread-safe; another thread may shut its socket down.

    What is beyond the bounds, or makes no sense, raises Transient("protocol-error"); a connection that ends
    raises Transient("connection-lost"). After either, it is used no more.

    Attributes:
        sock: the socket; another one after starttls().
        broken: True once it must not be used any more.
        capabilities: what the server stated last, by upper-case names; "" for one without a value.
    """

    def __init__(self, sock: socket.socket) -> None:
        """Take a connected socket, with TLS where that comes first; nothing is read yet."""
        self.sock = sock
        self.broken = False
        self.capabilities: Mapping[str, str] = {}
        self._held = bytearray()
        self._taken = 0

    def greet(self) -> None:
        """Read the greeting, with the capabilities.

        Raises:
            Transient: "not-managesieve" for another protocol's greeting; "server-bye".
        """
        try:
            answer = self._answer()
        except Transient as error:
            if error.code == "protocol-error":
                raise Transient(NOT_MANAGESIEVE, "the greeting is that of another protocol") from None
            raise
        if not answer.ok:
            raise _bye(answer, "instead of a greeting")
        self.capabilities = _stated(answer)

    def starttls(self, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
        """Begin TLS, read the capabilities anew, and return the new socket.

        Nothing that arrived before TLS counts: a third party may have sent it (RFC 5804, section 2.2).

        Raises:
            Blocked: "tls-failed": the server offers no TLS, refuses it, or more than its answer came before.
        """
        if "STARTTLS" not in self.capabilities:
            raise Blocked("tls-failed", "the server offers no STARTTLS")
        answer = self.run("STARTTLS")
        if not answer.ok:
            raise (
                Blocked("tls-failed", "the server refuses STARTTLS").about(answer.known).quoting(answer.said)
            )
        if self._held:
            self.broken = True
            raise Blocked("tls-failed", "something was sent between STARTTLS and TLS")
        self.capabilities = {}
        secured = context.wrap_socket(self.sock, server_hostname=host)
        self.sock = secured
        answer = self._answer()
        if not answer.ok:
            raise _bye(answer, "after STARTTLS")
        self.capabilities = _stated(answer)
        return secured

    def authenticate(self, mechanism: str, response: str) -> Answer:
        """Log in, with the response in the command itself, and return the answer.

        A server that asks for more gets an empty response: what follows is its refusal (RFC 7628, 3.2.3).
        """
        self._send(["AUTHENTICATE", mechanism.encode(), b64encode(response.encode())])
        answer = self._answer(challenges=1)
        if not answer.status:
            self._send([b""])
            answer = self._answer()
        return answer

    def ask_capabilities(self) -> None:
        """Ask for the capabilities: those from before a login prove nothing.

        Raises:
            Transient: "protocol-error": the server refuses.
        """
        answer = self.run("CAPABILITY")
        if not answer.ok:
            raise self._nonsense("it refuses to state its capabilities")
        self.capabilities = _stated(answer)

    def run(
        self, command: str, *arguments: bytes | int, before_last: Callable[[], None] | None = None
    ) -> Answer:
        """Run a command and return its answer.

        Args:
            command: its name.
            arguments: strings, and numbers.
            before_last: called before the last bytes are sent; if it raises, the connection is broken.

        Raises:
            Transient: the connection broke, or the server said BYE. The command may have taken effect.
        """
        self._send([command, *arguments], before_last)
        answer = self._answer()
        if answer.status == "BYE":
            raise _bye(answer, "in the middle of a command")
        return answer

    # -- output

    def _send(
        self, parts: Sequence[str | bytes | int], before_last: Callable[[], None] | None = None
    ) -> None:
        whole = b" ".join(_sent(part) for part in parts) + b"\r\n"
        self.broken = True  # until its answer is read: nothing may follow half a command
        if before_last is not None and len(whole) > READ:
            self._put(whole[:-READ])
            whole = whole[-READ:]
            before_last()
        self._put(whole)

    def _put(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except TimeoutError:
            raise Transient("timeout", "while sending") from None
        except OSError:
            raise Transient("connection-lost", "while sending") from None

    # -- input

    def _answer(self, challenges: int = 0) -> Answer:
        """Read lines up to the status.

        challenges: so many lines of data are returned without a status: the server asks for more.
        """
        self.broken = True
        self._taken = 0
        rows: list[Row] = []
        while True:
            row, line = self._row()
            head = row[0] if row else ""
            if isinstance(head, str):
                if head not in STATUSES:
                    raise self._nonsense("a line that begins with neither a string nor a status")
                self.broken = head == "BYE"
                said = NOTHING if head == "OK" else of_line(row[-1] if isinstance(row[-1], bytes) else line)
                return Answer(head, _code(row), tuple(rows), said)
            rows.append(row)
            if len(rows) > ROWS_MOST:
                raise self._nonsense("too many lines")
            if challenges and len(rows) == challenges:
                self.broken = False
                return Answer("", "", tuple(rows))

    def _row(self) -> tuple[Row, bytes]:
        """Read one line with its literals; return its tokens, and the line without literals."""
        tokens: list[bytes | str] = []
        shown = b""
        while True:
            line = self._line()
            shown = shown or line
            size = None
            at = 0
            while at < len(line.rstrip(b" \t")):
                found = _TOKEN.match(line, at)
                if found is None:
                    raise self._nonsense("a line that is none of ManageSieve")
                at = found.end()
                if found["size"] is not None:
                    size = int(found["size"])
                elif found["quoted"] is not None:
                    tokens.append(_ESCAPED.sub(rb"\1", found["quoted"]))
                else:
                    word = found["atom"] or found["bracket"]
                    tokens.append(word.decode("latin-1").upper())
            if size is None:
                return tuple(tokens), shown
            tokens.append(self._literal(size))

    def _line(self) -> bytes:
        while (end := self._held.find(b"\n")) < 0:
            if len(self._held) > LINE_MOST:
                raise self._nonsense("a line that is too long")
            self._more()
        if end > LINE_MOST:
            raise self._nonsense("a line that is too long")
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        self._count(end + 1)
        return line.removesuffix(b"\r")

    def _literal(self, size: int) -> bytes:
        if size > LITERAL_MOST:
            raise self._nonsense("a literal that is too long")
        self._count(size)
        while len(self._held) < size:
            self._more()
        data = bytes(self._held[:size])
        del self._held[:size]
        return data

    def _count(self, size: int) -> None:
        self._taken += size
        if self._taken > ANSWER_MOST:
            raise self._nonsense("an answer that is too long")

    def _more(self) -> None:
        try:
            data = self.sock.recv(READ)
        except TimeoutError:
            self.broken = True
            raise Transient("timeout", "while waiting for an answer") from None
        except OSError:
            data = b""
        if not data:
            self.broken = True
            raise Transient("connection-lost", "while waiting for an answer")
        self._held += data

    def _nonsense(self, what: str) -> Transient:
        self.broken = True
        return Transient("protocol-error", f"the server sent {what}")

    def free(self) -> None:
        """Close the socket. Only the thread that uses the connection calls it."""
        self.broken = True
        cut(self.sock)
        self.sock.close()


def _sent(part: str | bytes | int) -> bytes:
    """Return a part of a command: an atom, a number, or a string in the form that suits it."""
    if isinstance(part, int):
        return b"%d" % part
    if isinstance(part, str):
        return part.encode("ascii")
    if len(part) > QUOTED_MOST or re.search(rb"[\r\n\0]", part):
        return b"{%d+}\r\n" % len(part) + part
    return b'"' + re.sub(rb'(["\\])', rb"\\\1", part) + b'"'


def _code(row: Row) -> str:
    """Return the response code of a status line, without its arguments."""
    return row[2] if len(row) > 2 and row[1] == "(" and isinstance(row[2], str) else ""


def _stated(answer: Answer) -> dict[str, str]:
    """Return capabilities by name. Of one that is stated twice the first counts."""
    found: dict[str, str] = {}
    for row in answer.rows:
        name, *values = (part.decode("utf-8", "replace") if isinstance(part, bytes) else part for part in row)
        found.setdefault(name.upper(), values[0] if values else "")
    return found


def _bye(answer: Answer, when: str) -> Transient:
    return Transient("server-bye", when).about(answer.known).quoting(answer.said)
