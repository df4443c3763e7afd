"""Tell whoever listens of every whole exchange of a practice server, as it was on the wire.

TAPS listen to the servers that start after listen() was called. What is larger than MOST is not held, and
not told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from practice.harness.served import Served
from servers.faulty.plan import Kind

MOST = 2_000_000
FAULTS = "practice.faults"
"""Where an answer says in the scope what was done to it on purpose."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A request and its whole answer. server: its name; target: path and query as they were asked for; agent:
    the User-Agent of the request; faults: what was done to the answer on purpose."""

    server: str
    method: str
    target: str
    agent: str
    request: bytes
    status: int
    content_type: str
    answer: bytes
    faults: frozenset[Kind] = frozenset()


Tap = Callable[[Exchanged], None]
TAPS: list[Tap] = []


def listen() -> None:
    """Every practice server that starts from now on tells TAPS."""
    Served.around.append(lambda app, server: Tapped(app, server, TAPS))


class Tapped:
    """The same application. A request or an answer that is cut off is no exchange."""

    def __init__(self, app: ASGIApp, server: str, taps: Sequence[Tap]) -> None:
        self._app, self._server, self._taps = app, server, taps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._taps:
            await self._app(scope, receive, send)
            return
        heard = _Heard()

        async def received() -> Message:
            message = await receive()
            heard.hear(message)
            return message

        async def sent(message: Message) -> None:
            if heard.is_whole(message):  # told before the client can have it all
                self._tell(scope, heard)
            await send(message)

        await self._app(scope, received, sent)

    def _tell(self, scope: Scope, heard: _Heard) -> None:
        query = scope["query_string"].decode("ascii", "replace")
        path = scope.get("raw_path", b"").partition(b"?")[0].decode("ascii", "replace")
        exchanged = Exchanged(
            server=self._server,
            method=scope["method"],
            target=f"{path}?{query}" if query else path,
            agent=_header(scope["headers"], b"user-agent"),
            request=b"".join(heard.asked),
            status=heard.status,
            content_type=_header(heard.headers, b"content-type"),
            answer=b"".join(heard.answered),
            faults=scope.get(FAULTS, frozenset()),
        )
        for tap in self._taps:
            tap(exchanged)


@dataclass(slots=True)
class _Heard:
    """What passed of one exchange so far. asks: the request is not whole yet; cut: whoever asked went away
    before it was; size: of the answer; told: it was whole already."""

    asked: list[bytes] = field(default_factory=list)
    answered: list[bytes] = field(default_factory=list)
    status: int = 0
    headers: Sequence[tuple[bytes, bytes]] = ()
    size: int = 0
    told: bool = False
    asks: bool = True
    cut: bool = False

    def hear(self, message: Message) -> None:
        """Take a message of whoever asks."""
        if message["type"] == "http.disconnect":
            self.cut = self.cut or self.asks
            return
        self.asked.append(message.get("body", b""))
        self.asks = bool(message.get("more_body", False))

    def is_whole(self, message: Message) -> bool:
        """Whether the answer is whole with this message, for the first time, and small enough."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
            return False
        piece = message.get("body", b"")
        self.size += len(piece)
        if self.size > MOST:
            self.answered.clear()
            return False
        self.answered.append(piece)
        length = _header(self.headers, b"content-length")
        whole = not self.cut and (not message.get("more_body", False) or length == str(self.size))
        first, self.told = whole and not self.told, whole or self.told
        return first


def _header(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in headers if name.lower() == wanted), "")
