"""Send a reply: whole when it is small, streamed when it is large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

BLOCK = 262_144


@dataclass(frozen=True, slots=True)
class Reply:
    """Hold an HTTP answer before it is sent.

    Attributes:
        pieces: of the body; they are pulled while it is sent.
        challenges: the WWW-Authenticate headers.
    """

    status: int
    content_type: str
    pieces: Iterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)
    challenges: tuple[str, ...] = ()

    def response(self) -> Response:
        """Return what sends this answer."""
        return WireResponse(self)


def blocks(pieces: Iterable[bytes], size: int = BLOCK) -> Iterator[bytes]:
    """Yield the same bytes in fewer pieces of at least `size`."""
    gathered: list[bytes] = []
    count = 0
    for piece in pieces:
        gathered.append(piece)
        count += len(piece)
        if count >= size:
            yield b"".join(gathered)
            gathered, count = [], 0
    if gathered:
        yield b"".join(gathered)


class WireResponse(Response):
    """Send a Reply. A reply of one block has a Content-Length, a longer one is chunked."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(status_code=reply.status)
        self._reply = reply
        self._blocks = blocks(reply.pieces)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send it."""
        first = await run_in_threadpool(next, self._blocks, b"")
        second = await run_in_threadpool(next, self._blocks, b"") if len(first) >= BLOCK else b""
        length = None if second else len(first)
        await send(
            {"type": "http.response.start", "status": self._reply.status, "headers": self._head(length)}
        )
        await self.first(send, first)
        await body(send, second)
        while second:
            second = await run_in_threadpool(next, self._blocks, b"")
            await body(send, second)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def first(self, send: Send, data: bytes) -> None:
        """Send the first block of the body."""
        await body(send, data)

    def _head(self, length: int | None) -> list[tuple[bytes, bytes]]:
        head = {"content-type": self._reply.content_type, **self._reply.headers}
        if length is not None:
            head["content-length"] = str(length)
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head.items()]
        return pairs + [(b"www-authenticate", value.encode("latin-1")) for value in self._reply.challenges]


async def body(send: Send, data: bytes) -> None:
    """Send a piece of a body, after which more follows."""
    if data:
        await send({"type": "http.response.body", "body": data, "more_body": True})
