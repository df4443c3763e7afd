"""Attachments are taken out of whatever a server sends, and nothing else is changed."""

from __future__ import annotations

import io
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from connectors.caldav.attachments import parted, whole
from connectors.http.upload import PieceSink

PIECES = [
    b"ATTACH", b";", b":", b"\r\n", b"\n", b"\r\n ", b"\n\t", b'"', b"ENCODING=BASE64", b";MANAGED-ID=1",
    b"SIZE=3", b"QUFB", b"=", b"END:VEVENT", b"BEGIN:VEVENT", b"http://x/attachments/a", b"\xff\xc3",
    b"\0", b" ",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_whatever_a_server_sends_passes_through(pieces: list[bytes]) -> None:
    raw = b"BEGIN:VCALENDAR\r\n" + b"".join(pieces)

    def new() -> PieceSink:
        return PieceSink(Path("unused"), 10**6)

    def nothing(url: str) -> None:
        assert isinstance(url, str)

    parcel = parted(lambda: io.BytesIO(raw), 10**6, new)
    with parcel.body() as stream:
        assert stream.read() == raw
    assert (parcel.large, parcel.size) == ((), len(raw))
    made = whole(lambda: io.BytesIO(raw), nothing, new)
    assert made is None or all(one.content.size == 0 for one in made.managed)
