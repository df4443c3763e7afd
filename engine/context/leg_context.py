"""Hold what one worker needs while it works on one leg."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.context.principals import Parties
from engine.context.restored_ledger_breaker import CODE as RESTORED
from engine.context.shrink_guard import ShrinkBreaker
from engine.control.server_words_file import FailureWords, Words
from engine.control.stop_signal import StopRequested, reason
from engine.planning.deny_list import DenyList
from engine.planning.mailbox_list import Directory
from ledger.db.rows import ACCEPTABLE, ContainerRow, ItemRow, MailboxRow, State
from ledger.leg.leg_session import LegLedger
from mappings.fields.context import NO_DIGEST, Context, Digests, no_digest, nobody
from mappings.registry import ITEM_FORMS, ItemForm
from model.errors import Rejected
from model.kinds import KINDS, Kind, KindTraits
from model.optional_protocols import SupportsMark
from model.protocols import Body, Container, Guard, Role, Source, Target

if TYPE_CHECKING:
    from engine.context.delivered import Delivered

_KEY = re.compile(r"[0-9a-f]{32}")
MORE = 0.1
MORE_MOST = 19
"""By which share, and by how many at most, the items may grow before an approval no longer covers them.

People go on working until it is used. More than that is asked about by itself
(engine.context.shrink_guard.LEAST)."""


def utc_now() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(UTC)


def at_once() -> None:
    """Let a leg go on at once: the turn of a leg that never waits for others."""


EACH_WORKLOAD = frozenset({RESTORED, *ACCEPTABLE})
"""Codes that a person approves once for a mailbox and that each workload spends for itself."""


def spent_as(code: str, workload: Kind | None) -> str:
    """Return the name under which an approval is spent: see Ledger.approved.

    Args:
        code: the approved code.
        workload: the workload that rests on it; None if the approval is not about one workload.
    """
    return f"{code}:{workload}" if workload is not None and code in EACH_WORKLOAD else code


def nothing_approved(_code: str) -> bool:
    """Return False: no code is approved until a person approves it."""
    return False


@dataclass(frozen=True, slots=True)
class Opener:
    """Open both sides of a mailbox; called anew after every fault and for verification.

    Attributes:
        source: opens the source.
        target: opens the target, given the guard of the lease and Context.began, on which the meaning of an
            item at the target may depend.
        turn: see LegContext.
        is_away: returns True while it is known that one of the servers is away. Then `turn` waits for it.
    """

    source: Callable[[], Source]
    target: Callable[[Guard, datetime], Target]
    turn: Callable[[], str | None] = at_once
    is_away: Callable[[], bool] = bool


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bound the batches of a leg, its lease and its retries.

    Memory holds two batches at once, because one batch is fetched ahead.

    Attributes:
        batch: the most items in a batch.
        batch_bytes: the most bytes in a batch.
        lease: seconds for which a lease is valid.
        margin: seconds before the end of the lease at which this worker stops writing.
        grace: seconds to wait before settling after an owner that did not release its lease.
        patience: faults in a row, without progress between them, before the leg is left waiting.
        pause: seconds before the first retry; doubled each time.
        pause_most: the most seconds between two retries.
        killers_rest: seconds after a worker's death before the item that was rejected because of it is tried
            again.
    """

    batch: int = 400
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
    """A write of an earlier attempt that may still land in a container.

    Attributes:
        since: the position at the target below which the write cannot land; "" if it may land anywhere.
        digests: what the write may be, each with the position at which its attempt began. The ledger no
            longer knows what was changed or deleted at the source since.
        names: of files, the names that they were to get. A file under any other name is a user's, whatever it
            holds.
    """

    since: str
    digests: dict[bytes, str | None] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


