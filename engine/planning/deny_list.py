"""Read the deny list: whom no wave may touch."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.config.file_errors import Problem, misconfigured, read_text
from engine.config.mail_address import is_address
from engine.planning.mailbox_list import canonical, lines_of
from model.sites import Site, is_site

DOMAIN = re.compile(r"@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


@dataclass(frozen=True, slots=True)
class DenyList:
    r"""Hold addresses, whole domains ("@court.example") and sites that no wave may touch.

    A site is denied with all its libraries, and because of any of them. Names are compared as canonical()
    writes them, and a subaddress ("richter+x@court.example") as its main address. "@court.example" also
    denies its subdomains ("@mail.court.example"). A login without a domain ("richter", "COURT\\richter") is
    denied if it stands before the @ of an entry: only the server knows its domain. In a login, % may stand
    for @; an administrator's name may follow behind a *, a domain or another mailbox behind or before a /.

    Attributes:
        entries: the entries.
        lines: the line of each entry in its file.
        locals: what stands before the @ of the entries.
    """

    entries: frozenset[str] = frozenset()
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)
    locals: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        entries = frozenset(map(canonical, self.entries))
        object.__setattr__(self, "entries", entries)
        object.__setattr__(self, "locals", frozenset(entry.partition("@")[0] for entry in entries) - {""})

    def unmet(self, names: Iterable[str]) -> tuple[int, ...]:
        """Return the lines of the entries that deny none of these addresses, logins and sites, in order."""
        meant = {meaning for name in names for meaning in _meanings(canonical(name))}
        sites = {name for name in meant if is_site(name)}
        logins = {name.rpartition("\\")[2] for name in meant if "@" not in name}
        domains = {part for name in meant if "@" in name for part in _domains(name)}

        def is_met(entry: str) -> bool:
            if is_site(entry):
                return DenyList(frozenset({entry})).denies(sites)
            local = entry.partition("@")[0]
            return entry in meant or (local in logins if local else entry in domains)

        return tuple(sorted(line for entry, line in self.lines.items() if not is_met(canonical(entry))))

    def denies(self, addresses: Iterable[str]) -> bool:
        """Return True if any of these addresses or logins is on the list."""
        return any(self._has(meaning) for address in addresses for meaning in _meanings(canonical(address)))

    def _has(self, address: str) -> bool:
        site = Site.read(address)
        if site is not None:
            part = not site.library and any(entry.startswith(f"{site}:") for entry in self.entries)
            return part or not self.entries.isdisjoint((str(site), str(site.whole)))
        if "@" not in address:
            return address.rpartition("\\")[2] in self.locals
        return address in self.entries or not self.entries.isdisjoint(_domains(address))


def _domains(address: str) -> Iterator[str]:
    """Yield the domain of an address and all domains above it, each as "@domain"."""
    labels = address.rpartition("@")[2].split(".")
    yield from (f"@{'.'.join(labels[at:])}" for at in range(len(labels)))


def _meanings(name: str) -> Iterator[str]:
    """Yield what a server may take a name for.

    Itself, the address of which it is a subaddress, and with % for @.

    Source:
        RFC 5233 (subaddresses).
    """
    yield name
    local, at, domain = name.rpartition("@")
    if not at:
        local, domain = domain, ""
    if "+" in local[1:]:
        yield f"{local[: local.index('+', 1)]}{at}{domain}"
    user, percent, host = local.rpartition("%")
    if percent and user and host:
        yield from _meanings(f"{user}@{host}")
    for separator in "*/":
        if separator in name:
            for part in filter(None, name.split(separator)):
                yield from _meanings(part)


def read_deny(path: Path) -> DenyList:
    """Read the deny list: an address, @domain or site on each line; # begins a comment.

    An address may begin with `smtp:`, as directories export it.

    Raises:
        Misconfigured: if a line is none of them, because a deny list that is half understood protects no one.
    """
    entries: dict[str, int] = {}
    problems = []
    text = read_text(path, "the deny list named by gate.deny")
    for number, line in enumerate(lines_of(text), 1):
        entry = line.partition("#")[0].strip().lower().removeprefix("smtp:")
        if entry and (wrong := _wrong_entry(entry)):
            problems.append(Problem(number, "", wrong))
        elif entry:
            entries.setdefault(entry, number)
    if problems:
        raise misconfigured(path, problems)
    return DenyList(frozenset(entries), entries)


def _wrong_entry(entry: str) -> str:
    """Return what is wrong with an entry of the deny list; "" if nothing is.

    What looks like a pattern or like another address would be taken for an address that nobody has.
    """
    if Site.read(entry) is not None or DOMAIN.fullmatch(entry):
        return ""
    if "*" in entry or "?" in entry:
        return "a pattern; give an address, or @domain for all of a domain and its subdomains"
    if not is_address(entry) or "/" in entry or entry.strip("'") != entry:
        return "neither an e-mail address nor @domain nor a site"
    if not all(map(_is_latin, entry)):
        return "has a letter that is not Latin and may only look like one; write the domain as xn--..."
    return ""


def _is_latin(character: str) -> bool:
    if character.isascii():
        return True
    # A mark stands above the letter before it, as files of macOS write an umlaut.
    return unicodedata.combining(character) != 0 or unicodedata.name(character, "").startswith("LATIN ")
