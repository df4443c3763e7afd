"""Remove files that were written, by their ETag or by what they hold."""

from __future__ import annotations

from functools import partial
from urllib.parse import unquote

from connectors.files.put import refusal
from connectors.files.write import UploadMeans
from connectors.http.client import HttpAnswer
from connectors.http.dav_errors import GONE
from connectors.http.multistatus import etag
from connectors.webdav.client import joined, passing
from connectors.webdav.names import STAGED
from connectors.webdav.propfind import PropfindEntry
from model.errors import MigrationError, Rejected
from model.protocols import Failed, Stored

TRIES = 3  # of one file
FOR_GOOD = {"X-NC-Skip-Trashbin": "true"}
"""Headers to remove a half-written file, which does not belong in a trash bin."""


class FileRemover:
    """Remove files of one folder. Safe from several threads."""

    def __init__(self, means: UploadMeans, folder: str) -> None:
        """Prepare the remover.

        Args:
            means: what a writer works with.
            folder: the folder's path, which ends with a slash.
        """
        self._means = means
        self._folder = folder

    def remove(self, stored: Stored) -> Stored | Failed:
        """Remove one file; idempotent: a missing file is a success.

        A file with another ETag is still ours when it has the digest that was written.

        Args:
            stored: the file as it was written.

        Returns:
            The same, or Failed with Rejected: "cannot-remove" for a file that we did not write,
            "changed-at-target" for one that changed.

        Raises:
            Transient: the retries are used up; the file may be gone.
            Blocked: the server refuses.
            LeaseLost: the guard refuses.
        """
        if stored.via:
            return Failed(stored.key, Rejected("cannot-remove", "it is not ours"))
        try:
            self._delete_current(joined(self._folder, stored.href), stored)
        except Rejected as error:
            return Failed(stored.key, error)
        return stored

    def _delete_current(self, path: str, stored: Stored) -> None:
        """Delete the file while it is what was written."""
        match = etag(stored.version)
        for _ in range(TRIES):
            if not match and stored.digest:
                entry = self._still_ours(path, stored.digest)
                if entry is None:
                    return
                match = entry.etag
            answer = self._means.client.patiently(partial(self._delete, path, match))
            if answer.ok or answer.status in GONE:
                return
            if answer.status != 412:
                raise self._refusal(answer)
            # RFC 9110, section 13.1.1: a missing file answers 412 to an If-Match, too
            if self._means.reading.entry(path) is None:
                return
            if not stored.digest:
                break
            match = ""
        raise _changed_error()

    def _still_ours(self, path: str, digest: bytes) -> PropfindEntry | None:
        """Return the entry if it is what was written; None when there is nothing."""
        entry = self._means.reading.entry(path)
        if entry is not None and (entry.folder or self._means.reading.digest(path) != digest):
            raise _changed_error()
        return entry

    def _refusal(self, answer: HttpAnswer) -> MigrationError:
        """Return the error for a refused DELETE."""
        if refusal(answer.status) is not None or answer.status == 409:
            return Rejected("cannot-remove", f"the server answered HTTP {answer.status}").quoting(
                answer.words
            )
        return answer.error()

    def _delete(self, path: str, match: str) -> HttpAnswer:
        self._means.tree.guard()
        half = STAGED.fullmatch(unquote(path.rpartition("/")[2])) is not None
        return passing(self._means.library.delete(path, match, FOR_GOOD if half else None))


def _changed_error() -> Rejected:
    return Rejected("changed-at-target", "it is no longer what was written")
