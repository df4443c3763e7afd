"""What the target of a live mailbox was delivered itself, beside what Kogge wrote."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TypeAlias

from mappings.mail.delivery import content, head_of, mark
from model.protocols import Body, Role

OUTGOING = frozenset({Role.SENT, Role.DRAFTS, Role.OUTBOX, Role.TEMPLATES})
"""Nobody is delivered what lies here: it is looked for in the target's folder of the same role alone. Who
sends something to themselves has it twice."""

Sign: TypeAlias = tuple[Role | None, int | bytes]
"""What a mail is known by at both systems: its mark, or a digest where it has none; and its folder's role, if
that is in OUTGOING."""


@dataclass(slots=True)
class Delivered:
    """What the target has that is not ours. marks: sorted, 8 bytes a mail, but of the folders in OUTGOING.
    by_role: of those. nameless: digests of the inbox's mails without a mark. taken: by sign, the keys of the
    late mails that were delivered; each that is there stands for one."""

    marks: array[int] = field(default_factory=lambda: array("Q"))
    by_role: defaultdict[Role, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    nameless: Counter[bytes] = field(default_factory=Counter)
    taken: defaultdict[Sign, set[bytes]] = field(default_factory=lambda: defaultdict(set))

    def sign(self, body: Body, role: Role | None) -> Sign | None:
        """None: there is nothing that it could be."""
        with body() as stream:
            found = mark(head_of(stream))
        if role in OUTGOING:
            return None if found is None else (role, found)
        if found is None:
            return (None, content_of(body)) if self.nameless else None
        return None, found

    def take(self, sign: Sign, keys: set[bytes]) -> bool:
        """Whether all of these were delivered. Where there are more of them than the target has, nobody knows
        which of them that is: a mail that is there twice is a nuisance, a lost one is lost."""
        if len(self.taken[sign] | keys) > self._count(sign):
            return False
        self.taken[sign] |= keys
        return True

    def _count(self, sign: Sign) -> int:
        role, known = sign
        if isinstance(known, bytes):
            return self.nameless[known]
        if role is not None:
            return self.by_role[role][known]
        return bisect_right(self.marks, known) - bisect_left(self.marks, known)


def content_of(body: Body) -> bytes:
    with body() as stream:
        return content(stream)
