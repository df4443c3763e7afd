"""Removing files that were written: by the ETag that they had, or by what they hold."""

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
"""What was never anybody's file is not to be found in a trash bin."""


class FileRemover:
    """Removes files of one folder; safe from several threads."""

    def __init__(self, means: UploadMeans, folder: str) -> None:
        self._means = means
        self._folder = folder

    def remove(self, stored: Stored) -> Stored | Failed:
        """Idempotent: what is gone is success. What has another ETag than it had is still ours when it has
        the digest that was written. Rejected: "cannot-remove" for what was not written by us,
        "changed-at-target" for what is no longer what was. Raises Transient, Blocked, LeaseLost."""
        if stored.via:
            return Failed(stored.key, Rejected("cannot-remove", "it is not ours"))
        try:
            self._gone(joined(self._folder, stored.href), stored)
        except Rejected as error:
            return Failed(stored.key, error)
        return stored

    def _gone(self, path: str, stored: Stored) -> None:
        match = etag(stored.version)
        for _ in range(TRIES):
            if not match and stored.digest:
                there = self._still_ours(path, stored.digest)
                if there is None:
                    return
                match = there.etag
            answer = self._means.client.patiently(partial(self._deleted, path, match))
            if answer.ok or answer.status in GONE:
                return
            if answer.status != 412:
                raise self._refusal(answer)
            # RFC 9110, 13.1.1: what is gone answers 412 to an If-Match too
            if self._means.reading.entry(path) is None:
                return
            if not stored.digest:
                break
            match = ""
        raise _changed()

    def _still_ours(self, path: str, digest: bytes) -> PropfindEntry | None:
        """What is there, if it is what was written; None when nothing is."""
        entry = self._means.reading.entry(path)
        if entry is not None and (entry.folder or self._means.reading.digest(path) != digest):
            raise _changed()
        return entry

    def _refusal(self, answer: HttpAnswer) -> MigrationError:
        if refusal(answer.status) is not None or answer.status == 409:
            return Rejected("cannot-remove", f"the server answered HTTP {answer.status}").said(answer.words)
        return answer.error()

    def _deleted(self, path: str, match: str) -> HttpAnswer:
        self._means.tree.guard()
        half = STAGED.fullmatch(unquote(path.rpartition("/")[2])) is not None
        return passing(self._means.library.delete(path, match, FOR_GOOD if half else None))


def _changed() -> Rejected:
    return Rejected("changed-at-target", "it is no longer what was written")
