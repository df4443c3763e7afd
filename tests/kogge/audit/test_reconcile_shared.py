"""`kogge audit reconcile` where several folders have one path: none stands in for another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from auditing import Desk
from commands import run
from packs import ANNA, KEYS, Folder, Pack, Section, Thing, folder_name, section

KEY = KEYS[ANNA]
SPELLINGS = ("x{}", "X{}")
"""Of one path: case does not count. A section counts each for itself."""
Told = list[tuple[str, int | None, int | None]]


@dataclass(frozen=True)
class Case:
    """One path: what the inventory has, what the export has, and (outcome, ours, theirs) of each line that is
    told of it. aside: rows that nobody sees; they come first."""

    told: Told
    listed: tuple[int | None, ...] = ()
    omitted: tuple[int | None, ...] = ()
    rows: tuple[int, ...] = ()
    aside: tuple[int, ...] = ()

    def folders(self, number: int) -> list[Folder]:
        names = [f"/{spelling.format(number)}" for spelling in SPELLINGS]
        ours = [Folder(names[at], count) for at, count in enumerate(self.listed)]
        return ours + [Folder(names[0], count, omit="hidden") for count in self.omitted]


FIRST = (
    # What nobody sees, before a person's folder of the same path
    Case([("aside", None, 17), ("agrees", 3, 3)], listed=(3,), rows=(3,), aside=(17,)),
    Case([("aside", None, 17), ("differs", 20, 3)], listed=(20,), rows=(3,), aside=(17,)),
    Case([("aside", None, 3), ("only here", 3, None)], listed=(3,), aside=(3,)),
    Case([("aside", None, 17), ("only there", None, 4)], rows=(4,), aside=(17,)),
    Case([("aside", None, 9), ("omitted", 9, None)], omitted=(9,), aside=(9,)),
    # What stays, beside what moves
    Case([("differs", 1, 3), ("omitted", 2, None)], listed=(1,), omitted=(2,), rows=(3,)),
    Case([("agrees", 1, 1), ("omitted", 2, None)], listed=(1,), omitted=(2,), rows=(1,)),
    Case([("agrees", 1, 1), ("omitted", 2, 2)], listed=(1,), omitted=(2,), rows=(2, 1)),
    Case([("agrees", 3, 3), ("omitted", 9, 10)], listed=(3,), omitted=(9,), rows=(3, 10)),
    Case([("differs", 3, 5), ("omitted", 3, 3)], listed=(3,), omitted=(3,), rows=(5, 3)),
    Case([("agrees", 5, 5), ("omitted", 3, 3), ("omitted", 5, None)], (5,), (5, 3), (5, 3)),
    Case([("differs", 0, 7), ("omitted", 7, None)], listed=(0,), omitted=(7,), rows=(7,)),
    Case([("differs", 5, 5), ("omitted", 5, None)], listed=(3, 2), omitted=(5,), rows=(5,)),
    Case([("agrees", 8, 8), ("omitted", 9, 9)], listed=(3, 5), omitted=(9,), rows=(4, 9, 4)),
    Case([("only here", 3, None), ("omitted", 9, None)], listed=(3,), omitted=(9,)),
    # What stays, and its source does not count it
    Case([("agrees", 3, 3), ("omitted", None, None)], listed=(3,), omitted=(None,), rows=(3,)),
    Case([("differs", 3, 4), ("omitted", None, None)], listed=(3,), omitted=(None,), rows=(4,)),
    Case([("agrees", 3, 3), ("omitted", None, 7)], listed=(3,), omitted=(None,), rows=(7, 3)),
    Case([("differs", 3, 11), ("omitted", None, None)], listed=(3,), omitted=(None,), rows=(4, 7)),
    Case([("differs", 3, 3), ("omitted", None, None)], listed=(3,), omitted=(None,), rows=(1, 2)),
    Case([("agrees", 3, 3), ("omitted", None, None)], listed=(3,), omitted=(None,), rows=(0, 3, 0)),
    # Several of a kind
    Case([("agrees", 8, 8)], listed=(3, 5), rows=(4, 4)),
    Case([("agrees", 8, 8)], listed=(3, 5), rows=(8,)),
    Case([("differs", 8, 9)], listed=(3, 5), rows=(4, 5)),
    Case([("differs", 3, 7)], listed=(3,), rows=(3, 4)),
    Case([("only here", 3, None), ("only here", 5, None)], listed=(3, 5)),
    Case([("only there", None, 3), ("only there", None, 5)], rows=(3, 5)),
    Case([("omitted", 4, 4), ("omitted", 9, 9)], omitted=(4, 9), rows=(9, 4)),
    Case([("only there", None, 6), ("omitted", 4, 4)], omitted=(4,), rows=(4, 6)),
    Case(
        [("only there", None, 4), ("only there", None, 6), ("omitted", None, None)],
        omitted=(None,),
        rows=(4, 6),
    ),
)
LATER = (
    Case([("agrees", 4, 4), ("untold", None, 3)], listed=(4,), rows=(3, 4)),
    Case([("differs", 4, 8)], listed=(4,), rows=(3, 5)),
    Case([("differs", 3, 3)], listed=(3,), rows=(1, 2)),
    Case([("agrees", 7, 7)], listed=(3, 4), rows=(7,)),
    Case([("untold", None, 3)], listed=(None,), rows=(3,)),
    Case([("untold", None, 3)], rows=(3,)),
    Case([("only here", None, None), ("only here", 5, None)], listed=(None, 5)),
    Case([("agrees", 4, 4), ("omitted", None, None)], listed=(4,), omitted=(None,), rows=(4,)),
    Case([("omitted", None, 3), ("untold", None, 4)], omitted=(None,), rows=(3, 4)),
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    Path("anna.key").write_text(json.dumps({"mailbox": ANNA, "key": KEY.hex()}) + "\n")
    return Desk(tmp_path)


def inventory(cases: Mapping[int, Case], number: int, after: str | None = None) -> Section:
    """Pass 1 counts lines, a later one takes the source's own count."""
    folders = [one for at, case in cases.items() for one in case.folders(at)]
    things = [
        Thing(f"{folder.path} {item}", folder.path)
        for folder in folders
        for item in range(folder.total or 0)
        if number == 1 and folder.omit is None
    ]
    return section(KEY, things, number=number, after=after, folders=folders)


