"""Which mail folders a mailbox has: roles by well-known name, hidden and search folders with their reason."""

from __future__ import annotations

import pytest
from graph_script import HOME, Answer, Ask, Cloud, Open, error

from connectors.settings import Account
from model.errors import Blocked, MigrationError
from model.kinds import Kind
from model.protocols import Role
from practice.graph.server import GraphServer

Row = dict[str, object]
TOP = "ROOT"


def row(id_: str, parent: str, name: str, class_: str = "IPF.Note", **changes: object) -> Row:
    tags = [{"id": "String 0x3613", "value": class_}, {"id": "Long 0xe08", "value": "12345"}]
    return {
        "id": id_,
        "displayName": name,
        "parentFolderId": parent,
        "childFolderCount": 0,
        "totalItemCount": 3,
        "isHidden": False,
        "singleValueExtendedProperties": tags,
        **changes,
    }


def tree(rows: list[Row], known: dict[str, str], most: int = 100) -> Cloud:
    """A cloud with these folders, `most` children in one page."""

    def script(ask: Ask) -> Answer:
        name = ask.path.removeprefix(f"{HOME}/mailFolders/")
        if not name.endswith("/childFolders"):
            found = {"msgfolderroot": TOP, **known}.get(name)
            return Answer({"id": found}) if found else error("ErrorItemNotFound", 404)
        parent = name.partition("/")[0]
        below = [one for one in rows if one["parentFolderId"] == parent]
        skip = int(ask.query.get("$skip", "0"))
        page: dict[str, object] = {"value": below[skip : skip + most]}
        if skip + most < len(below):
            page["@odata.nextLink"] = f"https://elsewhere.example/me{ask.path}?$skip={skip + most}"
        return Answer(page)

    return Cloud(script)


def test_roles_come_from_well_known_names_never_from_names(source: Open) -> None:
    rows = [row("A", TOP, "Sent Items"), row("B", TOP, "Gesendet"), row("C", TOP, "Archive")]
    known = {"sentitems": "B", "archive": "C"}
    found = {one.id: one for one in source(tree(rows, known)).containers()}
    assert {id_: one.role for id_, one in found.items()} == {"A": None, "B": Role.SENT, "C": Role.ARCHIVE}
    assert (found["B"].total, found["B"].size) == (3, 12345)


def test_what_does_not_move_has_its_reason_and_its_count(source: Open) -> None:
    rows = [
        row("H", TOP, "Clutters", isHidden=True),
        row("HH", "H", "Below"),
        row("S", TOP, "Unread", **{"@odata.type": "#microsoft.graph.mailSearchFolder"}),
        row("Y", TOP, "Sync Issues"),
        row("YY", "Y", "Conflicts"),
        row("J", TOP, "Journal", "IPF.Journal"),
        row("N", TOP, "Notes", "IPF.StickyNote"),
        row("M", TOP, "Mail", "IPF.Note.Something"),
    ]
    known = {"syncissues": "Y", "conflicts": "YY"}
    found = {one.id: one for one in source(tree(rows, known)).containers()}
    assert {id_: one.omit for id_, one in found.items()} == {
        "H": "hidden", "HH": "hidden", "S": "search-folder", "Y": "sync-issues", "YY": "sync-issues",
        "J": "journal", "N": "notes", "M": None,
    }  # fmt: skip
    assert all(one.total == 3 for one in found.values())
    assert found["N"].kind is Kind.NOTES


def test_folders_of_other_kinds_are_left_to_their_own_readers(source: Open) -> None:
    rows = [
        row("C", TOP, "Cal", "IPF.Appointment"),
        row("K", TOP, "Con", "IPF.Contact.X"),
        row("A", TOP, "A"),
    ]
    assert [one.id for one in source(tree(rows, {})).containers()] == ["A"]


