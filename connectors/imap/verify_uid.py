"""Check that the UIDs of messages that will be changed or removed still belong to what was written.

A server that was restored from a backup keeps its UIDVALIDITY and gives out UIDs again that the ledger knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from connectors.imap.dates import date_of
from connectors.imap.fetch import MessageReader, flags_of, uid_of
from connectors.imap.session import Session
from connectors.imap.wire.connection import Parts, compact, fetched, number
from model.errors import MigrationError, Rejected
from model.protocols import Stored

SEEN = b"UID FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
ENOUGH = 2
"""How many of size, date and Message-ID must agree for a message to be the same one without a look at its
content. The date must be one of them: whoever sends a mail chooses its size and its Message-ID, but not the
moment at which a server receives it. A different Message-ID always decides against it. For a message that was
written without one the date decides, because a server may add one."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Recognize a message.

    Attributes:
        digest: returns the digest of a message's bytes, as in Item.digest.
        mark: returns the mark of a message's header, as in Stored.mid; None when the header has no
            Message-ID.
    """

    digest: Callable[[BinaryIO], bytes]
    mark: Callable[[bytes], int | None]


@dataclass(frozen=True, slots=True)
class MessageMetadata:
    """Hold one message as the server describes it.

    Attributes:
        flags: its flags.
        size: bytes; None when the server gave none.
        date: INTERNALDATE in seconds since 1970 UTC.
        header: the Message-ID line of the header; b"" when the server gave none.
    """

    flags: frozenset[str]
    size: int | None
    date: int | None
    header: bytes


def read_metadata(session: Session, uids: list[int]) -> dict[int, MessageMetadata]:
    """Return the metadata of those UIDs that exist in the open mailbox.

    Args:
        session: the session whose mailbox is open.
        uids: sorted, distinct UIDs.

    Raises:
        Blocked, Rejected, Transient: the server refuses, or the connection broke.
    """
    metadata: dict[int, MessageMetadata] = {}
    requested = set(uids)

    def note(parts: Parts) -> None:
        entry = fetched(parts)
        if entry is None or b"FLAGS" not in entry or uid_of(entry) not in requested:
            return
        uid, flags = uid_of(entry), flags_of(entry)
        if uid in metadata and b"RFC822.SIZE" not in entry:  # unsolicited: another client changed its flags
            metadata[uid] = replace(metadata[uid], flags=flags)
            return
        date = date_of(entry.get(b"INTERNALDATE"))
        header = next((value for name, value in entry.items() if name.startswith(b"BODY[HEADER")), None)
        metadata[uid] = MessageMetadata(
            flags,
            number(entry.get(b"RFC822.SIZE")),
            None if date is None else int(date.timestamp() // 1),
            header if isinstance(header, bytes) else b"",
        )

    if uids:
        session.done(b"NOOP")
        session.done(b"UID FETCH %s (%s)" % (compact(uids), SEEN), note)
    return metadata


@dataclass(frozen=True, slots=True)
class Looker:
    """Compare messages of one mailbox with what was written.

    Attributes:
        session: the session of the account.
        name: the encoded name of the mailbox.
        uidvalidity: the UIDVALIDITY that the UIDs belong to.
        spool: the folder for spool files.
        judge: recognizes messages by content; None: the metadata decides.
    """

    session: Session
    name: bytes
    uidvalidity: int
    spool: Path
    judge: Judge | None

    def others(
        self, metadata: Mapping[int, MessageMetadata], expected: Mapping[int, Iterable[Stored]]
    ) -> set[int]:
        """Return the UIDs whose message is not the one that was written.

        Where size, date and Message-ID do not decide, the message is read. A message without a known digest
        is not checked.

        Args:
            metadata: the metadata of the messages that exist, by UID.
            expected: the messages that were written, by UID.

        Raises:
            Blocked, Transient: reading failed.
        """
        doubted = {
            uid: [stored_item for stored_item in expected[uid] if not self._matches(stored_item, message)]
            for uid, message in metadata.items()
        }
        unsure = {uid: stored for uid, stored in doubted.items() if stored}
        if not unsure:
            return set()
        digests = self._digests(unsure)
        return {
            uid
            for uid, stored in unsure.items()
            if any(stored_item.digest != digests.get(uid) for stored_item in stored)
        }

    def _matches(self, stored: Stored, message: MessageMetadata) -> bool:
        """Return True if the metadata shows that the message is the one that was written."""
        if not stored.digest:
            return True
        if stored.date is None or stored.date != message.date:
            return False
        if stored.mid is None:
            return True
        mark = self.judge.mark(message.header) if self.judge is not None else None
        pairs = [(stored.size, message.size), (stored.date, message.date), (stored.mid, mark)]
        same = [
            expected == actual for expected, actual in pairs if expected is not None and actual is not None
        ]
        renamed = self.judge is not None and stored.mid is not None and mark != stored.mid
        return sum(same) >= ENOUGH and not renamed

    def _digests(self, uids: Iterable[int]) -> dict[int, bytes]:
        """Return the digests of those messages that can be read; the others count as unknown."""
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
