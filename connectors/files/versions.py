"""Write new files with their older versions, on a server that makes a version of what is overwritten.

All versions are written under a temporary name beside the file's place, oldest first, one over the other, and
then moved there with their versions: the MOVE is the commit, and nobody sees what is there before it. A
version is identified by its date. A new attempt finds the last completed step from the dates that are kept
and the hash of the bytes. A state that matches no step is removed, and everything is written again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from connectors.files.delete import FOR_GOOD
from connectors.files.write import FileWriter, UploadMeans
from connectors.http.client import HttpAnswer
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import quoted
from connectors.http.suspects import PutAside, SuspectedError
from connectors.webdav.client import joined, passing
from connectors.webdav.names import check, staged
from connectors.webdav.propfind import IDENTIFIED
from connectors.webdav.read import WebdavReader
from model.errors import Blocked, MigrationError, Rejected
from model.file_versions import Older
from model.protocols import Failed, Item, Loss, Stored

Write = Callable[[Item], Stored | Failed | PutAside]
NOT_KEPT = Loss("versions", "not-kept")
SUFFIX_BYTES = len(".v1234567890")
"""Bytes that Nextcloud adds to a file's name for a version of it. The result must still be a valid name: for
a longer one it keeps no versions, and a MOVE to it leaves them behind."""
_DATE = re.compile(r"\d{1,12}", re.ASCII)


class KeptVersions:
    """Read which versions a server keeps."""

    def __init__(self, reading: WebdavReader, tree: str) -> None:
        """Prepare.

        Args:
            reading: reads from the server.
            tree: the path below which versions are listed, with a slash at its end.
        """
        self._reading = reading
        self._tree = tree

    def dates(self, path: str) -> frozenset[int] | None:
        """Return the dates of a file's older versions in seconds since 1970; None where they are unknown."""
        entry = self._reading.entry(path, IDENTIFIED)
        if entry is None or not entry.id or entry.modified is None:
            return None
        try:
            listed = list(self._reading.listed(f"{self._tree}{quoted(entry.id)}/"))
        except Blocked as error:
            if error.code != "container-missing":
                raise
            return None
        names = [version.names[0] for version in listed if len(version.names) == 1]
        dates = frozenset(int(name) for name in names if _DATE.fullmatch(name))
        return dates - {int(entry.modified.timestamp())}  # that is the file itself


