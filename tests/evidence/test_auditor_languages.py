"""The verifier says what it found in three languages, and what a loss means to the person."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from auditing import Desk
from lxml import html
from packs import ANNA, KEYS, Pack, Sealed, Thing, section

from evidence import verifier
from evidence.verifier import LANGUAGES, Speaker, fields_of, language_of
from handbook.verifier_words import written

OTHERS = [language for language in LANGUAGES if language != "en"]
LOST = "attachment:left-out,categories:colour-not-kept"


def blocks() -> list[list[str]]:
    return [block.split("\n") for block in verifier.TEXTS.strip().split("\n\n")]


def lossy(desk: Desk, wave: str = "pilot") -> Sealed:
    things = [Thing("a"), Thing("b", verdict="failed", rule="too-large")]
    things += [Thing("c", verdict="converted", rule=LOST), Thing("d", verdict="skipped", rule="notes")]
    return desk.seal(Pack({ANNA: [section(KEYS[ANNA], things)]}, wave=wave))


def test_each_text_is_there_once_in_each_language_with_the_same_places() -> None:
    assert {len(block) for block in blocks()} == {len(LANGUAGES)}
    assert len({block[0] for block in blocks()}) == len(blocks())
    for block in blocks():
        assert len({one.count("{}") for one in block}) == 1, block


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_that_is_always_said_lacks_its_translation(language: str) -> None:
    say = Speaker(language)
    told = [*verifier.WORDS, *verifier.MEANINGS, *verifier.NEXT, *verifier.FATES.values()]
    told += [*verifier.RULES.values(), *verifier.NO_PROOF, *verifier.HOW_TO_FILL_IN, *verifier.TO_FILL_IN]
    told += [*verifier.CLASSES, verifier.RULES_TOLD, verifier.DETAIL, verifier.OTHER_HASH]
    assert [one for one in told if one not in say.texts] == []


def test_the_words_are_those_of_the_reports() -> None:
    """If this fails: `python -m handbook.verifier_words`."""
    source = Path(verifier.__file__).read_text()
    assert written(source) == source


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "de"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "fr_CH"}, "fr"),
        ({"LANG": "da_DK.UTF-8"}, "en"),
        ({"LC_ALL": "", "LANG": "C.UTF-8"}, "en"),
    ],
)
def test_the_language_is_that_of_the_terminal(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ("Verdict: ok", "Attached files. A file that was attached is missing.", "content")),
        (
            "de",
            (
                "Ergebnis: in Ordnung",
                "Angeh\N{LATIN SMALL LETTER A WITH DIAERESIS}ngte Dateien. Eine",
                "Inhalt",
            ),
        ),
        ("fr", ("sultat : conforme", "Fichiers joints. Un fichier joint manque.", "contenu")),
    ],
)
def test_a_loss_has_its_class_and_what_it_means(
    desk: Desk, tmp_path: Path, language: str, told: tuple[str, ...]
) -> None:
    sealed = lossy(desk)
    found = desk.audit(root=sealed.statement, report=tmp_path / "out.html", sample=2, lang=language)
    assert found.code == 0
    tree = html.parse(tmp_path / "out.html")
    page = " ".join(str(tree.xpath("string(//body)")).split())
    for one in told:
        assert one in page
    assert tree.getroot().get("lang") == language
    (_, sentence, kind) = told
    assert f"{LOST} 1 (mail): {kind}. {sentence}" in found.text
    assert sealed.statement in page
    assert sealed.root in page


@pytest.mark.parametrize("language", OTHERS)
def test_no_heading_stays_english(desk: Desk, tmp_path: Path, language: str) -> None:
    sealed = lossy(desk)
    pages = {}
    for one in ("en", language):
        desk.audit(root=sealed.statement, report=tmp_path / f"{one}.html", sample=2, lang=one)
        pages[one] = [
            str(cell.text_content()) for cell in html.parse(tmp_path / f"{one}.html").xpath("//h2|//h4|//th")
        ]
    same = {one for one, other in zip(pages["en"], pages[language], strict=True) if one == other}
    assert same <= {"Signature", "date"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_page_has_a_main_part_and_tables_that_take_the_focus(
    desk: Desk, tmp_path: Path, language: str
) -> None:
    """Who has no mouse can scroll what is wider than the window."""
    desk.audit(root=lossy(desk).statement, report=tmp_path / "out.html", sample=2, lang=language)
    tree = html.parse(tmp_path / "out.html")
    assert len(tree.xpath("//main")) == len(tree.xpath("//body/*")) == 1
    scrolled = tree.xpath("//div[contains(@class,'scroll')]")
    assert scrolled
    for one in scrolled:
        assert (one.get("tabindex"), bool(one.get("aria-label"))) == ("0", True)


@pytest.mark.parametrize("name", ["none", "others", "x was changed", "{0}", "not checked"])
def test_a_name_is_not_translated(desk: Desk, tmp_path: Path, name: str) -> None:
    desk.audit(root=lossy(desk, name).statement, report=tmp_path / "out.html", lang="de")
    cells = html.parse(tmp_path / "out.html").xpath("//td[.='Welle']/following-sibling::td")
    assert [one.text_content() for one in cells] == [name]


def test_a_verdict_in_json_is_the_same_in_every_language(desk: Desk) -> None:
    sealed = lossy(desk)
    told = [
        re.sub(r"\s", "", desk.audit(root=sealed.statement, json=True, lang=one).text) for one in LANGUAGES
    ]
    assert len(set(told)) == 1
    assert '"class":"content"' in told[0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("wave a, number 1, sealed b", ["a", "1", "b"]),
        ("wave , number , sealed ", ["", "", ""]),
        ("wave a, number 1, sealed b, number 2, sealed c", ["a, number 1, sealed b", "2", "c"]),
        ("wave a, sealed b, number 1", None),
        ("a wave, number 1, sealed b", None),
        ("wave ", None),
        ("", None),
    ],
)
def test_what_stands_in_the_gaps_of_a_sentence_is_found(text: str, found: list[str] | None) -> None:
    assert fields_of(text, ["wave ", ", number ", ", sealed ", ""]) == found


def test_parts_of_a_sentence_do_not_overlap() -> None:
    assert fields_of("aba", ["ab", "ba"]) is None
    assert fields_of("abba", ["ab", "ba"]) == [""]


@pytest.mark.parametrize("language", OTHERS)
def test_a_long_text_of_a_pack_is_said_at_once(language: str) -> None:
    """Every part of every sentence with gaps, very often: an expression would try all their places."""
    speaker = Speaker(language)
    for form, _ in speaker.forms:
        text = "\1".join([form[0], *(part * 3_000 for part in form[1:-1]), "\2"])
        assert len(speaker(text)) >= len(text) // 2
