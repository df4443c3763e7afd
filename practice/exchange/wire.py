"""A reply on its way out: whole when small, streamed when large, and broken on purpose when asked to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from practice.harness.faults import Kind
from practice.harness.tap import FAULTS

BLOCK = 262_144
TRICKLE_BYTES = 512


@dataclass(frozen=True, slots=True)
class Damage:
    """What the network does to a reply. delay: seconds before the first byte; cut: the connection is
    closed in the middle of the body; trickle: seconds between pieces of 512 bytes, None: no trickle."""

    delay: float = 0.0
    cut: bool = False
    trickle: float | None = None


INTACT = Damage()


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer before it is sent. pieces are pulled while it is sent. faults: what was done to it on
    purpose."""

    status: int
    content_type: str
    pieces: Iterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)
    challenges: tuple[str, ...] = ()
    damage: Damage = INTACT
    faults: frozenset[Kind] = frozenset()


def blocks(pieces: Iterable[bytes], size: int = BLOCK) -> Iterator[bytes]:
    """The same bytes in fewer pieces of at least size."""
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
    """Sends a Reply. A reply of one block has a Content-Length, a longer one is chunked."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(status_code=reply.status)
        self._reply = reply
        self._blocks = blocks(reply.pieces)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        scope[FAULTS] = self._reply.faults
        damage = self._reply.damage
        await anyio.sleep(damage.delay)
        first = await run_in_threadpool(next, self._blocks, b"")
        second = await run_in_threadpool(next, self._blocks, b"") if len(first) >= BLOCK else b""
        length = None if second else len(first)
        await send(
            {"type": "http.response.start", "status": self._reply.status, "headers": self._head(length)}
        )
        if damage.cut:
            await _body(send, first[: max(len(first) // 2, 1)])
            return  # the server closes a connection whose answer is not complete
        if damage.trickle is not None:
            await self._trickle(send, first, damage.trickle)
        else:
            await _body(send, first)
        await _body(send, second)
        while second:
            second = await run_in_threadpool(next, self._blocks, b"")
            await _body(send, second)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _head(self, length: int | None) -> list[tuple[bytes, bytes]]:
        head = {"content-type": self._reply.content_type, **self._reply.headers}
        if length is not None:
            head["content-length"] = str(length)
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head.items()]
        return pairs + [(b"www-authenticate", value.encode("latin-1")) for value in self._reply.challenges]

    async def _trickle(self, send: Send, data: bytes, pause: float) -> None:
        for start in range(0, len(data), TRICKLE_BYTES):
            await _body(send, data[start : start + TRICKLE_BYTES])
            await anyio.sleep(pause)


async def _body(send: Send, data: bytes) -> None:
    if data:
        await send({"type": "http.response.body", "body": data, "more_body": True})
