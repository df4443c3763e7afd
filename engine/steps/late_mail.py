"""The live phase: what late mail the target was delivered itself, and a source that is no longer there.

During a cutover both systems may be delivered the same mail. Before late mail is added, the headers of every
folder of the account are listed once, the copies of our own left out: what has the mark
(mappings.mail.delivery) of one of the others is there already, whatever folder its user moved it to; one
stands for one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.context.leg_context import Work
from ledger.db.rows import ContainerRow, LegState, State
from mappings.mail.delivery import NAMES, content, head_of, mark
from model.errors import Blocked
from model.optional_protocols import TellsHeaders
from model.protocols import Body, Container, Kind, Mapped, Native, Role

DELIVERED = "delivered-already"
SOURCE_GONE = "source-gone"
GONE = frozenset({"mailbox-missing", "mailbox-not-online", "account-disabled"})
"""Codes of a source that was decommissioned."""
OUTGOING = frozenset({Role.SENT, Role.DRAFTS, Role.OUTBOX, Role.TEMPLATES})
"""Nobody is delivered what lies here: it is looked for in the target's folder of the same role alone. Who
sends something to themselves has it twice."""
INBOX = ("INBOX",)
CHECKED = 500
NAMELESS_MOST = 500
"""Mails without a mark of the target's inbox, the newest, that are read to compare them."""


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
            return (None, _content(body)) if self.nameless else None
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


def look(work: Work, rows: Sequence[ContainerRow]) -> Delivered | None:
    """Of an account of mail that is live, when there is anything late to add to it; else None."""
    target = work.target
    if work.mirror or work.kind is not Kind.MAIL or not isinstance(target, TellsHeaders):
        return None
    if not any(work.ledger.counts(row.id).get(State.SEEN, 0) for row in rows):
        return None
    found = Delivered()
    for container in list(work.target.containers()):
        nameless: list[str] = []
        for href, one in _marks(work, target, container):
            if one is None:
                nameless.append(href)
                continue
            if container.role in OUTGOING:
                found.by_role[container.role][one] += 1
            else:
                found.marks.append(one)
        if container.role is Role.INBOX or container.path == INBOX:
            found.nameless += _contents(work, container.id, nameless[-NAMELESS_MOST:])
    found.marks = array("Q", sorted(found.marks))
    return found


def sort_out(
    work: Work, row: ContainerRow, mapped: Sequence[Mapped]
) -> tuple[list[Mapped], list[tuple[bytes, str]]]:
    """What is to be written, and the keys of what was delivered already, with that code. Asks no server."""
    there = work.delivered
    if there is None:
        return list(mapped), []
    by_sign: defaultdict[Sign, set[bytes]] = defaultdict(set)
    for one in mapped:
        if (sign := there.sign(one.item.body, row.role)) is not None:
            by_sign[sign].add(one.item.key)
    delivered = {key for sign, keys in by_sign.items() if there.take(sign, keys) for key in keys}
    kept = [one for one in mapped if one.item.key not in delivered]
    return kept, [(one.item.key, DELIVERED) for one in mapped if one.item.key in delivered]


def of_a_source_that_is_gone(work: Work) -> tuple[LegState, str] | None:
    """How the leg of a live mailbox ends whose source account is no longer there: nothing is owed, and
    nothing is removed. None: it is there, or something that was listed of it is still to be brought."""
    counts = work.ledger.counts() if not work.mirror and work.ledger.begun() else {}
    if not counts or any(counts.get(state) for state in (State.SEEN, State.WRITING)):
        return None
    try:
        work.source.identity()
    except Blocked as error:
        if error.code not in GONE:
            raise
        unread = counts.get(State.WRITTEN, 0)
        return LegState.COPIED if unread else LegState.VERIFIED, SOURCE_GONE
    return None


def _marks(work: Work, target: TellsHeaders, container: Container) -> Iterator[tuple[str, int | None]]:
    """(href, mark) of what somebody else put into a folder."""
    ours = work.ledger.claimed(container.id)
    for number, (href, head) in enumerate(target.headers(container.id, NAMES)):
        if number % CHECKED == 0:
            work.check()
        if href not in ours:
            yield href, mark(head)


def _contents(work: Work, folder: str, hrefs: Sequence[str]) -> Counter[bytes]:
    found = Counter[bytes]()
    for _, native in work.target.read(folder, hrefs):
        if isinstance(native, Native) and native.body is not None:
            found[_content(native.body)] += 1
    return found


def _content(body: Body) -> bytes:
    with body() as stream:
        return content(stream)
