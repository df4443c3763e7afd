"""Whose mailbox goes where: mailboxes.csv, the directory export, and the deny list. A mailbox may be a site.

Every reader tells all faults of its file at once, each with its line, and repeats no value: an address
in an error would end in a log.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from connectors.settings import Account
from engine.config.file_errors import Problem, misconfigured, read_text, unknown
from engine.config.load import is_address
from engine.config.planning import NAME
from ledger.db.rows import Phase
from model.errors import Misconfigured
from model.protocols import Kind
from model.sites import SHAPE, Site, is_site, one_spelling

REQUIRED = ("source", "target", "wave")
OPTIONAL = ("source_login", "target_login", "folder", "phase", "priority")
SEPARATORS = ",;\t"
SEVERAL = re.compile(r"[\s|]+")
PRIORITY = re.compile(r"-?\d{1,6}")
LOGIN_MOST = 320
DOMAIN = re.compile(r"@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


@dataclass(frozen=True, slots=True)
class Person:
    """One row of mailboxes.csv. source and target are lower-case addresses; a login is what opens
    the account, the address unless the row says otherwise. folder: where its files go, in place of the
    configured root; "" for that. priority: higher runs first.

    A site's source is a site as model.sites spells it, its target the address or the login of the account
    that will hold its files."""

    line: int
    source: str
    target: str
    wave: str
    source_login: str
    target_login: str
    phase: Phase = Phase.STAGING
    priority: int = 0
    folder: str = ""

    @property
    def site(self) -> Site | None:
        """None for a person's mailbox."""
        return Site.read(self.source) if is_site(self.source) else None

    def moves(self, workloads: Iterable[Kind]) -> tuple[Kind, ...]:
        """Which of these there are for it: a site has files alone."""
        return tuple(kind for kind in workloads if kind is Kind.FILES or not is_site(self.source))

    @property
    def source_account(self) -> Account:
        return Account(login=self.source_login, address=self.source)

    @property
    def target_account(self) -> Account:
        return Account(login=self.target_login, address=self.target, folder=self.folder)


@dataclass(frozen=True, slots=True)
class Directory:
    """An independent statement of who is who: every address and login (lower-case) of a person, per side.

    sources and targets lead from an address or a login to the numbers of the rows that name it, rows leads
    back. sites:
    the accounts that may hold a site's files; an account may hold several, beside its owner's.
    """

    sources: Mapping[str, frozenset[int]] = field(default_factory=dict)
    targets: Mapping[str, frozenset[int]] = field(default_factory=dict)
    sites: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rows: Mapping[int, frozenset[str]] = field(init=False)

    def __post_init__(self) -> None:
        rows: defaultdict[int, set[str]] = defaultdict(set)
        for name in ("sources", "targets"):
            side: defaultdict[str, frozenset[int]] = defaultdict(frozenset)
            for address, numbers in getattr(self, name).items():
                side[canonical(address)] |= numbers
                for number in numbers:
                    rows[number].add(address)
            object.__setattr__(self, name, dict(side))
        object.__setattr__(self, "rows", {number: frozenset(found) for number, found in rows.items()})

    def also(self, source: str, target: str) -> frozenset[str]:
        """Every address of the rows that name source or target."""
        left, right = self._sides(source, target)
        numbers = left | right
        return frozenset().union(*(self.rows[number] for number in numbers))

    def names(self, source: str, target: str) -> bool | None:
        """True: one row names both, and no other row names either. False: the directory gives one of
        them to somebody else, or to two. None: it knows neither."""
        left, right = self._sides(source, target)
        if not left and not right:
            return None
        return left == right and len(left) == 1

    def gives(self, site: Site, target: str) -> bool | None:
        """Whether this account may hold the site's files. What it says of a library goes before what it says
        of its site. None: it does not know the site."""
        targets = self.sites.get(str(site)) or self.sites.get(str(site.whole))
        return None if targets is None else canonical(target) in targets

    def _sides(self, source: str, target: str) -> tuple[frozenset[int], frozenset[int]]:
        nobody: frozenset[int] = frozenset()
        return self.sources.get(canonical(source), nobody), self.targets.get(canonical(target), nobody)


