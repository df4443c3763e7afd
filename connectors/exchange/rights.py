"""List the rights to a mailbox's folders, whichever protocol tells them, and name their container and ids.

What one person may do in a folder can stand in several records, so each record has those of its folder beside
it (model.folder_rights.BESIDE), and another version once one of them changes.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from connectors.exchange.record_set import Record, RecordSetReader
from model.errors import Blocked
from model.folder_rights import BESIDE
from model.kinds import Kind
from model.protocols import Container, Failed, Native, Page, Ref

RIGHTS = "folder-rights"
"""The id of the container."""
PATH = ("Rights to folders",)
SEPARATOR = " "
"""In a cursor, between the digest of the records and the marks of folders."""


@dataclass(frozen=True, slots=True)
class RightsAnswer:
    """Hold what a server says of the rights to the folders of a mailbox.

    Attributes:
        records: the record of each right, by its id. Properties: Folder (str), the folder's id, and Kind
            (str), what it holds.
        untold: the ids of folders of which it says nothing.
    """

    records: Mapping[str, Record]
    untold: frozenset[str] = field(default_factory=frozenset)


class RightSetReader:
    """List and fetch the rights to the folders of one mailbox; one thread at a time.

    A folder whose rights the server told once, and does not tell now, ends the listing: else they would look
    like rights that were taken away. So a cursor says of which folders there were rights.
    """

    def __init__(self, read: Callable[[], RightsAnswer], form: str) -> None:
        """Prepare; nothing is asked.

        Args:
            read: asks for the rights.
            form: Native.format of the records.
        """
        self._ask = read
        self._form = form
        self._answer = RightsAnswer({})
        self._reader = RecordSetReader(self._read, form)

    def changes(self, cursor: str | None) -> Iterator[Page]:
        """Yield one page: all rights, or nothing if they are as they were.

        Raises:
            Blocked: "no-permissions-permission": the rights to a folder are not told any more.
        """
        digest, *told_before = (cursor or "").split(SEPARATOR)
        for page in self._reader.changes(digest or None):
            untold = set(map(_mark, self._answer.untold))
            if not untold.isdisjoint(told_before):
                raise Blocked("no-permissions-permission", "the rights to a folder are not told any more")
            told = {_mark(str(one.properties["Folder"])) for one in self._answer.records.values()}
            yield replace(page, cursor=SEPARATOR.join((page.cursor, *sorted(told - untold - {""}))))

    def fetch(self, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Yield one right for each ref, as it was listed last; see `model.protocols.Source.fetch`."""
        return self._reader.fetch(refs, bodies=bodies)

    def _read(self) -> Mapping[str, Record]:
        self._answer = self._ask()
        return dict(_beside(self._answer.records, self._form))


def rights_container() -> Container:
    """Return the container that holds the rights to the folders of a mailbox."""
    return Container(Kind.PERMISSIONS, RIGHTS, PATH)


def right_id(folder: str, who: str) -> str:
    """Return the id of a right: it stays while the folder and the person do.

    Args:
        folder: the id of the folder; "" for a right to the whole mailbox.
        who: what names the person; only a hash of it is in the id.
    """
    return f"{hashlib.blake2b(who.encode(), digest_size=8).hexdigest()}/{folder}"


def _mark(folder: str) -> str:
    """Return what stands for a folder in a cursor; "" for none."""
    return hashlib.blake2b(folder.encode(), digest_size=6).hexdigest() if folder else ""


def _beside(records: Mapping[str, Record], form: str) -> Iterator[tuple[str, Record]]:
    """Yield each record with the others of its folder beside it."""
    by_folder: defaultdict[str, list[tuple[str, str, bytes]]] = defaultdict(list)
    for id_, one in records.items():
        if folder := str(one.properties["Folder"]):
            by_folder[folder].append((id_, one.form or form, one.body))
    for id_, one in records.items():
        entries = sorted(by_folder[str(one.properties["Folder"])])
        others = tuple(entry for entry in entries if entry[0] != id_)
        rests_on = b"".join(id_.encode() + body for id_, _, body in others)
        yield id_, replace(one, properties={**one.properties, BESIDE: others}, rests_on=rests_on)
