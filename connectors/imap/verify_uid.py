"""What lies under the numbers of messages that are about to be changed or removed: still what was written?

A server that was restored from a copy keeps its UIDVALIDITY, and gives numbers again that the ledger knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from connectors.imap.connection import Parts, compact, fetched, number
from connectors.imap.dates import date_of
from connectors.imap.fetch import MessageReader, flags_of, uid_of
from connectors.imap.session import Session
from model.errors import MigrationError, Rejected
from model.protocols import Stored

SEEN = b"UID FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
ENOUGH = 2
"""Of size, date and Message-ID, so many say that it is the same message, unless the last says no. Of a
message that was written without a Message-ID the date alone says so, for a server may add what it lacks."""


@dataclass(frozen=True, slots=True)
class Judge:
    """How a message is known. digest: as Item.digest, of its bytes. mark: as Stored.mid, of its header; None:
    it has none."""

    digest: Callable[[BinaryIO], bytes]
    mark: Callable[[bytes], int | None]


@dataclass(frozen=True, slots=True)
class MessageMetadata:
    """One message as the server describes it. date: in seconds since 1970 UTC."""

    flags: frozenset[str]
    size: int | None
    date: int | None
    header: bytes


def read_metadata(session: Session, uids: list[int]) -> dict[int, MessageMetadata]:
    """Those that are there, of the mailbox that is open."""
    found: dict[int, MessageMetadata] = {}
    asked = set(uids)

    def note(parts: Parts) -> None:
        entry = fetched(parts)
        if entry is None or b"FLAGS" not in entry or uid_of(entry) not in asked:
            return
        uid, flags = uid_of(entry), flags_of(entry)
        if uid in found and b"RFC822.SIZE" not in entry:  # nobody asked for it: somebody changed its flags
            found[uid] = replace(found[uid], flags=flags)
            return
        date = date_of(entry.get(b"INTERNALDATE"))
        header = next((value for name, value in entry.items() if name.startswith(b"BODY[HEADER")), None)
        found[uid] = MessageMetadata(
            flags,
            number(entry.get(b"RFC822.SIZE")),
            None if date is None else int(date.timestamp() // 1),
            header if isinstance(header, bytes) else b"",
        )

    if uids:
        session.done(b"NOOP")
        session.done(b"UID FETCH %s (%s)" % (compact(uids), SEEN), note)
    return found


@dataclass(frozen=True, slots=True)
class Looker:
    """For one mailbox of one account (name: its encoded name)."""

    session: Session
    name: bytes
    uidvalidity: int
    spool: Path
    judge: Judge | None

    def others(
        self, found: Mapping[int, MessageMetadata], expected: Mapping[int, Iterable[Stored]]
    ) -> set[int]:
        """The UIDs under which something lies that is not what was written. What size, date and Message-ID do
        not decide is read. What the caller knows nothing about is not looked at. Raises what reading does."""
        doubted = {
            uid: [one for one in expected[uid] if not self._is_known(one, message)]
            for uid, message in found.items()
        }
        unsure = {uid: stored for uid, stored in doubted.items() if stored}
        if not unsure:
            return set()
        digests = self._digests(unsure)
        return {
            uid for uid, stored in unsure.items() if any(one.digest != digests.get(uid) for one in stored)
        }

    def _is_known(self, stored: Stored, message: MessageMetadata) -> bool:
        if not stored.digest:
            return True
        if stored.mid is None and stored.date is not None and stored.date == message.date:
            return True
        mark = self.judge.mark(message.header) if self.judge is not None else None
        pairs = [(stored.size, message.size), (stored.date, message.date), (stored.mid, mark)]
        same = [one == other for one, other in pairs if one is not None and other is not None]
        renamed = self.judge is not None and stored.mid is not None and mark != stored.mid
        return sum(same) >= ENOUGH and not renamed

    def _digests(self, uids: Iterable[int]) -> dict[int, bytes]:
        """Of what can be read: what cannot is nothing that we know."""
        digests: dict[int, bytes] = {}
        if self.judge is None:
            return digests
        reader = MessageReader(self.session, self.name, self.uidvalidity, self.spool)
        for uid, record in reader.read((uid, None) for uid in uids):
            if isinstance(record, MigrationError):
                if not isinstance(record, Rejected):
                    raise record
            elif record.body is not None:
                with record.body() as stream:
                    digests[uid] = self.judge.digest(stream)
        return digests
