"""What a drawn fault does to an answer of the practice Graph: the plan is the Exchange's too.

Its kinds here: HTTP_503 is a 503, SOAP_SERVER_BUSY a 429, both with Retry-After; INNER_BUSY a 504 of the
gateway; ITEM_SERVER_BUSY a 429 for the item, alone in a batch; INVALID_SYNC_STATE a 410 for whatever token;
EXPIRED_TOKEN a 401 whose token is void from then on. The others are what they are called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from practice.exchange.wire import INTACT, Damage, Reply
from practice.graph.context import NO_HITS, Hits
from practice.graph.errors import (
    GraphError,
    not_found,
    throttled,
    timed_out,
    unavailable,
    unconvertible,
)
from practice.graph.wire import JSON_TYPE, refused
from practice.harness.faults import Fault, Kind, Poison

_PAGE = (
    b"<!DOCTYPE html><html><head><title>Service Unavailable</title></head><body>Our services</body></html>"
)
_HANG_SECONDS = 3600.0
_BUSY = "Application is over its RequestLimits limit."


@dataclass(frozen=True, slots=True)
class Effects:
    """reply replaces the answer; damage befalls it; hits are faults inside of it."""

    reply: Reply | None = None
    damage: Damage = INTACT
    hits: Hits = NO_HITS
    unauthorized: bool = False
    faults: frozenset[Kind] = frozenset()


NO_EFFECTS = Effects()


def realise(drawn: Sequence[Fault]) -> Effects:
    """Of several faults that replace the answer, the first in the order of _REPLIES."""
    if not drawn:
        return NO_EFFECTS
    kinds = {fault.kind: fault for fault in drawn}
    reply = next((write(kinds[kind]) for kind, write in _REPLIES.items() if kind in kinds), None)
    slow = kinds.get(Kind.SLOW)
    damage = Damage(delay=slow.seconds if slow else 0.0, cut=Kind.CUT_MID_BODY in kinds)
    return Effects(reply, damage, _hits(drawn), Kind.EXPIRED_TOKEN in kinds, frozenset(kinds))


def _hits(drawn: Iterable[Fault]) -> Hits:
    errors: dict[str, GraphError] = {}
    bodies: dict[str, GraphError] = {}
    rebuilt: set[str] = set()
    lost = False
    for fault in drawn:
        item = fault.item or ""
        if fault.kind is Kind.ITEM_SERVER_BUSY:
            errors[item] = throttled(_BUSY, math.ceil(fault.millis / 1000))
        elif fault.kind is Kind.VANISH:
            errors[item] = not_found()
        elif fault.kind is Kind.MIME_CONVERSION_FAILED:
            bodies[item] = unconvertible()
        elif fault.kind is Kind.REBUILD_MIME:
            rebuilt.add(item)
        elif fault.kind is Kind.INVALID_SYNC_STATE:
            lost = True
    return Hits(errors, bodies, frozenset(rebuilt), lost)


def _poison(fault: Fault) -> Reply:
    if fault.how is Poison.HANG:
        return Reply(500, "text/html", iter([_PAGE]), damage=Damage(delay=_HANG_SECONDS))
    if fault.how is Poison.GARBAGE:
        return Reply(200, JSON_TYPE, iter([b'{"value": [{"id": "\xff\x00']))
    return refused(GraphError(500, "ErrorInternalServerError", "An internal server error occurred."))


_REPLIES: dict[Kind, Callable[[Fault], Reply]] = {
    Kind.HTTP_503: lambda fault: refused(unavailable(math.ceil(fault.seconds))),
    Kind.SOAP_SERVER_BUSY: lambda fault: refused(throttled(_BUSY, math.ceil(fault.millis / 1000))),
    Kind.INNER_BUSY: lambda _: refused(timed_out()),
    Kind.ERROR_PAGE: lambda _: Reply(200, "text/html; charset=utf-8", iter([_PAGE])),
    Kind.POISON_ITEM: _poison,
}