@dataclass(slots=True)
class LegContext:
    """Hold everything that the steps of one leg work with.

    Attributes:
        mailbox: the mailbox.
        kind: the workload of the leg.
        ledger: the session of the ledger, fenced by the lease's epoch.
        source: the open source.
        target: the open target.
        guard: raises LeaseLost if this worker may not write any more.
        began: see mappings.fields.context.Context.
        pace: the bounds of batches and retries.
        mirror: True in the phases staging and frozen, where changes and removals follow the source.
        stop: set when the leg is to stop.
        approved: returns True if a person approved this code.
        in_doubt: by the href of a container, writes that may still land; swept at the container's end (R6).
        spent: the codes of the approvals on which this pass rests.
        artefacts: how the subjects of provisioning mail begin.
        owner: the owner's addresses, see mappings.fields.context.Context.
        addresses: what addresses become, see mappings.fields.context.Context.
        parties: who people and groups of the source are at the target.
        directory: says which addresses are one person's.
        deny: the people whom no wave may touch.
        delivered: what a live target received by itself (engine.steps.listing.late_mail); None if the
            mailbox is not live.
        at_source: in a live mailbox, the keys of what the source has in a container, by the container's id
            (engine.steps.copying.late_moves).
        turn: waits, before a batch, until the servers may be asked for more. Returns a code if the leg is to
            end with it, else None.
        now: the clock that says when a record was read.
        wait: waits so many seconds, which are few; check() tells afterwards whether to go on.
        breaker: the circuit breaker of the run for sources that lost much.
        words: keeps what servers say of failures, see engine.control.server_words_file.
        positions: the target's positions that this pass asked for before it wrote anything, by href.
        grantees: see mappings.fields.context.Context.people.
        allowed: returns mappings.fields.context.Context.allowed.
    """

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
    directory: Directory = field(default_factory=Directory)
    deny: DenyList = field(default_factory=DenyList)
    delivered: Delivered | None = None
    at_source: dict[int, frozenset[bytes]] = field(default_factory=dict)
    turn: Callable[[], str | None] = at_once
    now: Callable[[], datetime] = utc_now
    wait: Callable[[float], None] = time.sleep
    breaker: ShrinkBreaker = field(default_factory=ShrinkBreaker)
    words: Words = field(default_factory=lambda: Words(None))
    positions: dict[str, str] = field(default_factory=dict)
    grantees: Callable[[Kind, str], Mapping[str, str | None]] = nobody
    allowed: Callable[[], Digests] = no_digest
    _ended: str | None = None
    _context: Context | None = None
    _mark: tuple[str | None] | None = None

    @property
    def form(self) -> ItemForm:
        """How the items of this leg are mapped and compared."""
        return ITEM_FORMS[self.kind]

    @property
    def context(self) -> Context:
        """The context of the mapping; asks the target for its capabilities once."""
        if self._context is None:
            capabilities, origins = self.target.capabilities, self._origins()
            named = self.ledger.folders_of_mail() if self.traits.names_folders else []
            placed = self.ledger.places() if self.traits.grants or self.traits.at_once else []
            self._context = Context(
                capabilities,
                self.began,
                self.now(),
                self.owner,
                self.addresses,
                origins,
                {source_id: href for source_id, _, href in named},
                {Role(role): href for _, role, href in named if role is not None},
                {source_id: (kind, href) for source_id, kind, href in placed},
                self.grantees,
                self.allowed() if self.traits.names_folders else NO_DIGEST,
            )
        return self._context

    def mark(self) -> str | None:
        """Return the text of ours beside the target's account, as this walk found it."""
        if self._mark is None:
            self._mark = (self.target.mark() if isinstance(self.target, SupportsMark) else None,)
        return self._mark[0]

    def learn_origins(self) -> None:
        """Read the origins again after known items got other ids: the mapping is told of them."""
        self._context = replace(self.context, origins=self._origins())

    def _origins(self) -> dict[bytes, bytes]:
        """Return Context.origins: the name of a copy at the target says from which key it was made."""
        origins = {}
        for key, place in self.ledger.placed_apart().items() if self.traits.made_uid else ():
            key_in_name = _KEY.search(place)
            if key_in_name is not None and place == self.named_by(bytes.fromhex(key_in_name.group())):
                origins[key] = bytes.fromhex(key_in_name.group())
        return origins

    def reading(self) -> Context:
        """Return the same context for what is read from the source now."""
        return replace(self.context, read_at=self.now())

    @property
    def traits(self) -> KindTraits:
        """What the kind of this leg's items is."""
        return KINDS[self.kind]

    @property
    def owed(self) -> tuple[State, ...]:
        """The states of items that are to be written; with CHANGED in staging, if the target replaces."""
        replaces = self.mirror and self.context.target.replaces
        return (State.SEEN, State.CHANGED) if replaces else (State.SEEN,)

    def named_by(self, key: bytes) -> str | None:
        """Return the recorded place of a copy that was made by this key, once its row has another key.

        A note has no such place: its Message-ID was made by the key.
        """
        prefix = self.traits.named_by_key
        return self.target.place(key) if prefix is None else f"{prefix}{key.hex()}"

    def is_ours(self, item: ItemRow) -> bool:
        """Return True if Kogge wrote what the row names at the target; False if Kogge found it there."""
        place = self.target.place(item.key)
        return place is None or item.href in (place, item.place)

    def digest(self, body: Body) -> bytes:
        """Return the digest of the meaning of a body at the target.

        A body that has no meaning equals only itself, byte by byte.
        """
        try:
            with body() as stream:
                return self.form.digest(stream, self.began)
        except Rejected:
            with body() as stream:
                return hashlib.sha512(stream.read()).digest()  # longer than any digest of a form

    def allowed_once(self, code: str, items: int) -> bool:
        """Return True if a person approved what this pass is about to do.

        The caller spends the approval (spend) once it is used up. It is spent here if there is now more to do
        than when the person looked, or if this workload had refused nothing then. A refusal is recorded as an
        event, so that the person sees the number.

        Args:
            code: the code to approve.
            items: how many items are concerned.
        """
        refusal: dict[str, str | int] = {"items": items, "workload": self.kind.value}
        if not self.approved(code):
            self.ledger.event(code, refusal)
            return False
        self.spent.add(code)
        last_refusal = self.ledger.last_refusal(code, spent_as(code, self.kind))
        if last_refusal is None or items > _most_covered(int(last_refusal["items"])):
            self.spend()
            self.ledger.event(code, refusal)
            return False
        return True

    def heard(self, failures: Iterable[FailureWords]) -> None:
        """Keep what servers said of these failures of items or folders."""
        self.words.keep(self.mailbox.id, self.kind, failures)

    def spend(self) -> None:
        """Spend all approvals on which this pass rested."""
        for code in sorted(self.spent):
            self.spend_now(code)
        self.spent.clear()

    def spend_now(self, code: str) -> None:
        """Spend the approval of one code."""
        self.ledger.event(f"approval-spent:{spent_as(code, self.kind)}", {})

    def begins(self) -> bool:
        """Wait, before another batch, for this leg's turn at both servers.

        Returns:
            True if the batch may begin; False if check() will raise.
        """
        if self._ended is None and not self.stop.is_set():
            self._ended = self.turn()
        return self._ended is None and not self.stop.is_set()

    def await_turn(self) -> None:
        """Wait as begins() does, where no batch is in hand. Raise as check() does."""
        self.begins()
        self.check()

    def check(self) -> None:
        """Make sure, between two batches, that this worker may go on.

        Raises:
            LeaseLost: if another worker has claimed the leg.
            StopRequested: if the leg is to stop; its code says why.
        """
        self.guard()
        if self._ended is not None:
            raise StopRequested(self._ended)
        if self.stop.is_set():
            raise StopRequested(reason(self.stop))


def _most_covered(items: int) -> int:
    """Return how many items an approval covers that a person gave when there were so many."""
    return items + min(int(items * MORE), MORE_MOST)


def as_container(row: ContainerRow) -> Container:
    """Return the container of the source for which a row of the ledger stands."""
    return Container(row.kind, row.source_id, row.path, row.role, row.total, omit=row.omit)
