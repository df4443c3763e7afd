"""Store what the files of a practice Nextcloud were before, and list it by WebDAV, as 32.0.1 was measured.

A version is what was overwritten, under the date it had, in seconds: two of one date are one. What is empty
makes none, nor does what is overwritten with its own date. Versions belong to the id that a file has wherever
it is moved; those whose own names would be too long are not stored, and are gone when their file is moved to
such a name. The current one is listed among them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

from practice.dav.proxy import Reply, Request, reply

Names = tuple[str, ...]
NAME_BYTES = 250
VERSIONS = "/remote.php/dav/versions/"


class History:
    """Store one user's versions.

    Attributes:
        folder: where older versions lie on this disk.
        id_of: gives a file's id.
    """

    def __init__(self, folder: Path, id_of: Callable[[Names], int]) -> None:
        self._folder = folder
        self._id_of = id_of
        folder.mkdir()

    def keep(self, names: Names, path: Path, mtime: str | None) -> None:
        """Store what is about to be overwritten.

        Args:
            names: of the file.
            path: where it lies.
            mtime: the date that the file will have; None for now.
        """
        known = path.stat()
        date = int(known.st_mtime)
        if not known.st_size or str(date) == mtime or not _fits(names, date):
            return
        older = self._path(names, date)
        older.unlink(missing_ok=True)
        os.link(path, older)  # what overwrites it is another inode

    def removed(self, names: Names) -> None:
        """Forget the versions of a file that was removed."""
        for date in self.dates(names):
            self.forget(names, date)

    def moved(self, to: Names) -> None:
        """Forget the versions whose names would be too long after a move."""
        for date in self.dates(to):
            if not _fits(to, date):
                self.forget(to, date)

    def dates(self, names: Names) -> list[int]:
        """Return the dates of the older versions, in order."""
        return sorted(int(path.suffix[2:]) for path in self._folder.glob(f"{self._id_of(names)}.v*"))

    def older(self, names: Names) -> dict[int, bytes]:
        """Return the older versions by their dates."""
        return {date: self._path(names, date).read_bytes() for date in self.dates(names)}

    def forget(self, names: Names, date: int) -> None:
        """Remove a version, as the server does with old ones, or with too many."""
        self._path(names, date).unlink()

    def path(self, names: Names, date: str) -> Path | None:
        """Return where a version lies; None if there is none of this date."""
        return self._path(names, int(date)) if date in map(str, self.dates(names)) else None

    def _path(self, names: Names, date: int) -> Path:
        return self._folder / f"{self._id_of(names)}.v{date}"


def _fits(names: Names, date: int) -> bool:
    return len(f"{names[-1]}.v{date}".encode()) <= NAME_BYTES


def listed(older: list[int], current: Path, request: Request) -> Reply:
    """Answer a PROPFIND of a file's versions."""
    base = quote(request.path.rstrip("/"))
    ok = "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    rows = [
        f"<d:response><d:href>{base}/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/>"
        f"</d:resourcetype></d:prop>{ok}"
    ]
    rows += [
        f"<d:response><d:href>{base}/{date}</d:href><d:propstat><d:prop><d:resourcetype/>"
        f"<d:getlastmodified>{formatdate(date, usegmt=True)}</d:getlastmodified>"
        f"<d:getetag>&quot;{date}&quot;</d:getetag></d:prop>{ok}"
        for date in sorted({*older, int(current.stat().st_mtime)})
        if request.headers.get("depth") != "0"
    ]
    text = f'<?xml version="1.0"?>\n<d:multistatus xmlns:d="DAV:">{"".join(rows)}</d:multistatus>'
    return reply(207, text, kind="application/xml; charset=utf-8")
