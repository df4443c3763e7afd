"""Changing and removing what is already in an IMAP mailbox: flags by STORE, removal by UID EXPUNGE."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from connectors.imap.append import ITEM_FAULTS, flags_kept
from connectors.imap.connection import Parts, compact, fetched
from connectors.imap.fetch import flags_of, uid_of
from connectors.imap.keywords import LIMIT, NOT_TAKEN, Keywords
from connectors.imap.session import Session, raise_for
from connectors.imap.verify_uid import Judge, Looker, read_metadata
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.protocols import Amendment, Failed, Guard, Stored

AT_ONCE = 500

Flags = frozenset[str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Store:
    """One mailbox (raw: its encoded name), opened for writing. spool, judge: for looking at what is about to
    be changed (connectors.imap.verify_uid)."""

    session: Session
    guard: Guard
    raw: bytes
    spool: Path
    judge: Judge | None
    keywords: Keywords = field(default_factory=Keywords)

    def amend(self, changes: Iterable[Amendment], permanent: Flags) -> Iterator[Stored | Failed]:
        """Sends STORE only for messages whose flags differ, one for each set of flags."""
        todo = iter(changes)
        while batch := list(islice(todo, AT_ONCE)):
            by_uid, lost = self._located([(change.stored, change) for change in batch], Rejected("vanished"))
            yield from lost
            yield from self._amended(by_uid, permanent)

    def _amended(self, by_uid: dict[int, list[Amendment]], permanent: Flags) -> Iterator[Stored | Failed]:
        expected = {uid: [change.stored for change in changes] for uid, changes in by_uid.items()}
        now, others, hidden = self._looked(expected)
        groups: dict[Flags, list[int]] = {}
        for uid, changes in by_uid.items():
            wanted = flags_kept(changes[-1].flags, permanent)
            if uid in others:
                yield from (Failed(change.stored.key, _another()) for change in changes)
            elif uid in hidden:
                yield from (Failed(change.stored.key, _untold()) for change in changes)
            elif uid not in now or wanted is None:
                code = "flag-not-allowed" if uid in now else "vanished"
                yield from (Failed(change.stored.key, Rejected(code)) for change in changes)
            elif _folded(now[uid]) == _folded(kept := self.keywords.kept(self.raw, wanted)):
                yield from (_amended(change.stored, wanted, kept) for change in changes)
            else:
                groups.setdefault(wanted, []).append(uid)
        for wanted, uids in groups.items():
            kept, refused = self._set(sorted(uids), wanted)
            for change in (change for uid in uids for change in by_uid[uid]):
                yield Failed(change.stored.key, refused) if refused else _amended(change.stored, wanted, kept)

    def remove(self, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        r"""\Deleted and UID EXPUNGE, for these UIDs only; one that is already gone is success. What is
        something else by now is Rejected("changed-at-target"). Of what has another UIDVALIDITY that cannot be
        told: Transient("container-renumbered"). What the server leaves out of its answer, and has:
        Transient("reply-incomplete")."""
        todo = iter(stored)
        while batch := list(islice(todo, AT_ONCE)):
            by_uid, lost = self._located([(one, one) for one in batch], Transient("container-renumbered"))
            yield from lost
            now, others, hidden = self._looked(by_uid)
            present = sorted(now.keys() - others)
            if present:
                self._expunge(present)
            for uid, group in by_uid.items():
                error = _another() if uid in others else _untold() if uid in hidden else None
                yield from (one if error is None else Failed(one.key, error) for one in group)

    def _looked(self, expected: Mapping[int, list[Stored]]) -> tuple[dict[int, Flags], set[int], set[int]]:
        """The flags of those that are there, which of them are not what was written, and which others are
        there, of which the server said nothing. Raises Transient("container-renumbered") where the
        mailbox was made anew meanwhile: what these UIDs are there, nobody has looked at."""
        found = read_metadata(self.session, sorted(expected))
        hidden = self._there(expected.keys() - found.keys())
        validity = self.session.select(self.raw, readonly=False).uidvalidity
        others = Looker(self.session, self.raw, validity, self.spool, self.judge).others(found, expected)
        opened = self.session.select(self.raw, readonly=False)  # reading opened it for reading alone
        eras = {one.href.partition(":")[0] for group in expected.values() for one in group}
        if eras - {str(opened.uidvalidity)}:
            raise Transient("container-renumbered")
        return {uid: message.flags for uid, message in found.items()}, others, hidden

    def _there(self, uids: Collection[int]) -> set[int]:
        """Which of these are there, by another command than FETCH: that some servers leave messages out of
        its answer, and end it with OK, proves no absence."""
        found: set[int] = set()

        def note(parts: Parts) -> None:
            if parts[0][2:8].upper() == b"SEARCH":
                found.update(map(int, parts[0][8:].split()))

        if uids:
            self.session.done(b"UID SEARCH UID " + compact(sorted(uids)), note)
        return found.intersection(uids)

    def _expunge(self, uids: list[int]) -> None:
        chosen = compact(uids)
        self.guard()
        self.session.done(b"UID STORE " + chosen + rb" +FLAGS.SILENT (\Deleted)")
        self.guard()
        self.session.done(b"UID EXPUNGE " + chosen)
        if self._flags(uids) or self._there(uids):
            raise Blocked("no-permission", "the server keeps messages that were to be removed")

    def _located(
        self, pairs: list[tuple[Stored, T]], otherwise: MigrationError
    ) -> tuple[dict[int, list[T]], list[Failed]]:
        """By UID; what has another UIDVALIDITY cannot be found by its href any more: otherwise."""
        validity = str(self.session.select(self.raw, readonly=False).uidvalidity)
        by_uid: dict[int, list[T]] = {}
        lost = []
        for stored, value in pairs:
            own, _, uid = stored.href.partition(":")
            if own == validity and uid.isdigit():
                by_uid.setdefault(int(uid), []).append(value)
            else:
                lost.append(Failed(stored.key, otherwise))
        return by_uid, lost

    def _flags(self, uids: list[int]) -> dict[int, Flags]:
        """The flags of those that are there."""
        found: dict[int, Flags] = {}
        asked = set(uids)

        def note(parts: Parts) -> None:
            entry = fetched(parts)
            if entry is not None and b"FLAGS" in entry and uid_of(entry) in asked:
                found[uid_of(entry)] = flags_of(entry)

        if uids:
            self.session.done(b"NOOP")
            self.session.done(b"UID FETCH %s (UID FLAGS)" % compact(uids), note)
        return found

    def _set(self, uids: list[int], flags: Flags) -> tuple[Flags, Rejected | None]:
        """The flags that the mailbox takes of these, and why it does not take them."""
        kept = self.keywords.kept(self.raw, flags)
        self.guard()
        names = " ".join(sorted(kept)).encode()
        reply = self.session.run(b"UID STORE %s FLAGS.SILENT (%s)" % (compact(uids), names))
        if reply.ok:
            return kept, None
        if reply.reason not in ITEM_FAULTS:
            raise_for(reply)
        if reply.reason == LIMIT and self.keywords.learn(self.session, self.raw, kept):
            self.session.select(self.raw, readonly=False)
            return self._set(uids, flags)
        return kept, Rejected("refused-by-target").about(reply.known).said(reply.said)


def _amended(stored: Stored, wanted: Flags, kept: Flags) -> Stored:
    return stored if kept == wanted else replace(stored, losses=(*stored.losses, NOT_TAKEN), flags=kept)


def _untold() -> Transient:
    return Transient("reply-incomplete", "the server says nothing of a message that it has")


def _another() -> Rejected:
    return Rejected("changed-at-target", "something else has its number by now")


def _folded(flags: Flags) -> Flags:
    """Flags compare without case (RFC 9051, 2.3.2)."""
    return frozenset(flag.lower() for flag in flags)
