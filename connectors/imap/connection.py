"""One IMAP connection, its responses parsed as they stream in, its literals as they go out.

imapclient connects and logs in; from then on every command runs here. Its own fetch parser reads
byte by byte in Python, and its multiappend neither streams nor tells a refusal (measured with 4.1).
Errors: Transient for whatever breaks a connection. A server's refusal is a Reply, not an error.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
import socket
import weakref
from collections.abc import Callable, Iterator
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
"""What a server may say beside a refusal, by the registry of response codes (RFC 5530 and others): words that
name nobody. TIMEOUT is Dovecot's."""

Token = bytes | None | list["Token"]
Parts = list[bytes]

_LITERAL = re.compile(rb"~?\{(\d+)\}\r\n\Z")
# Possessive, bounded, and a quote that nobody closes ends with the text: no reply costs more than its length.
_TOKEN = re.compile(
    rb'"((?:[^"\\]++|\\.)*+)(?:"|\\?\Z)|((?:BODY|BINARY)\[[^\]]{0,500}+\](?:<\d{1,20}>)?|[^\s()"]+)|([()])',
    re.IGNORECASE | re.DOTALL,
)
_CODE = re.compile(rb"\[([^\]]*)\] ?")


class _Nonsense(Exception):
    """Never leaves this file: what came is no IMAP, or more than was asked for."""


@dataclass(frozen=True, slots=True)
class TaggedReply:
    """A tagged reply: OK, NO or BAD; code is the bracketed response code ("APPENDUID 7 3:9" or ""). said:
    of a refusal, its human-readable text; nothing shows it, for it may name people."""

    status: str
    code: str = ""
    said: ServerWords = field(default=NOTHING, compare=False, repr=False)

    @property
    def ok(self) -> bool:
        return self.status == "OK"

    @property
    def reason(self) -> str:
        """The response code's first word, upper case."""
        return self.code.split(" ", 1)[0].upper()

    @property
    def known(self) -> str:
        """The reason, if it is one of RESPONSE_CODES, else ""; it may be told to anyone."""
        return self.reason if self.reason in RESPONSE_CODES else ""


