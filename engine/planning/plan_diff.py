"""Find what changed between the plan in the ledger and the files as they are now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from engine.config.load import Config
from engine.planning.load_plan import planned_mailbox, waves_of
from engine.planning.mailbox_list import Person
from engine.planning.mailbox_list_checks import mailboxes
from engine.planning.size_estimates import Sizes
from engine.planning.wave_planner import sizes_of
from engine.planning.waves_csv import planned_waves, wave_rows
from ledger.plan.mailboxes import FIELDS
from ledger.plan.plan_rows import MailboxPlan, plans
from ledger.plan.wave_control import priorities
from ledger.plan.waves import PLANNED, WaveRow, Waves
from ledger.store import Ledger
from ledger.views.sizes import amounts

ADDED = "added"
SHOWN = frozenset({"wave"})
"""Fields of a row whose values name no person."""


@dataclass(frozen=True, slots=True)
class PlanChange:
    """Hold one change.

    Attributes:
        kind: added, removed, moved (to another wave), or the field that changed, of a mailbox or a wave.
        line: the line of the file; None if the file has no row any more.
        mailbox: the id of the mailbox.
        wave: the name of the wave: of a mailbox the one that its row names, or that it had if it has no row
            any more.
        was: the old value; only of fields that name no person.
        now: the new value; only of fields that name no person.
        refused: True if the mailbox has begun, so that it stays as it was, and does not run.
        file: the name of the file: the list or, for a wave, waves.csv.
    """

    kind: str
    line: int | None = None
    mailbox: str | None = None
    wave: str | None = None
    was: str = ""
    now: str = ""
    refused: bool = False
    file: str = ""

    def document(self) -> dict[str, object]:
        """Return the change for JSON."""
        return {
            "change": self.kind,
            "file": self.file,
            "line": self.line,
            "mailbox": self.mailbox,
            "wave": self.wave,
            "was": self.was or None,
            "now": self.now or None,
            "refused": self.refused,
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """Hold all changes.

    Attributes:
        changes: the changes.
        sizes: by wave, mailboxes and bytes as the ledger planned them and as the files do.
        elsewhere: how many mailboxes the ledger has in waves that do not belong to the list.
        guessed: how many mailboxes of the list have a size that is guessed, wholly or in part.
    """

    changes: tuple[PlanChange, ...]
    sizes: Mapping[str, tuple[tuple[int, int], tuple[int, int]]] = field(default_factory=dict)
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    guessed: int = 0

    @property
    def counts(self) -> Counter[str]:
        """How many changes there are of each kind."""
        return Counter(change.kind for change in self.changes)

    def document(self) -> dict[str, object]:
        """Return the difference for JSON."""
        return {
            "changes": [change.document() for change in self.changes],
            "counts": dict(sorted(self.counts.items())),
            "waves": {
                name: {
                    "mailboxes": {"was": was[0], "now": now[0]},
                    "bytes": {"was": was[1], "now": now[1]},
                }
                for name, (was, now) in self.sizes.items()
            },
            "elsewhere": dict(sorted(self.elsewhere.items())),
            "guessed": self.guessed,
        }


def difference(config: Config, ledger: Ledger | None) -> Difference:
    """Return the changes of every row, then those of every wave. Rows may lack a wave.

    Raises:
        Misconfigured: if a file cannot be used.
    """
    compared = _compared(config, ledger)
    found = compared.changes
    if not found:
        return Difference((), {}, compared.elsewhere)
    known = sizes_of(config, ledger, compared.people)
    sizes = _sizes(known, compared.held, compared.people, ledger)
    return Difference(found, sizes, compared.elsewhere, len(known.guessed))


def changes(config: Config, ledger: Ledger) -> tuple[PlanChange, ...]:
    """Return the changes alone, without sizes.

    Raises:
        Misconfigured: if a file cannot be used.
    """
    return _compared(config, ledger).changes


@dataclass(frozen=True, slots=True)
class _Compared:
    """Hold the changes, and what they were found from.

    Attributes:
        held: the plan of the list's waves by source.
        elsewhere: see Difference.
    """

    people: Sequence[Person]
    held: Mapping[str, MailboxPlan]
    changes: tuple[PlanChange, ...]
    elsewhere: Mapping[str, int]


def _compared(config: Config, ledger: Ledger | None) -> _Compared:
    people = mailboxes(config, unplanned=True)
    planned = {} if ledger is None else {entry.row.source: entry for entry in plans(ledger)}
    waves = waves_of(people, {source: entry.row.wave for source, entry in planned.items()})
    held = {source: entry for source, entry in planned.items() if entry.row.wave in waves}
    elsewhere = Counter(entry.row.wave for entry in planned.values() if entry.row.wave not in waves)
    ranks = {} if ledger is None else priorities(ledger)
    found = [*_of_list(config, people, held, ranks), *_of_waves(config, ledger, people, held, waves)]
    return _Compared(people, held, tuple(found), elsewhere)


def _of_list(
    config: Config, people: Sequence[Person], held: Mapping[str, MailboxPlan], ranks: Mapping[str, int]
) -> Iterator[PlanChange]:
    file, named = config.mailboxes.name, {person.source for person in people}
    for person in people:
        for change in _of_row(config, person, held.get(person.source), ranks):
            yield replace(change, wave=person.wave, file=file)
    for source, entry in held.items():
        if source not in named and not entry.dropped:
            wave = entry.row.wave
            yield PlanChange("removed", None, entry.id, wave, was=wave, refused=entry.begun, file=file)


def _of_row(
    config: Config, person: Person, held: MailboxPlan | None, ranks: Mapping[str, int]
) -> Iterator[PlanChange]:
    if held is None:
        yield PlanChange(ADDED, person.line, now=person.wave)
        return
    if held.dropped:
        yield PlanChange(ADDED, person.line, held.id, now=person.wave)
    planned = planned_mailbox(config, person)
    for name in FIELDS:
        was, now = getattr(held.row, name), getattr(planned, name)
        if was != now:
            kind = "moved" if name == "wave" else name.replace("_", " ")
            shown = name in SHOWN
            yield PlanChange(
                kind,
                person.line,
                held.id,
                was=was if shown else "",
                now=now if shown else "",
                refused=held.begun,
            )
    rank = ranks.get(held.id, 0)
    if rank != person.priority:
        yield PlanChange("priority", person.line, held.id, was=str(rank), now=str(person.priority))
    if more := planned.workloads - held.row.workloads:
        yield PlanChange("workloads", person.line, held.id, now=", ".join(sorted(more)))


def _of_waves(
    config: Config,
    ledger: Ledger | None,
    people: Sequence[Person],
    held: Mapping[str, MailboxPlan],
    waves: Collection[str],
) -> Iterator[PlanChange]:
    lines = planned_waves(config, people)
    if lines is None:
        return
    ids = {source: mailbox_plan.id for source, mailbox_plan in held.items()}
    rows = {row.name: row for row in wave_rows(config, lines, ids)}
    old = {} if ledger is None else {row.name: row for row in Waves(ledger).all() if row.name in waves}
    numbers = {line.wave: line.line for line in lines}
    file = config.plan.waves.name
    for name in dict.fromkeys([*numbers, *old]):
        was, now = old.get(name, WaveRow(name)), rows.get(name, WaveRow(name))
        for part in PLANNED:
            if getattr(was, part) != getattr(now, part):
                was_shown, now_shown = _value_text(part, was), _value_text(part, now)
                kind, line = f"wave's {part}", numbers.get(name)
                yield PlanChange(kind, line, wave=name, was=was_shown, now=now_shown, file=file)


def _value_text(part: str, row: WaveRow) -> str:
    value = getattr(row, part)
    if value is None:
        return ""
    if part == "starts":
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return str(value)


def _sizes(
    sizes: Sizes, held: Mapping[str, MailboxPlan], people: Sequence[Person], ledger: Ledger | None
) -> dict[str, tuple[tuple[int, int], tuple[int, int]]]:
    listed = {} if ledger is None else amounts(ledger)
    was: Counter[str] = Counter()
    now: Counter[str] = Counter()
    bytes_was: Counter[str] = Counter()
    bytes_now: Counter[str] = Counter()
    for source, mailbox_plan in held.items():
        if not mailbox_plan.dropped:
            load = sizes.loads.get(source)
            own = sum(amount.bytes for amount in listed.get(mailbox_plan.id, {}).values())
            was[mailbox_plan.row.wave] += 1
            bytes_was[mailbox_plan.row.wave] += own if load is None else load.all_bytes
    for person in people:
        now[person.wave] += 1
        bytes_now[person.wave] += sizes.loads[person.source].all_bytes
    return {
        name: ((was[name], bytes_was[name]), (now[name], bytes_now[name])) for name in sorted({*was, *now})
    }
