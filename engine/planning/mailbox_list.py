"""Read whose mailbox goes where: mailboxes.csv and the directory export.

A mailbox may be a site.

Every reader reports all faults of its file at once, each with its line, and repeats no value: an address in
an error would end in a log.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from connectors.settings import Account
from engine.config.file_errors import Problem, misconfigured, read_text, unknown
from engine.config.mail_address import is_address, is_argument
from engine.config.planning import NAME
from ledger.db.rows import Phase
from model.errors import Misconfigured
from model.kinds import KINDS, Kind
from model.sites import SHAPE, Site, is_site, one_spelling

REQUIRED = ("source", "target", "wave")
OPTIONAL = ("source_login", "target_login", "folder", "phase", "priority")
SEPARATORS = ",;\t"
SEVERAL = re.compile(r"[\s|]+")
PRIORITY = re.compile(r"-?\d{1,6}")
LOGIN_MOST = 320


@dataclass(frozen=True, slots=True)
class Person:
    """Hold one row of mailboxes.csv.

    Attributes:
        line: its line in the file.
        source: the lower-case address at the source. Of a site, the site as model.sites spells it.
        target: the lower-case address at the target. Of a site, the address or the login of the account that
            will hold its files.
        wave: the name of its wave; "" if it has none yet.
        source_login: what opens the account; the address unless the row says otherwise.
        target_login: what opens the account; the address unless the row says otherwise.
        phase: the phase in which it starts.
        priority: higher runs first.
        folder: where its files go, in place of the configured root; "" for that root.
    """

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
        """The site; None for a person's mailbox."""
        return Site.read(self.source) if is_site(self.source) else None

    def moves(self, workloads: Iterable[Kind]) -> tuple[Kind, ...]:
        """Return those of these workloads that exist for it: a site has files only."""
        return tuple(kind for kind in workloads if KINDS[kind].of_sites or not is_site(self.source))

    @property
    def source_account(self) -> Account:
        """The account at the source."""
        return Account(login=self.source_login, address=self.source)

    @property
    def target_account(self) -> Account:
        """The account at the target."""
        return Account(login=self.target_login, address=self.target, folder=self.folder)


@dataclass(frozen=True, slots=True)
class Directory:
    """State, independently, who is who: every address and login (lower-case) of a person, for each side.

    Attributes:
        sources: the numbers of the rows that name an address or login at the source.
        targets: the numbers of the rows that name an address or login at the target.
        sites: the accounts that may hold a site's files; an account may hold several sites, beside its
            owner's files.
        rows: the addresses and logins by the number of the row.
        exact_names: by side, the numbers of the rows by the exact() names of a person.
    """

    sources: Mapping[str, frozenset[int]] = field(default_factory=dict)
    targets: Mapping[str, frozenset[int]] = field(default_factory=dict)
    sites: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rows: Mapping[int, frozenset[str]] = field(init=False)
    exact_names: Mapping[str, Mapping[str, frozenset[int]]] = field(init=False)

    def __post_init__(self) -> None:
        rows: defaultdict[int, set[str]] = defaultdict(set)
        spelled: dict[str, Mapping[str, frozenset[int]]] = {}
        for name in ("sources", "targets"):
            side: defaultdict[str, frozenset[int]] = defaultdict(frozenset)
            own: defaultdict[str, frozenset[int]] = defaultdict(frozenset)
            for address, numbers in getattr(self, name).items():
                side[canonical(address)] |= numbers
                own[exact(address)] |= numbers
                for number in numbers:
                    rows[number].add(address)
            object.__setattr__(self, name, dict(side))
            spelled[name] = dict(own)
        object.__setattr__(self, "rows", {number: frozenset(addresses) for number, addresses in rows.items()})
        object.__setattr__(self, "exact_names", spelled)

    def also(self, source: str, target: str) -> frozenset[str]:
        """Return every address of the rows that name source or target."""
        left, right = self._sides(source, target)
        numbers = left | right
        return frozenset().union(*(self.rows[number] for number in numbers))

    def names(self, source: str, target: str) -> bool | None:
        """Say whether the directory gives both to one person.

        Returns:
            True if one row names both, and no other row names either. False if the directory gives one of
                them to someone else, or to two people. None if it knows neither, or has one of them in a
                spelling alone that may be another person's.
        """
        left, right = self._sides(source, target)
        if not left and not right:
            return None
        if left != right or len(left) != 1:
            return False
        is_exact = left == self.source_rows(source) == self._exact_rows("targets", target)
        return True if is_exact else None

    def source_rows(self, source: str) -> frozenset[int]:
        """Return the numbers of the rows that name this source exactly; see exact()."""
        return self._exact_rows("sources", source)

    def _exact_rows(self, side: str, name: str) -> frozenset[int]:
        return self.exact_names[side].get(exact(name), frozenset())

    def gives(self, site: Site, target: str) -> bool | None:
        """Say whether this account may hold the site's files.

        What it says of a library goes before what it says of its site.

        Returns:
            None if the directory does not know the site.
        """
        targets = self.sites.get(str(site)) or self.sites.get(str(site.whole))
        return None if targets is None else exact(target) in targets

    def _sides(self, source: str, target: str) -> tuple[frozenset[int], frozenset[int]]:
        no_rows: frozenset[int] = frozenset()
        return self.sources.get(canonical(source), no_rows), self.targets.get(canonical(target), no_rows)