@dataclass(frozen=True, slots=True)
class DenyList:
    """Addresses, whole domains ("@court.example") and sites that no wave may touch. A site is denied with all
    its libraries, and because of any of them.

    Compared as canonical() has them, and a subaddress ("richter+x@court.example") as what it is of.
    "@court.example" denies what is below it ("@mail.court.example") as well. A login without a domain
    ("richter", "COURT\\richter") is denied when it is what stands before the @ of an entry: which domain it
    belongs to, only the server knows. In a login, % may stand for @."""

    entries: frozenset[str] = frozenset()
    locals: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        entries = frozenset(map(canonical, self.entries))
        object.__setattr__(self, "entries", entries)
        object.__setattr__(self, "locals", frozenset(entry.partition("@")[0] for entry in entries) - {""})

    def denies(self, addresses: Iterable[str]) -> bool:
        """Whether any of these addresses or logins is on the list."""
        return any(self._has(meaning) for address in addresses for meaning in _meanings(canonical(address)))

    def _has(self, address: str) -> bool:
        site = Site.read(address)
        if site is not None:
            part = not site.library and any(entry.startswith(f"{site}:") for entry in self.entries)
            return part or not self.entries.isdisjoint((str(site), str(site.whole)))
        _, at, domain = address.rpartition("@")
        if not at:
            return address.rpartition("\\")[2] in self.locals
        labels = domain.split(".")
        above = {f"@{'.'.join(labels[at:])}" for at in range(len(labels))}
        return address in self.entries or not self.entries.isdisjoint(above)


def _meanings(name: str) -> Iterator[str]:
    """What a server may take a name for: itself, what it is a subaddress of (RFC 5233), and with % for @."""
    yield name
    local, at, domain = name.rpartition("@")
    if not at:
        local, domain = domain, ""
    if "+" in local[1:]:
        yield f"{local[: local.index('+', 1)]}{at}{domain}"
    user, percent, host = local.rpartition("%")
    if percent and user and host:
        yield from _meanings(f"{user}@{host}")


def canonical(address: str) -> str:
    """One spelling of an address or login, for comparing: Unicode NFKC and case folded, no blanks around,
    the domain as IDNA writes it and without a dot at its end. Of a site, that of model.sites."""
    site = Site.read(address.strip())
    if site is not None:
        return str(site)
    local, at, domain = unicodedata.normalize("NFKC", address).strip().casefold().rpartition("@")
    # Folding may take a text out of its normal form.
    local, domain = (unicodedata.normalize("NFKC", part) for part in (local, domain))
    if not at:
        return domain
    domain = domain.rstrip(".")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return f"{local}@{domain}"
    return f"{local}@{domain}"


def read_mailboxes(path: Path, *, unplanned: bool = False) -> tuple[Person, ...]:
    """All rows, in the file's order. unplanned: a row's wave may be empty, or the whole column missing.
    Raises Misconfigured with every fault: a wrong address, a source or a target that two rows claim (one to
    one), an unknown or missing column, a short row. Sites may share a target; that none of them gets
    another's folder, engine.planning.mailbox_list_checks sees to, which knows the configuration."""
    problems: list[Problem] = []
    people = []
    purpose = "the list of mailboxes; `kogge init` writes one"
    needed = [name for name in REQUIRED if not (unplanned and name == "wave")]
    for line, cells in csv_rows(path, purpose, (needed, (*REQUIRED, *OPTIONAL)), problems):
        cells.setdefault("wave", "")
        found = _faults(line, cells, unplanned)
        problems += found
        if not found:
            people.append(_person(line, cells))
    problems += _claimed_twice(people)
    if problems:
        raise misconfigured(path, problems)
    if not people:
        raise Misconfigured(path.name, "names no mailbox; add a row: source,target,wave")
    return tuple(people)


def read_directory(path: Path) -> Directory:
    """The directory export: columns source and target, each one address or several (separated by
    blanks or "|"), and beside them the logins that open the person's accounts; other columns are left alone,
    for an export has them. A row whose source is a site (or
    several, separated by "|") names as targets the accounts that may hold its files. Raises Misconfigured."""
    sites: defaultdict[str, set[str]] = defaultdict(set)
    sides: tuple[defaultdict[str, set[int]], ...] = (defaultdict(set), defaultdict(set))
    problems: list[Problem] = []
    purpose = "the directory export named by gate.directory"
    for line, cells in csv_rows(path, purpose, (("source", "target"), None), problems):
        if is_site(cells["source"]):
            problems += _sited(line, cells, sites)
            continue
        for name, side in zip(("source", "target"), sides, strict=True):
            names = [part.lower() for part in SEVERAL.split(cells[name]) if part]
            problems += _misnamed(line, name, names)
            for entry in names:
                side[entry].add(line)
    if problems:
        raise misconfigured(path, problems)
    left, right = ({address: frozenset(lines) for address, lines in side.items()} for side in sides)
    return Directory(left, right, {site: frozenset(targets) for site, targets in sites.items()})


