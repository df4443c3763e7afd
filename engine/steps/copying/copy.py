"""Copy the pending items: new ones and, if the target replaces in place, changed ones.

Every batch goes: begin (durable) -> fetch -> map -> intend (durable) -> write -> settle (durable). Three
threads share this work: while one batch is written, the one before it is settled, and the next one is begun,
fetched, mapped and intended. Only the caller's thread asks the ledger; only one thread at a time asks the
target.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace

from engine.context.answers import SILENT, is_silence, key_in
from engine.context.delivered import Likeness
from engine.context.leg_context import LegContext
from engine.control.server_words_file import FailureWords, failure_words
from engine.control.stop_signal import StopRequested, reason
from engine.files import file_names, file_versions
from engine.steps import item_dates
from engine.steps.copying import late_moves, organizer_first
from engine.steps.copying.left_items import left_now
from engine.steps.copying.single_item import Hold
from engine.steps.listing import late_mail
from engine.steps.listing.rekeyed_fates import meaning
from engine.steps.own_copies import DUPLICATE_UID, NOT_OWED, stored
from engine.steps.settling.worker_deaths import BEFORE_ALONE, BEFORE_ALONE_IN_PROCESS, BEFORE_REJECTED
from ledger.db.encoding import UNORDERED
from ledger.db.incidents import NONE
from ledger.db.rows import ContainerRow, ItemRow
from ledger.leg.item_states import Unwritten
from mappings.fields.context import Context
from mappings.mail.mail import message_id_of
from model.errors import MigrationError, Rejected
from model.protocols import Failed, Item, Mapped, Native, Stored

FIRST = 20
"""Items in a container's first batch, doubled from batch to batch, so that the target need not wait long for
the first one."""
USUAL, QUICK = 200, 1.0
"""A batch becomes larger than USUAL items only if the one before it was written in fewer seconds than QUICK,
because a stop waits for the batch in hand."""


@dataclass(slots=True)
class PreparedBatch:
    """Hold a batch after fetching and mapping, in memory or spooled; nothing of it is written yet.

    Attributes:
        mapped: the items to write.
        skipped: keys of items that do not move, each with its code.
        rejected: keys of items that cannot move, each with its code.
        vanished: keys of items that are no longer at the source.
        unwritten: mails that will not be written.
        told: what the servers said of rejected items.
        alike: by key, the late mails that the target may have received by itself.
    """

    mapped: list[Mapped] = field(default_factory=list)
    skipped: list[tuple[bytes, str]] = field(default_factory=list)
    rejected: list[tuple[bytes, str]] = field(default_factory=list)
    vanished: list[bytes] = field(default_factory=list)
    unwritten: list[Unwritten] = field(default_factory=list)
    told: list[FailureWords] = field(default_factory=list)
    alike: dict[bytes, Likeness] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BegunBatch:
    """Hold a batch that has begun: its bodies are on their way from the source.

    Attributes:
        rows: the items of the batch.
        coming: the prepared batch, once it is fetched and mapped.
    """

    rows: list[ItemRow]
    coming: Future[PreparedBatch]


@dataclass(slots=True)
class Writing:
    """Hold a batch that was intended and is on its way to the target.

    The thread that writes notes the target's answers here.

    Attributes:
        prepared: the batch.
        going: the end of the writing; None until it has started.
        stored: what the target has stored.
        skipped: keys of items that the target need not store, each with its code.
        rejected: keys of items that the target refused, each with its code.
        seconds: how long the target took.
    """

    prepared: PreparedBatch
    going: Future[None] | None = None
    stored: list[Stored] = field(default_factory=list)
    skipped: list[tuple[bytes, str]] = field(default_factory=list)
    rejected: list[tuple[bytes, str]] = field(default_factory=list)
    seconds: float = 0.0

    def error(self) -> BaseException | None:
        """Wait until the target is done with the batch, and return the error that ended it, if any."""
        return None if self.going is None else self.going.exception()


def copy_pending(leg: LegContext, row: ContainerRow) -> int:
    """Copy every item that is owed to a container (LegContext.owed).

    On any error, everything that is known is settled; the rest stays WRITING, and
    engine.steps.settling.reconcile.settle decides about it. Idempotent.

    Args:
        leg: the open leg.
        row: the container.

    Returns:
        How many items vanished before they could be read.

    Raises:
        StopRequested: if the leg is to stop; the batch in hand is settled before.
        MigrationError: what the source or the target raised. The items of the batch may be at the target.
    """
    with (
        ThreadPoolExecutor(1, thread_name_prefix="fetch") as fetcher,
        ThreadPoolExecutor(1, thread_name_prefix="write") as writer,
    ):
        vanished = _Copying(leg, row, fetcher, writer, leg.context).run()
    leg.check()
    return vanished


@dataclass(slots=True)
class _Copying:
    """Run one call of copy_pending.

    Attributes:
        writing: the batch that the target has in hand.
        most: the most items in the next batch, if the last one was written quickly.
        quick: True if the last batch was written quickly.
        mark: the target's last position.
    """

    leg: LegContext
    row: ContainerRow
    fetcher: ThreadPoolExecutor
    writer: ThreadPoolExecutor
    context: Context
    writing: Writing | None = None
    vanished: int = 0
    most: int = FIRST
    quick: bool = True
    mark: str = ""
    names: file_names.Names | None = None
    begun: list[BegunBatch] = field(default_factory=list)
    hold: Hold = field(init=False)

    def __post_init__(self) -> None:
        self.hold = Hold(self.leg.check)

    def run(self) -> int:
        """Copy until nothing is pending; return how many items vanished."""
        try:
            batch = self._begin()
            if batch is not None:
                self.names = file_names.names(self.leg, self.row)
            while batch is not None:
                batch = self._turn(self._intend(batch), self._deaths(batch.rows) >= BEFORE_ALONE)
        except StopRequested:
            self._settle()
            self._hand_back()
            raise
        except Exception:  # no BaseException: the end of the process is no fault to retry
            self._settle()
            raise
        finally:
            self.hold.end()
        return self.vanished

    def _hand_back(self) -> None:
        """Make pending again what was begun and of which the target got nothing."""
        for batch in self.begun:
            batch.coming.cancel()
            self.leg.ledger.restore(self.row.id, [row.key for row in batch.rows], refund=True)
        self.begun.clear()

    def _turn(self, ready: Writing, alone: bool) -> BegunBatch | None:
        """Let the target go on from the batch in hand to the ready one; return the next batch."""
        if self.writing is not None and self.writing.error() is not None:
            self._settle()
        # If nothing was written since the ready batch began, its position is the present one.
        position = self.mark if self.writing is None else self._position()
        former, self.writing = self.writing, self._start(ready)
        self._record(former)
        batch = None if alone else self._begin(position)
        if batch is None:
            self._settle()
            batch = self._begin()
        return batch

    def _begin(self, position: str | None = None) -> BegunBatch | None:
        """Begin the next batch.

        Args:
            position: the target's position, taken since it was last idle; None to ask for it.

        Returns:
            The batch. None if nothing is pending, if the pending item must go alone and a batch is in hand,
                or if the leg is to stop: the batch in hand is finished then.
        """
        leg, row = self.leg, self.row
        leg.guard()
        most = min(self.most, leg.pace.batch) if self.quick else min(self.most, leg.pace.batch, USUAL)
        rows = self._next_rows(most) if leg.begins() else []
        if not rows or row.href is None or not self._admitted(rows):
            return None
        self.most = min(2 * self.most, leg.pace.batch)
        leg.ledger.begin(row.id, [item.key for item in rows], position or self._position())
        known_versions = file_versions.versions_at_target(leg, row, rows)
        batch = BegunBatch(rows, self.fetcher.submit(_prepare, leg, row, rows, self.context, known_versions))
        self.begun.append(batch)
        return batch

    def _admitted(self, rows: Sequence[ItemRow]) -> bool:
        """Return False if the batch in hand must be settled before these items may begin (R10)."""
        deaths, in_hand = self._deaths(rows), self.writing is not None
        if deaths >= BEFORE_ALONE and in_hand:
            return False
        return self.hold.begin(in_hand=in_hand, alone=deaths >= BEFORE_ALONE_IN_PROCESS)

    def _next_rows(self, most: int) -> list[ItemRow]:
        """Return as many pending rows as fit the bounds, at most so many.

        What was in hand when a worker died twice goes alone; what was alone in hand at more deaths is
        rejected (R10).
        """
        leg, row = self.leg, self.row
        rows = leg.ledger.pending(row.id, most, states=leg.owed)
        deaths = {item.key: self._deaths([item]) for item in rows}
        killers = [key for key, count in deaths.items() if count >= BEFORE_REJECTED]
        if killers:
            leg.ledger.settle(row.id, [], rejected=[(key, "kills-worker") for key in killers])
            return self._next_rows(most)
        if rows and deaths[rows[0].key] >= BEFORE_ALONE:
            return rows[:1]
        fresh = [item for item in rows if deaths[item.key] < BEFORE_ALONE]
        return list(_bounded(fresh, leg.pace.batch_bytes))

    def _deaths(self, rows: Sequence[ItemRow]) -> int:
        """Return how many deaths count against the worst of these rows. A row without attempts has none."""
        incidents = self.leg.ledger.incidents.of(self.row.id)
        if not incidents:
            return 0
        return max((incidents.get(row.key, NONE).deaths if row.attempts else 0 for row in rows), default=0)

    def _position(self) -> str:
        if self.mark != UNORDERED:
            self.mark = self.leg.target.position(str(self.row.href))
        return self.mark

    def _intend(self, batch: BegunBatch) -> Writing:
        prepared = batch.coming.result()
        self._leave_out_moved(prepared)
        self._leave_out_delivered(prepared)
        organizer_first.hold_back(self.leg, self.row, batch.rows, prepared)
        if any(_means_other(entry.item) for entry in prepared.mapped):
            self.leg.ledger.reconsider(DUPLICATE_UID)  # copies of a changed item no longer stand for it
        if self.names is not None:
            prepared.mapped = [self.names.give(entry) for entry in prepared.mapped]
        self.leg.ledger.intend(self.row.id, prepared.mapped, prepared.unwritten)
        return Writing(prepared)

    def _leave_out_moved(self, prepared: PreparedBatch) -> None:
        """Skip the late items that the source moved since they were copied. Nothing is being fetched now."""
        late = late_moves.sort_out(self.leg, self.row, prepared.mapped, self._idle)
        prepared.mapped = late.mapped
        prepared.skipped += late.moved
        prepared.unwritten += late.unwritten

    def _idle(self) -> None:
        """Wait until the target has nothing in hand: only one thread at a time asks it."""
        if self.writing is not None:
            self._settle()
            self._position()

    def _leave_out_delivered(self, prepared: PreparedBatch) -> None:
        """Skip the late mails that the target received by itself."""
        leg = self.leg
        if leg.delivered is None:
            return
        if prepared.alike:
            self._idle()
        items = {entry.item.key: entry.item for entry in prepared.mapped}
        prepared.mapped, delivered = late_mail.sort_out(leg, prepared.mapped, prepared.alike)
        prepared.skipped += delivered
        prepared.unwritten += [
            Unwritten(key, name, meaning(leg, items[key].body))
            for key, _ in delivered
            if (name := items[key].message_id) is not None
        ]

    def _start(self, ready: Writing) -> Writing:
        self.leg.check()
        self.begun.clear()  # only this batch was begun and not started
        ready.going = self.writer.submit(_write, self.leg, str(self.row.href), ready)
        return ready

    def _settle(self) -> None:
        """Wait for the batch in hand and record its results; raise what its writing raised."""
        batch, self.writing = self.writing, None
        self._record(batch)

    def _record(self, batch: Writing | None) -> None:
        if batch is None:
            return
        error, prepared = batch.error(), batch.prepared
        self.quick = batch.seconds < QUICK
        self.leg.ledger.settle(
            self.row.id,
            batch.stored,
            rejected=prepared.rejected + batch.rejected,
            skipped=prepared.skipped + batch.skipped,
            gone=prepared.vanished,
        )
        self.leg.heard(prepared.told)
        self.vanished += len(prepared.vanished)
        if error is not None:
            raise error


def _bounded(rows: Sequence[ItemRow], most: int) -> Iterator[ItemRow]:
    total = 0
    for item in rows:
        total += item.size or 0
        if total > most and total != (item.size or 0):
            return
        yield item


def _prepare(
    leg: LegContext,
    row: ContainerRow,
    rows: Sequence[ItemRow],
    context: Context,
    known_versions: Mapping[bytes, int],
) -> PreparedBatch:
    prepared = PreparedBatch()
    by_key = {item.key: item for item in rows}
    for result in file_versions.fetch(leg, row, rows, known_versions):
        if leg.stop.is_set():
            raise StopRequested(reason(leg.stop))
        _sort_result(leg, prepared, (row, by_key[key_in(result)]), result, context)
    # Sort by the rows, not by the answers: of two items with one UID or name, the same one is always first.
    order = {item.key: number for number, item in enumerate(rows)}
    prepared.mapped.sort(key=lambda entry: order[entry.item.key])
    prepared.alike = late_mail.likenesses(leg, row, prepared.mapped)
    return prepared


def _sort_result(
    leg: LegContext,
    prepared: PreparedBatch,
    owed: tuple[ContainerRow, ItemRow],
    result: Native | Failed,
    context: Context,
) -> None:
    container, row = owed
    if is_silence(result):
        prepared.rejected.append((row.key, SILENT))
        return
    try:
        if isinstance(result, Failed):
            raise result.error
        if reason := leg.form.skip(result):
            prepared.skipped.append((row.key, reason))
            return
        mapped = item_dates.with_kept_date(row, leg.form.map(result, replace(context, read_at=leg.now())))
        if context.target.max_bytes is not None and mapped.item.size > context.target.max_bytes:
            raise Rejected("too-large")
        if left := left_now(leg, container, mapped):
            prepared.skipped.append((row.key, left))
            return
        prepared.mapped.append(_replacing(leg, row, mapped))
    except Rejected as error:
        if error.code == "vanished":
            prepared.vanished.append(row.key)
        else:
            prepared.rejected.append((row.key, error.code))
            prepared.told.append(failure_words(row.key, error))
            _note_unwritten(leg, prepared, row.key, result)


def _note_unwritten(leg: LegContext, prepared: PreparedBatch, key: bytes, result: Native | Failed) -> None:
    """Note the Message-ID of a mail that was not written: whoever looks for the mail finds the reason."""
    if not leg.traits.by_message_id or not isinstance(result, Native):
        return
    with suppress(Rejected):  # the unreadable part may be its body
        if (name := message_id_of(result)) is not None:
            prepared.unwritten.append(Unwritten(key, name))


def _replacing(leg: LegContext, row: ItemRow, mapped: Mapped) -> Mapped:
    if row.href is None or not leg.is_ours(row):
        return mapped
    return replace(mapped, item=replace(mapped.item, replaces=stored(row)))


def _means_other(item: Item) -> bool:
    return item.replaces is not None and item.replaces.digest != item.digest


def _write(leg: LegContext, href: str, writing: Writing) -> None:
    """Write a batch, in a thread of its own.

    The target's answer about each item is noted even if it then raises.
    """
    items = [mapped.item for mapped in writing.prepared.mapped]
    writing.prepared.mapped.clear()  # from here on, only this call holds the bodies
    fatal: MigrationError | None = None
    began = time.monotonic()
    for result in leg.target.write(href, items) if items else ():
        if isinstance(result, Stored):
            writing.stored.append(result)
        elif isinstance(result.error, Rejected):
            fates = writing.skipped if result.error.code in NOT_OWED else writing.rejected
            fates.append((result.key, result.error.code))
            writing.prepared.told.append(failure_words(result.key, result.error))
        else:
            fatal = result.error
    writing.seconds = time.monotonic() - began
    if fatal is not None:
        raise fatal
