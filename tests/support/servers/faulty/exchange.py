"""A practice Exchange that goes wrong on purpose: the plan says when, this module how it looks on the wire.

with FaultyExchange(World(seed=1), faults=FaultPlan(seed=2, rates={Kind.SLOW: 0.1})) as server: ...
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from practice.exchange.app import Exchange, plain_name
from practice.exchange.auth import BASIC_REALM, EXPIRED, Caller, Unauthorized
from practice.exchange.context import Context
from practice.exchange.items import get_item
from practice.exchange.properties import read_attachment_id
from practice.exchange.server import ExchangeServer
from practice.exchange.shape import parse_shape
from practice.exchange.soap import (
    Call,
    Dialect,
    EwsError,
    M,
    SoapFault,
    T,
    failed,
    failure,
    message,
    value_detail,
)
from practice.exchange.wire import Reply
from practice.world.world import World
from servers.faulty.plan import Fault, FaultPlan, Kind, Poison
from servers.faulty.wire import INTACT, Damage, DamagedReply, damage_of, damaged

_BUSY = "The server cannot service this request right now. Try again later."
_PAGE = (
    b"<!DOCTYPE html><html><head><title>Runtime Error</title></head><body><h1>Server Error</h1></body></html>"
)
_HANG_SECONDS = 3600.0
_SYNC_TAIL = "<m:SyncState/><m:IncludesLast{0}InRange>true</m:IncludesLast{0}InRange>"
_TAILS = {
    "GetItem": "<m:Items/>",
    "GetFolder": "<m:Folders/>",
    "GetAttachment": "<m:Attachments/>",
    "SyncFolderItems": _SYNC_TAIL.format("Item"),
}
_BARE = frozenset({"GetInboxRules", "GetDelegate"})


def backoff_detail(milliseconds: int) -> str:
    """Return how long a client is to wait, for MessageXml."""
    return value_detail("BackOffMilliseconds", str(milliseconds))


@dataclass(frozen=True, slots=True)
class Hits:
    """Faults of single items, by id, and of the sync state. bodies: only when the MIME is asked for. empty:
    a success without the item; left_out: no word about it."""

    errors: Mapping[str, EwsError] = field(default_factory=dict)
    bodies: Mapping[str, EwsError] = field(default_factory=dict)
    rebuilt: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    lost_state: bool = False

    def error(self, item_id: str, *, mime: bool) -> EwsError | None:
        """The item's, if it has one."""
        return self.errors.get(item_id) or (self.bodies.get(item_id) if mime else None)


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


def realise(drawn: Sequence[Fault], dialect: Dialect, call: Call, items: Sequence[str]) -> Effects:
    """Of several faults that replace the answer, the first in the order of _REPLIES."""
    if not drawn:
        return NO_EFFECTS
    kinds = {fault.kind: fault for fault in drawn}
    reply = next(
        (write(kinds[kind], dialect, call, items) for kind, write in _REPLIES.items() if kind in kinds), None
    )
    unauthorized = Kind.EXPIRED_TOKEN in kinds
    return Effects(reply, damage_of(kinds), _hits(drawn), unauthorized, frozenset(kinds))


def _hits(drawn: Iterable[Fault]) -> Hits:
    errors: dict[str, EwsError] = {}
    bodies: dict[str, EwsError] = {}
    sets: dict[Kind, set[str]] = {kind: set() for kind in (Kind.REBUILD_MIME, Kind.EMPTY_ITEM, Kind.LEFT_OUT)}
    lost = False
    for fault in drawn:
        item = fault.item or ""
        if fault.kind is Kind.ITEM_SERVER_BUSY:
            errors[item] = EwsError("ErrorServerBusy", _BUSY, detail=backoff_detail(fault.millis))
        elif fault.kind is Kind.VANISH:
            errors[item] = EwsError("ErrorItemNotFound", "The specified object was not found in the store.")
        elif fault.kind is Kind.MIME_CONVERSION_FAILED:
            bodies[item] = EwsError("ErrorMimeContentConversionFailed", "Content conversion failed.")
        elif fault.kind in sets:
            sets[fault.kind].add(item)
        elif fault.kind is Kind.INVALID_SYNC_STATE:
            lost = True
    rebuilt, empty, left_out = map(frozenset, sets.values())
    return Hits(errors, bodies, rebuilt, empty, left_out, lost)


def _unavailable(fault: Fault, _: Dialect, __: Call, ___: Sequence[str]) -> DamagedReply:
    """Retry-After is in whole seconds (RFC 9110, 10.2.3)."""
    head = {"Retry-After": str(math.ceil(fault.seconds))}
    return DamagedReply(503, "text/html", iter([b"<html><body>Service Unavailable</body></html>"]), head)


def _soap_busy(fault: Fault, dialect: Dialect, _: Call, __: Sequence[str]) -> DamagedReply:
    body = dialect.fault(SoapFault("ErrorServerBusy", _BUSY, detail=backoff_detail(fault.millis)))
    return DamagedReply(500, dialect.content_type, iter([body]))


def _inner_busy(fault: Fault, dialect: Dialect, call: Call, items: Sequence[str]) -> DamagedReply:
    """One failed message for each item asked for, or one for the call."""
    detail = (
        value_detail("InnerErrorMessageText", _BUSY)
        + value_detail("InnerErrorResponseCode", "ErrorServerBusy")
        + backoff_detail(fault.millis)
    )
    error = EwsError(
        "ErrorInternalServerError", "An internal server error occurred. The operation failed.", detail=detail
    )
    name = call.operation
    if name in _BARE:
        answer = name.removesuffix("Request")
        inner = f"{failed(error)}<m:MessageXml>{detail}</m:MessageXml>"
        pieces = dialect.bare(f'<m:{answer}Response ResponseClass="Error">{inner}</m:{answer}Response>')
    else:
        each = failure(name, error, _TAILS.get(name, "")).encode()
        pieces = dialect.envelope(name, [each] * max(len(items), 1))
    return DamagedReply(200, dialect.content_type, pieces)


