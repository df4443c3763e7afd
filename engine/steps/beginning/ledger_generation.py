"""Find out if the ledger is older than what was done with it.

A ledger that was restored from a backup would copy once more everything that was copied since.

Each pass of a leg that begins to write has a number, one above the last. It is recorded in the ledger, then
left outside of it: beside the target's account, if that can keep it, and in the state directory. A ledger
that finds a number outside that is above its own is older than that pass. The state directory may be another
one on another machine, and be behind: only a number that is ahead proves something.

Beside the number stands the phase of the pass: a ledger from before a cutover says "staging" of a mailbox
whose user works there by now. Beside that stands the newest move of the mailbox from phase to phase, which is
left as soon as the ledger has it, without a pass. An older mark proves nothing, so that a crash before it is
rewritten does no harm.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from connectors.spool import bytes_body
from engine.context.answers import fetched
from engine.context.leg_context import LegContext, spent_as
from engine.context.restored_ledger_breaker import CODE
from engine.steps.beginning.outside_marks import (
    NONE,
    PHASES,
    Mark,
    Move,
    Pass,
    newest_move,
    read_mark,
    read_move,
)
from engine.steps.positions import era_of
from engine.steps.target_reading import full_listing, read_digests
from ledger.db.rows import ContainerRow, ItemRow, State
from ledger.leg.matching import TargetItem, Wanted, match, narrow
from ledger.leg.phase_moves import BEHIND, COUNT, Moves
from ledger.store import Ledger
from model.errors import Blocked, Rejected
from model.optional_protocols import SupportsMark
from model.private_files import make_directory, using_state
from model.protocols import Failed, Listed, Mapped, Native, Stored, Target

ASKED = "pass-"
"""The beginning of a name in an event: for each workload, the newest pass that it was asked about."""
CHUNK = 200
FOLDER = "generations"
MOVE = "phase"
"""The end of the name of the file that holds the newest move of a mailbox."""
NOTHING = bytes_body(b"")
"""Stands for a body that is not written."""


@dataclass(frozen=True, slots=True)
class Generations:
    """Keep the numbers of legs in a state directory, a small file for each; nothing in them names a person.

    Attributes:
        directory: the state directory.
    """

    directory: Path

    def read(self, leg: LegContext) -> Pass:
        """Return the newest pass of a leg that was left here; number 0 if there is none.

        Raises:
            Blocked: `state-full` or `state-unusable`.
        """
        with using_state():
            try:
                return read_mark(self._file(leg).read_text(errors="replace").strip()).newest
            except FileNotFoundError:
                return NONE

    def write(self, leg: LegContext, newest: Pass) -> None:
        """Leave a pass of a leg here. Idempotent.

        Args:
            leg: the open leg.
            newest: the pass.

        Raises:
            Blocked: `state-full` or `state-unusable`.
        """
        file = self._file(leg)
        with using_state():
            make_directory(file.parent)
            new = file.with_name(f"{file.name}.new")
            new.write_text(f"{newest.text()}\n")
            new.replace(file)

    def read_move(self, mailbox_id: str) -> Move | None:
        """Return the newest move of a mailbox that was left here; None if there is none.

        Raises:
            Blocked: `state-full` or `state-unusable`.
        """
        with using_state():
            try:
                return read_move(self._path_of(mailbox_id, MOVE).read_text(errors="replace").strip())
            except FileNotFoundError:
                return None

    def write_move(self, mailbox_id: str, move: Move) -> None:
        """Leave a move of a mailbox here. Idempotent; workers of several workloads may do so at once.

        Raises:
            Blocked: `state-full` or `state-unusable`.
        """
        if self.read_move(mailbox_id) == move:
            return
        file = self._path_of(mailbox_id, MOVE)
        with using_state():
            make_directory(file.parent)
            descriptor, new = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")
            with os.fdopen(descriptor, "w") as stream:
                stream.write(f"{move.text()}\n")
            Path(new).replace(file)

    def _file(self, leg: LegContext) -> Path:
        return self._path_of(leg.mailbox.id, leg.kind.value)

    def _path_of(self, mailbox_id: str, suffix: str) -> Path:
        return self.directory / FOLDER / mailbox_id[-2:] / f"{mailbox_id}.{suffix}"


def refuse_older(leg: LegContext, generations: Generations | None, *, asks_target: bool = True) -> bool:
    """Refuse a ledger that is older than what was done, before a pass does anything.

    Args:
        leg: the open leg.
        generations: the state directory's numbers; None if nothing remembers them.
        asks_target: False for a leg without a target's account yet.

    Returns:
        True if the ledger is older and a person approved that the pass goes on nevertheless; see adopt.

    Raises:
        Blocked: `ledger-restored` without an approval; `phase-behind`, which no approval excuses, if the
            mailbox was further than this ledger says.
    """
    marks = _marks(leg, generations, asks_target=asks_target)
    newest, known = _newest(marks), leg.ledger.generation()
    ahead = newest.number - known
    if ahead <= 0:
        _refuse_behind(leg, marks, known)
        return False
    approved = leg.approved(CODE)
    if approved and _is_of_another_backup(leg, newest):
        _spend(leg, known)
        approved = False
    if not approved:
        asked_before = {
            name: number for name, number in _last_event(leg, CODE).items() if name.startswith(ASKED)
        }
        leg.ledger.event(CODE, {**asked_before, "passes": ahead, ASKED + leg.kind.value: newest.number})
        raise _restored()
    _refuse_behind(leg, marks, known)
    return True


def refuse_unwritten(leg: LegContext, generations: Generations | None, *, asks_target: bool = True) -> None:
    """Refuse as refuse_older does, for a command that only looks.

    Nothing is recorded, and no approval is spent.

    Args:
        leg: the open leg.
        generations: see refuse_older.
        asks_target: see refuse_older.

    Raises:
        Blocked: see refuse_older.
    """
    marks = _marks(leg, generations, asks_target=asks_target)
    known = leg.ledger.generation()
    if _newest(marks).number > known and not leg.approved(CODE):
        raise _restored()
    if _behind(leg, marks, known) is not None:
        raise _phase_behind()


def _restored() -> Blocked:
    return Blocked(CODE, "the ledger knows less than what was done with it")


def _phase_behind() -> Blocked:
    return Blocked(BEHIND, "the restored ledger has an earlier phase than the mailbox")


def _refuse_behind(leg: LegContext, marks: Sequence[Mark], known: int) -> None:
    """Refuse a ledger that lost a move.

    The move is recorded, so that the person who sets the phase answers for that one.
    """
    lost_move = _behind(leg, marks, known)
    if lost_move is not None:
        leg.ledger.event(BEHIND, {COUNT: lost_move})
        raise _phase_behind()


def _behind(leg: LegContext, marks: Sequence[Mark], known: int) -> int | None:
    """Return the highest number of a move that brought the mailbox further than the ledger says.

    None if there is none. `known` is the newest pass that the ledger knows of.

    For a mark without a move, the phase of the newest pass decides, if the ledger does not know that pass;
    its number is 0.
    """
    if not any(mark.move for mark in marks) and _newest(marks).number <= known:
        return None  # no mark says anything that the ledger could lack
    moves = leg.ledger.moves()
    numbers = [mark.move.number for mark in marks if mark.move is not None and mark.move.is_ahead(moves)]
    last = max(marks, key=lambda mark: (mark.newest, mark.move is not None))
    older = last.newest.number > known and last.move is None
    if numbers or (older and last.newest.phase > PHASES.index(moves.phase)):
        return max(numbers, default=0)
    return None


def _is_of_another_backup(leg: LegContext, newest: Pass) -> bool:
    """Return True if the approval is not for this backup.

    What was approved stands in a backup that was made before it was spent: it is for the passes that existed
    when it was asked for.
    """
    asked = int(_last_event(leg, CODE).get(ASKED + leg.kind.value, 0))
    spent = int(_last_event(leg, f"approval-spent:{spent_as(CODE, leg.kind)}").get("pass", 0))
    return spent < asked < newest.number


def _last_event(leg: LegContext, kind: str) -> Mapping[str, str | int]:
    return leg.ledger.last_event(kind) or {}


def _spend(leg: LegContext, number: int) -> None:
    leg.ledger.event(f"approval-spent:{spent_as(CODE, leg.kind)}", {"pass": number})


def keep(leg: LegContext, generations: Generations | None) -> None:
    """Give this pass its number: before its first write and, for an older ledger, after adopt.

    The approval is spent, whether the ledger was older or not: it is not for the next backup.

    Args:
        leg: the open leg.
        generations: see refuse_older.

    Raises:
        Blocked: `state-full` or `state-unusable`.
    """
    number = max(leg.ledger.generation(), _newest(_marks(leg, generations)).number) + 1
    this = Mark(Pass(number, PHASES.index(leg.mailbox.phase)), newest_move(leg.ledger.moves()))
    leg.ledger.keep_generation(number)
    if generations is not None:
        generations.write(leg, this.newest)
        if this.move is not None:
            generations.write_move(leg.mailbox.id, this.move)
    if isinstance(leg.target, SupportsMark):
        leg.target.keep_mark(f"{leg.mailbox.id} {this.text()}")
    if leg.approved(CODE):
        _spend(leg, number)


def leave_move(ledger: Ledger, mailbox_id: str, generations: Generations) -> None:
    """Leave a mailbox's newest move in the state directory, after the ledger has it. Idempotent.

    A move there that the ledger lost stays, until a person has answered for it.

    Args:
        ledger: the ledger.
        mailbox_id: the mailbox.
        generations: the state directory's numbers.

    Raises:
        Blocked: `state-full` or `state-unusable`.
    """
    moves = ledger.moves(mailbox_id)
    move = _to_leave(moves, generations.read_move(mailbox_id))
    if move is not None:
        generations.write_move(mailbox_id, move)


def leave_move_at(ledger: Ledger, mailbox_id: str, target: Target) -> None:
    """Leave a mailbox's newest move at the target as well, if that has the mark of this mailbox. Idempotent.

    No lease is needed: at worst it puts the number of a pass back by one, and a mark that is behind proves
    nothing.

    Args:
        ledger: the ledger.
        mailbox_id: the mailbox.
        target: the open target.

    Raises:
        MigrationError: what the target's mark() and keep_mark() raise.
    """
    if not isinstance(target, SupportsMark):
        return
    mark = _read_target(target, mailbox_id)
    move = _to_leave(ledger.moves(mailbox_id), mark.move)
    if mark.newest.number and move is not None:
        target.keep_mark(f"{mailbox_id} {mark._replace(move=move).text()}")


def _to_leave(moves: Moves, left_move: Move | None) -> Move | None:
    return None if left_move is not None and left_move.is_ahead(moves) else newest_move(moves)


def _marks(leg: LegContext, generations: Generations | None, *, asks_target: bool = True) -> list[Mark]:
    """Return the marks of all places."""
    marks = [_left_at_target(leg) if asks_target else read_mark("")]
    if generations is not None:
        marks.append(Mark(generations.read(leg), generations.read_move(leg.mailbox.id)))
    return marks


def _newest(marks: Sequence[Mark]) -> Pass:
    return max(mark.newest for mark in marks)


def _left_at_target(leg: LegContext) -> Mark:
    """Return the mark that this walk found at the target; no other leg leaves one meanwhile."""
    return _mark_of(leg.mark(), leg.mailbox.id)


def _read_target(target: Target, mailbox_id: str) -> Mark:
    return _mark_of(target.mark() if isinstance(target, SupportsMark) else None, mailbox_id)


def _mark_of(text: str | None, mailbox_id: str) -> Mark:
    """Return the mark in a text; one that another ledger left, of another mailbox, says nothing."""
    mailbox, _, rest = (text or "").partition(" ")
    return read_mark(rest if mailbox == mailbox_id else "")


def newest_left_at(target: Target, mailbox_id: str) -> int:
    """Return the number of the newest pass of a mailbox that the target knows of; 0 if it knows none."""
    return _read_target(target, mailbox_id).newest.number


def is_begun_elsewhere(leg: LegContext) -> bool:
    """Return True if a ledger that knows of no pass finds at the target that this leg has begun.

    What is there may be its own.

    The state directory does not count: nothing in it says which account it is about.
    """
    return leg.ledger.generation() == 0 and _left_at_target(leg).newest.number > 0


def adopt(leg: LegContext, rows: Sequence[ContainerRow]) -> int:
    """Adopt copies that no row owns and that have the meaning of an item of the source.

    They are settled like writes whose answer was lost, and not written again. If an item's place follows from
    its key, nothing can be written twice, and nothing is adopted. Idempotent.

    Args:
        leg: the open leg.
        rows: the containers of the leg.

    Returns:
        How many copies were adopted.

    Raises:
        Transient: if the source or the target does not answer about an item.
    """
    count = 0
    for row in rows:
        if row.href is None or not leg.ledger.counts(row.id).get(State.SEEN, 0):
            continue
        if leg.target.place(b"") is not None:
            return 0
        count += _Folder.of(leg, row).adopt()
    if count:
        leg.ledger.event("copies-adopted", {"items": count})
    return count


@dataclass(slots=True)
class _Folder:
    """Hold a container, and what lies in it that no row owns.

    Attributes:
        free: the copies that no row owns, by href.
        digests: the digests of the copies that were read.
    """

    leg: LegContext
    row: ContainerRow
    free: dict[str, Listed]
    digests: dict[str, bytes]

    @classmethod
    def of(cls, leg: LegContext, row: ContainerRow) -> _Folder:
        href = str(row.href)
        try:
            listing = list(full_listing(leg, href))
        except Blocked as error:
            if error.code != "container-missing":
                raise
            listing = []
        claimed = leg.ledger.claimed(href)
        return cls(leg, row, {entry.href: entry for entry in listing if entry.href not in claimed}, {})

    def adopt(self) -> int:
        count = 0
        seen = iter(list(self.leg.ledger.rows(self.row.id, (State.SEEN,))))
        while self.free and (chunk := list(islice(seen, CHUNK))):
            self.leg.check()
            count += self._adopt_rows(chunk)
        return count

    def _adopt_rows(self, rows: Sequence[ItemRow]) -> int:
        mapped = {entry.item.key: entry for entry in self._mapped(rows)}
        expected = [Wanted(key, entry.item.digest, entry.item.size) for key, entry in mapped.items()]
        listing = [TargetItem(entry.href, entry.size) for entry in self.free.values()]
        unread = [href for href in narrow(expected, listing, set()) if href not in self.digests]
        self.digests |= read_digests(self.leg, str(self.row.href), unread)
        pairs = match(expected, listing, self.digests).pairs
        if pairs:
            self._settle(
                {key: self._as_there(mapped[key], self.free.pop(href)) for key, href in pairs.items()}, pairs
            )
        return len(pairs)

    def _mapped(self, rows: Sequence[ItemRow]) -> list[Mapped]:
        entries = []
        for _, result in fetched(self.leg, self.row, rows):
            mapped = self._map(result)
            if mapped is not None:
                entries.append(replace(mapped, item=replace(mapped.item, body=NOTHING)))
        return entries

    def _map(self, result: Native | Failed) -> Mapped | None:
        """Return the mapped record; None if it cannot move: copying it gives it its fate."""
        if isinstance(result, Failed):
            if not isinstance(result.error, Rejected):
                raise result.error
            return None
        try:
            return None if self.leg.form.skip(result) else self.leg.form.map(result, self.leg.reading())
        except Rejected:
            return None

    def _as_there(self, mapped: Mapped, listed: Listed) -> Mapped:
        """Return the item as it is at the target.

        In the live phase everything beside the body is the user's, and right.
        """
        name = listed.href if self.leg.traits.by_name else mapped.item.name
        item = replace(mapped.item, name=name)
        if not self.leg.mirror:
            item = replace(item, flags=listed.flags - {"\\Recent"}, date=listed.date)
        return replace(mapped, item=item)

    def _settle(self, mapped: Mapping[bytes, Mapped], pairs: Mapping[bytes, str]) -> None:
        ledger, container = self.leg.ledger, self.row.id
        era = era_of(self.leg.target.position(str(self.row.href)))
        ledger.begin(container, mapped.keys(), f"{era}:1" if era else ":0")
        ledger.intend(container, mapped.values())
        ledger.settle(container, [Stored(key, pairs[key]) for key in mapped])
        ledger.tally.new -= len(mapped)
        if self.leg.mirror:  # flags may have changed since
            ledger.recheck(container, mapped.keys(), counted=False)
