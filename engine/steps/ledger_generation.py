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

    def read(self, leg: LegContext) -> Pass:
        """Of number 0: there is none. Raises as write()."""
        with using_state():
            try:
                return _read(self._file(leg).read_text(errors="replace").strip())
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

    def _file(self, leg: LegContext) -> Path:
        return self.directory / FOLDER / leg.mailbox.id[-2:] / f"{leg.mailbox.id}.{leg.kind.value}"


def refuse_older(leg: LegContext, generations: Generations | None) -> bool:
    """Before a pass does anything: whether the ledger is older than what was done, and a person approved that
    the pass goes on all the same; see adopt. Raises Blocked("ledger-restored"), and Blocked("phase-behind"),
    which no approval excuses: the mailbox was further than this ledger says."""
    newest = _outside(leg, generations)
    ahead = newest.number - leg.ledger.generation()
    if ahead <= 0:
        return False
    approved = leg.approved(CODE)
    if approved and _is_of_another_backup(leg, newest):
        _spend(leg, leg.ledger.generation())
        approved = False
    if not approved:
        asked = {name: number for name, number in _told(leg, CODE).items() if name.startswith(ASKED)}
        leg.ledger.event(CODE, {**asked, "passes": ahead, ASKED + leg.kind.value: newest.number})
        raise Blocked("ledger-restored", "the ledger knows less than what was done with it")
    if newest.phase > PHASES.index(leg.mailbox.phase):
        raise Blocked("phase-behind", "the restored ledger has an earlier phase than the mailbox")
    return True


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
    number = max(leg.ledger.generation(), _outside(leg, generations).number) + 1
    this = Pass(number, PHASES.index(leg.mailbox.phase))
    leg.ledger.keep_generation(number)
    if generations is not None:
        generations.write(leg, this)
    if isinstance(leg.target, SupportsMark):
        leg.target.keep_mark(f"{leg.mailbox.id} {this.text()}")
    if leg.approved(CODE):
        _spend(leg, number)


def _outside(leg: LegContext, generations: Generations | None) -> Pass:
    return max(_left_at_target(leg), generations.read(leg) if generations is not None else NONE)


def _left_at_target(leg: LegContext) -> Pass:
    """What another ledger left, of another mailbox, says nothing."""
    text = leg.target.mark() if isinstance(leg.target, SupportsMark) else None
    mailbox, _, rest = (text or "").partition(" ")
    return _read(rest) if mailbox == leg.mailbox.id else NONE


def _read(text: str) -> Pass:
    """Whoever may write into the account may write anything there; no ledger came so far as DIGITS_MOST."""
    number, _, phase = text.partition(" ")
    known = PHASES.index(Phase(phase)) if phase in PHASES else 0
    ours = len(number) <= DIGITS_MOST and number.isdecimal() and number.isascii()
    return Pass(int(number), known) if ours else NONE


def is_begun_elsewhere(leg: LegContext) -> bool:
    """Whether a ledger that knows of no pass at all finds at the target that this leg has begun: what is
    there may be its own. The state directory's word does not count: nothing says which account it is about.
    """
    return leg.ledger.generation() == 0 and _left_at_target(leg).number > 0


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
