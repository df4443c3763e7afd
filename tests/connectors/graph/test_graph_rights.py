"""Rights to calendars are one container, listed whole; a list that is not the owner's is no list."""

from __future__ import annotations

import json

import pytest
from graph_script import HOME, Answer, Ask, Cloud, Open, error

from connectors.graph.source import GraphSource
from model.errors import Blocked, MigrationError
from model.kinds import Kind
from model.listed_rights import ListedRight
from model.protocols import Native, Page

OWNER = {"address": "anna@example.org"}
MAIN = {"id": "main", "name": "Kalender", "isDefaultCalendar": True, "owner": OWNER}
TEAM = {"id": "team", "name": "Team", "owner": OWNER}
LENT = {"id": "lent", "name": "Berta", "owner": {"address": "berta@example.org"}}
EVERYBODY = {"id": "RGVmYXVsdA==", "role": "freeBusyRead", "emailAddress": {"name": "My Organization"}}


def entry(address: str, role: str, id_: str | None = None) -> dict[str, object]:
    return {"id": id_ or address, "role": role, "emailAddress": {"name": "B. B.", "address": address}}


def cloud(main: Answer, team: Answer | None = None) -> Cloud:
    def answer(ask: Ask) -> Answer:
        rows = {
            "/calendar": Answer(MAIN),
            "/calendars": Answer({"value": [LENT, TEAM, MAIN]}),
            "/calendarGroups": Answer({"value": []}),
            "/calendars/main/calendarPermissions": main,
            "/calendars/team/calendarPermissions": team or Answer({"value": []}),
        }
        path = ask.path.removeprefix(HOME)
        if ask.batched and path.startswith("/calendars/"):
            return Answer({"id": path.removeprefix("/calendars/")})
        return rows.get(path, error("ErrorAccessDenied", 403))

    return Cloud(answer)


def listed(source: GraphSource, cursor: str | None = None) -> Page:
    (container,) = source.containers()
    assert container.kind is Kind.PERMISSIONS
    (page,) = source.changes(container, cursor)
    return page


def opened(source: Open, cloud: Cloud) -> GraphSource:
    return source(cloud, kinds=frozenset({Kind.PERMISSIONS}))


def test_rights_to_own_calendars_are_listed_and_fetched(source: Open) -> None:
    main = Answer({"value": [EVERYBODY, entry("Bert@example.org", "write"), entry("c@example.org", "none")]})
    side = opened(source, cloud(main, Answer({"value": [entry("bert@example.org", "read")]})))
    page = listed(side)
    assert page.full
    (container,) = side.containers()
    found = {}
    for native in side.fetch(container, page.refs):
        assert isinstance(native, Native)
        assert native.format == "graph-right"
        assert native.body is not None
        assert "example" not in native.ref.id
        with native.body() as stream:
            item = json.load(stream)["item"]
        assert "B. B." not in item.values()
        found[native.properties["Folder"], item["address"]] = item["role"], native.properties["Kind"]
    assert found == {
        ("main", ""): ("freeBusyRead", "calendar"),
        ("main", "bert@example.org"): ("write", "calendar"),
        ("team", "bert@example.org"): ("read", "calendar"),
    }
    assert listed(side, page.cursor).refs == ()


def test_a_new_name_changes_no_right_and_a_new_role_does(source: Open) -> None:
    one = entry("bert@example.org", "write", "x")
    first, renamed, less = (
        listed(opened(source, cloud(Answer({"value": [EVERYBODY, row]}))))
        for row in (
            one,
            one | {"emailAddress": {"name": "C", "address": "bert@example.org"}},
            one | {"role": "read"},
        )
    )
    assert renamed == first
    assert [ref.id for ref in less.refs] == [ref.id for ref in first.refs]
    assert all(a.version != b.version for a, b in zip(first.refs, less.refs, strict=True)), "they add up"


def test_the_same_right_to_another_calendar_is_news(source: Open) -> None:
    row = entry("bert@example.org", "read")
    before = listed(opened(source, cloud(Answer({"value": [EVERYBODY, row]}))))
    side = opened(source, cloud(Answer({"value": [EVERYBODY]}), Answer({"value": [row]})))
    after = listed(side, before.cursor)
    assert after.full
    assert {ref.id for ref in after.refs} != {ref.id for ref in before.refs}


@pytest.mark.parametrize(
    "main",
    [Answer({"value": []}), error("ErrorAccessDenied", 403)],
    ids=["empty", "denied"],
)
def test_what_is_not_told_is_not_taken_for_no_right(source: Open, main: Answer) -> None:
    with pytest.raises(Blocked, match="no-permissions-permission"):
        listed(opened(source, cloud(main)))


@pytest.mark.parametrize("status", [404, 500])
def test_one_calendar_that_fails_hides_no_right(source: Open, status: int) -> None:
    team = error("ErrorItemNotFound" if status == 404 else "ErrorInternalServerError", status)
    with pytest.raises(MigrationError):
        listed(opened(source, cloud(Answer({"value": [EVERYBODY]}), team)))


def test_half_an_entry_is_listed_and_never_lost(source: Open) -> None:
    rows = [EVERYBODY, {"id": "a"}, {"id": "b", "role": "read", "emailAddress": "x"}, {"role": "write"}]
    assert len(listed(opened(source, cloud(Answer({"value": rows})))).refs) == 4


def test_a_list_tells_of_folders_that_graph_does_not(source: Open) -> None:
    """A calendar's rights are told by Graph itself: a listed one is only compared with them."""
    folder = {"id": "inbox", "displayName": "Posteingang", "parentFolderId": "msgfolderroot"}
    lists = {"/contactFolders", "/contactFolders/contacts/childFolders", "/todo/lists"}

    def answer(ask: Ask) -> Answer:
        path = ask.path.removeprefix(HOME)
        if path.startswith("/calendar"):
            return calendars.script(ask)
        if path.startswith("/mailFolders/"):
            children = path.endswith("/childFolders")
            shown = [folder] if path == "/mailFolders/msgfolderroot/childFolders" else []
            return Answer({"value": shown}) if children else Answer({"id": path.rpartition("/")[2]})
        return Answer({"value": []}) if path in lists else Answer({"id": "contacts"})

    calendars = cloud(Answer({"value": [EVERYBODY, entry("bert@example.org", "write")]}))
    rows = (
        ListedRight(("Posteingang",), "bert@example.org", ("Reviewer",)),
        ListedRight(("Kalender",), "bert@example.org", ("Editor",)),
        ListedRight(("Aufgaben",), "bert@example.org", ("Editor",)),
    )
    side = source(Cloud(answer), kinds=frozenset({Kind.PERMISSIONS}), listed=rows)
    (container,) = side.containers()
    found = {}
    for native in side.fetch(container, listed(side).refs, bodies=True):
        assert isinstance(native, Native)
        assert native.body is not None
        with native.body() as stream:
            item = json.load(stream)["item"]
        found[native.format, native.properties["Folder"]] = item.get("told")
    assert found == {
        ("graph-right", "main"): None,
        ("listed-right", "inbox"): False,
        ("listed-right", "main"): True,
        ("listed-right", ""): False,
    }
