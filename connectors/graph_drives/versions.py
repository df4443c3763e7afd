"""Read older versions of files, and their bytes.

Graph lists versions newest first, including the current one. For an older one it gives a size and a date, and
no hash; a redirect tells where its bytes are.

Source:
    https://learn.microsoft.com/graph/api/driveitem-list-versions
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from connectors.graph_api.batch import BatchReader
from connectors.graph_api.client import GraphClient, Json, segment
from connectors.graph_api.collections import collected
from connectors.graph_api.errors import MALWARE, GraphRefusal
from connectors.graph_api.folders import number
from connectors.graph_api.messages import moment
from connectors.graph_drives.download import Download
from connectors.graph_drives.drive_items import File
from model.errors import Rejected
from model.file_versions import Older


@dataclass(frozen=True, slots=True)
class Version:
    """Hold one older version.

    Attributes:
        path: its path below graph_url.
        size: bytes.
        date: its date, or None.
    """

    path: str
    size: int
    date: datetime | None


@dataclass(frozen=True, slots=True)
class VersionList:
    """Hold what Graph lists for one file.

    Attributes:
        older: the older versions, newest first; None where Graph lists none.
        limit: how many of them to read.
    """

    older: tuple[Version, ...] | None
    limit: int

    @property
    def count(self) -> int | None:
        """Return the number of older versions; None where it is unknown."""
        return None if self.older is None else len(self.older)


class Versions:
    """Read versions of files of one account's drives."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    def of(self, paths: Mapping[str, str]) -> dict[str, tuple[Version, ...]]:
        """Return the older versions by file id, newest first; files without an answer are left out.

        Args:
            paths: the files' paths by id.
        """
        by_id: dict[str, tuple[Version, ...]] = {}
        asks = {id_: f"{path}/versions" for id_, path in paths.items()}
        for id_, rows in collected(self._client, asks):
            if not isinstance(rows, GraphRefusal):
                by_id[id_] = tuple(_version(asks[id_], row) for row in rows[1:])
        return by_id

    def read(self, file: File, version_list: VersionList, probe: Callable[[], None]) -> tuple[Older, ...]:
        """Return the wanted older versions of a file, oldest first.

        A version that Graph does not give, or not completely, is left out.

        Args:
            file: the file.
            version_list: its versions.
            probe: checks that the drive can be read.

        Raises:
            Transient, Blocked: faults that no single version causes; see `Download.run`.
        """
        read_versions: list[Older] = []
        for version in (version_list.older or ())[: version_list.limit]:
            try:
                read_versions.append(self._download(file, version, probe))
            except Rejected:
                continue
        return tuple(reversed(read_versions))

    def _download(self, file: File, version: Version, probe: Callable[[], None]) -> Older:
        """Download one version."""
        then = replace(
            file,
            size=version.size,
            quickxor="",
            url="",
            modified=version.date,
            empty=version.size == 0,
        )

        def located() -> File:
            return replace(then, url=self._address(version))

        got = Download(self._client, then, located, probe).run()
        return Older(bytes.fromhex(got.sha256), got.size, got.body, version.date)

    def _address(self, version: Version) -> str:
        """Return where a version's bytes are; raise Rejected when Graph does not give it."""
        for _, outcome in BatchReader(self._client, raw=True).run({"": f"{version.path}/content"}):
            if not isinstance(outcome, GraphRefusal):
                return outcome.headers.get("location", "")
            if outcome.code in MALWARE:
                raise Rejected("blocked-by-source", "the source calls an older version malware")
        raise Rejected("item-refused", "the source does not give an older version out")


def _version(path: str, row: Json) -> Version:
    return Version(
        path=f"{path}/{segment(str(row.get('id') or ''))}",
        size=number(row.get("size")) or 0,
        date=moment(row.get("lastModifiedDateTime")),
    )
