"""What changed in a folder: pages and cursors, removed and half-told rows, and cursors that are lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from graph_script import HOME, INBOX, Answer, Cloud, Open, error
from servers.faulty.graph import FaultyGraph
from servers.faulty.plan import FaultPlan, invalid_sync_state

from connectors.settings import Account
from model.errors import CursorLost, Transient
from model.protocols import Page
from practice.world.world import World

PATH = f"{HOME}/mailFolders/F1/messages/delta"
LINK = "https://graph.microsoft.com/v1.0/users('anna@example.org')/mailFolders('F1')/messages/delta"


def row(id_: str, *, read: bool = False, key: str = "K1") -> dict[str, object]:
    return {"id": id_, "@odata.etag": f'W/"{key}"', "changeKey": key, "isRead": read}


def following(rows: list[dict[str, object]], token: str) -> Answer:
    return Answer({"value": rows, "@odata.nextLink": f"{LINK}?$skiptoken={token}"})


def final(rows: list[dict[str, object]], token: str) -> Answer:
    return Answer({"value": rows, "@odata.deltaLink": f"{LINK}?$deltatoken={token}"})


def rounds(*answers: Answer) -> Cloud:
    replies: Iterator[Answer] = iter(answers)
    return Cloud(lambda _: next(replies))


def test_a_first_round_goes_page_by_page_to_its_delta_link(source: Open) -> None:
    cloud = rounds(following([row("a")], "s1"), following([row("b")], "s2"), final([row("c")], "d1"))
    pages = list(source(cloud, page_items=1).changes(INBOX, None))
    assert [[ref.id for ref in page.refs] for page in pages] == [["a"], ["b"], ["c"]]
    assert all(page.full for page in pages)
    assert [page.cursor for page in pages] == ["$skiptoken=s1", "$skiptoken=s2", "$deltatoken=d1"]
    assert cloud.paths() == [PATH] * 3
    assert "changeKey" in cloud.asks[0].query["$select"]
    assert [ask.query.get("$skiptoken") for ask in cloud.asks] == [None, "s1", "s2"]
    assert all("odata.maxpagesize=1" in ask.headers["prefer"] for ask in cloud.asks)


def test_a_cursor_names_nobody(source: Open) -> None:
    (page,) = source(rounds(final([], "d1"))).changes(INBOX, None)
    assert "anna" not in page.cursor
    assert "F1" not in page.cursor


def test_a_round_goes_on_from_the_cursor_of_any_page(source: Open) -> None:
    cloud = rounds(final([row("c")], "d1"))
    (page,) = source(cloud).changes(INBOX, "$skiptoken=s2")
    assert not page.full
    assert cloud.asks[0].query == {"$skiptoken": "s2"}


def test_what_was_removed_is_a_deletion(source: Open) -> None:
    removed = {"id": "b", "@removed": {"reason": "deleted"}}
    (page,) = source(rounds(final([row("a"), removed], "d2"))).changes(INBOX, "$deltatoken=d1")
    assert [(ref.id, ref.deleted) for ref in page.refs] == [("a", False), ("b", True)]


def test_the_last_word_about_an_item_counts(source: Open) -> None:
    removed = {"id": "a", "@removed": {"reason": "changed"}}
    (page,) = source(rounds(final([removed, row("a", key="K2")], "d2"))).changes(INBOX, "$deltatoken=d1")
    assert [(ref.id, ref.version, ref.deleted) for ref in page.refs] == [("a", "K2/r0", False)]


def versions(page: Page) -> list[str]:
    return [ref.version for ref in page.refs]


def test_a_read_mark_changes_the_version_though_the_change_key_stays(source: Open) -> None:
    few = {"id": "a", "@odata.etag": 'W/"K1"', "isRead": True, "parentFolderId": "F1"}
    pages = source(rounds(following([row("a")], "s"), final([few], "d"))).changes(INBOX, None)
    assert [versions(page) for page in pages] == [["K1/r0"], ["K1/r1"]]


def test_a_row_that_tells_hardly_anything_is_a_new_version_each_time(source: Open) -> None:
    few: dict[str, object] = {"id": "a", "isRead": True, "parentFolderId": "F1"}
    first = list(source(rounds(final([few], "d2"))).changes(INBOX, "$deltatoken=d1"))
    again = list(source(rounds(final([few], "d2"))).changes(INBOX, "$deltatoken=d1"))
    later = list(source(rounds(final([few], "d3"))).changes(INBOX, "$deltatoken=d2"))
    assert versions(first[0]) == versions(again[0])
    assert versions(first[0]) != versions(later[0])


@pytest.mark.parametrize(
    "lost",
    [
        error("SyncStateNotFound", 410),
        error("resyncRequired", 410),
        error("SyncStateInvalid", 400),
        Answer(status=410, data=b"gone"),
    ],
)
def test_a_lost_cursor_is_told_also_in_the_middle_of_a_round(source: Open, lost: Answer) -> None:
    with pytest.raises(CursorLost, match="cursor-lost"):
        list(source(rounds(lost)).changes(INBOX, "$deltatoken=d1"))
    pages = source(rounds(following([row("a")], "s1"), lost)).changes(INBOX, None)
    assert [ref.id for ref in next(pages).refs] == ["a"]
    with pytest.raises(CursorLost, match="cursor-lost"):
        next(pages)


def test_a_first_request_has_no_cursor_to_lose(source: Open) -> None:
    with pytest.raises(Transient, match="server-error"):
        list(source(rounds(error("SyncStateNotFound", 410))).changes(INBOX, None))


def test_a_page_without_a_link_cannot_be_gone_on_from(source: Open) -> None:
    with pytest.raises(CursorLost):
        list(source(rounds(Answer({"value": [row("a")]}))).changes(INBOX, None))


def test_a_server_that_does_not_advance_is_left(source: Open) -> None:
    cloud = Cloud(lambda _: following([], "same"))
    with pytest.raises(Transient, match="sync-stuck"):
        list(source(cloud).changes(INBOX, None))
    assert len(cloud.asks) == 2


def test_a_folder_that_is_gone_is_listed_again_later(source: Open) -> None:
    with pytest.raises(Transient, match="folder-vanished"):
        list(source(rounds(error("ErrorItemNotFound", 404))).changes(INBOX, "$deltatoken=d1"))


def test_a_busy_page_is_waited_out_in_its_place(source: Open) -> None:
    busy = error("ApplicationThrottled", 429, Retry_After="0")
    cloud = rounds(following([row("a")], "s1"), busy, final([row("b")], "d1"))
    assert [len(page.refs) for page in source(cloud).changes(INBOX, None)] == [1, 1]


def test_a_state_that_the_practice_server_forgets_is_enumerated_anew(source: Open) -> None:
    world = World(seed=3, people=1, items=40, nasty=False)
    with FaultyGraph(world) as server:
        opened = source(server, Account(login=world.addresses()[0]), page_items=3)
        container = max(opened.containers(), key=lambda one: one.total or 0)
        before = {ref.id: ref for page in opened.changes(container, None) for ref in page.refs}
        plan = FaultPlan.none()
        plan.script("Delta", 3, invalid_sync_state())
        server.faults = plan
        pages = opened.changes(container, None)
        told = [next(pages), next(pages)]
        with pytest.raises(CursorLost):
            next(pages)
        assert all(before[ref.id] == ref for page in told for ref in page.refs)
        anew = {ref.id: ref for page in opened.changes(container, None) for ref in page.refs}
        assert anew == before, "the same ids and versions: nothing is new to the ledger"
