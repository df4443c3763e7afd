"""The folders of an account: what is there, what is made, renamed and dated.

A folder's href is the names from the root of the target down to it, each after a slash; the root's is "".
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
from model.protocols import Container, Guard, Kind, Loss, Role

Names = tuple[str, ...]
NOT_DATED = Loss("folder-date", "not-kept")
CLAMPED = Loss("modified", "before-1970")
DEEPEST = 300
"""Of folders that are walked one by one: what is as deep is told, and not looked into."""

COPIES = 2


def names_of(href: str) -> Names:
    return tuple(href.split("/")[1:])


def href_of(names: Names) -> str:
    return "".join(f"/{name}" for name in names)


@dataclass(slots=True)
class KnownFolders:
    """Folders known to exist, and those of them that this session made, by href."""

    there: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)

    def forget(self, href: str) -> None:
        """It, and everything below."""
        for hrefs in (self.there, self.made):
            hrefs -= {one for one in hrefs if one == href or one.startswith(f"{href}/")}


class FolderTree:
    """Not safe from several threads: folders are made one after the other, parents first."""

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
        """The canonical path of a folder."""
        return self._home.files + "".join(f"{quoted(name)}/" for name in self._home.folder + names_of(href))

    def was_made(self, href: str) -> bool:
        """Whether this session made it: then nobody else has put anything there."""
        return href in self._known.made

    def leftovers(self) -> frozenset[tuple[str, str, bytes]]:
        """See model.optional_protocols.SupportsLeftovers."""
        return frozenset(self._leftovers)

    def containers(self) -> Iterator[Container]:
        """The root first, parents before children; shared: somebody else's."""
        self._leftovers.clear()
        yield Container(Kind.FILES, "", ("",), Role.FILES)
        if not self._has_root():
            return
        self._known.there.add("")
        walk = self._everything() if self._profile.deep else self._walked()
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
        """The files in a folder; what is somebody else's or half written is none of it."""
        unasked = self._home.named and self._lent is None
        if (not href or unasked) and not self._has_root():
            return
        for entry in self._reading.listed(self.path(href)):
            here = len(entry.names) == 1 and not entry.folder and not self._is_foreign(entry)
            if here and STAGED.fullmatch(entry.names[0]) is None:
                yield entry

    def taken(self, href: str) -> Iterator[str]:
        """See model.optional_protocols.SupportsFileNames."""
        if href or self._has_root():
            for entry in self._reading.listed(self.path(href)):
                if len(entry.names) == 1:
                    yield entry.names[0]

    def clear(self, href: str) -> bool:
        """See model.optional_protocols.RemovesContainers. The root stays, and what is somebody else's; what
        was half written beside its place goes with the folder."""
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
        answer = self._sent(lambda: self._library.delete(self.path(href)))
        self._known.forget(href)
        return answer.ok or answer.status in GONE

    def ensure(self, container: Container) -> str:
        """Raises Rejected("name-not-allowed", "name-taken"), Blocked("no-permission")."""
        names = _below_root(container.path)
        for name in names:
            check(name, self._names())
        self.guard()
        self._made_root()
        for depth in range(1, len(names) + 1):
            self._made(href_of(names[:depth]))
        return href_of(names)

    def rename(self, href: str, container: Container) -> str:
        """Raises Rejected("name-not-allowed", "name-taken")."""
        names = _below_root(container.path)
        for name in names:
            check(name, self._names())
        self.guard()
        new = href_of(names)
        if new == href:
            return href
        for depth in range(1, len(names)):
            self._made(href_of(names[:depth]))
        old_path, new_path = self.path(href), self.path(new)
        answer = self._sent(lambda: self._library.move(old_path, new_path))
        self._known.forget(href)
        if answer.status in GONE or answer.status == 412:
            self._moved_before(old_path, new_path)
        elif not answer.ok:
            raise _refused(answer)
        self._known.there.add(new)
        return new

    def stamp(self, href: str, modified: datetime) -> tuple[Loss, ...]:
        """See model.optional_protocols.SupportsContainerDates."""
        self.guard()
        losses = (CLAMPED,) if modified.timestamp() < self._profile.oldest else ()
        if self._dated(self.path(href), modified):
            return losses
        return (NOT_DATED,)

    def date_file(self, path: str, modified: datetime) -> bool:
        """Sets a file's date, and whether it has it; where the server refused once, it is not asked again."""
        if self._dates_files:
            self.guard()
            self._dates_files = self._dated(path, modified)
        return self._dates_files

    # -- internals

    def _has_root(self) -> bool:
        """A group folder, or one that somebody shares, is a root where a row names it: all below it looks
        shared, too, and is none the less the mailbox's."""
        root = self._reading.entry(self.path(""))
        if root is not None:
            self._lent = root.shared and self._home.named
        return root is not None

    def _is_foreign(self, entry: PropfindEntry) -> bool:
        return entry.shared and not self._lent

    def _everything(self) -> Iterator[tuple[Names, PropfindEntry]]:
        shared: set[Names] = set()
        for entry in self._reading.listed(self.path(""), "infinity", FOLDERS):
            if entry.folder and entry.names and entry.names[:-1] not in shared:
                shared |= {entry.names} if self._is_foreign(entry) else set()
                yield entry.names, entry
            elif entry.names[:-1] in shared:
                shared.add(entry.names)
            else:
                self._note(entry.names, entry)

    def _walked(self) -> Iterator[tuple[Names, PropfindEntry]]:
        """Links may lead back up. A folder that holds, to the second, what two above it hold, several folders
        among it, is not looked into: there is no end to the ways through two such links."""
        waiting: deque[tuple[Names, tuple[int, ...]]] = deque([((), ())])
        while waiting:
            names, above = waiting.popleft()
            folders, mark = self._inside(names)
            if len(folders) > 1 and above.count(mark) >= COPIES and all(one.modified for one in folders):
                continue
            for entry in folders:
                below = (*names, *entry.names)
                if not self._is_foreign(entry) and not _is_deep(below):
                    waiting.append((below, (*above, mark)))
                yield below, entry

    def _inside(self, names: Names) -> tuple[list[PropfindEntry], int]:
        """The folders in one, and what is the same for folders that hold the same."""
        folders, mark = [], 0
        for entry in self._reading.listed(self.path(href_of(names)), "1", FOLDERS):
            if len(entry.names) == 1:
                mark ^= hash((entry.names, entry.folder, entry.modified))
                folders += [entry] if entry.folder else []
                self._note((*names, *entry.names), entry)
        return folders, mark

    def _note(self, names: Names, entry: PropfindEntry) -> None:
        staged = STAGED.fullmatch(names[-1]) if names and not entry.folder else None
        if staged is not None and not self._is_foreign(entry):
            self._leftovers.add((href_of(names[:-1]), names[-1], bytes.fromhex(staged[1])))

    def _made_root(self) -> None:
        if "" in self._known.there:
            return
        path = self._home.files
        for name in self._home.folder:
            path += f"{quoted(name)}/"
            self._make(path, lent=self._home.named)
        self._has_root()
        self._known.there.add("")

    def _made(self, href: str) -> None:
        if href in self._known.there:
            return
        if self._make(self.path(href)):
            self._known.made.add(href)
        self._known.there.add(href)

    def _make(self, path: str, *, lent: bool = False) -> bool:
        """Whether it was made now. After a lost answer that is not known: what is there may be somebody's."""
        answer = self._sent(lambda: self._library.mkdir(path))
        if answer.ok:
            return True
        if answer.status not in {405, 409, 403}:
            raise _refused(answer)
        there = self._reading.entry(path)
        if there is not None and not there.folder:
            raise Rejected("name-taken", "a file has the folder's name")
        if there is None:
            raise _refused(answer)
        if there.shared and not (lent or self._lent):
            raise Blocked(
                "no-permission", "a folder of that name is somebody else's, shared with the account"
            )
        return False

    def _sent(self, attempt: Callable[[], HttpAnswer]) -> HttpAnswer:
        """The answer that counts. What was done although its answer was lost is refused the next time."""

        def guarded() -> HttpAnswer:
            self.guard()
            return passing(attempt())

        return self._client.patiently(guarded)

    def _moved_before(self, old: str, new: str) -> None:
        if self._reading.entry(new) is None:
            raise Blocked("container-missing", "a folder is no longer there")
        if self._reading.entry(old) is not None:
            raise Rejected("name-taken", "another folder has its name")

    def _dated(self, path: str, modified: datetime) -> bool:
        how = self._profile.dates
        if not how:
            return False
        stamp = seconds(modified, self._profile.oldest)
        text = str(stamp) if how == "seconds" else format_datetime(moment(stamp), usegmt=True)
        name = "lastmodified" if how == "seconds" else "getlastmodified"

        answer = self._sent(lambda: self._library.set_property(path, name, text))
        return answer.status == 200 or (answer.status == 207 and b" 200 " in answer.body)


def _is_deep(names: Names) -> bool:
    return len(names) >= DEEPEST


def _below_root(path: Names) -> Names:
    return path[1:] if path[:1] == ("",) else path


def _refused(answer: HttpAnswer) -> MigrationError:
    return _error_of(answer).said(answer.words)


def _error_of(answer: HttpAnswer) -> MigrationError:
    if answer.status in {405, 412}:
        return Rejected("name-taken", "something else has the folder's name")
    if answer.status in {400, 414, 422}:
        return Rejected("name-not-allowed", "the server does not take the folder's name")
    if answer.status == 409:
        return Blocked("container-missing", "a folder's parent is not there")
    return answer.error()
