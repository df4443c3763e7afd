"""Run commands on one IMAP connection: parse responses and send literals as streams.

imapclient connects and logs in; from then on every command runs here. Its own fetch parser reads byte by byte
in Python, and its multiappend neither streams nor reports a refusal (measured with imapclient 4.1).

Everything that breaks a connection raises Transient. A server's refusal is a TaggedReply, not an error.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
import socket
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from connectors.http.deadline import Deadline
from model.errors import Transient
from model.server_words import NOTHING, ServerWords, of_line

READ_BUFFER = 256 * 1024
SEND_BUFFER = 256 * 1024
CHUNK = 64 * 1024
# SEARCH and VANISHED name every message of a folder on one line: eight bytes for each of two million.
LINE_MOST = 16 << 20
LITERAL_MOST = 64 << 20
REPLY_MOST = 1 << 30
DEEPEST = 64
UID_MOST = (1 << 32) - 1

RESPONSE_CODES = frozenset(
    {
        *("UNAVAILABLE", "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED"),
        *("CONTACTADMIN", "NOPERM", "INUSE", "EXPUNGEISSUED", "CORRUPTION", "SERVERBUG", "CLIENTBUG"),
        *("CANNOT", "LIMIT", "OVERQUOTA", "ALREADYEXISTS", "NONEXISTENT", "TRYCREATE", "TOOBIG", "READ-ONLY"),
        *(
            "PARSE",
            "BADCHARSET",
            "UNKNOWN-CTE",
            "HASCHILDREN",
            "USEATTR",
            "UIDNOTSTICKY",
            "BADURL",
            "TIMEOUT",
        ),
    }
)
"""The response codes that may be shown and logged, from the registry of RFC 5530 and its successors: fixed
words that cannot name a person. TIMEOUT is Dovecot's own."""

Token = bytes | None | list["Token"]
Parts = list[bytes]

_LITERAL = re.compile(rb"~?\{(\d+)\}\r\n\Z")
# Possessive and bounded, and an unclosed quote ends with the text: parsing costs no more than a reply's
# length.
_TOKEN = re.compile(
    rb'"((?:[^"\\]++|\\.)*+)(?:"|\\?\Z)|((?:BODY|BINARY)\[[^\]]{0,500}+\](?:<\d{1,20}>)?|[^\s()"]+)|([()])',
    re.IGNORECASE | re.DOTALL,
)
_NAME = rb"(?:BODY|BINARY)\[[A-Z0-9.() -]{0,500}+\](?:<\d{1,20}>)?|(?!NIL )[A-Z][A-Z0-9.]*+"
_PAIR = re.compile(rb"(" + _NAME + rb') (?:(\d++)|\(([^()"\[]*+)\)|"([^"\\]*+)")(?: |\)\Z)')
"""A name and its value in a FETCH response: a number, a flat list, or a string without escapes."""
_LAST_NAME = re.compile(rb"(" + _NAME + rb") ")
_CODE = re.compile(rb"\[([^\]]*)\] ?")


class _Nonsense(Exception):
    """Report input that is not IMAP or exceeds the bounds. This error never leaves this file."""


@dataclass(frozen=True, slots=True)
class TaggedReply:
    """Hold a tagged reply.

    Attributes:
        status: "OK", "NO" or "BAD".
        code: the bracketed response code, such as "APPENDUID 7 3:9", or "".
        said: the human-readable text of a refusal. It is never shown, because it may name people.
        tag: the tag of the command.
    """

    status: str
    code: str = ""
    said: ServerWords = field(default=NOTHING, compare=False, repr=False)
    tag: bytes = field(default=b"", compare=False, repr=False)

    @property
    def ok(self) -> bool:
        """Return True if the command succeeded."""
        return self.status == "OK"

    @property
    def reason(self) -> str:
        """Return the response code's first word in upper case, or ""."""
        return self.code.split(" ", 1)[0].upper()

    @property
    def known(self) -> str:
        """Return the reason if it is one of RESPONSE_CODES, else "". It is safe to show."""
        return self.reason if self.reason in RESPONSE_CODES else ""


