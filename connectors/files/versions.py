"""New files with what they were before, on a server that makes a version of what is overwritten.

All of it is written under a name of ours beside the file's place, oldest first, one over the other, and then
moved there with its versions: the MOVE is the commit, and nobody sees what lies before it. A version is known
by its date. Whoever goes on finds out from the dates that are kept and the hash of what lies there which step
was the last; what is neither that nor ours to go on from is removed, and written anew.
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
from connectors.webdav.client import joined, passing
from connectors.webdav.names import check, staged
from connectors.webdav.propfind import IDENTIFIED
from connectors.webdav.read import WebdavReader
from model.errors import Blocked, MigrationError, Rejected
from model.file_versions import Older
from model.protocols import Failed, Item, Loss, Stored

Write = Callable[[Item], Stored | Failed]
NOT_KEPT = Loss("versions", "not-kept")
SUFFIX_BYTES = len(".v1234567890")
"""What Nextcloud adds to a file's name for a version of it, which must still fit into a name: of a longer one
it keeps none, and a MOVE to it leaves them behind where nobody finds them."""
_DATE = re.compile(r"\d{1,12}", re.ASCII)


class KeptVersions:
    """What a server keeps. tree: the path below which it lists versions, with a slash at its end."""

    def __init__(self, reading: WebdavReader, tree: str) -> None:
        self._reading = reading
        self._tree = tree

    def dates(self, path: str) -> frozenset[int] | None:
        """Of a file's older versions, in seconds; None where there is no file, or nothing is told of it."""
        there = self._reading.entry(path, IDENTIFIED)
        if there is None or not there.id or there.modified is None:
            return None
        try:
            listed = list(self._reading.listed(f"{self._tree}{quoted(there.id)}/"))
        except Blocked as error:
            if error.code != "container-missing":
                raise
            return None
        names = [one.names[0] for one in listed if len(one.names) == 1]
        dates = frozenset(int(name) for name in names if _DATE.fullmatch(name))
        return dates - {int(there.modified.timestamp())}  # that is the file itself


class Histories:
    """Writes the files of one folder, whose path ends with a slash, in staging; write() may run in several
    threads, for files of different names and keys. tree: see Kept."""

    def __init__(self, means: UploadMeans, tree: str, folder: str) -> None:
        self._means = means
        self._kept = KeptVersions(means.reading, tree)
        self._folder = folder
        self._writer = FileWriter(means, folder, live=False)

    def write(self, item: Item) -> Stored | Failed:
        """For what is new and has versions. An older one that the server refuses, or has no room for, is left
        out. Raises Transient (the outcome is unknown), Blocked, LeaseLost."""
        try:
            check(item.name or "", self._means.names())
            return self._written(item)
        except Rejected as error:
            return Failed(item.key, error)

    def renew(self, item: Item) -> Stored | Failed:
        """As Writer.write, for other bytes than are there, and with how many older versions there are then:
        whether what was there became one is the server's affair."""
        done = self._writer.write(item)
        if isinstance(done, Failed) or done.via:
            return done
        dates = self._kept.dates(joined(self._folder, done.href))
        return done if dates is None else replace(done, versions=len(dates))

    # -- internals

    def _written(self, item: Item) -> Stored:
        place = joined(self._folder, str(item.name))
        found = self._writer.look(item, place)
        if not isinstance(found, Stored):
            fits = len(str(item.name).encode()) + SUFFIX_BYTES <= self._means.names().bytes
            found = self._moved(item, place) if fits else self._writer.settled(item)
        wanted = {_second(one) for one in item.versions}
        count = len(wanted & (self._kept.dates(place) or frozenset()))
        losses = (NOT_KEPT,) if count < len(wanted) else ()
        return replace(found, versions=count, losses=(*found.losses, *losses))

    def _moved(self, item: Item, place: str) -> Stored:
        name = staged(item.key, str(item.name))
        beside = joined(self._folder, name)
        whole = replace(item, name=name, versions=())
        try:
            self._chained([*(_step(whole, one) for one in item.versions), whole])
            self._writer.move(beside, place)
        except Rejected:
            self._removed(beside)
            found = self._writer.look(item, place)
            if isinstance(found, Stored):
                return found  # what an earlier worker sent came meanwhile
            raise
        found = self._writer.look(item, place)
        if not isinstance(found, Stored):
            raise Blocked("container-missing", "a file went when it was moved to its place")
        return found

    def _chained(self, steps: Sequence[Item]) -> None:
        """Writes what is not written yet of steps, one over the other."""
        while steps:
            steps = self._refused(steps)

    def _refused(self, steps: Sequence[Item]) -> Sequence[Item]:
        """As _chained; () when all is written, else what is left to try: without the older version that is
        refused, or without any where the file itself has no room beside them."""
        at, last = self._begun(steps)
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

    def _begun(self, steps: Sequence[Item]) -> tuple[int, Stored | None]:
        """Which step lies there, with those before it as its versions; else nothing does, from now on."""
        first = steps[0]
        path = joined(self._folder, str(first.name))
        there = self._means.reading.entry(path)
        if there is None:
            return 0, None
        dates = self._kept.dates(path) or frozenset()
        at = len(dates)
        before = {_second(step) for step in steps[:at]}
        if at < len(steps) and dates == before and self._means.reading.digest(path) == steps[at].digest:
            return at, Stored(first.key, str(first.name), there.etag, digest=steps[at].digest)
        self._removed(path)
        return 0, None

    def _removed(self, path: str) -> None:
        def attempt() -> HttpAnswer:
            self._means.tree.guard()
            return passing(self._means.library.delete(path, headers=FOR_GOOD))

        answer = self._means.client.patiently(attempt)
        if not answer.ok and answer.status not in GONE:
            raise answer.error()


def writing(means: UploadMeans, tree: str, folder: str, *, live: bool) -> Write:
    """Of the files of one folder: whoever has older versions and may bring them is written with them, and of
    what is replaced they are counted. tree: see Kept; "": none are wanted."""
    plain, history = FileWriter(means, folder, live=live).write, Histories(means, tree, folder)
    if live or not tree:
        return plain

    def write(item: Item) -> Stored | Failed:
        if item.replaces is None:
            return history.write(item) if item.versions else plain(item)
        return plain(item) if item.replaces.digest == item.digest else history.renew(item)

    return write


def _step(whole: Item, one: Older) -> Item:
    return replace(whole, digest=one.digest, size=one.size, body=one.body, date=one.date)


def _second(one: Older | Item) -> int:
    return int(one.date.timestamp()) if one.date is not None else 0


def _is_its_own(error: MigrationError) -> bool:
    """Whether a version is left out for it; the file itself may still fit."""
    return isinstance(error, Rejected) or error.code == "over-quota"