@dataclass(slots=True, weakref_slot=True)
class ImapConnection:
    """One logged-in connection. Not thread-safe, except close().

    imap          imapclient's connection after login; its read and readline are used for input
    literal_most  the most bytes that the literals of one response may have
    reply_most    the most bytes of everything that comes between a command and its tagged reply
    bye           the code of an untagged BYE, once one came; farewell: its text

    Input beyond these bounds, or that cannot be understood, is Transient("protocol-error") and the end of
    the connection.
    """

    imap: imaplib.IMAP4
    literal_most: int = LITERAL_MOST
    reply_most: int = REPLY_MOST
    bye: str | None = None
    farewell: ServerWords = NOTHING
    broken: bool = False
    _closed: bool = False
    _number: int = 0
    _read: int = 0
    _out: list[bytes] = field(default_factory=list)
    _out_size: int = 0
    _deadline: Deadline = field(init=False)

    def __post_init__(self) -> None:
        self._deadline = Deadline(lambda: cut(self.imap.sock))
        weakref.finalize(self, free, self.imap)

    def close(self) -> None:
        """Cuts the connection at once; a thread that reads or sends gets Transient."""
        self._closed = True
        cut(self.imap.sock)

    def dispose(self) -> None:
        """Frees the file descriptors; only from the thread that uses this connection."""
        self.close()
        free(self.imap)

    # -- output

    def begin(self, command: bytes) -> bytes:
        """Queues a tagged command without its line end; returns the tag."""
        self._number += 1
        self._read = 0
        self._deadline = Deadline(lambda: cut(self.imap.sock))
        tag = b"k%d" % self._number
        self.put(tag + b" " + command)
        return tag

    def put(self, data: bytes) -> None:
        """Queues bytes; sends when enough have gathered."""
        self._out.append(data)
        self._out_size += len(data)
        if self._out_size >= SEND_BUFFER:
            self.flush()

    def flush(self) -> None:
        data = b"".join(self._out)
        self._out.clear()
        self._out_size = 0
        with self._translated():
            self.imap.sock.sendall(data)

    def stream(self, body: BinaryIO, size: int, before_last: Callable[[], None]) -> None:
        """Queues exactly size bytes of body in chunks, and calls before_last ahead of the last one.
        A body that ends early breaks the connection: an announced literal cannot be taken back."""
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
        """Breaks off in the middle of a command: what was sent of it must not become effective."""
        self.broken = True
        self._out.clear()
        self._out_size = 0
        cut(self.imap.sock)

    # -- input

    def parts(self) -> Parts:
        """The next response: text, literal, text, ... without the final line end."""
        parts: Parts = []
        left = self.literal_most
        with self._deadline.waiting(), self._translated():
            line = self._line()
            while line.endswith(b"}\r\n") and (found := _LITERAL.search(line)):
                size = int(found[1]) if len(found[1]) < 20 else left + 1
                left -= size
                if left < 0:
                    raise _Nonsense
                literal = self.imap.read(size)
                if len(literal) != size:
                    raise EOFError
                parts += (line[: found.start()], literal)
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

    def until(self, tag: bytes) -> Iterator[Parts | TaggedReply]:
        """Untagged responses, then the tagged Reply. Exhaust it, or the connection is of no use."""
        while True:
            parts = self.parts()
            head = parts[0]
            if head.startswith(b"* "):
                if head[2:5].upper() == b"BYE":
                    self.bye, self.farewell = _code(head[5:].strip()), of_line(head[5:].strip())
                yield parts
            elif head.startswith(tag + b" "):
                yield _reply(head[len(tag) + 1 :])
                return
            elif not head.startswith(b"+"):
                raise self.nonsense()

    def proceed(self, tag: bytes) -> TaggedReply | None:
        """Waits for the server's "+"; a Reply when it refused instead."""
        self.flush()
        while True:
            head = self.parts()[0]
            if head.startswith(b"+"):
                return None
            if head.startswith(tag + b" "):
                return _reply(head[len(tag) + 1 :])

    def run(self, command: bytes, sink: Callable[[Parts], None] | None = None) -> TaggedReply:
        """Runs one command; every untagged response goes to sink."""
        tag = self.begin(command)
        self.put(b"\r\n")
        self.flush()
        return self.finish(tag, sink)

    def finish(self, tag: bytes, sink: Callable[[Parts], None] | None = None) -> TaggedReply:
        """Reads on to the tagged reply."""
        for response in self.until(tag):
            if isinstance(response, TaggedReply):
                return response
            if sink is not None:
                with self._translated():
                    self._told(sink, response)
        raise AssertionError("until() ends with a Reply")

    def _told(self, sink: Callable[[Parts], None], response: Parts) -> None:
        try:
            sink(response)
        except (ValueError, LookupError):  # no number where one must be, an item that is not there
            raise _Nonsense from None

    def nonsense(self) -> Transient:
        """The error for a reply that no server should give; ends the connection."""
        self.abandon()
        return Transient("protocol-error", "the server's reply makes no sense")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
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
        if self._closed:
            return Transient("connection-closed", "closed from our side")
        if self.bye is None:
            return Transient(code)
        return Transient("server-bye").about(TaggedReply("BYE", self.bye).known).said(self.farewell)


def free(imap: imaplib.IMAP4) -> None:
    """Closes the file descriptors; harmless the second time."""
    with contextlib.suppress(OSError, ValueError, imaplib.IMAP4.error):
        imap.shutdown()


