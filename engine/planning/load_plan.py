"""From mailboxes.csv to the ledger's plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.config.load import Config
from engine.planning.mailbox_list import Person
from engine.planning.mailbox_list_checks import mailboxes
from engine.planning.waves_csv import planned_waves, wave_rows
from ledger.plan.mailboxes import PlanConflict, PlannedMailbox
from ledger.plan.wave_control import put_priorities
from ledger.plan.waves import Waves
from ledger.store import Ledger
from model.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class LoadedPlan:
    """ids: the random id of each row taken over; conflicts: rows that contradict what was already done."""

    ids: tuple[str, ...]
    conflicts: tuple[PlanConflict, ...]


def plan(config: Config, ledger: Ledger, wave: str | None = None) -> LoadedPlan:
    """Takes the rows of a wave (or all) over into the ledger, and withdraws from it what no row of the wave
    (or of the list's waves) names any more; with them what waves.csv, where there is one, plans of the waves;
    idempotent. Raises Misconfigured."""
    everyone = mailboxes(config)
    lines = planned_waves(config, everyone)
    people = by_priority([entry for entry in everyone if wave in (None, entry.wave)])
    if wave is None:
        waves = waves_of(people, {row.source: row.wave for row in ledger.mailboxes()})
    else:
        waves = frozenset({wave})
    results = ledger.add_mailboxes(
        [planned_mailbox(config, person) for person in people], whole=True, waves=waves
    )
    numbers = [result if isinstance(result, str) else result.mailbox for result in results]
    put_priorities(ledger, {number: one.priority for one, number in zip(people, numbers, strict=True)})
    if lines is not None:
        ids = {one.source: number for one, number in zip(people, numbers, strict=True)}
        chosen = [line for line in lines if line.wave in waves]
        Waves(ledger).put(wave_rows(config, chosen, ids), waves)
    return LoadedPlan(
        tuple(result for result in results if isinstance(result, str)),
        tuple(result for result in results if isinstance(result, PlanConflict)),
    )


def waves_of(people: Iterable[Person], planned: Mapping[str, str]) -> frozenset[str]:
    """The waves that a list speaks of: those of its rows, and those in which its mailboxes are planned. The
    others may be those of another configuration's list, with the same ledger. planned: by source, in which
    wave the ledger has it."""
    return frozenset(wave for person in people for wave in (person.wave, planned.get(person.source)) if wave)


def renew(config: Config, ledger: Ledger, wave: str) -> None:
    """Plans a wave again where the list is at hand; a worker may run on a machine that has none, and goes
    by what the ledger says. Raises Misconfigured, also for a list that names none of a wave which the ledger
    has: it is another configuration's, whose mailboxes would be withdrawn."""
    if not config.file(config.mailboxes).exists():
        return
    if wave not in waves_listed(config) and ledger.mailboxes(wave):
        advice = (
            f"the list of {config.path.name} has no row of wave {wave}; choose the configuration that has"
        )
        raise Misconfigured("configuration", advice)
    plan(config, ledger, wave)


def waves_listed(config: Config) -> frozenset[str]:
    """The waves that the rows of a list name. Raises Misconfigured."""
    return frozenset(mailbox.wave for mailbox in mailboxes(config) if mailbox.wave)


def by_priority(people: Sequence[Person]) -> list[Person]:
    """Higher priority first; otherwise the file's order."""
    return sorted(people, key=lambda person: -person.priority)


def planned_mailbox(config: Config, person: Person) -> PlannedMailbox:
    """A row as the ledger takes it."""
    return PlannedMailbox(
        source=person.source,
        target=person.target,
        wave=person.wave,
        phase=person.phase,
        workloads=frozenset(person.moves(config.workloads)),
        source_login=None if person.source_login == person.source else person.source_login,
        target_login=None if person.target_login == person.target else person.target_login,
        target_folder=person.folder or None,
    )
