"""A practice Graph that goes wrong on purpose; the plan is the Exchange's, too.

Its kinds here: HTTP_503 is a 503, SOAP_SERVER_BUSY a 429, both with Retry-After; INNER_BUSY a 504 of the
gateway; ITEM_SERVER_BUSY a 429 for the item, alone in a batch; INVALID_SYNC_STATE a 410 for whatever token;
EXPIRED_TOKEN a 401 whose token is void from then on. The others are what they are called.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from practice.exchange.wire import Reply
from practice.graph.app import Graph
from practice.graph.batch import answered
from practice.graph.context import Context, Route
from practice.graph.errors import (
    GraphError,
    expired_token,
    lost_sync_state,
    not_found,
    throttled,
    unconvertible,
)
from practice.graph.server import GraphServer
from practice.graph.tokens import App, bearer
from practice.graph.wire import JSON_TYPE, Ask, refused
from practice.graph_items.drives import Token
from practice.world.world import World
from servers.faulty.plan import Fault, FaultPlan, Kind, Poison
from servers.faulty.wire import INTACT, Damage, DamagedReply, damage_of, damaged

_PAGE = (
    b"<!DOCTYPE html><html><head><title>Service Unavailable</title></head><body>Our services</body></html>"
)
_HANG_SECONDS = 3600.0
_BUSY = "Application is over its RequestLimits limit."


def unavailable(seconds: int) -> GraphError:
    """Return a 503 with a time to wait."""
    return GraphError(503, "ServiceUnavailable", "The service is unavailable.", {"Retry-After": str(seconds)})


def timed_out() -> GraphError:
    """Return the gateway's 504."""
    return GraphError(504, "UnknownError", "The request timed out at the gateway.")


@dataclass(frozen=True, slots=True)
class Hits:
    """Faults of single items, by the world's ids, and of the delta token. bodies: of $value alone."""

    errors: Mapping[str, GraphError] = field(default_factory=dict)
    bodies: Mapping[str, GraphError] = field(default_factory=dict)
    rebuilt: frozenset[str] = frozenset()
    lost_state: bool = False

    def check(self, item: str | None, *, mime: bool) -> None:
        """Raises the item's GraphError, if it has one."""
        error = self.errors.get(item or "") or (self.bodies.get(item or "") if mime else None)
        if error is not None:
            raise error


NO_HITS = Hits()


@dataclass(frozen=True, slots=True)
class Effects:
    """reply replaces the answer; damage befalls it; hits are faults inside of it."""

    reply: DamagedReply | None = None
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
    return Effects(reply, damage_of(kinds), _hits(drawn), Kind.EXPIRED_TOKEN in kinds, frozenset(kinds))


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


def _refused(error: GraphError) -> DamagedReply:
    return damaged(refused(error), INTACT, frozenset())


def _poison(fault: Fault) -> DamagedReply:
    if fault.how is Poison.HANG:
        return DamagedReply(500, "text/html", iter([_PAGE]), damage=Damage(delay=_HANG_SECONDS))
    if fault.how is Poison.GARBAGE:
        return DamagedReply(200, JSON_TYPE, iter([b'{"value": [{"id": "\xff\x00']))
    return _refused(GraphError(500, "ErrorInternalServerError", "An internal server error occurred."))


_REPLIES: dict[Kind, Callable[[Fault], DamagedReply]] = {
    Kind.HTTP_503: lambda fault: _refused(unavailable(math.ceil(fault.seconds))),
    Kind.SOAP_SERVER_BUSY: lambda fault: _refused(throttled(_BUSY, math.ceil(fault.millis / 1000))),
    Kind.INNER_BUSY: lambda _: _refused(timed_out()),
    Kind.ERROR_PAGE: lambda _: DamagedReply(200, "text/html; charset=utf-8", iter([_PAGE])),
    Kind.POISON_ITEM: _poison,
}


class FaultyApp(Graph):
    """Answers as its plan has it."""

    faults: FaultPlan | None = None

    def replied(self, context: Context, route: Route) -> Reply:
        item = self._named(context, route)
        address = context.mailbox.address if context.mailbox else context.app.client_id
        effects = self._effects(route.operation, address, item)
        if effects.unauthorized:
            self.entra.revoke(bearer(context.ask.headers))
            raise expired_token()
        if effects.reply is not None:
            return replace(effects.reply, faults=effects.faults)
        effects.hits.check(item, mime=route.operation == "ReadMime")
        if effects.hits.lost_state:
            context = _with_lost_state(context)
        reply = super().replied(replace(context, variant=int(item in effects.hits.rebuilt)), route)
        return damaged(reply, effects.damage, effects.faults)

    def batched(self, ask: Ask, app: App) -> Reply:
        effects = self._effects("Batch", app.client_id, None)
        if effects.reply is not None:
            return replace(effects.reply, faults=effects.faults)
        parts: list[DamagedReply] = []

        def wave(asks: list[Ask]) -> list[Reply]:
            replies = self.wave(asks)
            parts.extend(reply for reply in replies if isinstance(reply, DamagedReply))
            return replies

        reply = answered(ask, wave)
        damage = Damage(
            max((part.damage.delay for part in parts), default=0.0), any(part.damage.cut for part in parts)
        )
        faults = frozenset(kind for part in parts for kind in part.faults)
        return damaged(reply, damage if effects is NO_EFFECTS else effects.damage, faults)

    def _named(self, context: Context, route: Route) -> str | None:
        """The world's id of the item that the address names."""
        if route.item is None or context.mailbox is None:
            return None
        try:
            with self.world.lock:
                return context.item(context.names[route.item]).id
        except GraphError:
            return None

    def _effects(self, operation: str, address: str, item: str | None) -> Effects:
        if self.faults is None:
            return NO_EFFECTS
        return realise(self.faults.draw(operation, address, () if item is None else (item,)))


def _with_lost_state(context: Context) -> Context:
    """The same question with a token of a drive that the server forgot. Raises GraphError for a mailbox's."""
    query = context.ask.query
    if "$skiptoken" in query or "$deltatoken" in query:
        raise lost_sync_state()
    given = query.get("token", "latest")
    if given == "latest":
        return context
    token = replace(Token(**json.loads(base64.urlsafe_b64decode(given))), era=-1)
    return replace(context, ask=replace(context.ask, query={**query, "token": token.text()}))


class FaultyGraph(GraphServer):
    """A GraphServer with faults, which may be replaced at any time."""

    answering = FaultyApp
    _graph: FaultyApp

    def __init__(self, world: World, *, faults: FaultPlan | None = None, **given: Any) -> None:
        """given: of GraphServer."""
        super().__init__(world, **given)
        self.faults = faults

    @property
    def faults(self) -> FaultPlan | None:
        return self._graph.faults

    @faults.setter
    def faults(self, faults: FaultPlan | None) -> None:
        self._graph.faults = faults
