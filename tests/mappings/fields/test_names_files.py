"""Names of files: what a server takes, that no two meet, and that they can be turned back."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.fields.file_names import (
    ALIKES,
    RESERVED,
    file_name,
    free_name,
    identity,
    partings,
    unparted,
    utf8,
)
from mappings.fields.folder_names import plan_names
from mappings.fields.look_alikes import DOTS
from model.file_names import FileNames
from model.kinds import Kind
from model.protocols import Capabilities, Container, Role, key_of

PLAIN = FileNames()
NEXTCLOUD = FileNames(
    bytes=250,
    path_bytes=3800,
    characters="\\",
    names=frozenset({".htaccess"}),
    endings=frozenset({".part", ".filepart"}),
)
WINDOWS = FileNames(
    bytes=250,
    characters='\\:*?"<>|',
    names=frozenset({".htaccess"}),
    stems=frozenset({"con", "prn", "aux", "nul", "com1"}),
    endings=frozenset({".part", ".filepart", " ", "."}),
    fold=True,
)
ALL = (PLAIN, NEXTCLOUD, WINDOWS)
RULES = st.sampled_from(ALL)
NAMES = st.one_of(
    st.sampled_from(
        [
            ".htaccess",
            ".HTACCESS",
            "CON",
            "con.txt",
            "con_.txt",
            "aux.tar.gz",
            "x.part",
            "x.PART.part",
            "a. . ",
            ".",
            "..",
            "...",
            "a/b",
            "a\u2215b",
            "é",
            "e\u0301",
            "|\u0338",
            "x" * 300 + ".docx",
            "😀" * 90 + ".pdf",
            "." + "y" * 300,
        ]
    ),
    st.text(st.characters(), min_size=1, max_size=12),
    st.text("aAbü漢😀/.\\ :?_~\u0338\u0301", min_size=1, max_size=300),
)


def taken_as_it_is(name: str, rules: FileNames) -> bool:
    low = name.lower()
    stem = low[: at if (at := low.find(".", 1)) > 0 else len(low)]
    return (
        0 < len(name.encode()) <= rules.bytes
        and not set(name) & ({"/", "\x7f", *map(chr, range(32)), *rules.characters})
        and low not in rules.names | {".", ".."}
        and stem not in rules.stems
        and not low.endswith(tuple(rules.endings))
        and unicodedata.is_normalized("NFC", name)
    )


@given(NAMES, RULES)
def test_every_name_becomes_one_the_server_takes(name: str, rules: FileNames) -> None:
    made, reasons = file_name(name, rules)
    assert taken_as_it_is(made, rules)
    assert bool(reasons) == (made != name)


@given(NAMES, RULES)
def test_a_name_that_was_made_stays_as_it_is(name: str, rules: FileNames) -> None:
    made, _ = file_name(name, rules)
    assert file_name(made, rules) == (made, frozenset())


@given(st.lists(NAMES, min_size=1, max_size=30), RULES)
def test_no_two_files_of_a_folder_meet(names: list[str], rules: FileNames) -> None:
    taken: set[str] = set()
    for number, name in enumerate(names):
        made = free_name(file_name(name, rules)[0], key_of(str(number)), taken.__contains__, rules)
        assert taken_as_it_is(made, rules)
        assert identity(made, rules) not in taken
        taken.add(identity(made, rules))


def original(name: str, rules: FileNames) -> str:
    """The name with look-alikes and the mark of reserved names turned back."""
    if name == DOTS[".."]:
        return ".."
    at = name.find(".", 1) if "." in name[1:] else len(name)
    unmarked = name[:at].removesuffix(RESERVED) + name[at:]
    stem = unmarked[: at - 1].lower()
    if unmarked != name and (unmarked.lower() in rules.names or stem in rules.stems):
        name = unmarked
    return name.translate({ord(alike): plain for plain, alike in ALIKES.items()})


@given(NAMES, RULES)
def test_a_name_turns_back(name: str, rules: FileNames) -> None:
    made, reasons = file_name(name, rules)
    exact = not set(ALIKES.values()) & set(name) and "\N{REPLACEMENT CHARACTER}" not in made
    marked = original(name, rules) != name
    if exact and not marked and not any(map(unicodedata.combining, name)) and "truncated" not in reasons:
        assert original(made, rules) == unicodedata.normalize("NFC", name)


@given(NAMES, RULES, st.binary(min_size=16, max_size=16))
def test_a_free_name_keeps_the_extension_and_its_length(name: str, rules: FileNames, key: bytes) -> None:
    made, _ = file_name(name + ".docx", rules)
    other = free_name(made, key, {identity(made, rules)}.__contains__, rules)
    assert other != made
    assert other.endswith(".docx")
    assert utf8(other) <= rules.bytes


@pytest.mark.parametrize(
    ("name", "rules", "made", "reasons"),
    [
        ("Bericht.docx", WINDOWS, "Bericht.docx", set()),
        (".htaccess", NEXTCLOUD, "\u2024htaccess", {"reserved"}),
        ("video.part", NEXTCLOUD, "video\u2024part", {"characters-replaced"}),
        ("a\\b", NEXTCLOUD, "a\u29f5b", {"characters-replaced"}),
        ("CON.txt", WINDOWS, "CON_.txt", {"reserved"}),
        ("Ende ", WINDOWS, "Ende\u2420", {"characters-replaced"}),
        ("Ende ", NEXTCLOUD, "Ende ", set()),
        ("Wer?", WINDOWS, "Wer\uff1f", {"characters-replaced"}),
        ("e\u0301.txt", NEXTCLOUD, "\xe9.txt", {"unicode-normalised"}),
        ("..", PLAIN, "\u2025", {"characters-replaced"}),
    ],
)
def test_names_people_use(name: str, rules: FileNames, made: str, reasons: set[str]) -> None:
    assert file_name(name, rules) == (made, frozenset(reasons))


def test_a_taken_name_gets_part_of_the_key() -> None:
    key = key_of("one")
    taken = {identity("Bericht.docx", WINDOWS)}
    assert free_name("BERICHT.docx", key, taken.__contains__, WINDOWS) == f"BERICHT ({key.hex()[:8]}).docx"
    assert free_name("BERICHT.docx", key, taken.__contains__, NEXTCLOUD) == "BERICHT.docx"


def folder(id_: str, *path: str, role: Role | None = None) -> Container:
    return Container(Kind.FILES, id_, path, role)


def placed(*folders: Container, rules: FileNames = NEXTCLOUD) -> dict[str, tuple[str, ...]]:
    target = Capabilities(frozenset({Kind.FILES}), files=rules)
    plan = plan_names(folders, target, {Role.FILES: ("",)}, {})
    return {id_: placement.path for id_, placement in plan.items()}


def test_a_drive_goes_to_the_root_and_its_folders_below() -> None:
    found = placed(
        folder("r", "OneDrive", role=Role.FILES),
        folder("a", "OneDrive", "A & B"),
        folder("i", "OneDrive", "inbox"),
    )
    assert found == {"r": ("",), "a": ("", "A & B"), "i": ("", "inbox")}


def test_folders_that_are_one_to_the_server_are_parted() -> None:
    folders = [folder("r", "D", role=Role.FILES), folder("a", "D", "Ä"), folder("b", "D", "A\u0308")]
    assert placed(*folders) == {"r": ("",), "a": ("", "Ä"), "b": ("", "Ä (2)")}
    cases = [folder("a", "x"), folder("b", "X")]
    assert placed(*cases) == {"a": ("x",), "b": ("X",)}
    assert placed(*cases, rules=WINDOWS) == {"a": ("x (2)",), "b": ("X",)}


def test_lengths_of_folders_are_those_of_utf_8() -> None:
    assert placed(folder("a", "ü" * 125))["a"] == ("ü" * 125,)
    cut = placed(folder("a", "ü" * 126))["a"][0]
    assert cut != "ü" * 126
    assert utf8(cut) <= 250


def test_250_levels_fit_and_what_is_deeper_than_a_path_may_be_moves_up() -> None:
    folders = [folder(str(depth), *(["Ordner"] * depth)) for depth in range(1, 251)]
    assert placed(*folders)["250"] == ("Ordner",) * 250
    long = [folder(str(depth), *(["Ordner mit Namen"] * depth)) for depth in range(1, 251)]
    found = placed(*long)
    assert len(set(found.values())) == 250
    assert max(sum(utf8(name) + 1 for name in path) for path in found.values()) <= 3800 - 250


@pytest.mark.parametrize("name", ["Plan.odt", "Plan", ".profile", "a.b (1).txt", "Zoë (0123abcd).txt"])
def test_a_part_of_the_key_comes_off_again(name: str) -> None:
    key = key_of("one")
    for made in itertools.islice(partings(name, key, NEXTCLOUD), 3):
        assert unparted(made, key, NEXTCLOUD) == name
    assert unparted(name, key, NEXTCLOUD) is None
    assert unparted(made, key_of("other"), NEXTCLOUD) is None


def test_what_was_cut_for_the_key_is_not_known_any_more() -> None:
    key = key_of("one")
    made = next(partings("ö" * 123 + ".odt", key, NEXTCLOUD))
    assert utf8(made) in range(NEXTCLOUD.bytes - 3, NEXTCLOUD.bytes + 1)
    assert unparted(made, key, NEXTCLOUD) is None