def reconcile(desk: Desk, capsys: pytest.CaptureFixture[str], cases: Mapping[int, Case], number: int) -> int:
    one = inventory(cases if number == 1 else {}, 1)
    later = [inventory(cases, 2, one.root)] if number == 2 else []
    desk.seal(Pack({ANNA: [one, *later]}))
    rows = [(at, "RecoverableItemsVersions", count) for at, case in cases.items() for count in case.aside]
    rows += [(at, "User Created", count) for at, case in cases.items() for count in case.rows]
    lines = [f"/x{at},{kind},{count}" for at, kind, count in rows]
    Path("anna.csv").write_text("\n".join(["FolderPath,FolderType,ItemsInFolder", *lines, ""]))
    capsys.readouterr()
    arguments = ("packs/wave-1", "anna.csv", "--keys", "anna.key", "--pass", str(number), "--json")
    return run("audit", "reconcile", *arguments)


@pytest.mark.parametrize(("cases", "number"), [(FIRST, 1), (LATER, 2)])
def test_each_path_is_told_for_itself(
    desk: Desk, capsys: pytest.CaptureFixture[str], cases: tuple[Case, ...], number: int
) -> None:
    by_number = dict(enumerate(cases))
    assert reconcile(desk, capsys, by_number, number) == 1
    shown = {f"({folder_name(KEY, f'/x{at}')[:8]}…)": at for at in by_number}
    told: dict[int, Told] = {at: [] for at in by_number}
    several: set[int] = set()
    for one in json.loads(capsys.readouterr().out):
        at = shown[one["path"]] if one["path"] in shown else int(one["path"].removeprefix("/x"))
        told[at].append((one["outcome"], one["ours"], one["theirs"]))
        several |= {at} if one["several"] else set()
        assert one["several"] == ("several folders share this path" in one["why"])
    assert {at: sorted(lines, key=str) for at, lines in told.items()} == {
        at: sorted(case.told, key=str) for at, case in by_number.items()
    }
    assert several == {
        at
        for at, case in by_number.items()
        if len(case.listed + case.omitted) > 1 or len(case.rows + case.aside) > 1 or case.aside
    }


@pytest.mark.parametrize(
    ("case", "number"),
    [
        *((case, 1) for case in FIRST if ("differs", 3, 3) in case.told or ("differs", 5, 5) in case.told),
        *((case, 2) for case in LATER if ("differs", 3, 3) in case.told),
        (LATER[6], 2),
    ],
)
def test_what_is_missing_or_cannot_be_told_apart_needs_a_person(
    desk: Desk, capsys: pytest.CaptureFixture[str], case: Case, number: int
) -> None:
    assert reconcile(desk, capsys, {0: case, 1: Case([], rows=(0,))}, number) == 1


def test_rows_that_nobody_sees_share_a_path_with_nobody(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reconcile(desk, capsys, {0: Case([], aside=(3, 4))}, 1) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["outcome"], one["theirs"], one["several"]) for one in told] == [
        ("aside", 3, False),
        ("aside", 4, False),
    ]
