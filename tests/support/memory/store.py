"""A target store held in memory, with the habits of Dovecot 2.4: UIDs, normalised bytes, quota, keywords.

The state outlives every connector over it. Its methods are what users, administrators and the server
itself do behind a migration's back.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mappings.mail.digest import CanonicalReader, canonical
from model.protocols import Role

Path = tuple[str, ...]
Snapshot = Counter[tuple[Path, bytes, frozenset[str], datetime]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """In whole seconds, as INTERNALDATE has them."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(slots=True)
class StoredMessage:
    raw: bytes
    flags: frozenset[str]
    date: datetime


@dataclass(slots=True)
class StoredFolder:
    """keywords: lower case -> the form seen first, which is the one kept."""

    uidvalidity: int
    role: Role | None = None
    uidnext: int = 1
    messages: dict[int, StoredMessage] = field(default_factory=dict)
    keywords: dict[str, str] = field(default_factory=dict)

    def state(self, *, deaf: bool) -> str:
        """As a server with modification sequences. deaf: as one whose sequences stand still."""
        messages = [] if deaf else sorted(self.messages.items())
        beside = [(uid, sorted(one.flags), one.date) for uid, one in messages]
        return f"{self.uidvalidity}:{self.uidnext}:{len(self.messages)}:{beside}"


@dataclass(slots=True)
class MemoryStore:
    """atomic     a batch is stored whole or not at all (MULTIAPPEND); else message by message
    batch      messages of one batch
    late       writes do not land: they wait in flight, the reply is lost, and land() stores them
    stubborn   a message whose date it never keeps
    quota      bytes of the whole store
    now        its clock: what is dated later is dated so
    states     whether its folders state what changed in them (Container.state)
    deaf       these states say nothing of flags
    has_labels whether there is a place for the label map
    """

    id: str = "target-1"
    addresses: frozenset[str] = frozenset()
    atomic: bool = True
    batch: int = 5
    late: bool = False
    keywords: bool = True
    has_labels: bool = True
    stubborn: bytes = b""
    quota: int | None = None
    max_bytes: int | None = None
    separator: str = "/"
    states: bool = True
    deaf: bool = False
    now: Callable[[], datetime] = utc_now
    folders: dict[Path, StoredFolder] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    mark: str | None = None
    in_flight: list[tuple[Path, StoredMessage]] = field(default_factory=list)
    _validity: int = 1000

    def __post_init__(self) -> None:
        if ("INBOX",) not in self.folders:
            self.create(("INBOX",), Role.INBOX)

    def create(self, path: Path, role: Role | None = None) -> StoredFolder:
        """A new folder; one re-created under an old name has another UIDVALIDITY."""
        self._validity += 1
        return self.folders.setdefault(path, StoredFolder(self._validity, role))

    def append(self, path: Path, raw: bytes, flags: frozenset[str], date: datetime | None) -> int:
        """Stores one message as Dovecot would, whatever the quota says. Returns its UID."""
        folder = self.folders[path]
        uid, folder.uidnext = folder.uidnext, folder.uidnext + 1
        folder.messages[uid] = StoredMessage(
            normal(raw), self.kept(folder, flags), self._dated(None if raw == self.stubborn else date)
        )
        return uid

    def land(self) -> int:
        """What was in flight arrives after all, long after its sender was given up."""
        waiting, self.in_flight = self.in_flight, []
        for path, message in waiting:
            if path in self.folders:
                self.append(path, message.raw, message.flags, message.date)
        return len(waiting)

    def used(self) -> int:
        return sum(len(m.raw) for folder in self.folders.values() for m in folder.messages.values())

    def kept(self, folder: StoredFolder, flags: frozenset[str]) -> frozenset[str]:
        """The flags as this server shows them: no keywords if it has none, else in their first form."""
        system = {flag for flag in flags if flag.startswith("\\")}
        if not self.keywords:
            return frozenset(system)
        words = (flag for flag in flags if not flag.startswith("\\"))
        return frozenset(system | {folder.keywords.setdefault(word.lower(), word) for word in words})

    def renumber(self, path: Path) -> None:
        """A new UIDVALIDITY, and every message under a new UID: a rebuilt index, a restored backup."""
        folder = self.folders[path]
        self._validity += 1
        folder.uidvalidity = self._validity
        renumbered = enumerate(reversed(folder.messages.values()), 1)
        folder.messages = dict(renumbered)
        folder.uidnext = len(folder.messages) + 1

    def alter(self, path: Path, uid: int, raw: bytes) -> None:
        """What no client can do and a broken disk can: other bytes under the same UID."""
        self.folders[path].messages[uid].raw = raw

    def move(self, path: Path, uid: int, to: Path) -> int:
        message = self.folders[path].messages.pop(uid)
        return self.append(to, message.raw, message.flags, message.date)

    def duplicate(self, path: Path, uid: int) -> int:
        message = self.folders[path].messages[uid]
        return self.append(path, message.raw, message.flags, message.date)

    def snapshot(self) -> Snapshot:
        """What "the same target" means: folder, digest, flags and date of every message."""
        return Counter(
            (path, canonical(io.BytesIO(message.raw)).digest, message.flags, message.date)
            for path, folder in self.folders.items()
            for message in folder.messages.values()
        )

    def _dated(self, date: datetime | None) -> datetime:
        now = self.now()
        return now if date is None or date > now else max(date, EPOCH)


def normal(raw: bytes) -> bytes:
    """The bytes as Dovecot keeps them: CRLF line ends, NUL as 0x80."""
    return b"".join(CanonicalReader(io.BytesIO(raw)))
