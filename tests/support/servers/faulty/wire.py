"""A reply that is broken on its way out: late, cut off, in small pieces."""

from __future__ import annotations

from dataclasses import dataclass

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from practice.exchange.wire import Reply, WireResponse, body
from servers.faulty.plan import Fault, Kind
from servers.faulty.tap import FAULTS

TRICKLE_BYTES = 512


@dataclass(frozen=True, slots=True)
class Damage:
    """What the network does to a reply. delay: seconds before the first byte; cut: the connection is
    closed in the middle of the body; trickle: seconds between pieces of 512 bytes, None: no trickle."""

    delay: float = 0.0
    cut: bool = False
    trickle: float | None = None


INTACT = Damage()


def damage_of(kinds: dict[Kind, Fault]) -> Damage:
    """What these faults do to a reply on its way."""
    slow = kinds.get(Kind.SLOW)
    return Damage(delay=slow.seconds if slow else 0.0, cut=Kind.CUT_MID_BODY in kinds)


@dataclass(frozen=True, slots=True)
class DamagedReply(Reply):
    """faults: what was done to it on purpose."""

    damage: Damage = INTACT
    faults: frozenset[Kind] = frozenset()

    def response(self) -> Response:
        return DamagedResponse(self)


def damaged(reply: Reply, damage: Damage, faults: frozenset[Kind]) -> DamagedReply:
    """The same reply with damage."""
    status, content_type, pieces = reply.status, reply.content_type, reply.pieces
    return DamagedReply(status, content_type, pieces, reply.headers, reply.challenges, damage, faults)


class DamagedResponse(WireResponse):
    """Sends a DamagedReply."""

    def __init__(self, reply: DamagedReply) -> None:
        super().__init__(reply)
        self._damage, self._faults = reply.damage, reply.faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[FAULTS] = self._faults
        await anyio.sleep(self._damage.delay)
        try:
            await super().__call__(scope, receive, send)
        except CutError:
            return  # the server closes a connection whose answer is not complete

    async def first(self, send: Send, data: bytes) -> None:
        if self._damage.cut:
            await body(send, data[: max(len(data) // 2, 1)])
            raise CutError
        if self._damage.trickle is None:
            await body(send, data)
            return
        for start in range(0, len(data), TRICKLE_BYTES):
            await body(send, data[start : start + TRICKLE_BYTES])
            await anyio.sleep(self._damage.trickle)


class CutError(Exception):
    """Half of a body was sent, and no more is."""
