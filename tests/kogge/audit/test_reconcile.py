"""`kogge audit reconcile`: an inventory against the organisation's own count of the folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from auditing import Desk
from commands import run
from packs import ANNA, AT, BERT, KEYS, Folder, Pack, Sealed, Thing, section

WHOSE = "anna@old.example"


def folder(path: str, kind: str, items: int) -> str:
    """A line as Export-Csv writes it; the identity has backslashes in place of slashes."""
    identity = WHOSE + path.replace("/", "\\")
    cells = (path.rpartition("/")[2], identity, path, kind, str(items), "1 KB (1,024 bytes)")
    return ",".join(f'"{cell}"' for cell in cells) + "\n"


EXPORT = '"Name","Identity","FolderPath","FolderType","ItemsInFolder","FolderSize"\n' + "".join(
    folder(*one)
    for one in (
        ("/Oberste Ebene des Informationsspeichers", "Root", 0),
        ("/Posteingang", "Inbox", 3),
        ("/Gelöschte Elemente", "DeletedItems", 1),
        ("/Posteingang/Ein\uf022Ausgang", "User Created", 2),
        ("/A\uf8ffB\uf8ffC", "User Created", 1),
        ("/Kalender", "Calendar", 1),
        ("/Recoverable Items", "RecoverableItemsRoot", 17),
        ("/Deletions", "RecoverableItemsDeletions", 5),
    )
)
HERE = (
    Folder("/Posteingang", 3),
    Folder("/gelo\u0308schte elemente", 1),  # decomposed, as some systems write it; and case does not count
    Folder("/Posteingang/Ein/Ausgang", None),
    Folder("/A/B/C", 1),
)
LETTERS = [
    *(Thing(f"{number}", "/Posteingang") for number in range(3)),
    Thing("d", "/gelo\u0308schte elemente"),
    *(Thing(f"{number}", "/Posteingang/Ein/Ausgang") for number in range(2)),
    Thing("abc", "/A/B/C"),
]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("anna.key").write_text(json.dumps({"mailbox": ANNA, "key": KEYS[ANNA].hex()}) + "\n")
    return Desk(tmp_path)


def sealed(desk: Desk, *more: Folder) -> Sealed:
    key = KEYS[ANNA]
    one = section(key, LETTERS, folders=[*HERE, *more])
    later = [Thing("late", "/Posteingang")]
    two = section(key, later, number=2, after=one.root, folders=[Folder("/Posteingang", 4)])
    days = section(key, [Thing("talk", "/Kalender")], "calendar")
    files = section(key, [Thing("plan", "/Posteingang")], "files")
    return desk.seal(Pack({ANNA: [one, two, days, files]}))


def reconcile(*more: str, text: str | bytes = EXPORT) -> int:
    data = text if isinstance(text, bytes) else text.encode("utf-8-sig")
    Path("anna.csv").write_bytes(data)
    return run("audit", "reconcile", "packs/wave-1", "anna.csv", "--keys", "anna.key", *more)


@pytest.mark.parametrize(
    "data",
    [
        EXPORT.encode(),
        EXPORT.encode("utf-8-sig"),
        EXPORT.encode("utf-16"),
        EXPORT.replace("\n", "\r\n").encode("utf-16"),
        b"\xfe\xff" + EXPORT.encode("utf-16-be"),
        EXPORT.replace('","', '";"').encode(),
        EXPORT.replace('","', "\t").replace('"', "").encode("utf-16"),
        ("#TYPE Selected.Microsoft.Exchange.Management.MailboxFolder\r\n" + EXPORT).encode("utf-16"),
        ("\n\n" + EXPORT).encode(),
        EXPORT.replace("FolderPath", "folderpath").replace("ItemsInFolder", "ITEMSINFOLDER").encode(),
    ],
)
def test_exports_as_they_are_met(desk: Desk, said: Callable[[], str], data: bytes) -> None:
    sealed(desk)
    assert reconcile(text=data) == 0
    shown = said()
    assert "folders: 5 agrees, 3 aside" in shown
    assert "RecoverableItemsRoot /Recoverable Items 17 aside nobody sees it" in shown
    assert "No difference: 5 folders" in shown
    assert "Left out" not in shown


def test_identities_do_where_there_is_no_path(desk: Desk, said: Callable[[], str]) -> None:
    sealed(desk)
    lines = [line.split('","') for line in EXPORT.splitlines()]
    text = "\n".join('"' + '","'.join([line[1], *line[3:]]) for line in lines)
    assert reconcile(text=text) == 0
    assert "folders: 5 agrees, 3 aside" in said()


def test_what_differs_is_told_first(desk: Desk, said: Callable[[], str]) -> None:
    sealed(desk, Folder("/Entwürfe", 0), Folder("/Geheim", 9, omit="folder-excluded"))
    text = EXPORT.replace('"Inbox","3"', '"Inbox","4"') + folder("/Neu", "User Created", 1)
    assert reconcile(text=text) == 1
    shown = said()
    assert f"mailbox {ANNA}, pass 1, listed {datetime.fromtimestamp(AT + 1, UTC):%Y-%m-%d %H:%M} UTC" in shown
    assert (
        "line kind folder export inventory difference outcome why 3 mail /Posteingang 4 3 -1 differs" in shown
    )
    assert "10 User Created /Neu 1 -1 only there no folder of this path was listed" in shown
    assert "0 +0 only here the export has no folder of this path" in shown
    assert "9 omitted folder-excluded" in shown
    assert "Different: 2 folders. The inventory lacks 2 items that the export has, and has 0 that" in shown
    assert "Was the export not taken just before pass 1?" in shown
    assert "folders: 4 agrees, 1 differs, 1 only there, 1 only here, 1 omitted, 3 aside" in shown


def test_a_folder_that_is_omitted_is_told_with_its_code_and_is_no_difference(
    desk: Desk, said: Callable[[], str]
) -> None:
    sealed(desk, Folder("/Geheim", 9, omit="folder-excluded"))
    text = EXPORT + folder("/Geheim", "User Created", 9)
    assert reconcile(text=text) == 0
    shown = said()
    assert "10 mail /Geheim 9 9 +0 omitted folder-excluded" in shown
    assert "Left out by a rule, to stay at the source: 1 folder with 9 items. Nothing in them moved." in shown
    assert "No difference: 5 folders" in shown


def test_a_folder_that_moves_is_not_hidden_by_an_omitted_one_of_its_name(
    desk: Desk, said: Callable[[], str]
) -> None:
    sealed(desk, Folder("/Kalender", 2, omit="shared", kind="calendar"))
    assert reconcile() == 0
    assert "Shared by several folders: 1 path." in said()
    assert reconcile(text=EXPORT.replace('"Calendar","1"', '"Calendar","3"')) == 1
    shown = said()
    assert "mail /Kalender 3 1 -2 differs several folders share this path" in shown
    assert "calendar /Kalender 2 omitted shared" in shown


def test_items_that_only_one_side_has_are_a_difference(desk: Desk) -> None:
    sealed(desk)
    assert reconcile(text="".join(EXPORT.splitlines(keepends=True)[:-4])) == 1  # the calendar is not in it
    assert reconcile(text=EXPORT + folder("/Leer", "User Created", 0)) == 0
    assert reconcile(text=EXPORT + folder("/Leer", "User Created", 1)) == 1


def test_a_later_pass_is_compared_by_the_source_s_own_count(desk: Desk, said: Callable[[], str]) -> None:
    sealed(desk)
    assert reconcile("--pass", "2") == 1
    assert "/Posteingang 3 4 +1 differs" in said()
    assert reconcile("--pass", "2", text=EXPORT.replace('"Inbox","3"', '"Inbox","4"')) == 0
    assert "folders: 1 agrees, 4 untold, 3 aside" in said()
    assert reconcile("--pass", "3") == 2
    assert reconcile("--pass", "0") == 2


def test_letters_that_the_export_lost_are_told(desk: Desk, said: Callable[[], str]) -> None:
    sealed(desk)
    assert reconcile(text=EXPORT.replace("ö", "?")) == 1
    assert "1 name has lost letters (?): export again, with -Encoding UTF8." in said()


def test_where_nothing_agrees_it_may_be_another_mailbox(desk: Desk, said: Callable[[], str]) -> None:
    sealed(desk)
    assert reconcile(text=EXPORT.replace('"Inbox","3"', '"Inbox","2"')) == 1
    shown = said()
    assert "Nothing agrees" not in shown
    assert "Different: 1 folder. The inventory lacks 0 items that the export has, and has 1 that" in shown
    Path("anna.key").write_text(json.dumps({"mailbox": ANNA, "key": KEYS[BERT].hex()}))
    assert reconcile() == 1
    shown = said()
    assert "Nothing agrees: the key or the export may be of another mailbox. Was the export not" in shown


def test_one_folder_is_one(desk: Desk, said: Callable[[], str]) -> None:
    desk.seal(Pack({ANNA: [section(KEYS[ANNA], [Thing("a", "/Posteingang")])]}))
    assert reconcile(text="FolderPath,ItemsInFolder\n/Posteingang,1\n") == 0
    assert "No difference: 1 folder has as many items here" in said()


@pytest.mark.parametrize(
    ("kind", "aside"),
    [
        ("Root", True),
        ("RecoverableItemsPurges", True),
        ("CALENDARLOGGING", True),
        ("RootsOfOurTrade", False),
        ("Subscriptions2024", False),
        ("AuditsAndTaxes", False),
    ],
)
def test_what_nobody_sees_is_known_by_its_whole_type(
    desk: Desk, capsys: pytest.CaptureFixture[str], kind: str, aside: bool
) -> None:
    sealed(desk)
    assert reconcile("--json", text=EXPORT + folder("/Mehr", kind, 1)) == (0 if aside else 1)
    (one,) = [one for one in json.loads(capsys.readouterr().out) if one["path"] == "/Mehr"]
    assert one["outcome"] == ("aside" if aside else "only there")


def test_for_scripts(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    sealed(desk)
    assert reconcile("--json", text=EXPORT.replace('"Inbox","3"', '"Inbox","2"')) == 1
    told = json.loads(capsys.readouterr().out)
    (amiss,) = [one for one in told if one["outcome"] == "differs"]
    assert amiss == {
        "path": "/Posteingang", "ours": 3, "theirs": 2, "outcome": "differs", "code": None, "line": 3,
        "kind": "mail", "several": False, "difference": 1, "why": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "needs the columns"),
        ("a,b\n1,2\n", "needs the columns"),
        ("FolderPath,Name\n/x,1\n", "needs the columns"),
        ("FolderPath,ItemsInFolder\n/x,many\n", "anna.csv:2: ItemsInFolder: is no whole number"),
        ("FolderPath,ItemsInFolder\n/x,-1\n", "is no whole number"),
        ("FolderPath,ItemsInFolder\n/x\n", "is no whole number"),
        ("FolderPath,ItemsInFolder\n/x," + "9" * 5000 + "\n", "is no whole number"),
        ("FolderPath,ItemsInFolder\n/x,y,1\n/x,1,,2\n", "anna.csv:2: has more than the 2 columns"),
        ("FolderPath,ItemsInFolder,itemsinfolder\n/x,1,2\n", "has the column itemsinfolder twice; export it"),
        ("FolderPath,ItemsInFolder\n", "has a header and no folder; export"),
        ("\n#TYPE x\nFolderPath,ItemsInFolder\n\n , \n", "has a header and no folder; export"),
        ('FolderPath,ItemsInFolder\n/w,1\n"/x,1\n/y,1\n', "anna.csv:3: is no CSV: look at the quotes"),
        ('FolderPath,ItemsInFolder\n/w,1\n"/x"x,1\n/y,1\n', "anna.csv:3: is no CSV: look at the quotes"),
        ('#TYPE x\nFolderPath,ItemsInFolder\n/w,1\n"/x,1\n/y",1\n', "anna.csv:4: goes on to line 5: look at"),
        ('"FolderPath","ItemsInFolder"\n"/w","1"\n"/x,"1"\n"/y","1"\n', "anna.csv:3: is no CSV"),
        ('"FolderPath","ItemsInFolder"\n"/w","1"\n"/x","1\n"/y","1"\n', "anna.csv:3: is no CSV"),
        ("Identity,ItemsInFolder\nanna\\x,1\nbert\\x,1\n", "is of 2 mailboxes"),
        ("FolderPath,ItemsInFolder\nGel\xf6schte,1\n".encode("latin-1"), "not UTF-8"),
        ('FolderPath,ItemsInFolder\n"' + "x" * 200_000 + '",1\n', "no CSV"),
    ],
)
def test_what_is_no_export(desk: Desk, said: Callable[[], str], text: str | bytes, word: str) -> None:
    sealed(desk)
    data = text if isinstance(text, bytes) else text.encode()
    assert reconcile(text=data) == 2
    assert word in said()


def test_wrong_input(desk: Desk, said: Callable[[], str]) -> None:
    sealed(desk)
    Path("anna.csv").write_text(EXPORT)
    assert run("audit", "reconcile", "packs/wave-1", "anna.csv") == 2
    assert run("audit", "reconcile", "packs/wave-1", "nowhere.csv", "--keys", "anna.key") == 2
    assert run("audit", "reconcile", "nowhere", "anna.csv", "--keys", "anna.key") == 2
    assert run("audit", "reconcile", "packs/wave-1", "anna.csv", "--keys", "nowhere") == 2
    assert "Traceback" not in said()
