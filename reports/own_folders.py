"""Find the folders of what changed or could not be moved, for the owner of a mailbox alone.

What this reads names folders. It is written to a page of its own and nowhere else: no log, Prefect, evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from ledger.db.rows import ContainerRow
from ledger.store import Ledger
from ledger.views.report_rows import left_behind
from model.kinds import Kind, kinds_that
from reports.everyday import concern_of, refusal_of, stay_of

SHOWN = 20
"""So many folders are named for one sentence."""
ITEMS_SHOWN = 200
"""So many items that could not be moved are listed for one sentence."""
BETWEEN = " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "


NAMED = kinds_that(lambda traits: traits.in_mailbox)
"""Kinds whose folders are mailboxes of IMAP: there a folder's href is the name that people see."""
RENAMED = "folder-name"


@dataclass(frozen=True, slots=True)
class Folder:
    """Hold a folder of the source.

    Attributes:
        path: its path there.
        now: of one with another name, its name at the target; "" if no name is known that people see.
    """

    path: str
    now: str = ""


@dataclass(frozen=True, slots=True)
class MissingItem:
    """Hold where the owner finds an item that could not be moved.

    Attributes:
        workload: its kind.
        folder: the path of its folder.
        date: in seconds since 1970 UTC; None if it has none.
        size: bytes; None if they are not known.
    """

    workload: Kind
    folder: str
    date: int | None
    size: int | None


@dataclass(frozen=True, slots=True)
class OwnFolders:
    """Hold the folders of one mailbox.

    Attributes:
        changes: by concern (reports.everyday), how many items of each folder changed.
        refusals: by concern, the items that could not be moved.
        stays: by concern, how many items of each folder do not move by a rule.
    """

    changes: dict[str, Counter[Folder]] = field(default_factory=dict)
    refusals: dict[str, list[MissingItem]] = field(default_factory=dict)
    stays: dict[str, Counter[Folder]] = field(default_factory=dict)

    def folders(self, section: str, concern: str) -> list[tuple[Folder, int]]:
        """Return the first folders of a concern with their items, the most items first.

        Args:
            section: "change" or "stay".
            concern: its name there.
        """
        return self._counted(section).get(concern, Counter()).most_common(SHOWN)

    def folders_more(self, section: str, concern: str) -> int:
        """Return how many folders of a concern are not among the first."""
        return max(0, len(self._counted(section).get(concern, ())) - SHOWN)

    def _counted(self, section: str) -> dict[str, Counter[Folder]]:
        return {"change": self.changes, "stay": self.stays}[section]

    def missing(self, concern: str) -> list[MissingItem]:
        """Return the first items of a concern that could not be moved."""
        return self.refusals.get(concern, [])[:ITEMS_SHOWN]

    def missing_more(self, concern: str) -> int:
        """Return how many items of a concern are not among the first."""
        return max(0, len(self.refusals.get(concern, ())) - ITEMS_SHOWN)


def read_own_folders(ledger: Ledger, wave: str, mailboxes: Collection[str]) -> dict[str, OwnFolders]:
    """Return the folders of each of these mailboxes of a wave; details of appearance are left out."""
    found = {number: OwnFolders() for number in mailboxes}
    for box, container, _, loss in ledger.lost(wave, frozenset(Kind)):
        concern = concern_of(loss.field, loss.reason)
        if box.id in found and concern is not None:
            found[box.id].changes.setdefault(concern, Counter())[_folder(container, concern)] += 1
    for box, container, item in ledger.rejected(wave):
        if box.id in found:
            missing = MissingItem(container.kind, _path(container), item.date, item.size)
            found[box.id].refusals.setdefault(refusal_of(item.code or ""), []).append(missing)
    for left in left_behind(ledger, wave):
        if left.mailbox in found:
            places = found[left.mailbox].stays.setdefault(stay_of(left.code), Counter())
            places[Folder(BETWEEN.join(left.path))] += left.items
    return found


def _folder(container: ContainerRow, concern: str) -> Folder:
    named = concern == RENAMED and container.kind in NAMED
    return Folder(_path(container), (container.href or "") if named else "")


def _path(container: ContainerRow) -> str:
    return BETWEEN.join(container.path)
