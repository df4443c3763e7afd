"""Whatever a record says: what the mapping makes of it is taken by an Open-Xchange, and comes back as it was
written; no mail is sent."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from broken_events import change, changed
from event_goldens import FOLDER, cases
from event_native import NOT_AFTER, context, native
from hypothesis import given
from hypothesis import strategies as st
from open_xchange_desk import PASSWORD_ENV, OpenXchangeDesk, desk_on
from results import stored
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate
from servers.smtp_sink import SmtpSink

from mappings.compare.semantic_digest import calendar_differing, calendar_digest
from mappings.registry import map_event
from model.errors import Rejected
from model.protocols import Item

OWNER = "jette.brandt@kiel.example"
NUMBERS = count(1)
ADDRESS = re.compile(r"[\w.+-]+@kiel\.example")
UID = re.compile(rb"(?m)^UID:.*(?:\r\n[ ].*)*\r$")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenXchangeDesk]:
    """Everybody of the owner's organisation is a user of the server."""
    records = ((FOLDER / name / "record.xml").read_text() for name in cases())
    people = {who.lower(): who for record in records for who in ADDRESS.findall(record)}
    with pytest.MonkeyPatch.context() as patch, SmtpSink() as sink:
        patch.setenv(PASSWORD_ENV, USER_PASSWORD)
        with OpenXchangeServer({OWNER: "Jette", **people}, sink=sink, rate=Rate(10**9)) as server:
            made = desk_on(server, Path(tmp_path_factory.mktemp("spool")), OWNER)
            yield made
            made.target.close()
            assert sink.mails == []


def another(item: Item) -> Item:
    """The same event under a UID and a key of its own."""
    number = next(NUMBERS)
    with item.body() as stream:
        body = UID.sub(b"UID:u%d\r" % number, stream.read())
    return replace(
        item,
        key=number.to_bytes(16, "big"),
        uid=f"u{number}",
        size=len(body),
        body=lambda: io.BytesIO(body),
        digest=calendar_digest(io.BytesIO(body), NOT_AFTER),
    )


@given(st.sampled_from(cases()), st.lists(change, max_size=5))
def test_what_is_made_of_any_record_is_taken_and_comes_back(
    desk: OpenXchangeDesk, name: str, changes: list[tuple[int, str, str]]
) -> None:
    record = changed((FOLDER / name / "record.xml").read_bytes(), changes)
    try:
        made = map_event(native(record), context({OWNER}, target=desk.target.capabilities))
    except Rejected:
        return
    item = another(made.item)
    (result,) = stored(desk.target.write(desk.href, [item]))
    with item.body() as meant:
        assert calendar_differing(meant, io.BytesIO(desk.read(result)), NOT_AFTER) == ()