def _misnamed(line: int, column: str, names: Sequence[str]) -> Iterator[Problem]:
    """What is wrong with a person's names in the directory export. Logins go beside an address: a column of
    logins alone is most likely another column."""
    if not all(is_address(name) or ("@" not in name and _is_login(name)) for name in names):
        yield Problem(line, column, "neither an e-mail address nor a login")
    elif names and not any(map(is_address, names)):
        yield Problem(line, column, "names no e-mail address; a login goes beside one")


def _sited(line: int, cells: Mapping[str, str], sites: Mapping[str, set[str]]) -> Iterator[Problem]:
    """A row of the directory export about sites."""
    for part in filter(None, map(str.strip, cells["source"].split("|"))):
        site = Site.read(part)
        if site is None:
            yield Problem(line, "source", f"not {SHAPE}")
        else:
            sites[str(site)] |= {canonical(entry) for entry in SEVERAL.split(cells["target"]) if entry}


def read_addresses(path: Path) -> Mapping[str, str]:
    """X.500 address (lower-case) -> SMTP address, from the directory's proxyAddresses: columns x500 and
    address; other columns are left alone. An x500 cell may hold several, separated by "|". Raises
    Misconfigured, also for one that two addresses claim."""
    found: dict[str, str] = {}
    problems: list[Problem] = []
    purpose = "the X.500 addresses named by addresses"
    for line, cells in csv_rows(path, purpose, (("x500", "address"), None), problems):
        address = cells["address"].lower()
        if not is_address(address):
            problems.append(Problem(line, "address", "not an e-mail address"))
        for part in cells["x500"].split("|"):
            name = part.strip().lower().removeprefix("x500:")
            if name and found.setdefault(name, address) != address:
                problems.append(Problem(line, "x500", "another line gives it to another address"))
    if problems:
        raise misconfigured(path, problems)
    return found


def read_deny(path: Path) -> DenyList:
    """The deny list: an address, @domain or site a line; # begins a comment. A line that is none of them is
    an error, for a deny list half understood protects nobody. Raises Misconfigured."""
    entries, problems = set(), []
    text = read_text(path, "the deny list named by gate.deny")
    for number, line in enumerate(lines_of(text), 1):
        entry = line.partition("#")[0].strip().lower()
        if entry and not (is_address(entry) or DOMAIN.fullmatch(entry) or Site.read(entry)):
            problems.append(Problem(number, "", "neither an e-mail address nor @domain nor a site"))
        elif entry:
            entries.add(entry)
    if problems:
        raise misconfigured(path, problems)
    return DenyList(frozenset(entries))


def csv_rows(
    path: Path,
    purpose: str,
    columns: tuple[Sequence[str], Sequence[str] | None],
    problems: list[Problem],
) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, cells by column) of every row that is not blank; rows that do not fit the header go to
    problems. columns: the required ones, and the optional ones or None for "any"."""
    text = read_text(path, purpose)
    lines = csv.reader(lines_of(text), delimiter=separator(text), strict=True)
    header: list[str] | None = None
    try:
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(path, lines.line_num, cells, *columns)
            elif any(cell.strip() for cell in cells[len(header) :]):
                text = f"has more cells than the {len(header)} columns"
                problems.append(Problem(lines.line_num, "", text))
            else:
                yield lines.line_num, _by_column(header, cells)
    except csv.Error as error:
        raise misconfigured(path, [*problems, Problem(lines.line_num, "", f"not CSV: {error}")]) from None
    if header is None:
        raise Misconfigured(path.name, f"is empty; the first line names the columns: {','.join(columns[0])}")


def lines_of(text: str) -> Iterator[str]:
    """Lines as files have them, with their ends: at LF, CR LF and CR alone. What else Unicode calls a line's
    end (str.splitlines) may stand in a person's display name."""
    return iter(io.StringIO(text, newline=""))


