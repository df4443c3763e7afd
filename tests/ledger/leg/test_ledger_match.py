from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.leg.matching import TargetItem, Wanted, match, narrow

A, B = b"digest-a", b"digest-b"


def row(
    number: int, digest: bytes = A, size: int = 10, since: str | None = None, href: str | None = None
) -> Wanted:
    return Wanted(bytes([number]), digest, size, since, href)


def digests(listing: list[TargetItem], digest: bytes = A) -> dict[str, bytes]:
    return {found.href: digest for found in listing}


def test_two_identical_mails_are_two_rows_and_two_items() -> None:
    listing = [TargetItem("7:1", 10), TargetItem("7:2", 10), TargetItem("7:3", 10)]
    paired = match([row(1), row(2)], listing, digests(listing))
    assert paired.pairs == {b"\1": "7:1", b"\2": "7:2"}
    assert paired.extra == ("7:3",)
    assert match([row(1), row(2)], listing[:1], digests(listing)).missing == (b"\2",)


def test_below_since_is_never_taken_but_another_uidvalidity_is() -> None:
    listing = [TargetItem("7:4", 10), TargetItem("7:5", 10)]
    assert match([row(1, since="7:5")], listing, digests(listing)).pairs == {b"\1": "7:5"}
    assert match([row(1, since="7:6")], listing, digests(listing)).pairs == {}
    assert match([row(1, since="8:6")], listing, digests(listing)).pairs == {b"\1": "7:4"}


def test_numbers_order_uids_not_letters() -> None:
    listing = [TargetItem("7:10", 10), TargetItem("7:9", 10)]
    assert match([row(1), row(2)], listing, digests(listing)).pairs == {b"\1": "7:9", b"\2": "7:10"}


@pytest.mark.parametrize(("digest", "taken"), [(None, "7:1"), (A, "7:1"), (B, "7:2")])
def test_a_row_keeps_its_place_unless_something_else_is_there(digest: bytes | None, taken: str) -> None:
    listing = [TargetItem("7:1", 10), TargetItem("7:2", 10)]
    read = {"7:2": A} | ({} if digest is None else {"7:1": digest})
    assert match([row(1, href="7:1")], listing, read).pairs == {b"\1": taken}


def test_what_was_not_read_is_not_guessed() -> None:
    assert match([row(1)], [TargetItem("7:1", 10)], {}).missing == (b"\1",)


@pytest.mark.parametrize(
    "href", ["/cal/x.ics", "/cal/at 10:30h.ics", "7:", "7:x1", "7:\N{FULLWIDTH DIGIT FIVE}"]
)
def test_hrefs_that_are_no_positions_are_not_restricted(href: str) -> None:
    listing = [TargetItem(href, 10)]
    assert match([row(1, since="7:99")], listing, digests(listing)).pairs == {b"\1": href}


def test_narrow_asks_for_equal_sizes_first() -> None:
    listing = [TargetItem("7:1", 10), TargetItem("7:2", 11), TargetItem("7:3", 10)]
    assert narrow([row(1)], listing, set()) == ["7:1", "7:3"]
    assert narrow([row(1)], listing, {"7:1"}) == ["7:3"]
    assert narrow([row(1)], listing, {"7:1", "7:3"}) == ["7:2"]
    assert narrow([row(1, since="7:2")], listing, {"7:3"}) == ["7:2"]
    assert narrow([], listing, set()) == []


def test_narrow_also_asks_for_odd_sizes_when_an_equal_size_may_belong_to_another_row() -> None:
    """Of two rows of size 10 the server shortened one: its item has a size of its own."""
    listing = [TargetItem("7:1", 10), TargetItem("7:2", 9)]
    assert narrow([row(1), row(2, B)], listing, set()) == ["7:1", "7:2"]


NUMBERS = st.integers(0, 5)
ROWS = st.lists(
    st.tuples(
        st.sampled_from([A, B]),
        st.one_of(st.none(), NUMBERS),
        st.sampled_from(["7", "8"]),
        st.one_of(st.none(), NUMBERS),
    ),
    max_size=5,
).map(
    lambda drawn: [
        row(n, digest, since=None if low is None else f"{era}:{low}", href=None if at is None else f"7:{at}")
        for n, (digest, low, era, at) in enumerate(drawn)
    ]
)
ITEMS = st.dictionaries(NUMBERS, st.sampled_from([A, B, None]), max_size=6)


def listing_of(items: dict[int, bytes | None]) -> tuple[list[TargetItem], dict[str, bytes]]:
    read = {f"7:{number}": digest for number, digest in items.items() if digest is not None}
    return [TargetItem(f"7:{number}", 10) for number in items], read


def allowed(wanted: Wanted, href: str, read: dict[str, bytes]) -> bool:
    if wanted.href == href and href not in read:
        return True
    if read.get(href) != wanted.digest:
        return False
    era, _, low = (wanted.since or "none:0").partition(":")
    return wanted.href == href or era != "7" or int(href[2:]) >= int(low)


@given(ROWS, ITEMS)
def test_pairs_are_injective_and_allowed_and_everything_is_accounted_for(
    rows: list[Wanted], items: dict[int, bytes | None]
) -> None:
    listing, read = listing_of(items)
    paired = match(rows, listing, read)
    assert len(set(paired.pairs.values())) == len(paired.pairs)
    by_key = {wanted.key: wanted for wanted in rows}
    assert all(allowed(by_key[key], href, read) for key, href in paired.pairs.items())
    assert set(paired.missing) == by_key.keys() - paired.pairs.keys()
    assert set(paired.extra) == {found.href for found in listing} - set(paired.pairs.values())


@given(ROWS, ITEMS)
def test_as_many_pairs_as_there_can_be(rows: list[Wanted], items: dict[int, bytes | None]) -> None:
    rows = [Wanted(wanted.key, wanted.digest, wanted.size, wanted.since) for wanted in rows]
    listing, read = listing_of(items)
    hrefs: list[str | None] = [found.href for found in listing]
    hrefs += [None] * len(rows)
    most = max(
        sum(
            href is not None and allowed(wanted, href, read)
            for wanted, href in zip(rows, chosen, strict=False)
        )
        for chosen in set(
            permutations(hrefs[: len(listing)] + [None] * max(0, len(rows) - len(listing)), len(rows))
        )
    )
    assert len(match(rows, listing, read).pairs) == most


@given(ROWS, ITEMS, st.randoms())
def test_the_order_of_rows_and_listing_does_not_matter(
    rows: list[Wanted], items: dict[int, bytes | None], random: object
) -> None:
    listing, read = listing_of(items)
    shuffled_rows, shuffled = list(rows), list(listing)
    random.shuffle(shuffled_rows)  # type: ignore[attr-defined]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert match(shuffled_rows, shuffled, read).pairs == match(rows, listing, read).pairs
    assert set(narrow(shuffled_rows, shuffled, set())) == set(narrow(rows, listing, set()))


@given(ROWS, ITEMS)
def test_narrow_finds_what_matching_everything_would_find(
    rows: list[Wanted], items: dict[int, bytes | None]
) -> None:
    """Sizes follow digests here, as a server's do: equal items have equal sizes."""
    sizes = {A: 10, B: 11, None: 12}
    rows = [Wanted(wanted.key, wanted.digest, sizes[wanted.digest], wanted.since) for wanted in rows]
    listing = [TargetItem(f"7:{number}", sizes[digest]) for number, digest in items.items()]
    _, read = listing_of(items)
    asked = {href: read[href] for href in narrow(rows, listing, set()) if href in read}
    assert match(rows, listing, asked).pairs == match(rows, listing, read).pairs
