"""UIDs from elsewhere are taken out of what Exchange wraps them in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.calendar.uid import uid
from practice.calendar.event_desk import GOID, foreign_goid

OWN = GOID + "0" * 40 + "10000000" + "9A" * 16


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=200))
def test_a_wrapped_uid_comes_out(text: str) -> None:
    assert uid(foreign_goid(text)) == uid(foreign_goid(text).lower()) == text


@pytest.mark.parametrize(
    "written",
    [
        OWN,
        OWN.lower(),
        "a@b.example",
        foreign_goid("a@b.example")[:-2],
        foreign_goid("a@b.example") + "00",
        foreign_goid("a@b.example") + "0",
        foreign_goid("a\nb"),
        foreign_goid("ä"),
        foreign_goid(""),
    ],
)
def test_anything_else_stays_as_it_is(written: str) -> None:
    assert uid(written) == written


def test_spacing_is_one_line() -> None:
    assert uid(" a\r\n b ") == "a b"
    assert uid(" ") == ""
