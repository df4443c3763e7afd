"""Write one file with a conditional request; compare the SHA-256 when it failed or its reply was lost.

A different file under the same name is never overwritten, unless the item says that it replaces it
(Item.replaces), and then only in staging.
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
from connectors.http.suspects import FAULT, PutAside, SuspectedError, Suspects, Suspicion
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

ROUNDS = 8  # attempts to send and look, for one file
ROOM_ABOVE = 10_000_000  # bytes; for larger files the free space is checked first
UNDATED = Loss("modified", "not-kept")
BAD_MOST = 3  # answers with another hash than was sent before the file is refused


@dataclass(frozen=True, slots=True)
class UploadMeans:
    """Hold what a writer works with.

    Attributes:
        client: the HTTP client.
        library: runs the plain verbs.
        reading: reads from the server.
        tree: the folders.
        put: sends files in one request.
        chunks: sends large files in chunks; None where they are sent in one request.
        chunk_above: bytes; larger files go in chunks.
        profile: the product.
        names: returns the rules for names.
        room: the account's free space.
        suspects: the files at which the server failed.
    """

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
    suspects: Suspects


class FileWriter:
    """Write the files of one folder.

    `write` may run in several threads, for files of different names.
    """

    def __init__(self, means: UploadMeans, folder: str, *, live: bool) -> None:
        """Prepare the writer.

        Args:
            means: what a writer works with.
            folder: the folder's path, which ends with a slash.
            live: True in the live phase: existing files stay.
        """
        self._means = means
        self._reading = means.reading
        self._folder = folder
        self._live = live

    def write(self, item: Item) -> Stored | Failed | PutAside:
        """Write one file; see `model.protocols.Target.write`. Idempotent.

        Returns:
            The result; or the file, if it is to be written again after the others.

        Raises:
            Transient: the outcome is unknown.
            Blocked: the account or the folder refuses.
            LeaseLost: the guard refuses.
        """
        try:
            check(item.name or "", self._means.names())
            return self.settled(item)
        except Rejected as error:
            return Failed(item.key, error)
        except SuspectedError:
            return PutAside(item)

    def settled(self, item: Item) -> Stored:
        """Write one file as `write` does, also under a temporary name.

        Raises:
            Rejected: for its own faults.
            SuspectedError: it is to be written again after the others; in addition to what `write` raises.
        """
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
                aim = self._after_mismatch(item, aim, sent, bad)
            else:
                aim = self._set_date(item, aim, sent)
        if isinstance(aim, Stored):
            return aim
        raise Rejected("changed-at-target", "something else writes to it all the time")

    def look(self, item: Item, path: str, *, ours: bool = False) -> Aim | Stored:
        """Decide by what is stored now.

        Args:
            item: the file.
            path: its path.
            ours: True if an existing file may be replaced, in staging.

        Returns:
            The result when the file is stored; else what to send.

        Raises:
            Rejected: "name-taken", "changed-at-target".
        """
        entry = self._reading.entry(path)
        if entry is None:
            if self._live and item.replaces is not None:
                raise Rejected("changed-at-target", "its user removed it")
            return Aim(path)
        if not entry.folder and entry.size == item.size and self._reading.digest(path) == item.digest:
            return self._fix_date(item, path, entry)
        if entry.folder or not ours:
            raise Rejected("name-taken", "something else at the target has its name")
        if self._live:
            raise Rejected("changed-at-target", "its user changed it, and it stays as it is")
        return Aim(path, entry.etag)

    def move(self, old: str, new: str) -> None:
        """Move a file, unless an earlier attempt moved it or it is gone. Idempotent.

        Args:
            old: the canonical path of the file.
            new: its new path, at which nothing may be.

        Raises:
            Rejected: "name-taken", or the server's refusal.
            Blocked: "server-refuses".
            Transient: the retries are used up; the file may have moved.
            LeaseLost: the guard refuses.
        """

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
            advice = f"the server answered HTTP {answer.status}"
            refused = refusal(answer.status) or Blocked("server-refuses", advice).about(
                f"HTTP {answer.status}"
            )
            raise refused.quoting(answer.words)

    # -- internals

    def _first(self, item: Item) -> Aim | Stored:
        """Return what to send first, or the result when the file is stored already."""
        old, path = item.replaces, self._path(item)
        if old is None:
            # a large file that exists already must not be sent only to be refused
            looks = self._is_large(item) or not self._means.profile.conditional
            return self.look(item, path) if looks else Aim(path)
        ours = not old.via
        if ours and not self._live and old.href != item.name:
            ours = self._move_renamed(item, old, path)
        outcome = self.look(item, path, ours=ours)
        return replace(outcome, via=old.via) if isinstance(outcome, Stored) else outcome

    def _path(self, item: Item) -> str:
        return joined(self._folder, str(item.name))

    def _fix_date(self, item: Item, path: str, entry: PropfindEntry) -> Stored:
        """Return the result for a file that has its bytes already; set its date when it differs."""
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

    def _set_date(self, item: Item, aim: Aim, sent: Sent) -> Stored:
        """Return the result for a file that was just written; set its date where the PUT could not."""
        stored = Stored(item.key, str(item.name), sent.etag)
        if item.date is None or sent.dated:
            return stored
        if self._means.tree.date_file(aim.path, item.date):
            return replace(stored, version="")
        return replace(stored, losses=(UNDATED,))

    def _move_renamed(self, item: Item, replaced: Stored, new: str) -> bool:
        """Move a file that has another name now; return False when the old name is another file's.

        In that case both files stay, because the one with the new name is not ours either.
        """
        old = joined(self._folder, replaced.href)
        if (entry := self._reading.entry(old)) is None:
            return True
        if self._is_strange(item, replaced, entry, old):
            return False
        self.move(old, new)
        return True

    def _is_strange(self, item: Item, replaced: Stored, entry: PropfindEntry, path: str) -> bool:
        """Return True for a file that is neither the written version nor has known bytes."""
        if entry.folder:
            return True
        if not replaced.version or etag(replaced.version) == entry.etag:
            return False
        return self._reading.digest(path) not in {replaced.digest, item.digest}

    def _round(self, item: Item, aim: Aim, patience: RetryPolicy) -> Aim | Stored | Sent:
        """Send until an answer counts; return what to send next, or what the server stored."""
        suspicion = self._means.suspects.of(
            item.key + item.digest, lambda: self._reading.is_well(self._folder)
        )
        sure = self._means.profile.conditional and not self._is_large(item)
        while True:
            try:
                suspicion.sending()
                sent = self._send(item, aim)
                if sent.answer.status == FAULT and suspicion.failed():
                    return self._after_500(item, aim, sent.answer, suspicion)
                if passing(sent.answer).ok:
                    suspicion.carried_out()
                    return sent
            except Transient as error:
                suspicion.pause(patience, error)
                if not sure or error.code in {*UNKNOWN, "server-error"}:
                    outcome = self.look(item, aim.path, ours=aim.match is not None)
                    if isinstance(outcome, Stored):
                        return outcome
                    aim = outcome
                continue
            return self._after_refusal(item, aim, sent)

    def _send(self, item: Item, aim: Aim) -> Sent:
        """Send a file: in chunks, directly, or beside its place and then moved."""
        means = self._means
        if means.chunks is not None and item.size > means.chunk_above:
            return means.chunks.send(item, aim)
        if item.size >= ROOM_ABOVE:
            means.room.take(item.size)  # without this the server refuses only after everything was sent
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

    def _after_refusal(self, item: Item, aim: Aim, sent: Sent) -> Aim | Stored:
        """Decide what a refusal means; return what to send next, or raise."""
        status = sent.answer.status
        if status == 412 or (status in GONE and self._is_large(item)):
            # it exists although it should be new, or it changed; or an earlier attempt assembled the upload
            return self.look(item, aim.path, ours=aim.match is not None)
        if is_missing(status) or status == 403:
            self._must_take_writes()
        if is_missing(status) or status == 405:
            self.look(item, aim.path, ours=aim.match is not None)  # a folder may have the name
            error = Rejected("refused-by-target", f"the server answered HTTP {status}")
            raise error.about(f"HTTP {status}").quoting(sent.answer.words)
        raise (refusal(status) or sent.answer.error()).quoting(sent.answer.words)

    def _is_large(self, item: Item) -> bool:
        return self._means.chunks is not None and item.size > self._means.chunk_above

    def _must_take_writes(self) -> None:
        """Check the folder, because its faults are not the file's."""
        folder = self._reading.entry(self._folder)
        if folder is None:
            raise Blocked("container-missing", "a folder is no longer there")
        if folder.writable is False:
            raise Blocked("no-permission", "the account may not write into a folder")

    def _after_500(self, item: Item, aim: Aim, answer: HttpAnswer, suspicion: Suspicion) -> Aim | Stored:
        """Decide what repeated 500s mean: the file itself, or a broken server."""
        outcome = self.look(item, aim.path, ours=aim.match is not None)
        if isinstance(outcome, Stored):
            return outcome
        self._must_take_writes()
        suspicion.judge(answer.words)
        raise answer.error()

    def _after_mismatch(self, item: Item, aim: Aim, sent: Sent, times: int) -> Aim:
        """Handle stored bytes that differ from what was sent.

        While they are there and nobody changed them, they are written again, or removed where the file was
        new.
        """
        match = sent.etag or self._etag_of(aim.path, sent.digest)
        if match and times < BAD_MOST:
            return Aim(aim.path, match)
        if match and item.replaces is None:
            self._means.tree.guard()
            passing(self._means.library.delete(aim.path, match))
        raise Rejected("hash-mismatch", "the target stores something else than was sent")

    def _etag_of(self, path: str, digest: bytes | None) -> str:
        """Return the ETag of a file that has these bytes; "" otherwise."""
        entry = self._reading.entry(path)
        return entry.etag if entry is not None and self._reading.digest(path) == digest else ""
