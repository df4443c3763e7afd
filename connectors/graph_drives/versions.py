"""What files were before: which older versions Graph tells of, and their bytes.

Graph lists them newest first, the current one among them. Of an older one it tells a size and a date, and no
hash; where its bytes are is told by a redirect.
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
    """An older one. path: where it is asked for."""

    path: str
    size: int
    date: datetime | None


@dataclass(frozen=True, slots=True)
class VersionList:
    """What Graph tells of one file. found: newest first; None: it does not tell. wanted: how many of them are
    to be read."""

    found: tuple[Version, ...] | None
    wanted: int

    @property
    def count(self) -> int | None:
        return None if self.found is None else len(self.found)


class Versions:
    """Of the files of one account's drives."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    def of(self, paths: Mapping[str, str]) -> dict[str, tuple[Version, ...]]:
        """By id, given the paths of files by id: the older versions, newest first. One of which Graph tells
        none is left out."""
        found: dict[str, tuple[Version, ...]] = {}
        asks = {id_: f"{path}/versions" for id_, path in paths.items()}
        for id_, rows in collected(self._client, asks):
            if not isinstance(rows, GraphRefusal):
                found[id_] = tuple(_version(asks[id_], row) for row in rows[1:])
        return found

    def read(self, file: File, told: VersionList, probe: Callable[[], None]) -> tuple[Older, ...]:
        """Those of a file that are wanted, oldest first. One that Graph does not give out, or not whole, is
        left out. Raises as Download.run does for what is no version's own fault."""
        found: list[Older] = []
        for version in (told.found or ())[: told.wanted]:
            try:
                found.append(self._read(file, version, probe))
            except Rejected:
                continue
        return tuple(reversed(found))

    def _read(self, file: File, version: Version, probe: Callable[[], None]) -> Older:
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
        """Where its bytes are. Raises Rejected."""
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
