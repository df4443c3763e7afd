"""The rights that an administrator exported: what is read, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.planning.rights_list import RightsList, read_rights
from model.errors import Misconfigured
from model.listed_rights import ListedRight

HEADER = "mailbox,folder,user,rights,deny\n"


def read(tmp_path: Path, *rows: str, header: str = HEADER) -> RightsList:
    file = tmp_path / "permissions.csv"
    file.write_text(header + "".join(f"{row}\n" for row in rows))
    return read_rights(file)


def refused(tmp_path: Path, *rows: str, header: str = HEADER) -> str:
    with pytest.raises(Misconfigured) as error:
        read(tmp_path, *rows, header=header)
    return str(error.value)


def test_rows_of_a_mailbox_come_together(tmp_path: Path) -> None:
    listed = read(
        tmp_path,
        "Anna@Old.example,,bert@old.example,FullAccess,",
        "anna@old.example,,carla@old.example,fullaccess,True",
        "anna@old.example,/Posteingang/Abteilung 7,BERT@old.example,Reviewer,False",
        "bert@old.example,\\Kalender,default,ReadItems|folderVisible,",
        "bert@old.example,/Inbox,S-1-5-21-1-2-3-500,Owner,",
    )
    assert listed.of("ANNA@old.example") == (
        ListedRight((), "bert@old.example", ("FullAccess",)),
        ListedRight((), "carla@old.example", ("FullAccess",), denied=True),
        ListedRight(("Posteingang", "Abteilung 7"), "bert@old.example", ("Reviewer",)),
    )
    assert listed.of("bert@old.example") == (
        ListedRight(("Kalender",), "default", ("ReadItems", "FolderVisible")),
        ListedRight(("Inbox",), "s-1-5-21-1-2-3-500", ("Owner",)),
    )
    assert listed.of("carla@old.example") == ()
    assert sorted(listed.lines.items()) == [("anna@old.example", 2), ("bert@old.example", 5)]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/Inbox/A\uf8ffB", ("Inbox", "A/B")),
        ("\\Inbox\\A/B", ("Inbox", "A/B")),
        ("/Inbox/C\uf8fe", ("Inbox", "C\\")),
    ],
)
def test_a_slash_in_a_name_separates_no_names(tmp_path: Path, path: str, names: tuple[str, ...]) -> None:
    listed = read(tmp_path, f"anna@old.example,{path},bert@old.example,Editor,")
    assert [one.folder for one in listed.of("anna@old.example")] == [names]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("anna,,bert@old.example,FullAccess,", "permissions.csv:2: mailbox: not an e-mail address"),
        (",,bert@old.example,FullAccess,", "permissions.csv:2: mailbox: is empty"),
        ("anna@old.example,,Bert,FullAccess,", "permissions.csv:2: user: neither an e-mail address"),
        ("anna@old.example,,,FullAccess,", "permissions.csv:2: user: is empty"),
        ("anna@old.example,Inbox,b@old.example,Editor,", "permissions.csv:2: folder: a path begins with /"),
        ("anna@old.example,/,b@old.example,Editor,", "permissions.csv:2: folder: a path begins with /"),
        ("anna@old.example,,b@old.example,Editor,", "permissions.csv:2: rights: a right to a whole mailbox"),
        ("anna@old.example,/In,b@old.example,Editr,", "did you mean Editor?"),
        ("anna@old.example,/In,b@old.example,FullAccess,", "permissions.csv:2: rights: a right to a folder"),
        ("anna@old.example,/In,b@old.example,,", "permissions.csv:2: rights: is empty"),
        ("anna@old.example,,b@old.example,FullAccess,no", "permissions.csv:2: deny: give True or False"),
        ("anna@old.example,/In,b@old.example,Editor,True", "permissions.csv:2: deny: only a right to the"),
        ("anna@old.example,,b@old.example,FullAccess,,x", "permissions.csv:2: has more cells"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, row: str, told: str) -> None:
    assert told in refused(tmp_path, row)


def test_every_fault_is_named_at_once_and_no_value_is_repeated(tmp_path: Path) -> None:
    text = refused(tmp_path, "anna,,bert,FullAccess,", "x@old.example,/In,secret-person,Editor,")
    assert "permissions.csv:2: mailbox" in text
    assert "permissions.csv:3: user" in text
    assert "secret-person" not in text


def test_a_list_without_rows_or_columns_takes_no_right_back(tmp_path: Path) -> None:
    assert "names no right" in refused(tmp_path)
    assert "permissions.csv" in refused(tmp_path, header="")
    assert "permissions.csv" in refused(tmp_path, "a@old.example,Owner", header="mailbox,rights\n")