class Histories:
    """Write the files of one folder with their versions, in staging.

    `write` may run in several threads, for files of different names and keys.
    """

    def __init__(self, means: UploadMeans, tree: str, folder: str) -> None:
        """Prepare.

        Args:
            means: what a writer works with.
            tree: see KeptVersions.
            folder: the folder's path, which ends with a slash.
        """
        self._means = means
        self._kept = KeptVersions(means.reading, tree)
        self._folder = folder
        self._writer = FileWriter(means, folder, live=False)

    def write(self, item: Item) -> Stored | Failed | PutAside:
        """Write a new file that has versions. Idempotent.

        A version that the server refuses, or that does not fit, is left out and reported as a loss.

        Args:
            item: the file.

        Raises:
            Transient: the outcome is unknown.
            Blocked: the account or the folder refuses.
            LeaseLost: the guard refuses.
        """
        try:
            check(item.name or "", self._means.names())
            return self._write_new(item)
        except Rejected as error:
            return Failed(item.key, error)
        except SuspectedError:
            return PutAside(item)

    def renew(self, item: Item) -> Stored | Failed | PutAside:
        """Replace a file's bytes as FileWriter.write does; report how many versions it has then.

        The server decides if the replaced bytes become a version.
        """
        done = self._writer.write(item)
        if not isinstance(done, Stored) or done.via:
            return done
        dates = self._kept.dates(joined(self._folder, done.href))
        return done if dates is None else replace(done, versions=len(dates))

    # -- internals

    def _write_new(self, item: Item) -> Stored:
        """Write a file with its versions unless it is stored already."""
        place = joined(self._folder, str(item.name))
        stored = self._writer.look(item, place)
        if not isinstance(stored, Stored):
            fits = len(str(item.name).encode()) + SUFFIX_BYTES <= self._means.names().bytes
            stored = self._stage_and_move(item, place) if fits else self._writer.settled(item)
        dates = {_second(version) for version in item.versions}
        count = len(dates & (self._kept.dates(place) or frozenset()))
        losses = (NOT_KEPT,) if count < len(dates) else ()
        return replace(stored, versions=count, losses=(*stored.losses, *losses))

    def _stage_and_move(self, item: Item, place: str) -> Stored:
        """Write all versions beside the place and move the file there."""
        name = staged(item.key, str(item.name))
        beside = joined(self._folder, name)
        whole = replace(item, name=name, versions=())
        try:
            self._write_steps([*(_step(whole, version) for version in item.versions), whole])
            self._writer.move(beside, place)
        except Rejected:
            self._remove(beside)
            stored = self._writer.look(item, place)
            if isinstance(stored, Stored):
                return stored  # a request of an earlier worker arrived meanwhile
            raise
        stored = self._writer.look(item, place)
        if not isinstance(stored, Stored):
            raise Blocked("container-missing", "a file went when it was moved to its place")
        return stored

    def _write_steps(self, steps: Sequence[Item]) -> None:
        """Write the steps that are not written yet, one over the other."""
        while steps:
            steps = self._try_steps(steps)

    def _try_steps(self, steps: Sequence[Item]) -> Sequence[Item]:
        """Write steps; return () when all are written, else the steps to try next.

        A refused older version is left out; all are, where the file itself does not fit beside them.
        """
        at, last = self._last_step(steps)
        for number, step in enumerate(steps[at:], at):
            try:
                done = self._writer.settled(replace(step, replaces=last))
            except (Rejected, Blocked) as error:
                if not _is_its_own(error):
                    raise
                if step is not steps[-1]:
                    return (*steps[:number], *steps[number + 1 :])
                if number == 0 or isinstance(error, Rejected):
                    raise
                return (step,)
            last = replace(done, digest=step.digest)
        return ()

    def _last_step(self, steps: Sequence[Item]) -> tuple[int, Stored | None]:
        """Return which step is stored, with those before it as versions; otherwise remove everything."""
        first = steps[0]
        path = joined(self._folder, str(first.name))
        entry = self._means.reading.entry(path)
        if entry is None:
            return 0, None
        dates = self._kept.dates(path) or frozenset()
        at = len(dates)
        before = {_second(step) for step in steps[:at]}
        if at < len(steps) and dates == before and self._means.reading.digest(path) == steps[at].digest:
            return at, Stored(first.key, str(first.name), entry.etag, digest=steps[at].digest)
        self._remove(path)
        return 0, None

    def _remove(self, path: str) -> None:
        """Remove a temporary file."""

        def attempt() -> HttpAnswer:
            self._means.tree.guard()
            return passing(self._means.library.delete(path, headers=FOR_GOOD))

        answer = self._means.client.patiently(attempt)
        if not answer.ok and answer.status not in GONE:
            raise answer.error()


def writing(means: UploadMeans, tree: str, folder: str, *, live: bool) -> Write:
    """Return the function that writes the files of one folder.

    Files with versions are written with them; for replaced files the versions are counted.

    Args:
        means: what a writer works with.
        tree: see KeptVersions; "": no versions are kept.
        folder: the folder's path, which ends with a slash.
        live: True in the live phase: no versions are written.
    """
    plain, history = FileWriter(means, folder, live=live).write, Histories(means, tree, folder)
    if live or not tree:
        return plain

    def write(item: Item) -> Stored | Failed | PutAside:
        if item.replaces is None:
            return history.write(item) if item.versions else plain(item)
        return plain(item) if item.replaces.digest == item.digest else history.renew(item)

    return write


def _step(whole: Item, version: Older) -> Item:
    """Return one version as an item."""
    return replace(whole, digest=version.digest, size=version.size, body=version.body, date=version.date)


def _second(dated: Older | Item) -> int:
    """Return a date in whole seconds since 1970."""
    return int(dated.date.timestamp()) if dated.date is not None else 0


def _is_its_own(error: MigrationError) -> bool:
    """Return True if a version is left out for this error; the file itself may still fit."""
    return isinstance(error, Rejected) or error.code == "over-quota"
