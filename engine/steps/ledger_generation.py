"""Whether the ledger is older than what was done with it: restored from a backup, it would have everything
that was copied since copied once more.

Each pass of a leg that begins to write has a number, one above the last. It is recorded in the ledger, then
left outside of it: beside the target's account, where that can keep it, and in the state directory. A ledger
that finds a number outside that is above its own is older than that pass. The state directory may be another
one on another machine, and be behind: only what is ahead says something. Beside the number stands the phase
of the pass: a ledger from before a cutover says "staging" of a mailbox whose user works there by now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from connectors.spool import bytes_body
from engine.context.fetch_results import FetchResults
from engine.context.leg_context import LegContext, spent_as
from engine.context.restored_ledger_breaker import CODE
from engine.steps.reconcile import era_of, listed_once, read_digests
from ledger.db.rows import ContainerRow, ItemRow, Phase, State
from ledger.leg.matching import TargetItem, Wanted, match, narrow
from model.errors import Blocked, Rejected
from model.optional_protocols import SupportsMark
from model.private_files import make_directory, using_state
from model.protocols import Failed, Kind, Listed, Mapped, Native, Stored

ASKED = "pass-"
"""Begins what an event says of each workload: the newest pass that it was asked about."""
BEHIND = "phase-behind"
CHUNK = 200
DIGITS_MOST = 9
FOLDER = "generations"
NOTHING = bytes_body(b"")
"""In place of a body that is not written."""


class Pass(NamedTuple):
    """A pass of a leg: its number, and how far its mailbox was then (an index of PHASES)."""

    number: int
    phase: int = 0

    def text(self) -> str:
        """As it is left outside of the ledger."""
        return f"{self.number} {PHASES[self.phase]}"


PHASES = tuple(Phase)
NONE = Pass(0)


@dataclass(frozen=True, slots=True)
class Generations:
    """The numbers of legs in a state directory, a small file each; nothing in them names a person."""

    directory: Path

    def read(self, work: LegContext) -> Pass:
        """Of number 0: there is none. Raises as write()."""
        with using_state():
            try:
                return _read(self._file(work).read_text(errors="replace").strip())
            except FileNotFoundError:
                return NONE

    def write(self, work: LegContext, one: Pass) -> None:
        """Raises Blocked("state-full" | "state-unusable")."""
        file = self._file(work)
        with using_state():
            make_directory(file.parent)
            new = file.with_name(f"{file.name}.new")
            new.write_text(f"{one.text()}\n")
            new.replace(file)

    def _file(self, work: LegContext) -> Path:
        return self.directory / FOLDER / work.mailbox.id[-2:] / f"{work.mailbox.id}.{work.kind.value}"


def refuse_older(work: LegContext, generations: Generations | None) -> bool:
    """Before a pass does anything: whether the ledger is older than what was done, and a person approved that
    the pass goes on all the same; see adopt. Raises Blocked("ledger-restored"), and Blocked("phase-behind"),
    which no approval excuses: the mailbox was further than this ledger says."""
    newest = _outside(work, generations)
    ahead = newest.number - work.ledger.generation()
    if ahead <= 0:
        return False
    approved = work.approved(CODE)
    if approved and _is_of_another_backup(work, newest):
        _spend(work, work.ledger.generation())
        approved = False
    if not approved:
        asked = {name: number for name, number in _told(work, CODE).items() if name.startswith(ASKED)}
        work.ledger.event(CODE, {**asked, "passes": ahead, ASKED + work.kind.value: newest.number})
        raise Blocked("ledger-restored", "the ledger knows less than what was done with it")
    if newest.phase > PHASES.index(work.mailbox.phase):
        raise Blocked("phase-behind", "the restored ledger has an earlier phase than the mailbox")
    return True


def _is_of_another_backup(work: LegContext, newest: Pass) -> bool:
    """What was approved stands in a backup that was made before it was spent: it is for the passes that there
    were when it was asked about."""
    asked = int(_told(work, CODE).get(ASKED + work.kind.value, 0))
    spent = int(_told(work, f"approval-spent:{spent_as(CODE, work.kind)}").get("pass", 0))
    return spent < asked < newest.number


def _told(work: LegContext, kind: str) -> Mapping[str, str | int]:
    return work.ledger.last_event(kind) or {}


def _spend(work: LegContext, number: int) -> None:
    work.ledger.event(f"approval-spent:{spent_as(CODE, work.kind)}", {"pass": number})


def keep(work: LegContext, generations: Generations | None) -> None:
    """Gives this pass its number: before its first write, and, of a ledger that is older, after adopt. Spends
    the approval, whether the ledger was older or not: it is not for the next backup."""
    number = max(work.ledger.generation(), _outside(work, generations).number) + 1
    this = Pass(number, PHASES.index(work.mailbox.phase))
    work.ledger.keep_generation(number)
    if generations is not None:
        generations.write(work, this)
    if isinstance(work.target, SupportsMark):
        work.target.keep_mark(f"{work.mailbox.id} {this.text()}")
    if work.approved(CODE):
        _spend(work, number)


def _outside(work: LegContext, generations: Generations | None) -> Pass:
    return max(_left_at_target(work), generations.read(work) if generations is not None else NONE)


def _left_at_target(work: LegContext) -> Pass:
    """What another ledger left, of another mailbox, says nothing."""
    text = work.target.mark() if isinstance(work.target, SupportsMark) else None
    mailbox, _, rest = (text or "").partition(" ")
    return _read(rest) if mailbox == work.mailbox.id else NONE


def _read(text: str) -> Pass:
    """Whoever may write into the account may write anything there; no ledger came so far as DIGITS_MOST."""
    number, _, phase = text.partition(" ")
    known = PHASES.index(Phase(phase)) if phase in PHASES else 0
    ours = len(number) <= DIGITS_MOST and number.isdecimal() and number.isascii()
    return Pass(int(number), known) if ours else NONE


def is_begun_elsewhere(work: LegContext) -> bool:
    """Whether a ledger that knows of no pass at all finds at the target that this leg has begun: what is
    there may be its own. The state directory's word does not count: nothing says which account it is about.
    """
    return work.ledger.generation() == 0 and _left_at_target(work).number > 0


def adopt(work: LegContext, rows: Sequence[ContainerRow]) -> int:
    """What the ledger does not know to be at the target, and is: copies that no row owns and that mean what
    an item of the source means. They are settled like writes whose answer was lost, and not written again.
    Where an item's place follows from its key, nothing can be written twice. Returns how many."""
    count = 0
    for row in rows:
        if row.href is None or not work.ledger.counts(row.id).get(State.SEEN, 0):
            continue
        if work.target.place(b"") is not None:
            return 0
        count += _Folder.of(work, row).adopt()
    if count:
        work.ledger.event("copies-adopted", {"items": count})
    return count


