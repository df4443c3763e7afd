"""What one worker holds while it works on one leg."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.context.principals import Parties
from engine.context.restored_ledger_breaker import CODE as RESTORED
from engine.context.shrink_guard import ShrinkBreaker
from engine.control.server_words_file import Told, Words
from engine.control.stop_signal import StopRequested, reason
from ledger.db.rows import ContainerRow, ItemRow, MailboxRow, State
from ledger.leg.leg_session import LegLedger
from mappings.fields.context import Context
from mappings.registry import FORMS, ItemForm
from model.errors import Rejected
from model.protocols import Body, Container, Guard, Kind, Source, Target

if TYPE_CHECKING:
    from engine.context.delivered import Delivered

MADE_UIDS = frozenset({Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS, Kind.NOTES})
"""Whose UIDs are made of an item's key, where the source has none."""
_KEY = re.compile(r"[0-9a-f]{32}")
MORE = 1.1
"""How much more than what was approved is still that."""


def utc_now() -> datetime:
    """What time it is."""
    return datetime.now(UTC)


def at_once() -> None:
    """The turn of a leg that never waits for others."""


EACH_WORKLOAD = frozenset({RESTORED})
"""What is approved of a mailbox once, and spent by each of its workloads for itself."""


def spent_as(code: str, workload: Kind | None) -> str:
    """By what name an approval is spent: see Ledger.approved."""
    return f"{code}:{workload}" if workload is not None and code in EACH_WORKLOAD else code


def nothing_approved(_code: str) -> bool:
    """The answer until a person says otherwise."""
    return False


@dataclass(frozen=True, slots=True)
class Opener:
    """How to open both sides of a mailbox; called anew after every fault and for verification. The moment is
    Context.began: what an item at the target means may depend on it. turn: see LegContext."""

    source: Callable[[], Source]
    target: Callable[[Guard, datetime], Target]
    turn: Callable[[], str | None] = at_once


def as_it_is(opener: Opener) -> Opener:
    """The way to both sides that nobody watches over."""
    return opener


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """batch and batch_bytes bound what is in memory at once, twice (one batch is fetched ahead).

    grace     seconds to wait before settling after an owner that did not say goodbye
    patience  faults in a row, without progress between them, before the leg is left waiting
    pause     seconds before the first retry; doubled each time up to pause_most
    killers_rest  seconds after a worker's death, before the item that it was rejected for is tried again
    """

    batch: int = 200
    batch_bytes: int = 10_000_000
    lease: float = 60.0
    margin: float = 10.0
    grace: float = 5.0
    patience: int = 5
    pause: float = 1.0
    pause_most: float = 60.0
    killers_rest: float = 3600.0


@dataclass(slots=True)
class InDoubtWrite:
    """A write of an earlier attempt may still land in a container, not below the position since ("":
    anywhere). digests: what it may be, each with the position its attempt began at; what was changed or
    deleted at the source meanwhile is no longer known from the ledger. names: of files, those it was to get:
    under any other it is somebody's, whatever it holds."""

    since: str
    digests: dict[bytes, str | None] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


