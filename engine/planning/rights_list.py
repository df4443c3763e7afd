"""Read the rights that an administrator exported: permissions.csv."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.config.file_errors import Problem, misconfigured, unknown
from engine.config.mail_address import is_address
from engine.planning.mailbox_list import SEVERAL, csv_rows, exact
from mappings.rights.levels import OF_FOLDER
from model.errors import Misconfigured
from model.listed_rights import ANONYMOUS, DEFAULT, FULL_ACCESS, OF_MAILBOX, ListedRight

COLUMNS = ("mailbox", "folder", "user", "rights")
OPTIONAL = ("deny",)
PURPOSE = "the list of rights named by export in [target.permissions]"
SLASHES = "/\\"
HIDDEN_SLASHES = {"\uf8ff": "/", "\uf8fe": "\\"}
"""What Exchange shows in place of a slash in a folder's name."""
_SID = re.compile(r"S-1(-\d{1,15}){2,15}", re.IGNORECASE)
_FLAGS: Mapping[str, bool] = {"": False, "false": False, "true": True}
_NAMES = {name.lower(): name for name in (*OF_FOLDER, *OF_MAILBOX)}


@dataclass(frozen=True, slots=True)
class RightsList:
    """Hold the list.

    Attributes:
        rows: the rows of each mailbox, by its address in one spelling (engine.planning.mailbox_list.exact).
        lines: the first line of each mailbox in the file.
    """

    rows: Mapping[str, tuple[ListedRight, ...]] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)

    def of(self, mailbox: str) -> tuple[ListedRight, ...]:
        """Return the rows of a mailbox, by its address."""
        return self.rows.get(exact(mailbox), ())


def read_rights(path: Path) -> RightsList:
    """Read the list: mailbox, folder, user, rights and optionally deny.

    An empty folder stands for the whole mailbox. A path begins with the character that separates its names,
    "/" or a backslash. Several rights are separated by blanks or "|".

    Raises:
        Misconfigured: if the file cannot be used, or names no right: an export that failed would take all
            rights back.
    """
    problems: list[Problem] = []
    rows: defaultdict[str, list[ListedRight]] = defaultdict(list)
    lines: dict[str, int] = {}
    for line, cells in csv_rows(path, PURPOSE, (COLUMNS, (*COLUMNS, *OPTIONAL)), problems):
        faults = list(_faults(line, cells))
        problems += faults
        if not faults:
            mailbox = exact(cells["mailbox"])
            rows[mailbox].append(_right(cells))
            lines.setdefault(mailbox, line)
    if problems:
        raise misconfigured(path, problems)
    if not rows:
        raise Misconfigured(path.name, "names no right; to move without a list, take `export` out")
    return RightsList({mailbox: tuple(each) for mailbox, each in rows.items()}, lines)


def _right(cells: Mapping[str, str]) -> ListedRight:
    return ListedRight(
        _path(cells["folder"]),
        cells["user"].lower(),
        tuple(_NAMES[name.lower()] for name in _names(cells)),
        _FLAGS[cells.get("deny", "").lower()],
    )


def _names(cells: Mapping[str, str]) -> list[str]:
    return [name for name in SEVERAL.split(cells["rights"]) if name]


def _path(text: str) -> tuple[str, ...]:
    """Return the names of a path; a slash in a name is the character that Exchange shows in its place."""
    names = (name for name in text.split(text[:1] or "/") if name)
    return tuple("".join(HIDDEN_SLASHES.get(one, one) for one in name) for name in names)


def _faults(line: int, cells: Mapping[str, str]) -> Iterator[Problem]:
    if not is_address(cells["mailbox"]):
        yield Problem(line, "mailbox", "not an e-mail address" if cells["mailbox"] else "is empty")
    user = cells["user"]
    if not (is_address(user) or user.lower() in {DEFAULT, ANONYMOUS} or _SID.fullmatch(user)):
        wrong = "neither an e-mail address, Default or Anonymous, nor a security identifier (S-1-...)"
        yield Problem(line, "user", wrong if user else "is empty")
    if cells["folder"] and (cells["folder"][0] not in SLASHES or not _path(cells["folder"])):
        yield Problem(line, "folder", "a path begins with / and names a folder; empty is the whole mailbox")
    yield from _wrong_rights(line, cells)
    denies = _FLAGS.get(cells.get("deny", "").lower())
    if denies is None:
        yield Problem(line, "deny", "give True or False")
    elif denies and cells["folder"]:
        yield Problem(line, "deny", f"only a right to the whole mailbox is denied, such as {FULL_ACCESS}")


def _wrong_rights(line: int, cells: Mapping[str, str]) -> Iterator[Problem]:
    names = _names(cells)
    allowed = OF_FOLDER if cells["folder"] else OF_MAILBOX
    if not names:
        yield Problem(line, "rights", "is empty")
    for name in names:
        if _NAMES.get(name.lower()) not in allowed:
            where = "to a folder" if cells["folder"] else "to a whole mailbox"
            yield Problem(line, "rights", f"a right {where}: {unknown(name, allowed)}")