@dataclass(slots=True)
class _Folder:
    """A container, and what lies in it that no row owns. digests: of what was read of it."""

    work: LegContext
    row: ContainerRow
    free: dict[str, Listed]
    digests: dict[str, bytes]

    @classmethod
    def of(cls, work: LegContext, row: ContainerRow) -> _Folder:
        href = str(row.href)
        try:
            listing = list(listed_once(work, href))
        except Blocked as error:
            if error.code != "container-missing":
                raise
            listing = []
        claimed = work.ledger.claimed(href)
        return cls(work, row, {one.href: one for one in listing if one.href not in claimed}, {})

    def adopt(self) -> int:
        count = 0
        seen = iter(list(self.work.ledger.rows(self.row.id, (State.SEEN,))))
        while self.free and (chunk := list(islice(seen, CHUNK))):
            self.work.check()
            count += self._adopted(chunk)
        return count

    def _adopted(self, rows: Sequence[ItemRow]) -> int:
        mapped = {one.item.key: one for one in self._mapped(rows)}
        wanted = [Wanted(key, one.item.digest, one.item.size) for key, one in mapped.items()]
        listing = [TargetItem(one.href, one.size) for one in self.free.values()]
        unread = [href for href in narrow(wanted, listing, set()) if href not in self.digests]
        self.digests |= read_digests(self.work, str(self.row.href), unread)
        pairs = match(wanted, listing, self.digests).pairs
        if pairs:
            self._settle(
                {key: self._as_there(mapped[key], self.free.pop(href)) for key, href in pairs.items()}, pairs
            )
        return len(pairs)

    def _mapped(self, rows: Sequence[ItemRow]) -> list[Mapped]:
        answers = FetchResults(self.work, self.row)
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
            return None if self.work.form.skip(result) else self.work.form.map(result, self.work.reading())
        except Rejected:
            return None

    def _as_there(self, one: Mapped, listed: Listed) -> Mapped:
        """In the live phase what is beside the body is the user's, and as it should be."""
        name = listed.href if self.work.kind is Kind.FILES else one.item.name
        item = replace(one.item, name=name)
        if not self.work.mirror:
            item = replace(item, flags=listed.flags - {"\\Recent"}, date=listed.date)
        return replace(one, item=item)

    def _settle(self, mapped: Mapping[bytes, Mapped], pairs: Mapping[bytes, str]) -> None:
        ledger, container = self.work.ledger, self.row.id
        era = era_of(self.work.target.position(str(self.row.href)))
        ledger.begin(container, mapped.keys(), f"{era}:1" if era else ":0")
        ledger.intend(container, mapped.values())
        ledger.settle(container, [Stored(key, pairs[key]) for key in mapped])
        ledger.tally.new -= len(mapped)
        if self.work.mirror:  # flags may be others since
            ledger.recheck(container, mapped.keys(), counted=False)