@dataclass(slots=True)
class LegContext:
    """One leg in hand. suspects: by container href; swept at the container's end (R6). spent: approvals
    that this pass rested on. artefacts: how subjects of provisioning mail begin. owner, addresses: see
    mappings.fields.context.Context. parties: who those of the source are at the target. delivered: what a
    live target was delivered itself (engine.steps.late_mail). turn: before a batch, waits until the servers
    may be asked for more; a code: the leg is to end with it. began: see mappings.fields.context.Context. now:
    the clock by which a record was read. breaker: of the run, for a source that lost much. words: see
    engine.control.server_words_file."""

    mailbox: MailboxRow
    kind: Kind
    ledger: LegLedger
    source: Source
    target: Target
    guard: Guard
    began: datetime
    pace: BatchLimits
    mirror: bool
    stop: threading.Event = field(default_factory=threading.Event)
    approved: Callable[[str], bool] = nothing_approved
    in_doubt: dict[str, InDoubtWrite] = field(default_factory=dict)
    spent: set[str] = field(default_factory=set)
    artefacts: tuple[str, ...] = ()
    owner: frozenset[str] = frozenset()
    addresses: Mapping[str, str] = field(default_factory=dict)
    parties: Parties = field(default_factory=Parties)
    delivered: Delivered | None = None
    turn: Callable[[], str | None] = at_once
    now: Callable[[], datetime] = utc_now
    breaker: ShrinkBreaker = field(default_factory=ShrinkBreaker)
    words: Words = field(default_factory=lambda: Words(None))
    _ended: str | None = None
    _context: Context | None = None

    @property
    def form(self) -> ItemForm:
        """How this leg's items are mapped and compared."""
        return FORMS[self.kind]

    @property
    def context(self) -> Context:
        """What the mapping is told. Asks the target for its capabilities, once."""
        if self._context is None:
            capabilities, origins = self.target.capabilities, self._origins()
            self._context = Context(capabilities, self.began, self.now(), self.owner, self.addresses, origins)
        return self._context

    def learn_origins(self) -> None:
        """After known items got other ids: what the mapping is told of them changes."""
        self._context = replace(self.context, origins=self._origins())

    def _origins(self) -> dict[bytes, bytes]:
        """See Context.origins. The name that a copy has at the target tells by which key it was made."""
        found = {}
        for key, place in self.ledger.placed_apart().items() if self.kind in MADE_UIDS else ():
            made = _KEY.search(place)
            if made is not None and place == self.named_by(bytes.fromhex(made.group())):
                found[key] = bytes.fromhex(made.group())
        return found

    def reading(self) -> Context:
        """The same, for what is read from the source now."""
        return replace(self.context, read_at=self.now())

    @property
    def owed(self) -> tuple[State, ...]:
        """The states of what is to be written: in staging, also what changed, where a target replaces."""
        replaces = self.mirror and self.context.target.replaces
        return (State.SEEN, State.CHANGED) if replaces else (State.SEEN,)

    def named_by(self, key: bytes) -> str | None:
        """What the ledger keeps as the place of a copy that was made by this key, once its row has another.
        A note, which has no such place, has its Message-ID by the key."""
        return f"note-{key.hex()}" if self.kind is Kind.NOTES else self.target.place(key)

    def is_ours(self, item: ItemRow) -> bool:
        """Whether what the row names at the target was written by us, rather than found there."""
        place = self.target.place(item.key)
        return place is None or item.href in (place, item.place)

    def digest(self, body: Body) -> bytes:
        """What a body at the target means. One that means nothing equals only itself, byte by byte."""
        try:
            with body() as stream:
                return self.form.digest(stream, self.began)
        except Rejected:
            with body() as stream:
                return hashlib.sha512(stream.read()).digest()  # longer than any digest of a form

    def allowed_once(self, code: str, items: int) -> bool:
        """Whether a person approved what this pass is about to do to so many items. The approval is spent
        when the pass ends, or when there is more to do than there was when somebody looked."""
        seen = self.ledger.last_event(code)
        if not self.approved(code):
            self.ledger.event(code, {"items": items})
            return False
        self.spent.add(code)
        if seen is None or items > int(seen["items"]) * MORE:
            self.spend()
            self.ledger.event(code, {"items": items})
            return False
        return True

    def heard(self, failures: Iterable[Told]) -> None:
        """Keeps what servers said of these failures of items, or of folders."""
        self.words.keep(self.mailbox.id, self.kind, failures)

    def spend(self) -> None:
        for code in sorted(self.spent):
            self.spend_now(code)
        self.spent.clear()

    def spend_now(self, code: str) -> None:
        """Of one code."""
        self.ledger.event(f"approval-spent:{spent_as(code, self.kind)}", {})

    def begins(self) -> bool:
        """Before another batch: waits for this leg's turn at both servers. False: check() will raise."""
        if self._ended is None and not self.stop.is_set():
            self._ended = self.turn()
        return self._ended is None and not self.stop.is_set()

    def await_turn(self) -> None:
        """Before another batch, where none is in hand: waits as begins() does. Raises as check()."""
        self.begins()
        self.check()

    def check(self) -> None:
        """Between two batches: may this worker go on? Raises LeaseLost or Stopping."""
        self.guard()
        if self._ended is not None:
            raise StopRequested(self._ended)
        if self.stop.is_set():
            raise StopRequested(reason(self.stop))


def as_container(row: ContainerRow) -> Container:
    """The source container a ledger row stands for."""
    return Container(row.kind, row.source_id, row.path, row.role, row.total, omit=row.omit)
