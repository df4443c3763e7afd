from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.db.encoding import (
    pack_flags,
    pack_id,
    pack_path,
    unpack_id,
    unpack_path,
    version_hash,
    version_number,
    version_text,
)


@given(
    st.one_of(
        st.text(),
        st.binary().map(lambda data: base64.b64encode(data).decode()),
        st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()),
        st.binary().map(bytes.hex),
        st.text("ABCabc019+/-_= \n", max_size=40),
    )
)
def test_an_id_comes_back_exactly(text: str) -> None:
    assert unpack_id(pack_id(text)) == text


@pytest.mark.parametrize(
    "text",
    [base64.b64encode(bytes(range(114))).decode(), base64.urlsafe_b64encode(bytes(range(60, 174))).decode()],
)
def test_base64_takes_three_quarters(text: str) -> None:
    assert len(pack_id(text)) == 115


def test_base64_with_stray_bits_is_kept_as_text() -> None:
    text = "AAAAAAAAAAAAAAAAAAAAAB=="
    assert base64.b64decode(text) == bytes(16)
    assert unpack_id(pack_id(text)) == text


@given(st.text(), st.text())
def test_versions_compare_by_their_hash(one: str, two: str) -> None:
    assert (version_hash(one) == version_hash(two)) == (one == two)
    assert version_text(version_number(one)) == version_hash(one)
    assert -(2**63) <= version_number(one) < 2**63


def test_flags_are_sorted_and_paths_keep_separators() -> None:
    assert pack_flags({"b", "a"}) == "a b"
    assert pack_flags(()) is None
    path = ("Süd/West", 'a"b', "")
    assert unpack_path(pack_path(path)) == path
