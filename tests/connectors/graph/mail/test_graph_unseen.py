"""Folders of calendars, contacts and tasks that only mailFolders lists: none of them moves, each has a reason
and a count."""

from __future__ import annotations

from collections.abc import Iterable

from graph_script import HOME, Answer, Ask, Cloud, Open, error
from test_graph_folders import TOP, row, tree

from connectors.graph_api.folders import DELETED
from model.kinds import Kind
from model.protocols import Container, Role

PEOPLE = frozenset({Kind.MAIL, Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS})
ROWS = [
    row("T", TOP, "Trash"),
    row("CAL", TOP, "Calendar", "IPF.Appointment"),
    row("A1", "T", "Old calendar", "IPF.Appointment"),
    row("A2", TOP, "Logging", "IPF.Appointment", isHidden=True),
    row("A3", TOP, "Shown", "IPF.Appointment"),
    row("K1", TOP, "Persons", "IPF.Contact.Company", isHidden=True),
    row("K2", "T", "Old people", "IPF.Contact"),
    row("J1", TOP, "Sent tasks", "IPF.Task", isHidden=True),
    row("J2", "T", "Old tasks", "IPF.Task"),
    row("J3", TOP, "Tasks", "IPF.Task"),
    row("K3", "CON", "Recipient Cache", "IPF.Contact.RecipientCache", isHidden=True),
    row("K4", "CON", "Seen below", "IPF.Contact"),
]


def cloud(refused: str = "") -> Cloud:
    """refused: below which folder nothing may be listed."""
    folders = tree(ROWS, {"deleteditems": "T"})
    mail = folders.script

    def script(ask: Ask) -> Answer:
        path = ask.path.removeprefix(HOME)
        if path == f"/mailFolders/{refused}/childFolders":
            return error("ErrorAccessDenied", 403)
        if path.startswith("/mailFolders"):
            return mail(ask)
        if path in {"/calendar", "/calendars/CAL"}:
            return Answer({"id": "CAL", "name": "Calendar"})
        if path in {"/contactFolders/contacts", "/contactFolders/CON"}:
            return Answer({"id": "CON", "displayName": "Contacts"})
        if path == "/todo/lists":
            return Answer({"value": [{"id": "LIST", "displayName": "Tasks", "isOwner": True}]})
        return Answer({"value": []})

    return Cloud(script)


def omitted(found: Iterable[Container]) -> dict[str, str | None]:
    return {one.id: one.omit for one in found if one.omit is not None}


def test_what_no_reader_lists_has_its_reason_and_its_count(source: Open) -> None:
    found = {one.id: one for one in source(cloud(), kinds=PEOPLE).containers()}
    assert omitted(found.values()) == {
        "A1": DELETED, "A2": "hidden", "K1": "hidden", "K2": DELETED, "K3": "hidden", "J1": "hidden",
    }  # fmt: skip
    assert {one.total for one in found.values() if one.omit} == {3}
    assert (found["A1"].path, found["K3"].path) == (
        ("Trash", "Old calendar"),
        ("Contacts", "Recipient Cache"),
    )
    assert {"J2", "J3", "A3", "K4"}.isdisjoint(found), "their readers list them, or nobody knows"
    assert [one.role for one in found.values() if one.id == "CAL"] == [Role.CALENDAR]


def test_of_what_is_not_asked_for_nothing_is_told(source: Open) -> None:
    some = list(source(cloud(), kinds=frozenset({Kind.MAIL, Kind.CONTACTS})).containers())
    assert set(omitted(some)) == {"K1", "K2", "K3"}
    assert omitted(source(cloud(), kinds=frozenset({Kind.CALENDAR})).containers()) == {}


def test_a_folder_below_which_nothing_may_be_listed_is_no_fault(source: Open) -> None:
    found = list(source(cloud(refused="CON"), kinds=PEOPLE).containers())
    assert set(omitted(found)) == {"A1", "A2", "K1", "K2", "J1"}
