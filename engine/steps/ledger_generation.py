"""Whether the ledger is older than what was done with it: restored from a backup, it would have everything
that was copied since copied once more.

Each pass of a leg that begins to write has a number, one above the last. It is recorded in the ledger, then
left outside of it: beside the target's account, where that can keep it, and in the state directory. A ledger
that finds a number outside that is above its own is older than that pass. The state directory may be another
one on another machine, and be behind: only what is ahead says something. Beside the number stands the phase
of the pass: a ledger from before a cutover says "staging" of a mailbox whose user works there by now. And
beside that stands the newest move of the mailbox from phase to phase, which is left as soon as the ledger has
it, without a pass. A mark that is older says nothing, so that a crash before it is rewritten does no harm.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from connectors.spool import bytes_body
from engine.context.fetch_results import FetchResults
from engine.context.leg_context import LegContext, spent_as
from engine.context.restored_ledger_breaker import CODE
from engine.steps.outside_marks import NONE, PHASES, Mark, Move, Pass, newest_move, read_mark, read_move
from engine.steps.reconcile import era_of, listed_once, read_digests
from ledger.db.rows import ContainerRow, ItemRow, State
from ledger.leg.matching import TargetItem, Wanted, match, narrow
from ledger.leg.phase_moves import BEHIND, COUNT, Moves
from ledger.store import Ledger
from model.errors import Blocked, Rejected
from model.optional_protocols import SupportsMark
from model.private_files import make_directory, using_state
from model.protocols import Failed, Kind, Listed, Mapped, Native, Stored, Target

ASKED = "pass-"
"""Begins what an event says of each workload: the newest pass that it was asked about."""
CHUNK = 200
FOLDER = "generations"
MOVE = "phase"
"""Ends the name of the file that holds the newest move of a mailbox."""
NOTHING = bytes_body(b"")
"""In place of a body that is not written."""


@dataclass(frozen=True, slots=True)
class Generations:
    """The numbers of legs in a state directory, a small file each; nothing in them names a person."""

    directory: Path

    def read(self, leg: LegContext) -> Pass:
        """Of number 0: there is none. Raises as write()."""
        with using_state():
            try:
                return read_mark(self._file(leg).read_text(errors="replace").strip()).newest
            except FileNotFoundError:
                return NONE

    def write(self, leg: LegContext, one: Pass) -> None:
        """Raises Blocked("state-full" | "state-unusable")."""
        file = self._file(leg)
        with using_state():
            make_directory(file.parent)
            new = file.with_name(f"{file.name}.new")
            new.write_text(f"{one.text()}\n")
            new.replace(file)

    def read_move(self, mailbox_id: str) -> Move | None:
        """Reads the newest move of a mailbox that was left here. Raises as write()."""
        with using_state():
            try:
                return read_move(self._named(mailbox_id, MOVE).read_text(errors="replace").strip())
            except FileNotFoundError:
                return None

    def write_move(self, mailbox_id: str, move: Move) -> None:
        """Workers of several workloads may do so at once. Raises as write()."""
        if self.read_move(mailbox_id) == move:
            return
        file = self._named(mailbox_id, MOVE)
        with using_state():
            make_directory(file.parent)
            descriptor, new = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")
            with os.fdopen(descriptor, "w") as stream:
                stream.write(f"{move.text()}\n")
            Path(new).replace(file)

    def _file(self, leg: LegContext) -> Path:
        return self._named(leg.mailbox.id, leg.kind.value)

    def _named(self, mailbox_id: str, suffix: str) -> Path:
        return self.directory / FOLDER / mailbox_id[-2:] / f"{mailbox_id}.{suffix}"


def refuse_older(leg: LegContext, generations: Generations | None) -> bool:
    """Before a pass does anything: whether the ledger is older than what was done, and a person approved that
    the pass goes on all the same; see adopt. Raises Blocked("ledger-restored"), and Blocked("phase-behind"),
    which no approval excuses: the mailbox was further than this ledger says."""
    marks = _marks(leg, generations)
    newest = _newest(marks)
    ahead = newest.number - leg.ledger.generation()
    if ahead <= 0:
        _refuse_behind(leg, marks)
        return False
    approved = leg.approved(CODE)
    if approved and _is_of_another_backup(leg, newest):
        _spend(leg, leg.ledger.generation())
        approved = False
    if not approved:
        asked = {name: number for name, number in _told(leg, CODE).items() if name.startswith(ASKED)}
        leg.ledger.event(CODE, {**asked, "passes": ahead, ASKED + leg.kind.value: newest.number})
        raise _restored()
    _refuse_behind(leg, marks)
    return True


def refuse_unwritten(leg: LegContext, generations: Generations | None) -> None:
    """As refuse_older, of who only looks: nothing is recorded, and no approval is spent."""
    marks = _marks(leg, generations)
    if _newest(marks).number > leg.ledger.generation() and not leg.approved(CODE):
        raise _restored()
    if _behind(leg, marks) is not None:
        raise _phase_behind()


def _restored() -> Blocked:
    return Blocked(CODE, "the ledger knows less than what was done with it")


def _phase_behind() -> Blocked:
    return Blocked(BEHIND, "the restored ledger has an earlier phase than the mailbox")


def _refuse_behind(leg: LegContext, marks: Sequence[Mark]) -> None:
    """The move that was found is recorded, so that who sets the phase then answers for that one."""
    found = _behind(leg, marks)
    if found is not None:
        leg.ledger.event(BEHIND, {COUNT: found})
        raise _phase_behind()


def _behind(leg: LegContext, marks: Sequence[Mark]) -> int | None:
    """The highest number of a move that brought the mailbox further than the ledger says; None: there is no
    such move. Of a mark without a move, the phase of the newest pass decides, where the ledger does not know
    that pass; its number is 0."""
    moves = leg.ledger.moves()
    found = [mark.move.number for mark in marks if mark.move is not None and mark.move.is_ahead(moves)]
    last = max(marks, key=lambda one: (one.newest, one.move is not None))
    older = last.newest.number > leg.ledger.generation() and last.move is None
    if found or (older and last.newest.phase > PHASES.index(moves.phase)):
        return max(found, default=0)
    return None


def _is_of_another_backup(leg: LegContext, newest: Pass) -> bool:
    """What was approved stands in a backup that was made before it was spent: it is for the passes that there
    were when it was asked about."""
    asked = int(_told(leg, CODE).get(ASKED + leg.kind.value, 0))
    spent = int(_told(leg, f"approval-spent:{spent_as(CODE, leg.kind)}").get("pass", 0))
    return spent < asked < newest.number


def _told(leg: LegContext, kind: str) -> Mapping[str, str | int]:
    return leg.ledger.last_event(kind) or {}


def _spend(leg: LegContext, number: int) -> None:
    leg.ledger.event(f"approval-spent:{spent_as(CODE, leg.kind)}", {"pass": number})


def keep(leg: LegContext, generations: Generations | None) -> None:
    """Gives this pass its number: before its first write, and, of a ledger that is older, after adopt. Spends
    the approval, whether the ledger was older or not: it is not for the next backup."""
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
    """Leaves a mailbox's newest move in the state directory, after the ledger has it. What is there of a move
    that the ledger lost stays, until a person has answered for it. Raises Blocked("state-full" |
    "state-unusable")."""
    moves = ledger.moves(mailbox_id)
    move = _to_leave(moves, generations.read_move(mailbox_id))
    if move is not None:
        generations.write_move(mailbox_id, move)


def leave_move_at(ledger: Ledger, mailbox_id: str, target: Target) -> None:
    """Leaves it at the target as well, where that has the mark of this mailbox. No lease is needed: at worst
    it puts the number of a pass back by one, and a mark that is behind says nothing. Raises what the
    target's mark() does."""
    if not isinstance(target, SupportsMark):
        return
    there = _read_target(target, mailbox_id)
    move = _to_leave(ledger.moves(mailbox_id), there.move)
    if there.newest.number and move is not None:
        target.keep_mark(f"{mailbox_id} {there._replace(move=move).text()}")


