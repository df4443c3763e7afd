"""What a person reads about their own mailbox: every loss and code has an everyday sentence, whose words are
not those of an engineer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.control.remedies import ITEM
from engine.control.remedies import STAYS as CODES_OF_WHAT_STAYS
from mappings.losses.catalogue import LOSSES, REJECTIONS, SKIPS
from mappings.losses.severity import Class, class_of
from model.code_entries import Sentences
from model.errors import Misconfigured
from model.kinds import Kind
from reports.data import Coded, Lost
from reports.everyday import (
    DETAIL,
    OTHER,
    changes,
    concern_of,
    concerns,
    details,
    refusals,
    stays,
)
from reports.i18n import LANGUAGES, text
from reports.logo import LARGEST, logo_data

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'
ENGINEERS = re.compile(
    r"\b(CRLF|LF|RFC|NUL|bytes?|Bytes?|octets?|IMAP|DAV|MIME|vCard|iCalendar|UID|UTC|URI|EWS|Graph|X\.500|"
    r"header|Kopfzeile|keyword|Schlüsselw\w+|property|propriété|hash|Prüfsumme|kogge|ledger|code)\b",
    re.IGNORECASE,
)


USED = {
    "change": {one.everyday for one in LOSSES.entries.values()},
    "refusal": {one.everyday for one in ITEM.entries.values()},
    "stay": {one.everyday for one in (*SKIPS.entries.values(), *CODES_OF_WHAT_STAYS.entries.values())},
}
"""What entries name in each section."""


def test_every_loss_has_one_place() -> None:
    cosmetic = {pair for pair in LOSSES if class_of(*pair) is Class.COSMETIC}
    placed = {pair for pair, one in LOSSES.entries.items() if one.everyday}
    assert placed & cosmetic == set(), "a cosmetic loss is a detail already"
    assert LOSSES.keys() - cosmetic - placed == set(), "say in its entry whether it matters to a person"


def test_what_is_missing_of_the_content_is_never_a_detail() -> None:
    hidden = {pair for pair in LOSSES if concern_of(*pair) is None and class_of(*pair) is Class.CONTENT}
    assert hidden == set()


@pytest.mark.parametrize("table", [REJECTIONS, SKIPS, CODES_OF_WHAT_STAYS])
def test_every_code_has_one_place(table: Sentences[str]) -> None:
    assert {code for code, one in table.entries.items() if not one.everyday} == set()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("section", USED)
def test_each_has_its_words_and_none_is_too_many(language: str, section: str) -> None:
    own = text(language).words[section]
    names = USED[section] - {"", DETAIL} | {OTHER}
    assert {key.rpartition(".")[0] for key in own} == names
    assert {name for name in names if not {f"{name}.title", f"{name}.says"} <= own.keys()} == set()
    assert {key.rpartition(".")[2] for key in own} == {"title", "says", "do"}
    assert concerns(section)[-1] == OTHER


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_are_not_an_engineer_s(language: str) -> None:
    own = text(language).words
    said = [words for section in ("change", "refusal", "stay", "person") for words in own[section].values()]
    assert [words for words in map(str, said) if ENGINEERS.search(words)] == []


def test_losses_of_one_concern_are_added_up_and_never_called_exact() -> None:
    mail = Lost(Kind.MAIL, "flags", "change-unreadable", 4)
    more = Lost(Kind.MAIL, "flags", "unknown-value", 2)
    card = Lost(Kind.CONTACTS, "follow-up", "no-flags", 1)
    folder = Lost(Kind.MAIL, "name", "taken", 3, True)
    found = changes([folder, mail, more, card])
    assert [(one.name, one.items, one.folders, one.at_most) for one in found] == [
        ("follow-up", 7, 0, True),
        ("folder-name", 0, 3, False),
    ]
    assert found[0].workloads == (Kind.MAIL, Kind.CONTACTS)
    (apart,) = changes([mail, card])
    assert not apart.at_most, "an item of the one is none of the other"


def test_details_are_counted_and_what_nobody_knows_is_not_one() -> None:
    losses = [
        Lost(Kind.MAIL, "body", "bare-lf", 7),
        Lost(Kind.CALENDAR, "uid", "too-long", 1),
        Lost(Kind.MAIL, "future", "unheard-of", 2),
    ]
    assert details(losses) == 8
    assert [(one.name, one.items) for one in changes(losses)] == [(OTHER, 2)]


def test_codes_are_added_up_in_the_order_of_what_can_be_done() -> None:
    hidden = [
        Coded(Kind.MAIL, "hidden", 6),
        Coded(Kind.CALENDAR, "hidden", 4),
        Coded(Kind.MAIL, "delegates", 1),
    ]
    assert [(one.name, one.items, len(one.workloads)) for one in stays(hidden)] == [
        ("delegates", 1, 1),
        ("technical", 10, 2),
    ]
    failed = [Coded(Kind.MAIL, "unheard-of", 1), Coded(Kind.FILES, "too-large", 2)]
    assert [one.name for one in refusals(failed)] == ["too-large", OTHER]


@pytest.mark.parametrize(("name", "content", "kind"), [("a.png", PNG, "png"), ("a.svg", SVG, "svg+xml")])
def test_a_logo_becomes_data(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert logo_data(path).startswith(f"data:image/{kind};base64,")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (PNG + bytes(LARGEST), "larger than 256 KiB"),
        (b"GIF89a", "neither a PNG nor an SVG"),
        (b"<html><svg/></html>", "neither"),
        (b'<!DOCTYPE svg [<!ENTITY a "a">]>' + SVG, "neither"),
    ],
)
def test_what_is_no_logo_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "logo"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured, match=said):
        logo_data(path)
