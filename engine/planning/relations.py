"""Read who belongs together: the CSV of departments, managers, delegates and shared mailboxes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.config.file_errors import Problem, misconfigured
from engine.config.mail_address import is_address
from engine.planning.mailbox_list import SEVERAL, Person, canonical, csv_rows
from model.sites import SHAPE, Site, is_site

COLUMNS = ("department", "manager", "delegates", "shared")
TOGETHER = ("delegates", "shared")
"""Columns whose people move together with the person. A department, or a manager's staff, does so if it
can."""


@dataclass(frozen=True, slots=True)
class Relation:
    """Hold one row. Names are in their canonical spelling.

    Attributes:
        line: its line in the file.
        person: whom the row is about.
        department: the department; "" if it is not given.
        manager: the manager; "" if it is not given.
        others: delegates and shared mailboxes.
    """

    line: int
    person: str
    department: str = ""
    manager: str = ""
    others: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Belonging:
    """Hold the relations among the mailboxes of the list.

    Attributes:
        departments: the department by source.
        links: pairs of sources that share something.
        unknown: lines of the relations that name a person who is not in the list.
    """

    departments: Mapping[str, str] = field(default_factory=dict)
    links: frozenset[tuple[str, str]] = frozenset()
    unknown: tuple[int, ...] = ()


def read_relations(path: Path) -> tuple[Relation, ...]:
    """Read the relations.

    The columns are person, and any of department, manager, delegates, shared; the last two may hold several
    addresses, separated by blanks or "|". A person may have several rows.

    Raises:
        Misconfigured: if the file cannot be used.
    """
    problems: list[Problem] = []
    rows = []
    purpose = "the relations named by plan.relations"
    for line, cells in csv_rows(path, purpose, (("person",), ("person", *COLUMNS)), problems):
        faults = list(_faults(line, cells))
        problems += faults
        if not faults:
            rows.append(_relation(line, cells))
    problems += _contradictions(rows)
    if problems:
        raise misconfigured(path, problems)
    return tuple(rows)


def belonging(rows: Iterable[Relation], people: Iterable[Person]) -> Belonging:
    """Return the relations among the list's mailboxes, each known by its source, its target or a login."""
    sources: dict[str, str] = {}
    for person in people:
        for name in (person.target_login, person.source_login, person.target, person.source):
            if person.site is None or name == person.source:
                sources[canonical(name)] = person.source
    departments: dict[str, str] = {}
    managers: dict[str, str] = {}
    links: set[tuple[str, str]] = set()
    unknown = set()
    for row in rows:
        source = sources.get(row.person)
        others = {sources.get(other) for other in row.others}
        if source is None or None in others:
            unknown.add(row.line)
        if source is None:
            continue
        departments[source] = row.department or departments.get(source, "")
        managers[source] = sources.get(row.manager, row.manager) or managers.get(source, "")
        links |= {(source, other) for other in others if other is not None}
    return Belonging(_by_manager(departments, managers), frozenset(links), tuple(sorted(unknown)))


def _by_manager(departments: Mapping[str, str], managers: Mapping[str, str]) -> dict[str, str]:
    """Return the department of each source: its own, else the manager's, else the manager."""
    departments_found = {}
    for source, own in departments.items():
        manager = managers.get(source, "")
        departments_found[source] = own or departments.get(manager, "") or manager
    return {source: name for source, name in departments_found.items() if name}


def _relation(line: int, cells: Mapping[str, str]) -> Relation:
    others = {canonical(entry) for name in TOGETHER for entry in SEVERAL.split(cells.get(name, "")) if entry}
    person, manager = canonical(cells["person"]), cells.get("manager", "")
    return Relation(
        line,
        person,
        " ".join(cells.get("department", "").split()),
        canonical(manager) if manager else "",
        frozenset(others - {person}),
    )


def _faults(line: int, cells: Mapping[str, str]) -> Iterator[Problem]:
    person = cells["person"]
    if is_site(person):
        if Site.read(person) is None:
            yield Problem(line, "person", f"not {SHAPE}")
    elif not is_address(person):
        yield Problem(line, "person", "not an e-mail address" if person else "is empty")
    manager = cells.get("manager", "")
    if manager and not is_address(manager):
        yield Problem(line, "manager", "not an e-mail address")
    for name in TOGETHER:
        if not all(is_address(entry) for entry in SEVERAL.split(cells.get(name, "")) if entry):
            yield Problem(line, name, "not e-mail addresses, separated by blanks or |")


def _contradictions(rows: Iterable[Relation]) -> Iterator[Problem]:
    first: defaultdict[str, dict[str, Relation]] = defaultdict(dict)
    for row in rows:
        for name in ("department", "manager"):
            value = getattr(row, name)
            earlier = first[name].setdefault(row.person, row) if value else row
            if getattr(earlier, name) != value:
                yield Problem(row.line, name, f"line {earlier.line} gives this person another")
