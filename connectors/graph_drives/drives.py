"""Read files of OneDrive and of SharePoint's libraries.

A container is a folder, an item is a file. Graph's delta covers a whole drive and is the only listing that is
always complete. It is run once for everything, and once for each cursor, and kept in a Round, from which
folders are served one by one. A row of a delta names an item where it is now: a moved item is reported only
in its new folder.

A cursor is what the drive's delta gave. A cursor inside an enumeration names the item after which to
continue, and the round; later changes come from the delta of that round's cursor.

Source:
    https://learn.microsoft.com/graph/api/driveitem-delta
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from connectors.exchange.folders import DEEPEST
from connectors.graph_api.batch import PARTS_MOST, BatchReader
from connectors.graph_api.client import GraphClient, Json, query, segment
from connectors.graph_api.errors import BLOCKED, DENIED, MALWARE, GraphRefusal, item_error
from connectors.graph_api.reader import delta
from connectors.graph_drives.download import Download
from connectors.graph_drives.drive_index import DriveEntry, Round, Sort, walk
from connectors.graph_drives.drive_items import FIELDS, LISTED, File, entry_of, file_of
from connectors.graph_drives.permissions import Grants
from connectors.graph_drives.sites import Drive, drives, is_site
from connectors.graph_drives.versions import VersionList, Versions
from model.errors import CursorLost, Rejected, Transient
from model.file_versions import Older
from model.kinds import Kind
from model.optional_protocols import Grant
from model.protocols import Container, Failed, Native, Page, Ref, key_of

FORMAT = "file"
PARTLY = "after:"
SHARING = "hierarchicalsharing"
"""The preference by which only items that are shared by themselves have the facet, not everything below
them."""

ROUNDS_MOST = 3


class DriveReader:
    """Read files. Implements `connectors.graph_api.reader.ItemReader`."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self._wholes: dict[str, Round] = {}
        self._rounds: dict[tuple[str, str], Round] = {}
        self._lost: set[tuple[str, str]] = set()
        self._grants = Grants(client)
        self._versions = Versions(client)

    def containers(self) -> Iterator[Container]:
        """List every folder again; changes() reports the state of this moment or later."""
        self._wholes.clear()
        self._rounds.clear()
        self._lost.clear()
        self._grants.forget()
        for drive in drives(self._client):
            whole = self._whole(drive.id)
            for entry, path in walk(whole):
                yield _container(drive, whole, entry, path)
            for entry in whole.astray():
                yield replace(_container(drive, whole, entry, ("", entry.name)), omit="unreachable")

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """Yield pages of `page_items` refs from a round; see `model.protocols.Source.changes`.

        Args:
            container: the folder.
            cursor: None lists everything.

        Raises:
            CursorLost: "cursor-lost" when the server no longer knows the drive's state.
        """
        self._client.wait(0)  # after close() nothing is yielded, even if it is listed already
        drive, folder = _split(container.id)
        if cursor is None:
            whole = self._whole(drive)
            yield from self._enumerate(whole, folder, "", whole.cursor, full=True)
        elif cursor.startswith(PARTLY):
            _, after, final = cursor.split(":", 2)
            yield from self._enumerate(self._whole(drive), folder, after, final, full=False)
        else:
            yield from self._since(drive, folder, cursor)

    def _enumerate(self, whole: Round, folder: str, after: str, final: str, *, full: bool) -> Iterator[Page]:
        for page, last in self._pages_of(whole, folder, after, gone=False):
            more = f"{PARTLY}{page[-1].id}:{final}" if page else final
            yield Page(tuple(map(self._ref(whole), page)), final if last else more, full=full)

    def _since(self, drive: str, folder: str, cursor: str) -> Iterator[Page]:
        """Yield the changes of a folder; the cursor stays until the last page."""
        round_ = self._round(drive, cursor)
        for page, last in self._pages_of(round_, folder, "", gone=True):
            yield Page(tuple(map(self._ref(round_), page)), round_.cursor if last else cursor)

    def _pages_of(
        self, round_: Round, folder: str, after: str, *, gone: bool
    ) -> Iterator[tuple[list[DriveEntry], bool]]:
        """Yield pages, and True for the last one, which may be empty."""
        most = self._client.settings.page_items
        while True:
            page = round_.page(folder, after, most, gone=gone)
            yield page, len(page) < most
            if len(page) < most:
                return
            after = page[-1].id

    def _ref(self, round_: Round) -> Callable[[DriveEntry], Ref]:
        def ref(entry: DriveEntry) -> Ref:
            id_ = f"{round_.drive}/{entry.id}"
            if entry.sort is Sort.GONE:
                return Ref(id_, "", deleted=True)
            return Ref(id_, entry.version, size=entry.size)

        return ref

    # Rounds

    def _whole(self, drive: str) -> Round:
        """Return the complete listing of a drive."""
        whole = self._wholes.get(drive)
        if whole is None:
            whole = self._wholes[drive] = self._complete(drive)
        return whole

    def _complete(self, drive: str) -> Round:
        for _ in range(ROUNDS_MOST):
            try:
                whole = self._run(drive, None)
            except CursorLost:
                continue  # the state was lost in the middle: start again
            break
        else:
            raise Transient("sync-stuck", "the server loses the state of every listing")
        if not whole.root:
            raise Transient("sync-stuck", "the server lists a drive without its root")
        self._complete_folders(whole)
        whole.settle()
        if astray := [entry.id for entry in whole.astray()]:
            # Two folders moved into each other's places during the listing: ask again.
            whole.put([entry for _, entry in self._ask_entries(whole.drive, astray) if entry is not None])
            self._complete_folders(whole)
        return whole

    def _complete_folders(self, whole: Round) -> None:
        """Ask for folders that have content and were not listed.

        The content of an unknown folder, and of one that lies too deep, is reported in the root, so that
        every item has a fate.
        """
        depth = 0
        while orphans := whole.orphans():
            depth += 1
            entries = (
                self._ask_entries(whole.drive, orphans)
                if depth <= DEEPEST
                else ((orphan, None) for orphan in orphans)
            )
            for id_, entry in entries:
                if entry is None:
                    whole.adopt(id_)
                else:
                    whole.put([entry])

    def _ask_entries(self, drive: str, ids: Sequence[str]) -> Iterator[tuple[str, DriveEntry | None]]:
        """Yield what each item is now; None for one that is not given."""
        for at in range(0, len(ids), PARTS_MOST):
            batch = ids[at : at + PARTS_MOST]
            asks = {id_: f"{self._item(drive, id_)}?{query(select=LISTED)}" for id_ in batch}
            for id_, outcome in BatchReader(self._client).run(asks):
                entry = None if isinstance(outcome, GraphRefusal) else entry_of(outcome.json)
                yield id_, entry if entry is not None and entry.id == id_ else None

    def _round(self, drive: str, cursor: str) -> Round:
        """Return the changes since a cursor."""
        key = drive, cursor
        if key in self._lost:
            raise CursorLost("cursor-lost", "the server no longer knows the state of this drive")
        if key not in self._rounds:
            whole = self._whole(drive)
            try:
                changes = self._run(drive, cursor)
            except CursorLost:
                self._lost.add(key)
                raise
            changes.file_away(whole)
            changes.settle()
            self._rounds[key] = changes
        return self._rounds[key]

    def _run(self, drive: str, cursor: str | None) -> Round:
        """Run the delta of a drive."""
        round_ = Round(self._client.spool, drive)
        options = query(select=LISTED, top=self._client.settings.page_items)
        for rows, after in delta(self._client, f"{_drive_path(drive)}/root/delta", options, cursor, SHARING):
            round_.put(entry for entry in map(entry_of, rows) if entry is not None)
            round_.root = next((str(row["id"]) for row in rows if row.get("root") is not None), round_.root)
            round_.cursor = after
        return round_

    # Files

    def fetch(
        self, container: Container, refs: Iterable[Ref], *, bodies: bool, older: int | None = None
    ) -> Iterator[Native | Failed]:
        """Read files; see `model.protocols.Source.fetch`.

        Args:
            container: the folder.
            refs: the files.
            bodies: False to read the properties only.
            older: how many older versions of each file to read; None: the configuration says if they are
                counted.
        """
        counts = older is not None or self._client.settings.count_versions
        drive, folder = _split(container.id)
        pending = iter(refs)
        while batch := list(itertools.islice(pending, PARTS_MOST)):
            ids = [_split(ref.id)[1] for ref in batch]
            files: list[File] = []
            for id_, outcome in self._describe(drive, ids):
                if isinstance(outcome, GraphRefusal):
                    yield Failed(key_of(f"{drive}/{id_}"), self._error_of(drive, outcome))
                    continue
                try:
                    files.append(self._check_folder(drive, folder, file_of(outcome)))
                except Rejected as error:
                    name = None if bodies else outcome.get("name")
                    without_bytes = Native(Ref(f"{drive}/{id_}", ""), FORMAT, {"Name": name})
                    yield (
                        without_bytes if isinstance(name, str) else Failed(key_of(f"{drive}/{id_}"), error)
                    )
            versions = self._versions.of(self._paths(drive, files)) if counts else {}
            for file in files:
                version_list = VersionList(versions.get(file.id), older or 0) if counts else None
                yield self._native(drive, file, version_list, bodies=bodies)

    def _describe(self, drive: str, ids: Sequence[str]) -> Iterator[tuple[str, Json | GraphRefusal]]:
        """Yield Graph's description of each file, or its refusal."""
        asks = {id_: f"{self._item(drive, id_)}?{query(select=FIELDS)}" for id_ in ids}
        for id_, outcome in BatchReader(self._client).run(asks):
            if isinstance(outcome, GraphRefusal):
                yield id_, outcome
            elif outcome.json.get("id") == id_:
                yield id_, outcome.json
            else:
                yield id_, GraphRefusal(502, "reply-incomplete")

    def _check_folder(self, drive: str, folder: str, file: File) -> File:
        """Return the file, unless it moved to another folder meanwhile."""
        whole = self._wholes.get(drive)
        if file.parent != folder and whole is not None and whole.is_folder(file.parent):
            raise Rejected("vanished", "in another folder by now")
        return file

    def _native(
        self, drive: str, file: File, version_list: VersionList | None, *, bodies: bool
    ) -> Native | Failed:
        """Return a file with its properties and, if requested, its bytes."""
        id_ = f"{drive}/{file.id}"
        if not bodies:
            return Native(Ref(id_, file.version, size=file.size), FORMAT, _properties(file, version_list))

        def probe() -> None:
            self._probe(drive)

        try:
            got = Download(self._client, file, lambda: self._describe_again(drive, file.id), probe).run()
            if version_list is not None and got.file.content != file.content:
                version_list = self._list_versions_again(drive, got.file, version_list)
        except Rejected as error:
            return Failed(key_of(id_), error)
        older = self._versions.read(got.file, version_list, probe) if version_list is not None else ()
        facts = _properties(got.file, version_list, older) | {"Size": got.size, "Sha256": got.sha256}
        return Native(Ref(id_, got.file.version, size=got.size), FORMAT, facts, got.body)

    def _list_versions_again(self, drive: str, file: File, version_list: VersionList) -> VersionList:
        """List the versions again, because the file was saved during the download.

        The versions of a file that is saved again meanwhile stay unknown.
        """
        older = self._versions.of(self._paths(drive, [file])).get(file.id)
        same = self._describe_again(drive, file.id).content == file.content
        return replace(version_list, older=older if same else None)

    def _describe_again(self, drive: str, id_: str) -> File:
        """Return the file as Graph describes it now; raise Rejected for its fate."""
        for _, outcome in self._describe(drive, [id_]):
            if not isinstance(outcome, GraphRefusal):
                return file_of(outcome)
            raise self._error_of(drive, outcome)
        raise Transient("reply-incomplete", "no answer about an item")

    def _error_of(self, drive: str, refused: GraphRefusal) -> Rejected:
        """Return the error for one item, unless the drive itself is refused."""
        return self._classify(drive, refused).quoting(refused.said)

    def _classify(self, drive: str, refused: GraphRefusal) -> Rejected:
        blocked = BLOCKED.get(refused.code, ("",))[0]
        if refused.code in MALWARE:
            return Rejected("blocked-by-source", "the source calls it malware and does not give it out")
        if refused.status == 404:
            self._probe(drive)
            return Rejected("vanished", "no longer at the source")
        if (blocked and blocked not in DENIED) or refused.status == 401:
            raise refused
        if refused.status == 403:
            self._probe(drive)
        if refused.status >= 500 or refused.status == 408:
            return Rejected("poison-item", "the server fails whenever this item is read")
        return item_error(refused)

    def _probe(self, drive: str) -> None:
        """Check that the drive can be read.

        Raises:
            GraphRefusal, Transient, Blocked: the drive cannot be read.
        """
        self._client.get(_drive_path(drive), query(select="id"))

    def _paths(self, drive: str, files: Iterable[File]) -> dict[str, str]:
        return {file.id: self._item(drive, file.id) for file in files}

    # Sharing

    def grants(self, container: Container) -> Iterator[tuple[str, tuple[Grant, ...]]]:
        """Yield with whom items are shared; see `model.optional_protocols.SupportsGrants`."""
        drive, folder = _split(container.id)
        whole = self._whole(drive)
        entry, files = whole.get(folder), whole.shared(folder)
        own = [folder] if entry is not None and entry.shared else []
        if not own and not files:
            return
        above = self._shared_above(whole, folder)
        for id_ in own:
            if grants := self._grants.of_folder(_drive_path(drive), id_, above):
                yield container.id, grants
        for id_, grants in self._grants.of_files(_drive_path(drive), files, [*above, *own]):
            yield f"{drive}/{id_}", grants

    def _shared_above(self, whole: Round, folder: str) -> list[str]:
        """Return the shared folders above a folder; for a site also its root."""
        site = is_site(self._client.user)
        return [entry.id for entry in whole.above(folder) if entry.shared or (not entry.parent and site)]

    def _item(self, drive: str, id_: str) -> str:
        return f"{_drive_path(drive)}/items/{segment(id_)}"


def _container(drive: Drive, whole: Round, entry: DriveEntry, path: tuple[str, ...]) -> Container:
    total, size = whole.totals(entry.id)
    return Container(
        kind=Kind.FILES,
        id=f"{drive.id}/{entry.id}",
        path=(drive.name, *path[1:]),
        role=drive.role if entry.id == whole.root else None,
        total=total,
        size=size,
        modified=entry.modified,
    )


def _properties(file: File, versions: VersionList | None, older: tuple[Older, ...] = ()) -> dict[str, object]:
    """Return the properties that a file mapping reads."""
    facts: dict[str, object] = {
        "Name": file.name,
        "Modified": file.modified,
        "Created": file.created,
        "Size": file.size,
    }
    return facts if versions is None else facts | {"Versions": versions.count, "Older": older}


def _split(id_: str) -> tuple[str, str]:
    """Return the drive's id and the item's id."""
    drive, _, item = id_.rpartition("/")
    return drive, item


def _drive_path(drive: str) -> str:
    return f"/drives/{segment(drive)}"
