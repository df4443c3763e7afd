"""What changed between the plan that the ledger holds and the files as they are now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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

SHOWN = frozenset({"wave"})
"""Of a row's fields, those whose values name nobody."""


@dataclass(frozen=True, slots=True)
class PlanChange:
    """kind: added, removed, moved (to another wave), or the field that changed, of a mailbox or a wave. line:
    of the list or, for a wave, of waves.csv. was, now: only what names nobody. refused: the mailbox has
    begun, so that it stays as it was, and does not run."""

    kind: str
    line: int | None = None
    mailbox: str | None = None
    wave: str | None = None
    was: str = ""
    now: str = ""
    refused: bool = False

    def document(self) -> dict[str, object]:
        return {
            "change": self.kind,
            "line": self.line,
            "mailbox": self.mailbox,
            "wave": self.wave,
            "was": self.was or None,
            "now": self.now or None,
            "refused": self.refused,
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """sizes: by wave, mailboxes and bytes as the ledger planned them and as the files do. elsewhere: how many
    mailboxes the ledger has of waves that the list does not speak of."""

    changes: tuple[PlanChange, ...]
    sizes: Mapping[str, tuple[tuple[int, int], tuple[int, int]]] = field(default_factory=dict)
    elsewhere: Mapping[str, int] = field(default_factory=dict)

    @property
    def counts(self) -> Counter[str]:
        return Counter(change.kind for change in self.changes)

    def document(self) -> dict[str, object]:
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
        }


def difference(config: Config, ledger: Ledger | None) -> Difference:
    """Every row's, then every wave's. Rows may lack a wave. Raises Misconfigured."""
    people = mailboxes(config, unplanned=True)
    known = {} if ledger is None else {plan.row.source: plan for plan in plans(ledger)}
    waves = waves_of(people, {source: one.row.wave for source, one in known.items()})
    held = {source: one for source, one in known.items() if one.row.wave in waves}
    elsewhere = Counter(entry.row.wave for entry in known.values() if entry.row.wave not in waves)
    ranks = {} if ledger is None else priorities(ledger)
    now = {person.source: person for person in people}
    changes = [
        change for person in people for change in _of_row(config, person, held.get(person.source), ranks)
    ]
    gone = [one for source, one in held.items() if source not in now and not one.dropped]
    changes += [
        PlanChange("removed", None, entry.id, was=entry.row.wave, refused=entry.begun) for entry in gone
    ]
    changes += _of_waves(config, ledger, people, held, waves)
    sizes = _sizes(sizes_of(config, ledger, people), held, people, ledger) if changes else {}
    return Difference(tuple(changes), sizes, elsewhere)


def _of_row(
    config: Config, person: Person, held: MailboxPlan | None, ranks: Mapping[str, int]
) -> Iterator[PlanChange]:
    if held is None:
        yield PlanChange("added", person.line, now=person.wave)
        return
    if held.dropped:
        yield PlanChange("added", person.line, held.id, now=person.wave)
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
    ids = {source: one.id for source, one in held.items()}
    rows = {row.name: row for row in wave_rows(config, lines, ids)}
    old = {} if ledger is None else {row.name: row for row in Waves(ledger).all() if row.name in waves}
    numbers = {line.wave: line.line for line in lines}
    for name in dict.fromkeys([*numbers, *old]):
        was, now = old.get(name, WaveRow(name)), rows.get(name, WaveRow(name))
        for part in PLANNED:
            if getattr(was, part) != getattr(now, part):
                seen, wanted = _shown(part, was), _shown(part, now)
                yield PlanChange(f"wave's {part}", numbers.get(name), wave=name, was=seen, now=wanted)


def _shown(part: str, row: WaveRow) -> str:
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
    for source, one in held.items():
        if not one.dropped:
            known = sizes.loads.get(source)
            own = sum(amount.bytes for amount in listed.get(one.id, {}).values())
            was[one.row.wave] += 1
            bytes_was[one.row.wave] += own if known is None else known.all_bytes
    for person in people:
        now[person.wave] += 1
        bytes_now[person.wave] += sizes.loads[person.source].all_bytes
    return {
        name: ((was[name], bytes_was[name]), (now[name], bytes_now[name])) for name in sorted({*was, *now})
    }
