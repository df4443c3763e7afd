"""A FETCH response is read in two ways: the quick one gives what the thorough one gives, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.imap.wire.connection import Parts, fetched, tokens

USUAL: list[Parts] = [
    [rb"* 3 FETCH (UID 5 FLAGS (\Seen $Work) RFC822.SIZE 8192)"],
    [rb'* 3 FETCH (UID 5 FLAGS () INTERNALDATE " 1-Jan-2020 00:03:00 +0000" BODY[] ', b"body", b")"],
    [rb"* 3 FETCH (UID 5 BODY[HEADER.FIELDS (MESSAGE-ID)] ", b"Message-ID: <a>\r\n\r\n", b")"],
    [b'* 3 FETCH (UID 5 BODY[]<1024> "short")'],
]
ODD: list[Parts] = [
    [b"* 3 FETCH ()"],
    [b"* 3 FETCH (UID 5"],
    [b"* 3 FETCH (UID 5) "],
    [b"* 3 FETCH (uid 5 Flags (\\Seen))"],
    [b"* 3 FETCH (UID 5 FLAGS (NIL \\Seen))"],
    [b"* 3 FETCH (UID NIL FLAGS (a (b)))"],
    [b'* 3 FETCH (UID 5 FLAGS (a "b c"))'],
    [b'* 3 FETCH (INTERNALDATE "a \\" b" UID 5)'],
    [b"* 3 FETCH (UID 5 MODSEQ (7) UID 6)"],
    [b"* 3 FETCH (UID  5 FLAGS (a  b))"],
    [b"* 3 FETCH (BODY[] ", b"one", b" UID 5 BODY[TEXT] ", b"two", b")"],
    [b"* 3 FETCH (UID 5 BODY[] ", b"one", b" UID 6)"],
    [b"* 3 FETCH (UID 5 BODY[]", b"one", b")"],
    [b"* 3 FETCH (", b"UID", b" 5)"],
    [b"* 3 FETCH (NIL 5)"],
    [b"* 3 FETCH (NIL 5 BODY[] ", b"body", b")"],
    [b"* 3 FETCH (NILS 5)"],
    [b"* 3 FETCH (UID (BODY[a b]))"],
    [b"* 3 FETCH (UID (BODY[a b] \\Seen))"],
]


def thoroughly(parts: Parts) -> dict[bytes, object] | None:
    items = tokens(parts, parts[0].index(b" FETCH (") + 7)
    if not items or not isinstance(items[0], list):
        return None
    pairs = iter(items[0])
    return {name.upper(): value for name, value in zip(pairs, pairs, strict=False) if isinstance(name, bytes)}


@pytest.mark.parametrize("parts", USUAL + ODD, ids=str)
def test_both_ways_say_the_same(parts: Parts) -> None:
    assert fetched(parts) == thoroughly(parts)


WORDS = [
    b"UID",
    b"FLAGS",
    b"BODY[]",
    b"BODY[1 (A)]<5>",
    b"BODY[a b]",
    b"X[a b]",
    b"BODY[1",
    b"a.b",
    b"NIL",
    b"nil",
]
MARKS = [
    b"5",
    b"007",
    b"x5",
    b"\\Seen",
    b"(",
    b")",
    b"()",
    b"(a b)",
    b"  ",
    b"\t",
    b'"',
    b'"s t"',
    b'"\\""',
    b"\\",
    b"[",
]
PIECES = st.sampled_from([*WORDS, *MARKS, b" ", b" ", b" ", b""])
TEXTS = st.lists(PIECES, max_size=14).map(b"".join)


@given(st.lists(TEXTS, min_size=1, max_size=3), st.booleans())
def test_both_ways_say_the_same_of_whatever_comes(texts: list[bytes], ended: bool) -> None:
    parts: Parts = [b"* 3 FETCH (" + texts[0]]
    for text in texts[1:]:
        parts += [b"literal", text]
    if ended:
        parts[-1] += b")"
    assert fetched(parts) == thoroughly(parts)
