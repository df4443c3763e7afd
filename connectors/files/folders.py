"""List, create, rename, date and remove the folders of an account.

A folder's href is the names from the root of the target down to it, each after a slash; the root's href is
"".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

from connectors.http.client import HttpAnswer, HttpClient
from connectors.http.dav_errors import GONE
from connectors.http.hrefs import quoted
from connectors.webdav.account import Home
from connectors.webdav.client import moment, passing, seconds
from connectors.webdav.names import STAGED, check
from connectors.webdav.product import FilesProfile
from connectors.webdav.propfind import FOLDERS, PropfindEntry
from connectors.webdav.read import WebdavReader
from connectors.webdav.verbs import WebdavLibrary
from model.errors import Blocked, MigrationError, Rejected
from model.file_names import FileNames
from model.kinds import Kind
from model.protocols import Container, Guard, Loss, Role

Names = tuple[str, ...]
NOT_DATED = Loss("folder-date", "not-kept")
CLAMPED = Loss("modified", "before-1970")
DEEPEST = 300
"""Levels of folders that are walked one by one: a folder at this depth is reported, but not entered."""

COPIES = 2


def names_of(href: str) -> Names:
    """Return the names of an href."""
    return tuple(href.split("/")[1:])


def href_of(names: Names) -> str:
    """Return the href of a folder."""
    return "".join(f"/{name}" for name in names)


@dataclass(slots=True)
class KnownFolders:
    """Hold the folders that exist, by href.

    Attributes:
        there: folders known to exist.
        made: those of them that this session created.
    """

    there: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)

    def forget(self, href: str) -> None:
        """Forget a folder and everything below it."""
        for hrefs in (self.there, self.made):
            hrefs -= {known for known in hrefs if known == href or known.startswith(f"{href}/")}


class FolderTree:
    """Manage the folders of an account. Not safe from several threads: parents are created first."""

    def __init__(
        self,
        client: HttpClient,
        library: WebdavLibrary,
        reading: WebdavReader,
        home: Home,
        profile: FilesProfile,
        names: Callable[[], FileNames],
        guard: Guard,
    ) -> None:
        """Prepare; the server is asked on first use.

        Args:
            client: the HTTP client.
            library: runs the plain verbs.
            reading: reads from the server.
            home: the account's paths.
            profile: the product.
            names: returns the rules for names.
            guard: the write fence; called before each change.
        """
        self._client = client
        self._library = library
        self._reading = reading
        self._home = home
        self._profile = profile
        self._names = names
        self.guard = guard
        self._known = KnownFolders()
        self._dates_files = True
        self._lent: bool | None = None
        self._leftovers: set[tuple[str, str, bytes]] = set()

    def path(self, href: str) -> str:
        """Return the canonical path of a folder."""
        return self._home.files + "".join(f"{quoted(name)}/" for name in self._home.folder + names_of(href))

    def was_made(self, href: str) -> bool:
        """Return True if this session created a folder, so that no other client has put anything there."""
        return href in self._known.made

    def leftovers(self) -> frozenset[tuple[str, str, bytes]]:
        """Return half-written files; see `model.optional_protocols.SupportsLeftovers`."""
        return frozenset(self._leftovers)

    def containers(self) -> Iterator[Container]:
        """List the folders, the root first, parents before children.

        Folders of other people have `omit` "shared".

        Raises:
            Blocked, Transient: the server refuses, or the listing broke off.
        """
        self._leftovers.clear()
        yield Container(Kind.FILES, "", ("",), Role.FILES)
        if not self._has_root():
            return
        self._known.there.add("")
        walk = self._everything() if self._profile.deep else self._walk()
        for names, entry in walk:
            href = href_of(names)
            if not self._is_foreign(entry):
                self._known.there.add(href)
            yield Container(
                kind=Kind.FILES,
                id=href,
                path=("", *names),
                omit="shared" if self._is_foreign(entry) else "unreachable" if _is_deep(names) else None,
                readonly=entry.writable is False,
                modified=entry.modified,
            )

    def files(self, href: str) -> Iterator[PropfindEntry]:
        """Yield the files in a folder, without those of other people and half-written ones.

        Raises:
            Blocked: "container-missing".
        """
        unasked = self._home.named and self._lent is None
        if (not href or unasked) and not self._has_root():
            return
        for entry in self._reading.listed(self.path(href)):
            is_own_file = len(entry.names) == 1 and not entry.folder and not self._is_foreign(entry)
            if is_own_file and STAGED.fullmatch(entry.names[0]) is None:
                yield entry

    def taken(self, href: str) -> Iterator[str]:
        """Yield every name in a folder; see `model.optional_protocols.SupportsFileNames`."""
        if href or self._has_root():
            for entry in self._reading.listed(self.path(href)):
                if len(entry.names) == 1:
                    yield entry.names[0]

    def clear(self, href: str) -> bool:
        """Remove an empty folder; see `model.optional_protocols.RemovesContainers`.

        The root stays, and folders of other people. Half-written files are removed with the folder.
        """
        if not href:
            return False
        try:
            if any(STAGED.fullmatch(name) is None for name in self.taken(href)):
                return False
        except Blocked as error:
            if error.code != "container-missing":
                raise
            return True
        entry = self._reading.entry(self.path(href))
        if entry is not None and self._is_foreign(entry):
            return False
        self.guard()
        answer = self._send(lambda: self._library.delete(self.path(href)))
        self._known.forget(href)
        return answer.ok or answer.status in GONE

    def ensure(self, container: Container) -> str:
        """Create a folder and its parents unless they exist; idempotent; return its href.

        Raises:
            Rejected: "name-not-allowed", "name-taken".
            Blocked: "no-permission".
            LeaseLost: the guard refuses.
        """
        names = _below_root(container.path)
        for name in names:
            check(name, self._names())
        self.guard()
        self._ensure_root()
        for depth in range(1, len(names) + 1):
            self._ensure_one(href_of(names[:depth]))
        return href_of(names)

    def rename(self, href: str, container: Container) -> str:
        """Rename or move a folder; idempotent; return its new href.

        Args:
            href: the folder.
            container: its new path.

        Raises:
            Rejected: "name-not-allowed", "name-taken".
            Blocked: "container-missing".
            LeaseLost: the guard refuses.
        """
        names = _below_root(container.path)
        for name in names:
            check(name, self._names())
        self.guard()
        new = href_of(names)
        if new == href:
            return href
        for depth in range(1, len(names)):
            self._ensure_one(href_of(names[:depth]))
        old_path, new_path = self.path(href), self.path(new)
        answer = self._send(lambda: self._library.move(old_path, new_path))
        self._known.forget(href)
        if answer.status in GONE or answer.status == 412:
            self._check_moved(old_path, new_path)
        elif not answer.ok:
            raise _refusal_of(answer)
        self._known.there.add(new)
        return new

    def stamp(self, href: str, modified: datetime) -> tuple[Loss, ...]:
        """Set a folder's date; see `model.optional_protocols.SupportsContainerDates`."""
        self.guard()
        losses = (CLAMPED,) if modified.timestamp() < self._profile.oldest else ()
        if self._set_date(self.path(href), modified):
            return losses
        return (NOT_DATED,)

    def date_file(self, path: str, modified: datetime) -> bool:
        """Set a file's date; idempotent. After one refusal it is not tried again.

        Args:
            path: the canonical path of the file.
            modified: the date.

        Returns:
            True if the file has the date.

        Raises:
            LeaseLost: the guard refuses.
        """
        if self._dates_files:
            self.guard()
            self._dates_files = self._set_date(path, modified)
        return self._dates_files

    # -- internals

    def _has_root(self) -> bool:
        """Return True if the target's root exists.

        A group folder, or one that a person shares, is a root where a row of mailboxes.csv names it:
        everything below it looks shared, too, and still belongs to the mailbox. A root that this session has
        seen is not asked about again: if it goes meanwhile, its listing fails as that of any folder.
        """
        if self._lent is not None:
            return True
        root = self._reading.entry(self.path(""))
        if root is not None:
            self._lent = root.shared and self._home.named
        return root is not None

    def _is_foreign(self, entry: PropfindEntry) -> bool:
        return entry.shared and not self._lent

    def _everything(self) -> Iterator[tuple[Names, PropfindEntry]]:
        """Yield all folders from one listing."""
        shared: set[Names] = set()
        for entry in self._reading.listed(self.path(""), "infinity", FOLDERS):
            if entry.folder and entry.names and entry.names[:-1] not in shared:
                shared |= {entry.names} if self._is_foreign(entry) else set()
                yield entry.names, entry
            elif entry.names[:-1] in shared:
                shared.add(entry.names)
            else:
                self._note(entry.names, entry)

    def _walk(self) -> Iterator[tuple[Names, PropfindEntry]]:
        """Yield all folders, listing one folder at a time.

        Links may lead back up. A folder whose content equals, to the second, that of two folders above it,
        with several subfolders, is not entered: the paths through two such links have no end.
        """
        waiting: deque[tuple[Names, tuple[int, ...]]] = deque([((), ())])
        while waiting:
            names, above = waiting.popleft()
            folders, mark = self._list_folder(names)
            if len(folders) > 1 and above.count(mark) >= COPIES and all(child.modified for child in folders):
                continue
            for entry in folders:
                below = (*names, *entry.names)
                if not self._is_foreign(entry) and not _is_deep(below):
                    waiting.append((below, (*above, mark)))
                yield below, entry

    def _list_folder(self, names: Names) -> tuple[list[PropfindEntry], int]:
        """Return the folders in a folder, and a mark that is equal for folders with the same content."""
        folders, mark = [], 0
        for entry in self._reading.listed(self.path(href_of(names)), "1", FOLDERS):
            if len(entry.names) == 1:
                mark ^= hash((entry.names, entry.folder, entry.modified))
                folders += [entry] if entry.folder else []
                self._note((*names, *entry.names), entry)
        return folders, mark

    def _note(self, names: Names, entry: PropfindEntry) -> None:
        """Remember a half-written file."""
        staged = STAGED.fullmatch(names[-1]) if names and not entry.folder else None
        if staged is not None and not self._is_foreign(entry):
            self._leftovers.add((href_of(names[:-1]), names[-1], bytes.fromhex(staged[1])))

    def _ensure_root(self) -> None:
        if "" in self._known.there:
            return
        path = self._home.files
        for name in self._home.folder:
            path += f"{quoted(name)}/"
            self._make(path, lent=self._home.named)
        self._has_root()
        self._known.there.add("")

    def _ensure_one(self, href: str) -> None:
        if href in self._known.there:
            return
        if self._make(self.path(href)):
            self._known.made.add(href)
        self._known.there.add(href)

    def _make(self, path: str, *, lent: bool = False) -> bool:
        """Create a folder; return True if this request created it.

        After a lost answer the result is False, because the folder may belong to another client.
        """
        answer = self._send(lambda: self._library.mkdir(path))
        if answer.ok:
            return True
        if answer.status not in {405, 409, 403}:
            raise _refusal_of(answer)
        entry = self._reading.entry(path)
        if entry is not None and not entry.folder:
            raise Rejected("name-taken", "a file has the folder's name")
        if entry is None:
            raise _refusal_of(answer)
        if entry.shared and not (lent or self._lent):
            raise Blocked(
                "no-permission", "a folder of that name is somebody else's, shared with the account"
            )
        return False

    def _send(self, attempt: Callable[[], HttpAnswer]) -> HttpAnswer:
        """Repeat a change until an answer counts; a repeated change may be refused because it succeeded."""

        def guarded() -> HttpAnswer:
            self.guard()
            return passing(attempt())

        return self._client.patiently(guarded)

    def _check_moved(self, old: str, new: str) -> None:
        """Check that an earlier attempt moved the folder."""
        if self._reading.entry(new) is None:
            raise Blocked("container-missing", "a folder is no longer there")
        if self._reading.entry(old) is not None:
            raise Rejected("name-taken", "another folder has its name")

    def _set_date(self, path: str, modified: datetime) -> bool:
        """Set a date with PROPPATCH; return True if the server took it."""
        how = self._profile.dates
        if not how:
            return False
        stamp = seconds(modified, self._profile.oldest)
        text = str(stamp) if how == "seconds" else format_datetime(moment(stamp), usegmt=True)
        name = "lastmodified" if how == "seconds" else "getlastmodified"

        answer = self._send(lambda: self._library.set_property(path, name, text))
        return answer.status == 200 or (answer.status == 207 and b" 200 " in answer.body)


def _is_deep(names: Names) -> bool:
    return len(names) >= DEEPEST


def _below_root(path: Names) -> Names:
    return path[1:] if path[:1] == ("",) else path


def _refusal_of(answer: HttpAnswer) -> MigrationError:
    return _error_of(answer).quoting(answer.words)


def _error_of(answer: HttpAnswer) -> MigrationError:
    if answer.status in {405, 412}:
        return Rejected("name-taken", "something else has the folder's name")
    if answer.status in {400, 414, 422}:
        return Rejected("name-not-allowed", "the server does not take the folder's name")
    if answer.status == 409:
        return Blocked("container-missing", "a folder's parent is not there")
    return answer.error()