def cut(sock: socket.socket | None) -> None:
    """Shuts a socket down in both directions, without TLS's farewell: unblocks whoever waits on it."""
    if sock is not None:
        with contextlib.suppress(OSError):
            # SSLSocket.shutdown would drop its TLS state and let another thread write in the clear
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _reply(text: bytes) -> TaggedReply:
    status, _, rest = text.partition(b" ")
    said = NOTHING if status.upper() == b"OK" else of_line(rest)
    return TaggedReply(status.decode("ascii", "replace").upper(), _code(rest), said)


def _code(text: bytes) -> str:
    found = _CODE.match(text)
    return found[1].decode("ascii", "replace") if found else ""


def response_code(parts: Parts) -> tuple[str, str]:
    """("UIDNEXT", "7") of an untagged `* OK [UIDNEXT 7] ...`; ("", "") when there is none."""
    head = parts[0]
    if head[2:5].upper() not in (b"OK ", b"NO "):
        return "", ""
    name, _, value = _code(head[5:]).partition(" ")
    return name.upper(), value


def tokens(parts: Parts, skip: int = 2) -> list[Token]:
    """A response as nested lists, from the skip-th byte on. NIL is None; literals and strings are bytes."""
    stack: list[list[Token]] = [[]]
    for index, part in enumerate(parts):
        if index % 2:
            stack[-1].append(part)
            continue
        for found in _TOKEN.finditer(part, skip if index == 0 else 0):
            _place(stack, *found.groups(b""))
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
    """The attributes of a `* 3 FETCH (...)`, names in upper case; None for any other response."""
    head = parts[0]
    at = head.find(b" FETCH (", 2, 24)
    if at < 0:
        return None
    found = tokens(parts, at + 7)
    attributes = found[0] if found else None
    if not isinstance(attributes, list):
        return None
    pairs = iter(attributes)
    return {name.upper(): value for name, value in zip(pairs, pairs, strict=False) if isinstance(name, bytes)}


def number(token: Token) -> int | None:
    """A token that is a number of at most 18 digits, else None."""
    return int(token) if isinstance(token, bytes) and token.isdigit() and len(token) <= 18 else None


def words(token: Token) -> frozenset[str]:
    """A list of atoms (flags) as strings."""
    if not isinstance(token, list):
        return frozenset()
    return frozenset(word.decode("latin-1") for word in token if isinstance(word, bytes))


def numbers(text: str, most: int) -> list[int]:
    """A set like "3:5,9" as [3, 4, 5, 9], in the order given. Raises ValueError for what is no set, for
    one of more than most numbers, and for numbers that are no UIDs."""
    found: list[int] = []
    for part in text.split(",", most):
        low, colon, high = part.partition(":")
        first, last = int(low), int(high if colon else low)
        if not (0 < first <= UID_MOST and 0 < last <= UID_MOST and abs(last - first) < most - len(found)):
            raise ValueError("not such a set")
        found.extend(range(first, last + 1) if first <= last else range(first, last - 1, -1))
    return found


def compact(uids: list[int]) -> bytes:
    """Sorted, distinct UIDs as the shortest set: [3, 4, 5, 9] as "3:5,9"."""
    runs: list[str] = []
    start = 0
    for index in range(1, len(uids) + 1):
        if index == len(uids) or uids[index] != uids[index - 1] + 1:
            first, last = uids[start], uids[index - 1]
            runs.append(f"{first}:{last}" if last > first else f"{first}")
            start = index
    return ",".join(runs).encode()


def quoted(name: bytes) -> bytes:
    """A mailbox name in mUTF-7 as a quoted string."""
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def status_of(parts: Parts) -> dict[str, str]:
    """The items of an untagged STATUS response, ids without their parentheses; {} for any other."""
    if parts[0][2:9].upper() != b"STATUS ":
        return {}
    items = tokens(parts)[-1]
    pairs = iter(items if isinstance(items, list) else [])
    return {_text(name).upper(): _text(value) for name, value in zip(pairs, pairs, strict=False)}


def _text(token: Token) -> str:
    if isinstance(token, list):
        token = token[0] if token else b""
    return token.decode("latin-1") if isinstance(token, bytes) else ""