@dataclass(slots=True, weakref_slot=True)
class ImapConnection:
    """Hold one logged-in connection. Not thread-safe, except close().

    Input beyond the bounds, or input that cannot be understood, raises Transient("protocol-error") and ends
    the connection.

    Attributes:
        imap: imapclient's connection after login; its read and readline are used for input.
        literal_most: the most bytes that the literals of one response may have.
        reply_most: the most bytes between a command and its tagged reply.
        bye: the response code of an untagged BYE; None until one came.
        farewell: the text of that BYE.
        broken: True once the connection can no longer be used.
    """

    imap: imaplib.IMAP4
    literal_most: int = LITERAL_MOST
    reply_most: int = REPLY_MOST
    bye: str | None = None
    farewell: ServerWords = NOTHING
    broken: bool = False
    _closed: bool = False
    _number: int = 0
    _unawaited: set[bytes] = field(default_factory=set)
    _read: int = 0
    _out: list[bytes] = field(default_factory=list)
    _out_size: int = 0
    _deadline: Deadline = field(init=False)

    def __post_init__(self) -> None:
        self._deadline = Deadline(lambda: cut(self.imap.sock))
        weakref.finalize(self, free, self.imap)

    @property
    def commands(self) -> int:
        """Return how many commands were begun."""
        return self._number

    def close(self) -> None:
        """Cut the connection at once; a thread that reads or sends gets Transient."""
        self._closed = True
        cut(self.imap.sock)

    def dispose(self) -> None:
        """Free the file descriptors. Call it only from the thread that uses this connection."""
        self.close()
        free(self.imap)

    # -- output

    def begin(self, command: bytes) -> bytes:
        """Queue a tagged command without its line end and return the tag."""
        self._number += 1
        self._read = 0
        self._deadline = Deadline(lambda: cut(self.imap.sock))
        tag = b"k%d" % self._number
        self.put(tag + b" " + command)
        return tag

    def queue(self, command: bytes) -> bytes:
        """Queue a whole tagged command and return the tag."""
        tag = self.begin(command)
        self.put(b"\r\n")
        return tag

    def add(self, command: bytes) -> None:
        """Queue a whole command that goes out with the next one, and whose result does not matter."""
        self._unawaited.add(self.queue(command))

    def put(self, data: bytes) -> None:
        """Queue bytes; send when SEND_BUFFER bytes are queued."""
        self._out.append(data)
        self._out_size += len(data)
        if self._out_size >= SEND_BUFFER:
            self.flush()

    def flush(self) -> None:
        """Send everything that is queued.

        Raises:
            Transient: the connection broke.
        """
        data = b"".join(self._out)
        self._out.clear()
        self._out_size = 0
        with self._translate_errors():
            self.imap.sock.sendall(data)

    def stream(self, body: BinaryIO, size: int, before_last: Callable[[], None]) -> None:
        """Queue exactly `size` bytes of a body in chunks.

        Args:
            body: the stream to read.
            size: the number of bytes that was announced.
            before_last: called before the last chunk is queued; it may raise.

        Raises:
            Transient: "body-changed" when the body ends early. The connection is then broken, because an
                announced literal cannot be taken back.
        """
        left = size
        while left:
            chunk = body.read(min(CHUNK, left))
            if not chunk:
                self.abandon()
                raise Transient("body-changed", "a body became shorter between measuring and sending")
            left -= len(chunk)
            if not left:
                before_last()
            self.put(chunk)

    def abandon(self) -> None:
        """Break off in the middle of a command, so that what was sent of it does not become effective."""
        self.broken = True
        self._out.clear()
        self._out_size = 0
        cut(self.imap.sock)

    # -- input

    def parts(self) -> Parts:
        """Return the next response as text, literal, text, … without the final line end.

        Raises:
            Transient: the connection broke; "protocol-error", "timeout", "server-bye".
        """
        with self._deadline.waiting(), self._translate_errors():
            return self._parts()

    def _parts(self) -> Parts:
        parts: Parts = []
        left = self.literal_most
        line = self._line()
        while line.endswith(b"}\r\n") and (match := _LITERAL.search(line)):
            size = int(match[1]) if len(match[1]) < 20 else left + 1
            left -= size
            if left < 0:
                raise _Nonsense
            literal = self.imap.read(size)
            if len(literal) != size:
                raise EOFError
            parts += (line[: match.start()], literal)
            self._count(size)
            line = self._line()
        parts.append(line[:-2])
        return parts

    def _line(self) -> bytes:
        line = self.imap.readline()
        if not line.endswith(b"\r\n"):
            raise _Nonsense if len(line) > LINE_MOST else EOFError
        self._count(len(line))
        return line

    def _count(self, size: int) -> None:
        self._read += size
        self._deadline.moved(size)
        if self._read > self.reply_most:
            raise _Nonsense

    def until(self, *tags: bytes) -> Iterator[Parts | TaggedReply]:
        """Yield untagged responses, then the TaggedReply to one of the commands.

        What the caller does between them counts as waiting for the server: it must not take long. The caller
        must exhaust the iterator; otherwise the connection cannot be used any more.

        Args:
            tags: the tags from `begin`.

        Raises:
            Transient: the connection broke. The command may have taken effect.
        """
        with self._deadline.waiting(), self._translate_errors():
            while True:
                parts = self._parts()
                head = parts[0]
                if head.startswith(b"* "):
                    if head[2:5].upper() == b"BYE":
                        self.bye, self.farewell = _code(head[5:].strip()), of_line(head[5:].strip())
                    yield parts
                elif (tag := head.partition(b" ")[0]) in tags:
                    yield _reply(head)
                    return
                elif tag in self._unawaited:
                    self._unawaited.remove(tag)
                elif not head.startswith(b"+"):
                    raise _Nonsense

    def proceed(self, tag: bytes) -> TaggedReply | None:
        """Wait for the server's "+"; return None, or the TaggedReply when the server refused instead.

        Args:
            tag: the tag from `begin`.

        Raises:
            Transient: the connection broke.
        """
        self.flush()
        while True:
            head = self.parts()[0]
            if head.startswith(b"+"):
                return None
            if head.startswith(tag + b" "):
                return _reply(head)
            self._unawaited.discard(head.partition(b" ")[0])

    def run(self, command: bytes, sink: Callable[[Parts], None] | None = None) -> TaggedReply:
        """Run one command and return its tagged reply.

        Args:
            command: the command without tag and line end.
            sink: receives every untagged response; None drops them.

        Raises:
            Transient: the connection broke. The command may have taken effect.
        """
        tag = self.queue(command)
        self.flush()
        return self.finish(tag, sink)

    def finish(self, tag: bytes, sink: Callable[[Parts], None] | None = None) -> TaggedReply:
        """Read until the tagged reply and return it.

        Args:
            tag: the tag from `begin`.
            sink: receives every untagged response; None drops them.

        Raises:
            Transient: the connection broke. The command may have taken effect.
        """
        return self.finish_any((tag,), sink)

    def finish_any(self, tags: Iterable[bytes], sink: Callable[[Parts], None] | None = None) -> TaggedReply:
        """Read until one of several commands is answered; return its tagged reply.

        Args:
            tags: the tags from `begin`.
            sink: receives every untagged response; None drops them.

        Raises:
            Transient: the connection broke. The commands may have taken effect.
        """
        for response in self.until(*tags):
            if isinstance(response, TaggedReply):
                return response
            if sink is not None:
                self.feed(sink, response)
        raise AssertionError("until() ends with a Reply")

    def feed(self, sink: Callable[[Parts], None], response: Parts) -> None:
        """Give a response to a sink.

        Raises:
            Transient: "protocol-error" when the sink cannot read it.
        """
        with self._translate_errors():
            try:
                sink(response)
            except (ValueError, LookupError):  # a number or an item is missing in the response
                raise _Nonsense from None

    def nonsense(self) -> Transient:
        """End the connection and return the error for a reply that no server should give."""
        self.abandon()
        return Transient("protocol-error", "the server's reply makes no sense")

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Translate socket and parse errors into Transient and break the connection."""
        try:
            yield
        except _Nonsense:
            raise self.nonsense() from None
        except TimeoutError:
            self.abandon()
            raise self._lost("timeout") from None
        except (OSError, EOFError, ValueError, imaplib.IMAP4.error):
            self.abandon()
            raise self._lost("connection-lost") from None

    def _lost(self, code: str) -> Transient:
        """Return the error for a lost connection: closed by us, ended by BYE, or `code`."""
        if self._closed:
            return Transient("connection-closed", "closed from our side")
        if self.bye is None:
            return Transient(code)
        return Transient("server-bye").about(TaggedReply("BYE", self.bye).known).quoting(self.farewell)


def free(imap: imaplib.IMAP4) -> None:
    """Close the file descriptors. Calling it twice is harmless."""
    with contextlib.suppress(OSError, ValueError, imaplib.IMAP4.error):
        imap.shutdown()


def cut(sock: socket.socket | None) -> None:
    """Shut a socket down in both directions without a TLS close; unblocks every thread that waits on it."""
    if sock is not None:
        with contextlib.suppress(OSError):
            # SSLSocket.shutdown would drop its TLS state and let another thread write in the clear
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _reply(line: bytes) -> TaggedReply:
    tag, _, text = line.partition(b" ")
    status, _, rest = text.partition(b" ")
    said = NOTHING if status.upper() == b"OK" else of_line(rest)
    return TaggedReply(status.decode("ascii", "replace").upper(), _code(rest), said, tag)


def _code(text: bytes) -> str:
    """Return the bracketed response code at the start of a text, or ""."""
    match = _CODE.match(text)
    return match[1].decode("ascii", "replace") if match else ""


def response_code(parts: Parts) -> tuple[str, str]:
    """Return ("UIDNEXT", "7") for an untagged `* OK [UIDNEXT 7] …`; ("", "") without a response code."""
    head = parts[0]
    if head[2:5].upper() not in (b"OK ", b"NO "):
        return "", ""
    name, _, value = _code(head[5:]).partition(" ")
    return name.upper(), value


def tokens(parts: Parts, skip: int = 2) -> list[Token]:
    """Parse a response into nested lists.

    Args:
        parts: the response as `ImapConnection.parts` returns it.
        skip: the number of bytes at the start to leave out.

    Returns:
        The tokens: NIL is None; literals and strings are bytes; parentheses are lists.

    Raises:
        ValueError: lists are nested deeper than DEEPEST.
    """
    stack: list[list[Token]] = [[]]
    for index, part in enumerate(parts):
        if index % 2:
            stack[-1].append(part)
            continue
        for match in _TOKEN.finditer(part, skip if index == 0 else 0):
            _place(stack, *match.groups(b""))
    return stack[0]


def _place(stack: list[list[Token]], quoted: bytes, atom: bytes, bracket: bytes) -> None:
    if atom:
        stack[-1].append(None if atom in (b"NIL", b"nil") else atom)
    elif bracket == b"(":
        if len(stack) > DEEPEST:
            raise ValueError("nested deeper than any response")
        inner: list[Token] = []
        stack[-1].append(inner)
        stack.append(inner)
    elif bracket:
        if len(stack) > 1:
            stack.pop()
    else:
        stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted) if b"\\" in quoted else quoted)


def fetched(parts: Parts) -> dict[bytes, Token] | None:
    """Return the attributes of a `* 3 FETCH (…)` by upper-case name; None for any other response."""
    head = parts[0]
    at = head.find(b" FETCH (", 2, 24)
    if at < 0:
        return None
    plain = _fetched_plainly(parts, at + 8)
    if plain is not None:
        return plain
    items = tokens(parts, at + 7)
    attributes = items[0] if items else None
    if not isinstance(attributes, list):
        return None
    pairs = iter(attributes)
    return {name.upper(): value for name, value in zip(pairs, pairs, strict=False) if isinstance(name, bytes)}


def _fetched_plainly(parts: Parts, start: int) -> dict[bytes, Token] | None:
    """Return what `fetched` does for the usual answer, in less time; None for any other answer.

    The usual answer has pairs as _PAIR describes them, and at most one literal, which comes last.
    """
    head = parts[0]
    attributes: dict[bytes, Token] = {}
    while match := _PAIR.match(head, start):
        name, digits, listed, text = match.groups()
        if listed is None:
            attributes[name] = digits if text is None else text
        elif b"NIL" in listed or b"nil" in listed:
            return None
        else:
            attributes[name] = [*listed.split()]
        start = match.end()
    if len(parts) == 1:
        return attributes if start == len(head) and head.endswith(b")") else None
    last = _LAST_NAME.fullmatch(head, start)
    if last is None or parts[2:] != [b")"]:
        return None
    attributes[last[1]] = parts[1]
    return attributes


def number(token: Token) -> int | None:
    """Return a token as a number when it has at most 18 digits, else None."""
    return int(token) if isinstance(token, bytes) and token.isdigit() and len(token) <= 18 else None


def words(token: Token) -> frozenset[str]:
    """Return a list of atoms (flags) as strings; an empty set for any other token."""
    if not isinstance(token, list):
        return frozenset()
    return frozenset(word.decode("latin-1") for word in token if isinstance(word, bytes))


def numbers(text: str, most: int) -> list[int]:
    """Expand a UID set: "3:5,9" gives [3, 4, 5, 9], in the order of the text.

    Args:
        text: the set.
        most: the most numbers that the set may name.

    Raises:
        ValueError: the text is not a set, names more than `most` numbers, or names numbers that are not UIDs.

    Source:
        RFC 9051, section 9 (sequence-set, nz-number).
    """
    expanded: list[int] = []
    for part in text.split(",", most):
        low, colon, high = part.partition(":")
        first, last = int(low), int(high if colon else low)
        if not (0 < first <= UID_MOST and 0 < last <= UID_MOST and abs(last - first) < most - len(expanded)):
            raise ValueError("not such a set")
        expanded.extend(range(first, last + 1) if first <= last else range(first, last - 1, -1))
    return expanded


def compact(uids: list[int]) -> bytes:
    """Return sorted, distinct UIDs as the shortest set: [3, 4, 5, 9] gives "3:5,9"."""
    runs: list[str] = []
    start = 0
    for index in range(1, len(uids) + 1):
        if index == len(uids) or uids[index] != uids[index - 1] + 1:
            first, last = uids[start], uids[index - 1]
            runs.append(f"{first}:{last}" if last > first else f"{first}")
            start = index
    return ",".join(runs).encode()


def quoted(name: bytes) -> bytes:
    """Return a mailbox name in modified UTF-7 as a quoted string."""
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def status_command(name: bytes, *items: str) -> bytes:
    """Return the command that asks for STATUS items of a mailbox (its encoded name)."""
    return b"STATUS " + quoted(name) + b" (" + " ".join(items).encode() + b")"


def named_in(parts: Parts) -> bytes:
    """Return the encoded mailbox name in a STATUS response; INBOX in upper case."""
    name = tokens(parts)[1]
    raw = name if isinstance(name, bytes) else b""
    return b"INBOX" if raw.upper() == b"INBOX" else raw


def status_of(parts: Parts) -> dict[str, str]:
    """Return the items of an untagged STATUS response by upper-case name; {} for any other response.

    Ids come without their parentheses.
    """
    if parts[0][2:9].upper() != b"STATUS ":
        return {}
    items = tokens(parts)[-1]
    pairs = iter(items if isinstance(items, list) else [])
    return {_text(name).upper(): _text(value) for name, value in zip(pairs, pairs, strict=False)}


def _text(token: Token) -> str:
    if isinstance(token, list):
        token = token[0] if token else b""
    return token.decode("latin-1") if isinstance(token, bytes) else ""