def test_children_are_asked_for_everywhere_and_page_by_page(source: Open) -> None:
    rows = [row(f"F{at}", TOP, f"F{at}") for at in range(25)]
    rows += [row(f"G{at}", "F24", f"G{at}", isHidden=at == 3) for at in range(5)]
    cloud = tree(rows, {}, most=2)
    found = [one.path for one in source(cloud).containers()]
    assert len(found) == 30
    assert found.index(("F24",)) < found.index(("F24", "G0"))
    lists = [ask for ask in cloud.asks if ask.path.endswith("/childFolders") and "$skip" not in ask.query]
    assert all(ask.query["includeHiddenFolders"] == "true" for ask in lists)
    assert all(ask.path.startswith(HOME) for ask in cloud.asks), "no link leads out of this mailbox"


def test_a_folder_inside_itself_ends(source: Open) -> None:
    rows = [row("A", TOP, "A"), row("B", "A", "B"), {**row("A", "B", "A")}]
    assert sorted(one.id for one in source(tree(rows, {})).containers()) == ["A", "B"]


def test_a_folder_that_goes_meanwhile_is_left_out(source: Open) -> None:
    cloud = tree([row("A", TOP, "A"), row("B", TOP, "B")], {})
    asked = cloud.script
    cloud.script = lambda ask: error("ErrorItemNotFound", 404) if "/A/child" in ask.path else asked(ask)
    assert {one.id for one in source(cloud).containers()} == {"A", "B"}


def test_a_mailbox_without_a_root_blocks(source: Open) -> None:
    with pytest.raises(Blocked, match="mailbox-not-online"):
        list(source(Cloud(lambda _: error("MailboxNotEnabledForRESTAPI", 404))).containers())


@pytest.mark.parametrize("code", ["ErrorItemNotFound", "ErrorInvalidIdMalformed"])
def test_a_well_known_folder_that_is_not_there_is_nobody(source: Open, code: str) -> None:
    cloud = tree([row("A", TOP, "A")], {})
    asked = cloud.script
    cloud.script = lambda ask: error(code, 400) if ask.path.endswith("/junkemail") else asked(ask)
    assert [one.role for one in source(cloud).containers()] == [None]


@pytest.mark.parametrize(
    "fault",
    [error("InvalidAuthenticationToken", 401), error("", 403), error("BadRequest", 400), error("", 500)],
)
def test_a_folder_does_not_lose_its_role_because_of_a_fault(source: Open, fault: Answer) -> None:
    cloud = tree([row("I", TOP, "Inbox")], {"inbox": "I"})
    asked = cloud.script
    cloud.script = lambda ask: fault if ask.path.endswith("/inbox") else asked(ask)
    with pytest.raises(MigrationError):
        list(source(cloud).containers())


def test_folders_that_may_not_be_read_block(source: Open) -> None:
    with pytest.raises(Blocked, match="access-denied"):
        list(source(Cloud(lambda _: error("ErrorAccessDenied", 403))).containers())


def test_the_practice_tree_is_listed_as_it_is(source: Open, practice: GraphServer) -> None:
    mailbox = practice.world.mailbox(practice.world.addresses()[0])
    found = list(source(practice, Account(login=mailbox.address)).containers())
    by_path = {one.path: one for one in found}
    assert len(by_path) == len(found)
    assert by_path[("Posteingang",)].role is Role.INBOX
    assert by_path[("INBOX",)].role is None
    assert by_path[("Quick Step Settings",)].omit == "hidden"
    assert by_path[("Ungelesene E-Mail",)].omit == "search-folder"
    assert by_path[("Projekte", "Rathaus & Bürgerbüro", "2024/2025", "Fotos \\ Pläne")].omit is None
    moved = sum(one.total or 0 for one in found if one.omit is None)
    assert moved == sum(one.total for one in mailbox.folders() if one.kind == "normal" and is_mail(one))


def is_mail(folder: object) -> bool:
    return getattr(folder, "folder_class", "") == "IPF.Note" and _below_top(folder)


def _below_top(folder: object) -> bool:
    here = getattr(folder, "parent", None)
    while here is not None:
        if here.role == "msgfolderroot":
            return True
        here = here.parent
    return False
