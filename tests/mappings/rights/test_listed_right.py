"""Rights of an administrator's list: full access comes to each folder, and nobody gets more than both say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connectors.exchange.listed_rights import with_listed
from connectors.exchange.record_set import Record
from connectors.exchange.rights import RightsAnswer, RightSetReader
from mappings.fields.context import Context
from mappings.registry import ITEM_FORMS
from mappings.rights.right_item import CODES, title_of
from model.folder_rights import RightsForm, right_of
from model.kinds import Kind
from model.listed_rights import ListedRight
from model.protocols import Capabilities, Container, Loss, Mapped, Native, Role

NOW = datetime(2026, 12, 1, tzinfo=UTC)
SPACES = (
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)
INBOX = Container(Kind.MAIL, "in", ("Posteingang",), Role.INBOX)
PROJECTS = Container(Kind.MAIL, "pro", ("Posteingang", "Straße"))
CALENDAR = Container(Kind.CALENDAR, "cal", ("Kalender",), Role.CALENDAR)
FOLDERS = (INBOX, PROJECTS, CALENDAR)
KNOWN = {
    "bert@old.example": "bert",
    "dora@old.example": "dora",
    "anna@old.example": "anna",
}


def people(_kind: Kind, address: str) -> Mapping[str, str | None]:
    return {address: KNOWN[address]} if address in KNOWN else {}


CONTEXT = Context(
    Capabilities(
        frozenset({Kind.PERMISSIONS}), rights={Kind.MAIL: RightsForm.ACL, Kind.CALENDAR: RightsForm.SHARE}
    ),
    NOW,
    NOW,
    owner=frozenset({"anna@old.example"}),
    places={"in": (Kind.MAIL, "INBOX"), "pro": (Kind.MAIL, "INBOX/Str"), "cal": (Kind.CALENDAR, "cal/")},
    people=people,
)


def own(address: str, level: str, folder: Container = INBOX) -> tuple[str, Record]:
    """A right that the mailbox itself tells."""
    user = f"<t:UserId><t:PrimarySmtpAddress>{address}</t:PrimarySmtpAddress></t:UserId>"
    entry = f"<t:Permission>{user}<t:PermissionLevel>{level}</t:PermissionLevel></t:Permission>"
    body = f"<m:Items {SPACES}>{entry}</m:Items>".encode()
    return f"own/{folder.id}/{address}", Record(body, {"Folder": folder.id, "Kind": folder.kind.value})


def natives(*told: tuple[str, Record], listed: tuple[ListedRight, ...], silent: str = "") -> list[Native]:
    answer = RightsAnswer(dict(told))
    known = {one.id for one in FOLDERS} - {silent}
    reader = RightSetReader(lambda: with_listed(answer, listed, FOLDERS, known), "ews-right")
    (page,) = reader.changes(None)
    found = list(reader.fetch(page.refs, bodies=True))
    return [one for one in found if isinstance(one, Native)]


def given(*told: tuple[str, Record], listed: tuple[ListedRight, ...], silent: str = "") -> dict[str, str]:
    """Return the words that each person gets, by folder and person; and the codes of what is left."""
    result = {}
    for native in natives(*told, listed=listed, silent=silent):
        one = ITEM_FORMS[Kind.PERMISSIONS].map(native, CONTEXT)
        folder = str(native.properties["Folder"])
        if one.left:
            assert one.left in CODES
            result[f"{folder} {native.ref.id.partition('/')[0]}"] = one.left
        else:
            with one.item.body() as stream:
                right = right_of(stream.read().decode())
            result[f"{folder} {right.who}"] = right.words
    return result


def mapped(listed: tuple[ListedRight, ...]) -> list[Mapped]:
    return [ITEM_FORMS[Kind.PERMISSIONS].map(one, CONTEXT) for one in natives(listed=listed)]


FULL = ListedRight((), "bert@old.example", ("FullAccess",))


def test_full_access_comes_to_each_folder_and_gives_nobody_else_rights() -> None:
    assert given(listed=(FULL,)) == {
        "in bert": "eiklprstw",
        "pro bert": "eiklprstw",
        "cal bert": "read-write",
    }
    parts, hidden = Loss("right", "parts"), Loss("right", "private-items")
    assert [one.losses for one in mapped((FULL,))] == [(parts,), (parts,), (parts, hidden)]


def test_full_access_adds_to_what_the_folder_gives() -> None:
    found = given(own("bert@old.example", "Reviewer"), listed=(FULL,))
    assert found.pop("in bert") == "eiklprstw"
    assert "right-named-twice" in found.values()
    assert given(own("bert@old.example", "Owner"), listed=(FULL,))["in bert"] == "aeiklprstwx"


def test_a_denied_person_or_group_has_no_full_access() -> None:
    denied = replace(FULL, denied=True)
    assert given(listed=(denied,)) == {}
    assert set(given(listed=(FULL, denied)).values()) == {"right-denied"}
    group = replace(denied, user="group@old.example")
    assert set(given(listed=(FULL, group)).values()) == {"right-denied"}, "nobody knows who is in it"
    other = replace(denied, user="dora@old.example")
    assert set(given(listed=(FULL, other)).values()) == {"eiklprstw", "read-write"}


def test_rights_that_no_folder_holds_are_named() -> None:
    rights = (
        ListedRight((), "bert@old.example", ("SendAs", "SendOnBehalf")),
        ListedRight((), "dora@old.example", ("SendAs",), denied=True),
    )
    assert sorted(given(listed=rights).values()) == ["send-as", "send-on-behalf"]
    titles = {title_of(one) for one in natives(listed=(*rights, FULL))}
    assert titles == {
        "bert@old.example: send-as",
        "bert@old.example: send-on-behalf",
        "bert@old.example: full access",
    }


@pytest.mark.parametrize(
    ("told", "listed", "words"),
    [("Editor", "Reviewer", "lrs"), ("Reviewer", "Editor", "lrs"), ("Editor", "Editor", "eilprstw")],
)
def test_the_narrower_of_list_and_folder_counts(told: str, listed: str, words: str) -> None:
    row = ListedRight(INBOX.path, "bert@old.example", (listed,))
    assert given(own("bert@old.example", told), listed=(row,))["in bert"] == words


def test_a_folder_that_tells_others_confirms_no_row_of_the_list() -> None:
    row = ListedRight(INBOX.path, "bert@old.example", ("Editor",))
    assert list(given(listed=(row,)).values()) == ["right-not-at-source"]
    assert given(listed=(row,), silent="in") == {"in bert": "eilprstw"}, "nobody else tells of this folder"


def test_several_rows_and_single_rights_add_up() -> None:
    rows = (
        ListedRight(INBOX.path, "bert@old.example", ("ReadItems", "FolderVisible")),
        ListedRight(INBOX.path, "bert@old.example", ("CreateItems",)),
    )
    assert given(listed=rows, silent="in") == {"in bert": "ilprs"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("posteingang", "STRASSE"), {"pro bert": "lrs"}),
        (("Posteingang", "Strasse", "Neu"), {}),
        (("Top of Information Store",), {}),
    ],
)
def test_folders_are_found_by_their_path(path: tuple[str, ...], found: dict[str, str]) -> None:
    row = ListedRight(path, "bert@old.example", ("Reviewer",))
    got = given(listed=(row,), silent="pro")
    assert got == found or list(got.values()) == ["right-of-unmoved-folder"]
    assert bool(found) is ("pro bert" in got)


def test_a_path_of_two_folders_names_neither() -> None:
    twins = (INBOX, replace(PROJECTS, path=("POSTEINGANG",)))
    row = ListedRight(("posteingang",), "bert@old.example", ("Reviewer",))
    (record,) = with_listed(RightsAnswer({}), (row,), twins, ()).records.values()
    assert record.properties["Folder"] == ""
    exact = replace(row, folder=INBOX.path)
    (record,) = with_listed(RightsAnswer({}), (exact,), twins, ()).records.values()
    assert record.properties["Folder"] == "in"


@pytest.mark.parametrize(
    ("user", "code"),
    [
        ("default", "right-for-everyone"),
        ("anonymous", "right-for-everyone"),
        ("s-1-5-21-1-2-3-500", "right-of-deleted"),
        ("stranger@elsewhere.example", "right-of-unknown"),
        ("anna@old.example", "right-of-owner"),
    ],
)
def test_who_is_nobody_or_everybody_gets_nothing(user: str, code: str) -> None:
    rows = (ListedRight(INBOX.path, user, ("Owner",)), ListedRight((), user, ("FullAccess",)))
    assert set(given(listed=rows, silent="in").values()) == {code}


def test_a_list_about_others_changes_nothing() -> None:
    answer = RightsAnswer(dict([own("bert@old.example", "Editor")]))
    assert with_listed(answer, (), iter(FOLDERS), ()) is answer


def test_one_row_less_is_news_and_the_same_rows_are_none() -> None:
    rows = [FULL, replace(FULL, user="dora@old.example")]
    answer = RightsAnswer({})
    reader = RightSetReader(lambda: with_listed(answer, tuple(rows), FOLDERS, ()), "ews-right")
    (page,) = reader.changes(None)
    rows.reverse()
    assert [one.refs for one in reader.changes(page.cursor)] == [()]
    rows.pop()
    (less,) = reader.changes(page.cursor)
    assert less.full
    assert len(less.refs) == len(FOLDERS)