def _to_leave(moves: Moves, there: Move | None) -> Move | None:
    return None if there is not None and there.is_ahead(moves) else newest_move(moves)


def _marks(leg: LegContext, generations: Generations | None) -> list[Mark]:
    """Of each place."""
    marks = [_left_at_target(leg)]
    if generations is not None:
        marks.append(Mark(generations.read(leg), generations.read_move(leg.mailbox.id)))
    return marks


def _newest(marks: Sequence[Mark]) -> Pass:
    return max(one.newest for one in marks)


def _left_at_target(leg: LegContext) -> Mark:
    return _read_target(leg.target, leg.mailbox.id)


def _read_target(target: Target, mailbox_id: str) -> Mark:
    """What another ledger left, of another mailbox, says nothing."""
    text = target.mark() if isinstance(target, SupportsMark) else None
    mailbox, _, rest = (text or "").partition(" ")
    return read_mark(rest if mailbox == mailbox_id else "")


def newest_left_at(target: Target, mailbox_id: str) -> int:
    """Returns the number of the newest pass of a mailbox that the target knows of; 0: of none."""
    return _read_target(target, mailbox_id).newest.number


def is_begun_elsewhere(leg: LegContext) -> bool:
    """Whether a ledger that knows of no pass at all finds at the target that this leg has begun: what is
    there may be its own. The state directory's word does not count: nothing says which account it is about.
    """
    return leg.ledger.generation() == 0 and _left_at_target(leg).newest.number > 0


