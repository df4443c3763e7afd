"""Writing one file: conditional, and settled by its SHA-256 whenever that failed or its reply was lost.

What lies under a file's name and is not what was to be written is never overwritten, unless the item says
that it replaces it (Item.replaces), and then in staging alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from connectors.files.chunked_upload import Chunks
from connectors.files.folders import FolderTree
from connectors.files.put import Aim, Put, Sent, is_missing, refusal
from connectors.http.client import HttpAnswer, HttpClient
from connectors.http.dav_errors import GONE
from connectors.http.multistatus import etag
from connectors.retry import RetryPolicy
from connectors.webdav.client import UNKNOWN, joined, passing, seconds
from connectors.webdav.names import check, staged
from connectors.webdav.product import FilesProfile
from connectors.webdav.propfind import PropfindEntry
from connectors.webdav.quota import QuotaRoom
from connectors.webdav.read import WebdavReader
from connectors.webdav.verbs import WebdavLibrary
from model.errors import Blocked, Rejected, Transient
from model.file_names import FileNames
from model.protocols import Failed, Item, Loss, Stored

ROUNDS = 8  # of sending and looking, for one file
FAULTS_500 = 4  # of them in a row, before the file itself is suspected
ROOM_ABOVE = 10_000_000  # bytes of a file, before which one asks whether it fits
UNDATED = Loss("modified", "not-kept")
BAD_MOST = 3  # times that the server stores something else than was sent


@dataclass(frozen=True, slots=True)
class UploadMeans:
    """What a writer works with. chunks: None where large files go in one request like all."""

    client: HttpClient
    library: WebdavLibrary
    reading: WebdavReader
    tree: FolderTree
    put: Put
    chunks: Chunks | None
    chunk_above: int
    profile: FilesProfile
    names: Callable[[], FileNames]
    room: QuotaRoom


class FileWriter:
    """Writes the files of one folder, whose path ends with a slash; write() may run in several threads, for
    files of different names."""

    def __init__(self, means: UploadMeans, folder: str, *, live: bool) -> None:
        self._means = means
        self._reading = means.reading
        self._folder = folder
        self._live = live

    def write(self, item: Item) -> Stored | Failed:
        """Raises Transient (the outcome is unknown), Blocked, LeaseLost."""
        try:
            check(item.name or "", self._means.names())
            return self.settled(item)
        except Rejected as error:
            return Failed(item.key, error)

    def settled(self, item: Item) -> Stored:
        """As write, also under a name that is ours alone. Raises Rejected, too."""
        aim = self._first(item)
        patience, bad = self._means.client.patience(), 0
        for _ in range(ROUNDS):
            if isinstance(aim, Stored):
                return aim
            sent = self._round(item, aim, patience)
            if not isinstance(sent, Sent):
                aim = sent
            elif sent.digest is not None and sent.digest != item.digest:
                bad += 1
                aim = self._bad(item, aim, sent, bad)
            else:
                aim = self._dated(item, aim, sent)
        if isinstance(aim, Stored):
            return aim
        raise Rejected("changed-at-target", "something else writes to it all the time")

    def look(self, item: Item, path: str, *, ours: bool = False) -> Aim | Stored:
        """By what is there now; ours: it may be replaced, in staging."""
        entry = self._reading.entry(path)
        if entry is None:
            if self._live and item.replaces is not None:
                raise Rejected("changed-at-target", "its user removed it")
            return Aim(path)
        if not entry.folder and entry.size == item.size and self._reading.digest(path) == item.digest:
            return self._redated(item, path, entry)
        if entry.folder or not ours:
            raise Rejected("name-taken", "something else at the target has its name")
        if self._live:
            raise Rejected("changed-at-target", "its user changed it, and it stays as it is")
        return Aim(path, entry.etag)

    def move(self, old: str, new: str) -> None:
        """A file goes to another path, unless it did before, or is no longer there. Raises
        Rejected("name-taken")."""

        def attempt() -> HttpAnswer:
            return passing(self._means.library.move(old, new))

        patience = self._means.client.patience()
        while True:
            try:
                self._means.tree.guard()
                answer = attempt()
            except Transient as error:
                patience.pause(error)
                if error.code in UNKNOWN and self._reading.entry(old) is None:
                    return
                continue
            break
        if answer.status == 412:
            if self._reading.entry(old) is None:
                return
            raise Rejected("name-taken", "something else at the target has its name")
        if not answer.ok and answer.status not in GONE:
            told = f"the server answered HTTP {answer.status}"
            refused = refusal(answer.status) or Blocked("server-refuses", told).about(f"HTTP {answer.status}")
            raise refused.said(answer.words)

    # -- internals

    def _first(self, item: Item) -> Aim | Stored:
        old, path = item.replaces, self._path(item)
        if old is None:
            # a large file that is there already must not be sent only to be told so
            looks = self._is_large(item) or not self._means.profile.conditional
            return self.look(item, path) if looks else Aim(path)
        ours = not old.via
        if ours and not self._live and old.href != item.name:
            ours = self._moved(item, old, path)
        found = self.look(item, path, ours=ours)
        return replace(found, via=old.via) if isinstance(found, Stored) else found

    def _path(self, item: Item) -> str:
        return joined(self._folder, str(item.name))

    def _redated(self, item: Item, path: str, entry: PropfindEntry) -> Stored:
        """A file that has its bytes already, and gets its date when that differs."""
        stored = Stored(item.key, str(item.name), entry.etag)
        if item.date is None or self._live:
            return stored
        if entry.modified is None:
            return replace(stored, losses=(UNDATED,))
        if int(entry.modified.timestamp()) == seconds(item.date, self._means.profile.oldest):
            return stored
        if not self._means.tree.date_file(path, item.date):
            return replace(stored, losses=(UNDATED,))
        fresh = self._reading.entry(path)
        return replace(stored, version=fresh.etag if fresh is not None else "")

    def _dated(self, item: Item, aim: Aim, sent: Sent) -> Stored:
        """A file that was just written; its date is set now where the PUT could not."""
        stored = Stored(item.key, str(item.name), sent.etag)
        if item.date is None or sent.dated:
            return stored
        if self._means.tree.date_file(aim.path, item.date):
            return replace(stored, version="")
        return replace(stored, losses=(UNDATED,))

    def _moved(self, item: Item, replaced: Stored, new: str) -> bool:
        """A file that has another name now goes there, unless it did before. False when somebody's file has
        the old name: that one stays, and what has the new name is not ours either."""
        old = joined(self._folder, replaced.href)
        if (there := self._reading.entry(old)) is None:
            return True
        if self._is_strange(item, replaced, there, old):
            return False
        self.move(old, new)
        return True

    def _is_strange(self, item: Item, replaced: Stored, there: PropfindEntry, path: str) -> bool:
        """Neither the version that was written, nor its bytes, nor those of a write that nobody settled."""
        if there.folder:
            return True
        if not replaced.version or etag(replaced.version) == there.etag:
            return False
        return self._reading.digest(path) not in {replaced.digest, item.digest}

    def _round(self, item: Item, aim: Aim, patience: RetryPolicy) -> Aim | Stored | Sent:
        """Sends until there is an answer that counts; what to do next, or what the server says it stored."""
        faults = 0
        sure = self._means.profile.conditional and not self._is_large(item)
        while True:
            try:
                sent = self._sent(item, aim)
                faults += sent.answer.status == 500
                if sent.answer.status == 500 and faults >= FAULTS_500:
                    return self._after_500(item, aim, sent.answer)
                if passing(sent.answer).ok:
                    return sent
            except Transient as error:
                patience.pause(error)
                if not sure or error.code in {*UNKNOWN, "server-error"}:
                    found = self.look(item, aim.path, ours=aim.match is not None)
                    if isinstance(found, Stored):
                        return found
                    aim = found
                continue
            return self._refused(item, aim, sent)

    def _sent(self, item: Item, aim: Aim) -> Sent:
        means = self._means
        if means.chunks is not None and item.size > means.chunk_above:
            return means.chunks.send(item, aim)
        if item.size >= ROOM_ABOVE:
            means.room.take(item.size)  # else a server says that there is none when all has been sent
        if means.profile.atomic:
            return means.put.send(item, aim)
        beside = joined(self._folder, staged(item.key, str(item.name)))
        sent = means.put.stage(item, beside)
        if not passing(sent.answer).ok:
            return sent
        answer = means.put.place(beside, aim)
        if not passing(answer).ok:
            means.library.delete(beside)
        return replace(sent, answer=answer, etag="")

    def _refused(self, item: Item, aim: Aim, sent: Sent) -> Aim | Stored:
        status = sent.answer.status
        if status == 412 or (status in GONE and self._is_large(item)):
            # it is there although it was to be new, or is not as it was; or an upload was put together before
            return self.look(item, aim.path, ours=aim.match is not None)
        if is_missing(status) or status == 403:
            self._must_take_writes()
        if is_missing(status) or status == 405:
            self.look(item, aim.path, ours=aim.match is not None)  # a folder may have the name
            error = Rejected("refused-by-target", f"the server answered HTTP {status}")
            raise error.about(f"HTTP {status}").said(sent.answer.words)
        raise (refusal(status) or sent.answer.error()).said(sent.answer.words)

    def _is_large(self, item: Item) -> bool:
        return self._means.chunks is not None and item.size > self._means.chunk_above

    def _must_take_writes(self) -> None:
        """What is wrong with the folder is not the file's fault."""
        folder = self._reading.entry(self._folder)
        if folder is None:
            raise Blocked("container-missing", "a folder is no longer there")
        if folder.writable is False:
            raise Blocked("no-permission", "the account may not write into a folder")

    def _after_500(self, item: Item, aim: Aim, answer: HttpAnswer) -> Aim | Stored:
        """The file itself, or a server that is ill: then it is not the file's fault."""
        there = self.look(item, aim.path, ours=aim.match is not None)
        if isinstance(there, Stored):
            return there
        self._must_take_writes()
        error = Rejected("refused-by-target", "the server answered HTTP 500").about("HTTP 500")
        raise error.said(answer.words)

    def _bad(self, item: Item, aim: Aim, sent: Sent, times: int) -> Aim:
        """The server stored something else. While that is there, and not what somebody made of it, it is
        written again, or taken away where it was new."""
        match = sent.etag or self._etag_of(aim.path, sent.digest)
        if match and times < BAD_MOST:
            return Aim(aim.path, match)
        if match and item.replaces is None:
            self._means.tree.guard()
            passing(self._means.library.delete(aim.path, match))
        raise Rejected("hash-mismatch", "the target stores something else than was sent")

    def _etag_of(self, path: str, digest: bytes | None) -> str:
        """Of what has these bytes; "" where something else is, or no server tells."""
        entry = self._reading.entry(path)
        return entry.etag if entry is not None and self._reading.digest(path) == digest else ""
