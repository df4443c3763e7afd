"""Put the rights of an administrator's list beside those that a mailbox tells itself.

No protocol tells an ordinary account who has full access to a mailbox, or may send as its owner. Microsoft
Graph tells no rights to mail folders either. PowerShell tells all of them.

Source:
    https://learn.microsoft.com/powershell/module/exchange/get-mailboxpermission,
    https://learn.microsoft.com/powershell/module/exchange/get-mailboxfolderpermission
"""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from connectors.exchange.record_set import Record
from connectors.exchange.rights import RightsAnswer, right_id
from model.listed_rights import FORMAT, FULL_ACCESS, ListedRight
from model.protocols import Container


def with_listed(
    answer: RightsAnswer,
    listed: Iterable[ListedRight],
    folders: Iterable[Container],
    told: Collection[str],
) -> RightsAnswer:
    """Return what a mailbox tells, and beside it what the list gives.

    Full access is one record for each folder. A right to a folder that is not there, or whose path two
    folders have, names no folder.

    Args:
        answer: what the mailbox tells.
        listed: the rows of the list about this mailbox.
        folders: the folders of the mailbox.
        told: the ids of folders whose rights the mailbox tells.
    """
    rows = list(listed)
    if not rows:
        return answer
    every = list(folders)
    records = dict(answer.records)
    records.update(_of_mailbox(rows, every, told))
    records.update(_of_folders(rows, every, told))
    return replace(answer, records=records)


def _of_mailbox(
    rows: Iterable[ListedRight], folders: Iterable[Container], told: Collection[str]
) -> Iterator[tuple[str, Record]]:
    """Yield full access for each folder, and each other right to the whole mailbox."""
    whole = [row for row in rows if not row.folder]
    denied = sorted({row.user for row in whole if row.denied and FULL_ACCESS in row.rights})
    given = sorted({(row.user, name) for row in whole if not row.denied for name in row.rights})
    every = list(folders)
    for user, name in given:
        if name != FULL_ACCESS:
            yield right_id("", f"{name}:{user}"), _record(user, (name,), None, told)
            continue
        for folder in every:
            yield right_id(folder.id, f"{name}:{user}"), _record(user, (name,), folder, told, denied)


def _of_folders(
    rows: Iterable[ListedRight], folders: Iterable[Container], told: Collection[str]
) -> Iterator[tuple[str, Record]]:
    """Yield one right for each folder and person, whatever number of rows gives it."""
    found = _Paths(folders)
    merged: defaultdict[tuple[tuple[str, ...], str], set[str]] = defaultdict(set)
    for row in rows:
        if row.folder and not row.denied:
            merged[row.folder, row.user].update(row.rights)
    for (path, user), names in merged.items():
        folder = found.at(path)
        who = f"list:{user}" if folder is not None else f"list:{user}:{'/'.join(path)}"
        id_ = right_id("" if folder is None else folder.id, who)
        yield id_, _record(user, sorted(names), folder, told)


class _Paths:
    """Find folders by path, in whatever case and normal form its letters are."""

    def __init__(self, folders: Iterable[Container]) -> None:
        self._exact: defaultdict[tuple[str, ...], list[Container]] = defaultdict(list)
        self._folded: defaultdict[tuple[str, ...], list[Container]] = defaultdict(list)
        for one in folders:
            self._exact[one.path].append(one)
            self._folded[_folded(one.path)].append(one)

    def at(self, path: tuple[str, ...]) -> Container | None:
        """Return the folder of a path; None if there is none, or more than one."""
        found = self._exact.get(path) or self._folded.get(_folded(path)) or []
        return found[0] if len(found) == 1 else None


def _folded(path: Iterable[str]) -> tuple[str, ...]:
    return tuple(unicodedata.normalize("NFC", name).casefold() for name in path)


def _record(
    user: str,
    rights: Iterable[str],
    folder: Container | None,
    told: Collection[str],
    denied: Iterable[str] = (),
) -> Record:
    stated: Mapping[str, object] = {
        "user": user,
        "rights": list(rights),
        "told": folder is not None and folder.id in told,
        "denied": list(denied),
    }
    body = json.dumps({"item": stated}, sort_keys=True, ensure_ascii=False).encode()
    place = {"Folder": "", "Kind": ""} if folder is None else {"Folder": folder.id, "Kind": folder.kind.value}
    return Record(body, place, form=FORMAT)
