"""A source of files for a bench: a folder on this disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from model.kinds import Kind
from model.protocols import Body, Capabilities, Container, Failed, Identity, Native, Page, Ref, Role

DRIVE = "bench"
PAGE = 500


class FolderSource:
    """model.protocols.Source over a folder. A file is hashed when it is fetched, and read where it lies."""

    def __init__(self, root: Path, owner: str) -> None:
        self._root = root
        self._owner = owner

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({Kind.FILES}))

    def identity(self) -> Identity:
        return Identity("bench", self._owner, frozenset({self._owner}))

    def containers(self) -> Iterator[Container]:
        below = sorted(path for path in self._root.rglob("*") if path.is_dir())
        for folder in (self._root, *below):
            names = folder.relative_to(self._root).parts
            files = [path for path in folder.iterdir() if path.is_file()]
            yield Container(
                kind=Kind.FILES,
                id="/".join((".", *names)),
                path=(DRIVE, *names),
                role=None if names else Role.FILES,
                total=len(files),
                size=sum(path.stat().st_size for path in files),
                modified=_modified(folder),
            )

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        if cursor is not None:
            yield Page((), cursor)
            return
        paths = sorted(path for path in (self._root / container.id).iterdir() if path.is_file())
        yield from _pages([self._ref(path) for path in paths])

    def fetch(
        self, container: Container, refs: Iterable[Ref], *, bodies: bool = True
    ) -> Iterator[Native | Failed]:
        del container
        for ref in refs:
            path = self._root / ref.id
            properties: dict[str, object] = {"Name": path.name, "Modified": _modified(path)}
            if not bodies:
                yield Native(ref, "file", properties)
                continue
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            yield Native(ref, "file", properties | {"Size": ref.size, "Sha256": digest}, _body(path))

    def close(self) -> None:
        """There is nothing to close."""

    def _ref(self, path: Path) -> Ref:
        stat = path.stat()
        return Ref(str(path.relative_to(self._root)), str(stat.st_mtime_ns), size=stat.st_size)


def _pages(refs: list[Ref]) -> Iterator[Page]:
    for first in range(0, max(1, len(refs)), PAGE):
        yield Page(tuple(refs[first : first + PAGE]), "end", full=True)


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(int(path.stat().st_mtime), UTC)


def _body(path: Path) -> Body:
    return lambda: path.open("rb")
