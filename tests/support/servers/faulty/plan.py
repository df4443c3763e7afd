"""A seeded plan of what goes wrong at the practice servers, and when.

The server asks `plan.draw` once per call and does what the answer says. Chance depends on the seed, the
operation, the target and how often it was asked, not on the order of other calls. A passing fault of
one kind hits one target at most `budget` times, so that every run ends; poison_item and
mime_conversion_failed never pass.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from practice.harness.dice import Dice


class Kind(StrEnum):
    """HTTP_503             status 503 with Retry-After: seconds
    SOAP_SERVER_BUSY     HTTP 500, SOAP fault ErrorServerBusy with BackOffMilliseconds: millis
    ITEM_SERVER_BUSY     the same code in the response message of item
    INNER_BUSY           HTTP 200, ErrorInternalServerError whose inner error is ErrorServerBusy
    CUT_MID_BODY         the connection ends in the middle of the reply
    SLOW                 seconds pass before the reply
    POISON_ITEM          while item is in the batch, the whole call fails as `how` says
    MIME_CONVERSION_FAILED  item answers ErrorMimeContentConversionFailed whenever its MIME is asked
    INVALID_SYNC_STATE   ErrorInvalidSyncStateData
    EXPIRED_TOKEN        HTTP 401
    REBUILD_MIME         item's MIME comes with other boundaries and folding
    ERROR_PAGE           HTTP 200 with an HTML page
    VANISH               item answers ErrorItemNotFound, as if deleted after it was listed; see
                         FaultPlan.on_vanish
    EMPTY_ITEM           item's response message is a success that holds nothing
    LEFT_OUT             the reply has no response message about item
    """

    HTTP_503 = "http_503"
    SOAP_SERVER_BUSY = "soap_server_busy"
    ITEM_SERVER_BUSY = "item_server_busy"
    INNER_BUSY = "inner_busy"
    CUT_MID_BODY = "cut_mid_body"
    SLOW = "slow"
    POISON_ITEM = "poison_item"
    MIME_CONVERSION_FAILED = "mime_conversion_failed"
    INVALID_SYNC_STATE = "invalid_sync_state"
    EXPIRED_TOKEN = "expired_token"
    REBUILD_MIME = "rebuild_mime"
    ERROR_PAGE = "error_page"
    VANISH = "vanish"
    EMPTY_ITEM = "empty_item"
    LEFT_OUT = "left_out"


PERMANENT = frozenset({Kind.POISON_ITEM, Kind.MIME_CONVERSION_FAILED, Kind.VANISH})
PER_ITEM = frozenset(
    {
        Kind.ITEM_SERVER_BUSY,
        Kind.POISON_ITEM,
        Kind.MIME_CONVERSION_FAILED,
        Kind.REBUILD_MIME,
        Kind.VANISH,
        Kind.EMPTY_ITEM,
        Kind.LEFT_OUT,
    }
)
ITEM_READS = frozenset({"GetItem", "ReadItem", "ReadMime", "Download"})
"""The operations that name items: EWS's, and those of the practice Graph."""
OPERATIONS: Mapping[Kind, frozenset[str]] = {
    Kind.INVALID_SYNC_STATE: frozenset({"SyncFolderItems", "Delta", "DriveDelta"}),
    **dict.fromkeys(PER_ITEM, ITEM_READS),
    **dict.fromkeys((Kind.EMPTY_ITEM, Kind.LEFT_OUT), frozenset({"GetItem"})),
}
"""Where chance may strike; a kind not named here may strike any operation. Scripts may do anything."""


class Poison(StrEnum):
    """What a call answers while a poison item is in it."""

    HTTP_500 = "500"
    HANG = "hang"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True)
class Fault:
    """item is set for the kinds in PER_ITEM; a scripted one may leave it None: the call's first item."""

    kind: Kind
    item: str | None = None
    seconds: float = 1.0
    millis: int = 1000
    how: Poison = Poison.HTTP_500


def http_503(retry_after: float = 1.0) -> Fault:
    return Fault(Kind.HTTP_503, seconds=retry_after)


def soap_server_busy(back_off_ms: int = 1000) -> Fault:
    return Fault(Kind.SOAP_SERVER_BUSY, millis=back_off_ms)


def item_server_busy(item: str | None = None, back_off_ms: int = 1000) -> Fault:
    return Fault(Kind.ITEM_SERVER_BUSY, item, millis=back_off_ms)


def inner_busy(back_off_ms: int = 1000) -> Fault:
    return Fault(Kind.INNER_BUSY, millis=back_off_ms)


def cut_mid_body() -> Fault:
    return Fault(Kind.CUT_MID_BODY)


def slow(seconds: float) -> Fault:
    return Fault(Kind.SLOW, seconds=seconds)


def poison_item(item: str, how: Poison = Poison.HTTP_500) -> Fault:
    return Fault(Kind.POISON_ITEM, item, how=how)


def mime_conversion_failed(item: str) -> Fault:
    return Fault(Kind.MIME_CONVERSION_FAILED, item)


def invalid_sync_state() -> Fault:
    return Fault(Kind.INVALID_SYNC_STATE)


