"""Find who people and groups of the source are at the target, for sharing with them there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.config.file_errors import Problem, misconfigured
from engine.planning.deny_list import DenyList
from engine.planning.mailbox_list import Directory, canonical, csv_rows, exact
from ledger.leg.locations import Seat
from model.sites import is_site

Found = Mapping[str, Seat]


def no_seats(_sources: Collection[str]) -> Found:
    """Return no seats: a plan without targets."""
    return {}


@dataclass(frozen=True, slots=True)
class Parties:
    """Translate people and groups of the source to those of the target.

    Attributes:
        targets: ledger.store.Ledger.targets of the workload.
        directory: says whose another address is.
        deny: the people with whom nothing is shared.
        groups: the target's group names by the source's names, as read_groups() spells them.
        by_name: True if other groups have the same name at the target, except a site's groups.
        login: returns what an account is called at a target that does not say so itself, given its login and
            its address.
    """

    targets: Callable[[Collection[str]], Found] = no_seats
    directory: Directory = field(default_factory=Directory)
    deny: DenyList = field(default_factory=DenyList)
    groups: Mapping[str, str] = field(default_factory=dict)
    by_name: bool = False
    login: Callable[[str, str], str] = lambda login, _address: login

    def people(self, addresses: Collection[str]) -> dict[str, str | None]:
        """Return who these people are at the target.

        Only people who have exactly one account there, and whom the deny list does not name, are returned. An
        address that is no mailbox of the plan belongs to a person by the directory alone. An address that two
        rows of the directory name belongs to no person.

        Args:
            addresses: addresses at the source.

        Returns:
            For each address that was found, the name at the target; None if the identity gate has not bound
                the mailbox yet.
        """
        others = {address: self._other_addresses(address) for address in addresses}
        seats_known = self.targets(
            {*addresses, *(entry for addresses_of_others in others.values() for entry in addresses_of_others)}
        )
        users = {}
        for address in addresses:
            if len(self._row_numbers(address)) > 1:
                continue
            names = {address} if address in seats_known else others[address] & seats_known.keys()
            seats = {seats_known[name] for name in names}
            if len(seats) == 1 and not any(
                self._is_refused(address, name, seats_known[name]) for name in names
            ):
                seat = seats.pop()
                users[address] = self._user(seat)
        return users

    def _user(self, seat: Seat) -> str | None:
        """Return the target's own word, which may differ from the login."""
        return self.login(seat.login, seat.address) if seat.user == "" else seat.user

    def _row_numbers(self, source: str) -> frozenset[int]:
        return self.directory.sources.get(canonical(source), frozenset())

    def _other_addresses(self, source: str) -> frozenset[str]:
        """Return the other source addresses of this person, without addresses that another person has too."""
        own = self._row_numbers(source)
        if len(own) != 1 or own != self.directory.source_rows(source):
            return frozenset()
        (number,) = own
        return frozenset(
            address for address in self.directory.rows[number] if self._row_numbers(address) == own
        ) - {source}

    def _is_refused(self, address: str, source: str, seat: Seat) -> bool:
        """Return True if the identity gate would refuse this person now."""
        names = {address, source, seat.source_login, seat.login, seat.address}
        also = (self.directory.also(name, name) for name in names)
        return self.directory.names(source, seat.address) is False or self.deny.denies(names.union(*also))

    def group(self, name: str) -> str | None:
        """Return the target's name of a group, or None if no rule names it.

        Equal names do not make equal members, so a name alone says nothing unless `by_name` allows it.
        """
        same_name = name if self.by_name and not is_site(name) else None
        return self.groups.get(_group_key(name), same_name)


def _group_key(name: str) -> str:
    """Return one spelling of a group: two groups whose names only look alike stay two."""
    return canonical(name) if is_site(name) else exact(name)


def read_groups(path: Path) -> Mapping[str, str]:
    """Read the CSV file that maps groups.

    The column `source` holds a group's address or name at the source; for a site's group it holds the site, a
    colon and the group's name. The column `target` holds the group's name at the target. Other columns are
    ignored.

    Returns:
        The target's name by the source's name, in one spelling.

    Raises:
        Misconfigured: if the file cannot be used, also if two lines name one source.
    """
    groups: dict[str, str] = {}
    problems: list[Problem] = []
    purpose = "the groups named by target.files.groups"
    for line, cells in csv_rows(path, purpose, (("source", "target"), None), problems):
        empty = [name for name in ("source", "target") if not cells[name]]
        problems += [Problem(line, name, "is empty") for name in empty]
        source, target = _group_key(cells["source"]), cells["target"]
        if not empty and groups.setdefault(source, target) != target:
            problems.append(Problem(line, "source", "another line gives it to another group"))
    if problems:
        raise misconfigured(path, problems)
    return groups
