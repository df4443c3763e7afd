"""Load mailboxes.csv into the ledger's plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.config.file_errors import Problem, misconfigured
from engine.config.load import Config
from engine.planning.mailbox_list import Person
from engine.planning.mailbox_list_checks import mailboxes
from engine.planning.waves_csv import planned_waves, wave_rows
from ledger.db.rows import Phase
from ledger.plan.callers import name_listed
from ledger.plan.early_checks import take_over
from ledger.plan.mailboxes import PlanConflict, PlannedMailbox
from ledger.plan.pinned_settings import read_pin
from ledger.plan.wave_control import put_priorities
from ledger.plan.waves import Waves
from ledger.store import Ledger
from model.errors import Misconfigured
from model.kinds import Kind

TAKES_CUTOVER = (
    "frozen and live take the approvals of the stage cutover: leave it empty; `kogge phase` moves it then"
)


@dataclass(frozen=True, slots=True)
class LoadedPlan:
    """Say what was loaded.

    Attributes:
        ids: the random id of each row that was loaded.
        conflicts: rows that contradict what was already done.
    """

    ids: tuple[str, ...]
    conflicts: tuple[PlanConflict, ...]


def plan(config: Config, ledger: Ledger, wave: str | None = None) -> LoadedPlan:
    """Load the rows of a wave, or of all waves, into the ledger.

    Mailboxes that no row of the wave (or of the list's waves) names any more are withdrawn from the plan.
    What waves.csv plans of the waves, if that file exists, is loaded too. What a check found of a mailbox
    that had no wave yet counts for it from now on. Idempotent.

    Args:
        config: the configuration.
        ledger: the ledger.
        wave: the wave; None for all waves of the list.

    Raises:
        Misconfigured: if a file cannot be used; also if a new mailbox is to begin frozen or live where a
            cutover takes approvals.
    """
    everyone = mailboxes(config)
    _refuse_unapproved_phases(config, ledger, [entry for entry in everyone if wave in (None, entry.wave)])
    name_listed(ledger, config.path.name, _callers(config, everyone))
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
    put_priorities(ledger, {number: person.priority for person, number in zip(people, numbers, strict=True)})
    take_over(ledger, waves)
    if lines is not None:
        ids = {person.source: number for person, number in zip(people, numbers, strict=True)}
        chosen = [line for line in lines if line.wave in waves]
        Waves(ledger).put(wave_rows(config, chosen, ids), waves)
    return LoadedPlan(
        tuple(result for result in results if isinstance(result, str)),
        tuple(result for result in results if isinstance(result, PlanConflict)),
    )


def _refuse_unapproved_phases(config: Config, ledger: Ledger, people: Sequence[Person]) -> None:
    """Refuse new mailboxes that are to begin in a phase for which a cutover needs signatures.

    A plan's approvers do not sign phases, and a list is loaded by commands that need no approval. Of a
    mailbox that the ledger has, the column is not read.
    """
    pinned = read_pin(ledger)
    if not max(config.approval.required, 0 if pinned is None else pinned.required):
        return
    begun = [person for person in people if person.phase is not Phase.STAGING]
    known = {row.source for row in ledger.mailboxes()} if begun else set()
    problems = [
        Problem(person.line, "phase", TAKES_CUTOVER) for person in begun if person.source not in known
    ]
    if problems:
        raise misconfigured(config.file(config.mailboxes), problems)


def _callers(config: Config, everyone: Iterable[Person]) -> dict[str, tuple[str, str]]:
    """Return the addresses of those whose calendars move, in whatever wave, by their sources."""
    return {
        person.source: (person.source, person.target)
        for person in everyone
        if Kind.CALENDAR in person.moves(config.workloads)
    }


def waves_of(people: Iterable[Person], waves: Mapping[str, str]) -> frozenset[str]:
    """Return the waves of a list: those of its rows, and those in which its mailboxes are planned.

    Other waves may belong to another configuration's list with the same ledger.

    Args:
        people: the rows.
        waves: the wave that the ledger has for each source.
    """
    return frozenset(wave for person in people for wave in (person.wave, waves.get(person.source)) if wave)


def renew(config: Config, ledger: Ledger, wave: str) -> None:
    """Load a wave again if the list is on this machine.

    Another worker's machine may have none, and relies on the ledger.

    Raises:
        Misconfigured: if a file cannot be used; also if the list has no row of a wave that the ledger has. It
            is another configuration's list then, whose mailboxes would be withdrawn.
    """
    if not config.file(config.mailboxes).exists():
        return
    if wave not in waves_listed(config) and ledger.mailboxes(wave):
        advice = (
            f"the list of {config.path.name} has no row of wave {wave}; choose the configuration that has"
        )
        raise Misconfigured("configuration", advice)
    plan(config, ledger, wave)


def waves_listed(config: Config) -> frozenset[str]:
    """Return the waves that the rows of a list name.

    Raises:
        Misconfigured: if the list cannot be used.
    """
    return frozenset(mailbox.wave for mailbox in mailboxes(config) if mailbox.wave)


def by_priority(people: Sequence[Person]) -> list[Person]:
    """Return the rows with higher priority first; otherwise in the file's order."""
    return sorted(people, key=lambda person: -person.priority)


def planned_mailbox(config: Config, person: Person) -> PlannedMailbox:
    """Return a row as the ledger stores it."""
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