def _error_page(_: Fault, __: Dialect, ___: Call, ____: Sequence[str]) -> DamagedReply:
    return DamagedReply(200, "text/html; charset=utf-8", iter([_PAGE]))


def _poison(fault: Fault, dialect: Dialect, _: Call, __: Sequence[str]) -> DamagedReply:
    if fault.how is Poison.HANG:
        return DamagedReply(500, "text/html", iter([_PAGE]), damage=Damage(delay=_HANG_SECONDS))
    if fault.how is Poison.GARBAGE:
        return DamagedReply(
            200, dialect.content_type, iter([dialect.head + b"<m:GetItemResponse \xff\x00<<&"])
        )
    return DamagedReply(500, "text/html", iter([_PAGE]))


_REPLIES: dict[Kind, Callable[[Fault, Dialect, Call, Sequence[str]], DamagedReply]] = {
    Kind.HTTP_503: _unavailable,
    Kind.SOAP_SERVER_BUSY: _soap_busy,
    Kind.INNER_BUSY: _inner_busy,
    Kind.ERROR_PAGE: _error_page,
    Kind.POISON_ITEM: _poison,
}


class FaultyApp(Exchange):
    """trickle: seconds between pieces of 512 bytes of every reply; None: no trickle."""

    faults: FaultPlan | None = None
    trickle: float | None = None

    def replied(self, caller: Caller, context: Context, call: Call) -> Reply:
        own = context.session.own
        effects = self._effects(call, own.address if own else caller.login)
        if effects.unauthorized:
            self.tokens.revoke(caller.token or "")
            raise Unauthorized(BASIC_REALM if caller.token is None else EXPIRED)
        if effects.reply is not None:
            return replace(effects.reply, faults=effects.faults)
        if effects.hits.lost_state:
            call = _with_lost_state(call)
        if call.operation == "GetItem" and effects.hits is not NO_HITS:
            pieces = self.dialect.envelope(call.operation, _stricken(context, call, effects.hits))
        else:
            pieces = self.pieces(context, call)
        damage = replace(effects.damage, trickle=self.trickle)
        return damaged(Reply(200, self.dialect.content_type, pieces), damage, effects.faults)

    def _effects(self, call: Call, address: str) -> Effects:
        if self.faults is None:
            return NO_EFFECTS
        items = item_ids(call)
        return realise(self.faults.draw(plain_name(call), address, items), self.dialect, call, items)


class FaultyExchange(ExchangeServer):
    """An ExchangeServer with faults, which may be replaced at any time."""

    answering = FaultyApp
    _exchange: FaultyApp

    def __init__(self, world: World, *, faults: FaultPlan | None = None, **given: Any) -> None:
        """given: of ExchangeServer."""
        super().__init__(world, **given)
        self.faults = faults

    @property
    def faults(self) -> FaultPlan | None:
        return self._exchange.faults

    @faults.setter
    def faults(self, faults: FaultPlan | None) -> None:
        self._exchange.faults = faults

    @property
    def trickle(self) -> float | None:
        return self._exchange.trickle

    @trickle.setter
    def trickle(self, seconds: float | None) -> None:
        self._exchange.trickle = seconds


def _with_lost_state(call: Call) -> Call:
    """The same call with a state that no server gave, unless it has none."""
    element = deepcopy(call.element)
    for state in element.iter(f"{M}SyncState"):
        state.text = "lost"
    return replace(call, element=element)


def _stricken(context: Context, call: Call, hits: Hits) -> Iterator[bytes]:
    """The response messages of a GetItem with faults of single items."""
    get_item(context, call)  # refuses the whole request, if need be
    mime = parse_shape(call.element.find(f"{M}ItemShape")).mime
    return _messages(context, call, hits, mime=mime)


def _messages(context: Context, call: Call, hits: Hits, *, mime: bool) -> Iterator[bytes]:
    wanted = call.element.find(f"{M}ItemIds")
    for index, each in enumerate(() if wanted is None else wanted):
        item = each.get("Id", "")
        error = hits.error(item, mime=mime)
        if item in hits.left_out:
            continue
        if item in hits.empty:
            yield message("GetItem", "<m:Items/>").encode()
        elif error is not None:
            yield failure("GetItem", error, "<m:Items/>").encode()
        else:
            variant = int(item in hits.rebuilt)
            yield from get_item(replace(context, variant=variant), _only(call, index))


def _only(call: Call, index: int) -> Call:
    """A GetItem of one of the items."""
    element = deepcopy(call.element)
    wanted = element.find(f"{M}ItemIds")
    if wanted is not None:
        wanted[:] = [wanted[index]]
    return replace(call, element=element)


def item_ids(call: Call) -> list[str]:
    """The items a request is about: of GetItem's ids and of GetAttachment's."""
    if call.operation == "GetItem":
        return [each.get("Id", "") for each in call.element.iter(f"{T}ItemId")]
    if call.operation == "GetAttachment":
        return list(_attached(each.get("Id", "") for each in call.element.iter(f"{T}AttachmentId")))
    return []


def _attached(wanted: Iterable[str]) -> Iterator[str]:
    for each in wanted:
        try:
            yield read_attachment_id(each)[0]
        except (binascii.Error, ValueError):
            continue
