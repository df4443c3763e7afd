"""SyncFolderItems by EWS from a scripted server."""

from __future__ import annotations

import pytest
from ews_responder import (
    Answer,
    Request,
    envelope,
    fault,
    message,
    responder,
)
from ews_scripts import INBOX, Open, change, sync

from model.errors import CursorLost, Transient
from model.protocols import Ref


def test_changes_come_page_by_page_with_their_cursor(source: Open) -> None:
    first = change("Create", "a", "k1", "<t:Size>12</t:Size>") + change("Update", "b", "k2")
    second = change("ReadFlagChange", "a", "k1", "<t:IsRead>true</t:IsRead>") + change("Delete", "b", "k2")

    def script(request: Request) -> Answer:
        if "<m:SyncState>" not in request.xml:
            return sync(first, "s1", last=False)
        return sync(second, "s2") if "<m:SyncState>s1<" in request.xml else sync("", "s2")

    with responder(script) as server:
        one = source(server)
        pages = list(one.changes(INBOX, None))
        assert [page.cursor for page in pages] == ["s1", "s2"]
        assert all(page.full for page in pages)
        assert pages[0].refs == (Ref("a", "k1", size=12), Ref("b", "k2"))
        assert pages[1].refs == (Ref("a", "k1/r1"), Ref("b", "k2", deleted=True))
        again = list(one.changes(INBOX, "s2"))
        assert [(page.refs, page.cursor, page.full) for page in again] == [((), "s2", False)]
        assert "<m:MaxChangesReturned>512</m:MaxChangesReturned>" in server.requests[0].xml


def test_a_lost_cursor_says_so(source: Open) -> None:
    lost = (
        '<m:SyncFolderItemsResponseMessage ResponseClass="Error"><m:MessageText>x</m:MessageText>'
        "<m:ResponseCode>ErrorInvalidSyncStateData</m:ResponseCode><m:SyncState/>"
        "<m:IncludesLastItemInRange>true</m:IncludesLastItemInRange></m:SyncFolderItemsResponseMessage>"
    )
    for answer in (Answer(envelope("SyncFolderItems", lost)), sync("", "")):
        with responder(lambda _, answer=answer: answer) as server, pytest.raises(CursorLost):
            list(source(server).changes(INBOX, "bogus"))


def test_a_sync_that_never_ends_is_stopped(source: Open) -> None:
    with responder(lambda _: sync("", "s1", last=False)) as server, pytest.raises(Transient) as caught:
        list(source(server).changes(INBOX, "s1"))
    assert caught.value.code == "sync-stuck"


@pytest.mark.parametrize("states", [("s1",), ("s1", "s2"), ("s2", "s3", "s1")])
def test_the_same_pages_without_end_are_stopped(source: Open, states: tuple[str, ...]) -> None:
    def script(request: Request) -> Answer:
        assert request.number < 10
        state = states[request.number % len(states)]
        return sync(change("Create", f"in-{state}", "k"), state, last=False)

    with responder(script) as server, pytest.raises(Transient) as caught:
        list(source(server).changes(INBOX, "s1"))
    assert caught.value.code == "sync-stuck"


def test_busy_between_pages_is_waited_out(source: Open) -> None:
    def script(request: Request) -> Answer:
        if request.number in {1, 2}:
            return fault("ErrorServerBusy", {"BackOffMilliseconds": "20"})
        return sync(
            change("Create", f"i{request.number}", "k"), f"s{request.number}", last=request.number > 0
        )

    with responder(script) as server:
        pages = list(source(server).changes(INBOX, None))
        assert [page.refs[0].id for page in pages] == ["i0", "i3"]


def test_a_page_without_its_changes_is_asked_for_again(source: Open) -> None:
    last = "<m:IncludesLastItemInRange>true</m:IncludesLastItemInRange>"
    bare = message("SyncFolderItems", f"<m:SyncState>s9</m:SyncState>{last}")

    def script(request: Request) -> Answer:
        if request.number < 2:
            return Answer(envelope("SyncFolderItems", bare))
        return sync(change("Create", "a", "k"), "s1")

    with responder(script) as server:
        (page,) = source(server).changes(INBOX, None)
        assert [ref.id for ref in page.refs] == ["a"]
        assert page.cursor == "s1"
