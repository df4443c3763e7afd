"""Who people and groups of the source are at the target: with whom something is shared there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.config.file_errors import Problem, misconfigured
from engine.planning.mailbox_list import DenyList, Directory, canonical, csv_rows
from ledger.leg.locations import Seat
from model.sites import is_site

Found = Mapping[str, Seat]


def nobody(_sources: Collection[str]) -> Found:
    return {}


@dataclass(frozen=True, slots=True)
class Parties:
    """targets: ledger.store.Ledger.targets of the workload. directory: whose another
    address is. deny: with whom nothing is shared. groups: the target's by the source's names, as canonical()
    has them. by_name: other groups are those of their names, but for a site's. login: what an account is
    called at a target that does not say so itself."""

    targets: Callable[[Collection[str]], Found] = nobody
    directory: Directory = field(default_factory=Directory)
    deny: DenyList = field(default_factory=DenyList)
    groups: Mapping[str, str] = field(default_factory=dict)
    by_name: bool = False
    login: Callable[[str, str], str] = lambda login, _address: login

    def people(self, addresses: Collection[str]) -> dict[str, str | None]:
        """address -> who it is at the target, of those who have one account there and are denied nothing;
        None for one that the gate has not bound yet. An address that is no mailbox of the plan is somebody's
        by the directory alone; one that two of its rows name is nobody's."""
        others = {address: self._others(address) for address in addresses}
        known = self.targets({*addresses, *(one for found in others.values() for one in found)})
        users = {}
        for address in addresses:
            if len(self._numbers(address)) > 1:
                continue
            names = {address} if address in known else others[address] & known.keys()
            seats = {known[name] for name in names}
            if len(seats) == 1 and not any(self._refused(address, name, known[name]) for name in names):
                seat = seats.pop()
                users[address] = self._user(seat)
        return users

    def _user(self, seat: Seat) -> str | None:
        """The target's own word, which need not be what they log in with."""
        return self.login(seat.login, seat.address) if seat.user == "" else seat.user

    def _numbers(self, source: str) -> frozenset[int]:
        return self.directory.sources.get(canonical(source), frozenset())

    def _others(self, source: str) -> frozenset[str]:
        """The addresses at the source of whom this one is, and of nobody else."""
        own = self._numbers(source)
        if len(own) != 1:
            return frozenset()
        (number,) = own
        return frozenset(one for one in self.directory.rows[number] if self._numbers(one) == own) - {source}

    def _refused(self, address: str, source: str, seat: Seat) -> bool:
        """What the gate would refuse by now."""
        names = {address, source, seat.source_login, seat.login, seat.address}
        also = (self.directory.also(name, name) for name in names)
        return self.directory.names(source, seat.address) is False or self.deny.denies(names.union(*also))

    def group(self, name: str) -> str | None:
        """None for one that nobody said anything of: equal names do not make equal members."""
        same = name if self.by_name and not is_site(name) else None
        return self.groups.get(canonical(name), same)


def read_groups(path: Path) -> Mapping[str, str]:
    """A CSV file with the columns source (a group's address or name there, of a site's
    group the site, a colon and its name) and target (its name at the
    target); other columns are left alone. Raises Misconfigured, also for a source that two lines name."""
    found: dict[str, str] = {}
    problems: list[Problem] = []
    purpose = "the groups named by target.files.groups"
    for line, cells in csv_rows(path, purpose, (("source", "target"), None), problems):
        empty = [name for name in ("source", "target") if not cells[name]]
        problems += [Problem(line, name, "is empty") for name in empty]
        source, target = canonical(cells["source"]), cells["target"]
        if not empty and found.setdefault(source, target) != target:
            problems.append(Problem(line, "source", "another line gives it to another group"))
    if problems:
        raise misconfigured(path, problems)
    return found
