"""Track the mail that the target of a live mailbox received by itself, beside what Kogge wrote."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TypeAlias

from mappings.mail.delivery import content, head_of, mark
from model.protocols import Body, Role

OUTGOING = frozenset({Role.SENT, Role.DRAFTS, Role.OUTBOX, Role.TEMPLATES})
"""Roles of folders into which no server delivers mail.

A mail in such a folder is looked for in the target's folder of the same role only. A mail that a person sends
to themselves exists twice: once here, once in the inbox.
"""

Sign: TypeAlias = tuple[Role | None, int | bytes]
"""What identifies a mail in both systems: its mark, or a digest if it has no mark; and the role of its folder
if OUTGOING contains that role."""


@dataclass(slots=True)
class Delivered:
    """Count the mails at the target that are not ours.

    Attributes:
        marks: marks of the mails outside the folders of OUTGOING, sorted, 8 bytes for each mail.
        by_role: for each role of OUTGOING, how often each mark occurs there.
        nameless: how often each digest occurs among the inbox's mails without a mark.
        cut_off: by key, the digests of late mails whose write was cut off, and that are there. They do not
            count among the others.
        taken: by sign, the keys of the late mails that the target received already; each key uses up one
            delivered mail.
    """

    marks: array[int] = field(default_factory=lambda: array("Q"))
    by_role: defaultdict[Role, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    nameless: Counter[bytes] = field(default_factory=Counter)
    cut_off: dict[bytes, bytes] = field(default_factory=dict)
    taken: defaultdict[Sign, set[bytes]] = field(default_factory=lambda: defaultdict(set))

    def sign(self, body: Body, role: Role | None) -> Sign | None:
        """Return what identifies a mail of the source at the target.

        Args:
            body: the bytes of the mail.
            role: the role of its folder at the source.

        Returns:
            The sign, or None if the target has no mail that could be this one.
        """
        with body() as stream:
            mail_mark = mark(head_of(stream))
        if role in OUTGOING:
            return None if mail_mark is None else (role, mail_mark)
        if mail_mark is None:
            return (None, content_of(body)) if self.nameless else None
        return None, mail_mark

    def take(self, sign: Sign, keys: set[bytes]) -> bool:
        """Return True, and note the keys, if all these late mails were delivered to the target already.

        If the source has more copies than the target, copy all of them: a duplicate is acceptable, a loss is
        not.

        Args:
            sign: what the mails have in common, see sign().
            keys: the keys of the late mails with this sign. A key that was noted before counts once.
        """
        if len(self.taken[sign] | keys) > self._count(sign):
            return False
        self.taken[sign] |= keys
        return True

    def _count(self, sign: Sign) -> int:
        role, mark_or_digest = sign
        if isinstance(mark_or_digest, bytes):
            return self.nameless[mark_or_digest]
        if role is not None:
            return self.by_role[role][mark_or_digest]
        return bisect_right(self.marks, mark_or_digest) - bisect_left(self.marks, mark_or_digest)


def content_of(body: Body) -> bytes:
    """Return the digest of a mail's content, for mails that have no mark."""
    with body() as stream:
        return content(stream)
