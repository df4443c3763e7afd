"""Pair the ledger's rows with the items of the target's listing (R3).

Pure, and by multisets: two identical mails are two rows and two items.

    free = the listing without items that other rows own
    digests = {href: digest of what is read there for href in narrow(rows, free, claimed)}
    paired = match(rows, free, digests)

Positions and item hrefs of IMAP are "UIDVALIDITY:UID". If either side is not of that shape, a row's `since`
excludes nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """Describe a row that looks for its item.

    Attributes:
        key: of the item.
        digest: of what was meant to be written.
        size: bytes of what was meant to be written.
        since: the target's position before the write; None if it is not known.
        href: where the row says the item is; None if the row does not know it.
    """

    key: bytes
    digest: bytes
    size: int
    since: str | None = None
    href: str | None = None


@dataclass(frozen=True, slots=True)
class TargetItem:
    """Describe an item that the target lists.

    Attributes:
        href: at the target.
        size: bytes by the server's word, which may count line ends differently.
        message_id: of a mail; None if it has none.
    """

    href: str
    size: int
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Matching:
    """Hold the result of match().

    Attributes:
        pairs: key to href; no href twice.
        missing: keys without an item.
        extra: hrefs without a row, in the order of the listing.
    """

    pairs: Mapping[bytes, str]
    missing: tuple[bytes, ...]
    extra: tuple[str, ...]


def narrow(rows: Sequence[Wanted], listing: Sequence[TargetItem], claimed: Collection[str]) -> list[str]:
    """Return the hrefs worth reading for their digests, in the order of the listing.

    These are the items of a row's size. If there are fewer of them than rows of that size, the items whose
    size is no row's belong to them, too, because a server that normalises may count differently.

    Args:
        rows: that look for their items.
        listing: of the target.
        claimed: hrefs that other rows own; they are left out, and so is what is below a row's since.
    """
    free = [entry for entry in listing if entry.href not in claimed]
    by_size: dict[int, list[str]] = defaultdict(list)
    for entry in free:
        by_size[entry.size].append(entry.href)
    sizes = Counter(row.size for row in rows)
    odd = [entry.href for entry in free if entry.size not in sizes]
    chosen: set[str] = set()
    # Rows of one size and since ask for the same items: 100,000 rows are few such questions.
    for size, since in {(row.size, row.since) for row in rows}:
        same = [href for href in by_size[size] if _may_be(since, href)]
        chosen.update(same)
        if len(same) < sizes[size]:
            chosen.update(href for href in odd if _may_be(since, href))
    return [entry.href for entry in free if entry.href in chosen]


def match(rows: Sequence[Wanted], listing: Sequence[TargetItem], digests: Mapping[str, bytes]) -> Matching:
    """Pair rows with items.

    A row whose href is listed takes that item, if its digest agrees or was not read. Every other pair has
    equal digests and an item that is not below the row's since. There are as many such pairs as possible if
    the items are of one container (one UIDVALIDITY). The pairs do not depend on the order of rows or listing:
    rows go by since and key, and each takes the lowest item it may have.

    Args:
        rows: that look for their items.
        listing: without items that other rows own.
        digests: by href, of what was read.
    """
    free = {entry.href for entry in listing}
    pairs: dict[bytes, str] = {}
    wanted: dict[bytes, list[Wanted]] = defaultdict(list)
    for row in sorted(rows, key=_row_order):
        if row.href in free and digests.get(row.href, row.digest) == row.digest:
            free.remove(row.href)
            pairs[row.key] = row.href
        else:
            wanted[row.digest].append(row)
    items: dict[bytes, list[str]] = defaultdict(list)
    for href in sorted(free & digests.keys(), key=_href_order):
        items[digests[href]].append(href)
    for digest, group in wanted.items():
        pairs.update(_pair_equals(group, items[digest]))
    taken = set(pairs.values())
    return Matching(
        pairs,
        tuple(row.key for row in rows if row.key not in pairs),
        tuple(entry.href for entry in listing if entry.href not in taken),
    )


def _pair_equals(rows: Sequence[Wanted], hrefs: Sequence[str]) -> Iterator[tuple[bytes, str]]:
    """Pair rows and items of one digest.

    A row may have an upper part of the ordered hrefs. Taking the lowest of it never costs a pair: a row that
    would have used that item may use any higher one.
    """
    left = dict.fromkeys(hrefs)
    for row in rows:
        href = next((href for href in left if _may_be(row.since, href)), None)
        if href is not None:
            del left[href]
            yield row.key, href


def _split(mark: str) -> tuple[str, int] | None:
    era, separator, number = mark.rpartition(":")
    return (era, int(number)) if separator and number.isdecimal() and number.isascii() else None


def _may_be(since: str | None, href: str) -> bool:
    low = None if since is None else _split(since)
    this = _split(href)
    return low is None or this is None or low[0] != this[0] or this[1] >= low[1]


def _href_order(href: str) -> tuple[bool, str, int, str]:
    # Hrefs that no since excludes come last: everybody may have them.
    era, number = _split(href) or ("", 0)
    return _split(href) is None, era, number, href


def _row_order(row: Wanted) -> tuple[bool, str, int, bytes]:
    era, number = _split(row.since or "") or ("", 0)
    return row.since is not None, era, number, row.key