def exact(name: str) -> str:
    """Return one spelling of an address or login, for proving whose it is.

    Only what every server takes for one name is one here: capitals of ASCII letters, and both ways to write
    a domain (RFC 5891, which keeps straße.example apart from strasse.example). canonical() takes more names
    for one, which may be two people's: it is for refusing, and proves nothing.
    """
    local, at, domain = name.strip().rpartition("@")
    if not at:
        return _ascii_lower(domain)
    return f"{_ascii_lower(local)}@{'.'.join(map(_label, domain.split('.')))}"


def _ascii_lower(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def _label(label: str) -> str:
    lowered = unicodedata.normalize("NFC", label).lower()
    if lowered.isascii():
        return lowered
    try:
        return f"xn--{lowered.encode('punycode').decode('ascii')}"
    except UnicodeError:
        return lowered


def canonical(address: str) -> str:
    """Return one spelling of an address or login, for finding what may be one.

    Two people's names may have the same; see exact(). It is normalized (Unicode NFKC), case-folded and
    without blanks around it; the domain is in IDNA and without a dot at its end. A site is spelled as
    model.sites does.
    """
    stripped = address.strip()
    site = Site.read(stripped)
    if site is not None:
        return str(site)
    if stripped.isascii():  # tens of thousands of rows: what follows changes nothing in them but the case
        local, at, domain = stripped.lower().rpartition("@")
        return f"{local}@{domain.rstrip('.')}" if at else domain
    local, at, domain = unicodedata.normalize("NFKC", address).strip().casefold().rpartition("@")
    # Case folding may denormalize a text.
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
    """Read all rows, in the file's order.

    Sites may share a target. engine.planning.mailbox_list_checks, which knows the configuration, makes sure
    that none of them gets another's folder.

    Args:
        path: the file.
        unplanned: True if a row's wave may be empty, or the whole column missing.

    Raises:
        Misconfigured: with every fault: a wrong address, a source or target that two rows claim, an unknown
            or missing column, a short row.
    """
    problems: list[Problem] = []
    people = []
    purpose = "the list of mailboxes; `kogge init` writes one"
    needed = [name for name in REQUIRED if not (unplanned and name == "wave")]
    for line, cells in csv_rows(path, purpose, (needed, (*REQUIRED, *OPTIONAL)), problems):
        cells.setdefault("wave", "")
        faults = _faults(line, cells, unplanned)
        problems += faults
        people.append(_person(line, cells, {one.field for one in faults}))
    problems += _duplicates(people)
    if problems:
        raise misconfigured(path, problems)
    if not people:
        raise Misconfigured(path.name, "names no mailbox; add a row: source,target,wave")
    return tuple(people)


def read_directory(path: Path) -> Directory:
    """Read the directory export.

    The columns source and target each hold one address or several (separated by blanks or "|"), and beside
    them the logins that open the person's accounts. Other columns are ignored, because an export has them. A
    row whose source is a site (or several, separated by "|") names as targets the accounts that may hold its
    files.

    Raises:
        Misconfigured: if the file cannot be used.
    """
    sites: defaultdict[str, set[str]] = defaultdict(set)
    sides: tuple[defaultdict[str, set[int]], ...] = (defaultdict(set), defaultdict(set))
    problems: list[Problem] = []
    purpose = "the directory export named by gate.directory"
    for line, cells in csv_rows(path, purpose, (("source", "target"), None), problems):
        if is_site(cells["source"]):
            problems += _read_site_row(line, cells, sites)
            continue
        for name, side in zip(("source", "target"), sides, strict=True):
            names = [part.lower() for part in SEVERAL.split(cells[name]) if part]
            problems += _name_faults(line, name, names)
            for entry in names:
                side[entry].add(line)
    if problems:
        raise misconfigured(path, problems)
    left, right = ({address: frozenset(lines) for address, lines in side.items()} for side in sides)
    return Directory(left, right, {site: frozenset(targets) for site, targets in sites.items()})


def _name_faults(line: int, column: str, names: Sequence[str]) -> Iterator[Problem]:
    """Yield what is wrong with a person's names in the directory export.

    Logins stand beside an address: a column of logins alone is most likely another column.
    """
    others = [name for name in names if not is_address(name)]
    if not all("@" not in name and _is_login(name) for name in others):
        yield Problem(line, column, "neither an e-mail address nor a login")
    elif names and len(others) == len(names):
        yield Problem(line, column, "names no e-mail address; a login goes beside one")


def _read_site_row(line: int, cells: Mapping[str, str], sites: Mapping[str, set[str]]) -> Iterator[Problem]:
    """Read a row of the directory export about sites, and yield its faults."""
    for part in filter(None, map(str.strip, cells["source"].split("|"))):
        site = Site.read(part)
        if site is None:
            yield Problem(line, "source", f"not {SHAPE}")
        else:
            sites[str(site)] |= {exact(entry) for entry in SEVERAL.split(cells["target"]) if entry}


def read_addresses(path: Path) -> Mapping[str, str]:
    """Read the SMTP address of each X.500 address (lower-case), from the directory's proxyAddresses.

    The columns are x500 and address; other columns are ignored. An x500 cell may hold several, separated by
    "|".

    Raises:
        Misconfigured: if the file cannot be used; also if two addresses claim one X.500 address.
    """
    addresses: dict[str, str] = {}
    problems: list[Problem] = []
    purpose = "the X.500 addresses named by addresses"
    for line, cells in csv_rows(path, purpose, (("x500", "address"), None), problems):
        address = cells["address"].lower()
        if not is_address(address):
            problems.append(Problem(line, "address", "not an e-mail address"))
        for part in cells["x500"].split("|"):
            name = part.strip().lower().removeprefix("x500:")
            if name and addresses.setdefault(name, address) != address:
                problems.append(Problem(line, "x500", "another line gives it to another address"))
    if problems:
        raise misconfigured(path, problems)
    return addresses


def csv_rows(
    path: Path,
    purpose: str,
    columns: tuple[Sequence[str], Sequence[str] | None],
    problems: list[Problem],
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line and the cells by column of every row that is not blank.

    Args:
        path: the file.
        purpose: what the file is for, for the message if it is missing.
        columns: the required ones, and the optional ones or None for "any".
        problems: rows that do not fit the header are added here.

    Raises:
        Misconfigured: if the file is missing, is no CSV, or has another header.
    """
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
    """Yield lines as files have them, with their ends: at LF, CR LF and CR only.

    What else Unicode calls a line's end (str.splitlines) may stand in a person's display name.
    """
    return iter(io.StringIO(text, newline=""))


def separator(text: str) -> str:
    """Return the separator that occurs most in the first line that is not blank.

    German spreadsheets write ;
    """
    first = next((line for line in lines_of(text) if line.strip()), "")
    return max(SEPARATORS, key=first.count)


def _header(
    path: Path, line: int, cells: list[str], required: Sequence[str], optional: Sequence[str] | None
) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not {*names} & {*required} and any("@" in name or "://" in name for name in names):
        text = f"is a row already; the first line names the columns: {','.join(required)}"
        raise misconfigured(path, [Problem(line, "", text)])
    known_names = {*required, *(names if optional is None else optional)}
    missing = [name for name in required if name not in names]
    twice = [name for name in sorted(known_names) if names.count(name) > 1]
    problems = [Problem(line, name, "the column is missing") for name in missing]
    problems += [Problem(line, name, "the column is there twice") for name in twice]
    problems += [
        Problem(line, f"column {at}", unknown(name, known_names))
        for at, name in enumerate(names, 1)
        if name not in known_names
    ]
    if problems:
        raise misconfigured(path, problems)
    return names


def _by_column(header: list[str], cells: list[str]) -> dict[str, str]:
    padded = [cell.strip() for cell in cells] + [""] * (len(header) - len(cells))
    return dict(zip(header, padded, strict=False))


def _faults(line: int, cells: Mapping[str, str], unplanned: bool) -> list[Problem]:
    faults = [
        Problem(line, name, "is empty" if not cells[name] else wrong)
        for name, wrong in _names_wrong(cells).items()
    ]
    if cells.get("folder") and not is_folder(cells["folder"]):
        faults.append(Problem(line, "folder", "not a path of folders"))
    if not cells["wave"] and not unplanned:
        faults.append(Problem(line, "wave", "is empty; `kogge plan --write` fills it in"))
    elif cells["wave"] and not NAME.fullmatch(cells["wave"]):
        faults.append(Problem(line, "wave", "give a short name of letters, digits, dots or hyphens"))
    if cells.get("phase") and cells["phase"].lower() not in list(Phase):
        faults.append(Problem(line, "phase", f"give one of {', '.join(Phase)}"))
    if cells.get("priority") and not PRIORITY.fullmatch(cells["priority"]):
        faults.append(Problem(line, "priority", "give a whole number"))
    return faults


def _names_wrong(cells: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with a row's names, by column."""
    sited = is_site(cells["source"])
    wrong = {}
    if sited and Site.read(cells["source"]) is None:
        wrong["source"] = f"not {SHAPE}"
    elif not sited and not is_address(cells["source"]):
        wrong["source"] = _no_address(cells["source"])
    if not is_address(cells["target"]) and not (sited and _is_account(cells["target"])):
        wrong["target"] = "neither an e-mail address nor a login" if sited else _no_address(cells["target"])
    if sited and cells.get("source_login"):
        wrong["source_login"] = "a site is opened by the application alone; leave it empty"
    for name in ("source_login", "target_login"):
        if not cells.get(name, "").isprintable():
            wrong[name] = "holds a character that cannot be seen"
    return wrong


def _no_address(text: str) -> str:
    """Return what is wrong with a text that is no address; what one does not see is named."""
    hidden = (
        "a blank"
        if any(map(str.isspace, text))
        else ""
        if text.isprintable()
        else "a character that cannot be seen"
    )
    return f"not an e-mail address: it holds {hidden}" if hidden else "not an e-mail address"


def _is_login(text: str) -> bool:
    return 0 < len(text) <= LOGIN_MOST and text.isprintable() and not is_site(text)


def _is_account(text: str) -> bool:
    """Return True if a text may be the login of an account that holds a site's files: hooks get it."""
    return _is_login(text) and is_argument(text.replace("\\", "").replace(" ", ""))


def is_folder(text: str) -> bool:
    """Return True if a text is a path of folders, separated by slashes, that only leads down."""
    names = [name for name in text.split("/") if name]
    return bool(names) and all(name.isprintable() and name not in {".", ".."} for name in names)


def _person(line: int, given: Mapping[str, str], wrong: Collection[str] = ()) -> Person:
    """Return the person of a row. wrong: columns with a fault, which are read as if they were empty."""
    without = {*wrong, "target", "target_login"} if "source" in wrong and is_site(given["source"]) else wrong
    cells = {name: "" if name in without else value for name, value in given.items()}
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


def _duplicates(people: Iterable[Person]) -> Iterator[Problem]:
    """Yield a fault for each source, target or login that two rows have.

    Two people filled from one mailbox, or one from two, is the fault that must never happen. For sites, see
    engine.planning.mailbox_list_checks.
    """
    for side in ("source", "target"):
        first: dict[tuple[str, str], int] = {}
        for person in people:
            if side == "target" and person.site is not None:
                continue
            for name in (side, f"{side}_login"):
                value = canonical(getattr(person, name))
                if not value:
                    continue  # it has a fault of its own
                earlier = first.setdefault((name, value), person.line)
                if earlier != person.line:
                    yield Problem(person.line, name, f"the same {name} as in line {earlier}")
                    break