def separator(text: str) -> str:
    """The one that occurs most in the first line that is not blank; German spreadsheets write ;"""
    first = next((line for line in lines_of(text) if line.strip()), "")
    return max(SEPARATORS, key=first.count)


def _header(
    path: Path, line: int, cells: list[str], required: Sequence[str], optional: Sequence[str] | None
) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    known = {*required, *(names if optional is None else optional)}
    missing = [name for name in required if name not in names]
    twice = [name for name in sorted(known) if names.count(name) > 1]
    problems = [Problem(line, name, "the column is missing") for name in missing]
    problems += [Problem(line, name, "the column is there twice") for name in twice]
    problems += [
        Problem(line, f"column {at}", unknown(name, known))
        for at, name in enumerate(names, 1)
        if name not in known
    ]
    if problems:
        raise misconfigured(path, problems)
    return names


def _by_column(header: list[str], cells: list[str]) -> dict[str, str]:
    padded = [cell.strip() for cell in cells] + [""] * (len(header) - len(cells))
    return dict(zip(header, padded, strict=False))


def _faults(line: int, cells: Mapping[str, str], unplanned: bool) -> list[Problem]:
    found = [
        Problem(line, name, "is empty" if not cells[name] else wrong)
        for name, wrong in _names_wrong(cells).items()
    ]
    if cells.get("folder") and not is_folder(cells["folder"]):
        found.append(Problem(line, "folder", "not a path of folders"))
    if not cells["wave"] and not unplanned:
        found.append(Problem(line, "wave", "is empty; `kogge plan --write` fills it in"))
    elif cells["wave"] and not NAME.fullmatch(cells["wave"]):
        found.append(Problem(line, "wave", "give a short name of letters, digits, dots or hyphens"))
    if cells.get("phase") and cells["phase"].lower() not in list(Phase):
        found.append(Problem(line, "phase", f"give one of {', '.join(Phase)}"))
    if cells.get("priority") and not PRIORITY.fullmatch(cells["priority"]):
        found.append(Problem(line, "priority", "give a whole number"))
    return found


def _names_wrong(cells: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with a row's names, by column."""
    sited = is_site(cells["source"])
    wrong = {}
    if sited and Site.read(cells["source"]) is None:
        wrong["source"] = f"not {SHAPE}"
    elif not sited and not is_address(cells["source"]):
        wrong["source"] = "not an e-mail address"
    if not is_address(cells["target"]) and not (sited and _is_login(cells["target"])):
        wrong["target"] = "neither an e-mail address nor a login" if sited else "not an e-mail address"
    if sited and cells.get("source_login"):
        wrong["source_login"] = "a site is opened by the application alone; leave it empty"
    return wrong


def _is_login(text: str) -> bool:
    return 0 < len(text) <= LOGIN_MOST and text.isprintable() and not is_site(text)


def is_folder(text: str) -> bool:
    """Whether text is a path of folders, with a slash between them, that leads down alone."""
    names = [name for name in text.split("/") if name]
    return bool(names) and all(name.isprintable() and name not in {".", ".."} for name in names)


def _person(line: int, cells: Mapping[str, str]) -> Person:
    source, target = one_spelling(cells["source"]), cells["target"].lower()
    return Person(
        line=line,
        source=source,
        target=target,
        wave=cells["wave"],
        source_login=cells.get("source_login") or source,
        target_login=cells.get("target_login") or target,
        phase=Phase((cells.get("phase") or Phase.STAGING).lower()),
        priority=int(cells.get("priority") or 0),
        folder="/".join(name for name in cells.get("folder", "").split("/") if name),
    )


def _claimed_twice(people: Iterable[Person]) -> Iterator[Problem]:
    """One to one: no source, target or login in two rows. Two people filled from one mailbox, or one
    from two, is the fault that must never happen. Sites: see engine.planning.mailbox_list_checks."""
    for side in ("source", "target"):
        first: dict[tuple[str, str], int] = {}
        for person in people:
            if side == "target" and person.site is not None:
                continue
            for name in (side, f"{side}_login"):
                value = canonical(getattr(person, name))
                earlier = first.setdefault((name, value), person.line)
                if earlier != person.line:
                    yield Problem(person.line, name, f"the same {name} as in line {earlier}")
                    break
