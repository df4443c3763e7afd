"""Plan all waves from the list, relations, sizes and the ledger. Write nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.config.file_errors import unknown
from engine.config.load import Config
from engine.planning.mailbox_list import Person
from engine.planning.mailbox_list_checks import mailboxes
from engine.planning.maintenance_windows import Window
from engine.planning.relations import Belonging, belonging, read_relations
from engine.planning.size_estimates import Sizes, inventory_file, read_inventory, sizes
from engine.planning.throughput_estimate import Estimate, Throughput, estimate, pace_of
from engine.planning.wave_assignment import PILOT, Draft, WaveMailbox, canary_of, draft
from engine.planning.wave_split import WaveLimits
from engine.planning.waves_csv import WaveLine, read_waves, starts
from ledger.store import Ledger
from ledger.views.rates import Measured, measured
from ledger.views.sizes import amounts, checks
from model.errors import Misconfigured
from model.kinds import Kind

MOST_OPENINGS = 100
"""A wave that needs more openings of its window than this has no end that is worth planning by."""


@dataclass(frozen=True, slots=True)
class PlannedWave:
    """Hold one planned wave.

    Attributes:
        line: its row, as waves.csv will have it.
        people: its mailboxes, in the list's order.
        estimate: how long it takes.
        begun: True if accounts of it are bound.
        made: True if this plan made it.
        until: when it is done if nothing else runs, by the same clock as its date; None once it has begun.
    """

    line: WaveLine
    people: tuple[Person, ...]
    estimate: Estimate
    begun: bool
    made: bool
    until: datetime | None = None

    @property
    def canary(self) -> int | None:
        """The line of the mailbox that goes first."""
        return next((person.line for person in self.people if person.source == self.line.canary), None)

    def document(self) -> dict[str, object]:
        """Return the wave for JSON."""
        return {
            "wave": self.line.wave,
            "state": "begun" if self.begun else "new" if self.made else "planned",
            "date": None if self.line.date is None else self.line.date.isoformat(timespec="minutes"),
            "until": None if self.until is None else self.until.isoformat(timespec="minutes"),
            "window": self.line.window or None,
            "priority": self.line.priority,
            "canary": self.canary,
            **self.estimate.document(),
            "lines": [person.line for person in self.people],
        }


@dataclass(frozen=True, slots=True)
class Notice:
    """Tell a person something about the plan.

    Attributes:
        code: a key of NOTICES.
        lines: lines of the list; for unknown-person of the relations, for empty-wave of waves.csv.
    """

    code: str
    lines: tuple[int, ...]


NOTICES = {
    "split": "share calendars or delegates, and are too many for one wave: split along departments",
    "apart": "share calendars or delegates, and are in different waves",
    "too-large": "larger than a wave may be; each has a wave of its own, or fills one",
    "bound": "have begun in another wave than the list says; they stay there",
    "empty-wave": "of waves.csv: no row of the list has this wave, so that it is left out",
    "unknown-person": "of the relations: name somebody whom the list does not have",
    "guessed": "nothing, or not all, is known of their size: taken for the median. `kogge discover --csv`",
    "blind": "no mailbox of their kind is known; taken for a typical one. `kogge discover --csv` tells",
}


@dataclass(frozen=True, slots=True)
class Making:
    """Hold the whole plan.

    Attributes:
        waves: in the order in which they begin.
        notices: what a person should know.
        kinds: what they move.
        pace: the rates and limits of the estimates.
        rates: what was measured so far.
    """

    waves: tuple[PlannedWave, ...]
    notices: tuple[Notice, ...]
    kinds: tuple[Kind, ...]
    pace: Throughput
    rates: Mapping[Kind, Measured]

    def by_line(self) -> dict[int, str]:
        """Return the wave of every row of the list, by its line."""
        return {person.line: wave.line.wave for wave in self.waves for person in wave.people}


@dataclass(frozen=True, slots=True)
class Facts:
    """Hold what a plan rests on.

    Attributes:
        people: the rows of the list.
        bound: by source, the wave of mailboxes whose accounts are bound.
        belonging: who belongs together.
        sizes: how much each mailbox holds.
        pace: rates and limits.
        rates: what was measured so far.
    """

    people: tuple[Person, ...]
    bound: Mapping[str, str]
    belonging: Belonging
    sizes: Sizes
    pace: Throughput
    rates: Mapping[Kind, Measured]


def gather(config: Config, ledger: Ledger | None) -> Facts:
    """Read the list, the relations, the inventory and the ledger.

    Raises:
        Misconfigured: if a file cannot be used.
    """
    people = mailboxes(config, unplanned=True)
    relations = config.plan.relations
    rows = () if relations is None else read_relations(config.file(relations))
    rates = {} if ledger is None else measured(ledger)
    bound = {row.source: row.wave for row in ledger.mailboxes() if row.source_identity} if ledger else {}
    return Facts(
        people,
        bound,
        belonging(rows, people),
        sizes_of(config, ledger, people),
        pace_of(config, rates),
        rates,
    )


def make(config: Config, facts: Facts, *, again: bool = False) -> Making:
    """Plan a wave for every row. A row keeps the wave that it has.

    Args:
        config: the configuration.
        facts: what the plan rests on.
        again: True to keep a row's wave only if that wave has begun, or is the pilot.

    Raises:
        Misconfigured: if waves.csv cannot be used.
    """
    people = {person.source: person for person in facts.people}
    stay = {PILOT, *facts.bound.values()} if again else {person.wave for person in facts.people}
    boxes = {source: _box(row_person, facts, stay) for source, row_person in people.items()}
    rules = WaveLimits(config.plan.mailboxes, config.plan.largest_bytes, config.plan.pilot)
    drafted = draft(boxes.values(), facts.belonging.links, rules)
    path = config.file(config.plan.waves)
    window = config.plan.window
    if window is not None and window not in config.windows:
        raise Misconfigured("plan.window", unknown(window, config.windows))
    rows_by_wave = {row.wave: row for row in read_waves(path)} if path.exists() else {}
    kept_rows = {
        name: row for name, row in rows_by_wave.items() if name in drafted.waves and name not in drafted.made
    }
    begun = {box.wave for box in boxes.values() if box.closed}
    lines = dated(_lines(config, drafted, kept_rows), {*kept_rows, *begun}, config)
    waves = []
    for line in lines:
        keys = drafted.waves[line.wave]
        inside = [boxes[key] for key in keys]
        canary = line.canary if line.canary in keys else canary_of(inside) or ""
        whole = estimate([facts.sizes.loads[key] for key in keys], facts.pace)
        waves.append(
            PlannedWave(
                replace(line, canary=canary),
                tuple(sorted((people[key] for key in keys), key=lambda entry: entry.line)),
                whole,
                line.wave in begun,
                line.wave in drafted.made,
                None if line.wave in begun else until(config, line, whole.seconds),
            )
        )
    empty = [row.line for name, row in rows_by_wave.items() if name not in drafted.waves]
    notices = (*_notices(facts, drafted), *_some("empty-wave", empty))
    return Making(tuple(waves), notices, config.workloads, facts.pace, facts.rates)


def dated(lines: Sequence[WaveLine], kept: Collection[str], config: Config) -> list[WaveLine]:
    """Give every wave a date, except those that are kept, and sort by date.

    The first wave gets the configured first day, each later one a day so many days after the latest; none if
    neither is known.

    Args:
        lines: the waves.
        kept: the names of the waves that stay as they are.
        config: the configuration.
    """
    latest = max((line.date for line in lines if line.date and line.wave in kept), default=None)
    day = config.plan.first
    first = None if day is None else datetime.combine(day, time())
    dated_lines = []
    for line in lines:
        date = line.date
        if line.wave not in kept:
            after = None if latest is None else latest + timedelta(days=config.plan.days)
            date = max(filter(None, (after, first)), default=None)
            latest = date or latest
        dated_lines.append(replace(line, date=date))
    return sorted(dated_lines, key=lambda entry: (entry.date is None, entry.date or datetime.min))


def until(config: Config, line: WaveLine, seconds: float) -> datetime | None:
    """Return when so much work is done, within the wave's maintenance window.

    Returns:
        The local time; None if the wave has no date, or a window that is open too rarely.
    """
    first, settings = starts(config, line), config.windows.get(line.window)
    if first is None:
        return None
    at = datetime.fromtimestamp(first, UTC)
    if settings is None:
        return _local(at + timedelta(seconds=seconds), ZoneInfo(config.plan.timezone))
    window = Window.of(settings)
    for _ in range(MOST_OPENINGS):
        opens = window.opens(at)
        closes = None if opens is None else window.closes(opens)
        if opens is None:
            return None
        if closes is None or seconds <= (closes - opens).total_seconds():
            return _local(opens + timedelta(seconds=seconds), window.zone)
        seconds -= (closes - opens).total_seconds()
        at = closes
    return None


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _lines(config: Config, drafted: Draft, kept: Mapping[str, WaveLine]) -> list[WaveLine]:
    """Return the pilot, the former waves and the new ones."""
    old = sorted(name for name in drafted.waves if name not in drafted.made)
    names = sorted([*old, *drafted.made], key=lambda name: name != PILOT)
    return [kept.get(name) or WaveLine(0, name, window=config.plan.window or "") for name in names]


def _box(person: Person, facts: Facts, stay: Collection[str]) -> WaveMailbox:
    """Return a mailbox for the draft; `stay` holds the waves whose rows keep them."""
    load = facts.sizes.loads[person.source]
    bound = facts.bound.get(person.source)
    return WaveMailbox(
        key=person.source,
        wave=bound or (person.wave if person.wave in stay else ""),
        closed=bound is not None,
        items=load.all_items,
        bytes=load.all_bytes,
        seconds=max(facts.pace.seconds(load), facts.pace.least(load)),
        department=facts.belonging.departments.get(person.source, ""),
        priority=person.priority,
        person=person.site is None,
    )


def sizes_of(config: Config, ledger: Ledger | None, people: Sequence[Person]) -> Sizes:
    """Return how much each row's mailbox holds, as far as it is known."""
    file = inventory_file(config)
    inventory = {} if file is None else read_inventory(file, people)
    if ledger is None:
        return sizes(people, config.workloads, {}, {}, inventory)
    names = {row.id: row.source for row in ledger.mailboxes()}
    listed = {names[number]: mailbox_amounts for number, mailbox_amounts in amounts(ledger).items()}
    counted = {names[number]: pair for number, pair in checks(ledger).items()}
    return sizes(people, config.workloads, listed, counted, inventory)


def _notices(facts: Facts, drafted: Draft) -> Iterator[Notice]:
    line = {person.source: person.line for person in facts.people}
    for remark in drafted.remarks:
        yield _notice(remark.code, (line[key] for key in remark.keys))
    moved = [
        person
        for person in facts.people
        if person.wave and facts.bound.get(person.source, person.wave) != person.wave
    ]
    yield from _some("bound", (entry.line for entry in moved))
    yield from _some("unknown-person", facts.belonging.unknown)
    code = "blind" if facts.sizes.blind else "guessed"
    yield from _some(code, (line[source] for source in facts.sizes.guessed))


def _notice(code: str, lines: Iterable[int]) -> Notice:
    return Notice(code, tuple(sorted(lines)))


def _some(code: str, lines: Iterable[int]) -> Iterator[Notice]:
    notice = _notice(code, lines)
    if notice.lines:
        yield notice