def expired_token() -> Fault:
    return Fault(Kind.EXPIRED_TOKEN)


def rebuild_mime(item: str) -> Fault:
    return Fault(Kind.REBUILD_MIME, item)


def error_page() -> Fault:
    return Fault(Kind.ERROR_PAGE)


def vanish(item: str) -> Fault:
    return Fault(Kind.VANISH, item)


def empty_item(item: str | None = None) -> Fault:
    return Fault(Kind.EMPTY_ITEM, item)


def left_out(item: str | None = None) -> Fault:
    return Fault(Kind.LEFT_OUT, item)


@dataclass(slots=True)
class FaultPlan:
    """Thread-safe. rates: probability per call, or per item for the kinds in PER_ITEM. For the
    permanent kinds it decides once which items are afflicted, for ever. shapes: how chance's faults
    look (delays, poison). struck counts what was handed out, by kind. on_vanish(mailbox, item) is called
    when VANISH strikes: World.vanish makes it true, or the item goes on being listed. known: of how many
    targets it is remembered how often they were asked and hit; None: of all."""

    seed: int = 0
    rates: Mapping[Kind, float] = field(default_factory=dict)
    budget: int = 2
    shapes: Mapping[Kind, Fault] = field(default_factory=dict)
    on_vanish: Callable[[str, str], None] | None = None
    known: int | None = None
    struck: dict[Kind, int] = field(default_factory=dict)
    _scripts: dict[tuple[str, int], list[Fault]] = field(default_factory=dict)
    _always: list[Fault] = field(default_factory=list)
    _calls: dict[str, int] = field(default_factory=dict)
    _asked: dict[tuple[Kind, str], int] = field(default_factory=dict)
    _spent: dict[tuple[Kind, str], int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def none(cls) -> FaultPlan:
        return cls()

    def script(self, operation: str, nth: int, fault: Fault) -> None:
        """fault strikes the nth call (from 1) of operation, counted over all mailboxes from now on, once."""
        with self._lock:
            at = self._calls.get(operation, 0) + nth
            self._scripts.setdefault((operation, at), []).append(fault)

    def afflict(self, fault: Fault) -> None:
        """Strikes every read (ITEM_READS) that names fault.item, until `heal`."""
        with self._lock:
            self._always.append(fault)

    def heal(self) -> None:
        """Nothing goes wrong any more: drops rates, scripts and afflictions."""
        with self._lock:
            self.rates = {}
            self._scripts.clear()
            self._always.clear()

    def calls(self, operation: str) -> int:
        """How many calls of operation were drawn so far."""
        return self._calls.get(operation, 0)

    def draw(self, operation: str, mailbox: str = "", item_ids: Iterable[str] = ()) -> list[Fault]:
        """What goes wrong with this call, in no particular order; mostly nothing."""
        items = tuple(item_ids)
        with self._lock:
            faults = self._drawn(operation, mailbox, items)
            for fault in faults:
                self.struck[fault.kind] = self.struck.get(fault.kind, 0) + 1
        # Outside of the plan's lock: the callback takes the world's, whose holder may be drawing.
        for fault in faults:
            if fault.kind is Kind.VANISH and fault.item and self.on_vanish:
                self.on_vanish(mailbox, fault.item)
        return faults

    def _drawn(self, operation: str, mailbox: str, items: tuple[str, ...]) -> list[Fault]:
        nth = self._calls[operation] = self._calls.get(operation, 0) + 1
        faults = [self._bound(fault, items) for fault in self._scripts.pop((operation, nth), [])]
        if operation in ITEM_READS:
            faults += [fault for fault in self._always if fault.item in items]
        for kind, rate in self.rates.items():
            if rate and operation in OPERATIONS.get(kind, (operation,)):
                faults += self._by_chance(kind, rate, operation, mailbox, items)
        return faults

    def _bound(self, fault: Fault, items: tuple[str, ...]) -> Fault:
        if fault.kind in PER_ITEM and fault.item is None and items:
            return replace(fault, item=items[0])
        return fault

    def _by_chance(
        self, kind: Kind, rate: float, operation: str, mailbox: str, items: tuple[str, ...]
    ) -> list[Fault]:
        shape = self.shapes.get(kind, Fault(kind))
        if kind not in PER_ITEM:
            return [shape] if self._strikes(kind, rate, f"{operation}/{mailbox}") else []
        return [replace(shape, item=item) for item in items if self._strikes(kind, rate, item)]

    def _strikes(self, kind: Kind, rate: float, target: str) -> bool:
        if kind in PERMANENT:
            return Dice(self.seed, kind, target).chance(rate)
        key = (kind, target)
        asked = self._asked[key] = self._asked.pop(key, 0) + 1
        if self.known is not None and len(self._asked) > self.known:
            oldest = next(iter(self._asked))
            del self._asked[oldest]
            self._spent.pop(oldest, None)
        if self._spent.get(key, 0) >= self.budget or not Dice(self.seed, kind, target, asked).chance(rate):
            return False
        self._spent[key] = self._spent.get(key, 0) + 1
        return True
