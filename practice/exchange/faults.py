"""What a drawn fault does to a reply: the plan says which, this module says how it looks on the wire."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from practice.exchange.soap import (
    Call,
    Dialect,
    EwsError,
    SoapFault,
    backoff_detail,
    failed,
    failure,
    value_detail,
)
from practice.exchange.wire import INTACT, Damage, Reply
from practice.harness.faults import Fault, Kind, Poison

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

    def check(self, item_id: str, *, mime: bool) -> None:
        """Raises the item's EwsError, if it has one."""
        error = self.errors.get(item_id) or (self.bodies.get(item_id) if mime else None)
        if error is not None:
            raise error

    def variant(self, item_id: str) -> int:
        return int(item_id in self.rebuilt)

    def check_state(self, *, given: bool) -> None:
        """Raises EwsError when the state given is to be refused; none given cannot be."""
        if given and self.lost_state:
            raise lost_state()


NO_HITS = Hits()


def lost_state() -> EwsError:
    return EwsError(
        "ErrorInvalidSyncStateData", "Synchronization state data is corrupt or otherwise invalid."
    )


@dataclass(frozen=True, slots=True)
class Effects:
    """reply replaces the answer; damage befalls it; hits are faults inside of it."""

    reply: Reply | None = None
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
    slow = kinds.get(Kind.SLOW)
    return Effects(
        reply=reply,
        damage=Damage(delay=slow.seconds if slow else 0.0, cut=Kind.CUT_MID_BODY in kinds),
        hits=_hits(drawn),
        unauthorized=Kind.EXPIRED_TOKEN in kinds,
        faults=frozenset(kinds),
    )


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


def _unavailable(fault: Fault, _: Dialect, __: Call, ___: Sequence[str]) -> Reply:
    """Retry-After is in whole seconds (RFC 9110, 10.2.3)."""
    head = {"Retry-After": str(math.ceil(fault.seconds))}
    return Reply(503, "text/html", iter([b"<html><body>Service Unavailable</body></html>"]), head)


def _soap_busy(fault: Fault, dialect: Dialect, _: Call, __: Sequence[str]) -> Reply:
    body = dialect.fault(SoapFault("ErrorServerBusy", _BUSY, detail=backoff_detail(fault.millis)))
    return Reply(500, dialect.content_type, iter([body]))


def _inner_busy(fault: Fault, dialect: Dialect, call: Call, items: Sequence[str]) -> Reply:
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
    return Reply(200, dialect.content_type, pieces)


def _error_page(_: Fault, __: Dialect, ___: Call, ____: Sequence[str]) -> Reply:
    return Reply(200, "text/html; charset=utf-8", iter([_PAGE]))


def _poison(fault: Fault, dialect: Dialect, _: Call, __: Sequence[str]) -> Reply:
    if fault.how is Poison.HANG:
        return Reply(500, "text/html", iter([_PAGE]), damage=Damage(delay=_HANG_SECONDS))
    if fault.how is Poison.GARBAGE:
        return Reply(200, dialect.content_type, iter([dialect.head + b"<m:GetItemResponse \xff\x00<<&"]))
    return Reply(500, "text/html", iter([_PAGE]))


_REPLIES: dict[Kind, Callable[[Fault, Dialect, Call, Sequence[str]], Reply]] = {
    Kind.HTTP_503: _unavailable,
    Kind.SOAP_SERVER_BUSY: _soap_busy,
    Kind.INNER_BUSY: _inner_busy,
    Kind.ERROR_PAGE: _error_page,
    Kind.POISON_ITEM: _poison,
}
