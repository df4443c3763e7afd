"""A time zone that is read once and remembered means what it means when it is read line by line."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mappings.compare.content_lines import DEEPEST, ZONE_LETTERS, Block, Malformed, read_block

ZONE = (
    "BEGIN:VTIMEZONE",
    "TZID:Q",
    "BEGIN:STANDARD",
    "TZOFFSETTO:+0100",
    "END:STANDARD",
    "END:VTIMEZONE",
)
LINES = (*ZONE, "BEGIN:VEVENT", "END:VEVENT", "end:vtimezone", "SUMMARY:a", "", "no line", "BEGIN:VCALENDAR")
WHOLE = ("BEGIN:VCALENDAR", *ZONE, "BEGIN:VEVENT", "SUMMARY:a", "END:VEVENT", "END:VCALENDAR")


def read(lines: tuple[str, ...]) -> Block | None:
    return read_bytes("\r\n".join((*lines, "")).encode())


def read_bytes(data: bytes) -> Block | None:
    try:
        return read_block(io.BytesIO(data), "VCALENDAR")
    except Malformed:
        return None


def one_by_one(lines: tuple[str, ...]) -> Block | None:
    """Read with time zones that begin in another spelling, of which none is remembered."""
    return read(tuple("Begin:VTIMEZONE" if line == ZONE[0] else line for line in lines))


@given(st.lists(st.tuples(st.integers(0, len(WHOLE)), st.sampled_from(LINES)), max_size=4), st.data())
def test_a_remembered_zone_is_the_zone(added: list[tuple[int, str]], data: st.DataObject) -> None:
    lines = list(WHOLE)
    for at, line in added:
        lines.insert(at, line)
    if data.draw(st.booleans()):
        del lines[data.draw(st.integers(0, len(lines) - 1))]
    assert read(tuple(lines)) == one_by_one(tuple(lines))


@given(
    st.lists(st.sampled_from(["BEGIN", "END", "SUMMARY", "UID", "N", "X-A", "a.UID", "UID ", "NO COLON"])),
    st.lists(st.sampled_from([":VEVENT", ":a^nb", ';A=b^n,"c;d":e', ";A;A=1;A=2:", " :x", "::", ";A=", ""])),
)
def test_a_name_is_read_as_it_is_in_another_spelling(names: list[str], values: list[str]) -> None:
    lines = [name + value for name, value in zip(names, values, strict=False)]
    spelled = [name.lower() + value for name, value in zip(names, values, strict=False)]
    around = ("BEGIN:VCALENDAR",), ("END:VCALENDAR",)
    assert read((*around[0], *lines, *around[1])) == read((*around[0], *spelled, *around[1]))


@given(st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b" ", b"\t", b"x", b"N:", b"\xc3", b"\xef\xbb\xbf"])))
def test_lines_are_unfolded_as_the_standard_says(pieces: list[bytes]) -> None:
    data = b"BEGIN:VCALENDAR\r\nA:" + b"".join(pieces) + b"\r\nEND:VCALENDAR\r\n"
    single = re.sub(rb"\r\n|\r|\n", b"\n", re.sub(rb"(?:\r\n|\r|\n)[ \t]", b"", data))
    assume(b"\n " not in single)
    assume(b"\n\t" not in single)
    assert read_bytes(data) == read_bytes(single)


@pytest.mark.parametrize("depth", range(1, DEEPEST + 2))
def test_a_remembered_zone_lies_no_deeper_than_another(depth: int) -> None:
    around = ("BEGIN:VCALENDAR",) * depth, ("END:VCALENDAR",) * depth
    lines = (*around[0], *ZONE, *around[1])
    assert read(lines) == one_by_one(lines)
    assert (read(lines) is None) == (depth + 2 > DEEPEST)


@pytest.mark.parametrize("letters", [ZONE_LETTERS - 100, ZONE_LETTERS + 100])
def test_a_long_zone_is_read_whole(letters: int) -> None:
    lines = ("BEGIN:VCALENDAR", ZONE[0], f"COMMENT:{'a' * letters}", *ZONE[1:], "END:VCALENDAR")
    block = read(lines)
    assert block is not None
    assert block == one_by_one(lines)
    assert len(block.blocks[0].value("COMMENT")) == letters


def test_two_zones_after_each_other_are_two() -> None:
    block = read(("BEGIN:VCALENDAR", *ZONE, *(line.replace("Q", "R") for line in ZONE), "END:VCALENDAR"))
    assert block is not None
    assert [zone.value("TZID") for zone in block.blocks] == ["Q", "R"]
