"""Track the mail that the target of a live mailbox received by itself, beside what Kogge wrote."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mappings.mail.delivery import content, head_of, mark
from model.protocols import Body, Role

OUTGOING = frozenset({Role.SENT, Role.DRAFTS, Role.OUTBOX, Role.TEMPLATES})
"""Roles of folders into which no server delivers mail.

A mail in such a folder is looked for in the target's folder of the same role only. A mail that a person sends
to themselves exists twice: once here, once in the inbox.
"""
ALIKE_MOST = 50
"""How many of the mails with one mark are compared. Whoever delivers more of them causes a duplicate."""


class Likeness(NamedTuple):
    """Say where a mail may be that the target received by itself. It narrows; the content decides.

    Attributes:
        role: the role of its folder if OUTGOING contains that role; else None.
        mark: the mark of its header; None if it has none.
    """

    role: Role | None
    mark: int | None


class Place(NamedTuple):
    """Name a mail at the target.

    Attributes:
        folder: the id of its folder.
        href: its href in the folder.
    """

    folder: str
    href: str


@dataclass(slots=True)
class Places:
    """Hold marks and places of mails, a few bytes beside the hrefs for each.

    Attributes:
        marks: in the order in which they were added; sorted after sort().
        numbers: for each mark, the number of its mail.
        hrefs: by the number of a mail.
        folders: ids of folders, each with the number of its first mail.
    """

    marks: array[int] = field(default_factory=lambda: array("Q"))
    numbers: array[int] = field(default_factory=lambda: array("L"))
    hrefs: list[str] = field(default_factory=list)
    folders: list[tuple[int, str]] = field(default_factory=list)

    def add(self, folder: str, href: str, mail_mark: int) -> None:
        """Add a mail. All mails of a folder are added one after another."""
        if not self.folders or self.folders[-1][1] != folder:
            self.folders.append((len(self.hrefs), folder))
        self.marks.append(mail_mark)
        self.numbers.append(len(self.hrefs))
        self.hrefs.append(href)

    def sort(self) -> None:
        """Sort by mark, once all mails were added."""
        order = sorted(range(len(self.marks)), key=self.marks.__getitem__)
        self.marks = array("Q", (self.marks[position] for position in order))
        self.numbers = array("L", (self.numbers[position] for position in order))

    def of(self, mail_mark: int) -> Iterator[Place]:
        """Yield the places of the mails with a mark, ALIKE_MOST of them at most."""
        first, end = bisect_left(self.marks, mail_mark), bisect_right(self.marks, mail_mark)
        for number in self.numbers[first : min(end, first + ALIKE_MOST)]:
            at = bisect_right(self.folders, number, key=lambda entry: entry[0]) - 1
            yield Place(self.folders[at][1], self.hrefs[number])

    def __contains__(self, mail_mark: int) -> bool:
        return bisect_left(self.marks, mail_mark) < bisect_right(self.marks, mail_mark)


@dataclass(slots=True)
class Delivered:
    """Count the mails at the target that are not ours.

    Attributes:
        places: by role of OUTGOING, or None for all other folders, the mails with a mark.
        nameless: how often each digest occurs among the inbox's mails without a mark.
        contents: digests of mails with a mark, as far as they were read; None for one that cannot be read.
        cut_off: by key, the digests of late mails whose write was cut off, and that are there. They do not
            count among the others.
        taken: by likeness and digest, the keys of the late mails that the target received already; each key
            uses up one delivered mail.
    """

    places: defaultdict[Role | None, Places] = field(default_factory=lambda: defaultdict(Places))
    nameless: Counter[bytes] = field(default_factory=Counter)
    contents: dict[Place, bytes | None] = field(default_factory=dict)
    cut_off: dict[bytes, bytes] = field(default_factory=dict)
    taken: defaultdict[tuple[Likeness, bytes], set[bytes]] = field(default_factory=lambda: defaultdict(set))

    def likeness(self, body: Body, role: Role | None) -> Likeness | None:
        """Return what narrows the search for a mail of the source at the target.

        Args:
            body: the bytes of the mail.
            role: the role of its folder at the source.

        Returns:
            None if the target has no mail that could be this one.
        """
        with body() as stream:
            mail_mark = mark(head_of(stream))
        place = role if role in OUTGOING else None
        if mail_mark is None:
            return Likeness(None, None) if place is None and self.nameless else None
        return Likeness(place, mail_mark) if mail_mark in self.places[place] else None

    def unread(self, likeness: Likeness) -> list[Place]:
        """Return the places of the mails that are to be read before take() decides."""
        return [place for place in self._alike(likeness) if place not in self.contents]

    def note(self, digests: Mapping[Place, bytes | None]) -> None:
        """Note the digests of mails that were read; None for one that could not be read."""
        self.contents |= digests

    def take(self, likeness: Likeness, digest: bytes, keys: set[bytes]) -> bool:
        """Return True, and note the keys, if all these late mails were delivered to the target already.

        If the source has more copies than the target, copy all of them: a duplicate is acceptable, a loss is
        not.

        Args:
            likeness: what the mails have in common, see likeness().
            digest: the digest of their content, see content_of().
            keys: the keys of these late mails. A key that was noted before counts once.
        """
        there = self.nameless[digest] if likeness.mark is None else self._count(likeness, digest)
        if len(self.taken[likeness, digest] | keys) > there:
            return False
        self.taken[likeness, digest] |= keys
        return True

    def _count(self, likeness: Likeness, digest: bytes) -> int:
        return sum(self.contents.get(place) == digest for place in self._alike(likeness))

    def _alike(self, likeness: Likeness) -> list[Place]:
        return [] if likeness.mark is None else list(self.places[likeness.role].of(likeness.mark))


def content_of(body: Body) -> bytes:
    """Return the digest of what no delivery changes in a mail."""
    with body() as stream:
        return content(stream)
