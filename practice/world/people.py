"""Make up people: names, addresses, directory entries.

Each is computed when asked for, from the seed and an index, so that 40,000 cost nothing until read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

from practice.harness.dice import Dice, digest
from practice.world.cases import tables

DOMAIN = "practice.example"
LEGACY_PREFIX = "/o=Practice/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="


@dataclass(frozen=True, slots=True)
class _Somebody:
    locale: str
    given: str
    family: str


@dataclass(frozen=True, slots=True)
class _Names:
    """Hold names.

    Attributes:
        people: whole names.
        given, family: of which names of one language are made.
    """

    people: tuple[_Somebody, ...] = ()
    given: tuple[str, ...] = ()
    family: tuple[str, ...] = ()


_NAMES = tables("people", _Names)
_FIRST = _NAMES["first"].people
_FOLDED = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "œ": "oe", "Œ": "Oe"}
)
_TRAILING = re.compile(r"(\d+)$")


@dataclass(frozen=True, slots=True)
class Person:
    """Hold one directory entry.

    Attributes:
        address: the primary one.
        proxies: the other SMTP addresses.
    """

    index: int
    name: str
    given: str
    family: str
    address: str
    proxies: tuple[str, ...]
    legacy_dn: str
    password: str
    locale: str

    @property
    def imceaex(self) -> str:
        """Return the address that an `EX` sender has when Exchange cannot resolve it to SMTP."""
        encoded = "".join(
            char if char.isascii() and (char.isalnum() or char == "-") else _imcea(char)
            for char in self.legacy_dn
        )
        return f"IMCEAEX-{encoded}@{DOMAIN}"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Hold an account without a mailbox that reads the others' by impersonation, if it may."""

    address: str
    password: str
    may_impersonate: bool


class Directory:
    """Everyone, by index and by address. Immutable."""

    def __init__(self, seed: int, count: int) -> None:
        self.seed = seed
        self.count = count

    def at(self, index: int) -> Person:
        """Return a person by number."""
        if not 0 <= index < self.count:
            raise KeyError(index)
        locale, given, family = self._name(index)
        base = f"{ascii_of(given)}.{ascii_of(family)}".lower()
        suffix = "" if index < 3 or index == 4 else str(index)
        short = f"{base[0]}.{ascii_of(family).lower()}.{index}"
        return Person(
            index=index,
            name=f"{family}, {given}" if locale == "de" else f"{given} {family}",
            given=given,
            family=family,
            address=f"{base}{suffix}@{DOMAIN}",
            proxies=(f"{short}@{DOMAIN}", f"{short}@old.{DOMAIN}"),
            legacy_dn=f"{LEGACY_PREFIX}{digest(self.seed, 'dn', index).hex()}-{index:06d}",
            password=f"practice-{digest(self.seed, 'password', index, size=5).hex()}",
            locale=locale,
        )

    def find(self, address: str) -> Person:
        """Return a person by primary or proxy address, ignoring case.

        Raises:
            KeyError: there is none.
        """
        wanted = address.lower()
        person = self.at(self._index(wanted.partition("@")[0]))
        if wanted != person.address and wanted not in person.proxies:
            raise KeyError("no such address")
        return person

    def find_legacy(self, legacy_dn: str) -> Person:
        """Return a person by legacyExchangeDN, ignoring case as Exchange does.

        Raises:
            KeyError: there is none.
        """
        person = self.at(self._index(legacy_dn))
        if legacy_dn.lower() != person.legacy_dn.lower():
            raise KeyError("no such legacyExchangeDN")
        return person

    def search(self, text: str, limit: int = 100, window: int = 2000) -> list[Person]:
        """Return those whose name or address begins with a text, as ResolveNames finds them.

        Args:
            text: the beginning.
            limit: how many at most.
            window: only among so many first people.
        """
        try:
            return [self.find(text)]
        except KeyError:
            start = text.lower()
        found = []
        for index in range(min(self.count, window)):
            person = self.at(index)
            words = (person.name, person.given, person.family, person.address)
            if start and any(word.lower().startswith(start) for word in words):
                found.append(person)
                if len(found) >= limit:
                    break
        return found

    def _index(self, local: str) -> int:
        digits = _TRAILING.search(local)
        if digits:
            return int(digits[1])
        for index in range(min(self.count, len(_FIRST))):
            if self.at(index).address.partition("@")[0] == local:
                return index
        raise KeyError("no such address")

    def _name(self, index: int) -> tuple[str, str, str]:
        if index < len(_FIRST):
            return _FIRST[index].locale, _FIRST[index].given, _FIRST[index].family
        dice = Dice(self.seed, "person", index)
        locale = dice.pick(("de", "de", "de", "de", "de", "fr", "fr", "en"))
        return locale, dice.pick(_NAMES[locale].given), dice.pick(_NAMES[locale].family)


class Addresses(Sequence[str]):
    """List all primary addresses, each computed when read."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def __len__(self) -> int:
        return self._directory.count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._directory.at(at).address for at in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._directory.at(index % len(self)).address


def gone(shell: Person, dice: Dice) -> Person:
    """Return somebody who has left: no directory resolves this legacyExchangeDN."""
    legacy_dn = f"{LEGACY_PREFIX}{dice.hex(32)}-ausgeschieden"
    return replace(shell, name="Ehemalige, Grete", address="", proxies=(), legacy_dn=legacy_dn)


def ascii_of(name: str) -> str:
    """Return a name as the local part of an address: Weiß -> Weiss, O'Neill -> ONeill."""
    plain = unicodedata.normalize("NFD", name.translate(_FOLDED)).encode("ascii", "ignore").decode()
    return "".join(char for char in plain if char.isalnum() or char == "-")


def _imcea(char: str) -> str:
    return "_" if char == "/" else "".join(f"+{byte:02X}" for byte in char.encode())