def adopt(leg: LegContext, rows: Sequence[ContainerRow]) -> int:
    """What the ledger does not know to be at the target, and is: copies that no row owns and that mean what
    an item of the source means. They are settled like writes whose answer was lost, and not written again.
    Where an item's place follows from its key, nothing can be written twice. Returns how many."""
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
    """A container, and what lies in it that no row owns. digests: of what was read of it."""

    leg: LegContext
    row: ContainerRow
    free: dict[str, Listed]
    digests: dict[str, bytes]

    @classmethod
    def of(cls, leg: LegContext, row: ContainerRow) -> _Folder:
        href = str(row.href)
        try:
            listing = list(listed_once(leg, href))
        except Blocked as error:
            if error.code != "container-missing":
                raise
            listing = []
        claimed = leg.ledger.claimed(href)
        return cls(leg, row, {one.href: one for one in listing if one.href not in claimed}, {})

    def adopt(self) -> int:
        count = 0
        seen = iter(list(self.leg.ledger.rows(self.row.id, (State.SEEN,))))
        while self.free and (chunk := list(islice(seen, CHUNK))):
            self.leg.check()
            count += self._adopted(chunk)
        return count

    def _adopted(self, rows: Sequence[ItemRow]) -> int:
        mapped = {one.item.key: one for one in self._mapped(rows)}
        wanted = [Wanted(key, one.item.digest, one.item.size) for key, one in mapped.items()]
        listing = [TargetItem(one.href, one.size) for one in self.free.values()]
        unread = [href for href in narrow(wanted, listing, set()) if href not in self.digests]
        self.digests |= read_digests(self.leg, str(self.row.href), unread)
        pairs = match(wanted, listing, self.digests).pairs
        if pairs:
            self._settle(
                {key: self._as_there(mapped[key], self.free.pop(href)) for key, href in pairs.items()}, pairs
            )
        return len(pairs)

    def _mapped(self, rows: Sequence[ItemRow]) -> list[Mapped]:
        answers = FetchResults(self.leg, self.row)
        found = []
        for _, result in answers.about(rows):
            one = self._map(result)
            if one is not None:
                found.append(replace(one, item=replace(one.item, body=NOTHING)))
        answers.require()
        return found

    def _map(self, result: Native | Failed) -> Mapped | None:
        """None for what cannot move: copying it gives it its fate."""
        if isinstance(result, Failed):
            if not isinstance(result.error, Rejected):
                raise result.error
            return None
        try:
            return None if self.leg.form.skip(result) else self.leg.form.map(result, self.leg.reading())
        except Rejected:
            return None

    def _as_there(self, one: Mapped, listed: Listed) -> Mapped:
        """In the live phase what is beside the body is the user's, and as it should be."""
        name = listed.href if self.leg.kind is Kind.FILES else one.item.name
        item = replace(one.item, name=name)
        if not self.leg.mirror:
            item = replace(item, flags=listed.flags - {"\\Recent"}, date=listed.date)
        return replace(one, item=item)

    def _settle(self, mapped: Mapping[bytes, Mapped], pairs: Mapping[bytes, str]) -> None:
        ledger, container = self.leg.ledger, self.row.id
        era = era_of(self.leg.target.position(str(self.row.href)))
        ledger.begin(container, mapped.keys(), f"{era}:1" if era else ":0")
        ledger.intend(container, mapped.values())
        ledger.settle(container, [Stored(key, pairs[key]) for key in mapped])
        ledger.tally.new -= len(mapped)
        if self.leg.mirror:  # flags may be others since
            ledger.recheck(container, mapped.keys(), counted=False)
