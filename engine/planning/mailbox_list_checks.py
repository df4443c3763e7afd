"""Read mailboxes.csv under a configuration, and find what only both together can show."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

from connectors.catalogue.entries import connectors
from engine.config.file_errors import Problem, misconfigured
from engine.config.load import Config
from engine.planning.mailbox_list import Person, canonical, read_mailboxes
from model.kinds import KINDS, Kind

Names = tuple[str, ...]


def mailboxes(config: Config, *, unplanned: bool = False) -> tuple[Person, ...]:
    """Return all rows, in the file's order.

    Args:
        config: the configuration.
        unplanned: True to allow rows without a wave.

    Raises:
        Misconfigured: with every fault of the file, or of its use under the configuration: a site that cannot
            be read or has no target, two rows with one folder.
    """
    path = config.file(config.mailboxes)
    people = read_mailboxes(path, unplanned=unplanned)
    problems = [
        *_impossible(config, people),
        *_duplicate_sites(people),
        *_overlapping_folders(config, people),
    ]
    if problems:
        raise misconfigured(path, problems)
    return people


def _impossible(config: Config, people: Sequence[Person]) -> Iterator[Problem]:
    files = config.source.of(Kind.FILES)
    reads_sites = files is not None and connectors()[files.kind].of_sites
    for person in people:
        if person.site is not None and not reads_sites:
            yield Problem(person.line, "source", 'a site is read over Graph: [source] kind = "graph"')
        if (person.site is not None or person.folder) and not any(
            KINDS[kind].of_sites for kind in config.workloads
        ):
            name = "source" if person.site is not None else "folder"
            yield Problem(person.line, name, "files have no target: configure [target.files]")


def _duplicate_sites(people: Sequence[Person]) -> Iterator[Problem]:
    """Yield a fault for each library that stands beside its whole site."""
    whole = {
        str(site): person.line for person in people if (site := person.site) is not None and not site.library
    }
    for person in people:
        site = person.site
        if site is not None and site.library and str(site.whole) in whole:
            line = whole[str(site.whole)]
            yield Problem(person.line, "source", f"a library of the site in line {line}, which has it too")


def _overlapping_folders(config: Config, people: Sequence[Person]) -> Iterator[Problem]:
    """Yield a fault for each row whose folder lies within another's in the same account.

    A file's owner would be lost.
    """
    files = config.target.of(Kind.FILES)
    if files is None:
        return
    folders: defaultdict[str, list[tuple[Names, Person]]] = defaultdict(list)
    for person in people:
        own = tuple(map(_folded_name, files.folder(person.target_account)))
        accounts = {canonical(person.target), canonical(person.target_login)}
        others = [entry for account in accounts for entry in folders[account]]
        met = next((one for names, one in others if _is_nested(own, names)), None)
        if met is not None:
            yield Problem(person.line, "folder", f"the same as, or within, or around that of line {met.line}")
        for account in accounts:
            folders[account].append((own, person))


def _is_nested(first: Names, second: Names) -> bool:
    shorter = min(len(first), len(second))
    return first[:shorter] == second[:shorter]


def _folded_name(name: str) -> str:
    """Return a text that is equal for names that some server takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
