"""Change and remove messages that are already in an IMAP mailbox: STORE for flags, UID EXPUNGE to remove."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from connectors.imap.append import ITEM_FAULTS, flags_kept
from connectors.imap.fetch import flags_of, uid_of
from connectors.imap.keywords import LIMIT, NOT_TAKEN, Keywords
from connectors.imap.session import Session, raise_for
from connectors.imap.verify_uid import Judge, Looker, read_metadata
from connectors.imap.wire.connection import Parts, TaggedReply, compact, fetched
from connectors.imap.wire.refusals import Doubts, Refused, Witness, is_doubtful
from model.errors import Blocked, MigrationError, Rejected, Transient
from model.protocols import Amendment, Failed, Guard, Stored

AT_ONCE = 500

Flags = frozenset[str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Store:
    """Change messages of one mailbox that is opened for writing.

    Attributes:
        session: the session of the account.
        guard: the write fence; called before each change.
        raw: the encoded name of the mailbox.
        spool: the folder for spool files of messages that must be read.
        judge: recognizes a message before it is changed (`connectors.imap.verify_uid`); None: sizes and dates
            decide.
        keywords: what is known about mailboxes that take no more keywords.
    """

    session: Session
    guard: Guard
    raw: bytes
    spool: Path
    judge: Judge | None
    keywords: Keywords = field(default_factory=Keywords)

    def amend(self, changes: Iterable[Amendment], permanent: Flags) -> Iterator[Stored | Failed]:
        """Set flags. Sends STORE only for messages whose flags differ, one for each set of flags. Idempotent.

        Args:
            changes: the messages with their new, complete sets of flags.
            permanent: what PERMANENTFLAGS allows.

        Yields:
            One result per change. Rejected codes: vanished, changed-at-target, flag-not-allowed,
            refused-by-target; Transient("reply-incomplete") for a message that the server has and leaves out
            of its answer.

        Raises:
            Transient: "container-renumbered" when the mailbox was re-created meanwhile.
            LeaseLost: the guard refuses.
        """
        todo = iter(changes)
        while batch := list(islice(todo, AT_ONCE)):
            by_uid, lost = self._group_by_uid(
                [(change.stored, change) for change in batch], Rejected("vanished")
            )
            yield from lost
            yield from self._amend_batch(by_uid, permanent)

    def _amend_batch(self, by_uid: dict[int, list[Amendment]], permanent: Flags) -> Iterator[Stored | Failed]:
        """Set the flags of one batch, by UID."""
        expected = {uid: [change.stored for change in changes] for uid, changes in by_uid.items()}
        now, others, hidden = self._inspect(expected)
        groups: dict[Flags, list[int]] = {}
        for uid, changes in by_uid.items():
            new_flags = flags_kept(changes[-1].flags, permanent)
            if uid in others:
                yield from (Failed(change.stored.key, _changed_at_target()) for change in changes)
            elif uid in hidden:
                yield from (Failed(change.stored.key, _incomplete_reply()) for change in changes)
            elif uid not in now or new_flags is None:
                code = "flag-not-allowed" if uid in now else "vanished"
                yield from (Failed(change.stored.key, Rejected(code)) for change in changes)
            elif _lower_case(now[uid]) == _lower_case(kept := self.keywords.kept(self.raw, new_flags)):
                yield from (_amended_result(change.stored, new_flags, kept) for change in changes)
            else:
                groups.setdefault(new_flags, []).append(uid)
        for new_flags, uids in groups.items():
            kept, refused = self._set(sorted(uids), new_flags)
            for change in (change for uid in uids for change in by_uid[uid]):
                yield (
                    Failed(change.stored.key, refused)
                    if refused
                    else _amended_result(change.stored, new_flags, kept)
                )

    def remove(self, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        r"""Remove these UIDs only. Idempotent: a missing message is a success.

        Sends STORE with `\Deleted`, then UID EXPUNGE.

        Args:
            stored: the messages to remove.

        Yields:
            One result per message. Rejected("changed-at-target"): another message has the UID now.
            Transient("container-renumbered"): the UIDVALIDITY differs, so the message cannot be identified.
            Transient("reply-incomplete"): the server has the message and leaves it out of its answer.

        Raises:
            Blocked: "no-permission" when the server keeps the messages.
            LeaseLost: the guard refuses.

        Source:
            RFC 4315, section 2.1 (UID EXPUNGE).
        """
        todo = iter(stored)
        while batch := list(islice(todo, AT_ONCE)):
            by_uid, lost = self._group_by_uid(
                [(removal, removal) for removal in batch], Transient("container-renumbered")
            )
            yield from lost
            now, others, hidden = self._inspect(by_uid)
            present = sorted(now.keys() - others)
            if present:
                self._expunge(present)
            for uid, group in by_uid.items():
                error = (
                    _changed_at_target() if uid in others else _incomplete_reply() if uid in hidden else None
                )
                yield from (removal if error is None else Failed(removal.key, error) for removal in group)

    def _inspect(self, expected: Mapping[int, list[Stored]]) -> tuple[dict[int, Flags], set[int], set[int]]:
        """Look at messages before they are changed.

        Returns:
            The flags of the messages that are present; the UIDs whose message is not the one that was
            written; and the UIDs that are present but missing in the server's answer.

        Raises:
            Transient: "container-renumbered" when the mailbox was re-created meanwhile, so that other
                messages may have these UIDs.
        """
        metadata = read_metadata(self.session, sorted(expected))
        hidden = self._present_uids(expected.keys() - metadata.keys())
        validity = self.session.select(self.raw, readonly=False).uidvalidity
        others = Looker(self.session, self.raw, validity, self.spool, self.judge).others(metadata, expected)
        opened = self.session.select(self.raw, readonly=False)  # reading opened it for reading alone
        eras = {written.href.partition(":")[0] for group in expected.values() for written in group}
        if eras - {str(opened.uidvalidity)}:
            raise Transient("container-renumbered")
        return {uid: message.flags for uid, message in metadata.items()}, others, hidden

    def _present_uids(self, uids: Collection[int]) -> set[int]:
        """Return which UIDs exist, by SEARCH.

        Some servers leave messages out of the answer to FETCH and end it with OK, so FETCH proves no absence.
        """
        present: set[int] = set()

        def note(parts: Parts) -> None:
            if parts[0][2:8].upper() == b"SEARCH":
                present.update(map(int, parts[0][8:].split()))

        if uids:
            self.session.done(b"UID SEARCH UID " + compact(sorted(uids)), note)
        return present.intersection(uids)

    def _expunge(self, uids: list[int]) -> None:
        """Mark these UIDs as deleted, expunge them and check that they are gone."""
        chosen = compact(uids)
        self.guard()
        self.session.done(b"UID STORE " + chosen + rb" +FLAGS.SILENT (\Deleted)")
        self.guard()
        self.session.done(b"UID EXPUNGE " + chosen)
        if self._flags(uids) or self._present_uids(uids):
            raise Blocked("no-permission", "the server keeps messages that were to be removed")

    def _group_by_uid(
        self, pairs: list[tuple[Stored, T]], otherwise: MigrationError
    ) -> tuple[dict[int, list[T]], list[Failed]]:
        """Group values by UID; a message with another UIDVALIDITY fails with the error `otherwise`."""
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
        """Return the flags of those UIDs that are present."""
        flags: dict[int, Flags] = {}
        requested = set(uids)

        def note(parts: Parts) -> None:
            entry = fetched(parts)
            if entry is not None and b"FLAGS" in entry and uid_of(entry) in requested:
                flags[uid_of(entry)] = flags_of(entry)

        if uids:
            self.session.done(b"NOOP")
            self.session.done(b"UID FETCH %s (UID FLAGS)" % compact(uids), note)
        return flags

    def _set(self, uids: list[int], flags: Flags) -> tuple[Flags, Rejected | None]:
        """Set flags; return the flags that the mailbox takes, and the error when the server refuses them."""
        kept = self.keywords.kept(self.raw, flags)
        reply = self._sent(uids, kept)
        if isinstance(reply, Refused):
            doubts: Doubts[bytes, TaggedReply] = Doubts(
                self.session, Witness(), lambda _: self._sent(uids, kept), bytes, self.guard
            )
            (reply,) = doubts.settle([reply])
        if isinstance(reply, Refused):
            return kept, reply.error
        if reply.ok:
            return kept, None
        if reply.reason not in ITEM_FAULTS:
            raise_for(reply)
        if reply.reason == LIMIT and self.keywords.learn(self.session, self.raw, kept):
            self.session.select(self.raw, readonly=False)
            return self._set(uids, flags)
        return kept, Rejected("refused-by-target").about(reply.known).quoting(reply.said)

    def _sent(self, uids: list[int], kept: Flags) -> TaggedReply | Refused[bytes]:
        """Send one STORE; return its reply, or a refusal without a reason."""
        self.guard()
        names = " ".join(sorted(kept)).encode()
        command = b"UID STORE %s FLAGS.SILENT (%s)" % (compact(uids), names)
        reply = self.session.run(command)
        if not is_doubtful(reply):
            return reply
        return Refused(self.raw + b"\n" + command, Rejected("refused-by-target").quoting(reply.said), 0)


def _amended_result(stored: Stored, new_flags: Flags, kept: Flags) -> Stored:
    """Return the result of an amended message, with a loss when not all flags were taken."""
    return stored if kept == new_flags else replace(stored, losses=(*stored.losses, NOT_TAKEN), flags=kept)


def _incomplete_reply() -> Transient:
    """Return the error for a message that the server has and leaves out of its answer."""
    return Transient("reply-incomplete", "the server says nothing of a message that it has")


def _changed_at_target() -> Rejected:
    """Return the error for a UID that another message has now."""
    return Rejected("changed-at-target", "something else has its number by now")


def _lower_case(flags: Flags) -> Flags:
    """Return flags in lower case, because flags compare without case (RFC 9051, section 2.3.2)."""
    return frozenset(flag.lower() for flag in flags)
